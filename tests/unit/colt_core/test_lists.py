"""Lists of train, val and test images: what they keep, in all their forms, and what is refused.

Published lists come as text, people make CSV of them, with names as labels or without any
(BalancedMetaSoftmax#9).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from colt_core.data import (
    DataError,
    DatasetSpec,
    ImageDataset,
    Limits,
    LongTail,
    build_dataset,
    is_list,
    open_labelled,
)
from colt_core.data.sources import LabelledSource
from tests.support.data_files import hash_of, labelled_files, pixels, write_folder, write_tar, write_zip

COUNTS = {"n01": 6, "n02": 6, "n03": 6, "n04": 6}
TRAIN = labelled_files(COUNTS, "train/")
FILES = {**TRAIN, **labelled_files(dict.fromkeys(COUNTS, 2), "test/")}
LISTED = {"n03": (0, 3, 5), "n01": (1, 2), "n04": (4,)}  # n02 is left out; n03 is class 0
LINES = [(f"train/{name}/{i}.png", str(label)) for label, (name, kept) in enumerate(LISTED.items()) for i in kept]
AS_SHIPPED = "".join(f"{path} {label}\n" for path, label in LINES)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_zip(tmp_path_factory.mktemp("data") / "images.zip", FILES.items())


def listed(data: Path, folder: Path, name: str = "list.txt", test: str | None = None, **lists: str) -> LabelledSource:
    """The data with lists beside them; `train` is in the file `name`."""
    if test is not None:
        lists["test"] = test
    paths = {part: folder / (name if part == "train" else f"{part}.txt") for part in lists}
    for part, text in lists.items():
        paths[part].write_bytes(text.encode())
    return open_labelled(data, lists=paths)


def train_images(dataset: ImageDataset) -> dict[bytes, str]:
    images, labels = dataset.part("train")
    return {image.tobytes(): dataset.class_names[c] for image, c in zip(images, labels, strict=True)}


EXPECTED = {
    pixels(hash_of("train/", name, i)).transpose(2, 0, 1).tobytes(): name for name, kept in LISTED.items() for i in kept
}


def rewritten(path: str = "{}", line: str = "{path} {label}\n") -> str:
    return "".join(line.format(path=path.format(listed), label=label) for listed, label in LINES)


@pytest.mark.parametrize(
    "text",
    [
        AS_SHIPPED,
        AS_SHIPPED.replace("train/", ""),
        AS_SHIPPED.replace("train/", "data_256/train/"),
        rewritten("./{}"),
        rewritten("/home/someone/ImageNet/{}"),
        rewritten(line="{path}\t{label}\n"),
        rewritten(line="{path},{label}\n"),
        rewritten(line="{path}, {label}\n"),
        rewritten(line="{path};{label}\n"),
        rewritten(line='"{path}",{label}\r\n'),
        "filename,label\n" + rewritten(line="{path},{label}\n"),
        "label\timage_path\tsize\n" + rewritten(line="{label}\t{path}\t16\n"),
        rewritten(line="{path} {label}\r\n").replace("/", "\\"),
        "# a comment\n\n" + AS_SHIPPED + "\n\n",
        "\ufeff" + AS_SHIPPED,
    ],
)
def test_a_list_keeps_its_images_and_its_classes_in_its_order(archive: Path, tmp_path: Path, text: str) -> None:
    source = listed(archive, tmp_path, train=text)
    assert is_list(tmp_path / "list.txt")
    dataset = build_dataset(source, DatasetSpec())
    assert (dataset.layout, dataset.class_names, dataset.class_counts) == ("lists", ("n03", "n01", "n04"), [3, 2, 1])
    assert train_images(dataset) == EXPECTED
    assert np.bincount(dataset.part("test")[1]).tolist() == [2, 2, 2]  # n02 is gone here too
    assert [warning.code for warning in dataset.warnings] == ["images_not_listed"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (rewritten(line="{path}\n"), ("n01", "n03", "n04")),
        ("".join(f"{path} {path.split('/')[1]}\n" for path, _ in LINES), ("n01", "n03", "n04")),
        ("path,class\n" + "".join(f"{path},kind {label}\n" for path, label in LINES), ("kind 0", "kind 1", "kind 2")),
    ],
)
def test_labels_may_be_names_or_the_folders(archive: Path, tmp_path: Path, text: str, names: tuple[str, ...]) -> None:
    source = listed(archive, tmp_path, train=text)
    assert source.class_names == names
    assert source.listed is not None and len(source.listed) == 6


def test_the_published_test_list_and_a_val_list_within_train(archive: Path, tmp_path: Path) -> None:
    test = "".join(f"test/{name}/1.png {label}\n" for label, name in enumerate(LISTED))
    val = "train/n01/5.png 1\ntrain/n03/1.png 0\n"  # ImageNet-LT takes its val images from train/
    dataset = build_dataset(listed(archive, tmp_path, train=AS_SHIPPED, val=val, test=test), DatasetSpec())
    assert train_images(dataset) == EXPECTED
    assert dataset.split_sizes["test"] == 3 and dataset.part("val")[1].tolist() == [1, 0]
    parts = {part: {image.tobytes() for image in dataset.part(part)[0]} for part in ("probe", "val", "test")}
    assert not parts["val"] & (parts["probe"] | parts["test"] | set(EXPECTED))


@pytest.mark.parametrize("kind", ["zip", "tar", "folder"])
def test_lists_among_the_images_are_found_by_their_names(tmp_path: Path, kind: str) -> None:
    """Images lie flat, or in folders that are no classes, as those of iNaturalist 2018 do."""
    files = {f"train_val2018/{i % 3}/{i}.png": content for i, content in enumerate(TRAIN.values())}
    names = sorted(files)
    lists = {
        "lists/iNaturalist18_train.txt": "".join(f"{name} {i % 4}\n" for i, name in enumerate(names[:16])),
        "lists/iNaturalist18_val.txt": "".join(f"{name} {i % 4}\n" for i, name in enumerate(names[16:20])),
        "lists/iNaturalist18_test.csv": "path,label\n" + "".join(f"{n},{i % 4}\n" for i, n in enumerate(names[20:])),
    }
    files |= {f"data/{name}": text.encode() for name, text in lists.items()}
    path = tmp_path / f"d.{kind}"
    write = {"zip": lambda: write_zip(path, files.items()), "tar": lambda: write_tar(path, files.items())}
    write.get(kind, lambda: write_folder(path, files))()
    source = open_labelled(path)
    assert (source.layout, source.class_names, source.listed) == ("lists", ("0", "1", "2", "3"), None)
    for part, expected in (("train", names[:16]), ("val", names[16:20]), ("test", names[20:])):
        positions = source.parts[part].tolist()
        assert sorted(map(source.images.name, positions)) == expected
        assert {source.images.name(p): int(source.labels[p]) for p in positions} == {
            name: i % 4 for i, name in enumerate(expected)
        }


def test_a_list_beside_class_folders_that_names_no_image_is_passed_over_and_named(tmp_path: Path) -> None:
    files = TRAIN | {"train.txt": b"photo.png 3\n", "test.csv": b"a,b\n"}
    source = open_labelled(write_zip(tmp_path / "a.zip", files.items()))
    assert source.layout == "folders"
    assert [(warning.code, warning.examples) for warning in source.warnings] == [
        ("files_passed_over", ("test.csv", "train.txt"))
    ]


def test_many_texts_named_like_lists_are_no_lists(tmp_path: Path) -> None:
    files = TRAIN | {f"train_{i}.txt": f"train/n01/{i}.png 0\n".encode() for i in range(20)}
    assert open_labelled(write_folder(tmp_path / "d", files)).layout == "folders"


@pytest.mark.parametrize("kind", ["folder", "tar.gz"])
def test_without_a_test_part_it_is_cut_from_what_the_list_leaves(tmp_path: Path, kind: str) -> None:
    files = labelled_files(COUNTS, "images/")
    path = tmp_path / f"data.{kind}"
    data = write_folder(path, files) if kind == "folder" else write_tar(path, files.items(), "w:gz")
    dataset = build_dataset(listed(data, tmp_path, train=AS_SHIPPED), DatasetSpec(test_fraction=0.5))
    assert dataset.class_counts == [3, 2, 1]
    assert np.bincount(dataset.part("test")[1]).tolist() == [2, 2, 2]  # half of 3, 4 and 5
    assert not {image.tobytes() for image in dataset.part("test")[0]} & set(train_images(dataset))


def test_a_file_name_alone_will_do_where_there_is_one_of_it(tmp_path: Path) -> None:
    files = {name.replace("/", f"/{name[:3]}_", 1): content for name, content in labelled_files(COUNTS).items()}
    data = write_folder(tmp_path / "d", files)
    assert listed(data, tmp_path, train="n01_3.png 0\nn02_1.png 7\n").class_names == ("n01", "n02")


PLACES = {"a/airfield": 5, "a/apartment/outdoor": 5, "outdoor": 5, "b/bar": 5}


@pytest.mark.parametrize("prefix", ["", "places/", "train/", "places/train/"])
@pytest.mark.parametrize("before", ["data_large/", "/", ""])
def test_a_list_chooses_among_folders_within_folders(tmp_path: Path, prefix: str, before: str) -> None:
    test = labelled_files(PLACES, prefix.replace("train", "test")) if "train" in prefix else {}
    path = write_zip(tmp_path / "a.zip", {**labelled_files(PLACES, prefix), **test}.items())
    lines = ["a/apartment/outdoor/1.png 3", "a/airfield/2.png 0", "outdoor/1.png 9", "outdoor/3.png 9"]
    source = listed(path, tmp_path, train="\n".join(before + line for line in lines))
    assert source.class_names == ("a/airfield", "a/apartment/outdoor", "outdoor")
    assert {warning.code for warning in source.warnings} == {"labels_renumbered", "images_not_listed"}
    dataset = build_dataset(source, DatasetSpec())
    assert train_images(dataset) == {
        pixels(hash_of(prefix, name, i)).transpose(2, 0, 1).tobytes(): name
        for name, i in [("a/airfield", 2), ("a/apartment/outdoor", 1), ("outdoor", 1), ("outdoor", 3)]
    }
    assert np.bincount(dataset.part("test")[1]).tolist() == ([5, 5, 5] if test else [1, 1, 1])


def test_the_end_of_a_nested_name_will_do_where_one_image_has_it(tmp_path: Path) -> None:
    data = write_folder(tmp_path / "d", labelled_files(PLACES))
    assert listed(data, tmp_path, train="airfield/2.png 0\nbar/0.png 1\n").class_names == ("a/airfield", "b/bar")
    # An end that two paths share is no match: the image that is meant is not there.
    with pytest.raises(DataError, match=r"line 1 of 'list\.txt' names 'data/c/bar/0.png', which is not among"):
        listed(data, tmp_path, train="data/c/bar/0.png 0\nairfield/2.png 1\n")


def test_names_may_hold_blanks_commas_and_any_letters(tmp_path: Path) -> None:
    data = write_folder(tmp_path / "d", labelled_files({"grüner Tee": 4, "東京": 4, "a, b": 4}))
    text = "\ufeff\ngrüner Tee/1.png\t4\n\n 東京/0.png\t2 \na, b/2.png\t3\n"
    assert listed(data, tmp_path, train=text).class_names == ("東京", "a, b", "grüner Tee")
    assert listed(data, tmp_path, train=text.replace("\t", "  ")).class_names == ("東京", "a, b", "grüner Tee")


def test_labels_that_count_from_one_are_shifted_and_it_is_said(archive: Path, tmp_path: Path) -> None:
    text = "".join(f"{path} {int(label) + 1}\n" for path, label in LINES)
    source = listed(archive, tmp_path, train=text)
    assert source.class_names == ("n03", "n01", "n04")
    assert [warning.code for warning in source.warnings] == ["labels_shifted", "images_not_listed"]


MANY = "".join(f"train/n01/{i}.png 0\ntrain/n02/{i}.png 1\n" for i in range(6))  # for one line to be the odd one


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "n01/0.png 0\nn02/9.png 1",
            r"line 2 of 'list\.txt' names 'n02/9.png', which is not among the images, such as 'train/n01/0.png'",
        ),
        ("/.png 0\nn01/0.png 0", r"line 1 .*which is not among"),
        ("n01/0.png 0\nx/n0/2.png 1", "line 2 .*'x/n0/2.png', which is not among"),
        ("n01/0.png 0\nn02/0.png 1\ndata/n01/0.png 0", r"line 3 .*again, after line 1 of 'list\.txt'; list it once"),
        (
            MANY + "n03/0.png 0\n",
            "line 13 .*gives label '0' to 'n03/0.png', but other lines give that label to another",
        ),
        (MANY.replace("n01/5.png 0", "n01/5.png 1"), "line 11 .*gives label '1' .*images of that folder label '0'"),
        ("n01/0.png 0\n0.png 1", "line 2 .*images have that name; put the whole class folder before the name"),
        ("n01/0.png 0\n\n17\n", r"line 3 of 'list\.txt' is not a path and a label: '17'"),
        ("n01/0.png 0\nn02/0.png", r"line 2 of 'list\.txt' is not a path and a label: 'n02/0.png'"),
        ("n01/0.png,0\nn02/0.png,1,2", r"line 2 of 'list\.txt' is not a path and a label"),
        ("n01/0.png,0\nn02/0.png,", r"line 2 of 'list\.txt' is not a path and a label"),
        ('n01/0.png,0\n"n02/0.png,1', r"line 2 of 'list\.txt' is not a path and a label"),
        ("n01/0.png 0\nn02/0.png -1", "line 2 .*has the label '-1', but lines before it have whole numbers"),
        ("n01/0.png 0\nn02/0.png 1.5", "line 2 .*has the label '1.5', but lines before it have whole numbers"),
        ("n01/0.png 0\nn02/0.png 99999999999", "line 2 .*too large"),
        ("n01/0.png 0\nn02/0.png 1\nn03/0.png 01", "the labels '01' and '1' are one number"),
        ("n01/0.png 0\nn01/1.png 0", "only one class"),
        ("test/n01/0.png 0\nn02/0.png 1", "line 1 .*which is in the test folder; give that list as the list of test"),
        ("file,kind,size\nn01/0.png,0,1", "line 1 .*is not a path and a label: 'file,kind,size'"),
        ("", "'list.txt' names no image"),
    ],
)
def test_a_list_that_does_not_fit_is_refused_by_the_file_and_the_line(
    archive: Path, tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        listed(archive, tmp_path, train=text)


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"train": MANY, "test": "test/n03/0.png 2\n"}, r"line 1 of 'test\.txt' has the label '2', which no training"),
        (
            {"train": MANY, "val": "train/n01/0.png 0\n"},
            r"line 1 of 'val\.txt' names 'train/n01/0.png' again, after line 1 of 'l",
        ),
        ({"train": MANY, "test": "test/n01/0.png cat\n"}, r"line 1 of 'test\.txt' has the label 'cat', but"),
        ({"test": "test/n03/0.png 2\n"}, "there is a list of test images, but none of training images"),
    ],
)
def test_lists_that_contradict_each_other_are_refused(
    archive: Path, tmp_path: Path, lists: dict[str, str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        listed(archive, tmp_path, **lists)


def test_bytes_that_are_no_text_and_too_many_of_them_are_refused(archive: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"train/n01/0.png 0\n\xff\xfe/1.png 1\n")
    with pytest.raises(DataError, match=r"line 2 of 'a\.txt' is not UTF-8"):
        open_labelled(archive, lists={"train": path})
    path.write_bytes(b"train/n01/0.png 0\n" + b"x" * 2**17)
    with pytest.raises(DataError, match=r"line 2 of 'a\.txt' has more than 65,536 characters"):
        open_labelled(archive, lists={"train": path})
    with pytest.raises(DataError, match="larger than 100 bytes"):
        open_labelled(archive, lists={"train": path}, limits=Limits(max_file_bytes=100))


def test_plain_indices_are_no_list(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for text in ("3\n1\n2\n", "\n\n3 1\n", "1 -1", "one two", "", " \n", "\x93NUMPY"):
        path.write_text(text, "utf-8")
        assert not is_list(path), text


def test_a_long_tail_is_cut_from_the_listed_images(archive: Path, tmp_path: Path) -> None:
    source = listed(archive, tmp_path, train=MANY)
    dataset = build_dataset(source, DatasetSpec(long_tail=LongTail(profile="exp", imbalance_ratio=3)))
    assert dataset.class_counts == [6, 2]


def test_lists_need_image_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((4, 8, 8), np.uint8), labels=np.array([0, 1, 0, 1]))
    with pytest.raises(DataError, match=r"the lists name image files, but there are none; found 2 \.npy"):
        listed(tmp_path / "a.npz", tmp_path, train=MANY)
