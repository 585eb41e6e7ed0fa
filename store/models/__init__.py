"""The tables."""

from store.models.base import Base, new_id, utc_now
from store.models.data import (
    BackboneWeights,
    Dataset,
    OodPool,
    Registered,
    RegisteredImages,
    UnfinishedUpload,
    Upload,
    UploadPart,
)
from store.models.experiments import Experiment, ExperimentArm, ExperimentRun
from store.models.exports import Export
from store.models.jobs import Analysis, Checkpoint, CurveBucket, Evaluation, Job, JobAttempt, JobEvent, Metric
from store.models.leased import Leased, leased_models
from store.models.outgoing import Delivery, MirroredJob, SendingLease
from store.models.pool_checks import PoolCheck
from store.models.queued import CheckpointWork, Queued
from store.models.scores import Score
from store.models.seats import Seat
from store.models.service import ApiSession, ApiToken, KnownDevices, MeasuredActivations, ServiceKey, Worker
from store.models.tailness import MOST_CLASS_COUNTS, MOST_IMAGES, RoundScores, SamplingRound, TailnessEpoch

__all__ = [
    "MOST_CLASS_COUNTS",
    "MOST_IMAGES",
    "Analysis",
    "ApiSession",
    "ApiToken",
    "BackboneWeights",
    "Base",
    "Checkpoint",
    "CheckpointWork",
    "CurveBucket",
    "Dataset",
    "Delivery",
    "Evaluation",
    "Experiment",
    "ExperimentArm",
    "ExperimentRun",
    "Export",
    "Job",
    "JobAttempt",
    "JobEvent",
    "KnownDevices",
    "Leased",
    "MeasuredActivations",
    "Metric",
    "MirroredJob",
    "OodPool",
    "PoolCheck",
    "Queued",
    "Registered",
    "RegisteredImages",
    "RoundScores",
    "SamplingRound",
    "Score",
    "Seat",
    "SendingLease",
    "ServiceKey",
    "TailnessEpoch",
    "UnfinishedUpload",
    "Upload",
    "UploadPart",
    "Worker",
    "leased_models",
    "new_id",
    "utc_now",
]
