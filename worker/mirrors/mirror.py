"""Mirrors jobs to one target: packet by packet, each job in turn."""

from __future__ import annotations

import logging

from store.database import reading
from store.repositories import mirrors
from worker.mirrors.packet import Packet
from worker.mirrors.target import PacketRefused, Target
from worker.sender import Turn

log = logging.getLogger(__name__)


class Mirror:
    """What a target has not got yet, see :class:`worker.sender.Work`.

    A packet is stored before it is sent, and sent unchanged until the target has taken it. So an
    answer that was lost, or a worker that was killed, sends nothing twice.
    """

    def __init__(self, target: Target) -> None:
        self.receiver = target.name
        self._target = target

    def is_due(self) -> bool:
        with reading() as session:
            return bool(mirrors.due_jobs(session, self.receiver))

    def send(self, turn: Turn) -> None:
        while turn.goes_on():
            with reading() as session:
                due = mirrors.due_jobs(session, self.receiver)
            if not due:
                return
            for job_id in due:
                if turn.goes_on():
                    self._send_next(job_id, turn)

    def _send_next(self, job_id: str, turn: Turn) -> None:
        with reading() as session:
            row = mirrors.get(session, self.receiver, job_id)
        packet, state = (None, None) if row is None else (row.packet, row.state)
        if packet is None:
            packet = self._stored_next(job_id, turn)
        if packet is None:
            return
        try:
            state = self._target.send(Packet.loads(packet), state, turn.keep)
        except PacketRefused as error:
            log.warning("%s refuses a part of a job: %s", self.receiver, error, extra={"job_id": job_id})
            with turn.writing() as session:
                mirrors.refused(session, self.receiver, job_id)
            return
        with turn.writing() as session:
            mirrors.taken(session, self.receiver, job_id, state)

    def _stored_next(self, job_id: str, turn: Turn) -> str | None:
        """The next packet of a job, stored; None if the job was deleted."""
        with reading() as session:
            part = mirrors.next_part(session, self.receiver, job_id)
            packet = None if part is None else Packet.of(part).dumps()
        if part is None or packet is None:
            return None
        with turn.writing() as session:
            return packet if mirrors.store(session, self.receiver, part, packet) else None
