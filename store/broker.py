"""The Celery application, used as a doorbell.

A message only says that there is work. The work itself is in the database.
"""

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
    """A Celery application for the configured broker. `worker` adds the tasks; `api` only sends."""
    url = settings.broker_url.get_secret_value()
    app = Celery("colt", set_as_current=False)
    app.conf.update(
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a worker survives any outage of its broker
        broker_channel_error_retry=True,  # Redis answers with errors during a failover or with a full disk
        broker_connection_timeout=CONNECT_SECONDS,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=False,
        task_default_queue="colt",
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        # Health is checked by the heartbeat row, and nothing sends commands to workers.
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
                "polling_interval": 0.1,  # seconds; a client that has images scored waits for this
            },
        )
    else:
        app.conf.update(
            broker_url=url,
            broker_transport_options={
                "socket_connect_timeout": CONNECT_SECONDS,
                # A broker that hangs, or whose machine is gone, never answers. Senders must not
                # wait without end.
                "socket_timeout": ANSWER_SECONDS,
                "socket_keepalive": True,
                # How often a *sender* tries. A request is waiting for it, and a lost bell does no
                # harm.
                "max_retries": 1,
                "interval_start": 0,
                "interval_step": 0,
            },
            # Otherwise a busy worker takes messages out of Redis that an idle one could act on.
            # The file broker needs no such setting: its messages are taken one by one.
            worker_disable_prefetch=True,
        )
    return app


@lru_cache
def get_celery() -> Celery:
    """The process's Celery application."""
    return build_celery(get_settings())


def ring(bell: Bell) -> bool:
    """Wake a worker. Call it after the transaction has committed.

    No work is lost when the broker does not answer: each worker's reconciler rings again for
    waiting work.

    Returns:
        Whether the broker took the message.
    """
    try:
        get_celery().send_task(bell.value, retry=False)
    except (OperationalError, OSError) as error:
        log.warning(
            "the broker does not answer; %s is sent again by a worker's reconciler: %s", bell, type(error).__name__
        )
        return False
    return True
