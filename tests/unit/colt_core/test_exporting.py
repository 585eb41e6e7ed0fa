"""Exported files hold what torch computes, say where it comes from, and name no path."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pyarrow.parquet as pq
import pytest
import torch

from colt_core import PretrainConfig
from colt_core.augment import normalize
from colt_core.exporting import feature_file, onnx_file
from colt_core.exporting.kinds import FeaturesExportConfig, OnnxExportConfig
from colt_core.exporting.subject import ExportedImages
from colt_core.frameworks.build import build_framework
from colt_core.pixels import MEAN, STD
from colt_core.snapshot import Snapshot
from colt_core.training.checkpoint import load_backbone
from colt_core.training.embed import BATCH_SIZE
from tests.support.processes import REPOSITORY

SMALL = {"backbone": "resnet10", "width": 4, "stem": "cifar-stride2"}
ABOUT = {"checkpoint_id": "c", "data_sha256": "d"}


def snapshot(image_size: int, **settings: Any) -> Snapshot:
    """The state of a run whose batch norms have seen images."""
    config = PretrainConfig.resolve({"sampler": "none", "batch_size": 4, **settings})
    framework = build_framework(config, 8)
    draw = torch.Generator().manual_seed(1)
    for name, value in framework.state_dict().items():
        if name.endswith(("running_mean", "bn1.bias", "bn2.bias")):
            value.normal_(0, 0.1, generator=draw)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 2, generator=draw)
    state: dict[str, Any] = {
        "format": 2,
        "config": config.model_dump(),
        "data": {"num_train": 8, "num_pool": None, "image_size": image_size},
        "epoch": 3,
        "step": 6,
        "framework": framework.state_dict(),
    }
    return state  # type: ignore[return-value]


def pictures(count: int, size: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (count, 3, size, size), dtype=np.uint8)


def assert_no_path(content: bytes) -> None:
    """Neither of this repository, nor of the interpreter, nor of where packages are."""
    places = {str(REPOSITORY), sys.prefix, sys.base_prefix, str(Path(torch.__file__).parent), str(Path.home()), "/tmp/"}
    for place in (*places, "site-packages"):
        assert place.encode() not in content, place


@pytest.mark.parametrize(
    ("size", "settings"),
    [
        pytest.param(8, {"preset": "digits", "sampler": "none"}, id="digits at 8 px, whose last maps are one pixel"),
        pytest.param(32, {"backbone": "resnet18", "stem": "cifar", "precision": "bf16"}, id="resnet18 in bf16"),
        pytest.param(16, {"backbone": "resnet50", "width": 4, "stem": "imagenet"}, id="bottlenecks after a max-pool"),
        pytest.param(15, {"backbone": "resnet34", "width": 4, "stem": "cifar-stride2"}, id="maps of odd sizes"),
    ],
)
def test_an_onnx_file_computes_what_torch_does(tmp_path: Path, size: int, settings: dict[str, Any]) -> None:
    state, path = snapshot(size, **settings), tmp_path / "net.onnx"
    result = onnx_file.write(OnnxExportConfig(), state, None, ABOUT, path)
    assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]  # the weights are in it
    content = path.read_bytes()
    assert_no_path(content)
    backbone, config = load_backbone(state)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    for count in (1, 7, 64):
        images = torch.from_numpy(pictures(count, size))
        (found,) = session.run(None, {"images": (images.float() / 255).numpy()})
        assert found.dtype == np.float32 and found.shape == (count, result.num_features)
        with torch.inference_mode():
            expected = backbone(normalize(images)).numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        assert np.ptp(expected) > 0.1
    model = onnx.load(path)
    assert [entry.version for entry in model.opset_import if not entry.domain] == [result.opset]
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert {name: said[name] for name in config.architecture._fields} == {
        name: str(value) for name, value in config.architecture._asdict().items()
    }
    assert (json.loads(said["mean"]), json.loads(said["std"])) == (list(MEAN), list(STD))
    assert said.items() >= (ABOUT | {"epoch": "3", "step": "6", "image_size": str(size)}).items()


@pytest.mark.parametrize("settings", [OnnxExportConfig(), FeaturesExportConfig(split="train")], ids=lambda s: s.kind)
def test_a_network_that_diverged_is_not_exported(tmp_path: Path, settings: Any) -> None:
    state = snapshot(8, **SMALL)
    next(iter(state["framework"].values())).fill_(float("nan"))
    images = ExportedImages(pictures(2, 8), np.arange(2))
    with pytest.raises(ValueError, match="diverged"):
        settings.load()(settings, state, images, ABOUT, tmp_path / "file")


@pytest.fixture(scope="module")
def features() -> tuple[Snapshot, ExportedImages, Any]:
    """More images than a block has, in another order than they lie."""
    state, pixels = snapshot(8, **SMALL), pictures(BATCH_SIZE + 3, 8)
    index = np.arange(len(pixels))[::-1].astype(np.int64)
    images = ExportedImages(pixels, index, np.arange(len(pixels), dtype=np.int64) % 2, ("cat", 'a "dog", ü'))
    backbone, _ = load_backbone(state)
    with torch.inference_mode():
        return state, images, backbone(normalize(torch.from_numpy(pixels[index]))).numpy()


def test_features_as_npz(tmp_path: Path, features: tuple[Snapshot, ExportedImages, Any]) -> None:
    state, images, expected = features
    result = feature_file.write(FeaturesExportConfig(split="train"), state, images, ABOUT, tmp_path / "f.npz")
    assert (result.num_images, result.num_features) == expected.shape
    assert_no_path((tmp_path / "f.npz").read_bytes())
    with np.load(tmp_path / "f.npz", allow_pickle=False) as found:
        assert found["features"].dtype == np.float32
        np.testing.assert_allclose(found["features"], expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(found["index"], images.index)
        assert images.labels is not None
        np.testing.assert_array_equal(found["labels"], images.labels[images.index])
        assert tuple(found["class_names"]) == images.class_names
        assert json.loads(str(found["about"])).items() >= (ABOUT | {"split": "train", "epoch": "3"}).items()


def test_features_as_parquet(tmp_path: Path, features: tuple[Snapshot, ExportedImages, Any]) -> None:
    state, images, expected = features
    settings = FeaturesExportConfig(split="train", format="parquet")
    feature_file.write(settings, state, images, ABOUT, tmp_path / "f.parquet")
    assert_no_path((tmp_path / "f.parquet").read_bytes())
    table = pq.read_table(tmp_path / "f.parquet")
    assert str(table.schema.field("features").type) == f"fixed_size_list<element: float>[{expected.shape[1]}]"
    found = np.stack(table["features"].to_numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert table["index"].to_pylist() == images.index.tolist()
    assert table["class_name"].to_pylist() == [images.class_names[i % 2] for i in images.index]
    assert table.schema.metadata[b"data_sha256"] == b"d"


def test_images_without_labels_have_no_labels(tmp_path: Path) -> None:
    state, images = snapshot(8, **SMALL), ExportedImages(pictures(3, 8), np.arange(3))
    for format in ("npz", "parquet"):
        settings = FeaturesExportConfig(split="pool", format=format)
        feature_file.write(settings, state, images, ABOUT, tmp_path / settings.ending)
    assert zipfile.ZipFile(io.BytesIO((tmp_path / "npz").read_bytes())).namelist() == [
        *("features.npy", "index.npy", "about.npy")
    ]
    table = pq.read_table(tmp_path / "parquet")
    assert table["label"].null_count == table["class_name"].null_count == 3
