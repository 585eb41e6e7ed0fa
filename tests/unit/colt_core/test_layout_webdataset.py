"""Tars of samples, as webdataset writes and reads them (report: webdataset#176)."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import webdataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from colt_core.data import (
    DataError,
    DatasetSpec,
    Limits,
    PoolSpec,
    build_dataset,
    build_pool,
    open_labelled,
    open_unlabelled,
)
from colt_core.data.images import decode
from colt_core.data.spec import TableColumns
from tests.support.data_files import pixels, png, write_tar, write_zip


def shard(path: Path, samples: Iterable[dict[str, Any]]) -> Path:
    """A shard that webdataset's own writer makes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with webdataset.TarWriter(str(path)) as sink:
        for sample in samples:
            sink.write(sample)
    return path


def samples(count: int, first: int = 0, **more: Any) -> list[dict[str, Any]]:
    """Keys 000000 and so on, with labels 0, 1, 2, 0, ..."""
    return [{"__key__": f"{i:06d}", "png": png(i), "cls": i % 3, **more} for i in range(first, first + count)]


def as_webdataset_reads(path: Path) -> list[dict[str, Any]]:
    """The samples of a shard by webdataset's own grouping."""
    with path.open("rb") as stream:
        files = webdataset.tariterators.tar_file_expander([{"url": "shard", "stream": stream}])
        return list(webdataset.tariterators.group_by_keys(files))


def flat(path: Path, files: dict[str, bytes]) -> Path:
    """A tar of these files in this order."""
    return write_tar(path, files.items())


def test_one_shard_is_read_as_webdataset_reads_it(tmp_path: Path) -> None:
    path = shard(tmp_path / "train-000000.tar", samples(12, json={"caption": "x"}))
    source = open_labelled(path)
    assert (source.layout, source.class_names) == ("webdataset", ("0", "1", "2"))
    dataset = build_dataset(source, DatasetSpec(test_fraction=0.25))
    stored = {image.tobytes(): int(label) for image, label in zip(dataset.images, dataset.labels, strict=True)}
    expected = {decode(sample["png"], "").tobytes(): int(sample["cls"]) for sample in as_webdataset_reads(path)}
    assert stored == expected
    pool = build_pool(open_unlabelled(path), PoolSpec())
    assert (len(pool), pool.layout) == (12, "webdataset")


@pytest.mark.parametrize("kind", ["folder", "zip", "stored zip", "tar.gz"])
def test_shards_are_read_from_a_folder_or_archive_with_their_parts(tmp_path: Path, kind: str) -> None:
    shard(tmp_path / "d/train-000000.tar", samples(6))
    shard(tmp_path / "d/train-000001.tar", samples(3, 6))
    shard(tmp_path / "d/test-000000.tar", samples(3, 50))
    path = tmp_path / "d"
    if kind != "folder":
        files = [(f"imagenet/{file.name}", file.read_bytes()) for file in sorted(path.iterdir(), reverse=True)]
        path = tmp_path / "packed"
        write_tar(path, files, "w:gz") if kind == "tar.gz" else write_zip(path, files, deflate=kind == "zip")
    source = open_labelled(path)
    assert source.layout == "webdataset"
    dataset = build_dataset(source, DatasetSpec())
    assert np.array_equal(dataset.part("train")[0], [pixels(i).transpose(2, 0, 1) for i in range(9)])
    assert dataset.part("test")[1].tolist() == [50 % 3, 51 % 3, 52 % 3]
    assert len(open_unlabelled(path).images) == 12


def test_three_samples_whose_keys_have_a_dot_are_one_to_webdataset_and_refused(tmp_path: Path) -> None:
    # It cuts keys at the first dot: 0.1, 0.2 and 0.3 become one sample of three images
    # (webdataset#176).
    path = flat(
        tmp_path / "a.tar",
        {f"0.{i}.{ending}": content for i in (1, 2, 3) for ending, content in (("jpg", png(i)), ("cls", b"1"))},
    )
    assert [sample["__key__"] for sample in as_webdataset_reads(path)] == ["0"]
    with pytest.raises(
        DataError, match=r"sample '0' has 3 images, \.1\.jpg, \.2\.jpg, \.3\.jpg.*cuts names at the first"
    ):
        open_labelled(path)
    assert len(open_unlabelled(path).images) == 3


def test_one_of_several_images_of_a_sample_is_read_if_it_is_named(tmp_path: Path) -> None:
    both = [{"__key__": f"a/{i}", "left.png": png(i), "right.png": png(9 + i), "cls": i % 2} for i in range(4)]
    path = shard(tmp_path / "a.tar", both)
    source = open_labelled(path, table=TableColumns(path="right.png"))
    assert source.images.name(3) == "a/3.right.png"
    (_, [first]) = next(iter(source.images.read(np.array([0]), None)))
    assert np.array_equal(first, pixels(9).transpose(2, 0, 1))


def test_only_neighbours_are_a_sample(tmp_path: Path) -> None:
    # As `tar` packs a folder by time of writing: all images, then all labels.
    files = {f"{i}.png": png(i) for i in range(4)} | {f"{i}.cls": b"1" for i in range(4)}
    with pytest.raises(
        DataError, match=r"a\.tar: sample '0' has no label, only \.png; .*Pack the files sorted by name"
    ):
        open_labelled(flat(tmp_path / "a.tar", files))


@pytest.mark.parametrize(
    ("field", "columns", "names"),
    [
        ({"json": {"label": "b"}}, None, ("a", "b")),
        ({"json": {"label": 3, "caption": "x"}}, None, ("3", "a")),
        ({"json": {"breed": "b"}, "cls": 1}, TableColumns(label="breed"), ("a", "b")),
        ({"txt": "b"}, TableColumns(label="txt"), ("a", "b")),
        ({"cls": b"007\n", "json": {"label": "x"}}, None, ("7", "8")),
    ],
)
def test_labels_lie_in_cls_or_json_or_where_the_user_says(
    tmp_path: Path, field: dict[str, Any], columns: TableColumns | None, names: tuple[str, ...]
) -> None:
    other = {"json": {"label": "a", "breed": "a"}, "txt": "a", "cls": 8}
    two = [field, {ending: other[ending] for ending in field}]
    path = shard(tmp_path / "a.tar", [{"__key__": f"{i}", "png": png(i), **two[i % 2]} for i in range(4)])
    if names == ("3", "a"):
        with pytest.raises(DataError, match=r"the label of '1\.png' is 'a', and the label of '0\.png' is the number 3"):
            open_labelled(path)
    else:
        source = open_labelled(path, table=columns)
        assert source.class_names == names
        assert [source.class_names[label] for label in source.labels[:2]] == [
            names[-1 if "cls" not in field or columns else 0],
            names[0 if "cls" not in field or columns else -1],
        ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"2.cls": None}, r"sample '2' has no label, only \.png"),
        ({"2.cls": b"-1"}, r"'2\.cls' holds no label but '-1'"),
        ({"2.cls": b""}, r"'2\.cls' holds no label but ''"),
        ({"2.cls": b"\xff"}, r"'2\.cls' holds no label: it must be text"),
        ({"2.png": None}, r"sample '2' has a label but no image"),
        ({"2.PNG": png()}, r"sample '2' has two files that end in \.png"),
        ({"2.cls": None, "2.json": b"{}"}, r"'2\.json' holds no label: it must be a JSON object with a field 'label'"),
        ({"2.cls": None, "2.json": b'{"label": [1]}'}, r"'2\.json' holds no label but '\[1\]'"),
        ({"2.cls": None, "2.json": b"[" * 100_000}, r"'2\.json' holds no label: it must be a JSON object"),
        ({"2.png": b"not an image"}, r"'2\.png' is damaged"),
    ],
)
def test_a_sample_that_cannot_be_read_is_named_by_its_key(
    tmp_path: Path, change: dict[str, bytes | None], message: str
) -> None:
    files = {
        f"{i}.{ending}": content for i in range(4) for ending, content in (("cls", b"%d" % (i % 2)), ("png", png(i)))
    }
    changed = {name: content for name, content in sorted({**files, **change}.items()) if content is not None}
    with pytest.raises(DataError, match=message):
        build_dataset(open_labelled(flat(tmp_path / "a.tar", changed)), DatasetSpec())


def test_files_without_an_image_are_passed_over_and_said(tmp_path: Path) -> None:
    files = {
        "info.json": b"{}",
        **{f"{i}.{e}": c for i in range(4) for e, c in (("cls", b"%d" % (i % 2)), ("png", png(i)))},
    }
    source = open_labelled(flat(tmp_path / "a.tar", files))
    assert [(found.code, found.count, found.examples) for found in source.warnings] == [
        ("files_passed_over", 1, ("a.tar: info",))
    ]


def test_a_tar_of_class_folders_is_no_webdataset_even_with_notes_beside_its_images(tmp_path: Path) -> None:
    files = {
        f"{c}/{i}.{ending}": content
        for c in "ab"
        for i in range(3)
        for ending, content in (("json", b"{}"), ("png", png(i)))
    }
    source = open_labelled(flat(tmp_path / "a.tar", files))
    assert (source.layout, source.class_names) == ("folders", ("a", "b"))
    assert "files_passed_over" in [found.code for found in source.warnings]
    # With .cls files it is one, and its folders are parts of keys.
    samples = {
        f"class{i % 2}/{i:06d}.{ending}": content
        for i in range(6)
        for ending, content in (("cls", b"%d" % (i % 3)), ("jpg", png(i)))
    }
    assert open_labelled(flat(tmp_path / "b.tar", samples)).class_names == ("0", "1", "2")


def test_tars_with_long_or_foreign_names_are_read_in_every_format(tmp_path: Path) -> None:
    names = [f"{'folder/' * 30}{word}/{i}" for i, word in enumerate(["ähre", "日本", "x" * 120, "y"])]
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / "a.tar", "w", format=kind) as file:
            for i, name in enumerate(names):
                for ending, content in ((".cls", b"%d" % (i % 2)), (".png", png(i))):
                    info = tarfile.TarInfo(name + ending)
                    info.size, info.mtime = len(content), 1.5  # pax writes an extended header for it
                    (tmp_path / "content").write_bytes(content)
                    with (tmp_path / "content").open("rb") as stream:
                        file.addfile(info, stream)
        source = open_labelled(tmp_path / "a.tar")
        assert [source.images.name(i) for i in range(4)] == [f"{name}.png" for name in names]


def test_a_shard_that_is_no_tar_or_cut_short_is_named(tmp_path: Path) -> None:
    shard(tmp_path / "d/train-0.tar", samples(6))
    whole = (tmp_path / "d/train-0.tar").read_bytes()
    for content in (b"not a tar", whole[: len(whole) // 2], whole[:600]):
        (tmp_path / "d/train-1.tar").write_bytes(content)
        with pytest.raises(DataError, match=r"'train-1\.tar' is not a tar, or a damaged one"):
            open_labelled(tmp_path / "d")
    with pytest.raises(DataError, match="more than 10 members"):
        open_labelled(tmp_path / "d", limits=Limits(max_files=10))


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.lists(
        st.tuples(
            st.sampled_from(["0", "1", "a/0", "0.x", ".h", ""]),
            st.sampled_from([".png", ".cls", ".json", ".txt", ".left.png", ""]),
            st.sampled_from([png(), b"0", b"1", b"-1", b'{"label": 1}', b'{"label": "x"}', b"[]", b"\xff"]),
        ),
        max_size=12,
    ),
    cut=st.integers(0, 4000),
)
def test_whatever_a_tar_holds_is_refused_or_read(tmp_path: Path, files: list[tuple[str, str, bytes]], cut: int) -> None:
    path = write_tar(tmp_path / "a.tar", [(key + ending, content) for key, ending, content in files])
    content = path.read_bytes()
    for broken in (content, content[:cut]):
        path.write_bytes(broken)
        for read in (
            lambda: build_dataset(open_labelled(path, layout="webdataset"), DatasetSpec(image_size=8)),
            lambda: build_pool(open_unlabelled(path), PoolSpec(image_size=8)),
        ):
            try:
                read()
            except DataError as error:
                assert str(tmp_path) not in str(error)


def test_json_of_a_label_may_be_large_but_not_endless(tmp_path: Path) -> None:
    files = {"0.json": json.dumps({"label": 1, "note": "x" * 2**20}).encode(), "0.png": png()}
    with pytest.raises(DataError, match=r"'0\.json' is larger than 1,048,576 bytes"):
        open_labelled(flat(tmp_path / "a.tar", files))
