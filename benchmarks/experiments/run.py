"""Submits a protocol to a running service, waits, and writes what came of it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from benchmarks.experiments.protocol import Json, Protocol
from cli.client import Client
from cli.errors import Refused

_UNFINISHED = ("queued", "running", "cancelling")


def run(client: Client, protocol: Protocol, out: Path) -> tuple[Path, Path]:
    """Run a protocol, or take up the experiment that has it already.

    Args:
        client: of the service.
        protocol: what to run.
        out: the folder of the results.

    Returns:
        The raw values of all runs as CSV, and the results as Markdown.

    Raises:
        Refused: data cannot be registered, or the service refuses the request.
    """
    path = f"/experiments/{_existing(client, protocol) or _submitted(client, protocol)}"
    shown = client.follow(path, _UNFINISHED, _Told())
    out.mkdir(parents=True, exist_ok=True)
    values, tables = out / f"{protocol.stem}.csv", out / f"{protocol.stem}.md"
    kinds = shown["evaluations"]
    write_values(values, [client.get(f"{path}/results", evaluation=kind) for kind in kinds])
    texts = [client.text(f"{path}/results", evaluation=kind, format="markdown") for kind in kinds]
    tables.write_text(f"# {shown['name']}\n\n" + "\n".join(texts), "utf-8")
    return values, tables


def write_values(path: Path, results: list[Json]) -> None:
    """Write the raw values, one a line. Runs with the same data set and seed make a pair."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("evaluation", "arm", "dataset", "seed", "steps", "job_id", "metric", "value"))
        for found in results:
            for run in found["pairs"]:
                of = (found["evaluation"], run["arm"], run["dataset"], run["seed"], run["steps"], run["job_id"])
                writer.writerows((*of, metric, value) for metric, value in run["values"].items())


class _Told:
    """Prints how far the experiment is, when that changes."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, shown: Json) -> None:
        left = "" if shown["eta_seconds"] is None else f", {shown['eta_seconds'] / 60:.0f} min left"
        line = f"{shown['id']}: {shown['status']}, {shown['finished']} of {shown['total']} jobs"
        if line != self._last:
            print(f"{line}{left}", flush=True)
        self._last = line


def _existing(client: Client, protocol: Protocol) -> str | None:
    """The experiment that was submitted with this very protocol."""

    def is_it(item: Json) -> bool:
        if item["name"] != protocol.experiment["name"]:
            return False
        return bool(client.get(f"/experiments/{item['id']}")["protocol"] == protocol.text)

    found = client.find("/experiments", is_it)
    return None if found is None else str(found["id"])


def _submitted(client: Client, protocol: Protocol) -> str:
    wanted = [("/datasets", item) for item in (*protocol.data, *protocol.balanced)]
    wanted += [] if protocol.pool is None else [("/ood-pools", protocol.pool)]
    ids = {item["name"]: _registered(client, path, item) for path, item in wanted}
    return str(client.post("/experiments", protocol.request(ids))["id"])


def _registered(client: Client, path: str, body: Json) -> str:
    """The id of data as asked for; they are registered if there are none."""
    spec = {key: value for key, value in body.items() if key != "name"}
    found = client.find(path, lambda item: item["name"] == body["name"] and _holds(item["spec"], spec))
    row_id = client.post(path, body)["id"] if found is None else found["id"]
    item = client.follow(f"{path}/{row_id}", ("registering",), lambda _: None)
    if item["status"] != "ready":
        raise Refused(f"{body['name']} could not be registered: {(item['problem'] or {}).get('detail')}")
    return str(row_id)


def _holds(stored: Any, asked: Any) -> bool:
    """Whether what was stored says all that is asked for."""
    if isinstance(asked, dict):
        return isinstance(stored, dict) and all(_holds(stored.get(key), value) for key, value in asked.items())
    return bool(stored == asked)
