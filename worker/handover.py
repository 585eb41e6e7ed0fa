"""What a supervisor hands to the process it starts: by environment, since anyone may read a command
line."""

from __future__ import annotations

import os
from pathlib import Path

from store.leases import Lease

TOKEN = "COLT_LEASE_TOKEN"  # noqa: S105 (the variable's name)
PARENT = "COLT_SUPERVISOR_PID"
DIGESTS = "COLT_DIGESTS"  # the folder that remembers what files hold, one for all work of a worker
SCRATCH = "COLT_SCRATCH"  # an empty folder, removed by the supervisor whatever happens


def handed_over(lease: Lease, *, scratch: Path, digests: Path) -> dict[str, str]:
    """The variables, when this process is the supervisor."""
    return {TOKEN: lease.token, PARENT: str(os.getpid()), DIGESTS: str(digests), SCRATCH: str(scratch)}
