"""The arms of an experiment: each with all its settings, and where the request gave them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from api.experiments.schemas import NewArm, NewExperiment
from api.experiments.templates import Template, TemplateArm, templates
from api.http.errors import Unprocessable
from api.http.pointers import pointer
from colt_core.config import PretrainConfig, settings_read
from colt_core.refusals import unknown_name


@dataclass(frozen=True, slots=True)
class Arm:
    """An arm that is ready to run on each data set with each seed; or a backbone, for every seed.

    Attributes:
        config: all settings; its seed is replaced for each run. None of a backbone alone.
        ood_pool_id: None if it picks no OOD images.
        train_on: the data sets that it trains on, in the order of the experiment's; None for those.
        own: the settings that the request gives for this arm alone.
    """

    name: str
    config: PretrainConfig | None
    ood_pool_id: str | None = None
    train_on: list[str] | None = None
    own: frozenset[str] = frozenset()
    backbone_id: str | None = None


def template_of(wanted: NewExperiment) -> Template | None:
    """The template that the request names.

    Raises:
        Unprocessable: there is no such template, or the request has arms too, or neither.
    """
    if wanted.template is None:
        if wanted.arms is None:
            raise Unprocessable(("/arms", "is missing: give arms to compare, or name a template"))
        if wanted.balanced_dataset_ids is not None:
            raise Unprocessable(("/balanced_dataset_ids", "is for templates; give the arm `train_on` instead"))
        return None
    if wanted.arms is not None:
        raise Unprocessable(("/arms", "the template has the arms: leave one of the two out"))
    found = templates().get(wanted.template)
    if found is None:
        hint = unknown_name("template", wanted.template, templates())
        raise Unprocessable(("/template", f"{hint} Choose one of {', '.join(templates())}"))
    if wanted.balanced_dataset_ids is not None and not any(arm.train_on for arm in found.arms):
        raise Unprocessable(("/balanced_dataset_ids", f"template '{found.name}' has no control on balanced data"))
    return found


def planned(wanted: NewExperiment, template: Template | None) -> list[Arm]:
    """The arms with all settings.

    Raises:
        Unprocessable: a setting is unknown, or values are out of range or do not go together. Or
            two arms are the same, or have the same name. Or all are backbones.
    """
    asked: Sequence[NewArm | TemplateArm]
    if template is None:
        asked = wanted.arms or []
    else:
        asked = [arm for arm in template.arms if arm.train_on is None or wanted.balanced_dataset_ids is not None]
    trained = [arm for arm in asked if _backbone_of(arm) is None]
    if not trained:
        raise Unprocessable(("/arms", "all are backbones: give at least one arm that trains"))
    problems = dict(_out_of_place(wanted, asked, trained))
    used = _used(wanted.config, trained)
    arms: list[Arm] = []
    for position, arm in enumerate(asked):
        if (backbone_id := _backbone_of(arm)) is not None:
            arms.append(Arm(arm.name, None, backbone_id=backbone_id))
            continue
        settings = _settings(wanted.config, arm, used)
        try:
            config = _scaled(settings, arm)
        except ValidationError as error:
            for item in error.errors(include_url=False):
                where = pointer(("body", "config", *item["loc"]), {"config": settings})
                told = item["msg"].removeprefix("Value error, ")
                place, what = located(wanted, position, arm.name, arm.config.keys(), where, told)
                problems.setdefault(place, what)
            continue
        made = _arm(wanted, position, arm, config)
        # Factors of a small number may give the same arm again.
        if template is None or all(_differ(made, other) for other in arms):
            arms.append(made)
    if problems:
        raise Unprocessable(*problems.items())
    _check_names(arms)
    _check_groups(arms)
    return arms


def located(
    wanted: NewExperiment, position: int, name: str, own: Collection[str], where: str, what: str
) -> tuple[str, str]:
    """Where the request gives a setting of an arm, and what to change there.

    Args:
        position, name: of the arm.
        own: the settings that the request or the template gives for this arm alone.
        where: pointer into the arm's settings, such as `/config/sample_budget`.
        what: what to change.
    """
    setting = where.split("/")[2].replace("~1", "/").replace("~0", "~")
    if wanted.template is not None:
        return ("/template" if setting in own else where), f"arm '{name}': {setting} {what}"
    if setting not in own and setting in wanted.config:
        return where, f"arm '{name}': {what}"
    return f"/arms/{position}{where}", what


def _backbone_of(arm: NewArm | TemplateArm) -> str | None:
    return arm.backbone_id if isinstance(arm, NewArm) else None


def _out_of_place(
    wanted: NewExperiment, arms: Sequence[NewArm | TemplateArm], trained: Sequence[NewArm | TemplateArm]
) -> Iterator[tuple[str, str]]:
    """Settings that would change nothing where they are given."""
    seed = "is not a setting of an experiment: list the seeds in `seeds`"
    for name in wanted.config:
        if name == "seed":
            yield "/config/seed", seed
        elif all(name in arm.config for arm in trained):
            yield f"/config/{name}", "every arm has a value of its own: leave it out"
    for position, arm in enumerate(arms):
        if _backbone_of(arm) is not None:
            for name in sorted(arm.model_fields_set - {"name", "backbone_id"}):
                yield f"/arms/{position}/{name}", "is for arms that train: leave it or `backbone_id` out"
        elif "seed" in arm.config:
            yield f"/arms/{position}/config/seed", seed


def _used(common: Mapping[str, Any], arms: Sequence[NewArm | TemplateArm]) -> set[str]:
    """The common settings that at least one arm reads."""
    return {name for arm in arms for name in settings_read({**common, **arm.config}) if name in common}


def _settings(common: Mapping[str, Any], arm: NewArm | TemplateArm, used: Collection[str]) -> dict[str, Any]:
    """An arm's settings. Of the common ones it has those that it reads, and those that no arm does:
    they are refused."""
    read = settings_read({**common, **arm.config})
    kept = {name: value for name, value in common.items() if name in read or name not in used}
    return {**kept, **arm.config}


def _scaled(settings: Mapping[str, Any], arm: NewArm | TemplateArm) -> PretrainConfig:
    config = PretrainConfig.resolve(settings)
    if isinstance(arm, NewArm) or not arm.times:
        return config
    values = config.model_dump()
    changes = {name: _times(values[name], factor) for name, factor in arm.times.items()}
    return PretrainConfig.resolve({**settings, **changes})


def _times(value: float, factor: float) -> float:
    return max(1, round(value * factor)) if isinstance(value, int) else value * factor


def _arm(wanted: NewExperiment, position: int, arm: NewArm | TemplateArm, config: PretrainConfig) -> Arm:
    number, own_pool, train_on, where = len(wanted.dataset_ids), None, None, ""
    name = _named(arm.name, config) if isinstance(arm, TemplateArm) else arm.name
    if isinstance(arm, NewArm):
        own_pool, train_on, where = arm.ood_pool_id, arm.train_on, f"/arms/{position}/train_on"
    elif arm.train_on is not None:
        train_on, where = wanted.balanced_dataset_ids, "/balanced_dataset_ids"
    if own_pool is not None and not config.sampler.uses_pool:
        what = f"sampler '{config.sampler.kind}' reads no pool: leave it out"
        raise Unprocessable((f"/arms/{position}/ood_pool_id", what))
    if train_on is not None and len(train_on) not in (1, number):
        fewer = "name one" if number == 1 else f"name one, or {number}"
        raise Unprocessable((where, f"arm '{name}' trains on {len(train_on)} data sets: {fewer}"))
    if train_on is not None and len(train_on) < number:
        train_on = train_on * number
    return Arm(
        name=name,
        config=config,
        ood_pool_id=(own_pool or wanted.ood_pool_id) if config.sampler.uses_pool else None,
        train_on=train_on,
        own=frozenset(arm.config),
    )


def _named(name: str, config: PretrainConfig) -> str:
    shown = config.model_dump() | {"framework": config.framework.title, "sampler": config.sampler.title}
    return name.format_map({key: f"{value:g}" if isinstance(value, float) else value for key, value in shown.items()})


def baseline_of(wanted: NewExperiment, arms: Sequence[Arm]) -> str:
    """The name of the arm that the others are compared with.

    Raises:
        Unprocessable: the request names no arm.
    """
    if wanted.baseline is None:
        return arms[0].name
    names = [arm.name for arm in arms]
    if wanted.baseline not in names:
        hint = unknown_name("arm", wanted.baseline, names)
        raise Unprocessable(("/baseline", f"{hint} The arms are {', '.join(map(repr, names))}"))
    return wanted.baseline


def _differ(one: Arm, other: Arm) -> bool:
    return (one.config, one.train_on, one.ood_pool_id, one.backbone_id) != (
        *(other.config, other.train_on, other.ood_pool_id, other.backbone_id),
    )


def _check_groups(arms: Sequence[Arm]) -> None:
    """Check that the groups of a backbone's one evaluation are those of all arms."""
    first, *others = [arm for arm in arms if arm.config is not None]
    for position, arm in enumerate(arms):
        for other in others if arm.backbone_id is not None else ():
            assert first.config is not None and other.config is not None  # they train
            if first.config.group_thresholds != other.config.group_thresholds:
                what = f"arms '{first.name}' and '{other.name}' have unequal group_thresholds: a backbone has one value"
                raise Unprocessable((f"/arms/{position}/backbone_id", what))


def _check_names(arms: Sequence[Arm]) -> None:
    """Check that no two arms are the same, or have the same name."""
    for position, arm in enumerate(arms):
        for earlier in arms[:position]:
            if arm.name == earlier.name:
                raise Unprocessable((f"/arms/{position}/name", f"'{arm.name}' is the name of an earlier arm too"))
            if not _differ(arm, earlier):
                raise Unprocessable((f"/arms/{position}", f"is the same as arm '{earlier.name}': change a setting"))
