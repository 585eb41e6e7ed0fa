"""The scores of a sampling round as a file, which is made while it is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api.http.errors import NotFound
from api.http.outbox import Outbox
from api.tailness.ood_samples import OodFilter, ranking_of, scores_of
from api.tailness.ranking import Ranking, sorted_places
from api.tailness.schemas import OodOrder
from store.repositories import rounds
from store.repositories.rounds import Picks

if TYPE_CHECKING:
    import pyarrow as pa

CSV_BLOCK, BLOCK = 2**16, 2**17  # rows that are made at once; of Parquet, those of a row group
RoundsOf = Callable[[NDArray[np.int64]], tuple[NDArray[np.int32], NDArray[np.int32]]]
HEADER = ("index", "tailness", "cluster", "similarity", "selected", "selected_rounds")


def as_csv(session: Session, job_id: str, wanted: OodFilter, order: OodOrder) -> Iterator[bytes]:
    """The samples of all pages, in blocks of lines. Streaming them needs no session.

    Raises:
        NotFound: there is no such job, the round was not run, its scores are gone, or no round was
            run yet.
    """
    ranking, chosen_of = _exported(session, job_id, wanted, order)

    def blocks() -> Iterator[bytes]:
        import pyarrow as pa
        import pyarrow.compute as pc
        from pyarrow import csv

        yield (",".join(HEADER) + "\n").encode()
        options = csv.WriteOptions(include_header=False, quoting_style="none")
        for window in ranking.windows(CSV_BLOCK):
            offsets, chosen = chosen_of(window.index)
            numbers = pa.array(np.arange(int(chosen.max(initial=0)) + 1)).cast(pa.string()).take(pa.array(chosen))
            joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), numbers), " ")
            # In float64, whose digits say what the list says.
            tailness, similarity = (values.astype(np.float64) for values in (window.tailness, window.similarity))
            columns = (window.index, tailness, window.cluster, similarity, window.selected)
            batch = pa.record_batch([*map(pa.array, columns), joined], names=list(HEADER))
            outbox = pa.BufferOutputStream()
            csv.write_csv(batch, outbox, options)
            yield outbox.getvalue().to_pybytes()

    return blocks()


def as_parquet(session: Session, job_id: str, wanted: OodFilter, order: OodOrder) -> Iterator[bytes]:
    """The same as a Parquet file, in pieces. Scores that are not finite are null.

    Raises:
        NotFound: as for `as_csv`.
    """
    ranking, chosen_of = _exported(session, job_id, wanted, order)

    def pieces() -> Iterator[bytes]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        types = (pa.int64(), pa.float32(), pa.int32(), pa.float32(), pa.bool_(), pa.list_(pa.int32()))
        schema = pa.schema(list(zip(HEADER, types, strict=True)))
        outbox = Outbox()
        # A dictionary of scores, of which few are equal, would be built in vain.
        with pq.ParquetWriter(outbox, schema, use_dictionary=["cluster", "selected_rounds"]) as writer:
            for window in ranking.windows(BLOCK):
                offsets, chosen = chosen_of(window.index)
                columns = [
                    pa.array(window.index),
                    _finite(window.tailness),
                    pa.array(window.cluster, pa.int32()),
                    _finite(window.similarity),
                    pa.array(window.selected),
                    pa.ListArray.from_arrays(pa.array(offsets), pa.array(chosen)),
                ]
                writer.write_batch(pa.record_batch(columns, schema=schema))
                yield outbox.take()
        yield outbox.take()

    return pieces()


def _exported(session: Session, job_id: str, wanted: OodFilter, order: OodOrder) -> tuple[Ranking, RoundsOf]:
    scores = scores_of(session, job_id, wanted.round)
    if scores is None:
        raise NotFound("This job has had no sampling round yet.")
    return ranking_of(session, job_id, scores, wanted, order), _rounds_of(rounds.picks(session, job_id))


def _finite(values: NDArray[np.float32]) -> pa.Array:
    import pyarrow as pa

    return pa.array(values, pa.float32(), mask=~np.isfinite(values))


def _rounds_of(picks: Picks) -> RoundsOf:
    """Finds the rounds that picked each of n images, which may be in any order.

    Returns:
        A function of (n,) indices. It gives (n + 1,) places where the rounds of each begin and end,
        and all rounds, one image after the other.
    """
    begins = np.flatnonzero(np.diff(picks.index, prepend=-1))
    images, ends = np.append(picks.index[begins], np.int32(-1)), np.append(begins, len(picks.index))

    def rounds_of(index: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        order = sorted_places(index.astype(np.uint32))  # a search in order is many times quicker
        place = np.empty(len(index), np.int64)
        place[order] = np.searchsorted(images[:-1], index[order].astype(np.int32))
        found = np.flatnonzero(images[place] == index)
        begin, counts = ends[place[found]], np.zeros(len(index), np.int64)
        counts[found] = ends[place[found] + 1] - begin
        offsets = np.concatenate([[0], np.cumsum(counts)])
        places = np.arange(offsets[-1]) + np.repeat(begin - offsets[found], counts[found])
        return offsets.astype(np.int32), picks.round[places]

    return rounds_of
