"""Checkpoints on disk, and the backbone on its own.

A checkpoint is written whole or not at all. Reading one runs no code.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import torch
from safetensors.torch import save
from torch import Tensor

from colt_core.backbones.stored import StandardizedBackbone
from colt_core.config import PretrainConfig
from colt_core.exporting.about import describe
from colt_core.frameworks.build import build_framework
from colt_core.frameworks.framework import Framework
from colt_core.models import Backbone
from colt_core.pixels import MEAN, STD
from colt_core.snapshot import DataSizes, Snapshot
from colt_core.training.beginning import Beginning

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

FORMAT = 2
# Format 1 held every setting, also those that nothing read. Its k-means restarts used faiss' seeds.
_READABLE_FORMATS = (1, 2)


def save_checkpoint(state: Snapshot, path: str | Path) -> None:
    """Write `CheckpointReady.state`. `path` is never a partial file, even after a crash.

    The same state gives the same bytes.

    Raises:
        OSError: if it cannot be written, for example on a full disk.
    """
    with _atomic_file(Path(path)) as file:
        write_checkpoint(state, file)


def write_checkpoint(state: Snapshot, file: SupportsWrite[bytes]) -> None:
    """Write `CheckpointReady.state` to an open file, without seeking.

    Raises:
        OSError: if it cannot be written, for example on a full disk.
    """
    try:
        torch.save(state, cast("IO[bytes]", file))  # given a path, it would write the file's name into the file
    except RuntimeError as error:  # its writer fails to close an archive that could not be written
        if isinstance(error.__context__, OSError):
            raise error.__context__ from error
        raise


def load_checkpoint(path: str | Path) -> Snapshot:
    """Read what `save_checkpoint` wrote, onto the CPU.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not a checkpoint of this library, or of an unknown format.
    """
    path = Path(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    # What torch raises depends on where the file is cut off. It may be an OSError, from a seek to
    # before the beginning.
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise ValueError(f"{path.name} is not a COLT checkpoint, or it is damaged") from error
    if not isinstance(state, dict) or "format" not in state:
        raise ValueError(f"{path.name} is not a COLT checkpoint")
    if state["format"] not in _READABLE_FORMATS:
        raise ValueError(f"{path.name} has checkpoint format {state['format']}; this version reads {_READABLE_FORMATS}")
    return cast("Snapshot", state)


def check_resumable(state: Snapshot, config: PretrainConfig, data: DataSizes) -> None:
    """Check that a run with this configuration and data can resume from `state`.

    Raises:
        ValueError: if it cannot; the message names what differs.
    """
    _check_format(state)
    # A setting that an older version did not write has its default, as the older version behaved.
    before, now = PretrainConfig.from_stored(state["config"]).model_dump(), config.model_dump()
    differences = [
        f"{name} was {before.get(name)!r} and is {now.get(name)!r}"
        for name in sorted(before.keys() | now.keys())
        if name not in config.free_at_resume() and before.get(name) != now.get(name)
    ]
    differences += [
        f"{name} was {state['data'].get(name)} and is {value}"
        for name, value in data.items()
        if state["data"].get(name) != value
    ]
    if differences:
        raise ValueError(f"the checkpoint belongs to another run: {'; '.join(differences)}")


def take_over(state: Snapshot, config: PretrainConfig, data: DataSizes) -> Snapshot:
    """The state of another run before its first sampling round, as a state of this run.

    Two runs that differ only in what acts from the first round on have the same beginning
    (`Beginning`). One of them trains it, and the other resumes from the result. It ends bit for bit
    as if it had trained the beginning itself.

    Args:
        state: of the other run. It is not changed. Both runs must have the same training images,
            and, if they began with the weights of a checkpoint, the same one. Only sizes are
            checked.
        config: this run's.
        data: sizes of this run's data.

    Raises:
        ValueError: if the beginnings differ, or a round lies between; the message says how.
    """
    _check_format(state)
    own = Beginning.of(config, data["num_train"])
    theirs = Beginning.of(PretrainConfig.from_stored(state["config"]), state["data"]["num_train"])
    if own is None or theirs is None:
        raise ValueError("a run without sampling rounds, and without longer epochs in their place, shares no beginning")
    differences = own.differences(theirs)
    if (size := state["data"]["image_size"]) != data["image_size"]:
        differences.append(f"image_size was {size} and is {data['image_size']}")
    if differences:
        raise ValueError(f"the checkpoint belongs to a run with another beginning: {'; '.join(differences)}")
    if state["rounds"] or state["step"] > own.steps:
        raise ValueError(f"the checkpoint is of epoch {state['epoch']}, and the beginning ends with epoch {own.epochs}")
    return {**state, "format": FORMAT, "config": config.model_dump(), "data": data.copy()}


def check_startable(start: Snapshot | Backbone, config: PretrainConfig) -> None:
    """Check that a new run with this configuration can begin with the weights of `start`.

    Raises:
        ValueError: if it cannot; the message names what differs.
    """
    if isinstance(start, Backbone):
        if isinstance(start, StandardizedBackbone) and not start.is_ours:
            raise ValueError(f"a run standardises pixels by mean {MEAN} and std {STD}, and the backbone knows others")
        architecture = start.architecture
    else:
        _check_format(start)
        architecture = PretrainConfig.from_stored(start["config"]).architecture
    problems = config.encoder_problems(architecture)
    if problems:
        raise ValueError("; ".join(f"{name}: {what}" for name, what in problems))


def _check_format(state: Snapshot) -> None:
    if state.get("format") not in _READABLE_FORMATS:
        raise ValueError(
            f"the state has checkpoint format {state.get('format')}; this version reads {_READABLE_FORMATS}"
        )


def load_backbone(state_or_path: Snapshot | str | Path) -> tuple[Backbone, PretrainConfig]:
    """The frozen backbone in eval mode on the CPU, and the configuration of its training."""
    state = state_or_path if isinstance(state_or_path, dict) else load_checkpoint(state_or_path)
    config = PretrainConfig.from_stored(state["config"])
    backbone = Backbone(config.backbone, config.width, config.stem)
    backbone.load_state_dict(_backbone_weights(state))
    backbone.requires_grad_(False).eval()
    return backbone, config


def load_framework(state_or_path: Snapshot | str | Path) -> tuple[Framework, PretrainConfig]:
    """The frozen framework in eval mode on the CPU, and the configuration of its training."""
    state = state_or_path if isinstance(state_or_path, dict) else load_checkpoint(state_or_path)
    config = PretrainConfig.from_stored(state["config"])
    framework = build_framework(config, state["data"]["num_train"])
    framework.load_state_dict(state["framework"])
    framework.requires_grad_(False).eval()
    return framework, config


def export_backbone(state: Snapshot, path: str | Path) -> None:
    """Write the backbone's weights as safetensors, under torchvision's names and without `fc`.

    With width 64 and the "imagenet" stem,
    `resnet18().load_state_dict(load_file(path), strict=False)` loads them. The file's metadata are
    those of `colt_core.exporting.about.describe`.
    """
    with _atomic_file(Path(path)) as file:
        write_backbone(state, file)


def write_backbone(state: Snapshot, file: SupportsWrite[bytes], about: Mapping[str, str] | None = None) -> None:
    """Do as `export_backbone`, but write to an open file.

    Args:
        about: what else the file's metadata say of its origin.
    """
    file.write(save(_backbone_weights(state), {"format": "pt", **describe(state), **(about or {})}))


def _backbone_weights(state: Snapshot) -> dict[str, Tensor]:
    prefix = "backbone."
    weights: dict[str, Tensor] = state["framework"]
    return {name[len(prefix) :]: value.contiguous() for name, value in weights.items() if name.startswith(prefix)}


@contextmanager
def _atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """A temporary file next to `path` to write to. Afterwards it is flushed to disk and renamed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        temporary.unlink(missing_ok=True)
