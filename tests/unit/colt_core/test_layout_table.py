"""Tables of labels beside images: the metadata.csv and metadata.jsonl of `datasets`, and the
train.csv of Kaggle (report: datasets#4814)."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from colt_core.data import DataError, DatasetSpec, Limits, build_dataset, open_labelled, open_unlabelled
from colt_core.data.spec import TableColumns
from tests.support.data_files import pixels, png, write_folder, write_tar, write_zip

Rows = list[dict[str, Any]]


def as_csv(rows: Rows, **how: Any) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(rows[0]), **how)
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode()


def as_json_lines(rows: Rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def images(count: int, folder: str = "", first: int = 0) -> dict[str, bytes]:
    return {f"{folder}{i:04d}.png": png(i) for i in range(first, first + count)}


def rows(count: int, first: int = 0) -> Rows:
    return [{"file_name": f"{i:04d}.png", "label": "cat" if i % 2 else "dog"} for i in range(first, first + count)]


@pytest.mark.parametrize("kind", ["csv", "tsv", "semicolons", "jsonl", "excel"])
def test_metadata_as_datasets_reads_it(tmp_path: Path, kind: str) -> None:
    files: dict[str, bytes] = images(6)
    match kind:
        case "csv":
            files["metadata.csv"] = as_csv(rows(6))
        case "tsv":
            files["metadata.tsv"] = as_csv(rows(6), delimiter="\t")
        case "semicolons":
            files["metadata.csv"] = as_csv(rows(6), delimiter=";")
        case "jsonl":
            files["metadata.jsonl"] = as_json_lines(rows(6))
        case "excel":  # a mark of the byte order, CRLF and quotes
            files["metadata.csv"] = b"\xef\xbb\xbf" + as_csv(rows(6), quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    source = open_labelled(write_folder(tmp_path / "d", files))
    assert (source.layout, source.class_names, source.warnings) == ("table", ("cat", "dog"), ())
    assert [source.class_names[label] for label in source.labels] == ["dog", "cat"] * 3
    dataset = build_dataset(source, DatasetSpec())
    stored = {image.tobytes(): int(label) for image, label in zip(dataset.images, dataset.labels, strict=True)}
    assert stored == {pixels(i).transpose(2, 0, 1).tobytes(): (i + 1) % 2 for i in range(6)}
    assert open_unlabelled(tmp_path / "d").layout == "folders"  # labels play no part in a pool


@pytest.mark.parametrize("pack", [write_zip, write_tar])
def test_a_table_in_each_part_names_the_images_beside_it(tmp_path: Path, pack: Any) -> None:
    files = {"x/train/metadata.csv": as_csv(rows(6)), "x/validation/metadata.csv": as_csv(rows(2))}
    files |= images(6, "x/train/") | {name: png(9) for name in images(2, "x/validation/")}
    source = open_labelled(pack(tmp_path / "a", files.items()))
    assert {part: len(positions) for part, positions in source.parts.items()} == {"train": 6, "val": 2}
    assert source.images.name(int(source.parts["val"][0])) == "x/validation/0000.png"


def test_kaggle_ids_have_no_ending_and_images_without_a_label_are_said(tmp_path: Path) -> None:
    table = [{"id": f"{i:04d}", "breed_id": 5, "class": i % 3} for i in range(6)]
    files = images(6, "train/") | images(4, "test/")  # the same names in both
    files |= {"train.csv": as_csv(table), "test.csv": as_csv([{"id": f"{i:04d}"} for i in range(4)])}
    files["sample_submission.csv"] = as_csv([{"id": f"{i:04d}", "class": 0} for i in range(4)])
    source = open_labelled(write_folder(tmp_path / "d", files))
    assert (source.class_names, list(source.parts)) == (("0", "1", "2"), ["train"])
    assert {source.images.name(i) for i in range(6)} == set(images(6, "train/"))
    assert {found.code: (found.count, found.examples[0]) for found in source.warnings} == {
        "images_not_in_table": (4, "test/0000.png"),
        "files_passed_over": (2, "sample_submission.csv"),
    }


def test_the_columns_that_the_user_names_are_read(tmp_path: Path) -> None:
    table = [
        {"where": f"img/{i:04d}.png", "file": "x", "label": 0, "dx": "ab"[i % 2], "fold": "train" if i < 4 else "test"}
        for i in range(6)
    ]
    folder = write_folder(tmp_path / "d", {**images(6, "img/"), "meta/all.csv": as_csv(table), "other.csv": b"a\n1\n"})
    columns = TableColumns(file="all.csv", path="where", label="dx", split="fold")
    source = open_labelled(folder, table=columns)
    assert source.class_names == ("a", "b")
    assert {part: len(positions) for part, positions in source.parts.items()} == {"train": 4, "test": 2}
    for wrong, message in (
        (
            columns.model_copy(update={"label": "breed"}),
            r"'meta/all\.csv' has no column 'breed'; it has 'where', 'file'",
        ),
        (
            columns.model_copy(update={"file": "labels.csv"}),
            r"no single table 'labels\.csv'; the tables are 'meta/all\.csv'",
        ),
    ):
        with pytest.raises(DataError, match=message):
            open_labelled(folder, table=wrong)


def test_a_column_of_parts_is_found_by_what_it_holds(tmp_path: Path) -> None:
    table = [{**row, "split": ["train", "Training", "TEST", "valid"][i // 2]} for i, row in enumerate(rows(8))]
    source = open_labelled(write_folder(tmp_path / "d", {**images(8), "labels.csv": as_csv(table)}))
    assert {part: positions.tolist() for part, positions in source.parts.items()} == {
        "train": [0, 1, 2, 3],
        "val": [6, 7],
        "test": [4, 5],
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file_name": "/etc/passwd"}, r"line 4 of 'metadata\.csv': '/etc/passwd' leads outside the data"),
        ({"file_name": "../0002.png"}, r"line 4 of 'metadata\.csv': '\.\./0002\.png' leads outside the data"),
        ({"file_name": "..\\..\\x.png"}, r"line 4 of .* leads outside the data"),
        ({"file_name": "C:\\x.png"}, r"line 4 of .* leads outside the data"),
        (
            {"file_name": "http://x/0002.png"},
            r"1 images that the table names are not there: line 4 of .*'http://x/0002\.png'",
        ),
        (
            {"file_name": "9999.png"},
            r"1 images that the table names are not there: line 4 of .*: '9999\.png'; add them or",
        ),
        ({"file_name": ""}, r"line 4 of .* names no image: column 'file_name' is empty"),
        ({"file_name": "0001.png"}, r"line 4 of .* names '0001\.png' again, after line 3 of"),
        ({"label": ""}, r"line 4 of .* has no label: column 'label' is ''\. Leave such lines out"),
        ({"label": "-1"}, r"line 4 of .* has no label: column 'label' is '-1'"),
        ({"label": "7"}, r"the label of '0001\.png' is 'cat', and the label of '0002\.png' is the number 7"),
        ({"label": "x" * 300}, r"the label of '0002\.png' has 300 characters"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, change: dict[str, str], message: str) -> None:
    table = rows(6)
    table[2] |= change
    with pytest.raises(DataError, match=message):
        open_labelled(write_folder(tmp_path / "d", {**images(6), "metadata.csv": as_csv(table)}))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"", "has no rows"),
        (b"file_name,label\n", "has no rows"),
        (b"a,a\n1,2\n", "line 1 of 'm.csv' names the column 'a' twice"),
        (b"file_name,label\n0000.png,cat,5\n", "line 2 of 'm.csv' has 3 cells, but the first line names 2 columns"),
        (b"file_name,label\n\xff,cat\n", "line 2 of 'm.csv' is not UTF-8"),
        (b'file_name,label\n"0000.png,cat\n', "line 2 of 'm.csv' cannot be read"),
        (b"file_name,note\n0000.png,x\n", r"'m.csv' has no column of labels; name it: table: \{'label': COLUMN\}"),
        (b"file_name,class,species\n0000.png,1,x\n", "several columns that may be the label: 'class', 'species'"),
        (b"dose,label\n3,x\n", r"'m.csv' has no column that names the images, such as '0000\.png'"),
    ],
)
def test_a_table_that_cannot_be_used_is_never_passed_over_in_silence(
    tmp_path: Path, table: bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        open_labelled(write_folder(tmp_path / "flat", {**images(4), "m.csv": table}))
    # With class folders, the data set is read without it, and says so.
    files = {**images(2, "a/"), **images(2, "b/"), "m.csv": table}
    source = open_labelled(write_folder(tmp_path / "folders", files))
    assert source.layout == "folders"
    assert [(found.code, found.examples) for found in source.warnings] == [("files_passed_over", ("m.csv",))]


@pytest.mark.parametrize(
    ("line", "what"), [(b"{", "is not JSON"), (b"[1]", "is not a JSON object"), (b"[" * 9999, "is not JSON")]
)
def test_a_line_that_is_no_json_object_is_named(tmp_path: Path, line: bytes, what: str) -> None:
    content = as_json_lines(rows(2)) + line + b"\n"
    with pytest.raises(DataError, match=f"line 3 of 'm.jsonl' {what}"):
        open_labelled(write_folder(tmp_path / "d", {**images(4), "m.jsonl": content}))


def test_folders_and_a_table_must_mean_the_same_classes_or_the_layout_be_given(tmp_path: Path) -> None:
    files = {**images(3, "cat/"), **images(3, "dog/", 3)}
    table = [{"path": name, "label": name.split("/")[0].upper()} for name in files]
    agreeing = write_folder(tmp_path / "agree", {**files, "labels.csv": as_csv(table)})
    assert open_labelled(agreeing).class_names == ("CAT", "DOG")
    table[1]["label"] = "DOG"
    folder = write_folder(tmp_path / "differ", {**files, "labels.csv": as_csv(table)})
    with pytest.raises(
        DataError, match=r"'cat/0001\.png' has the label 'DOG' .*folder 'cat'.* layout 'table' or 'folders'"
    ):
        open_labelled(folder)
    assert np.bincount(open_labelled(folder, layout="table").labels).tolist() == [2, 4]
    assert np.bincount(open_labelled(folder, layout="folders").labels).tolist() == [3, 3]


def test_a_name_that_two_images_have_is_refused(tmp_path: Path) -> None:
    files = {**images(3, "a/b/"), **images(3, "a/c/"), "a/m.csv": as_csv(rows(3))}
    with pytest.raises(DataError, match=r"line 2 of 'a/m\.csv': '0000\.png' may be 'a/b/0000\.png' or 'a/c/0000\.png'"):
        open_labelled(write_folder(tmp_path / "d", files))


def test_several_tables_of_one_part_are_refused(tmp_path: Path) -> None:
    files = {**images(4), "train.csv": as_csv(rows(4)), "train_folds.csv": as_csv(rows(4))}
    with pytest.raises(DataError, match=r"several tables name images and labels: 'train\.csv', 'train_folds\.csv'"):
        open_labelled(write_folder(tmp_path / "d", files))


def test_numbers_that_pandas_wrote_as_3_0_are_whole(tmp_path: Path) -> None:
    table = [{**row, "label": f"{i % 2 + 2}.0"} for i, row in enumerate(rows(4))]
    assert open_labelled(write_folder(tmp_path / "d", {**images(4), "m.csv": as_csv(table)})).class_names == ("2", "3")


def test_a_table_is_bounded(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "d", {**images(4), "m.csv": as_csv(rows(4)) + b"x" * 9000})
    with pytest.raises(DataError, match=r"'m\.csv' is larger than 5,000 bytes"):
        open_labelled(folder, limits=Limits(max_file_bytes=5000))


CELL = st.sampled_from(
    [
        "0000.png",
        "0001",
        "a/0002.png",
        "../0000.png",
        "/0000.png",
        "cat",
        "dog",
        "0",
        "-1",
        "",
        "train",
        "test",
        '"',
        ",",
        "\n",
        "\0",
        "\u2028",
        "é",
        "x" * 300,
    ]
)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    header=st.lists(st.sampled_from(["file_name", "id", "label", "class", "split", "", "x"]), min_size=1, max_size=4),
    lines=st.lists(st.lists(CELL, min_size=1, max_size=5), max_size=8),
    ending=st.sampled_from([".csv", ".tsv", ".jsonl"]),
)
def test_whatever_a_table_holds_is_refused_or_read(
    tmp_path: Path, header: list[str], lines: list[list[str]], ending: str
) -> None:
    for old in tmp_path.glob("*.*"):
        old.unlink()
    if ending == ".jsonl":
        content = "".join(json.dumps(dict(zip(header, line, strict=False))) + "\n" for line in lines)
    else:
        content = "\n".join("\t,"[ending == ".csv"].join(line) for line in [header, *lines])
    write_folder(tmp_path, {**images(2), "a/0002.png": png(), "m" + ending: content.encode()})
    try:
        build_dataset(open_labelled(tmp_path), DatasetSpec(image_size=8))
    except DataError as error:
        assert str(tmp_path) not in str(error)
