"""Environment variables from a supervisor to the processes that it starts."""

from __future__ import annotations

PARENT = "COLT_TRAINER_PID"  # of a rank: the process that starts it
DIGESTS = "COLT_DIGESTS"  # the worker's folder of remembered digests (store/digests.py)
SCRATCH = "COLT_SCRATCH"  # an empty folder, which the supervisor always removes
SEAT = "COLT_SEAT"  # of a job over several machines: the place of this one (worker/agent.py)
TOKEN = "COLT_LEASE_TOKEN"  # noqa: S105 (a name): of the job's lease, for the ranks of such a job
FIRST_RANK = "first-rank"  # a file in the scratch folder of a seat: the process id of rank 0
REASON = "reason"  # another one: why a rank has failed, in words
THREADS = "COLT_THREADS"  # of a training process; without it, torch decides
