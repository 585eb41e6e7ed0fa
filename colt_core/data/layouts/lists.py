"""The layout `lists`: images in any folders, and lists of the train, val and test images."""

from __future__ import annotations

from colt_core.data.errors import DataError
from colt_core.data.layouts.folders import tree_of_images
from colt_core.data.layouts.layout import Opened
from colt_core.data.layouts.part_names import part_in
from colt_core.data.listed import listed
from colt_core.data.lists import LIST_ENDINGS, ImageList, first_image, names_columns, parse_list, read_list
from colt_core.data.names import image_names, is_image
from colt_core.data.sources import FileImages, LabelledSource, UnlabelledSource

_MOST_LISTS = 16  # more texts of such names belong to images


class Lists:
    """See :class:`colt_core.data.layouts.kinds.ListsLayout`."""

    def recognises(self, opened: Opened) -> bool:
        """Whether the user gave lists, or a list of training images lies beside the images.

        Its first line must name one of them. With a header, it is a table.
        """
        if opened.files is None or not any(map(is_image, opened.names)):
            return False
        if opened.lists:
            return True
        of_train = [name for name in _named_like_lists(opened) if part_in(name) == "train"]
        if not of_train or len(of_train) > _MOST_LISTS:
            return False
        own_names = {name.rpartition("/")[2] for name in opened.names}
        try:
            return any(_names_one_of(content, own_names) for content in _contents(opened, of_train).values())
        except DataError:
            return False

    def open_labelled(self, opened: Opened) -> LabelledSource:
        """Labels and parts come from the lists, see :func:`colt_core.data.listed.listed`."""
        assert opened.files is not None
        names = image_names(opened.files.names)
        lists = {part: read_list(path, opened.limits) for part, path in opened.lists.items()} or _within(opened)
        return listed(FileImages(opened.files, names, opened.limits), names, lists)

    def open_unlabelled(self, opened: Opened) -> UnlabelledSource:
        """Every image of the tree."""
        return tree_of_images(opened)


def _named_like_lists(opened: Opened) -> list[str]:
    return [name for name in opened.others if name.lower().endswith(LIST_ENDINGS) and part_in(name)]


def _contents(opened: Opened, names: list[str]) -> dict[str, bytes]:
    return opened.contents(names, opened.limits.max_file_bytes)


def _names_one_of(content: bytes, own_names: set[str]) -> bool:
    first = None if names_columns(content) else first_image(content)
    return first is not None and first.path.replace("\\", "/").rpartition("/")[2] in own_names


def _within(opened: Opened) -> dict[str, ImageList]:
    """The lists in the data, by part. Other texts of such names are passed over."""
    lists: dict[str, ImageList] = {}
    named = _named_like_lists(opened)
    if len(named) > 3 * _MOST_LISTS:
        raise DataError(
            f"{len(named):,} files are named like lists of images, such as {named[0]!r}; keep one of a part"
        )
    for name, content in _contents(opened, named).items():
        part = part_in(name)
        if part is None or first_image(content) is None:
            continue
        if part in lists:
            raise DataError(f"{lists[part].name!r} and {name!r} both are lists of {part} images; keep one")
        lists[part] = parse_list(content, name)
    return lists
