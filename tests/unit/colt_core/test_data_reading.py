"""Folders, archives and npz to labelled sources and pools; and what is said of those that do not
work."""

from __future__ import annotations

import os
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from colt_core.data import (
    DataError,
    DatasetSpec,
    ImageDataset,
    Limits,
    PoolSpec,
    build_dataset,
    build_pool,
    decoding,
    open_labelled,
    open_unlabelled,
)
from tests.support.data_files import (
    encoded,
    hash_of,
    labelled_files,
    pixels,
    png,
    write_folder,
    write_tar,
    write_zip,
)

TWO = labelled_files({"cat": 6, "dog": 4})


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "tar.gz"])
def test_the_same_files_give_the_same_data_set_however_packed(tmp_path: Path, kind: str) -> None:
    expected = build_dataset(open_labelled(write_folder(tmp_path / "expected", TWO)), DatasetSpec())
    path = tmp_path / f"data.{kind}"
    if kind == "folder":
        write_folder(path, TWO)
    elif kind == "zip":
        write_zip(path, reversed(TWO.items()))  # the order in the archive does not matter
    else:
        write_tar(path, reversed(TWO.items()), "w:gz" if kind == "tar.gz" else "w")
    dataset = build_dataset(open_labelled(path), DatasetSpec())
    assert dataset.class_names == ("cat", "dog")
    assert np.array_equal(dataset.images, expected.images)
    assert np.array_equal(dataset.labels, expected.labels)


def test_pixels_reach_their_place(tmp_path: Path) -> None:
    source = open_labelled(write_zip(tmp_path / "a.zip", labelled_files({"a": 3, "b": 3}).items()))
    dataset = build_dataset(source, DatasetSpec())
    stored = {image.tobytes(): int(label) for image, label in zip(dataset.images, dataset.labels, strict=True)}
    for label, name in enumerate("ab"):
        for i in range(3):
            assert stored[pixels(hash_of("", name, i)).transpose(2, 0, 1).tobytes()] == label


def test_parts_of_the_source_are_kept(tmp_path: Path) -> None:
    files = {
        **labelled_files({"cat": 6, "dog": 6}, "train/"),
        **labelled_files({"cat": 2, "dog": 2}, "val/"),
        **labelled_files({"cat": 3, "dog": 1}, "test/"),
    }
    dataset = build_dataset(open_labelled(write_folder(tmp_path / "d", files)), DatasetSpec())
    assert dataset.split_sizes == {"train": 12, "probe": 12, "val": 4, "test": 4}
    assert dataset.part("test")[1].tolist() == [0, 0, 0, 1]


def test_a_folder_around_everything_is_passed_over(tmp_path: Path) -> None:
    for prefix in ("my data/", "a/b/", "data/train/"):
        source = open_labelled(write_zip(tmp_path / "a.zip", labelled_files({"cat": 2, "dog": 2}, prefix).items()))
        assert source.class_names == ("cat", "dog")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no images found"),
        ({"README.md": b"x"}, "no images found"),
        ({**TWO, "dog/movie.mp4": b"x"}, r"'dog/movie\.mp4' is not an image"),
        ({**TWO, "dog/more.zip": b"x"}, "archive within"),
    ],
)
def test_files_that_are_no_images_are_named(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    folder = write_folder(tmp_path / "d", files)
    folder.mkdir(exist_ok=True)
    with pytest.raises(DataError, match=message):
        open_labelled(folder)


@pytest.mark.parametrize("content", [b"", b"not an image", png()[:200], png()[:60] + b"\0\0\0\0" + png()[64:]])
def test_a_corrupt_image_is_named(tmp_path: Path, content: bytes) -> None:
    folder = write_folder(tmp_path / "d", {**TWO, "cat/3.png": content})
    with pytest.raises(DataError, match=r"'cat/3\.png' is damaged") as caught:
        build_dataset(open_labelled(folder), DatasetSpec())
    assert str(tmp_path) not in str(caught.value)


def test_mixed_sizes_ask_for_an_image_size(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "d", {**TWO, "dog/x.png": png(width=20, height=20)})
    with pytest.raises(DataError, match=r"'dog/x\.png' is 20 x 20 pixels; set image_size"):
        build_dataset(open_labelled(folder), DatasetSpec())
    assert build_dataset(open_labelled(folder), DatasetSpec(image_size=16)).images.shape[1:] == (3, 16, 16)
    wide = write_folder(tmp_path / "w", {"1.png": png(width=20)})
    with pytest.raises(DataError, match="20 x 16 pixels, not square; set image_size"):
        build_pool(open_unlabelled(wide), PoolSpec())


def test_a_pool_is_any_tree(tmp_path: Path) -> None:
    pool = build_pool(
        open_unlabelled(write_folder(tmp_path / "p", {"1.png": png(1), "a/b/c/2.png": png(2), "notes.txt": b""})),
        PoolSpec(),
    )
    assert np.array_equal(pool.images[0], pixels(1).transpose(2, 0, 1))
    assert np.array_equal(pool.images[1], pixels(2).transpose(2, 0, 1))


def test_links_may_lead_inside_the_root_and_not_out(tmp_path: Path) -> None:
    root = tmp_path / "root"
    folder = write_folder(root / "d", TWO)
    write_folder(root / "elsewhere", {"0.png": png(5), "1.png": png(6)})
    (folder / "emu").symlink_to(root / "elsewhere")
    source = open_labelled(folder, root=root)
    assert source.class_names == ("cat", "dog", "emu")
    build_dataset(source, DatasetSpec())

    write_folder(tmp_path / "secret", {"0.png": png(7)})
    (folder / "fox").symlink_to(tmp_path / "secret")
    with pytest.raises(DataError, match="'fox' leads outside") as caught:
        open_labelled(folder, root=root)
    assert str(tmp_path) not in str(caught.value)
    (folder / "fox").unlink()

    (folder / "dog/9.png").symlink_to(tmp_path / "secret/0.png")
    with pytest.raises(DataError, match=r"'dog/9\.png' leads outside"):
        build_dataset(open_labelled(folder, root=root), DatasetSpec())
    with pytest.raises(DataError, match="leads outside"):
        open_labelled(root / "../secret", root=root)
    with pytest.raises(DataError, match="does not exist"):
        open_labelled(root / "nothing", root=root)


def test_a_link_that_is_put_in_after_listing_is_still_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    source = open_labelled(write_folder(root / "d", TWO), root=root)
    (tmp_path / "secret.png").write_bytes(png(9))
    (root / "d/cat/0.png").unlink()
    (root / "d/cat/0.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(DataError, match=r"'cat/0\.png' leads outside"):
        build_dataset(source, DatasetSpec())


def test_a_link_in_a_circle_and_a_pipe_are_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "d", TWO)
    (folder / "loop").symlink_to(folder)
    with pytest.raises(DataError, match="'loop' is a link to a folder that holds it"):
        open_labelled(folder)
    (folder / "loop").unlink()
    os.mkfifo(folder / "cat/pipe.png")
    with pytest.raises(DataError, match=r"'cat/pipe\.png' is not a regular file"):
        build_dataset(open_labelled(folder), DatasetSpec())
    with pytest.raises(DataError, match="neither a folder nor a file"):
        open_labelled(folder / "cat/pipe.png", root=folder)


def test_limits_of_files_and_bytes(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "d", TWO)
    with pytest.raises(DataError, match="more than 9 files"):
        open_labelled(folder, limits=Limits(max_files=9))
    with pytest.raises(DataError, match="larger than 100 bytes"):
        build_pool(open_unlabelled(folder, limits=Limits(max_file_bytes=100)), PoolSpec())
    with pytest.raises(DataError, match="16 x 16 pixels; make it smaller"):
        build_pool(open_unlabelled(folder, limits=Limits(max_pixels=255)), PoolSpec())
    with pytest.raises(DataError, match="take 7,680 bytes, more than 7,000; set a smaller image_size"):
        build_pool(open_unlabelled(folder), PoolSpec(), limits=Limits(max_bytes=7_000))


def test_progress_counts_to_the_end_and_may_stop_it(tmp_path: Path) -> None:
    images = np.zeros((2500, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images)
    seen: list[tuple[int, int]] = []
    build_pool(open_unlabelled(tmp_path / "a.npz"), PoolSpec(), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1000, 2500), (2000, 2500), (2500, 2500)]

    def stop(done: int, total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        build_pool(open_unlabelled(tmp_path / "a.npz"), PoolSpec(), progress=stop)


def _peak_bytes(build: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        build()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["npy", "zip", "folder", "tar"])
def test_what_is_built_into_a_folder_need_not_fit_into_memory(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setattr(decoding, "FEW", 4)
    monkeypatch.setattr(decoding, "_MAX_IMAGES", 4)
    monkeypatch.setattr(decoding, "_MAX_BYTES_AHEAD", 2**20)
    path, names = tmp_path / f"data.{kind}", [f"train/{i % 2}/{i}.png" for i in range(200)]
    if kind == "npy":
        np.save(path, np.zeros((200, 128, 128, 3), dtype=np.uint8))
    else:
        files = {name: encoded(np.zeros((128, 128, 3), dtype=np.uint8)) for name in names}
        if kind == "folder":
            write_folder(path, files)
        else:
            (write_zip if kind == "zip" else write_tar)(path, files.items())
    pixels_in_all = 200 * 3 * 128 * 128
    source = open_unlabelled(path)
    assert _peak_bytes(lambda: build_pool(source, PoolSpec(), into=tmp_path / "pool")) < pixels_in_all / 4
    assert _peak_bytes(lambda: build_pool(source, PoolSpec())) > pixels_in_all
    if kind != "npy":
        labelled = open_labelled(path)
        spec = DatasetSpec(test_fraction=0.5)
        assert _peak_bytes(lambda: build_dataset(labelled, spec, into=tmp_path / "dataset")) < pixels_in_all / 4
        assert ImageDataset.load(tmp_path / "dataset").split_sizes["test"] == 100


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_of_nested_folders_is_a_pool(tmp_path: Path, mode: str) -> None:
    # ImageNet-R has a folder a class and its README; Places-extra69 folders within folders.
    folders = ["imagenet-r", "imagenet-r/n01443537", "places/a/amphitheater/outdoor"]
    members: list[tuple[tarfile.TarInfo | str, bytes]] = []
    for folder in folders:
        info = tarfile.TarInfo(folder)
        info.type = tarfile.DIRTYPE
        members += [(info, b""), (f"{folder}/art_{len(folder)}.png", png(len(folder)))]
    path = write_tar(tmp_path / "pool.tar", [*members, ("imagenet-r/README.txt", b"x")], mode)
    pool = build_pool(open_unlabelled(path), PoolSpec())
    assert {image.tobytes() for image in pool.images} == {
        pixels(len(folder)).transpose(2, 0, 1).tobytes() for folder in folders
    }
