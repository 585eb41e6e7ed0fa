"""Runs the service as real processes with noise data. Default: on SQLite and files."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from store.database import build_engine

CLASSES = 4
_PATIENCE_SECONDS = 120.0


class Service:
    """A migrated home with a free port. Processes end with the context that started them.

    Args:
        settings: more environment variables of the processes, such as COLT_DATABASE_URL.
    """

    def __init__(self, home: Path, **settings: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("COLT_")}
        self.home = home
        mine = {"COLT_HOME": str(home), "COLT_PORT": str(port), "COLT_DATA_ROOTS": str(home)}
        self._env = {**kept, **mine, **settings}
        self.base_url = f"http://127.0.0.1:{port}/api/v1"
        self._root = f"http://127.0.0.1:{port}"
        self._colt("migrate")
        self.client = httpx.Client(base_url=self.base_url, timeout=30, trust_env=False)
        self.engine = build_engine(settings.get("COLT_DATABASE_URL", f"sqlite:///{home / 'colt.db'}"))

    def add_token(self, name: str) -> str:
        """A new token. Once there is one, every request needs one."""
        return self._colt("token", "create", name).strip()

    def _colt(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "cli", *arguments]
        return subprocess.run(command, env=self._env, check=True, stdout=subprocess.PIPE, text=True).stdout

    @contextmanager
    def running(self, module: str) -> Iterator[int]:
        """Run `python -m MODULE` during the context, and yield its process id.

        Its output is in MODULE.log in the home.
        """
        with (self.home / f"{module}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module], env=self._env, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait(_PATIENCE_SECONDS)

    def answers(self, path: str) -> bool:
        """Whether the API answers a request with 200."""
        try:
            return self.client.get(f"{self._root}{path}").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def post(self, path: str, body: dict[str, Any]) -> str:
        """Create a row. Returns its id.

        Raises:
            RuntimeError: if the API refuses it.
        """
        created = self.client.post(path, json=body)
        if created.is_error:
            raise RuntimeError(f"{path}: {created.text}")
        row_id: str = created.json()["id"]
        return row_id

    def waiting(self) -> bool:
        """Whether a data set is still being registered."""
        page = self.client.get("/datasets?status=registering&limit=1").raise_for_status().json()
        return bool(page["items"])

    def is_at(self, path: str, status: str) -> bool:
        """Whether the row has this status.

        Raises:
            RuntimeError: if the row failed.
        """
        row = self.client.get(path).raise_for_status().json()
        if row["status"] == "failed":
            raise RuntimeError(f"{path}: {row.get('error') or row.get('problem')}")
        return bool(row["status"] == status)


def until(condition: Callable[[], bool], pause: float = 0.01) -> float:
    """Wait until the condition holds. Returns the seconds.

    Raises:
        TimeoutError: after two minutes.
    """
    began = time.perf_counter()
    while not condition():
        if time.perf_counter() - began > _PATIENCE_SECONDS:
            raise TimeoutError
        time.sleep(pause)
    return time.perf_counter() - began


def register(service: Service, images: int, train_of_class: int) -> tuple[str, str]:
    """Register a data set of four classes and a pool, each of noise images of 32 px.

    Returns:
        The ids of the data set and the pool.
    """
    noise = np.random.default_rng(0).integers(0, 256, (images, 32, 32, 3), dtype=np.uint8)
    np.savez(service.home / "dataset.npz", images=noise, labels=np.arange(images) % CLASSES)
    np.save(service.home / "pool.npy", noise)
    dataset = service.post(
        "/datasets",
        {
            "name": "noise",
            "source": {"kind": "path", "path": str(service.home / "dataset.npz")},
            "long_tail": {"profile": "exp", "imbalance_ratio": 1, "max_per_class": train_of_class},
        },
    )
    pool = service.post(
        "/ood-pools", {"name": "noise", "source": {"kind": "path", "path": str(service.home / "pool.npy")}}
    )
    until(lambda: service.is_at(f"/datasets/{dataset}", "ready"), 0.2)
    until(lambda: service.is_at(f"/ood-pools/{pool}", "ready"), 0.2)
    return dataset, pool
