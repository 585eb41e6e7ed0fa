"""The layout `arrays`: one npz of images and labels. A pool may also be one npy."""

from __future__ import annotations

from typing import Any, Literal

from numpy.typing import NDArray

from colt_core.data.errors import DataError
from colt_core.data.labelled import PARTS_READ, labelled_arrays
from colt_core.data.layouts.layout import Opened
from colt_core.data.layouts.part_names import part_of
from colt_core.data.npz import array_names, is_npy, is_npz, map_npy, read_npz
from colt_core.data.sources import ArrayImages, LabelledSource, UnlabelledSource
from colt_core.data.warnings import DataWarning

Role = Literal["images", "labels"]

_SHOWN = 10
_ROLES: dict[str, Role] = {
    **dict.fromkeys(("images", "image", "x", "data"), "images"),
    **dict.fromkeys(("labels", "label", "y", "targets", "target"), "labels"),
}


class Arrays:
    """See :class:`colt_core.data.layouts.kinds.ArraysLayout`.

    Known names are `images` and `labels`, those of MedMNIST (`train_images`, `train_labels`) and of
    Keras (`x_train`, `y_train`), with `val` and `test` for the other parts.
    """

    def recognises(self, opened: Opened) -> bool:
        """Whether it is an npz or npy."""
        try:
            if opened.files is not None or opened.file is None:
                return False
            return is_npy(opened.file) or is_npz(opened.file, opened.limits)
        except DataError:  # too many members: no npz
            return False

    def open_labelled(self, opened: Opened) -> LabelledSource:
        """Images are uint8, N x H x W or N x H x W x 1 or 3; labels are N integers or texts."""
        assert opened.file is not None
        if is_npy(opened.file):
            raise DataError("an .npy has no labels; save images and labels together with numpy.savez")
        there = array_names(opened.file, opened.limits)
        names, warnings = _by_role(there)
        _check_pairs(names, there)
        arrays = read_npz(opened.file, names.values(), opened.limits)
        images, labels = (
            {part: (name, arrays[name]) for (of, part), name in names.items() if of == role}
            for role in ("images", "labels")
        )
        return labelled_arrays(
            {part: (name, _channels_last(array)) for part, (name, array) in images.items()}, labels, warnings=warnings
        )

    def open_unlabelled(self, opened: Opened) -> UnlabelledSource:
        """The training images. An .npy is not read into memory."""
        assert opened.file is not None
        if is_npy(opened.file):
            array = _channels_last(map_npy(opened.file, opened.limits))
            return UnlabelledSource(ArrayImages([("images", array)]))
        there = array_names(opened.file, opened.limits)
        names, warnings = _by_role(there)
        images = {part: name for (role, part), name in names.items() if role == "images"}
        if "train" not in images:
            raise _lacking("images", there)
        if left := [images[part] for part in images if part != "train"]:
            detail = f"Only the training images are the pool. Those of other parts, such as {left[0]!r}, are left out."
            warnings.append(DataWarning("parts_left_out", detail, len(left), tuple(left)))
        name = images["train"]
        array = _channels_last(read_npz(opened.file, (name,), opened.limits)[name])
        return UnlabelledSource(ArrayImages([(name, array)]), warnings=tuple(warnings))


def image_arrays(names: list[str], *, for_pool: bool) -> list[str]:
    """Those of the arrays in an npz that are read as images.

    Raises:
        DataError: two are the images of one part.
    """
    known = _by_role(names)[0]
    parts = ("train",) if for_pool else PARTS_READ
    return [known["images", part] for part in parts if ("images", part) in known]


def _by_role(names: list[str]) -> tuple[dict[tuple[Role, str], str], list[DataWarning]]:
    """The names of known arrays by role and part, and a warning about the others."""
    known: dict[tuple[Role, str], str] = {}
    unknown = []
    for name in names:
        words = name.lower().split("_")
        roles = [_ROLES[word] for word in words if word in _ROLES]
        rest = [word for word in words if word not in _ROLES]
        part = part_of(rest[0]) if len(rest) == 1 else "train" if not rest else None
        if len(roles) != 1 or part is None:
            unknown.append(name)
        elif (other := known.setdefault((roles[0], part), name)) != name:
            raise DataError(f"the .npz holds {other!r} and {name!r}, which both are the {part} {roles[0]}; keep one")
    if not unknown:
        return known, []
    detail = f"Arrays of unknown names were not read, such as {unknown[0]!r}. Known: images, labels, val_images, ..."
    return known, [DataWarning("arrays_passed_over", detail, len(unknown), tuple(unknown))]


def _check_pairs(names: dict[tuple[Role, str], str], there: list[str]) -> None:
    for part in PARTS_READ:
        images, labels = names.get(("images", part)), names.get(("labels", part))
        if part == "train" and images is None:
            raise _lacking("images", there)
        if part == "train" and labels is None:
            raise _lacking("labels", there)
        if (images is None) != (labels is None):
            raise DataError(
                f"images and labels must be given together, but the .npz holds only {images or labels!r} of the {part} "
                "part"
            )


def _lacking(name: str, there: list[str]) -> DataError:
    found = ", ".join(map(repr, there[:_SHOWN])) + (", ..." if len(there) > _SHOWN else "")
    return DataError(f"the .npz has no array '{name}' (found: {found}); save it as numpy.savez(file, {name}=...)")


def _channels_last(array: NDArray[Any]) -> NDArray[Any]:
    """N x H x W x C of an array that can only be N x C x H x W."""
    if array.ndim == 4 and array.shape[-1] not in (1, 3) and array.shape[1] in (1, 3):
        return array.transpose(0, 2, 3, 1)
    return array
