"""Unseen images are scored as a sampling round scores its pool."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from colt_core.data.sources import ArrayImages
from colt_core.data.spec import PoolSpec
from colt_core.data.unseen import UnseenImages
from colt_core.events import CheckpointReady, RoundDone
from colt_core.training.scoring import TailnessScorer
from tests.support.tiny_runs import POOL, TRAIN, config, images, kinds, run


@pytest.mark.parametrize(
    "settings", [{}, {"sampler": "random"}, {"framework": "sdclr"}, {"framework": "moco", "precision": "bf16"}], ids=str
)
def test_images_of_the_pool_get_the_score_of_every_round(settings: dict[str, Any]) -> None:
    events = run(config(checkpoint_interval=100, **settings))
    states = {event.step: event.state for event in kinds(events, CheckpointReady)}  # type: ignore[attr-defined]
    rounds = kinds(events, RoundDone)
    assert len(rounds) == 2
    for found in rounds:
        assert isinstance(found, RoundDone)
        scores = TailnessScorer(states[found.step], TRAIN).score(POOL, nearest=found.nearest.shape[1])
        assert scores.tailness.dtype == np.float32
        np.testing.assert_allclose(scores.tailness, found.ood_tailness, atol=1e-5)
        np.testing.assert_array_equal(scores.cluster, found.ood_cluster)
        np.testing.assert_allclose(scores.similarity, found.ood_similarity, atol=1e-5)
        np.testing.assert_allclose(scores.nearest_similarity[found.selected], found.nearest_similarity, atol=1e-5)
    assert not np.allclose(rounds[0].ood_tailness, rounds[1].ood_tailness, atol=1e-5)  # type: ignore[attr-defined]


def test_a_score_is_of_the_image_alone_and_its_batch_does_not_matter() -> None:
    *_, last = kinds(run(config()), CheckpointReady)
    scorer = TailnessScorer(last.state, TRAIN)  # type: ignore[attr-defined]
    unseen = images(7, seed=9)
    together = scorer.score(unseen).tailness
    np.testing.assert_allclose([scorer.score(unseen[[i]]).tailness[0] for i in range(7)], together, atol=1e-5)
    assert ((together >= -1) & (together <= 0)).all()


def test_a_large_pool_is_scored_in_half_precision_as_its_round_did(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pool_embeddings", "scoring"):
        monkeypatch.setattr(f"colt_core.training.{module}.LARGEST_IN_MEMORY", 1)
    events = run(config(warmup_epochs=3))
    (found,) = kinds(events, RoundDone)
    state = next(event.state for event in kinds(events, CheckpointReady) if event.step == found.step)  # type: ignore[attr-defined]
    scores = TailnessScorer(state, TRAIN).score(POOL)
    np.testing.assert_allclose(scores.tailness, found.ood_tailness, atol=1e-5)  # type: ignore[attr-defined]


def test_other_training_images_and_runs_without_rounds_are_refused() -> None:
    *_, last = kinds(run(config(sampler="none", epochs=1)), CheckpointReady)
    with pytest.raises(ValueError, match="'none' has no sampling rounds"):
        TailnessScorer(last.state, TRAIN)  # type: ignore[attr-defined]
    *_, last = kinds(run(config(epochs=3)), CheckpointReady)
    with pytest.raises(ValueError, match="num_train was 26 and is 25"):
        TailnessScorer(last.state, TRAIN[1:])  # type: ignore[attr-defined]


def test_bad_images_are_named_and_the_others_keep_their_places() -> None:
    deep = np.full((2, 16, 16), 40_000, np.uint16)
    eight = images(5, seed=3)
    unseen = UnseenImages(ArrayImages([("a", eight.transpose(0, 2, 3, 1)), ("b", deep)]), PoolSpec(), 16)
    found = [(at.tolist(), pixels.copy()) for at, pixels in unseen.batches(3)]
    assert [at for at, _ in found] == [[0, 1, 2], [3, 4]]
    np.testing.assert_array_equal(np.concatenate([pixels for _, pixels in found]), eight)
    assert list(unseen.refused) == [5, 6] and "'b[1]' has more than 8 bits" in unseen.refused[6]


def test_they_are_converted_as_the_registration_did() -> None:
    spec = PoolSpec(image_size=8, fit="pad", background="#ff0000", bit_depth="scale", value_range=(0, 1000))
    unseen = UnseenImages(ArrayImages([("a", np.full((1, 8, 16), 500, np.uint16))]), spec, 8)
    ((_, pixels),) = unseen.batches(4)
    assert pixels[0, :, 4, 4].tolist() == [128] * 3
    assert pixels[0, :, 0, 4].tolist() == [255, 0, 0]
