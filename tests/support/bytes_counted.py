"""What the kernel counted of processes. The count of a child goes to the one that waited for it."""

from __future__ import annotations

from pathlib import Path

import psutil

from tests.support.missing import cannot_run


def counted(what: str, pid: int | str = "self") -> int:
    """Bytes so far: "rchar" by calls that read, "wchar" by calls that write. Mapped files do not
    count."""
    io = Path(f"/proc/{pid}/io")
    if not io.exists():
        cannot_run("the kernel counts no bytes of a process (needs Linux)")
    lines = dict(line.split(": ") for line in io.read_text().splitlines())
    return int(lines[what])


def counted_with_children(what: str) -> int:
    """The same, of this process and what it started, such as that which programs are forked off."""
    return counted(what) + sum(counted(what, child.pid) for child in psutil.Process().children(recursive=True))
