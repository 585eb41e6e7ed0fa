"""What a target of mirrors has to do. One file is one target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from worker.mirrors.packet import Packet

State = dict[str, Any]


class PacketRefused(Exception):
    """The target does not take this packet; it may take those of other jobs."""


class Target(Protocol):
    """Somewhere that jobs are mirrored to."""

    name: str

    def send(self, packet: Packet, state: State | None, keep: Callable[[], None]) -> State:
        """Write all that is in the packet.

        The same packet may come again, unchanged, after a failure at any place. It must not be
        written twice then.

        Args:
            packet: of one job.
            state: what the last packet of the job returned; None for the first one.
            keep: call it between steps that may take seconds. It raises when another worker sends
                now.

        Returns:
            JSON to remember for the job's next packet.

        Raises:
            ReceiverAway: it takes nothing now.
            PacketRefused: it does not take this packet.
        """
