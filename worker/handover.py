"""What a supervisor hands to the process it starts: by environment, since anyone may read a command line."""

from __future__ import annotations

TOKEN = "COLT_LEASE_TOKEN"  # noqa: S105 (the variable's name)
PARENT = "COLT_SUPERVISOR_PID"
DIGESTS = "COLT_DIGESTS"  # the folder that remembers what files hold, one for all work of a worker
SCRATCH = "COLT_SCRATCH"  # an empty folder, removed by the supervisor whatever happens
