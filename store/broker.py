"""The Celery application: a doorbell. Its messages only say that there is work; what work, the
database knows."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path

from celery import Celery
from kombu.exceptions import OperationalError

from store.bells import Bell
from store.settings import Settings, get_settings

CONNECT_SECONDS = 5
ANSWER_SECONDS = 10

log = logging.getLogger(__name__)


def build_celery(settings: Settings) -> Celery:
    """A Celery application for the configured broker; `worker` adds the tasks, `api` only sends."""
    url = settings.broker_url.get_secret_value()
    app = Celery("colt", set_as_current=False)
    app.conf.update(
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a worker outlives any outage of its broker
        broker_channel_error_retry=True,  # and its errors: Redis gives some while it fails over, or its disk is full
        broker_connection_timeout=CONNECT_SECONDS,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=False,
        task_default_queue="colt",
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        # Health is the heartbeat row; nobody sends commands to workers.
        worker_enable_remote_control=False,
    )
    if url.startswith("filesystem://"):
        folder = Path(url.removeprefix("filesystem://"))
        folder.mkdir(parents=True, exist_ok=True)
        queue = str(folder)
        app.conf.update(
            broker_url="filesystem://localhost",
            broker_transport="store.file_broker:Transport",
            broker_transport_options={
                "data_folder_in": queue,
                "data_folder_out": queue,
                "store_processed": False,
            },
        )
    else:
        app.conf.update(
            broker_url=url,
            broker_transport_options={
                "socket_connect_timeout": CONNECT_SECONDS,
                # A broker that hangs, or has vanished with its machine, says nothing: who rings
                # must not wait for ever.
                "socket_timeout": ANSWER_SECONDS,
                "socket_keepalive": True,
                # How often a *sender* tries: whoever rings has others waiting, and a bell may be
                # lost.
                "max_retries": 1,
                "interval_start": 0,
                "interval_step": 0,
            },
            # Else a worker takes messages out of Redis that an idle one could act upon; files are
            # taken one by one.
            worker_disable_prefetch=True,
        )
    return app


@lru_cache
def get_celery() -> Celery:
    """The process's Celery application."""
    return build_celery(get_settings())


def ring(bell: Bell) -> bool:
    """Wake a worker. Call it after the transaction has committed.

    A broker that does not answer loses nothing: every worker's reconciler rings again for what
    still waits.

    Returns:
        Whether the broker took the message.
    """
    try:
        get_celery().send_task(bell.value, retry=False)
    except (OperationalError, OSError) as error:
        log.warning("the broker does not answer, so %s waits for a reconciler: %s", bell, type(error).__name__)
        return False
    return True
