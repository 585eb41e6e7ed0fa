"""Reads a pickle of plain values: numbers, texts, lists, dicts and arrays of numbers.

Nothing is unpickled. This reads the opcodes that such values need and refuses all others, and all
globals except the few by which numpy writes arrays. It calls none of them.
"""

from __future__ import annotations

import math
import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colt_core.data.errors import DataError

_MOST_OPCODES = 5_000_000
_DTYPE = re.compile(r"[<>|=]?[uif][1248]")
_NUMBERS = frozenset({"INT", "BININT", "BININT1", "BININT2", "LONG1", "FLOAT", "BINFLOAT"})
_TEXTS = frozenset(
    {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
)
_BYTES = frozenset({"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"})
_CONSTANTS = _NUMBERS | _TEXTS | _BYTES | {"NONE", "NEWTRUE", "NEWFALSE"}
_FIXED = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NUMPY = ("numpy.core", "numpy._core")  # numpy 1 and 2
_GLOBALS = {
    "numpy ndarray": "ndarray",
    "numpy dtype": "dtype",
    "_codecs encode": "encode",  # how Python 3 writes bytes for Python 2
    **{f"{numpy}.multiarray _reconstruct": "_reconstruct" for numpy in _NUMPY},
    **{f"{numpy}.numeric _frombuffer": "_frombuffer" for numpy in _NUMPY},
}


@dataclass
class PlainArray:
    """An array that was pickled, as its parts. They may be anything, until they are checked."""

    shape: Any = ()
    dtype: Any = None
    fortran_order: Any = False
    content: Any = b""

    def array(self, name: str) -> NDArray[Any]:
        """The array of numbers.

        Raises:
            DataError: if the parts do not fit together, or are no numbers.
        """
        if not isinstance(self.dtype, _Dtype) or not isinstance(self.shape, tuple):
            raise DataError(f"{name} is no array of numbers")
        content = self.content.encode("latin-1", "replace") if isinstance(self.content, str) else self.content
        dtype = self.dtype.numpy()
        sides = [side for side in self.shape if type(side) is int and side >= 0]
        if dtype is None or len(sides) != len(self.shape) or not isinstance(content, bytes | bytearray):
            raise DataError(f"{name} is no array of numbers")
        if math.prod(sides) * dtype.itemsize != len(content):
            raise DataError(f"{name} claims the shape {tuple(sides)} but holds {len(content):,} bytes; save it again")
        return np.frombuffer(content, dtype).reshape(sides, order="F" if self.fortran_order is True else "C")


@dataclass
class _Dtype:
    code: Any
    order: Any = "|"

    def numpy(self) -> np.dtype[Any] | None:
        if not isinstance(self.code, str) or not _DTYPE.fullmatch(self.code):
            return None
        dtype = np.dtype(self.code)
        return dtype.newbyteorder(self.order) if self.order in ("<", ">") else dtype


@dataclass(frozen=True)
class _Global:
    name: str


def load_plain(content: bytes, name: str) -> Any:
    """The value of a pickle. Texts of Python 2 are str. See :class:`PlainArray` for arrays.

    Raises:
        DataError: if the pickle is damaged, or holds anything else. The message calls it `name`.
    """
    machine = _Machine(name)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
            if count > _MOST_OPCODES:
                raise DataError(f"{name!r} has more than {_MOST_OPCODES:,} values; split it up")
            machine.step(opcode.name, argument)
        (value,) = machine.stack
    except DataError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, UnicodeError) as error:
        raise DataError(f"{name!r} is not a pickle of plain values, or a damaged one; download it again") from error
    return value


class _Machine:
    """The stack machine of pickles, without anything that runs code."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stack: list[Any] = []
        self._below: list[list[Any]] = []  # the stacks below each mark
        self._memo: dict[int, Any] = {}

    def step(self, opcode: str, argument: Any) -> None:
        """Follow one opcode."""
        stack = self.stack
        if opcode in _CONSTANTS:
            stack.append(_FIXED.get(opcode, argument))
        elif opcode in ("BINPUT", "LONG_BINPUT", "PUT"):
            self._memo[argument] = stack[-1]
        elif opcode == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif opcode in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(self._memo[argument])
        elif opcode in _EMPTY:
            stack.append(_EMPTY[opcode]())
        elif opcode == "MARK":
            self._below.append(stack)
            self.stack = []
        elif opcode in ("APPENDS", "SETITEMS", "TUPLE", "LIST", "DICT"):
            self.stack = self._below.pop()
            self._collect(opcode, stack)
        elif opcode == "APPEND":
            value = stack.pop()
            _as(list, stack[-1]).append(value)
        elif opcode == "SETITEM":
            value, key = stack.pop(), stack.pop()
            _set_items(stack[-1], [key, value])
        elif opcode in _TUPLES:
            items = stack[-_TUPLES[opcode] :]
            stack[-_TUPLES[opcode] :] = [tuple(items)]
        elif opcode == "GLOBAL":
            stack.append(self._global(argument))
        elif opcode == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            stack.append(self._global(f"{_as(str, module)} {_as(str, attribute)}"))
        elif opcode == "REDUCE":
            arguments, of = stack.pop(), stack.pop()
            stack.append(_made(of, _as(tuple, arguments)))
        elif opcode == "BUILD":
            state = stack.pop()
            _fill(stack[-1], _as(tuple, state))
        elif opcode not in ("PROTO", "FRAME", "STOP"):
            raise DataError(f"{self.name!r} holds Python objects (opcode {opcode}), which are not read; save it as npz")

    def _collect(self, opcode: str, items: list[Any]) -> None:
        if opcode == "TUPLE":
            self.stack.append(tuple(items))
        elif opcode == "LIST":
            self.stack.append(items)
        elif opcode == "DICT":
            self.stack.append({})
            _set_items(self.stack[-1], items)
        elif opcode == "APPENDS":
            _as(list, self.stack[-1]).extend(items)
        else:
            _set_items(self.stack[-1], items)

    def _global(self, wanted: str) -> _Global:
        if wanted not in _GLOBALS:
            raise DataError(f"{self.name!r} holds a Python object ({wanted[:100]}), which is not read; save it as npz")
        return _Global(_GLOBALS[wanted])


def _made(of: Any, arguments: tuple[Any, ...]) -> Any:
    """What a call of a known global would make."""
    match _as(_Global, of).name:
        case "_reconstruct":
            return PlainArray()
        case "dtype":
            return _Dtype(arguments[0])
        case "encode":
            return _as(str, arguments[0]).encode("latin-1")
        case "_frombuffer":
            content, dtype, shape, order = arguments
            return PlainArray(shape, dtype, order == "F", content)
        case other:
            raise ValueError(other)


def _fill(of: Any, state: tuple[Any, ...]) -> None:
    """What `__setstate__` of numpy's array and dtype would do."""
    if isinstance(of, PlainArray):
        _, of.shape, of.dtype, of.fortran_order, of.content = state
    else:
        _as(_Dtype, of).order = state[1]


def _set_items(of: Any, items: list[Any]) -> None:
    target = _as(dict, of)
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Keys of other types could be made to collide.
        target[key.decode("latin-1") if isinstance(key, bytes) else _as(str, key)] = value


def _as(kind: type[Any], value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{kind.__name__} expected")
    return value
