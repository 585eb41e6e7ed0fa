"""The layout `table`: images, and a table of their paths and labels beside them.

The metadata.csv and metadata.jsonl of `datasets` are such tables. So is the train.csv of Kaggle,
whose ids have no ending. A path is only looked up among the images that are there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from colt_core.data.errors import DataError
from colt_core.data.labelled import PARTS_READ
from colt_core.data.layouts.arrangement import arrange
from colt_core.data.layouts.class_labels import is_missing, labelled_by_values
from colt_core.data.layouts.file_parts import part_of_file
from colt_core.data.layouts.layout import Opened
from colt_core.data.layouts.lists import Lists
from colt_core.data.layouts.part_names import part_of
from colt_core.data.layouts.table_file import Table, is_table, read_table
from colt_core.data.layouts.table_images import Ambiguous, Outside, TableImages
from colt_core.data.names import image_names, is_image
from colt_core.data.sources import FileImages, LabelledSource, UnlabelledSource
from colt_core.data.warnings import DataWarning

# Names of columns in lower case, without what is neither letter nor digit.
_PATHS = {"filename", "filepath", "file", "path", "image", "imagepath", "imagename", "imagefile", "imageid", "id"}
_PATHS |= {"img", "imgpath", "imgname", "imgid", "name"}
_LABELS = {"label", "labels", "finelabel", "class", "classname", "classid", "category", "categoryid", "target"}
_LABELS |= {"species", "diagnosis", "dx", "y"}
_SPLITS = {"split", "subset", "partition", "set"}
_LOOKED_AT = 100  # rows of a table that tell which column holds the paths
_MOST_TABLES = 20
_SHOWN = 5


class TableOfImages:
    """See :class:`colt_core.data.layouts.kinds.TableLayout`."""

    def recognises(self, opened: Opened) -> bool:
        """Whether a table names images and labels, or is there without class folders or lists."""
        if opened.lists or not any(map(is_image, opened.names)) or not any(map(is_table, opened.others)):
            return False
        if opened.insisted or opened.table is not None:
            return True
        try:
            images = TableImages(image_names(opened.names))
            usable = any(not isinstance(found, str) for found in _looked_at(opened, images).values())
            return usable or (_class_folders(images.names) is None and not Lists().recognises(opened))
        except DataError:  # said when it is opened; with class folders, the table is one that is passed over
            return _class_folders([name for name in opened.names if is_image(name)]) is None

    def open_labelled(self, opened: Opened) -> LabelledSource:
        """Refuse images that a table names and that are not there; warn of those in no table."""
        assert opened.files is not None
        images = TableImages(image_names(opened.names))
        looked_at = _looked_at(opened, images)
        used = [found for found in looked_at.values() if not isinstance(found, str)]
        if not used:
            raise DataError("; ".join(f"{name!r} {why}" for name, why in list(looked_at.items())[:_SHOWN]))
        _check_apart(used)
        rows = _Rows(images)
        for found in used:
            rows.add(found, read_table(found.name, _content(opened, found.name), found.columns()))
        rows.check_present()
        if not opened.insisted:
            _check_folders_agree(rows, images)
        source = FileImages(opened.files, [images.names[position] for position in rows.positions], opened.limits)
        parts = np.array(rows.parts())
        return labelled_by_values(
            source,
            _whole(rows.labels),
            {part: of_part for part in PARTS_READ if (of_part := np.flatnonzero(parts == part)).size},
            [*_unlisted(rows, images), *opened.passed_over(*(found.name for found in used))],
        )

    def open_unlabelled(self, opened: Opened) -> UnlabelledSource:
        """Not called: a pool is any tree of images, whatever a table says."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _Used:
    """A table that names images and labels, and its columns."""

    name: str
    path: str
    label: str
    split: str | None
    part: str | None  # that its name says

    @property
    def folder(self) -> str:
        return self.name.rpartition("/")[0]

    def columns(self) -> set[str]:
        return {column for column in (self.path, self.label, self.split) if column is not None}


@dataclass(slots=True)
class _Rows:
    """The rows of all tables."""

    images: TableImages
    positions: list[int] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    told: list[str | None] = field(default_factory=list)  # the part, by the table
    _where: dict[int, str] = field(default_factory=dict)
    _absent: list[str] = field(default_factory=list)

    def add(self, used: _Used, table: Table) -> None:
        """Add the rows of a table.

        Raises:
            DataError: for a row without a label, of an unknown part, or whose path is of no image,
                outside the data, ambiguous or listed before.
        """
        splits = table.columns[used.split] if used.split is not None else [None] * len(table.lines)
        for line, cell, label, split in zip(
            table.lines, table.columns[used.path], table.columns[used.label], splits, strict=True
        ):
            where = f"line {line} of {used.name!r}"
            part = used.part
            if used.split is not None and (part := part_of(split or "")) is None:
                raise DataError(f"{where} has {split!r} in column {used.split!r}, which is none of train, val and test")
            if not cell:
                raise DataError(f"{where} names no image: column {used.path!r} is empty")
            position = _found(self.images, cell, used.folder, part, where)
            if position is None:
                self._absent.append(f"{where}: {cell[:200]!r}")
                continue
            if label is None or is_missing(label):
                raise DataError(
                    f"{where} has no label: column {used.label!r} is {label!r}. Leave such lines out, or register the "
                    "images without labels"
                )
            if (first := self._where.setdefault(position, where)) != where:
                raise DataError(f"{where} names {self.images.names[position]!r} again, after {first}; list it once")
            self.positions.append(position)
            self.labels.append(label)
            self.told.append(part)

    def check_present(self) -> None:
        """Refuse images that a table names and that are not there."""
        if self._absent:
            raise DataError(
                f"{len(self._absent):,} images that the table names are not there: {', '.join(self._absent[:_SHOWN])}; "
                f"add them or take the lines out. There is {self.images.names[0]!r}"
            )

    def parts(self) -> list[str]:
        """The part of each row: as the table says, or its image's folder; or all are `train`."""
        names = [self.images.names[position] for position in self.positions]
        parts = [told or _part_of_folders(name) for told, name in zip(self.told, names, strict=True)]
        if not any(parts):
            return ["train"] * len(parts)
        for name, part in zip(names, parts, strict=True):
            if part is None:
                raise DataError(
                    f"neither the table nor a folder says whether {name!r} is train, val or test, as for others; "
                    "add a column 'split' with it"
                )
        return [part for part in parts if part is not None]


def _found(images: TableImages, cell: str, folder: str, part: str | None, where: str) -> int | None:
    try:
        return images.find(cell, folder, part)
    except Outside as error:
        raise DataError(
            f"{where}: {cell[:200]!r} leads outside the data; write the path from the table's own folder"
        ) from error
    except Ambiguous as error:
        first, second = error.args[:2]
        raise DataError(f"{where}: {cell[:200]!r} may be {first!r} or {second!r}; write the whole path") from error


def _looked_at(opened: Opened, images: TableImages) -> dict[str, _Used | str]:
    """Each table, with its columns or why it cannot be used."""
    tables = [name for name in opened.others if is_table(name)]
    if (wanted := opened.table.file if opened.table is not None else None) is not None:
        tables = [name for name in tables if name == wanted] or [name for name in tables if name.endswith("/" + wanted)]
        if len(tables) != 1:
            among = ", ".join(repr(name) for name in opened.names if is_table(name))
            raise DataError(f"there is no single table {wanted!r}; the tables are {among or 'none'}")
    elif len(tables) > 1:  # a sample of what to hand in has the names of test images, and no labels of theirs
        tables = [name for name in tables if "submission" not in name.lower()]
        if len(tables) > _MOST_TABLES:
            return {tables[0]: f"is one of {len(tables):,} tables; name the one to read: table: {{'file': NAME}}"}
    return {name: _columns(opened, name, images) for name in tables}


def _columns(opened: Opened, name: str, images: TableImages) -> _Used | str:
    head = read_table(name, _content(opened, name), most=_LOOKED_AT)
    asked = opened.table
    for column in (asked.path, asked.label, asked.split) if asked is not None else ():
        if column is not None and column not in head.columns:
            raise DataError(f"{name!r} has no column {column!r}; it has {_shown(head.columns)}")
    if any(map(is_image, head.columns)):
        return "does not name its columns: write path,label above its first line"
    part = part_of_file(name)
    path = asked.path if asked is not None and asked.path is not None else _path_column(head, images, part)
    if path is None:
        return (
            f"has no column that names the images, such as {images.names[0]!r}; name it: table: {{'path': COLUMN}}. It "
            f"has {_shown(head.columns)}"
        )
    label = asked.label if asked is not None and asked.label is not None else None
    if label is None:
        found = [column for column in head.columns if _plain(column) in _LABELS and column != path]
        exact = [column for column in found if _plain(column) in ("label", "finelabel")]
        if len(found) > 1 and len(exact) != 1:
            return f"has several columns that may be the label: {_shown(found)}; name one: table: {{'label': NAME}}"
        if not found:
            return f"has no column of labels; name it: table: {{'label': COLUMN}}. It has {_shown(head.columns)}"
        label = (exact if len(exact) == 1 else found)[0]
    split = asked.split if asked is not None and asked.split is not None else None
    if split is None:
        told = [column for column, cells in head.columns.items() if _plain(column) in _SPLITS and _tell_parts(cells)]
        split = told[0] if len(told) == 1 else None
    return _Used(name, path, label, split, part)


def _path_column(head: Table, images: TableImages, part: str | None) -> str | None:
    """The column most of whose cells name images: one with an obvious name, or else any."""
    folder = head.name.rpartition("/")[0]

    def named(column: str) -> int:
        return sum(_names_image(images, cell, folder, part) for cell in head.columns[column])

    obvious = [column for column in head.columns if _plain(column) in _PATHS]
    for among in (obvious, [column for column in head.columns if column not in obvious]):
        best = max(among, key=named, default=None)
        if best is not None and 2 * named(best) >= len(head.lines):
            return best
    return None


def _names_image(images: TableImages, cell: str | None, folder: str, part: str | None) -> bool:
    try:
        return bool(cell) and images.find(cell or "", folder, part) is not None
    except (Outside, Ambiguous):
        return True  # refused by line, when the table is read


def _check_apart(used: Sequence[_Used]) -> None:
    """Several tables must be of different parts, or in the folders of their images."""
    parts = [found.part for found in used]
    folders = {found.folder for found in used}
    if len(used) > 1 and (None in parts or len(set(parts)) < len(parts)) and len(folders) < len(used):
        raise DataError(
            f"several tables name images and labels: {_shown([found.name for found in used])}; name one: "
            f"table: {{'file': {used[0].name!r}}}, or name them after their parts, as train.csv and test.csv"
        )


def _check_folders_agree(rows: _Rows, images: TableImages) -> None:
    """Where images lie in class folders too, folders and labels must mean the same classes."""
    if (class_of := _class_folders(images.names)) is None:
        return
    label_of: dict[str, str] = {}
    folder_of: dict[str, str] = {}
    for position, label in zip(rows.positions, rows.labels, strict=True):
        name = images.names[position]
        folder = class_of[name.rpartition("/")[0]]
        if label_of.setdefault(folder, label) != label or folder_of.setdefault(label, folder) != folder:
            raise DataError(
                f"{name!r} has the label {label!r} in the table but lies in the folder {folder!r}, and they do not "
                "mean the same classes. Say which to read: layout 'table' or 'folders'"
            )


def _class_folders(names: Sequence[str]) -> dict[str, str] | None:
    """The class of each folder with images, or None if they are no class folders."""
    try:
        found = arrange({name.rpartition("/")[0]: name for name in names})
    except DataError:
        return None
    return found.class_name if len(set(found.class_name.values())) > 1 else None


def _unlisted(rows: _Rows, images: TableImages) -> list[DataWarning]:
    listed = set(rows.positions)
    left = [name for position, name in enumerate(images.names) if position not in listed]
    if not left:
        return []
    detail = f"{len(left):,} of {len(images.names):,} images are in no table, and are left out, such as {left[0]!r}."
    return [DataWarning("images_not_in_table", detail, len(left), tuple(left))]


def _content(opened: Opened, name: str) -> bytes:
    assert opened.files is not None
    return next(content for _, content in opened.files.read({name}))


def _part_of_folders(name: str) -> str | None:
    return next(filter(None, map(part_of, name.split("/")[:-1])), None)


def _tell_parts(cells: Sequence[str | None]) -> bool:
    return all(cell is not None and part_of(cell) is not None for cell in cells)


def _whole(labels: list[str]) -> list[str]:
    """Labels such as 3.0, which pandas writes for numbers beside empty cells, as 3."""
    if all(re.fullmatch(r"\d+\.0", label, re.ASCII) for label in set(labels)):
        return [label.removesuffix(".0") for label in labels]
    return labels


def _plain(column: str) -> str:
    return re.sub("[^a-z0-9]", "", column.lower())


def _shown(columns: Sequence[str] | dict[str, list[str | None]]) -> str:
    return ", ".join(repr(column[:100]) for column in list(columns)[:20]) + (", ..." if len(columns) > 20 else "")
