"""The lanes of a worker. Each lane has its own bell and works on one row at a time."""

from __future__ import annotations

from enum import StrEnum


class Bell(StrEnum):
    """Name of a message that only says that there is work. The work itself is in the database."""

    TRAIN = "colt.train"
    PREPARE = "colt.prepare"  # registrations; in earlier versions evaluations and analyses too
    EXAMINE = "colt.examine"
    SCORE = "colt.score"  # of unseen images, for clients that wait
