"""Headers of tars that are read many at once: the members are those of Python's tarfile."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

import pytest

from colt_core.data import DataError, Limits, tar
from colt_core.data.limits import Meter
from colt_core.data.tar import Member, TarDamaged, members
from tests.support.data_files import png

KINDS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a few members, and some of these are larger."""
    monkeypatch.setattr(tar, "_WINDOW", 7 * 512)
    monkeypatch.setattr(tar, "_MANY", 1)


def packed(kind: str, time: float = 0, long_name: bool = False) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=KINDS[kind]) as file:
        folder = tarfile.TarInfo("train")
        folder.type = tarfile.DIRTYPE
        file.addfile(folder)
        for number in range(12):
            folders = "long/" * 30 if long_name and number == 5 else ""
            info = tarfile.TarInfo(f"train/{folders}{number if number < 11 else chr(0xE4)}.png")
            content = b"" if number == 3 else png(number) * (9 if number == 7 else 1)
            info.size, info.mtime = len(content), time + number
            file.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def listed(content: bytes, limits: Limits | None = None) -> tuple[list[Member], int] | str:
    """The members and the bytes that they count for, or what is wrong."""
    limits = limits or Limits()
    meter = Meter(limits, len(content))
    try:
        return list(members(io.BytesIO(content), meter, limits)), meter.read_bytes
    except (DataError, TarDamaged) as error:
        return str(error)


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    with monkeypatch.context() as patched:
        patched.setattr(tar, "ordinary_members", lambda window, start, most: ([], 0, 0))
        yield patched


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("long_name", [False, True])
@pytest.mark.parametrize("time", [0, 1.5])
def test_the_members_are_those_of_tarfile(kind: str, long_name: bool, time: float) -> None:
    content = packed(kind, time, long_name)
    with tarfile.open(fileobj=io.BytesIO(content)) as file:
        expected = [Member(info.name, info.offset_data, info.size, info.isdir()) for info in file]
    found = listed(content)
    assert isinstance(found, tuple)
    assert [member._replace(name=member.name.rstrip("/")) for member in found[0]] == expected


@pytest.mark.parametrize("time", [0, 1.5])
def test_most_members_are_read_many_at_once(time: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar, "_WINDOW", 2**20)
    found, end, claimed = tar.ordinary_members(packed("pax", time), 0, 2**20)
    assert [name for name, *_ in found] == ["train/", *(f"train/{number}.png" for number in range(11))]
    assert 0 < claimed <= end


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_headers_are_read_or_refused_as_one_at_a_time(kind: str, one_at_a_time: pytest.MonkeyPatch) -> None:
    """Each byte of some blocks changed in turn, and the tar cut there."""
    whole, damaged = packed(kind, 1.5), []
    for at in range(4 * 512, 10 * 512, 3):
        changed = bytearray(whole)
        changed[at] ^= 0x41
        damaged += [bytes(changed), whole[:at]]
    expected = [listed(content) for content in damaged]
    one_at_a_time.undo()
    for number, content in enumerate(damaged):
        assert listed(content) == expected[number], number
    assert {type(found) for found in expected} == {tuple, str}


def test_limits_hold(one_at_a_time: pytest.MonkeyPatch) -> None:
    content = packed("pax", 1.5)
    small = [Limits(max_bytes=2000), Limits(max_bytes=9000), Limits(ratio_free_bytes=0, max_ratio=0.5)]
    refused = [listed(content, limits) for limits in small]
    one_at_a_time.undo()
    assert [listed(content, limits) for limits in small] == refused
    assert all(isinstance(text, str) for text in refused)


def test_contents_of_a_few_bytes_are_at_hand_unless_their_end_is_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar, "_WINDOW", 2**20)
    contents = {f"{size}.cls": (b"0123456789" * 60)[:size] for size in (1, 2, 31, 32, 33, 600)}
    contents |= {"empty": b"", "NUL at the end": b"7\0", "NUL within": b"7\0\0007"}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as file:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    packed = bytearray(stream.getvalue())
    packed[512 + 1] = ord("1")  # after the first content, within its block
    found = listed(bytes(packed))
    assert isinstance(found, tuple)
    at_hand = {member.name: member.content for member in found[0] if member.content is not None}
    assert at_hand == {name: contents[name] for name in ("2.cls", "31.cls", "32.cls", "NUL within")}
