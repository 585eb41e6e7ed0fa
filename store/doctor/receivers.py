"""Whether what this service sends elsewhere would arrive."""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from store.doctor.finding import Finding
from store.outgoing import NoAnswer, addresses, request, without_user
from store.settings import Settings

SECONDS = 5.0


def examine_receivers(settings: Settings) -> Iterator[Finding]:
    """Ask each that the settings name. Nothing is sent to the webhook; it is only connected to."""
    if url := settings.mlflow_url.get_secret_value():
        yield from _mlflow(without_user(url).rstrip("/"))
    if settings.tensorboard_dir is not None:
        yield from _tensorboard(settings.tensorboard_dir)
    if url := settings.webhook_url.get_secret_value():
        yield from _webhook(url, settings.webhook_allow_private)


def _mlflow(base: str) -> Iterator[Finding]:
    try:
        answer = request("GET", f"{base}/health", seconds=SECONDS)
    except NoAnswer as error:
        problem = f"does not answer ({error})"
    else:
        if answer.status == 200:
            return
        problem = f"answers {answer.status}"
    yield Finding(f"the MLflow server {problem}; jobs are mirrored once it does", "check COLT_MLFLOW_URL")


def _tensorboard(folder: Path) -> Iterator[Finding]:
    if importlib.util.find_spec("tensorboard") is None:
        yield Finding("event files of TensorBoard need an extra", "pip install '.[service,tensorboard]'")
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not (there.is_dir() and os.access(there, os.W_OK)):
        yield Finding("the folder for TensorBoard cannot be written", "check COLT_TENSORBOARD_DIR")


def _webhook(url: str, allow_private: bool) -> Iterator[Finding]:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = addresses(parts.hostname or "", port, allow_private=allow_private)
        socket.create_connection((found[0], port), timeout=SECONDS).close()
    except (NoAnswer, OSError) as error:
        why = getattr(error, "strerror", None) or error
        yield Finding(f"the webhook cannot be reached ({why}); it gets its news for a day", "check COLT_WEBHOOK_URL")
