"""The program of the toy kind, which is known only to processes that import this."""

from __future__ import annotations

from store.leases import Lease
from tests.support.toy_work import define_toy
from worker import outcome
from worker.child import Interrupt
from worker.patience import retry_transaction

define_toy()


def play(lease: Lease, interrupt: Interrupt) -> None:
    retry_transaction(lambda session: outcome.succeeded(session, lease))
