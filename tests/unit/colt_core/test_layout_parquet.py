"""Parquet files of images, as `datasets` and pyarrow write them (report: datasets#4814)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

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
from colt_core.data.layouts.parquet_file import ParquetFile
from colt_core.data.spec import TableColumns
from tests.support.data_files import pixels, png, write_tar, write_zip

NAMES = ["cat", "dog", "emu"]


def rows(count: int, labels: list[Any] | None = None) -> dict[str, list[Any]]:
    """Image bytes without a path, and labels 0, 1, 2, 0, ..."""
    return {
        "image": [{"bytes": png(i), "path": None} for i in range(count)],
        "label": labels if labels is not None else [i % 3 for i in range(count)],
    }


def written(path: Path, table: dict[str, list[Any]], **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(table), path, **how)
    return path


def hub_dataset(count: int, seed: int = 0) -> datasets.Dataset:
    """A data set of `datasets` whose labels have names."""
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)})
    images = [Image.fromarray(pixels(seed + i)) for i in range(count)]
    return datasets.Dataset.from_dict({"image": images, "label": [i % 3 for i in range(count)]}, features=features)


def test_what_datasets_writes_is_read_with_its_class_names_and_parts(tmp_path: Path) -> None:
    for name, count, seed in (
        ("train-00000-of-00002", 6, 0),
        ("train-00001-of-00002", 3, 6),
        ("test-00000-of-00001", 3, 90),
    ):
        hub_dataset(count, seed).to_parquet(tmp_path / f"data/{name}.parquet")
    (tmp_path / "data/README.md").write_text("a data set card")
    source = open_labelled(tmp_path / "data")
    assert source.layout == "parquet"
    assert source.class_names == tuple(NAMES)
    dataset = build_dataset(source, DatasetSpec())
    images, labels = dataset.part("train")
    assert np.array_equal(images, [pixels(i).transpose(2, 0, 1) for i in range(9)])
    assert labels.tolist() == [0, 1, 2] * 3
    assert np.array_equal(dataset.part("test")[0][0], pixels(90).transpose(2, 0, 1))
    pool = build_pool(open_unlabelled(tmp_path / "data"), PoolSpec())
    assert (len(pool), pool.layout) == (12, "parquet")


@pytest.mark.parametrize("kind", ["zip", "stored zip", "tar", "tar.gz"])
def test_the_same_files_give_the_same_data_set_however_packed(tmp_path: Path, kind: str) -> None:
    for name, first in (("b/train-1", 5), ("a/train-0", 0), ("a/validation-0", 50)):
        written(tmp_path / f"data/{name}.parquet", {**rows(6), "image": [{"bytes": png(first + i)} for i in range(6)]})
    files = [(f"x/{path.name}", path.read_bytes()) for path in sorted((tmp_path / "data").rglob("*.parquet"))][::-1]
    archive = tmp_path / "archive"
    if "zip" in kind:
        write_zip(archive, files, deflate=kind == "zip")
    else:
        write_tar(archive, files, "w:gz" if kind == "tar.gz" else "w")
    packed, folder = (build_dataset(open_labelled(path), DatasetSpec()) for path in (archive, tmp_path / "data"))
    assert np.array_equal(packed.images, folder.images)
    assert np.array_equal(packed.labels, folder.labels)
    assert packed.split_sizes == folder.split_sizes
    assert packed.split_sizes["val"] == 6


def test_one_uploaded_file_is_the_training_part_whatever_its_name(tmp_path: Path) -> None:
    source = open_labelled(written(tmp_path / "test-00000-of-00001.parquet", rows(9)))
    assert list(source.parts) == ["train"]
    assert source.class_names == ("0", "1", "2")
    assert source.images.name(8) == "test-00000-of-00001.parquet, row 8"


def test_an_image_folder_that_datasets_wrote_has_no_bytes_and_its_paths_are_not_opened(tmp_path: Path) -> None:
    # `datasets` 5.2 writes null bytes and the absolute path of each image. The recipe in the
    # message gives bytes.
    for name in NAMES:
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(2):
            (tmp_path / "images" / name / f"{i}.png").write_bytes(png(i))
    folder = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "images"), cache_dir=str(tmp_path / "cache"))
    folder["train"].to_parquet(tmp_path / "train.parquet")
    image = pq.read_table(tmp_path / "train.parquet")["image"][0].as_py()
    assert image == {"bytes": None, "path": str(tmp_path / "images/cat/0.png")}
    for read in (
        lambda: build_dataset(open_labelled(tmp_path / "train.parquet"), DatasetSpec()),
        lambda: build_pool(open_unlabelled(tmp_path / "train.parquet"), PoolSpec()),
    ):
        with pytest.raises(
            DataError, match=r"'train\.parquet, row 0' holds no bytes of its image.*embed_table_storage"
        ):
            read()
    embedded = folder["train"].with_format("arrow").map(datasets.table.embed_table_storage, batched=True)
    embedded.to_parquet(tmp_path / "with.parquet")
    assert build_dataset(open_labelled(tmp_path / "with.parquet"), DatasetSpec()).class_names == tuple(NAMES)


@pytest.mark.parametrize("missing", [None, -1])
def test_a_missing_label_is_refused_by_its_row(tmp_path: Path, missing: int | None) -> None:
    path = written(tmp_path / "a.parquet", rows(4, [0, 1, missing, 0]))
    with pytest.raises(DataError, match=r"a\.parquet, row 2 has no label: 'label' is (None|-1)\. Leave such rows out"):
        open_labelled(path)
    assert len(open_unlabelled(path).images) == 4


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([7, 10, 9, 10], ("7", "9", "10")),
        ([1.0, 2.0, 1.0, 2.0], ("1", "2")),
        ([True, False, True, False], ("0", "1")),
        (["b", "a", "a", "b"], ("a", "b")),
        (["10", "9", "9", "10"], ("9", "10")),
    ],
)
def test_labels_without_names_are_classes_in_the_order_of_numbers(
    tmp_path: Path, labels: list[Any], names: tuple[str, ...]
) -> None:
    source = open_labelled(written(tmp_path / "a.parquet", rows(4, labels)))
    assert source.class_names == names
    assert [names[label] for label in source.labels] == [str(int(x)) if not isinstance(x, str) else x for x in labels]


def test_names_without_an_image_are_left_out_and_said(tmp_path: Path) -> None:
    hub_dataset(9).filter(lambda row: row["label"] != 1).to_parquet(tmp_path / "a.parquet")
    source = open_labelled(tmp_path / "a.parquet")
    assert source.class_names == ("cat", "emu")
    assert [(found.code, found.examples) for found in source.warnings] == [("classes_without_images", ("dog",))]


def test_the_finer_of_two_class_labels_is_read_as_in_cifar_100_or_the_one_that_is_named(tmp_path: Path) -> None:
    table = {"img": rows(6)["image"], "coarse_label": [0, 0, 0, 1, 1, 1], "fine_label": [0, 1, 2, 0, 1, 2]}
    path = written(tmp_path / "a.parquet", table)
    assert len(open_labelled(path).class_names) == 3
    assert len(open_labelled(path, table=TableColumns(label="coarse_label")).class_names) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": None}, r"no column of labels .*'image'.*table: \{'label': COLUMN\}"),
        ({"class": [0, 1, 2, 0]}, r"several columns that may be the label: 'label', 'class'; name one"),
        ({"image": ["a", "b", "c", "d"]}, r"no column of images .*among 'image', 'label'"),
        ({"mask": [{"bytes": b"x", "path": ""}] * 4}, r"several columns of images: 'image', 'mask'; name one"),
        (
            {"label": [0, 1, 2, "cat"]},
            r"the label of 'a\.parquet, row 3' is 'cat', and the label of .*row 0' is the number 0",
        ),
        ({"label": [0, 1, 2, 0.5]}, r"row 3 has the label 0\.5 in column 'label'"),
        ({"label": [0, 1, 2, 2**40]}, r"row 3 has the label 1099511627776"),
        ({"image": [{"bytes": b"not an image", "path": ""}] * 4}, r"'a\.parquet, row 0' is damaged"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    table = {**rows(4, [0, 1, 0, 1]), **change}
    if "label" in change and change["label"] and isinstance(change["label"][-1], str):
        table["label"] = [str(label) for label in change["label"]]
    path = written(tmp_path / "a.parquet", {name: cells for name, cells in table.items() if cells is not None})
    with pytest.raises(DataError, match=message) as caught:
        build_dataset(open_labelled(path), DatasetSpec())
    assert str(tmp_path) not in str(caught.value)


def test_a_column_that_is_named_is_read_or_refused(tmp_path: Path) -> None:
    table = {**rows(6), "mask": rows(6)["image"][::-1], "part": ["train"] * 4 + ["test", "validation"]}
    path = written(tmp_path / "a.parquet", table)
    source = open_labelled(path, table=TableColumns(path="mask", split="part"))
    assert {name: part.tolist() for name, part in source.parts.items()} == {
        "train": [0, 1, 2, 3],
        "val": [5],
        "test": [4],
    }
    (_, [first]) = next(iter(source.images.read(np.array([0]), None)))
    assert np.array_equal(first, pixels(5).transpose(2, 0, 1))
    for columns, message in (
        (TableColumns(path="mask", label="breed"), r"no column 'breed'; it has 'image', 'label', 'mask', 'part'"),
        (TableColumns(path="label"), r"column 'label' of .* cannot be the path: it is int64"),
        (
            TableColumns(path="mask", split="label"),
            r"row 0 has '0' in column 'label', which is none of train, val and test",
        ),
    ):
        with pytest.raises(DataError, match=message):
            open_labelled(path, table=columns)


def test_files_of_other_columns_or_of_no_part_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "d/train-0.parquet", rows(4))
    written(tmp_path / "d/test-0.parquet", {"img": rows(4)["image"], "label": [0] * 4})
    with pytest.raises(DataError, match="other columns or class names"):
        open_labelled(tmp_path / "d")
    written(tmp_path / "d/test-0.parquet", rows(4))
    written(tmp_path / "d/unsupervised-0.parquet", rows(4))
    with pytest.raises(DataError, match=r"'unsupervised-0\.parquet' does not say whether it is train, val or test"):
        open_labelled(tmp_path / "d")


def test_a_row_group_is_streamed(tmp_path: Path) -> None:
    # 48 MiB in one row group, as pyarrow writes any table of less than a million rows.
    images = [{"bytes": np.random.default_rng(i).bytes(4096)} for i in range(12_000)]
    path = written(tmp_path / "a.parquet", {"image": images}, use_dictionary=False)
    del images
    with path.open("rb") as stream:
        file = ParquetFile(stream, "a.parquet", Limits())
        before = pa.total_allocated_bytes()
        held = [pa.total_allocated_bytes() - before for _ in file.images("image.bytes", np.arange(12_000))]
    assert len(held) == 12_000
    assert max(held) < 24 * 2**20


BOMB = Limits(max_bytes=2**20, ratio_free_bytes=2**16, max_ratio=10, max_file_bytes=2**18)


def test_a_bomb_is_refused_by_what_it_unpacks_to(tmp_path: Path) -> None:
    images = [{"bytes": bytes(2**15), "path": None}] * 60
    for how in ({"use_dictionary": False}, {"use_dictionary": True}, {"use_dictionary": False, "compression": "zstd"}):
        path = written(tmp_path / "a.parquet", {"image": images, "label": [0, 1] * 30}, **how)
        with pytest.raises(DataError, match=r"times its size|more than 1,048,576 bytes|is damaged"):
            build_dataset(open_labelled(path, limits=BOMB), DatasetSpec(), limits=BOMB)


def test_too_many_rows_and_too_large_images_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", rows(9))
    with pytest.raises(DataError, match="9 rows, more than 8"):
        open_labelled(path, limits=Limits(max_files=8))
    with pytest.raises(DataError, match=r"'a\.parquet, row 0' is larger than 100 bytes"):
        build_dataset(open_labelled(path, limits=Limits(max_file_bytes=100)), DatasetSpec())


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.parquet", rows(3))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(DataError, match=r"needs pyarrow, .*colt-studio\[formats\]"):
        open_labelled(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("parquet") / "a.parquet"
    pq.write_table(pa.table({**rows(6), "note": ["a", "b"] * 3}), path, row_group_size=2, compression="zstd")
    return path.read_bytes()


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_broken_is_refused_or_read(tmp_path: Path, whole: bytes, data: st.DataObject) -> None:
    content = bytearray(whole)
    footer = len(content) - int.from_bytes(content[-8:-4], "little") - 8
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(footer, len(content) - 1) | st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    path = tmp_path / "broken.parquet"
    path.write_bytes(content)
    for read in (
        lambda: build_dataset(open_labelled(path, layout="parquet"), DatasetSpec(image_size=8)),
        lambda: build_pool(open_unlabelled(path, layout="parquet"), PoolSpec(image_size=8)),
    ):
        try:
            read()
        except DataError as error:
            assert str(tmp_path) not in str(error)
