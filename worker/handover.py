"""Environment variables from a supervisor to the processes that it starts."""

from __future__ import annotations

PARENT = "COLT_TRAINER_PID"  # of a rank
DIGESTS = "COLT_DIGESTS"  # the worker's folder of remembered digests (store/digests.py)
SCRATCH = "COLT_SCRATCH"  # an empty folder, which the supervisor always removes
THREADS = "COLT_THREADS"  # of a training process; without it, torch decides
