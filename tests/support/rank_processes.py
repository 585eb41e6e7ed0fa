"""Real processes that form a gloo group, started once for many tests: starting them takes seconds.

A test hands them a function of its module, which is called with the process's `Ranks` and the
test's arguments.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from colt_core.distributed import Launch, process_group
from tests.support.forking import FORKING
from tests.support.tiny_runs import config

PATIENCE = 120.0

OnRanks = Callable[..., list[Any]]


@contextmanager
def rank_processes(size: int, folder: Path) -> Iterator[OnRanks]:
    """`size` ranks. What is given calls `function(ranks, *arguments)` on all of them, and has their
    results."""
    ends, processes = [], []
    for rank in range(size):
        mine, theirs = FORKING.Pipe()
        launch = Launch(rank, size, rank, size, f"file://{folder}/rendezvous-{size}")
        process = FORKING.Process(target=_serve, args=(theirs, launch), daemon=True)
        process.start()
        theirs.close()
        ends.append(mine)
        processes.append(process)

    def on_ranks(function: Callable[..., Any], *arguments: Any) -> list[Any]:
        for end in ends:
            end.send((function, arguments))
        results: dict[Connection, Any] = {}
        while len(results) < size:
            ready = wait([end for end in ends if end not in results], PATIENCE)
            assert ready, f"ranks {[rank for rank, end in enumerate(ends) if end not in results]} do not answer"
            for end in ready:
                assert isinstance(end, Connection)
                failed, results[end] = end.recv()
                if failed:  # the others may wait for it forever
                    for process in processes:
                        process.kill()
                    raise AssertionError(f"rank {ends.index(end)}:\n{results[end]}")
        return [results[end] for end in ends]

    try:
        yield on_ranks
        for end in ends:
            end.send(None)
        for process in processes:
            process.join(PATIENCE)
            assert process.exitcode == 0
    finally:
        for process in processes:
            process.kill()
            process.join()
        for end in ends:
            end.close()


def _serve(end: Connection, launch: Launch) -> None:
    with process_group(config(num_processes=launch.size), launch) as ranks:
        while (call := end.recv()) is not None:
            function, arguments = call
            try:
                end.send((False, function(ranks, *arguments)))
            except BaseException:
                end.send((True, traceback.format_exc()))
