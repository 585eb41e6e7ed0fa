"""Decodes many image files on all cores, in their order.

Processes do the work. For images of some thousand pixels the interpreter takes as long as the
decoder, so two threads are slower than one. An image that fails is decoded again in the calling
process. Errors and their order are therefore the same as without processes.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from math import prod
from queue import SimpleQueue
from typing import IO, cast

import numpy as np

from colt_core.data.conversion import Conversion
from colt_core.data.decoder import COUNT, Order
from colt_core.data.errors import DamagedImage
from colt_core.data.images import UInt8, decode
from colt_core.data.limits import Limits

FEW = 2048  # images that make a process worth its start of more than a quarter of a second
_MAX_PROCESSES = 8  # a single process reads the archive for them and writes
# The caller decodes larger images one at a time: decoding may take nine bytes a pixel.
_MAX_PARALLEL_PIXELS = 2**22
# Bounds of one order. At most two orders for each process are under way.
_MAX_IMAGES, _MAX_FILE_BYTES, _MAX_PIXEL_BYTES = 256, 2**20, 2**22

Files = Iterator[tuple[str, bytes]]
Decoded = Iterator[tuple[list[str], UInt8 | DamagedImage]]


def decode_files(files: Files, count: int, conversion: Conversion, limits: Limits) -> Decoded:
    """Decode `count` files (name, content), in order.

    Returns:
        (names of neighbouring files, what `conversion` makes of them in one array). Of a damaged
        file, its name alone and the error.

    More than a few files are decoded by processes: one for each usable core, at most eight.
    `OMP_NUM_THREADS` sets the number of cores, as for torch. The processes end with the iterator.
    Memory is bounded for any number of files. For each file, see `decode`.

    Raises:
        DataError: for the first file that cannot be used, after the images before it.
        RuntimeError: if a decoding process ended unexpectedly.
        Exception: what `files` raises.
    """
    if (processes := min(usable_cores(), _MAX_PROCESSES, -(-count // FEW))) <= 1:
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
    with _Decoders(processes) as decoders:
        pending: deque[tuple[_Batch, Future[UInt8]]] = deque()
        for batch in _batches(files, _MAX_PIXEL_BYTES // first.nbytes):
            pending.append((batch, decoders.submit(Order(batch.contents, first.shape[1:], conversion, smaller))))
            while len(pending) > 2 * processes:
                yield from _finished(*pending.popleft(), conversion, limits)
        while pending:
            yield from _finished(*pending.popleft(), conversion, limits)


def usable_cores() -> int:
    """`OMP_NUM_THREADS` if it is set, else the number of cores that this process may run on."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(slots=True)
class _Batch:
    names: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    end: Exception | None = None  # raised instead of the next file


def _batches(files: Files, most_images: int) -> Iterator[_Batch]:
    batch, held = _Batch(), 0
    try:
        for name, content in files:
            batch.names.append(name)
            batch.contents.append(content)
            held += len(content)
            if held >= _MAX_FILE_BYTES or len(batch.names) >= min(most_images, _MAX_IMAGES):
                yield batch
                batch, held = _Batch(), 0
    except Exception as error:  # raised after the images before it
        batch.end = error
    yield batch


def _finished(batch: _Batch, images: Future[UInt8], conversion: Conversion, limits: Limits) -> Decoded:
    alike = images.result()
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


class _Decoders:
    """Decoding processes, each with a thread that waits for it."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._idle: SimpleQueue[_Process] = SimpleQueue()

    def __enter__(self) -> _Decoders:
        with ExitStack() as stack:
            self._threads = ThreadPoolExecutor(self._count, "decoding")
            stack.callback(self._threads.shutdown, cancel_futures=True)
            for _ in range(self._count):
                process = _Process()
                stack.callback(process.end)  # ends before the threads, which wait for it
                self._idle.put(process)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def submit(self, order: Order) -> Future[UInt8]:
        return self._threads.submit(self._decode, order)

    def _decode(self, order: Order) -> UInt8:
        process = self._idle.get()
        try:
            return process.decode(order)
        finally:
            self._idle.put(process)


class _Process:
    def __init__(self) -> None:
        # Not multiprocessing, whose children run the caller's main module again.
        path = [folder for folder in sys.path if isinstance(folder, str)]  # Python ignores others too
        program = f"import sys; sys.path = {path!r}; from colt_core.data.decoder import main; main()"
        self._process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._orders = cast(IO[bytes], self._process.stdin)
        self._replies = cast(IO[bytes], self._process.stdout)

    def decode(self, order: Order) -> UInt8:
        try:
            pickle.dump(order, self._orders, pickle.HIGHEST_PROTOCOL)
            self._orders.flush()
            count = COUNT.unpack(self._read(COUNT.size))[0]
            return np.frombuffer(self._read(count * prod(order.shape)), np.uint8).reshape(count, *order.shape)
        except (BrokenPipeError, EOFError) as error:
            code = self._process.wait()
            by = "was killed, probably because memory ran out" if code == -signal.SIGKILL else f"ended with code {code}"
            raise RuntimeError(f"a decoding process {by}") from error

    def _read(self, size: int) -> bytes:
        content = self._replies.read(size)
        if len(content) < size:
            raise EOFError
        return content

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        with suppress(BrokenPipeError):  # raised if an order was sent only in part
            self._orders.close()
        self._replies.close()
