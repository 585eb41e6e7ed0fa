"""Runs `python -m colt_core train`: from images to a folder of results, with a progress bar."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from colt_core.config import PretrainConfig
from colt_core.data import ImageDataset, ImagePool
from colt_core.data.dataset import training_part
from colt_core.distributed import process_group
from colt_core.events import CheckpointReady, EpochDone, Event, RoundDone, RunStarted, StepDone, Stopped, Warned
from colt_core.probes.evaluate import evaluate
from colt_core.probes.kinds import ProbeSettings
from colt_core.probes.metrics import Evaluation
from colt_core.snapshot import Snapshot
from colt_core.training.checkpoint import load_backbone, save_checkpoint
from colt_core.training.device import Compute
from colt_core.training.pretrain import pretrain


def run_to_folder(
    config: PretrainConfig,
    dataset: ImageDataset | ImagePool,
    pool: ImagePool | None,
    folder: Path,
    *,
    evaluate_on: ImageDataset | None = None,
    resume_from: Snapshot | None = None,
    start_from: Snapshot | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Evaluation | None:
    """Pretrain and evaluate, and write the results to a folder.

    It writes checkpoint.pt (the latest), evaluation.json (the linear probe) and `metrics.jsonl`.
    The last has a line for each step, epoch, round and warning; a resumed run appends to it.
    `resume_from`, `start_from` and `should_stop` are those of `pretrain`.

    Args:
        dataset: the images to train on. Without labels it is an `ImagePool`.
        evaluate_on: the data set of the linear probe. Default: `dataset`, if it has labels.

    Returns:
        The linear probe's result. None if `should_stop` ended the run, or there are no labels to
        evaluate with. With several processes (`num_processes`, under torchrun) the first one writes
        and evaluates. The others only train, and return None.

    Raises:
        ValueError: if the configuration cannot run on the data, or the data set has no test part or
            is too small for the probe. Also if the checkpoint belongs to another run or does not
            fit, or the number of processes is not `num_processes`.
        TrainingDiverged: as `pretrain`.
    """
    images, _ = training_part(dataset)
    if evaluate_on is None and isinstance(dataset, ImageDataset):
        evaluate_on = dataset
    if evaluate_on is not None and not len(evaluate_on.parts["test"]):
        raise ValueError("the data set has no test part to evaluate on; train on it with `pretrain` from Python")
    pool_images = None if pool is None else pool.images
    with process_group(config) as ranks:
        events = pretrain(
            config, images, pool_images, resume_from=resume_from, start_from=start_from, should_stop=should_stop
        )
        if ranks.rank > 0:
            for _ in events:
                pass
            return None
        state = _record_events(events, config, folder, resume_from)
    if state is None or evaluate_on is None:
        return None
    backbone, _ = load_backbone(state)
    Compute.of(config).module(backbone)
    probe = ProbeSettings(group_thresholds=config.group_thresholds)
    evaluation = evaluate(
        backbone, evaluate_on, probe, flip_probability=config.flip_probability, precision=config.precision
    )
    (folder / "evaluation.json").write_text(json.dumps(asdict(evaluation), indent=2) + "\n")
    return evaluation


def _record_events(
    events: Iterator[Event], config: PretrainConfig, folder: Path, state: Snapshot | None
) -> Snapshot | None:
    """Train, and record events in the folder.

    Returns:
        The state at the end of the run, or None if it was stopped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _drop_lines_after(state, folder / "metrics.jsonl")
    with (folder / "metrics.jsonl").open("a", buffering=1) as metrics, tqdm(unit="step", disable=None) as bar:
        for event in events:
            if (record := _record(event)) is not None:
                metrics.write(json.dumps(record) + "\n")
            match event:
                case RunStarted():
                    bar.write(_computes_on(event), file=sys.stderr)
                case StepDone():
                    bar.total, bar.n = event.steps, event.step
                    bar.set_description(f"epoch {event.epoch}/{config.epochs}", refresh=False)
                    bar.set_postfix(loss=f"{event.loss:.3f}", refresh=False)
                    bar.update(0)
                case Warned():
                    bar.write(f"warning: {event.warning.detail}", file=sys.stderr)
                case CheckpointReady():
                    state = event.state
                    save_checkpoint(state, folder / "checkpoint.pt")
                case Stopped():
                    return None
    return state  # a run ends with a checkpoint, or started from its last one


def _drop_lines_after(state: Snapshot | None, path: Path) -> None:
    """Drop lines after the checkpoint.

    A killed run wrote them after its last checkpoint, and the resumed run writes them again.
    """
    if not path.exists():
        return
    lines = []
    if state is not None:
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n") and _is_before(json.loads(line), state):  # the last line may be incomplete
                lines.append(line)
    path.write_text("".join(lines))


def _is_before(record: dict[str, Any], state: Snapshot) -> bool:
    """Whether a line of metrics.jsonl was written before the checkpoint."""
    reached = {"step": state["step"], "epoch": state["epoch"], "round": state["rounds"]}
    kind = "epoch" if record["event"] == "warning" else record["event"]
    return int(record[kind]) <= reached[kind]


def _computes_on(event: RunStarted) -> str:
    where = f"{event.device}, {event.threads} threads" if event.device == "cpu" else event.device
    return f"On {where}, in {event.precision}: {event.reason}"


def _record(event: Event) -> dict[str, Any] | None:
    """The scalars of an event, for a line of metrics.jsonl."""
    match event:
        case StepDone():
            return {"event": "step", **asdict(event)}
        case EpochDone():
            tailness = {"tailness_mean": float(event.tailness.mean()), "tailness_std": float(event.tailness.std())}
            scalars = {n: getattr(event, n) for n in ("epoch", "step", "loss", "images", "seconds", "profile")}
            return {"event": "epoch", **scalars, **tailness}
        case RoundDone():
            scalars = {name: getattr(event, name) for name in ("round", "epoch", "step", "seconds", "ood_embedded")}
            clusters = [asdict(cluster) for cluster in event.clusters]
            stop = None if event.stop is None else asdict(event.stop)
            more = {"selected": len(event.selected), "repeats": event.repeats, "stop": stop, "clusters": clusters}
            return {"event": "round", **scalars, **more}
        case Warned():
            return {"event": "warning", "epoch": event.epoch, "step": event.step, **asdict(event.warning)}
    return None


def per_class_table(evaluation: Evaluation, class_names: tuple[str, ...]) -> str:
    """A table of accuracies by class, largest class first, with the group means below."""
    wide = max(5, *(len(name) for name in class_names))
    lines = [f"{'class':<{wide}}  train  accuracy"]
    counts = evaluation.class_counts
    for c in sorted(range(len(counts)), key=lambda c: (-counts[c], c)):
        lines.append(f"{class_names[c]:<{wide}}  {counts[c]:>5}  {_percent(evaluation.per_class_accuracy[c])}")
    groups = "   ".join(f"{name.capitalize()} {_percent(value)}" for name, value in evaluation.group_accuracy.items())
    lines.append(f"All {_percent(evaluation.balanced_accuracy)}   {groups}   Std {_points(evaluation.group_std)}")
    if evaluation.probe is not None:
        counts = evaluation.probe.images_per_class
        lines.append(f"Fitted on {evaluation.probe.images} images, {min(counts)} to {max(counts)} of each class")
    lines += [f"Warning: {warning.detail}" for warning in evaluation.warnings]
    return "\n".join(lines)


def _points(deviation: float | None) -> str:
    return "-" if deviation is None else f"{100 * deviation:.2f}"


def _percent(share: float | None) -> str:
    return "    -" if share is None else f"{100 * share:5.1f}"
