"""Windows of a ranking beside the sorted pool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from api.tailness import ranking
from api.tailness.ood_samples import OodFilter
from api.tailness.ordering import ordered
from api.tailness.ranking import Ranking, keys_of
from store import pool_scores
from store.artifacts import get_artifacts
from store.pool_scores import InFile, InRow, PoolScores, Source, packed

IMAGES = 700
ORDERS = ("-tailness", "tailness", "-similarity", "similarity", "-cluster", "cluster", "-index", "index")
FILTERS = (
    OodFilter(),
    OodFilter(cluster=2),
    OodFilter(selected=True, min=-0.25),
    OodFilter(selected=False, max=0.25, cluster=1),
    OodFilter(change="left"),
    OodFilter(cluster=9),
)


@pytest.fixture
def columns() -> dict[str, NDArray[Any]]:
    """With many equal scores, both zeros, infinities, and several kinds of what is no number."""
    rng = np.random.default_rng(3)
    tailness = rng.integers(-4, 5, IMAGES).astype("<f4") / 8
    tailness[rng.integers(IMAGES, size=60)] = np.repeat(np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0], "<f4"), 12)
    tailness[:300] = np.where(rng.random(300) < 0.5, tailness[:300], rng.normal(size=300))
    similarity = np.round(rng.random(IMAGES), 2).astype("<f4")
    return {"tailness": tailness, "similarity": similarity, "cluster": rng.integers(4, size=IMAGES).astype("u1")}


@pytest.mark.parametrize("in_file", [True, False])
@pytest.mark.parametrize("beside", [0, 40, 2**17])
def test_windows_are_what_the_sorted_pool_has(
    columns: dict[str, NDArray[Any]],
    monkeypatch: pytest.MonkeyPatch,
    home: Path,
    in_file: bool,
    beside: int,
) -> None:
    monkeypatch.setattr(ranking, "MOST_BESIDE", beside)
    monkeypatch.setattr(pool_scores, "BLOCK", 128)
    rng = np.random.default_rng(5)
    picks, before = (np.flatnonzero(rng.random(IMAGES) < 0.3).astype(np.int32) for _ in range(2))
    source: Source = InRow(columns)  # type: ignore[arg-type]
    if in_file:
        key = f"jobs/j/rounds/{beside}.scores"
        measured = columns["tailness"], columns["similarity"], columns["cluster"]
        stored = get_artifacts().write(key, packed(*measured, 4, picks))
        assert stored.bytes == 9 * IMAGES + -(-IMAGES // 8)
        source = InFile(key, IMAGES, stored.bytes)
    scores = PoolScores(1, 1, IMAGES, picks, source)
    for wanted in FILTERS:
        passing = np.concatenate([wanted.passing(block, before) for block in scores.blocks(*pool_scores.COLUMNS)])
        for order in ORDERS:
            expected = ordered(np.flatnonzero(passing), columns, order)
            found = Ranking(
                scores,
                order,
                lambda block, wanted=wanted: wanted.passing(block, before),
                wanted.columns,
                wanted.narrowing,
            )
            assert found.total == len(expected)
            for start, count in ((0, 50), (37, 1), (len(expected) - 3, 10), (len(expected), 5), (100, 300)):
                window = found.window(max(0, start), count)
                shown = expected[max(0, start) : max(0, start) + count]
                np.testing.assert_array_equal(window.index, shown)
                np.testing.assert_array_equal(window.tailness, columns["tailness"][shown])
                np.testing.assert_array_equal(window.similarity, columns["similarity"][shown])
                np.testing.assert_array_equal(window.cluster, columns["cluster"][shown])
                np.testing.assert_array_equal(window.selected, np.isin(shown, picks))
            assert np.concatenate([w.index for w in found.windows(97)] or [[]]).tolist() == expected.tolist()


@pytest.mark.parametrize("descending", [True, False])
def test_keys_ascend_as_numpy_sorts(descending: bool) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(2**32, size=20_000, dtype=np.uint32).view(np.float32)  # of all magnitudes
    values[np.isnan(values)] = np.nan
    order = np.argsort(keys_of(values, descending=descending), kind="stable")
    np.testing.assert_array_equal(order, ordered(np.arange(len(values)), {"a": values}, "-a" if descending else "a"))
