"""Archives from strangers: what is honest is read, what is not is refused by a message that names
it."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import tracemalloc
import warnings
import zipfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from posixpath import splitext

import numpy as np
import pytest

from colt_core.data import DataError, Limits, PoolSpec, build_pool, open_labelled
from colt_core.data.archives import open_archive
from colt_core.data.images import decode
from colt_core.data.names import are_plain, image_names, is_hidden, is_image, is_printable, safe_name, split_ending
from colt_core.data.sources import UnlabelledSource
from tests.support.data_files import png, write_tar, write_zip

FILES = {"cat/1.png": png(1), "dog/2.png": png(2), "README": b"hello"}


def _zip(path: Path) -> Path:
    return write_zip(path, FILES.items())


def _tar(path: Path) -> Path:
    return write_tar(path, FILES.items())


def _tar_gz(path: Path) -> Path:
    return write_tar(path, FILES.items(), "w:gz")


@pytest.mark.parametrize("make", [_zip, _tar, _tar_gz])
def test_reads_only_what_is_wanted_whatever_the_file_is_called(tmp_path: Path, make) -> None:
    archive = open_archive(make(tmp_path / "upload-without-suffix"))
    assert sorted(archive.names) == sorted(FILES)
    assert dict(archive.read({"dog/2.png"})) == {"dog/2.png": FILES["dog/2.png"]}
    assert dict(archive.read(set(FILES))) == FILES


def test_tar_of_a_whole_folder_begins_with_a_dot(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "cat").mkdir(parents=True)
    (folder / "cat/1.png").write_bytes(png())
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        file.add(folder, arcname=".")
    assert open_archive(tmp_path / "a.tar").names == ["cat/1.png"]


@pytest.mark.parametrize(
    "name",
    ["../x.png", "a/../../x.png", "/etc/x.png", "C:/x.png", "c:x.png", "..\\x.png", "\\\\host\\x.png", ""],
)
def test_escaping_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="not a safe name"):
        safe_name(name)
    if name:
        with pytest.raises(DataError, match="not a safe name"):
            open_archive(write_tar(tmp_path / "a.tar", [(name, b"x")]))
        with pytest.raises(DataError, match="not a safe name"):
            open_archive(write_zip(tmp_path / "a.zip", [(name, b"x")]))


PIECES = [".", "..", "/", "\\", "a", "C:", "\0", "\n", ".PNG", "Thumbs.db"]


def test_safe_names_are_those_of_a_path_without_detours() -> None:
    for pieces in product(PIECES, repeat=4):
        name = "".join(pieces)
        parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
        safe = parts and ".." not in parts and not name.startswith(("/", "\\", "C:")) and "\0" not in name
        if safe:
            assert safe_name(name) == "/".join(parts), name
        else:
            with pytest.raises(DataError):
                safe_name(name)


def test_names_are_split_as_posixpath_does() -> None:
    for pieces in product(PIECES, repeat=4):
        name = "".join(pieces)
        assert split_ending(name) == splitext(name.rpartition("/")[2].lower()), name


def test_names_that_are_looked_through_as_one_text_are_those_that_need_no_care() -> None:
    plain = []
    for pieces in product(PIECES, repeat=4):
        name = "".join(pieces)
        if are_plain([name]):
            plain.append(name)
            assert safe_name(name) == name.removesuffix("/") and is_printable(name)
            assert not is_hidden(name.removesuffix("/")), name
        assert not are_plain(["a/b.png", name, "c"]) or name in plain
    assert {"a/aa", "aaa.PNG", "aa.PNG/"} < set(plain) and are_plain(plain)
    assert not are_plain(["a" * 5000])


def test_only_names_with_the_ending_of_an_image_are_images() -> None:
    for pieces in product(PIECES, repeat=4):
        name = "".join(pieces)
        assert is_image(name) == (splitext(name.rpartition("/")[2])[1] == ".PNG"), name


@pytest.mark.parametrize("name", ["a.png/b", "png", "a/png", "a.png/.b"])
def test_a_name_with_an_ending_elsewhere_is_no_image(name: str) -> None:
    assert image_names(["x.PNG", "a/b.jpg"]) == ["a/b.jpg", "x.PNG"]
    if not is_hidden(name):
        with pytest.raises(DataError, match="is not an image"):
            image_names(["x.png", name])
    else:
        assert image_names(["x.png", name]) == ["x.png"]


def test_a_zip_name_that_hides_its_end_behind_a_nul_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", [("abcdefgh.png", b"x")])
    path.write_bytes(path.read_bytes().replace(b"abcdefgh.png", b"ab.png\0../.."))
    with pytest.raises(DataError, match="not a safe name"):
        open_archive(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    link = tarfile.TarInfo("cat/link.png")
    link.type, link.linkname = kind, "/etc/passwd"
    with pytest.raises(DataError, match=r"'cat/link\.png' is a link"):
        open_archive(write_tar(tmp_path / "a.tar", [("cat/1.png", png()), (link, b"")]))


def test_a_sparse_tar_member_is_refused(tmp_path: Path) -> None:
    # A GNU sparse header: a terabyte of zeros out of no bytes at all.
    header = bytearray(tarfile.TarInfo("cat/1.png").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[483:495] = b"777777777777"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "a.tar").write_bytes(bytes(header) + bytes(1024))
    with pytest.raises(DataError, match="sparse"):
        open_archive(tmp_path / "a.tar")


def test_a_symlink_in_a_zip_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("cat/link.png")
    link.external_attr = 0o120777 << 16
    with pytest.raises(DataError, match=r"'cat/link\.png' is a link"):
        open_archive(write_zip(tmp_path / "a.zip", [(link, b"/etc/passwd")]))


def test_duplicate_names_are_refused_also_in_another_spelling(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = write_zip(tmp_path / "a.zip", [("cat/1.png", png(1)), ("cat/1.png", png(2))])
    with pytest.raises(DataError, match=r"'cat/1\.png' twice"):
        open_archive(path)
    with pytest.raises(DataError, match=r"'cat/1\.png' twice"):
        open_archive(write_tar(tmp_path / "a.tar", [("cat/1.png", png(1)), ("./cat//1.png", png(2))]))


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", [("cat/1.png", png())])
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="encrypted"):
        open_archive(path)


def test_an_unbounded_compression_method_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_LZMA) as file:
        file.writestr("cat/1.png", png())
    with pytest.raises(DataError, match="store or deflate"):
        open_archive(tmp_path / "a.zip")


SMALL = Limits(max_bytes=50_000, max_file_bytes=20_000, ratio_free_bytes=10_000, max_ratio=10)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_bomb_is_stopped_by_its_ratio(tmp_path: Path, kind: str) -> None:
    files = [(f"cat/{i}.png", bytes(9_000)) for i in range(5)]
    path = tmp_path / f"a.{kind}"
    write_zip(path, files) if kind == "zip" else write_tar(path, files, "w:gz")
    with pytest.raises(DataError, match="10 times its size"):
        dict(open_archive(path, SMALL).read({name for name, _ in files}))


def test_the_bytes_that_come_out_are_capped(tmp_path: Path) -> None:
    files = [(f"cat/{i}.png", bytes(9_000)) for i in range(6)]
    with pytest.raises(DataError, match="more than 50,000 bytes"):
        dict(open_archive(write_zip(tmp_path / "a.zip", files, deflate=False), SMALL).read({name for name, _ in files}))
    with pytest.raises(DataError, match="more than 50,000 bytes"):
        open_archive(write_tar(tmp_path / "a.tar", files), SMALL)


def test_one_oversized_file_is_refused(tmp_path: Path) -> None:
    files = [("cat/1.png", bytes(20_001))]
    for path in (write_zip(tmp_path / "a.zip", files, deflate=False), write_tar(tmp_path / "a.tar", files)):
        with pytest.raises(DataError, match=r"'cat/1\.png' is larger"):
            dict(open_archive(path, SMALL).read({"cat/1.png"}))


def test_a_zip_header_that_lies_about_the_size_gives_no_more_than_it_says(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", [("cat/1.png", bytes(1_000_000))])
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.index(signature) + offset, 100)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"'cat/1\.png' is damaged"):
        dict(open_archive(path, SMALL).read({"cat/1.png"}))


def test_a_tar_header_that_claims_a_huge_name_is_refused(tmp_path: Path) -> None:
    extension = tarfile.TarInfo("x")
    extension.type, extension.size = tarfile.GNUTYPE_LONGNAME, 2**31
    (tmp_path / "a.tar").write_bytes(extension.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))
    with pytest.raises(DataError, match="oversized header"):
        open_archive(tmp_path / "a.tar")


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    files = [(f"{i}.png", b"x") for i in range(4)]
    for path in (write_zip(tmp_path / "a.zip", files), write_tar(tmp_path / "a.tar", files)):
        with pytest.raises(DataError, match="more than 3 members"):
            open_archive(path, Limits(max_files=3))


@pytest.mark.parametrize("name", ["cat/1.png", "images.npy"])
def test_a_bomb_of_members_is_refused_before_each_becomes_an_object(tmp_path: Path, name: str) -> None:
    # The same member listed 100,000 times, each in 60 bytes; the number in the zip's own end says
    # 1.
    path = write_zip(tmp_path / "a.zip", [(name, b"x")])
    content = path.read_bytes()
    start, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    entries = content[start:end] * 100_000
    tail = bytearray(content[end:])
    struct.pack_into("<I", tail, 12, len(entries))
    path.write_bytes(content[:start] + entries + tail)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"more than 1,000 members"):
            open_labelled(path, limits=Limits(max_files=1000))
        assert tracemalloc.get_traced_memory()[1] < 2 * len(entries)
    finally:
        tracemalloc.stop()


def test_a_directory_of_endless_names_is_not_read_whole(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", [(f"{i}{'x' * 60_000}.png", b"x") for i in range(40)])
    with pytest.raises(DataError, match="more than 40 members"):
        open_archive(path, Limits(max_files=40))


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_very_long_names_are_refused_and_not_shown_whole(tmp_path: Path, kind: str) -> None:
    path, files = tmp_path / "a", [(f"cat/{'é' * 5000}.png", png())]
    write_zip(path, files) if kind == "zip" else write_tar(path, files)
    with pytest.raises(DataError, match="more than 4,096 characters") as caught:
        open_archive(path)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_in_any_script_are_kept(tmp_path: Path, kind: str) -> None:
    names = ["ähre/1.png", "日本/1.png", "🦉/1.png", "e\u0301/1.png", "עברית/1.png", f"{'l' * 300}/1.png"]
    path = tmp_path / "a"
    files = [(name, png()) for name in names]
    write_zip(path, files) if kind == "zip" else write_tar(path, files)
    assert sorted(open_archive(path).names) == sorted(names)
    assert set(open_labelled(path).class_names) == {name.removesuffix("/1.png") for name in names}


@pytest.mark.parametrize("odd", ["\u202e", "\u2067", "\u2028", "\x7f", "\x85"])
def test_names_that_would_look_like_others_are_refused(tmp_path: Path, odd: str) -> None:
    for name in (f"cat/a{odd}b.png", f"c{odd}t/a.png"):
        path = write_zip(tmp_path / "a.zip", [(name, png()), ("dog/1.png", png())])
        with pytest.raises(DataError, match="cannot be shown") as caught:
            open_labelled(path)
        assert odd not in str(caught.value)


def test_a_zip_name_that_is_not_the_utf8_it_claims_is_damage(tmp_path: Path) -> None:
    for name in ("é.png", "é.npy"):
        path = write_zip(tmp_path / "a.zip", [(name, b"x")])
        path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xfe"))
        with pytest.raises(DataError, match="damaged"):
            open_labelled(path)


def test_a_zip_member_behind_every_file_is_damage(tmp_path: Path) -> None:
    content = bytearray(write_zip(tmp_path / "a.zip", [("1.png", b"x")]).read_bytes())
    start, far = content.index(b"PK\x01\x02"), struct.pack("<HHQ", 1, 8, 2**63 + 5)
    struct.pack_into("<I", content, start + 42, 0xFFFFFFFF)
    struct.pack_into("<H", content, start + 30, len(far))
    content[start + 46 + 5 : start + 46 + 5] = far
    end = content.index(b"PK\x05\x06")
    struct.pack_into("<I", content, end + 12, end - start)
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        dict(open_archive(tmp_path / "a.zip").read({"1.png"}))


def _pax(path: Path, headers: dict[str, str]) -> Path:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as file:
        info = tarfile.TarInfo("cat/1.png")
        info.size, info.pax_headers = 3, headers
        file.addfile(info, io.BytesIO(b"abc"))
    return path


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "headers",
    [
        {"size": "-5"},
        {"size": "9" * 23},  # tarfile would skip as many bytes, one block after the other, though there are none
        {"GNU.sparse.map": "a,b"},
        {"GNU.sparse.size": "x", "GNU.sparse.map": "0,1"},
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "x"},
    ],
    ids=["negative", "endless", "map", "size", "sparse"],
)
def test_extended_tar_headers_that_lie_are_refused(tmp_path: Path, headers: dict[str, str]) -> None:
    with pytest.raises(DataError, match=r"impossible size|sparse|damaged"):
        dict(open_archive(_pax(tmp_path / "a.tar", headers)).read({"cat/1.png"}))


@pytest.mark.timeout(30)
@pytest.mark.parametrize("size", [b"\xff" * 12, b"\x80" + b"\xff" * 11], ids=["negative", "endless"])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_binary_tar_sizes_that_lie_are_refused(tmp_path: Path, kind: bytes, size: bytes) -> None:
    header = bytearray(tarfile.TarInfo("cat/1.png").tobuf(tarfile.GNU_FORMAT))
    header[124:136], header[156:157], header[148:156] = size, kind, b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "a.tar").write_bytes(bytes(header) + bytes(2048))
    with pytest.raises(DataError, match=r"impossible size|oversized header"):
        open_archive(tmp_path / "a.tar")


def test_damage_in_events_from_honest_files(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not an archive")
    (tmp_path / "empty").touch()
    whole = gzip.compress(_tar(tmp_path / "a.tar").read_bytes())
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    for name in ("text", "empty", "cut.tar.gz"):
        with pytest.raises(DataError, match="not a zip, tar or tar"):
            open_archive(tmp_path / name)


def test_damage_inside_a_zip_names_the_member(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", [("cat/1.png", png())], deflate=False)
    content = bytearray(path.read_bytes())
    content[100] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"'cat/1\.png' is damaged"):
        dict(open_archive(path).read({"cat/1.png"}))


def test_every_kind_of_zip_member_is_read_as_zipfile_reads_it(tmp_path: Path) -> None:
    class Unseekable(io.RawIOBase):
        """Written to by a stream: sizes follow the data, and the local headers hold none."""

        def __init__(self) -> None:
            self.content = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.content += data
            return len(data)

    stream = Unseekable()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("plain.png", png(1))
        file.writestr(zipfile.ZipInfo("stored.png"), png(2))
        file.writestr("müßig.png", png(3))
        file.writestr("empty.png", b"")
        file.writestr("large.png", np.random.default_rng(0).bytes(2**21))
        with file.open("zip64.png", "w", force_zip64=True) as member:
            member.write(png(4))
        file.writestr("with/folder.png", bytes(5000))
    (tmp_path / "a.zip").write_bytes(b"a program before it" + stream.content)
    archive = open_archive(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        assert dict(archive.read(set(archive.names))) == {name: file.read(name) for name in file.namelist()}


@pytest.mark.parametrize(
    ("signature", "offset", "value"),
    [
        (b"PK\x03\x04", 0, b"PK\x01\x02"),
        (b"PK\x03\x04", 30, b"x"),
        (b"PK\x01\x02", 8, b"\x20"),
        (b"PK\x01\x02", 16, b"\0\0\0\0"),
        (b"PK\x01\x02", 20, b"\xff\xff\xff"),
        (b"PK\x01\x02", 42, b"\xff\xff\xff"),
    ],
    ids=["signature", "name", "patched", "checksum", "packed size", "place"],
)
def test_a_member_that_is_not_what_the_directory_says(
    tmp_path: Path, signature: bytes, offset: int, value: bytes
) -> None:
    path = _zip(tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    start = content.index(signature) + offset
    content[start : start + len(value)] = value
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"'cat/1\.png' is damaged"):
        dict(open_archive(path).read({"cat/1.png"}))


def test_image_names_pass_over_litter_and_notes_and_nothing_else() -> None:
    litter = [
        "__MACOSX/cat/._1.png",
        ".DS_Store",
        "cat/Thumbs.db",
        "cat/.hidden/2.png",
        "LICENSE",
        "labels.csv",
        "notes.md",
    ]
    assert image_names([*litter, "cat/1.PNG", "a.JPEG"]) == ["a.JPEG", "cat/1.PNG"]
    with pytest.raises(DataError, match=r"'cat/x\.exe' is not an image"):
        image_names(["cat/1.png", "cat/x.exe"])
    with pytest.raises(DataError, match="no images found"):
        image_names(litter)


@pytest.mark.parametrize("inner", ["inner.zip", "cat/more.tar.gz", "cat/data.npz"])
def test_nested_archives_are_refused(inner: str) -> None:
    with pytest.raises(DataError, match="archive within"):
        image_names(["cat/1.png", inner])


@pytest.mark.parametrize("name", ["cat/1\n.png", "cat/\udcff.png"])
def test_names_that_cannot_be_shown_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="rename it"):
        image_names([name])


def _mutations(content: bytes, count: int) -> Iterator[bytes]:
    """The content cut short, or with some bytes changed; at its ends, where headers are, more
    often."""
    rng = np.random.default_rng(0)
    for i in range(count):
        if i % 4 == 0:
            yield content[: rng.integers(len(content))]
            continue
        changed = bytearray(content)
        for _ in range(rng.integers(1, 5)):
            near_an_end = rng.integers(-min(1000, len(content)), min(600, len(content)))
            changed[near_an_end if rng.random() < 0.7 else rng.integers(len(content))] = rng.integers(256)
        yield bytes(changed)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "npz"])
def test_whatever_is_broken_the_error_is_one_for_the_user(tmp_path: Path, kind: str) -> None:
    whole = tmp_path / "whole"
    if kind == "npz":
        with whole.open("wb") as file:
            np.savez_compressed(file, images=np.zeros((6, 8, 8), dtype=np.uint8), labels=np.arange(6) % 2)
    else:
        {"zip": _zip, "tar": _tar, "tar.gz": _tar_gz}[kind](whole)
    refused = 0
    for content in _mutations(whole.read_bytes(), 60):
        (tmp_path / "broken").write_bytes(content)
        try:
            source = open_labelled(tmp_path / "broken")
            build_pool(UnlabelledSource(source.images), PoolSpec(image_size=16))
        except DataError as error:
            assert str(tmp_path) not in str(error)
            refused += 1
    assert refused > 20


def test_a_zip_inside_a_png_name_is_no_image(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("x", b"x")
    with pytest.raises(DataError, match=r"'cat/1\.png' is damaged"):
        decode(stream.getvalue(), "cat/1.png")
