"""A new framework and a new sampler: registered, configured, trained, resumed, with no other file
changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
import pytest
from pydantic import ValidationError

from colt_core.config import PretrainConfig, config_schema
from colt_core.events import CheckpointReady, RoundDone
from colt_core.frameworks.kinds import FrameworkSettings, SdclrSettings, frameworks
from colt_core.kinds import Registry, Settings
from colt_core.samplers.kinds import NoneSettings, RoundSettings, samplers
from colt_core.samplers.protocol import RoundInputs, Sampler
from tests.support import toy_kinds
from tests.support.tiny_runs import config, difference, kinds, run, stop_after
from tests.support.toy_kinds import NoisySettings


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for registry in (frameworks, samplers):
        monkeypatch.setattr(registry, "_classes", dict(registry._classes))
    toy_kinds.register()
    yield


@pytest.mark.usefixtures("toys")
def test_new_kinds_are_configured_by_flat_names() -> None:
    made = PretrainConfig.resolve({"framework": "noisy", "sampler": "last", "noise": 0.5, "epochs": 200})
    assert (made.framework, made.sampler.kind) == (NoisySettings(noise=0.5), "last")
    assert made.model_dump()["skip"] == 0
    assert PretrainConfig.from_stored(made.model_dump(mode="json")) == made
    with pytest.raises(ValidationError, match="only framework 'noisy' reads it, and this run's is 'simclr'"):
        PretrainConfig.resolve({"noise": 0.5})
    schema = config_schema()["properties"]
    assert schema["framework"]["enum"][-1] == "noisy" and schema["sampler"]["enum"][-1] == "last"
    assert schema["noise"]["description"].startswith("Read by framework noisy. Share of another view")


@pytest.mark.usefixtures("toys")
def test_new_kinds_train_and_resume_exactly() -> None:
    made = config(framework="noisy", sampler="last", noise=0.5, skip=2)
    whole = run(made)
    assert kinds(whole, RoundDone)[0].selected.tolist() == list(range(4, 28))
    before = run(made, should_stop=stop_after(10))
    assert difference(before[:-2] + run(made, resume_from=before[-2].state), whole) is None
    strength = kinds(whole, CheckpointReady)[-1].state["framework"]["strength"]
    assert float(strength) == pytest.approx(0.5 * 0.9**22, rel=1e-4)
    assert difference(whole, run(config(framework="noisy", sampler="last", noise=0.1, skip=2)))


def test_a_name_is_taken_once() -> None:
    class First(Settings):
        kind, title, implementation = "one", "One", ""

    class Second(First):
        pass

    registry: Registry[Settings] = Registry("toy")
    registry.register(First)
    registry.register(First)
    with pytest.raises(ValueError, match="there is a toy 'one' already"):
        registry.register(Second)
    assert list(registry) == ["one"] and registry["one"] is First


def test_a_setting_beside_the_object_that_holds_it_is_refused() -> None:
    whole = {"framework": SdclrSettings(prune_share=0.5)}
    for make in (PretrainConfig.resolve, PretrainConfig.model_validate):
        assert make(whole).framework == SdclrSettings(prune_share=0.5)
        with pytest.raises(ValidationError, match="framework is given as an object: set it there") as refused:
            make(whole | {"prune_share": 0.3})
        assert [item["loc"] for item in refused.value.errors()] == [("prune_share",)]
    assert PretrainConfig().model_copy(update=whole).framework == SdclrSettings(prune_share=0.5)
    assert PretrainConfig.resolve({"sampler": NoneSettings(), "epochs": 50}).sampler == NoneSettings()


@pytest.mark.parametrize("before", frameworks)
@pytest.mark.parametrize("after", frameworks)
def test_a_copy_takes_any_other_framework(before: str, after: str) -> None:
    made = PretrainConfig.resolve({"framework": before, "seed": 3})
    copied = made.model_copy(update={"framework": after})
    assert copied == PretrainConfig.resolve({"framework": after, "seed": 3, "weight_decay": made.weight_decay})


def test_a_kind_that_does_not_say_what_it_is_is_refused() -> None:
    class Half(Settings):
        kind = "half"

    registry: Registry[Settings] = Registry("toy")
    with pytest.raises(TypeError, match="Half is a toy, and does not say its title, implementation"):
        registry.register(Half)
    assert not registry


@pytest.mark.usefixtures("toys")
def test_a_new_kind_whose_setting_has_a_common_name_changes_no_run_of_another_kind() -> None:
    class WarmSettings(FrameworkSettings):
        kind, title, implementation = "warm", "Warm", "colt_core.frameworks.simclr:SimCLR"

        temperature: float = 0.9

    before = PretrainConfig.resolve({"temperature": 0.7}).model_dump()
    frameworks.register(WarmSettings)
    assert PretrainConfig.from_stored(before).temperature == 0.7


class Hardest(Sampler):
    """Takes the images of the largest loss."""

    needs_measures = True

    @classmethod
    def of(cls, config: PretrainConfig) -> Self:
        return cls()

    def select(self, inputs: RoundInputs) -> np.ndarray:
        assert inputs.measures is not None
        return np.argsort(-inputs.measures.ood_loss, kind="stable")[: inputs.budget]


@pytest.mark.usefixtures("toys")
def test_a_new_sampler_may_ask_for_measures_of_the_pool() -> None:
    @samplers.register
    class HardestSettings(RoundSettings):
        kind, title, implementation = "hardest", "Hardest", f"{__name__}:Hardest"

    made, budget = config(sampler="hardest", epochs=3), config().rounds.sample_budget
    (found,) = kinds(run(made), RoundDone)
    assert len(set(found.selected.tolist())) == len(found.selected) == budget
