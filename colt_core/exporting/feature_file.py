"""Features of images as an npz or Parquet file, written block by block."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colt_core.distributed import ALONE
from colt_core.exporting.about import describe
from colt_core.exporting.kinds import Features, FeaturesExportConfig
from colt_core.exporting.subject import ExportedImages
from colt_core.models import Backbone
from colt_core.snapshot import Snapshot
from colt_core.training.checkpoint import load_backbone
from colt_core.training.device import Compute
from colt_core.training.embed import BATCH_SIZE, output_blocks

Float32 = NDArray[np.float32]


def write(
    settings: FeaturesExportConfig,
    state: Snapshot,
    images: ExportedImages | None,
    about: Mapping[str, str],
    path: Path,
) -> Features:
    """The export `features`, see :class:`colt_core.exporting.subject.Implementation`.

    They are computed in float32, whatever the run's precision was.
    """
    assert images is not None
    backbone, config = load_backbone(state)
    Compute.of(config).module(backbone)
    said = {**describe(state), "split": settings.split, **about}
    save = _save_npz if settings.format == "npz" else _save_parquet
    save(path, images, backbone.num_features, _blocks(backbone, images), said)
    return Features(num_features=backbone.num_features, num_images=len(images.index))


def _blocks(backbone: Backbone, images: ExportedImages) -> Iterator[tuple[slice, Float32]]:
    """Features of blocks of images, and which positions of `index` they are.

    Raises:
        ValueError: if they are not finite.
    """
    for rows, features in output_blocks(backbone, backbone, images.images, BATCH_SIZE, "fp32", ALONE, images.index):
        if not np.isfinite(features).all():
            raise ValueError("the backbone's features are not finite, since its training diverged: name an earlier one")
        yield rows, np.ascontiguousarray(features, np.float32)


def _save_npz(
    path: Path,
    images: ExportedImages,
    width: int,
    blocks: Iterator[tuple[slice, Float32]],
    about: Mapping[str, str],
) -> None:
    """`features` (M, d) float32, `index` (M,), `about`, and `labels` (M,) and `class_names` (C,) if
    there are labels."""
    small = {"index": images.index, "about": np.array(json.dumps(about))}
    if images.labels is not None:
        small |= {"labels": images.labels[images.index], "class_names": np.array(images.class_names)}
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(images.index), width)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        with archive.open("features.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, header)
            for _, features in blocks:
                file.write(features.astype("<f4", copy=False).data)
        for name, array in small.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def _save_parquet(
    path: Path,
    images: ExportedImages,
    width: int,
    blocks: Iterator[tuple[slice, Float32]],
    about: Mapping[str, str],
) -> None:
    """Columns `index`, `label`, `class_name` and `features`, a list of d float32. Labels that are
    missing are null."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [
        pa.field("index", pa.int64(), nullable=False),
        pa.field("label", pa.int64()),
        pa.field("class_name", pa.string()),
        pa.field("features", pa.list_(pa.float32(), width), nullable=False),
    ]
    schema = pa.schema(fields, metadata=dict(about))
    names = pa.array(images.class_names, pa.string())
    with pq.ParquetWriter(path, schema) as writer:
        for rows, features in blocks:
            index = images.index[rows]
            label = pa.nulls(len(index), pa.int64()) if images.labels is None else pa.array(images.labels[index])
            vectors = pa.FixedSizeListArray.from_arrays(pa.array(features.reshape(-1)), width)
            columns = [pa.array(index), label, names.take(label), vectors]
            writer.write_batch(pa.record_batch(columns, schema=schema))
