"""Any bytes and names instead of data: each reader refuses them by a DataError, or reads them."""

from __future__ import annotations

import io
import pickle
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from colt_core.data import DataError, Limits, open_labelled, open_unlabelled
from colt_core.data.layouts.arrangement import arrange
from colt_core.data.layouts.idx import parse
from colt_core.data.layouts.plain_pickle import PlainArray, load_plain
from colt_core.data.lists import parse_list
from tests.support.data_files import write_folder, write_zip
from tests.support.layout_files import idx, python2_pickle

LIMITS = Limits(max_bytes=10**7, max_array_bytes=10**6)
fuzz = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

IMAGES = np.arange(2 * 8 * 8, dtype=np.uint8).reshape(2, 8, 8)
BATCH = {"data": np.zeros((2, 192), np.uint8), "labels": [0, 1]}


def changed(content: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with some of them replaced, removed or put in."""
    places = st.integers(0, len(content))
    edits = st.lists(st.tuples(places, st.integers(0, 4), st.binary(max_size=6)), min_size=1, max_size=4)

    def edited(changes: list[tuple[int, int, bytes]]) -> bytes:
        result = content
        for place, removed, put_in in changes:
            result = result[:place] + put_in + result[place + removed :]
        return result

    return edits.map(edited)


@fuzz
@given(st.one_of(changed(idx(IMAGES)), st.binary(max_size=40).map(lambda rest: b"\0\0\x08" + rest)))
def test_idx(content: bytes) -> None:
    try:
        array = parse(content, "x", LIMITS)
    except DataError:
        return
    assert array.nbytes <= len(content) or content[:2] == b"\x1f\x8b"


PICKLES = [python2_pickle(BATCH), *(pickle.dumps(BATCH, protocol=protocol) for protocol in (0, 2, 4, 5))]
DEEP = b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."


@fuzz
@given(st.one_of(*map(changed, PICKLES), st.binary(max_size=60)))
@example(DEEP)
@example(b"\x80\x02" + DEEP[2:-1] + DEEP[2:-1] + b"\x93.")
@example(b"\x80\x02]q\x00h\x00a.")
@example(b"\x80\x02cnumpy\ndtype\n]\x85R.")
@example(b"\x80\x02c_codecs\nencode\nX\x02\x00\x00\x00\xc4\x80\x85R.")
def test_pickles_of_plain_values(content: bytes) -> None:
    try:
        value = load_plain(content, "x")
        if isinstance(value, dict) and isinstance(value.get("data"), PlainArray):
            value["data"].array("x")
    except DataError:
        pass


NPZ = io.BytesIO()
np.savez(NPZ, x_train=IMAGES, y_train=np.array([[1], [2]]), val_images=IMAGES, val_labels=np.array(["1", "2"]))
ANY_FILE = {
    "data.npz": NPZ.getvalue(),
    "train-images-idx3-ubyte": idx(IMAGES),
    "cifar/data_batch_1": PICKLES[0],
    "val/val_annotations.txt": b"a.png\tn01\n",
    "train.txt": b"train/a/0.png 0\ntrain/b/0.png 1\n",
}


@fuzz
@given(st.sampled_from(sorted(ANY_FILE)).flatmap(lambda name: st.tuples(st.just(name), changed(ANY_FILE[name]))))
def test_files_beside_images_or_alone(file: tuple[str, bytes]) -> None:
    name, content = file
    with tempfile.TemporaryDirectory() as folder:
        images = dict.fromkeys(("train/a/0.png", "train/b/0.png", "val/images/a.png"), b"")
        write_folder(Path(folder, "d"), images | {name: content})
        Path(folder, "alone").write_bytes(content)
        for path in (Path(folder, "d"), Path(folder, "alone")):
            for read in (open_labelled, open_unlabelled):
                try:
                    read(path, limits=LIMITS)
                except DataError as error:
                    assert folder not in str(error)


LINE = st.one_of(
    st.sampled_from(
        ["a/0.png 0", "b/0.png 1", "a/0.png,cat", "path,label", "# x", "b/0.png", '"a/0.png";1', "a/1.png 01"]
    ),
    st.text(max_size=20),
)


@fuzz
@given(st.lists(LINE, max_size=5), st.sampled_from(["\n", "\r\n", "\r"]), st.binary(max_size=3))
def test_lists(lines: list[str], end: str, more: bytes) -> None:
    content = end.join(lines).encode("utf-8", "surrogatepass") + more
    try:
        assert parse_list(content, "x").images
    except DataError as error:
        assert "'x'" in str(error)
    with tempfile.TemporaryDirectory() as folder:
        path, of_train = Path(folder, "d.zip"), Path(folder, "train.txt")
        write_zip(path, dict.fromkeys(("a/0.png", "a/1.png", "b/0.png"), b"").items())
        of_train.write_bytes(content)
        try:
            source = open_labelled(path, lists={"train": of_train})
        except DataError:
            return
        assert set(source.labels[source.parts["train"]].tolist()) == set(range(len(source.class_names)))


FOLDER = st.lists(st.sampled_from(["train", "Test", "valid", "a", "b", "images", "site1"]), max_size=4).map("/".join)


@fuzz
@given(st.lists(FOLDER, min_size=1, max_size=6, unique=True))
def test_folders(folders: list[str]) -> None:
    try:
        found = arrange({folder: f"{folder}/0.png" for folder in folders})
    except DataError:
        return
    assert set(found.part) == set(found.class_name) == set(folders)
    assert set(found.part.values()) <= {"train", "val", "test"} and all(found.class_name.values())
