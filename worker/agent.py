"""The first process of a seat. It becomes torchrun's agent, which starts the seat's ranks.

A rank is a session of its own, so a signal to the agent's group does not reach it. It asks the
kernel to end it with the agent (`worker.trainer.main`).
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from store.leases import Lease
from worker.addresses import interface_towards
from worker.child import Interrupt, WorkBrokeOff, die_with_parent
from worker.handover import PARENT, SCRATCH, SEAT, TOKEN

RENDEZVOUS_SECONDS = 120
LEADER_SECONDS = 60.0  # for the leader's agent to listen


@dataclass(frozen=True, slots=True)
class Place:
    """What an agent must know of its seat."""

    hosts: int
    node_rank: int
    processes: int  # on this machine
    address: str  # the leader's
    port: int
    threads: int  # of each process

    def told(self) -> str:
        """The value of an environment variable."""
        return json.dumps(asdict(self))


def become(lease: Lease, _: Interrupt) -> None:
    """Replace this process by torchrun's agent.

    Raises:
        WorkBrokeOff: if the leader cannot be reached.
    """
    place = Place(**json.loads(os.environ[SEAT]))
    try:
        interface = interface_towards(place.address)
        if place.node_rank:
            _wait_for_leader(place)
    except OSError as error:
        where = f"{place.address}, port {place.port}"
        raise WorkBrokeOff(f"{socket.gethostname()} does not reach the leader at {where}: {error.strerror}") from error
    environment = {
        **os.environ,
        PARENT: str(os.getpid()),
        TOKEN: lease.token,
        "OMP_NUM_THREADS": str(place.threads),  # torchrun would set 1
    }
    if interface is not None:  # found by a host's name it may be the wrong one
        environment |= {"GLOO_SOCKET_IFNAME": interface, "NCCL_SOCKET_IFNAME": interface}
    die_with_parent()  # stays in force
    os.execve(sys.executable, command(place, lease.id, Path(os.environ[SCRATCH])), environment)  # noqa: S606


def command(place: Place, job_id: str, scratch: Path) -> list[str]:
    """The agent's command line."""
    return [
        *(sys.executable, "-m", "torch.distributed.run"),
        f"--nnodes={place.hosts}",
        f"--node-rank={place.node_rank}",
        f"--nproc-per-node={place.processes}",
        f"--master-addr={place.address}",
        f"--master-port={place.port}",
        f"--rdzv-conf=timeout={RENDEZVOUS_SECONDS}",
        "--max-restarts=0",
        f"--log-dir={scratch / 'torchrun'}",
        *("-m", "worker.trainer", job_id),
    ]


def _wait_for_leader(place: Place) -> None:
    deadline = time.monotonic() + LEADER_SECONDS
    while True:
        try:
            socket.create_connection((place.address, place.port), timeout=5).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
