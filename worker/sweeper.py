"""Removes files that killed processes left in the artifact store and in this data folder, and what
has expired."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from store.artifacts import ArtifactStore, get_artifacts
from store.database import reading, writing
from store.models import utc_now
from store.orphans import find_orphans
from store.repositories import deliveries, request_keys, scores, sessions, unfinished_uploads, uploads
from store.settings import Settings, get_settings
from worker.folder import WorkerFolder

LONGEST_PAUSE = 3600.0

log = logging.getLogger(__name__)


class Sweeper:
    """Runs in a thread of every worker, at its start and then once an hour."""

    def __init__(self, folder: WorkerFolder) -> None:
        self._folder = folder

    def run(self) -> None:
        """Sweep until the worker stops.

        Run it in its own thread, since listing a large store would delay the heartbeat.
        """
        swept_at = -LONGEST_PAUSE
        while not self._folder.stopping:
            settings = get_settings()
            if time.monotonic() - swept_at >= min(LONGEST_PAUSE, settings.orphan_seconds):
                try:
                    self.once()
                except (OSError, DBAPIError) as error:
                    log.warning("could not look for orphaned files: %s", type(error).__name__)
                except Exception:
                    log.exception("could not look for orphaned files")
                swept_at = time.monotonic()
            time.sleep(settings.reconcile_seconds)

    def once(self) -> None:
        """Remove orphans that are older than `COLT_ORPHAN_SECONDS`, and what has expired."""
        settings = get_settings()
        _remove_expired(settings)
        cache = settings.home / "cache"
        for kept in (get_artifacts(), ArtifactStore(str(cache), cache)):  # the cache has the same folders
            for key in find_orphans(kept, settings.orphan_seconds):
                kept.delete(key)
                log.info("removed %s, which no row names", key)
        for path in _parts_of_messages(settings.home, settings.orphan_seconds):
            path.unlink(missing_ok=True)


def _remove_expired(settings: Settings) -> None:
    """Remove unused uploads, sessions that are over, old scores, and what was sent long ago."""
    unused_since = utc_now() - dt.timedelta(seconds=settings.upload_expire_seconds)
    with reading() as session:
        unused = uploads.unused_since(session, unused_since)
    for upload_id in unused:
        with writing() as session:
            removed = uploads.remove_unused(session, upload_id, unused_since)
        if removed:
            get_artifacts().delete(f"uploads/{upload_id}")
            log.info("removed upload %s, which no registration has used for long", upload_id)
    with reading() as session:
        abandoned = unfinished_uploads.untouched_since(session, unused_since)
    for upload_id in abandoned:
        with writing() as session:
            removed = unfinished_uploads.remove_untouched(session, upload_id, unused_since)
        if removed:
            get_artifacts().delete(f"uploads/{upload_id}")
            log.info("removed upload %s, of which nothing has arrived for long", upload_id)
    with writing() as session:
        sessions.remove_expired(session)
        deliveries.remove_old(session)
        scores.remove_ended(session, utc_now() - dt.timedelta(seconds=settings.score_keep_seconds))
        request_keys.forget_keys(session, utc_now() - dt.timedelta(seconds=settings.idempotency_seconds))


def _parts_of_messages(home: Path, age: float) -> Iterator[Path]:
    """Partial files in the broker's folder that no process writes any more."""
    before = time.time() - age
    for path in home.glob("broker/*.partial"):
        if path.stat().st_mtime < before:
            yield path
