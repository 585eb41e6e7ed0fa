"""The Celery application: a doorbell. Its messages only say that there is work; what work, the database knows."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from celery import Celery

from store.settings import Settings, get_settings

TRAIN = "colt.train"  # rings for jobs
PREPARE = "colt.prepare"  # rings for registrations and evaluations


def build_celery(settings: Settings) -> Celery:
    """A Celery application for the configured broker; `worker` adds the tasks, `api` only sends."""
    url = settings.broker_url.get_secret_value()
    app = Celery("colt", set_as_current=False)
    app.conf.update(
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=5,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=False,
        task_default_queue="colt",
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_hijack_root_logger=False,
        # torch hangs in a forked child; and a pool of fresh processes gives memory back.
        worker_pool_start_method="spawn",
    )
    if url.startswith("filesystem://"):
        folder = Path(url.removeprefix("filesystem://"))
        folder.mkdir(parents=True, exist_ok=True)
        queue = str(folder)
        app.conf.update(
            broker_url="filesystem://",
            broker_transport_options={
                "data_folder_in": queue,
                "data_folder_out": queue,
                "control_folder": str(folder / "control"),
                "store_processed": False,
            },
        )
    else:
        app.conf.update(broker_url=url)
    return app


@lru_cache
def get_celery() -> Celery:
    """The process's Celery application."""
    return build_celery(get_settings())


def ring(bell: str) -> None:
    """Wake a worker. Call it after the transaction has committed.

    A broker that does not answer loses nothing: every worker's reconciler rings again for what still waits.
    """
    get_celery().send_task(bell, retry=False)
