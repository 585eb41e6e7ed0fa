"""Reads the tensors of an untrusted file that `torch.save` wrote.

Such a file is a zip of stored members: the bytes of tensors, and a pickle that puts them together.
PyTorch's `weights_only` runs none of its code, but makes some objects as large as the pickle says.
So the zip's sizes and the pickle's globals are checked before.
"""

from __future__ import annotations

import pickle
import pickletools
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from colt_core.backbones.errors import WeightsRefused
from colt_core.data.errors import DataError
from colt_core.data.limits import Limits
from colt_core.data.zip_directory import Entry, read_directory
from colt_core.printed import printed

_MOST_MEMBERS = 50_000
_MOST_PICKLE_BYTES = 8 * 2**20  # a ResNet-50 with its optimiser has less than a tenth
_DEEPEST = 16
_ENCRYPTED = 0x1
_PICKLE = "/data.pkl"
_SAVE_AGAIN = "save the state dict alone, with torch.save or as safetensors"
# What a pickle of tensors in plain containers names, beside the types of storages.
_GLOBALS = {
    *("collections OrderedDict", "torch Size", "torch device"),
    *("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter", "torch.nn.parameter Parameter"),
}
# Bytes of an element, by the type of its storage.
_ELEMENT_BYTES = {
    f"torch {kind}Storage": size
    for size, kinds in {
        1: ("Bool", "Byte", "Char"),
        2: ("BFloat16", "Half", "Short"),
        4: ("Float", "Int"),
        8: ("Double", "Long", "ComplexFloat"),
        16: ("ComplexDouble",),
    }.items()
    for kind in kinds
}
_CALLABLES = frozenset({"GLOBAL", "INST", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"})


def read_torch_file(path: Path) -> dict[str, Tensor]:
    """The tensors, by their dotted names. Their bytes stay in the file until they are used.

    Those of nested dictionaries have the outer names in front, as in `state_dict.conv1.weight`.

    Raises:
        WeightsRefused: if the file is damaged, or holds anything but tensors and plain values.
    """
    content, sizes = _opened(path)
    _check_pickle(content, sizes)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    # What torch raises depends on where the file is wrong.
    except (pickle.UnpicklingError, *_DAMAGED) as error:
        raise WeightsRefused(f"the file is damaged, or holds more than tensors: {_SAVE_AGAIN}") from error
    return dict(_named(content))


_DAMAGED = (RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError, AssertionError, OSError)


def _opened(path: Path) -> tuple[bytes, dict[str, int]]:
    """The pickle of the file, whose zip is checked, and the sizes of its storages by key."""
    try:
        if not zipfile.is_zipfile(path):
            raise WeightsRefused(f"the file is not of torch.save since PyTorch 1.6: {_SAVE_AGAIN}")
        entries = read_directory(path, Limits(max_files=_MOST_MEMBERS))
        (member,) = _checked(entries, path.stat().st_size)
        with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
            content = stream.read(_MOST_PICKLE_BYTES + 1)
    except (DataError, zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        if isinstance(error, WeightsRefused):
            raise
        raise WeightsRefused("the file is damaged: its zip cannot be read; save it again") from error
    folder = member.removesuffix(_PICKLE) + "/data/"
    return content, {entry.name.removeprefix(folder): entry.size for entry in entries}


def _checked(entries: list[Entry], file_bytes: int) -> Iterator[str]:
    """The names of the members that are the pickle."""
    if len({entry.name for entry in entries}) < len(entries):
        raise WeightsRefused("two members of the file have the same name; save it again")
    if sum(entry.size for entry in entries) > file_bytes:
        raise WeightsRefused("the members of the file claim more bytes than it has; save it again")
    for entry in entries:
        packed = entry.method != zipfile.ZIP_STORED or entry.size != entry.packed_size or entry.flags & _ENCRYPTED
        if packed or entry.offset + entry.size > file_bytes:
            raise WeightsRefused("a member of the file is compressed, or ends after it; save it again with torch.save")
        if entry.name.endswith(_PICKLE):
            if entry.size > _MOST_PICKLE_BYTES:
                raise WeightsRefused(f"the file's pickle has more than {_MOST_PICKLE_BYTES:,} bytes: {_SAVE_AGAIN}")
            yield entry.name


def _check_pickle(content: bytes, sizes: Mapping[str, int]) -> None:
    """Check that the pickle makes nothing but tensors and plain values, of the bytes that it has.

    Args:
        sizes: bytes of the storages, by key.
    """
    values: list[Any] = []  # in the order pushed; a tuple or dictionary is not one
    memo: dict[Any, Any] = {}  # by number
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name in _CALLABLES and not (opcode.name == "GLOBAL" and _is_plain(str(argument))):
                what = f"'{printed(str(argument), 100)}'" if argument else "an object"
                raise WeightsRefused(f"the file holds {what} beside tensors: {_SAVE_AGAIN}")
            if opcode.name in ("BINPUT", "LONG_BINPUT"):
                memo[argument] = values[-1] if values else None
            elif opcode.name in ("BINGET", "LONG_BINGET"):
                values.append(memo[argument])
            elif opcode.name == "BINPERSID":
                _check_storage(values[-5:], sizes)
            elif argument is not None:
                values.append(argument)
    except (ValueError, LookupError, TypeError) as error:
        if isinstance(error, WeightsRefused):
            raise
        raise WeightsRefused("the file is damaged: its pickle cannot be read; save it again") from error


def _check_storage(named: list[Any], sizes: Mapping[str, int]) -> None:
    """Check a storage as the pickle names it: "storage", type, key, device, number of elements."""
    _, kind, key, _, count = named
    if count < 0 or count * _ELEMENT_BYTES[kind] > sizes[key]:
        raise WeightsRefused(f"the file is damaged: a tensor has more elements than its {sizes[key]:,} bytes hold")


def _is_plain(name: str) -> bool:
    return name in _GLOBALS or name in _ELEMENT_BYTES


def _named(content: Any) -> Iterator[tuple[str, Tensor]]:
    """Each tensor with its dotted name. A dictionary that several names lead to counts once."""
    seen: set[int] = set()
    waiting = [("", content, 0)]
    while waiting:
        name, value, depth = waiting.pop()
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, dict) and id(value) not in seen and depth < _DEEPEST:
            seen.add(id(value))
            inner = [(key, item) for key, item in value.items() if isinstance(key, str | int)]
            waiting += [(f"{name}.{key}" if name else str(key), item, depth + 1) for key, item in reversed(inner)]
