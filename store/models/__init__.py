"""The tables."""

from store.models.base import Base, new_id, utc_now
from store.models.data import Dataset, OodPool, Upload
from store.models.jobs import Analysis, Checkpoint, Evaluation, Job, JobAttempt, JobEvent, Metric
from store.models.leased import Leased
from store.models.service import ApiToken, Worker
from store.models.tailness import MOST_IMAGES, SamplingRound, TailnessEpoch

__all__ = [
    "MOST_IMAGES",
    "Analysis",
    "ApiToken",
    "Base",
    "Checkpoint",
    "Dataset",
    "Evaluation",
    "Job",
    "JobAttempt",
    "JobEvent",
    "Leased",
    "Metric",
    "OodPool",
    "SamplingRound",
    "TailnessEpoch",
    "Upload",
    "Worker",
    "new_id",
    "utc_now",
]
