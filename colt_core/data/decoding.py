"""Decodes many image files on all cores, in their order.

Processes do the work beside the caller. For images of some thousand pixels the interpreter takes as
long as the decoder, so two threads are slower than one. An image that fails is decoded again in the
calling process. Errors and their order are therefore the same as without processes.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from math import prod
from tempfile import TemporaryFile
from typing import IO, cast

import numpy as np

from colt_core.data.conversion import Conversion
from colt_core.data.decoder import COUNT, Order, decode_alike, write_at
from colt_core.data.errors import DamagedImage, DataError
from colt_core.data.images import UInt8, decode
from colt_core.data.jpeg_headers import JpegHeaders
from colt_core.data.limits import Limits

FEW = 2048  # images that make a process worth its start of a fifth of a second
_MAX_CORES = 8  # the caller reads the archive for all of them and writes
# The caller decodes larger images one at a time: decoding may take nine bytes a pixel.
_MAX_PARALLEL_PIXELS = 2**22
# Bounds of one batch, how many of them a process has at once, and of what is decoded too early.
_MAX_IMAGES, _MAX_FILE_BYTES, _MAX_PIXEL_BYTES, _ORDERS, _MAX_BYTES_AHEAD = 128, 2**20, 2**22, 3, 2**24

Files = Iterator[tuple[str, bytes]]
Decoded = Iterator[tuple[list[str], UInt8 | DamagedImage]]


def decode_files(files: Files, count: int, conversion: Conversion, limits: Limits) -> Decoded:
    """Decode `count` files (name, content), in order.

    Returns:
        (names of neighbouring files, what `conversion` makes of them in one array). Of a damaged
        file, its name alone and the error.

    More than a few files are decoded on all usable cores, at most eight. The caller takes one, and
    a process each of the others. `OMP_NUM_THREADS` sets the number of cores, as for torch.
    The processes end with the iterator. Memory is bounded for any number of files. For each file,
    see `decode`.

    Raises:
        DataError: for the first file that cannot be used, after the images before it.
        RuntimeError: if a decoding process ended unexpectedly.
        Exception: what `files` raises.
    """
    if (cores := min(usable_cores(), _MAX_CORES, -(-count // FEW))) <= 1:
        for name, content in files:
            yield [name], _decoded(content, name, conversion, limits)
        return
    for name, content in files:  # the first whole file gives the shape that the others must have
        first = _decoded(content, name, conversion, limits)
        yield [name], first
        if not isinstance(first, DamagedImage):
            break
    else:
        return
    smaller = replace(limits, max_pixels=min(limits.max_pixels, _MAX_PARALLEL_PIXELS))
    most = max(1, min(_MAX_IMAGES, _MAX_PIXEL_BYTES // first.nbytes))
    ahead = max(_ORDERS * cores, _MAX_BYTES_AHEAD // (most * first.nbytes))
    headers = JpegHeaders()
    with ExitStack() as stack:
        decoders = [stack.enter_context(_Decoder()) for _ in range(cores - 1)]
        pending: deque[_Batch] = deque()
        for batch in _batches(files, most):
            for decoder in decoders:
                decoder.collect()
            decoder = min(decoders, key=len)
            if len(decoder) < _ORDERS:
                decoder.order(batch, first.shape[1:], conversion, smaller)
            else:
                batch.images = decode_alike(batch.contents, first.shape[1:], conversion, smaller, headers)
            pending.append(batch)
            while pending and (pending[0].images is not None or len(pending) > ahead):
                yield from _finished(pending.popleft(), conversion, limits)
        while pending:
            yield from _finished(pending.popleft(), conversion, limits)


def usable_cores() -> int:
    """`OMP_NUM_THREADS` if it is set, else the number of cores that this process may run on."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(slots=True, eq=False)
class _Batch:
    """Neighbouring files.

    Attributes:
        decoder: what decodes them, if not the caller.
        images: of the leading files, up to the first that fails. None: not decoded yet.
        end: raised instead of the next file.
    """

    names: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    decoder: _Decoder | None = None
    images: UInt8 | None = None
    end: Exception | None = None


def _batches(files: Files, most_images: int) -> Iterator[_Batch]:
    batch, held = _Batch(), 0
    try:
        for name, content in files:
            batch.names.append(name)
            batch.contents.append(content)
            held += len(content)
            if held >= _MAX_FILE_BYTES or len(batch.names) >= most_images:
                yield batch
                batch, held = _Batch(), 0
    except Exception as error:  # raised after the images before it
        batch.end = error
    yield batch


def _finished(batch: _Batch, conversion: Conversion, limits: Limits) -> Decoded:
    while batch.images is None:
        assert batch.decoder is not None
        batch.decoder.collect(wait=True)
    alike = batch.images
    if done := len(alike):
        yield batch.names[:done], alike
    for name, content in zip(batch.names[done:], batch.contents[done:], strict=True):
        yield [name], _decoded(content, name, conversion, limits)
    if batch.end is not None:
        raise batch.end


def _decoded(content: bytes, name: str, conversion: Conversion, limits: Limits) -> UInt8 | DamagedImage:
    try:
        return decode(content, name, conversion, limits)[None]
    except DamagedImage as error:
        return error
    except DataError as error:
        if conversion.one_by_one:
            return DamagedImage(str(error))
        raise


class _Decoder:
    """A decoding process. Its length is the number of batches that it has to decode."""

    def __init__(self) -> None:
        self._free = [_unnamed_file() for _ in range(_ORDERS)]
        self._used: deque[tuple[IO[bytes], int, tuple[int, ...], _Batch]] = deque()

    def __len__(self) -> int:
        return len(self._used)

    def __enter__(self) -> _Decoder:
        # Not multiprocessing, whose children run the caller's main module again.
        path = [folder for folder in sys.path if isinstance(folder, str)]  # Python ignores others too
        program = f"import sys; sys.path = {path!r}; from colt_core.data.decoder import main; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # the threads of numpy that it starts with
            pass_fds=[file.fileno() for file in self._free],
        )
        self._orders = cast(IO[bytes], self._process.stdin)
        self._replies = cast(IO[bytes], self._process.stdout)
        self._poll = select.poll()
        self._poll.register(self._replies, select.POLLIN)
        return self

    def order(self, batch: _Batch, shape: tuple[int, ...], conversion: Conversion, limits: Limits) -> None:
        """Have images decoded, if fewer than _ORDERS batches are under way."""
        file, content = self._free.pop(), b"".join(batch.contents)
        batch.decoder = self
        self._used.append((file, len(content), shape, batch))
        write_at(file.fileno(), content, 0)
        try:
            sizes = [*map(len, batch.contents)]
            pickle.dump(Order(file.fileno(), sizes, shape, conversion, limits), self._orders)
            self._orders.flush()
        except BrokenPipeError as error:
            raise self._ended() from error

    def collect(self, wait: bool = False) -> None:
        """Give batches their images: those that are decoded, or at least one."""
        while self._used and (wait or self._poll.poll(0)):
            reply = self._replies.read(COUNT.size)
            if len(reply) < COUNT.size:
                raise self._ended()
            file, offset, shape, batch = self._used.popleft()
            count = COUNT.unpack(reply)[0]
            pixels = os.pread(file.fileno(), count * prod(shape), offset)
            batch.images = np.frombuffer(pixels, np.uint8).reshape(count, *shape)
            if offset > _MAX_FILE_BYTES:
                file.truncate(0)  # a large file was among them
            self._free.append(file)
            wait = False

    def _ended(self) -> RuntimeError:
        code = self._process.wait()
        by = "was killed, probably because memory ran out" if code == -signal.SIGKILL else f"ended with code {code}"
        return RuntimeError(f"a decoding process {by}")

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        with suppress(BrokenPipeError):  # raised if an order was sent only in part
            self._orders.close()
        self._replies.close()
        for file in (*self._free, *(file for file, *_ in self._used)):
            file.close()


def _unnamed_file() -> IO[bytes]:
    """A file in memory, where the system has such files."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("decoding"), "r+b", 0)
    return cast(IO[bytes], TemporaryFile(buffering=0))
