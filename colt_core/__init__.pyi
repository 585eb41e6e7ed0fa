# What colt_core exports. `__init__.py` reads the imports from here.
from colt_core.analyses.alignment import alignment
from colt_core.analyses.cluster_minority import cluster_minority
from colt_core.analyses.connectivity import connectivity
from colt_core.analyses.feature_map import feature_map
from colt_core.analyses.kinds import (
    AlignmentConfig,
    AnalysisConfig,
    ClusterMinorityConfig,
    ConnectivityConfig,
    FeatureMapConfig,
    MisclassificationConfig,
    TailShareConfig,
    UniformityConfig,
)
from colt_core.analyses.misclassification import misclassification_matrix
from colt_core.analyses.run import analyze, analyze_backbone
from colt_core.analyses.tail_share import tail_share
from colt_core.analyses.uniformity import uniformity
from colt_core.augment import BatchAugmenter, ViewParameters, normalize
from colt_core.batch import Batch
from colt_core.config import PretrainConfig
from colt_core.cost.dry_run import measured_activations
from colt_core.cost.memory import Activations, RunData
from colt_core.cost.run import RunCost, run_cost
from colt_core.data import (
    ClassGroups,
    DataError,
    DatasetSpec,
    ImageDataset,
    ImagePool,
    Limits,
    LongTail,
    PoolSpec,
    build_dataset,
    build_pool,
    class_groups,
    open_labelled,
    open_unlabelled,
    sample_labelled,
    sample_unlabelled,
    torchvision_labelled,
    torchvision_unlabelled,
)
from colt_core.data.groups import GroupThresholds
from colt_core.distributed import (
    GlobalBatchNorm,
    Launch,
    Ranks,
    gather_outputs,
    gather_rows,
    gather_views,
    process_group,
    sum_gradients,
    with_global_statistics,
)
from colt_core.events import (
    CheckpointReady,
    Cluster,
    EpochDone,
    Event,
    Finished,
    PickingStop,
    RoundDone,
    RunStarted,
    StepDone,
    Stopped,
    Warned,
)
from colt_core.frameworks.bcl import BCL, BCLD, BCLI
from colt_core.frameworks.build import build_framework
from colt_core.frameworks.framework import ContrastiveLoss, Framework, ViewOutputs
from colt_core.frameworks.gh import GH
from colt_core.frameworks.kinds import FrameworkCost, FrameworkSettings
from colt_core.frameworks.moco import MoCo
from colt_core.frameworks.sdclr import SDCLR
from colt_core.frameworks.simclr import SimCLR
from colt_core.kinds import Registry, Settings
from colt_core.losses import distribution_contrastive, log_norm, nt_xent, similarity_softmax
from colt_core.models import Backbone, ProjectionHead
from colt_core.paired import PairedComparison, paired_comparison
from colt_core.pools.check import check_pool, compare_pool
from colt_core.pools.kinds import PoolCheckResult, PoolCheckSettings
from colt_core.probes.evaluate import evaluate
from colt_core.probes.few_shot import few_shot_probe
from colt_core.probes.kinds import EvaluationConfig
from colt_core.probes.knn import knn_probe
from colt_core.probes.linear import choose_strength, linear_probe
from colt_core.probes.linear_sgd import linear_probe_sgd
from colt_core.probes.metrics import Evaluation, summarize
from colt_core.run import run_to_folder
from colt_core.samplers.build import build_sampler
from colt_core.samplers.clustering import cluster_embeddings
from colt_core.samplers.colt import ColtSampler
from colt_core.samplers.idfill import IdFillSampler
from colt_core.samplers.kinds import RoundSettings, SamplerSettings
from colt_core.samplers.mak import MakSampler
from colt_core.samplers.ood_tailness import score_ood
from colt_core.samplers.protocol import PoolMeasures, RoundInputs, Sampler, Selection
from colt_core.samplers.random import RandomSampler
from colt_core.samplers.round import sampling_round
from colt_core.samplers.spread import SpreadSampler
from colt_core.tailness import TailnessTracker, negative_tailness
from colt_core.training.beginning import Beginning
from colt_core.training.checkpoint import (
    export_backbone,
    load_backbone,
    load_checkpoint,
    save_checkpoint,
    take_over,
)
from colt_core.training.divergence import TrainingDiverged
from colt_core.training.embed import embed, extract_features
from colt_core.training.measure import measure_pool
from colt_core.training.missing import DeviceMissing
from colt_core.training.pretrain import pretrain
from colt_core.training.schedule import Schedule

__all__ = [
    "BCL",
    "BCLD",
    "BCLI",
    "GH",
    "SDCLR",
    "Activations",
    "AlignmentConfig",
    "AnalysisConfig",
    "Backbone",
    "Batch",
    "BatchAugmenter",
    "Beginning",
    "CheckpointReady",
    "ClassGroups",
    "Cluster",
    "ClusterMinorityConfig",
    "ColtSampler",
    "ConnectivityConfig",
    "ContrastiveLoss",
    "DataError",
    "DatasetSpec",
    "DeviceMissing",
    "EpochDone",
    "Evaluation",
    "EvaluationConfig",
    "Event",
    "FeatureMapConfig",
    "Finished",
    "Framework",
    "FrameworkCost",
    "FrameworkSettings",
    "GlobalBatchNorm",
    "GroupThresholds",
    "IdFillSampler",
    "ImageDataset",
    "ImagePool",
    "Launch",
    "Limits",
    "LongTail",
    "MakSampler",
    "MisclassificationConfig",
    "MoCo",
    "PairedComparison",
    "PickingStop",
    "PoolCheckResult",
    "PoolCheckSettings",
    "PoolMeasures",
    "PoolSpec",
    "PretrainConfig",
    "ProjectionHead",
    "RandomSampler",
    "Ranks",
    "Registry",
    "RoundDone",
    "RoundInputs",
    "RoundSettings",
    "RunCost",
    "RunData",
    "RunStarted",
    "Sampler",
    "SamplerSettings",
    "Schedule",
    "Selection",
    "Settings",
    "SimCLR",
    "SpreadSampler",
    "StepDone",
    "Stopped",
    "TailShareConfig",
    "TailnessTracker",
    "TrainingDiverged",
    "UniformityConfig",
    "ViewOutputs",
    "ViewParameters",
    "Warned",
    "alignment",
    "analyze",
    "analyze_backbone",
    "build_dataset",
    "build_framework",
    "build_pool",
    "build_sampler",
    "check_pool",
    "choose_strength",
    "class_groups",
    "cluster_embeddings",
    "cluster_minority",
    "compare_pool",
    "connectivity",
    "distribution_contrastive",
    "embed",
    "evaluate",
    "export_backbone",
    "extract_features",
    "feature_map",
    "few_shot_probe",
    "gather_outputs",
    "gather_rows",
    "gather_views",
    "knn_probe",
    "linear_probe",
    "linear_probe_sgd",
    "load_backbone",
    "load_checkpoint",
    "log_norm",
    "measure_pool",
    "measured_activations",
    "misclassification_matrix",
    "negative_tailness",
    "normalize",
    "nt_xent",
    "open_labelled",
    "open_unlabelled",
    "paired_comparison",
    "pretrain",
    "process_group",
    "run_cost",
    "run_to_folder",
    "sample_labelled",
    "sample_unlabelled",
    "sampling_round",
    "save_checkpoint",
    "score_ood",
    "similarity_softmax",
    "sum_gradients",
    "summarize",
    "tail_share",
    "take_over",
    "torchvision_labelled",
    "torchvision_unlabelled",
    "uniformity",
    "with_global_statistics",
]
