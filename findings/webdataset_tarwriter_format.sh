#!/usr/bin/env bash
# webdataset: TarWriter(format=...) has no effect on the tar that it writes.
#
# Believed: `TarWriter(file, format="USTAR_FORMAT")` writes ustar members of one header block each.
#   The docstring lists `format: Tar format`, and the code names USTAR as what it uses by default.
# Happens: the tar is a pax tar whatever is asked for. The clock's time of each member has a
#   fraction, so each member gets a pax header of two blocks before its own. A sample of a small
#   image and its label takes 2 KiB more. With a whole number as `mtime` the bytes are ustar.
# Why: `format` is assigned in `TarWriter.__init__` and never passed to `tarfile.open`.
# Versions: webdataset 1.0.2, CPython 3.11.7. Date: 2026-11-29.
# Source: webdataset/writer.py, TarWriter.__init__.
# Output seen:
#   asked for nothing:      10 members, 10 pax headers, 30720 bytes
#   asked for USTAR_FORMAT: 10 members, 10 pax headers, 30720 bytes
#   whole mtime:            10 members, 0 pax headers, 20480 bytes
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check webdataset==1.0.2 numpy 2>/dev/null
"$work/venv/bin/python" - "$work" <<'PYTHON'
import sys

import webdataset

SAMPLES = 5  # two members each


def written(**options):
    path = f"{sys.argv[1]}/shard.tar"
    with webdataset.TarWriter(path, **options) as writer:
        for number in range(SAMPLES):
            writer.write({"__key__": f"{number:04}", "jpg": bytes(100), "cls": str(number).encode()})
    with open(path, "rb") as file:
        content = file.read()
    kinds = [content[at + 156 : at + 157] for at in range(0, len(content), 512) if content[at + 257 : at + 262] == b"ustar"]
    return kinds.count(b"0"), kinds.count(b"x"), len(content)


found = {
    "asked for nothing:      ": written(),
    "asked for USTAR_FORMAT: ": written(format="USTAR_FORMAT"),
    "whole mtime:            ": written(format="USTAR_FORMAT", mtime=1),
}
for title, (members, headers, size) in found.items():
    print(f"{title}{members} members, {headers} pax headers, {size} bytes")
expected = [(10, 10, 30720), (10, 10, 30720), (10, 0, 20480)]
if list(found.values()) != expected:
    sys.exit("this has changed")
PYTHON
