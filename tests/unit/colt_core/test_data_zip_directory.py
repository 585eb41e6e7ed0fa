"""The directory of a zip: the entries that Python's zipfile finds, or a refusal."""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from colt_core.data import DataError, Limits
from colt_core.data.zip_directory import Entry, read_directory

NAMES = ["train/a/1.png", "train/", "tr\u00e4in/\u4e00.png", "x" * 300]
REFUSED = (zipfile.BadZipFile, NotImplementedError, ValueError, OSError)


def packed(comment: bytes = b"", names: list[str] = NAMES) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for number, name in enumerate(names):
            file.writestr(name, b"" if name.endswith("/") else bytes(number + 7))
        file.comment = comment
    return stream.getvalue()


def zip64(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """With the fields of large archives, as zipfile writes them."""
    with monkeypatch.context() as patched:
        patched.setattr(zipfile, "ZIP64_LIMIT", 5)
        patched.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
        return packed()


def by_zipfile(content: bytes) -> list[Entry]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return [
            Entry(
                info.orig_filename,
                info.flag_bits,
                info.compress_type,
                info.CRC,
                info.compress_size,
                info.file_size,
                info.external_attr,
                info.header_offset,
            )
            for info in file.infolist()
        ]


def directory(content: bytes, tmp_path: Path, limits: Limits | None = None) -> list[Entry]:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    return read_directory(path, limits or Limits())


@pytest.mark.parametrize("kind", ["plain", "comment", "bytes before it", "another code page", "zip64", "empty"])
def test_the_entries_are_those_of_zipfile(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {
        "plain": packed(),
        "comment": packed(comment=b"made by hand"),
        "bytes before it": b"#!/bin/sh\n" * 10 + packed(),
        "another code page": packed(names=["abc.png"]).replace(b"abc.png", b"\x84bc.png"),
        "zip64": zip64(monkeypatch),
        "empty": packed(names=[]),
    }[kind]
    entries = by_zipfile(content)
    assert len(entries) == {"another code page": 1, "empty": 0}.get(kind, len(NAMES))
    assert directory(content, tmp_path) == entries


@pytest.mark.parametrize("large", [False, True], ids=["plain", "zip64"])
def test_a_damaged_directory_is_refused_or_read_as_by_zipfile(
    tmp_path: Path, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte from the directory on changed in turn. zipfile refuses some unused fields too."""
    content = zip64(monkeypatch) if large else packed()
    read = refused = 0
    for at in range(content.index(b"PK\1\2"), len(content)):
        damaged = bytearray(content)
        damaged[at] ^= 0x41
        try:
            entries = directory(bytes(damaged), tmp_path)
        except REFUSED:
            refused += 1
            continue
        with suppress(*REFUSED):
            assert entries == by_zipfile(bytes(damaged)), at
            read += 1
    assert read > 100 and refused > 20


def test_more_entries_than_allowed_are_refused(tmp_path: Path) -> None:
    assert len(directory(packed(), tmp_path, Limits(max_files=4))) == 4
    with pytest.raises(DataError, match="more than 3 members; split it up"):
        directory(packed(), tmp_path, Limits(max_files=3))
    with pytest.raises(DataError, match="more than 2 members; split it up"):  # before its entries are read
        directory(packed(names=["x" * 60_000 + str(i) for i in range(25)]), tmp_path, Limits(max_files=2))
