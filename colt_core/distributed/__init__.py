"""Data-parallel training: each process takes its rows of every batch.

All processes compute the same numbers.
"""

from colt_core.distributed.batch_norm import GlobalBatchNorm, with_global_statistics
from colt_core.distributed.gather import gather_outputs, gather_rows, gather_views
from colt_core.distributed.gradients import sum_gradients, sum_over
from colt_core.distributed.group import Launch, process_group
from colt_core.distributed.ranks import ALONE, Ranks

__all__ = [
    "ALONE",
    "GlobalBatchNorm",
    "Launch",
    "Ranks",
    "gather_outputs",
    "gather_rows",
    "gather_views",
    "process_group",
    "sum_gradients",
    "sum_over",
    "with_global_statistics",
]
