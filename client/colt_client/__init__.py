"""The Python client of COLT Studio.

`Client` blocks, `AsyncClient` is for asyncio. Both have the same calls.
"""

from __future__ import annotations

from colt_client._async.client import AsyncClient
from colt_client._sync.analyses import Analysis
from colt_client._sync.client import Client
from colt_client._sync.datasets import Dataset
from colt_client._sync.evaluations import Evaluation
from colt_client._sync.experiments import Experiment
from colt_client._sync.jobs import Job
from colt_client._sync.ood_pools import OodPool
from colt_client.errors import (
    AnswerError,
    Busy,
    ColtError,
    Conflict,
    ConnectionLost,
    Failed,
    FieldProblem,
    Forbidden,
    Invalid,
    JobFailed,
    NoRoom,
    NotFound,
    RegistrationFailed,
    TooLarge,
    Unauthorized,
    UnexpectedAnswer,
)
from colt_client.events import Event
from colt_client.frames import Curves, to_pandas, to_polars
from colt_client.plots import plot_accuracy, plot_curves
from colt_client.version import VERSION

__version__ = VERSION

__all__ = [
    "Analysis",
    "AnswerError",
    "AsyncClient",
    "Busy",
    "Client",
    "ColtError",
    "Conflict",
    "ConnectionLost",
    "Curves",
    "Dataset",
    "Evaluation",
    "Event",
    "Experiment",
    "Failed",
    "FieldProblem",
    "Forbidden",
    "Invalid",
    "Job",
    "JobFailed",
    "NoRoom",
    "NotFound",
    "OodPool",
    "RegistrationFailed",
    "TooLarge",
    "Unauthorized",
    "UnexpectedAnswer",
    "__version__",
    "plot_accuracy",
    "plot_curves",
    "to_pandas",
    "to_polars",
]
