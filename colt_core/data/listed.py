"""Takes labels and parts of images from lists (:mod:`colt_core.data.lists`)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from colt_core.data.errors import DataError
from colt_core.data.labelled import PARTS_READ, labelled, sorted_classes
from colt_core.data.layouts.arrangement import without_common
from colt_core.data.layouts.part_names import part_of
from colt_core.data.lists import ImageList
from colt_core.data.sources import ImageSource, Int64, LabelledSource
from colt_core.data.text import is_number
from colt_core.data.warnings import DataWarning

_LARGEST_LABEL = 2**31
# With folders for classes, a line that contradicts the others is a mistake. Below this share of
# lines that agree, folders are no classes.
_AGREEING = 0.9
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class _Line:
    """One resolved line."""

    part: str
    number: int
    path: str
    label: str
    position: int
    folder: str


def listed(images: ImageSource, names: Sequence[str], lists: Mapping[str, ImageList]) -> LabelledSource:
    """Label the images that lists name, and sort them into the lists' parts.

    A line names the image whose path it ends with, without the folders of a part and those around
    everything. Otherwise it names the only image whose path ends with the line. So folders of the
    list's author do not matter, such as `data_256/`.

    If each label has one folder of images and each folder one label, folders are classes. Numbers
    then get the folders' names. Images of such folders that no list names may still be probe or
    test images, and the images that `train` names become `listed`.

    Args:
        images: N images.
        names: their paths.
        lists: by part. Without `val` or `test`, a folder of that name is the part.

    Raises:
        DataError: for a line whose image is missing, ambiguous or listed before, or whose label is
            wrong. The message names the list and the line.
    """
    if "train" not in lists:
        raise DataError(f"there is a list of {' and '.join(lists)} images, but none of training images; add it")
    tree = _Tree(names)
    lines = _resolved(lists, tree)
    warnings: list[DataWarning] = []
    class_of_label, class_names = _classes(lines, lists, warnings)
    labels = np.full(len(names), -1, dtype=np.int64)
    parts: dict[str, list[int]] = defaultdict(list)
    for line in lines:
        if line.label not in class_of_label:
            raise lists[line.part].problem(line.number, f"has the label {line.label!r}, which no training image has")
        labels[line.position] = class_of_label[line.label]
        parts[line.part].append(line.position)
    folders = _folder_of_label(lines, lists)
    if folders is not None:
        _label_the_others(
            tree, {folder: class_of_label[label] for label, folder in folders.items()}, lists, labels, parts
        )
        class_names = _named_by_folder(class_names, folders)
    if (unlisted := np.flatnonzero(labels < 0)).size:
        detail = "Images that no list names were left out."
        examples = tuple(names[position] for position in unlisted[:10].tolist())
        warnings.append(DataWarning("images_not_listed", detail, len(unlisted), examples))
    train = np.sort(np.array([line.position for line in lines if line.part == "train"], dtype=np.int64))
    source = labelled(
        images,
        labels,
        class_names,
        {part: np.sort(np.array(parts[part], dtype=np.int64)) for part in PARTS_READ if parts[part]},
        warnings,
    )
    return replace(source, listed=train) if len(train) < len(source.parts["train"]) else source


class _Tree:
    """Images by their path within the part, and the part of each."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        paths = [name.split("/") for name in names]
        while min(map(len, paths)) > 1 and len({path[0] for path in paths}) == 1 and not part_of(paths[0][0]):
            paths = [path[1:] for path in paths]
        first = {path[0]: part_of(path[0]) for path in paths if len(path) > 1}
        self.part: list[str | None] = [first[path[0]] if len(path) > 1 else None for path in paths]
        self.inner = ["/".join(path[1:] if part else path) for path, part in zip(paths, self.part, strict=True)]
        self._of_path: dict[str, list[int]] = defaultdict(list)
        self._of_name: dict[str, list[int]] = defaultdict(list)
        for position, inner in enumerate(self.inner):
            self._of_path[inner].append(position)
            self._of_name[inner.rpartition("/")[2]].append(position)
        self._deepest = max(inner.count("/") for inner in self.inner) + 1

    def folder(self, position: int) -> str:
        return self.inner[position].rpartition("/")[0]

    def find(self, path: str, part: str) -> list[int]:
        """Positions that a line of the list of `part` may mean: one, if it is clear."""
        words = [word for word in path.replace("\\", "/").split("/") if word not in ("", ".")]
        found: list[int] = []
        for start in range(max(0, len(words) - self._deepest), len(words)):
            if found := self._of_path.get("/".join(words[start:]), []):
                break
        end = "/".join(["", *words])
        if not found:
            candidates = self._of_name.get(end.rpartition("/")[2], ())
            found = [position for position in candidates if f"/{self.inner[position]}".endswith(end)]
        if len(found) > 1:
            found = [position for position in found if f"/{self.names[position]}".endswith(end)] or found
        if len(found) > 1:
            found = [position for position in found if self.part[position] == part] or found
        return found


def _resolved(lists: Mapping[str, ImageList], tree: _Tree) -> list[_Line]:
    lines: list[_Line] = []
    seen: dict[int, _Line] = {}
    for part, of_part in lists.items():
        for number, path, label in of_part.images:
            found = tree.find(path, part)
            shown = path[:_SHOWN]
            if not found:
                like = next((i for i, of_image in enumerate(tree.part) if of_image in (part, None)), 0)
                raise of_part.problem(
                    number, f"names {shown!r}, which is not among the images, such as {tree.names[like]!r}"
                )
            if len(found) > 1:
                raise of_part.problem(
                    number,
                    f"names {shown!r}, but {len(found)} images have that name; put the whole class folder before the "
                    "name",
                )
            position = found[0]
            folder = tree.folder(position)
            line = _Line(part, number, shown, label if label is not None else folder, position, folder)
            if (first := seen.setdefault(position, line)) is not line:
                raise of_part.problem(
                    number,
                    f"names {shown!r} again, after line {first.number} of {lists[first.part].name!r}; list it once",
                )
            if part == "train" and tree.part[position] in ("val", "test"):
                raise of_part.problem(
                    number,
                    f"names {shown!r}, which is in the {tree.part[position]} folder; give that list as the list of "
                    f"{tree.part[position]} images",
                )
            if not line.label:
                raise of_part.problem(
                    number, "has no label, and its image lies in no class folder; add a label, or leave the list out"
                )
            lines.append(line)
    return lines


def _classes(
    lines: Sequence[_Line], lists: Mapping[str, ImageList], warnings: list[DataWarning]
) -> tuple[dict[str, int], list[str]]:
    """The class of each label of the training part, and the labels in the order of classes."""
    numbers = is_number(lines[0].label)
    for line in lines:
        of_part = lists[line.part]
        if is_number(line.label) != numbers:
            raise of_part.problem(
                line.number,
                f"has the label {line.label[:_SHOWN]!r}, but lines before it have "
                f"{'whole numbers' if numbers else 'names'}; write all labels alike",
            )
        if numbers and int(line.label) >= _LARGEST_LABEL:
            raise of_part.problem(line.number, f"has the label {line.label[:_SHOWN]}, which is too large")
    given = sorted_classes(line.label for line in lines if line.part == "train")
    if numbers:
        values = [int(label) for label in given]
        if len(set(values)) < len(values):
            one, other = next(pair for pair in pairwise(given) if int(pair[0]) == int(pair[1]))
            raise DataError(f"the labels {one!r} and {other!r} are one number; write it in one way")
        if values != list(range(len(values))):
            gaps = values[-1] - values[0] != len(values) - 1
            code, what = (
                ("labels_renumbered", "skip numbers") if gaps else ("labels_shifted", f"count from {values[0]}")
            )
            detail = f"The labels in the lists {what}. The classes are numbered from 0 in the order of their labels."
            warnings.append(DataWarning(code, detail, len(values), tuple(values)))
    return {label: c for c, label in enumerate(given)}, given


def _folder_of_label(lines: Sequence[_Line], lists: Mapping[str, ImageList]) -> dict[str, str] | None:
    """The folder of each label, if folders are classes."""
    pairs = Counter((line.label, line.folder) for line in lines)
    folder_of: dict[str, str] = {}
    label_of: dict[str, str] = {}
    for (label, folder), _ in pairs.most_common():
        if folder and label not in folder_of and folder not in label_of:
            folder_of[label], label_of[folder] = folder, label
    agreeing = sum(pairs[label, folder] for label, folder in folder_of.items())
    if agreeing == len(lines):
        return folder_of
    if agreeing < _AGREEING * len(lines):
        return None
    line = next(line for line in lines if folder_of.get(line.label) != line.folder)
    usual = label_of.get(line.folder)
    raise lists[line.part].problem(
        line.number,
        f"gives label {line.label!r} to {line.path!r}, but other lines give "
        + (f"images of that folder label {usual!r}" if usual is not None else "that label to another folder"),
    )


def _label_the_others(
    tree: _Tree,
    class_of_folder: Mapping[str, int],
    lists: Mapping[str, ImageList],
    labels: Int64,
    parts: dict[str, list[int]],
) -> None:
    """Give other images of listed classes to the parts without a list, and to train."""
    for position in np.flatnonzero(labels < 0).tolist():
        part = tree.part[position] or "train"
        c = class_of_folder.get(tree.folder(position))
        if c is not None and (part == "train" or part not in lists):
            labels[position] = c
            parts[part].append(position)


def _named_by_folder(labels: Sequence[str], folders: Mapping[str, str]) -> list[str]:
    if not all(map(is_number, labels)):
        return list(labels)
    paths = {label: tuple(folders[label].split("/")) for label in labels}
    return ["/".join(parts) for parts in without_common(without_common(paths, 0), -1).values()]
