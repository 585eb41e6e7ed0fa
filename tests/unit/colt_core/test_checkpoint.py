"""Checkpoint files, and the backbone taken out of them."""

from __future__ import annotations

import pickle
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from safetensors import safe_open
from safetensors.torch import load_file

from colt_core.config import PretrainConfig
from colt_core.events import CheckpointReady
from colt_core.exporting.about import describe
from colt_core.training.checkpoint import export_backbone, load_backbone, load_checkpoint, save_checkpoint
from colt_core.training.embed import extract_features
from colt_core.training.pretrain import pretrain

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 3, 32, 32), dtype=np.uint8)


def trained(**settings: Any) -> dict[str, Any]:
    """A state after one step."""
    config = PretrainConfig(sampler="none", epochs=1, batch_size=8, precision="fp32", **settings)
    return next(event.state for event in pretrain(config, IMAGES) if isinstance(event, CheckpointReady))


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    """Of a small backbone."""
    return trained(backbone="resnet10", width=4)


def test_it_comes_back_as_it_was_saved(state: dict[str, Any], tmp_path: Path) -> None:
    save_checkpoint(state, tmp_path / "a.pt")
    loaded = load_checkpoint(tmp_path / "a.pt")
    assert loaded.keys() == state.keys()
    assert PretrainConfig.model_validate(loaded["config"]) == PretrainConfig.model_validate(state["config"])
    assert all(torch.equal(loaded["framework"][name], value) for name, value in state["framework"].items())
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


def test_a_failed_write_leaves_the_old_checkpoint(state: dict[str, Any], tmp_path: Path) -> None:
    save_checkpoint(state, tmp_path / "a.pt")
    before = (tmp_path / "a.pt").read_bytes()
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        save_checkpoint({**state, "extra": lambda: None}, tmp_path / "a.pt")
    assert (tmp_path / "a.pt").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


class Hostile:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("hostile-was-here"),)


def test_no_code_runs_when_a_checkpoint_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"format": 1, "config": Hostile()}, "a.pt")
    with pytest.raises(ValueError, match=r"a\.pt is not a COLT checkpoint"):
        load_checkpoint("a.pt")
    assert not Path("hostile-was-here").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 half a zip"])
def test_damaged_files_are_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "broken.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.pt"):
        load_checkpoint(tmp_path / "broken.pt")


@pytest.mark.parametrize("kept", [0.001, 0.1, 0.5, 0.999])
def test_truncated_checkpoints_are_named(kept: float, state: dict[str, Any], tmp_path: Path) -> None:
    save_checkpoint(state, tmp_path / "cut.pt")
    whole = (tmp_path / "cut.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ValueError, match=r"cut\.pt"):
        load_checkpoint(tmp_path / "cut.pt")


def test_other_files_of_torch_and_other_formats_are_told_apart(state: dict[str, Any], tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="not a COLT checkpoint"):
        load_checkpoint(tmp_path / "other.pt")
    torch.save({**state, "format": 99}, tmp_path / "new.pt")
    with pytest.raises(ValueError, match=r"format 99.*reads \(1, 2\)"):
        load_checkpoint(tmp_path / "new.pt")
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "missing.pt")


def test_the_backbone_comes_out_frozen_in_eval_mode(state: dict[str, Any], tmp_path: Path) -> None:
    save_checkpoint(state, tmp_path / "a.pt")
    backbone, config = load_backbone(tmp_path / "a.pt")
    assert (config.backbone, config.width) == ("resnet10", 4)
    assert not backbone.training and not any(weight.requires_grad for weight in backbone.parameters())
    again, _ = load_backbone(state)
    assert np.array_equal(extract_features(backbone, IMAGES), extract_features(again, IMAGES))


def test_the_export_loads_into_torchvision_and_gives_the_same_features(tmp_path: Path) -> None:
    state = trained(backbone="resnet18", width=64, stem="imagenet")
    export_backbone(state, tmp_path / "backbone.safetensors")
    reference = torchvision.models.resnet18()
    missing, unexpected = reference.load_state_dict(load_file(tmp_path / "backbone.safetensors"), strict=False)
    assert (missing, unexpected) == (["fc.weight", "fc.bias"], [])
    reference.fc = torch.nn.Identity()
    backbone, _ = load_backbone(state)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(backbone(images), reference.eval()(images))
    with safe_open(tmp_path / "backbone.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt", **describe(state)}
    assert [path.name for path in tmp_path.iterdir()] == ["backbone.safetensors"]


def test_the_same_state_gives_the_same_bytes(state: dict[str, Any], tmp_path: Path) -> None:
    """So a process that writes a checkpoint again changes nothing, even if it has lost the job
    meanwhile."""
    for name in ("a.pt", "b.pt"):
        save_checkpoint(state, tmp_path / name)
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


@pytest.mark.parametrize("write", [save_checkpoint, export_backbone])
def test_a_disk_that_takes_no_more_is_an_os_error_and_leaves_the_old_file(
    state: dict[str, Any], tmp_path: Path, write: Callable[[dict[str, Any], Path], None]
) -> None:
    write(state, tmp_path / "a")
    before = (tmp_path / "a").read_bytes()
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, unlimited[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write(state, tmp_path / "a")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert (tmp_path / "a").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
