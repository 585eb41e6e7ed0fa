"""The layout `webdataset`: tars in which neighbouring files of one key are a sample.

As in the library webdataset 1.0, the key of `a/0001.left.jpg` is `a/0001`: up to the first dot of
its last step. Only neighbours are grouped. A label is a sample's `.cls`, else the field
`label` of its `.json`. `table.label` names another ending, or another field of the .json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise, repeat
from operator import eq, ne
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from colt_core.data.archives import TarArchive, damage_refused, open_tar, read_member, tar_files
from colt_core.data.errors import DataError
from colt_core.data.gunzip import plain_stream
from colt_core.data.labelled import PARTS_READ
from colt_core.data.layouts.class_labels import is_missing, labelled_by_values
from colt_core.data.layouts.file_parts import parts_of_files
from colt_core.data.layouts.layout import Opened
from colt_core.data.layouts.packed_images import PackedImages
from colt_core.data.limits import Limits
from colt_core.data.names import IMAGE_SUFFIXES, are_plain, is_hidden, is_image, last_ending
from colt_core.data.sources import FileImages, Files, ImageSource, LabelledSource, UnlabelledSource
from colt_core.data.spec import TableColumns
from colt_core.data.tar_members import Members
from colt_core.data.text import is_number
from colt_core.data.warnings import DataWarning

Int64 = NDArray[np.int64]

_ENDINGS = (".tar", ".tar.gz", ".tgz")
_LABEL_BYTES = 2**20
_KEY = re.compile(r"((?:.*/|)[^./]+)\.([^/]*)", re.DOTALL)
_NEIGHBOURS = (
    "a label is a .cls, or the field 'label' of a .json, next to its image. Pack the files sorted by name, or name "
    "another ending or field: table: {'label': 'txt'}"
)


class Webdataset:
    """See :class:`colt_core.data.layouts.kinds.WebdatasetLayout`."""

    def recognises(self, opened: Opened) -> bool:
        """Whether it is a tar with labels beside images, or holds tars and no images."""
        if _holds_shards(opened):
            return True
        is_tar = isinstance(opened.files, TarArchive)
        return is_tar and any(map(is_image, opened.names)) and (opened.insisted or _has_labels_beside(opened.names))

    def open_labelled(self, opened: Opened) -> LabelledSource:
        """The names of the shards give the parts, as `train-000000.tar` does."""
        shards = [_samples(shard, opened.table) for shard in _shards(opened)]
        shards.sort(key=lambda shard: shard.name)
        images = _images(opened, shards)
        labels = [label for shard in shards for label in shard.labels]
        by_shard = parts_of_files([shard.name for shard in shards])
        part_of = np.repeat(by_shard, [len(shard.labels) for shard in shards])
        parts = {part: positions for part in PARTS_READ if (positions := np.flatnonzero(part_of == part)).size}
        return labelled_by_values(images, labels, parts, _passed_over(shards))

    def open_unlabelled(self, opened: Opened) -> UnlabelledSource:
        """Every image of every shard; keys and other files play no part."""
        shards = []
        for shard in _shards(opened):
            names = enumerate(shard.files.names)
            if are_plain(shard.files.names):
                images = [position for position, name in names if last_ending(name) in IMAGE_SUFFIXES]
            else:
                images = [position for position, name in names if is_image(name) and not is_hidden(name)]
            shards.append(_Samples(shard.name, shard.files.at(images)))
        shards.sort(key=lambda shard: shard.name)
        return UnlabelledSource(_images(opened, shards))


@dataclass(frozen=True, slots=True)
class _Shard:
    """A tar, open, and its files."""

    name: str
    files: Members
    tar: IO[bytes]


@dataclass(slots=True)
class _Samples:
    """What is kept of a shard: for each sample its image and label."""

    name: str
    images: Members
    labels: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)  # keys with neither image nor label


class _ShardImages(PackedImages):
    """Images in several tars."""

    def __init__(self, files: Files, shards: Sequence[_Samples], limits: Limits) -> None:
        super().__init__(files, {shard.name: len(shard.images) for shard in shards}, limits)
        self._samples = {shard.name: shard for shard in shards}

    def name_of(self, shard: str, row: int) -> str:
        return f"{shard}: {self._samples[shard].images.names[row]}"

    def contents(self, shard: str, stream: BinaryIO, rows: Int64) -> Iterator[bytes]:
        tar = plain_stream(stream)
        for member in self._samples[shard].images.at(rows.tolist()):
            yield read_member(tar, member, f"{shard}: {member.name}", self.limits.max_file_bytes)


def _holds_shards(opened: Opened) -> bool:
    return any(map(_is_shard, opened.others)) and not any(map(is_image, opened.names))


def _is_shard(name: str) -> bool:
    return name.lower().endswith(_ENDINGS)


def _has_labels_beside(names: Sequence[str]) -> bool:
    """Whether a file for labels has an image's key.

    A .cls always counts. A .json or .txt does where the images are in no class folders.
    """
    keys = {match[1] for name in names if is_image(name) and (match := _KEY.fullmatch(name))}
    beside = {match[2].lower() for name in names if (match := _KEY.fullmatch(name)) and match[1] in keys}
    beside = {ending.rpartition(".")[2] for ending in beside}
    flat = len({key.rpartition("/")[0] for key in keys}) < 2
    return "cls" in beside or (flat and not beside.isdisjoint({"json", "txt"}))


def _shards(opened: Opened) -> Iterator[_Shard]:
    assert opened.files is not None
    if isinstance(opened.files, TarArchive) and not _holds_shards(opened):
        with open_tar(opened.files.file) as tar:
            yield _Shard(opened.name, opened.files.members, tar)
        return
    for name, stream in opened.files.streams(set(filter(_is_shard, opened.names))):
        with damage_refused(f"{name!r} is not a tar, or a damaged one; pack or send it again"):
            size = stream.seek(0, 2)
            tar = plain_stream(stream)
            yield _Shard(name, tar_files(tar, size, opened.limits), tar)


def _images(opened: Opened, shards: Sequence[_Samples]) -> ImageSource:
    assert opened.files is not None
    if _holds_shards(opened):
        return _ShardImages(opened.files, shards, opened.limits)
    if not shards[0].images:
        raise DataError(f"{opened.name!r} holds no images")
    return FileImages(opened.files, shards[0].images.names, opened.limits)


def _samples(shard: _Shard, table: TableColumns | None) -> _Samples:
    """The samples of a shard that have an image, and their labels."""
    roles: dict[tuple[str, ...], _Roles | None] = {}
    images: list[int] = []
    labels: list[int] = []
    fields: list[str | None] = []  # of the labels that are JSON
    passed_over: list[str] = []
    for keys, endings, files in _runs(shard.files.names):
        if endings not in roles:
            roles[endings] = _roles(shard, keys[0], endings, table)
        if (chosen := roles[endings]) is None:
            passed_over += [f"{shard.name}: {key}" for key in keys]
            continue
        images += files[chosen.image :: len(endings)]
        labels += files[chosen.label :: len(endings)]
        fields += [chosen.of_json] * len(keys)
    found = _Samples(shard.name, shard.files.at(images), passed_over=passed_over)
    texts: dict[tuple[bytes, str | None], str] = {}
    for position, label in zip(labels, zip(_contents(shard, labels), fields, strict=True), strict=True):
        if label not in texts:
            texts[label] = _text(shard, shard.files.names[position], *label)
        found.labels.append(texts[label])
    return found


def _contents(shard: _Shard, positions: list[int]) -> list[bytes]:
    """The contents of files of labels."""
    files = shard.files.at(positions)
    contents: list[bytes] = files.rows["content"].tolist()
    unread = [index for index, content in enumerate(contents) if not content]
    for index, member in zip(unread, files.at(unread), strict=True):
        contents[index] = read_member(shard.tar, member, member.name, _LABEL_BYTES)
    return contents


def _runs(names: Sequence[str]) -> Iterator[tuple[list[str], tuple[str, ...], Sequence[int]]]:
    """Neighbouring samples with the same endings: their keys, these endings, and where all their
    files are.

    If all samples of the shard are alike, they are one run. Else each is one.
    """
    files: Sequence[int] = range(len(names))
    are_hidden = not are_plain(names)
    split = "\0".join(names).replace(".", "\0").split("\0")  # as _KEY does if each has one dot, in its last step
    keys, endings = split[::2], split[1::2]
    if are_hidden or set(map(str.count, names, repeat("."))) != {1} or "/" in "".join(endings):
        keyed = [(file, match) for file, name in enumerate(names) if (match := _KEY.fullmatch(name))]
        files, keys, endings = [file for file, _ in keyed], [m[1] for _, m in keyed], [m[2] for _, m in keyed]
    if not files:
        return
    step = next((index for index, key in enumerate(keys) if key != keys[0]), len(keys))  # files of the first sample
    of_samples, first = keys[::step], endings[:step]
    alike = not are_hidden and endings == first * len(of_samples) and not any(map(eq, of_samples[1:], of_samples))
    if alike and all(keys[place::step] == of_samples for place in range(1, step)):
        yield of_samples, tuple(first), files
        return
    changes = [index for index, differs in enumerate(map(ne, keys[1:], keys), start=1) if differs]
    for begin, end in pairwise([0, *changes, len(keys)]):
        if not (are_hidden and is_hidden(keys[begin])):
            yield [keys[begin]], tuple(endings[begin:end]), files[begin:end]


class _Roles(NamedTuple):
    """Which files of a sample are its image and its label, and the label's field if it is JSON."""

    image: int
    label: int
    of_json: str | None


def _roles(shard: _Shard, key: str, written: tuple[str, ...], table: TableColumns | None) -> _Roles | None:
    """The roles of a sample's files, by their endings. None: it has neither image nor label."""
    endings = [ending.lower() for ending in written]
    for index, ending in enumerate(endings):
        if ending in endings[:index]:
            raise DataError(f"{shard.name}: sample {key!r} has two files that end in .{ending}; keep one")
    image = _image(shard, key, endings, table.path if table is not None else None)
    label = _label(endings, table.label if table is not None else None)
    if image is None:
        if "cls" in endings:
            raise DataError(f"{shard.name}: sample {key!r} has a label but no image; {_NEIGHBOURS}")
        return None
    if label is None:
        raise DataError(f"{shard.name}: sample {key!r} has no label, only {_shown(endings)}; {_NEIGHBOURS}")
    return _Roles(endings.index(image), endings.index(label[0]), label[1])


def _image(shard: _Shard, key: str, endings: Sequence[str], wanted: str | None) -> str | None:
    """The ending of the image."""
    images = [ending for ending in endings if last_ending(f".{ending}") in IMAGE_SUFFIXES]
    if wanted is not None:
        images = [ending for ending in images if ending == wanted.lower()]
    if len(images) > 1:
        raise DataError(
            f"{shard.name}: sample {key!r} has {len(images)} images, {_shown(images)}: webdataset cuts names at the "
            "first dot. Rename the files so that each key has one image, or name the ending to read: "
            f"table: {{'path': {images[0]!r}}}"
        )
    return images[0] if images else None


def _label(endings: Sequence[str], wanted: str | None) -> tuple[str, str | None] | None:
    """The ending of the label, and which field of the file it is if that is JSON."""
    if wanted is None:
        return ("cls", None) if "cls" in endings else ("json", "label") if "json" in endings else None
    if (ending := wanted.lower()) in endings:
        return ending, "label" if ending.endswith("json") else None
    return ("json", wanted) if "json" in endings else None


def _text(shard: _Shard, name: str, content: bytes, of_json: str | None) -> str:
    """The label in a file."""
    try:
        text: Any = content.decode().strip()
        if of_json is None and is_number(text) and len(text) < 20:
            text = str(int(text))  # webdataset reads 007 as 7
        if of_json is not None:
            text = json.loads(text)[of_json]
            text = str(text) if isinstance(text, int) and not isinstance(text, bool) else text
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        form = "text" if of_json is None else f"a JSON object with a field {of_json!r}"
        raise DataError(f"{shard.name}: {name!r} holds no label: it must be {form}") from error
    if not isinstance(text, str) or is_missing(text):
        raise DataError(
            f"{shard.name}: {name!r} holds no label but {str(text)[:100]!r}; leave such samples out, or register the "
            "images without labels"
        )
    return text


def _passed_over(shards: Sequence[_Samples]) -> list[DataWarning]:
    keys = [key for shard in shards for key in shard.passed_over]
    detail = f"Files without an image of their key were not read, such as {keys[0]!r}." if keys else ""
    return [DataWarning("files_passed_over", detail, len(keys), tuple(keys))] if keys else []


def _shown(endings: Iterable[str]) -> str:
    return ", ".join(f".{ending[:50]}" for ending in islice(endings, 10))
