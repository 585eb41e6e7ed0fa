"""Settings of probes and analyses: which kind they are of, what it reads, and rows that older
versions wrote."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from colt_core.analyses.kinds import AnalysisSettings, ConnectivityConfig, MisclassificationConfig, analyses
from colt_core.data.groups import GroupThresholds
from colt_core.probes.kinds import (
    EvaluationConfig,
    FewShotProbeConfig,
    KnnProbeConfig,
    LinearProbeConfig,
    ProbeSettings,
    probes,
)

KINDS = [*probes.values(), *analyses.values()]
THRESHOLDS = {"low": 20, "high": 100}


def old_row(kind: str, **values: Any) -> dict[str, Any]:
    """A probe's row from before kinds had settings of their own: every setting of every kind."""
    every = {"protocol": "fast", "shots": None, "neighbors": 20, "group_thresholds": None, "seed": 0}
    return {"kind": kind, **every, **values}


def problems(settings: type[AnalysisSettings] | type[ProbeSettings], values: Any) -> dict[tuple[int | str, ...], str]:
    with pytest.raises(ValidationError) as refused:
        settings.model_validate(values)
    return {item["loc"]: item["msg"] for item in refused.value.errors()}


@pytest.mark.parametrize("settings", KINDS, ids=lambda settings: settings.kind)
def test_a_kind_says_what_it_is_and_its_defaults_survive_json(settings: type[ProbeSettings]) -> None:
    assert settings.title and settings.summary().endswith(".")
    assert settings.registry[settings.kind] is settings
    assert callable(settings.load())
    document = settings().model_dump(mode="json")
    assert document["kind"] == settings.kind == settings().kind
    abstract = ProbeSettings if settings.registry is probes else AnalysisSettings
    assert abstract.model_validate(document) == settings() == abstract.from_stored(document)
    assert settings.model_json_schema()["properties"]["kind"]["const"] == settings.kind


def test_the_public_constructor_makes_settings_of_the_kind_named() -> None:
    assert EvaluationConfig() == LinearProbeConfig()
    assert EvaluationConfig(kind="knn", neighbors=3) == KnnProbeConfig(neighbors=3)
    assert EvaluationConfig(kind="few_shot", protocol="sgd", shots=2).shots == 2
    assert isinstance(EvaluationConfig(), EvaluationConfig)
    settings = EvaluationConfig(kind="knn", group_thresholds=THRESHOLDS)
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert settings.model_copy(update={"seed": 1}) == KnnProbeConfig(group_thresholds=GroupThresholds(), seed=1)
    with pytest.raises(ValidationError, match=r"Unknown probe 'svm'\. Choose one of linear, few_shot, knn"):
        EvaluationConfig(kind="svm")


def test_a_setting_of_another_kind_is_refused_and_told_whose_it_is() -> None:
    assert problems(ProbeSettings, {"kind": "knn", "shots": None, "protocol": "fast"}) == {
        ("shots",): "only probe 'few_shot' reads it",
        ("protocol",): "only probe 'linear' or 'few_shot' reads it",
    }
    assert problems(AnalysisSettings, {"kind": "alignment", "num_ood": 3}) == {
        ("num_ood",): "only analysis 'connectivity' or 'feature_map' reads it"
    }


def test_an_unknown_setting_in_events_with_what_may_be_meant() -> None:
    # Beside it, all else that is wrong.
    assert problems(ProbeSettings, {"kind": "knn", "neighbours": 3, "neighbors": 0}) == {
        ("neighbors",): "Input should be greater than or equal to 1",
        ("neighbours",): "Unknown setting 'neighbours'. Did you mean 'neighbors'?",
    }
    assert problems(ProbeSettings, {"kind": "knn", "k": 3}) == {("k",): "Unknown setting 'k'."}
    assert problems(ProbeSettings, {"kind": "kn"}) == {
        ("kind",): "Unknown probe 'kn'. Did you mean 'knn'? Choose one of linear, few_shot, knn"
    }
    assert problems(
        AnalysisSettings, {"kind": "misclassification", "probe": {"kind": "knn", "sed": 1, "shots": 2}}
    ) == {
        ("probe", "sed"): "Unknown setting 'sed'. Did you mean 'seed'?",
        ("probe", "shots"): "only probe 'few_shot' reads it",
    }


def test_of_very_many_unknown_settings_only_some_are_looked_up() -> None:
    told = problems(ProbeSettings, {f"neighbour{n}": 1 for n in range(60)})
    assert sum(text.startswith("Unknown setting") for text in told.values()) == 50 < len(told) == 60


@pytest.mark.parametrize("kind", ["horoscope", None, 3, ["knn"], {}])
def test_a_kind_that_is_none_is_refused(kind: Any) -> None:
    for settings in (ProbeSettings, AnalysisSettings):
        (place,) = problems(settings, {"kind": kind})
        assert place == ("kind",)


def test_settings_without_a_kind_are_of_the_default_if_there_is_one() -> None:
    assert ProbeSettings.model_validate({"seed": 3}) == LinearProbeConfig(seed=3)
    assert problems(AnalysisSettings, {"seed": 3}) == {("kind",): "Field required"}
    assert problems(AnalysisSettings, "uniformity") == {(): "Input should be an object with a 'kind'"}
    assert problems(KnnProbeConfig, {"kind": "linear"}) == {("kind",): "Input should be 'knn'"}


def test_rows_of_older_versions_are_read_without_what_the_kind_does_not_read() -> None:
    row = old_row("knn", neighbors=7, group_thresholds=THRESHOLDS)
    settings = ProbeSettings.from_stored(row)
    assert settings == KnnProbeConfig(neighbors=7, group_thresholds=GroupThresholds(low=20, high=100))
    within = AnalysisSettings.from_stored({"kind": "misclassification", "seed": 2, "probe": row})
    assert within == MisclassificationConfig(seed=2, probe=settings)
    with pytest.raises(ValidationError):  # only a row is read like this
        ProbeSettings.model_validate(row)
    with pytest.raises(ValidationError):
        ProbeSettings.from_stored(old_row("knn", neighbors=0))


def test_a_row_of_an_older_version_counts_as_the_same_request() -> None:
    assert LinearProbeConfig().is_stored_as(old_row("linear"))
    assert LinearProbeConfig().is_stored_as(old_row("linear", neighbors=3)), "a linear probe asks no neighbour"
    assert LinearProbeConfig().is_stored_as(LinearProbeConfig().model_dump(mode="json"))
    assert KnnProbeConfig(group_thresholds=GroupThresholds()).is_stored_as(old_row("knn", group_thresholds=THRESHOLDS))
    assert not LinearProbeConfig().is_stored_as(old_row("linear", protocol="sgd"))
    assert not LinearProbeConfig().is_stored_as(old_row("few_shot"))
    assert not FewShotProbeConfig().is_stored_as(old_row("few_shot", shots=3))
    for unusable in ({}, {"kind": "svm"}, old_row("linear", seed=-1)):
        assert not LinearProbeConfig().is_stored_as(unusable)


def test_a_field_of_the_abstract_type_is_described_by_the_kinds_there_are() -> None:
    schema = TypeAdapter(dict[str, AnalysisSettings]).json_schema()
    described = schema["additionalProperties"]["discriminator"]["mapping"]
    assert list(described) == sorted(analyses)
    assert described["connectivity"] == f"#/$defs/{ConnectivityConfig.__name__}"
    assert len(schema["additionalProperties"]["oneOf"]) == len(analyses)
