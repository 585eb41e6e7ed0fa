"""A real MLflow tracking server, brought by its wheel."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.support.processes import Process, clean_environment, free_port, wait_until

SECONDS = 300  # to start: it imports for long


class MlflowServer:
    """It can be suspended, as one that hangs."""

    def __init__(self, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self._client = httpx.Client(base_url=f"{self.url}/api/2.0/mlflow/", timeout=60)
        places = ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
        places += ["--artifacts-destination", str(folder / "artifacts")]
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers=1"]
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        self._process = Process("mlflow", [*command, *places], env=clean_environment(**quiet), folder=folder)

    def start(self) -> None:
        """Begin to start it. `wait` for the end."""
        self._process.start()

    def wait(self) -> None:
        wait_until(self._answers, SECONDS, "MLflow answers", every=0.5)

    def send(self, number: int) -> None:
        """Send a signal, such as SIGSTOP, to all of its processes."""
        server = psutil.Process(self._process.pid)
        for process in (*server.children(recursive=True), server):
            process.send_signal(number)

    def stop(self) -> None:
        self._client.close()
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        self._process.wait(60)

    def call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._client.post(path, json=body)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def get(self, call: str, /, **query: str) -> dict[str, Any]:
        answer = self._client.get(call, params=query)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def runs_of(self, job_id: str) -> list[dict[str, Any]]:
        """All runs of a job, in any experiment."""
        found = self.get("experiments/search", max_results="100").get("experiments", [])
        ids = [experiment["experiment_id"] for experiment in found]
        wanted = {"experiment_ids": ids, "filter": f"tags.`colt.job_id` = '{job_id}'"}
        runs: list[dict[str, Any]] = self.call("runs/search", wanted).get("runs", [])
        return runs

    def history(self, run_id: str, metric: str) -> list[tuple[int, float]]:
        """Every point that was kept: step and value."""
        found = self.get("metrics/get-history", run_id=run_id, metric_key=metric, max_results="25000")
        return [(int(point["step"]), point["value"]) for point in found.get("metrics", [])]

    def _answers(self) -> bool:
        assert self._process.running, self._process.tail()
        try:
            return httpx.get(f"{self.url}/health", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def mlflow_server(folder: Path) -> Iterator[MlflowServer]:
    """A server that begins to start."""
    server = MlflowServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
