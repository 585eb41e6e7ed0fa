"""Words that name the parts of a data set, as people and tools write them."""

from __future__ import annotations

import re
from posixpath import splitext

# As Hugging Face `datasets` reads folder names (data_files.py, SPLIT_KEYWORDS, 5.2).
_WORDS = {
    "train": frozenset({"train", "training"}),
    "val": frozenset({"val", "valid", "validation", "dev"}),
    "test": frozenset({"test", "testing", "eval", "evaluation"}),
}
_PART_OF = {word: part for part, words in _WORDS.items() for word in words}
_FILLERS = frozenset({"set", "sets", "data", "dataset", "images", "image", "imgs", "img", "split", "part", "samples"})
# A word in one case, or one that begins with a capital, as in `TrainImages`; or a number.
_TOKEN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def part_of(folder: str) -> str | None:
    """The part that a folder's name means: `train`, `val` or `test`.

    The name is a word for a part, in any case: `Validation`. Words such as `set` or `images` and
    numbers may be in it: `test_set`, `trainset`, `train2017`.
    """
    words = [word for word in _words(folder) if word not in _FILLERS and not word.isdecimal()]
    return _PART_OF.get(words[0]) if len(words) == 1 else None


def part_in(name: str) -> str | None:
    """The only part that a file's name has a word for: `train` in `lists/ImageNet_LT_train.txt`."""
    parts = {_PART_OF[word] for word in _words(splitext(name.rpartition("/")[2])[0]) if word in _PART_OF}
    return parts.pop() if len(parts) == 1 else None


def _words(name: str) -> list[str]:
    words = [word.lower() for word in _TOKEN.findall(name)]
    return [_without_filler(word) for word in words]


def _without_filler(word: str) -> str:
    for filler in _FILLERS:
        if word.endswith(filler) and word.removesuffix(filler) in _PART_OF:
            return word.removesuffix(filler)
    return word
