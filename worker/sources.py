"""Opens the source of a registration: an upload, a server path, a torchvision name or a sample."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from colt_core.data import (
    DataError,
    DatasetSpec,
    Limits,
    PoolSpec,
    open_labelled,
    open_unlabelled,
    sample_labelled,
    sample_unlabelled,
    torchvision_labelled,
    torchvision_unlabelled,
)
from colt_core.data.sources import LabelledSource, UnlabelledSource
from colt_core.data.spec import DatasetSampleSource, PathSource, PoolSampleSource, TorchvisionSource, UploadSource
from store.artifacts import ArtifactDamaged, Stored, get_artifacts
from store.database import reading
from store.models import Upload
from store.settings import get_settings


def open_dataset_source(
    source: UploadSource | PathSource | TorchvisionSource | DatasetSampleSource,
    wanted: DatasetSpec,
    limits: Limits,
    lists: Mapping[str, Path],
) -> LabelledSource:
    """Open the source of a data set.

    Args:
        source: what the registration names.
        wanted: the registration; its layout and table say how files are read.
        limits: limits on files and sizes.
        lists: list files by part.

    Raises:
        DataError: when the source is missing, not allowed, or cannot be used.
    """
    if lists and not isinstance(source, UploadSource | PathSource):
        raise DataError("a list names files, which only an upload or a path has; leave it out")
    match source:
        case UploadSource():
            path, root = uploaded_file(source.upload_id), None
        case PathSource():
            path, root = allowed_path(source.path)
        case TorchvisionSource():
            return torchvision_labelled(source.name, _torchvision_folder(), download=source.download)
        case DatasetSampleSource():
            return sample_labelled(source.name)
    return open_labelled(path, layout=wanted.layout, table=wanted.table, lists=lists, root=root, limits=limits)


def open_pool_source(
    source: UploadSource | PathSource | TorchvisionSource | PoolSampleSource | DatasetSampleSource,
    wanted: PoolSpec,
    limits: Limits,
) -> UnlabelledSource:
    """Open the source of an OOD pool, or of a data set without labels.

    Args: as for :func:`open_dataset_source`.

    Raises:
        DataError: when the source is missing, not allowed, or cannot be used.
    """
    match source:
        case UploadSource():
            return open_unlabelled(
                uploaded_file(source.upload_id), layout=wanted.layout, table=wanted.table, limits=limits
            )
        case PathSource():
            path, root = allowed_path(source.path)
            return open_unlabelled(path, layout=wanted.layout, table=wanted.table, root=root, limits=limits)
        case TorchvisionSource():
            return torchvision_unlabelled(source.name, _torchvision_folder(), download=source.download)
        case PoolSampleSource():
            return sample_unlabelled(source.name)
        case DatasetSampleSource():
            return UnlabelledSource(sample_labelled(source.name).images)


def uploaded_file(upload_id: str) -> Path:
    """The file of an upload, as it arrived.

    Raises:
        DataError: when it is missing or damaged.
    """
    with reading() as session:
        upload = session.get(Upload, upload_id)
    try:
        if upload is not None:
            return get_artifacts().whole_path(upload.artifact, Stored(upload.bytes, upload.sha256))
    except FileNotFoundError:
        pass
    except ArtifactDamaged as error:
        raise DataError(
            f"upload {upload_id!r} is damaged: it differs from what was sent; send the file again"
        ) from error
    raise DataError(f"upload {upload_id!r} is missing; send the file again")


def allowed_path(path: str) -> tuple[Path, Path]:
    """A server path and the allowed root that contains it, both with links resolved.

    The API checks the path at submission, but links may have changed since.

    Raises:
        DataError: when it does not exist or is under no allowed root.
    """
    try:
        real = Path(path).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        real = None
    for root in get_settings().data_roots:
        if real is not None and root.exists() and real.is_relative_to(root.resolve()):
            return real, root.resolve()
    raise DataError(f"{Path(path).name!r} no longer exists, or is not under a folder in COLT_DATA_ROOTS")


def _torchvision_folder() -> Path:
    folder = get_settings().home / "torchvision"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
