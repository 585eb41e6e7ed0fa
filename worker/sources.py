"""Opens the source of a registration: an upload, a server path, a torchvision name or a sample."""

from __future__ import annotations

from pathlib import Path

from colt_core.data import (
    DataError,
    Limits,
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
    source: UploadSource | PathSource | TorchvisionSource | DatasetSampleSource, limits: Limits, *, nested: bool = False
) -> LabelledSource:
    """Open the source of a data set.

    Args:
        source: what the registration names.
        limits: limits on files and sizes.
        nested: see `open_labelled`.

    Raises:
        DataError: when the source is missing, not allowed, or cannot be used.
    """
    match source:
        case UploadSource():
            return open_labelled(uploaded_file(source.upload_id), nested=nested, limits=limits)
        case PathSource():
            path, root = allowed_path(source.path)
            return open_labelled(path, nested=nested, root=root, limits=limits)
        case TorchvisionSource():
            return torchvision_labelled(source.name, _torchvision_folder(), download=source.download)
        case DatasetSampleSource():
            return sample_labelled(source.name)


def open_pool_source(
    source: UploadSource | PathSource | TorchvisionSource | PoolSampleSource | DatasetSampleSource, limits: Limits
) -> UnlabelledSource:
    """Open the source of an OOD pool, or of a data set without labels.

    Raises:
        DataError: when the source is missing, not allowed, or cannot be used.
    """
    match source:
        case UploadSource():
            return open_unlabelled(uploaded_file(source.upload_id), limits=limits)
        case PathSource():
            path, root = allowed_path(source.path)
            return open_unlabelled(path, root=root, limits=limits)
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
