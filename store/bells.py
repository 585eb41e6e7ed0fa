"""The lanes of a worker. Each has a bell of its own, and works on one row at a time."""

from __future__ import annotations

from enum import StrEnum


class Bell(StrEnum):
    """A message's name. It only says that there is work; what work, the database knows."""

    TRAIN = "colt.train"
    PREPARE = "colt.prepare"  # registrations; earlier versions rang it for evaluations and analyses too
    EXAMINE = "colt.examine"
