"""Where this worker sends to, by its settings."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator

from store.settings import Settings
from worker.mirrors.mirror import Mirror
from worker.mirrors.mlflow import MlflowTarget
from worker.sender import Work
from worker.webhook import Webhook

log = logging.getLogger(__name__)


def receivers(settings: Settings) -> Iterator[Work]:
    """One for each that the settings name."""
    if settings.mlflow_url.get_secret_value():
        yield Mirror(MlflowTarget(settings))
    if settings.tensorboard_dir is not None:
        if importlib.util.find_spec("tensorboard") is None:
            log.error("COLT_TENSORBOARD_DIR needs the extra `tensorboard`; nothing is written there")
        else:
            from worker.mirrors.tensorboard import TensorboardTarget

            yield Mirror(TensorboardTarget(settings))
    if settings.webhook_url.get_secret_value():
        yield Webhook(settings)
