"""Checkpoints on disk: written whole or not at all, read without running code, and the backbone alone out of them."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import torch
from safetensors.torch import save
from torch import Tensor

from colt_core.config import PretrainConfig
from colt_core.frameworks.build import build_framework
from colt_core.frameworks.framework import Framework
from colt_core.models import Backbone
from colt_core.snapshot import DataSizes, Snapshot

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

FORMAT = 2
# Format 1 held every setting, also those that nothing read, and k-means drew its restarts by faiss' own seeds.
_READ = (1, 2)


def save_checkpoint(state: Snapshot, path: str | Path) -> None:
    """Write `CheckpointReady.state`; `path` is never half a file, whatever happens meanwhile.

    The same state gives the same bytes.

    Raises:
        OSError: when it cannot be written, as on a full disk.
    """
    with _written_whole(Path(path)) as file:
        write_checkpoint(state, file)


def write_checkpoint(state: Snapshot, file: SupportsWrite[bytes]) -> None:
    """Write `CheckpointReady.state` to an open file, from beginning to end.

    Raises:
        OSError: when it cannot be written, as on a full disk.
    """
    try:
        torch.save(state, cast("IO[bytes]", file))  # given a path, it would write the name of the file into it
    except RuntimeError as error:  # of its writer, which closes an archive that could not be written
        if isinstance(error.__context__, OSError):
            raise error.__context__ from error
        raise


def load_checkpoint(path: str | Path) -> Snapshot:
    """Read what `save_checkpoint` wrote, to the CPU.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is no checkpoint of this library, or of a format that it does not know.
    """
    path = Path(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    # What torch raises depends on where a file is cut off; OSError too, from a seek to before its beginning.
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise ValueError(f"{path.name} is not a COLT checkpoint, or it is damaged") from error
    if not isinstance(state, dict) or "format" not in state:
        raise ValueError(f"{path.name} is not a COLT checkpoint")
    if state["format"] not in _READ:
        raise ValueError(f"{path.name} has checkpoint format {state['format']}; this version reads {_READ}")
    return cast("Snapshot", state)


def check_resumable(state: Snapshot, config: PretrainConfig, data: DataSizes) -> None:
    """Raise ValueError, naming what differs, unless a run with this configuration and data can go on from `state`."""
    if state.get("format") not in _READ:
        raise ValueError(f"the state has checkpoint format {state.get('format')}; this version reads {_READ}")
    # What an older version did not write has its default, which is what it did.
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


def load_backbone(state_or_path: Snapshot | str | Path) -> tuple[Backbone, PretrainConfig]:
    """The frozen backbone, in eval mode on the CPU, and the configuration that it was trained with."""
    state = state_or_path if isinstance(state_or_path, dict) else load_checkpoint(state_or_path)
    config = PretrainConfig.from_stored(state["config"])
    backbone = Backbone(config.backbone, config.width, config.stem)
    backbone.load_state_dict(_backbone_weights(state))
    backbone.requires_grad_(False).eval()
    return backbone, config


def load_framework(state_or_path: Snapshot | str | Path) -> tuple[Framework, PretrainConfig]:
    """Backbone and projection head, in eval mode on the CPU, and the configuration that they were trained with."""
    state = state_or_path if isinstance(state_or_path, dict) else load_checkpoint(state_or_path)
    config = PretrainConfig.from_stored(state["config"])
    framework = build_framework(config, state["data"]["num_train"])
    framework.load_state_dict(state["framework"])
    framework.requires_grad_(False).eval()
    return framework, config


def export_backbone(state: Snapshot, path: str | Path) -> None:
    """Write the backbone's weights as safetensors under torchvision's names (`fc` is not among them).

    At width 64 and with the "imagenet" stem, `resnet18().load_state_dict(load_file(path), strict=False)` takes them.
    """
    with _written_whole(Path(path)) as file:
        write_backbone(state, file)


def write_backbone(state: Snapshot, file: SupportsWrite[bytes]) -> None:
    """Write what `export_backbone` writes to an open file."""
    config = state["config"]
    metadata = {"format": "pt", **{name: str(config[name]) for name in ("backbone", "width", "stem")}}
    file.write(save(_backbone_weights(state), metadata))


def _backbone_weights(state: Snapshot) -> dict[str, Tensor]:
    prefix = "backbone."
    weights: dict[str, Tensor] = state["framework"]
    return {name[len(prefix) :]: value.contiguous() for name, value in weights.items() if name.startswith(prefix)}


@contextmanager
def _written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A temporary file beside `path` to write to; then it is brought to the disk and renamed."""
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
