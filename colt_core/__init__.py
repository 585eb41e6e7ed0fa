"""COLT: self-supervised learning on long-tailed images with out-of-distribution ones (Bai et al., ICLR 2023).

Everything a user needs is here: `from colt_core import PretrainConfig, pretrain`. A name is imported when it is first
asked for, so that `colt_core.config` or `colt_core.events` can be had without waiting for torch. `__init__.pyi` tells
type checkers the same names.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_EXPORTS: dict[str, tuple[str, ...]] = {
    "colt_core.analyses.alignment": ("alignment",),
    "colt_core.analyses.cluster_minority": ("cluster_minority",),
    "colt_core.analyses.config": (
        "AlignmentConfig",
        "AnalysisConfig",
        "ClusterMinorityConfig",
        "ConnectivityConfig",
        "FeatureMapConfig",
        "MisclassificationConfig",
        "TailShareConfig",
        "UniformityConfig",
    ),
    "colt_core.analyses.connectivity": ("connectivity",),
    "colt_core.analyses.feature_map": ("feature_map",),
    "colt_core.analyses.misclassification": ("misclassification_matrix",),
    "colt_core.analyses.run": ("analyze",),
    "colt_core.analyses.tail_share": ("tail_share",),
    "colt_core.analyses.uniformity": ("uniformity",),
    "colt_core.augment": (
        "BatchAugmenter",
        "ViewParameters",
        "normalize",
    ),
    "colt_core.config": ("PretrainConfig",),
    "colt_core.data": (
        "ClassGroups",
        "DataError",
        "DatasetSpec",
        "ImageDataset",
        "ImagePool",
        "Limits",
        "LongTail",
        "PoolSpec",
        "build_dataset",
        "build_pool",
        "class_groups",
        "keep_listed",
        "open_labelled",
        "open_unlabelled",
        "read_split_list",
        "sample_labelled",
        "sample_unlabelled",
        "torchvision_labelled",
        "torchvision_unlabelled",
    ),
    "colt_core.distributed": (
        "GlobalBatchNorm",
        "Launch",
        "Ranks",
        "gather_rows",
        "gather_views",
        "process_group",
        "sum_gradients",
        "with_global_statistics",
    ),
    "colt_core.events": (
        "CheckpointReady",
        "Cluster",
        "EpochDone",
        "Event",
        "Finished",
        "RoundDone",
        "RunStarted",
        "StepDone",
        "Stopped",
    ),
    "colt_core.frameworks": (
        "BCL",
        "BCLD",
        "BCLI",
        "SDCLR",
        "Framework",
        "SimCLR",
        "build_framework",
    ),
    "colt_core.losses": (
        "distribution_contrastive",
        "log_norm",
        "nt_xent",
        "similarity_softmax",
    ),
    "colt_core.models": (
        "Backbone",
        "ProjectionHead",
    ),
    "colt_core.data.groups": ("GroupThresholds",),
    "colt_core.probes.config": ("EvaluationConfig",),
    "colt_core.probes.evaluate": ("evaluate",),
    "colt_core.probes.few_shot": ("few_shot_probe",),
    "colt_core.probes.knn": ("knn_probe",),
    "colt_core.probes.linear": (
        "choose_strength",
        "linear_probe",
    ),
    "colt_core.probes.linear_sgd": ("linear_probe_sgd",),
    "colt_core.probes.metrics": (
        "Evaluation",
        "summarize",
    ),
    "colt_core.run": ("run_to_folder",),
    "colt_core.samplers": (
        "ColtSampler",
        "MakSampler",
        "PoolMeasures",
        "RandomSampler",
        "RoundInputs",
        "Sampler",
        "cluster_embeddings",
        "sampling_round",
        "score_ood",
    ),
    "colt_core.tailness": (
        "TailnessTracker",
        "negative_tailness",
    ),
    "colt_core.training.checkpoint": (
        "export_backbone",
        "load_backbone",
        "load_checkpoint",
        "save_checkpoint",
    ),
    "colt_core.training.embed": (
        "embed",
        "extract_features",
    ),
    "colt_core.training.measure": ("measure_pool",),
    "colt_core.training.divergence": ("TrainingDiverged",),
    "colt_core.training.pretrain": ("pretrain",),
    "colt_core.training.schedule": ("Schedule",),
}
_MODULE_OF = {name: module for module, names in _EXPORTS.items() for name in names}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
