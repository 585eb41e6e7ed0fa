"""The bundled experiments: what they name is registered, and each compares what it says."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.experiments.arms import Arm, planned, template_of
from api.experiments.schemas import MOST_ARMS, NewExperiment
from api.experiments.templates import FOLDER, templates
from colt_core.presets import PRESETS
from colt_core.training.schedule import Schedule

ABLATIONS = {
    "ablation-budget": "sample_budget",
    "ablation-clusters": "num_clusters",
    "ablation-interval": "sample_interval",
    "ablation-loss-weight": "distribution_loss_weight",
    "ablation-momentum": "tailness_momentum",
    "ablation-top-k": "top_k",
}


def arms_of(template: str, **config: Any) -> list[Arm]:
    ids: dict[str, Any] = {"dataset_ids": ["d"], "ood_pool_id": "p"}
    if any(arm.train_on for arm in templates()[template].arms):
        ids["balanced_dataset_ids"] = ["b"]
    wanted = NewExperiment(name="e", template=template, config=config, **ids)
    return planned(wanted, template_of(wanted))


def steps(arm: Arm) -> int:
    return Schedule(arm.config, 1000).steps


def test_every_file_is_listed(client: TestClient) -> None:
    listed = client.get("/api/v1/experiments/templates").json()
    assert [template["name"] for template in listed] == sorted(path.stem for path in FOLDER.iterdir())
    assert {*ABLATIONS, "did-it-help", "paper-comparison"} == {template["name"] for template in listed}
    assert all(template["title"] and template["summary"] and template["evaluations"] for template in listed)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("template", templates())
def test_its_arms_can_be_planned_with_every_preset(template: str, preset: str) -> None:
    arms = arms_of(template, preset=preset)
    assert len(arms) == len(templates()[template].arms) <= MOST_ARMS
    assert len({arm.name for arm in arms}) == len(arms)
    assert not any("{" in arm.name for arm in arms)


@pytest.mark.parametrize(("template", "setting"), ABLATIONS.items())
def test_an_ablation_changes_one_setting_alone(template: str, setting: str) -> None:
    first, *others = (arm.config.model_dump() for arm in arms_of(template, preset="cpu-small"))
    for other in others:
        assert {name for name in first if first[name] != other[name]} == {setting}
    assert first[setting] == arms_of(template, preset="cpu-small")[0].config.model_dump()[setting]
    if template != "ablation-budget":  # more images are more steps
        assert len({steps(arm) for arm in arms_of(template, preset="cpu-small")}) == 1


def test_factors_are_of_the_setting_that_is_asked_for() -> None:
    names = [arm.name for arm in arms_of("ablation-budget", preset="digits", sample_budget=100)]
    assert names == ["K = 100", "K = 25", "K = 50", "K = 200"]
    names = [arm.name for arm in arms_of("ablation-loss-weight", preset="digits")]
    assert names == ["alpha = 0.2", "without the loss", "alpha = 0.1", "alpha = 0.4"]
    # 0.2 and 0.4 of two epochs are one epoch both: the same arm is there once.
    names = [arm.name for arm in arms_of("ablation-interval", preset="digits", sample_interval=2)]
    assert names == ["r = 2", "r = 1", "r = 4", "r = 8"]


def test_did_it_help_compares_at_equal_steps() -> None:
    arms = {arm.name: arm for arm in arms_of("did-it-help", preset="cpu-small", framework="sdclr")}
    assert list(arms) == [
        "SDCLR, matched steps",
        "SDCLR",
        "SDCLR, random OOD images",
        "SDCLR with COLT",
        "SDCLR, balanced data",
    ]
    equal = {steps(arm) for name, arm in arms.items() if name != "SDCLR"}
    assert len(equal) == 1 and steps(arms["SDCLR"]) < equal.pop()
    assert arms["SDCLR, balanced data"].train_on == ["b"]


def test_the_papers_comparison_is_at_equal_steps() -> None:
    arms = arms_of("paper-comparison", preset="cifar10-lt")
    assert len({steps(arm) for arm in arms}) == 1
    assert {arm.config.framework.kind for arm in arms} == {"simclr", "sdclr", "bcl"}
