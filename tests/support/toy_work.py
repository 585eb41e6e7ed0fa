"""A kind of leased work that the service does not have, and
`python -m tests.support.toy_work toy ID`."""

from __future__ import annotations

import sys

from sqlalchemy.orm import DeclarativeBase

from store.bells import Bell
from store.leases import Lease
from store.models import Base, Queued
from worker import outcome
from worker.child import Interrupt, main
from worker.patience import retry_transaction


def define_toy() -> type[Queued]:
    """Define the table. Called, not imported: what is defined is known to the whole process."""

    class ToyBase(DeclarativeBase):
        type_annotation_map = Base.type_annotation_map

    class Toy(Queued, ToyBase):
        __tablename__ = "toys"
        noun = "toy"
        bell = Bell.EXAMINE
        program = "tests.support.toy_work"

    return Toy


def play(lease: Lease, interrupt: Interrupt) -> None:
    retry_transaction(lambda session: outcome.succeeded(session, lease))


if __name__ == "__main__":
    define_toy()
    sys.exit(main(play))
