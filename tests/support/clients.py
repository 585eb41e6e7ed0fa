"""Requests that register data and train jobs, as a client of the service makes them."""

from __future__ import annotations

import time
from typing import Any

import httpx

API = "/api/v1"
CONFIG = {
    "preset": "digits",
    "epochs": 3,
    "width": 8,
    "batch_size": 128,
    "warmup_epochs": 1,
    "sample_interval": 1,
    "sample_budget": 50,
    "num_clusters": 4,
    "seed": 1,
}


def until(client: httpx.Client, path: str, *statuses: str, seconds: float = 120) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while True:
        shown: dict[str, Any] = client.get(path).json()
        if shown["status"] in statuses:
            return shown
        assert shown["status"] != "failed", shown
        assert time.monotonic() < deadline, shown
        time.sleep(0.2)


def register(client: httpx.Client, noun: str, body: dict[str, Any]) -> dict[str, Any]:
    created = client.post(f"{API}/{noun}", json={"image_size": 32, **body})
    assert created.status_code == 202, created.text
    return until(client, created.headers["location"], "ready")
