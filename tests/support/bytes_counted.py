"""What the kernel counted of this process and of the children that it has waited for."""

from __future__ import annotations

from pathlib import Path

from tests.support.missing import cannot_run


def counted(what: str) -> int:
    """Bytes so far: "rchar" by calls that read, "wchar" by calls that write. Mapped files do not
    count."""
    io = Path("/proc/self/io")
    if not io.exists():
        cannot_run("the kernel counts no bytes of a process (needs Linux)")
    lines = dict(line.split(": ") for line in io.read_text().splitlines())
    return int(lines[what])
