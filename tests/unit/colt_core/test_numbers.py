"""`true` is no number, in any setting of any kind and in any request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from colt_core.analyses.kinds import analyses
from colt_core.config import PretrainConfig
from colt_core.data.groups import GroupThresholds
from colt_core.data.spec import DatasetSpec, LongTail, PoolSpec
from colt_core.frameworks.kinds import frameworks
from colt_core.probes.kinds import probes
from colt_core.samplers.kinds import samplers

KINDS = [cls for registry in (frameworks, samplers, probes, analyses) for cls in registry.values()]
MODELS: list[type[BaseModel]] = [PretrainConfig, DatasetSpec, PoolSpec, LongTail, GroupThresholds, *KINDS]


def number_fields() -> Iterator[tuple[type[BaseModel], str]]:
    """As the JSON schemas say, which clients see."""
    for model in MODELS:
        for name, schema in model.model_json_schema().get("properties", {}).items():
            forms = [form.get("type") for form in schema.get("anyOf", [schema])]
            if {"integer", "number"} & set(forms) and "boolean" not in forms:
                yield model, name


FIELDS = list(number_fields())


def refused(model: type[BaseModel], values: dict[str, Any]) -> set[Any]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(values)
    return {error["loc"][0] for error in caught.value.errors()}


def test_there_are_many_of_them() -> None:
    assert len(FIELDS) > 60
    assert (PretrainConfig, "epochs") in FIELDS


@pytest.mark.parametrize(("model", "name"), FIELDS)
@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_is_no_number(model: type[BaseModel], name: str, value: bool) -> None:
    assert name in refused(model, {name: value})


def test_a_boolean_in_a_list_is_no_number() -> None:
    assert refused(LongTail, {"profile": "indices", "indices": [0, True]}) == {"indices"}
    assert refused(PoolSpec, {"bit_depth": "scale", "value_range": [False, 255]}) == {"value_range"}
    assert refused(analyses["tail_share"], {"kind": "tail_share", "gammas": [True]}) == {"gammas"}


def test_what_yaml_calls_text_is_still_a_number() -> None:
    assert PretrainConfig.resolve({"learning_rate": "1e-3"}).learning_rate == 1e-3
