"""Environment variables from a supervisor to the process it starts.

They are not arguments, since any user of the machine can read a command line.
"""

from __future__ import annotations

import os
from pathlib import Path

from store.leases import Lease

TOKEN = "COLT_LEASE_TOKEN"  # noqa: S105 (the variable's name)
PARENT = "COLT_SUPERVISOR_PID"
DIGESTS = "COLT_DIGESTS"  # the worker's folder of remembered digests (store/digests.py)
SCRATCH = "COLT_SCRATCH"  # an empty folder, which the supervisor always removes


def handed_over(lease: Lease, *, scratch: Path, digests: Path) -> dict[str, str]:
    """The variables for a new process of this supervisor."""
    return {TOKEN: lease.token, PARENT: str(os.getpid()), DIGESTS: str(digests), SCRATCH: str(scratch)}
