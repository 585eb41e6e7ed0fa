"""Several processes train one model: each takes its rows of every batch, and all come to the same numbers."""

from colt_core.distributed.batch_norm import GlobalBatchNorm, with_global_statistics
from colt_core.distributed.gather import gather_rows, gather_views
from colt_core.distributed.gradients import sum_gradients
from colt_core.distributed.group import Launch, process_group
from colt_core.distributed.ranks import Ranks

__all__ = [
    "GlobalBatchNorm",
    "Launch",
    "Ranks",
    "gather_rows",
    "gather_views",
    "process_group",
    "sum_gradients",
    "with_global_statistics",
]
