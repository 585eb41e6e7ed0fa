"""What is beneath a root, opened by the kernel and part by part: links, swaps and deep folders."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from colt_core.data import DataError, Limits, PoolSpec, beneath, build_pool, open_unlabelled
from colt_core.data.beneath import LeadsOutside, Root
from colt_core.data.folders import Folder
from tests.support.data_files import pixels, png, write_folder, write_tar, write_zip
from tests.support.deep import nested_folders
from tests.support.missing import cannot_run
from tests.support.swapping import swapping


@pytest.fixture(params=["kernel", "parts"], autouse=True)
def by_kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to open a file; an old kernel has the second alone."""
    if request.param == "kernel" and not beneath.BY_KERNEL:
        cannot_run("openat2 is missing (Linux 5.6 or newer has it)")
    monkeypatch.setattr(beneath, "BY_KERNEL", request.param == "kernel")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """`inner/deep/file` and `file`; beside the root there is a secret."""
    write_folder(tmp_path, {"secret": b"secret", "root/file": b"file", "root/inner/deep/file": b"deep"})
    return tmp_path / "root"


def content(root: Root, path: str) -> bytes:
    with os.fdopen(root.open(path), "rb") as stream:
        return stream.read()


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("link", "inner/deep/file"),
        ("link", "./inner//deep/../deep/file"),
        ("inner/link", "deep/file"),
        ("inner/link", "../inner/deep/file"),
        ("inner/deep/link", "../../inner/deep/file"),
    ],
)
def test_links_inside_are_followed(root: Path, link: str, target: str) -> None:
    (root / link).symlink_to(target)
    (root / "second").symlink_to(link)
    assert content(Root(root), link) == content(Root(root), "second") == b"deep"


def test_absolute_links_inside_are_followed(root: Path) -> None:
    (root / "absolute").symlink_to(root / "inner")
    (root / "alias").symlink_to(root)  # another path of the root
    (root / "again").symlink_to(root / "alias/absolute")
    assert content(Root(root), "absolute/deep/file") == content(Root(root / "alias"), "again/deep/file") == b"deep"


@pytest.mark.parametrize("path", ["../secret", "inner/../../secret", "out", "inner/out", "away/secret", "far"])
def test_nothing_outside_is_opened(root: Path, path: str) -> None:
    (root / "out").symlink_to("../secret")
    (root / "inner/out").symlink_to("../../secret")
    (root / "away").symlink_to(root.parent)
    (root / "far").symlink_to(f"{root}/../secret")
    with pytest.raises(LeadsOutside):
        Root(root).open(path)


def test_what_is_not_there_and_links_in_a_circle_end(root: Path) -> None:
    (root / "one").symlink_to("two")
    (root / "two").symlink_to("one")
    for path in ("missing", "file/inner", "one", "inner/missing/file"):
        with pytest.raises(OSError):
            Root(root).open(path)


def test_a_root_that_is_renamed_stays_the_same(root: Path) -> None:
    opened = Root(root)
    root.rename(root.with_name("renamed"))
    write_folder(root, {"file": b"another"})
    assert content(opened, "file") == b"file"


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_no_descriptor_is_left_open(root: Path) -> None:
    (root / "link").symlink_to(root / "inner")
    opened = Root(root)
    before = open_files()
    for path in ("link/deep/file", "link/../../secret", "inner/deep/nothing", "link/deep"):
        with suppress(OSError, LeadsOutside):
            os.close(opened.open(path))
    assert open_files() == before


SECRET, OWN = png(1), png(2)
SECRET_PIXELS = pixels(1).transpose(2, 0, 1)


def test_no_read_leads_out_while_a_folder_is_swapped_for_a_link(tmp_path: Path) -> None:
    write_folder(tmp_path, {"root/d/cat/0.png": b"own", "secret/0.png": b"secret"})
    folder = Folder(Root(tmp_path / "root"), "d")
    found: list[bytes | None] = []
    with swapping(tmp_path / "root/d/cat", tmp_path / "secret"):
        while len(found) < 3000 or not {b"own", None} <= set(found):
            try:
                found += [read for _, read in folder.read({"cat/0.png"})]
            except DataError:
                found.append(None)
    assert b"secret" not in found


def _parquet(path: Path, image: bytes) -> None:
    pq.write_table(pa.table({"image": [image] * 3}), path)


def _npy(path: Path, image: bytes) -> None:
    from PIL import Image

    np.save(path, np.stack([np.asarray(Image.open(io.BytesIO(image)))] * 3))


KINDS: dict[str, Callable[[Path, bytes], object]] = {
    "folder": lambda path, image: write_folder(path, {f"{number}.png": image for number in range(3)}),
    "zip": lambda path, image: write_zip(path, [(f"{number}.png", image) for number in range(3)]),
    "tar": lambda path, image: write_tar(path, [(f"{number}.png", image) for number in range(3)], "w:gz"),
    "parquet": _parquet,
    "npy": _npy,
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_registration_reads_outside_while_its_folder_is_swapped(tmp_path: Path, kind: str) -> None:
    for folder, image in (("root/d", OWN), ("secret", SECRET)):
        (tmp_path / folder).mkdir(parents=True)
        KINDS[kind](tmp_path / folder / f"data.{kind}", image)
    path, root = tmp_path / "root/d" / f"data.{kind}", tmp_path / "root"
    done = {"built": 0, "refused": 0}
    with swapping(tmp_path / "root/d", tmp_path / "secret"):
        while sum(done.values()) < 1500 or not all(done.values()):
            try:
                pool = build_pool(open_unlabelled(path, root=root), PoolSpec())
            except DataError:
                done["refused"] += 1
                continue
            done["built"] += 1
            assert not any(np.array_equal(image, SECRET_PIXELS) for image in pool.images)


def test_an_archive_is_one_file_from_beginning_to_end(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "data.zip", [("0.png", OWN)])
    source = open_unlabelled(path)
    write_zip(tmp_path / "other.zip", [("0.png", SECRET)]).rename(path)
    assert np.array_equal(build_pool(source, PoolSpec()).images[0], pixels(2).transpose(2, 0, 1))


def names(path: Path, limits: Limits | None = None) -> list[str]:
    return Folder(Root(path), "", limits).names


def test_links_to_links_do_not_name_files_without_end(tmp_path: Path) -> None:
    for level in range(30):  # 2^30 ways to the last one, and no cycle
        (tmp_path / f"d/{level}").mkdir(parents=True)
        for link in ("a", "b"):
            (tmp_path / f"d/{level}/{link}").symlink_to(f"../{level + 1}")
    write_folder(tmp_path / "d/30", {"0.png": OWN})
    with pytest.raises(DataError, match=r"'0/a' .*'0/b' are one folder|are one folder, through a link; remove"):
        names(tmp_path / "d")


def test_a_folder_and_a_link_to_it_are_named(tmp_path: Path) -> None:
    write_folder(tmp_path, {"cat/0.png": OWN})
    (tmp_path / "kitten").symlink_to("cat")
    with pytest.raises(DataError, match="'kitten' and 'cat' are one folder, through a link; remove the link"):
        names(tmp_path)


def test_hidden_files_and_folders_count_as_entries(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a/.hidden": b"", "a/0.png": OWN, "b/.hidden": b""})
    assert names(tmp_path, Limits(max_entries=5)) == ["a/0.png"]
    with pytest.raises(DataError, match="more than 4 files and folders; split it up"):
        names(tmp_path, Limits(max_entries=4))


def test_folders_within_folders_without_end_are_refused(tmp_path: Path) -> None:
    with (
        nested_folders(tmp_path / "d"),
        pytest.raises(DataError, match=r"'a/a/a/.*lies within more than 100 folders; move it up"),
    ):
        open_unlabelled(tmp_path / "d")


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_an_archive_has_no_deeper_folders_than_a_folder(tmp_path: Path, write: Callable[..., Path]) -> None:
    deepest, deeper = ("a/" * number + "0.png" for number in (100, 101))
    assert len(build_pool(open_unlabelled(write(tmp_path / "a", [(deepest, OWN)])), PoolSpec())) == 1
    with pytest.raises(DataError, match="more than 100 folders"):
        open_unlabelled(write(tmp_path / "b", [(deeper, OWN)]))
    assert names(write_folder(tmp_path / "c", {deepest: OWN})) == [deepest]
    with pytest.raises(DataError, match="more than 100 folders"):
        names(write_folder(tmp_path / "d", {deeper: OWN}))
