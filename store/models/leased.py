"""Work that one worker at a time may do. The database is the queue; a message only wakes workers."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

from sqlalchemy.orm import Mapped, mapped_column


class Leased:
    """Columns of a row that is claimed by lease (store/leases.py).

    `waiting` and `running` are the statuses before and during the work. Registrations have one name for both.
    """

    waiting: ClassVar[str]
    running: ClassVar[str]

    status: Mapped[str]
    attempts: Mapped[int] = mapped_column(default=0)
    # Starts in a row that broke off without getting further: what bounds them, not the number of starts.
    faults: Mapped[int] = mapped_column(default=0, server_default="0")
    worker_id: Mapped[str | None]
    lease_token: Mapped[str | None]
    lease_expires_at: Mapped[dt.datetime | None]
