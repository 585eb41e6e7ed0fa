"""Workers that show signs of life."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.models import Worker, utc_now


def count_live(session: Session, silence: float) -> int:
    """How many workers moved their heartbeat within the last `silence` seconds."""
    since = utc_now() - dt.timedelta(seconds=silence)
    return session.scalar(select(func.count()).select_from(Worker).where(Worker.heartbeat_at >= since)) or 0
