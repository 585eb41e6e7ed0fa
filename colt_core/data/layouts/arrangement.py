"""What folders of images mean: which stand for parts, and which for classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from colt_core.data.errors import DataError
from colt_core.data.layouts.part_names import part_of
from colt_core.data.warnings import DataWarning

_HOW = "Arrange the images as CLASS/IMAGE, or as train/CLASS/IMAGE with optional val/ and test/"
_NEUTRAL = frozenset({"images", "image", "imgs", "img", "data"})
# Folders of a task that is not classification, or of images without a class.
_NO_CLASSES = _NEUTRAL | {"masks", "mask", "labels", "label", "annotations", "annotation", "segmentations", "gt"}

Folders = tuple[str, ...]


@dataclass(slots=True)
class Arrangement:
    """The part and the class of each folder that holds images, by its path in the data."""

    part: dict[str, str]
    class_name: dict[str, str]
    warnings: list[DataWarning] = field(default_factory=list)


def arrange(example: Mapping[str, str]) -> Arrangement:
    """Tell parts and classes from folders.

    - Folders around everything are skipped.
    - Where folders are named like parts and have class folders inside, they are the parts.
    - Class folders within others are joined: `a/airport`. If this gives val or test classes that
      the training part lacks, and the outermost folders do not, these are the classes.

    Args:
        example: an image of each folder that holds images, by the folder's path; "" is the root.

    Raises:
        DataError: if it is not clear what the folders are. The message names an image.
    """
    whole = {path: tuple(path.split("/")) if path else () for path in example}
    folders = _unwrapped(whole)
    warnings: list[DataWarning] = []
    for path, parts in folders.items():
        if not parts:
            raise DataError(f"{example[path]!r} does not fit: no class folder is around it. {_HOW}")
    if _has_parts(folders):
        part = _parts(folders, example)
        inside = _unwrapped_parts(_each(folders, lambda parts: parts[1:]), part)
        _check_classes_inside(inside, part, example)
    else:
        _check_flat(folders, example)
        part, inside = dict.fromkeys(folders, "train"), folders
        if like_parts := sorted({parts[0] for parts in folders.values() if part_of(parts[0])}):
            warnings.append(_taken_as_classes(like_parts))
    classes = without_common(without_common(inside, 0), -1)
    classes = _outermost_if_only_they_agree(classes, part, warnings)
    _check_nothing_beside_folders(classes, example)
    if joined := sorted({"/".join(parts) for parts in classes.values() if len(parts) > 1}):
        detail = f"Class folders lie within others. Their names are joined: {joined[0]!r}."
        warnings.append(DataWarning("nested_classes", detail, len(joined), tuple(joined)))
    return Arrangement(part, {path: "/".join(parts) for path, parts in classes.items()}, warnings)


def _unwrapped(folders: dict[str, Folders]) -> dict[str, Folders]:
    """Without the single folders that most archives have around everything."""
    while min(map(len, folders.values())) > 1 and len({parts[0] for parts in folders.values()}) == 1:
        outermost = next(iter(folders.values()))[0]
        if part_of(outermost) and not all(part_of(parts[1]) for parts in folders.values()):
            break
        folders = _each(folders, lambda parts: parts[1:])
    return folders


def _has_parts(folders: dict[str, Folders]) -> bool:
    return any(len(parts) > 1 and part_of(parts[0]) for parts in folders.values())


def _parts(folders: dict[str, Folders], example: Mapping[str, str]) -> dict[str, str]:
    found = {path: part_of(parts[0]) for path, parts in folders.items()}
    for path, parts in folders.items():
        if found[path] is None:
            raise DataError(f"{example[path]!r} does not fit: {parts[0]!r} lies beside folders of parts. {_HOW}")
        if len(parts) == 1:
            raise _no_class_folders(parts[0], example[path])
    return {path: part for path, part in found.items() if part is not None}


def _check_flat(folders: dict[str, Folders], example: Mapping[str, str]) -> None:
    """Refuse folders that are no classes, where none is a part with class folders inside."""
    outermost = {parts[0] for parts in folders.values()}
    like_parts = {name for name in outermost if part_of(name)}
    if like_parts and 2 * len(like_parts) > len(outermost):
        path = min(path for path, parts in folders.items() if parts[0] in like_parts)
        raise _no_class_folders(folders[path][0], example[path])
    if all(name.lower() in _NO_CLASSES for name in outermost):
        named = ", ".join(sorted(map(repr, outermost)))
        raise DataError(
            f"{next(iter(example.values()))!r} does not fit: there are no class folders inside {named}. {_HOW}"
        )
    deepest = max(map(len, folders.values()))
    for level in range(1, deepest):
        at_level = [parts[level] for parts in folders.values() if len(parts) > level]
        if len(at_level) == len(folders) and all(map(part_of, at_level)) and len(set(map(part_of, at_level))) > 1:
            path = next(iter(folders))
            raise DataError(
                f"{example[path]!r} does not fit: the folder of the part, {folders[path][level]!r}, is within the "
                f"class folder. {_HOW}"
            )


def _no_class_folders(folder: str, example: str) -> DataError:
    return DataError(
        f"{example!r} does not fit: {folder!r} has no class folders inside, so its images have no labels. Sort them "
        f"into {folder}/CLASS/, give their labels in a table or in lists, or leave the folder out"
    )


def _unwrapped_parts(folders: dict[str, Folders], part: dict[str, str]) -> dict[str, Folders]:
    """Without folders such as `images` that a part has around all its classes."""
    inside: dict[str, Folders] = {}
    for name in set(part.values()):
        of_part = {path: parts for path, parts in folders.items() if part[path] == name}
        while min(map(len, of_part.values())) > 1 and len({parts[0] for parts in of_part.values()}) == 1:
            outermost = next(iter(of_part.values()))[0]
            if part_of(outermost) is None and outermost.lower() not in _NEUTRAL:
                break
            of_part = _each(of_part, lambda parts: parts[1:])
        inside |= of_part
    return {path: inside[path] for path in folders}


def _check_classes_inside(inside: dict[str, Folders], part: dict[str, str], example: Mapping[str, str]) -> None:
    """Refuse a part whose images are all in one folder such as `images`, which is no class."""
    trained = {parts for path, parts in inside.items() if part[path] == "train"}
    for name in {"val", "test"} & set(part.values()):
        paths = [path for path in inside if part[path] == name]
        if all(inside[path][0].lower() in _NO_CLASSES and inside[path] not in trained for path in paths):
            raise _no_class_folders(name, example[paths[0]])


def without_common(folders: dict[str, Folders], end: int) -> dict[str, Folders]:
    """Without what all class folders begin with (`end` 0) or end with (-1)."""
    while min(map(len, folders.values())) > 1 and len({parts[end] for parts in folders.values()}) == 1:
        folders = _each(folders, lambda parts: parts[1:] if end == 0 else parts[:-1])
    return folders


def _outermost_if_only_they_agree(
    classes: dict[str, Folders], part: dict[str, str], warnings: list[DataWarning]
) -> dict[str, Folders]:
    def named(take: Callable[[Folders], Folders], in_train: bool) -> set[Folders]:
        return {take(parts) for path, parts in classes.items() if (part[path] == "train") == in_train}

    def outermost(parts: Folders) -> Folders:
        return parts[:1]

    agree = named(tuple, False) <= named(tuple, True)
    if agree or not named(outermost, False) <= named(outermost, True) or len(named(outermost, True)) < 2:
        return classes
    inner = sorted({"/".join(parts) for parts in classes.values() if len(parts) > 1})
    detail = (
        f"The parts share class folders, but not the folders within them such as {inner[0]!r}. "
        "The outer folders are the classes."
    )
    warnings.append(DataWarning("inner_folders_passed_over", detail, len(inner), tuple(inner)))
    return _each(classes, outermost)


def _check_nothing_beside_folders(classes: dict[str, Folders], example: Mapping[str, str]) -> None:
    known = set(classes.values())
    for path, parts in classes.items():
        for depth in range(1, len(parts)):
            if parts[:depth] in known:
                raise DataError(
                    f"{example[path]!r} does not fit: its folder lies in {'/'.join(parts[:depth])!r}, beside images of "
                    "that class. Move the images of the class into one folder, or each class into its own"
                )


def _taken_as_classes(names: Iterable[str]) -> DataWarning:
    named = tuple(names)
    detail = f"The folder {named[0]!r} is taken as a class, since it has no class folders inside and others beside it."
    return DataWarning("part_names_taken_as_classes", detail, len(named), named)


def _each(folders: dict[str, Folders], change: Callable[[Folders], Folders]) -> dict[str, Folders]:
    return {path: change(parts) for path, parts in folders.items()}
