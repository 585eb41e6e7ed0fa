"""The Python client of COLT Studio.

`Client` blocks, `AsyncClient` is for asyncio. Both have the same calls.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from colt_client.version import VERSION

if TYPE_CHECKING:
    from colt_client._async.client import AsyncClient
    from colt_client._sync.analyses import Analysis
    from colt_client._sync.backbones import Backbone
    from colt_client._sync.client import Client
    from colt_client._sync.datasets import Dataset
    from colt_client._sync.evaluations import Evaluation
    from colt_client._sync.experiments import Experiment
    from colt_client._sync.jobs import Job
    from colt_client._sync.ood_pools import OodPool, PoolCheck
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

__version__ = VERSION

# Imported when they are first asked for: who uses one half pays for one half.
_WHERE = {
    "Analysis": "colt_client._sync.analyses",
    "AnswerError": "colt_client.errors",
    "AsyncClient": "colt_client._async.client",
    "Backbone": "colt_client._sync.backbones",
    "Busy": "colt_client.errors",
    "Client": "colt_client._sync.client",
    "ColtError": "colt_client.errors",
    "Conflict": "colt_client.errors",
    "ConnectionLost": "colt_client.errors",
    "Curves": "colt_client.frames",
    "Dataset": "colt_client._sync.datasets",
    "Evaluation": "colt_client._sync.evaluations",
    "Event": "colt_client.events",
    "Experiment": "colt_client._sync.experiments",
    "Failed": "colt_client.errors",
    "FieldProblem": "colt_client.errors",
    "Forbidden": "colt_client.errors",
    "Invalid": "colt_client.errors",
    "Job": "colt_client._sync.jobs",
    "JobFailed": "colt_client.errors",
    "NoRoom": "colt_client.errors",
    "NotFound": "colt_client.errors",
    "OodPool": "colt_client._sync.ood_pools",
    "PoolCheck": "colt_client._sync.ood_pools",
    "RegistrationFailed": "colt_client.errors",
    "TooLarge": "colt_client.errors",
    "Unauthorized": "colt_client.errors",
    "UnexpectedAnswer": "colt_client.errors",
    "plot_accuracy": "colt_client.plots",
    "plot_curves": "colt_client.plots",
    "to_pandas": "colt_client.frames",
    "to_polars": "colt_client.frames",
}

__all__ = [
    "Analysis",
    "AnswerError",
    "AsyncClient",
    "Backbone",
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
    "PoolCheck",
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


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_WHERE[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
