"""A new run that begins with the weights of another one (mlflow#927, flair#1824)."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch

from colt_core.events import CheckpointReady
from colt_core.frameworks.build import build_framework
from colt_core.snapshot import Snapshot
from colt_core.training.pretrain import pretrain
from tests.support.tiny_runs import TRAIN, config, difference, images, kinds, run, stop_after

SOURCE = config(epochs=1, sampler="none", seed=3)
FURTHER = config(epochs=2, sampler="none", seed=4)


def last_state(events: list) -> Snapshot:
    return kinds(events, CheckpointReady)[-1].state  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def source() -> Snapshot:
    return last_state(run(SOURCE))


@pytest.fixture(scope="module")
def further(source: Snapshot) -> list:
    return run(FURTHER, start_from=source)


def weights(state: Snapshot, prefix: str) -> dict[str, torch.Tensor]:
    return {name: value for name, value in state["framework"].items() if name.startswith(prefix)}


def test_it_begins_with_those_weights_and_with_nothing_else(source: Snapshot, further: list) -> None:
    first = further[0]
    assert isinstance(first, CheckpointReady) and (first.epoch, first.step) == (0, 0)
    assert difference(first.state["framework"], source["framework"]) is None
    assert first.state["optimizer"]["state"] == {} and not first.state["tailness"]["seen"].any()
    assert (first.state["config"], first.state["rounds"]) == (FURTHER.model_dump(), 0)
    assert difference(last_state(further), last_state(run(FURTHER))) is not None


def test_the_source_is_left_as_it_was(source: Snapshot, further: list) -> None:
    assert difference(source, last_state(run(SOURCE))) is None


def test_resumed_at_any_place_it_ends_the_same_without_the_source(source: Snapshot, further: list) -> None:
    from_the_start = run(FURTHER, resume_from=further[0].state)
    assert difference(from_the_start, further[1:]) is None
    stopped = run(FURTHER, start_from=source, should_stop=stop_after(3))
    rest = run(FURTHER, resume_from=last_state(stopped))
    assert difference(last_state(rest), last_state(further)) is None


def test_copies_of_the_encoder_begin_as_copies(source: Snapshot) -> None:
    moco = build_framework(config(framework="moco", queue_size=8), 26, source)
    for own, key in ((moco.backbone, moco.key_backbone), (moco.projector, moco.key_projector)):
        assert difference(dict(own.state_dict()), dict(key.state_dict())) is None
    assert difference(dict(moco.backbone.state_dict(prefix="backbone.")), weights(source, "backbone.")) is None
    sdclr = build_framework(config(framework="sdclr"), 26, source)
    trained = sdclr.backbone.state_dict()["bn1.running_mean"]
    assert torch.equal(sdclr.pruned_backbone.state_dict()["norms.bn1.running_mean"], trained) and trained.any()


def test_a_head_of_another_size_begins_anew(source: Snapshot) -> None:
    other = config(projection_dim=16)
    built, fresh = build_framework(other, 26, source), build_framework(other, 26)
    assert difference(dict(built.projector.state_dict()), dict(fresh.projector.state_dict())) is None
    assert difference(dict(built.backbone.state_dict(prefix="backbone.")), weights(source, "backbone.")) is None


def test_other_data_of_another_size_are_fine(source: Snapshot) -> None:
    more = images(40, seed=5, side=32)
    assert kinds(list(pretrain(FURTHER, more, start_from=source)), CheckpointReady)


def test_weights_that_do_not_fit_are_refused_at_once_by_name(source: Snapshot) -> None:
    with pytest.raises(ValueError, match=r"width: 8 does not fit the weights to start from: set 4.*stem: 'cifar'"):
        pretrain(config(width=8, stem="cifar", sampler="none"), TRAIN, start_from=source)
    with pytest.raises(ValueError, match="either resume_from or start_from"):
        pretrain(SOURCE, TRAIN, start_from=source, resume_from=source)
    newer = deepcopy(source) | {"format": 99}
    with pytest.raises(ValueError, match="format 99"):
        pretrain(FURTHER, TRAIN, start_from=newer)
