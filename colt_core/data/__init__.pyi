# What colt_core.data exports. `__init__.py` reads the imports from here.
from colt_core.data.build import build_dataset, build_pool
from colt_core.data.dataset import ImageDataset, ImagePool, is_artifact
from colt_core.data.errors import DataError
from colt_core.data.groups import ClassGroups, class_groups
from colt_core.data.limits import Limits
from colt_core.data.lists import is_list
from colt_core.data.long_tail import rank_counts, read_indices
from colt_core.data.readers import open_labelled, open_unlabelled
from colt_core.data.samples import sample_labelled, sample_unlabelled
from colt_core.data.spec import DatasetSource, DatasetSpec, LongTail, PoolSource, PoolSpec
from colt_core.data.torchvision import torchvision_labelled, torchvision_unlabelled

__all__ = [
    "ClassGroups",
    "DataError",
    "DatasetSource",
    "DatasetSpec",
    "ImageDataset",
    "ImagePool",
    "Limits",
    "LongTail",
    "PoolSource",
    "PoolSpec",
    "build_dataset",
    "build_pool",
    "class_groups",
    "is_artifact",
    "is_list",
    "open_labelled",
    "open_unlabelled",
    "rank_counts",
    "read_indices",
    "sample_labelled",
    "sample_unlabelled",
    "torchvision_labelled",
    "torchvision_unlabelled",
]
