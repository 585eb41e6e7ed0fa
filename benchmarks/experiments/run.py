"""Submits a protocol to a running service, waits, and writes what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.experiments.protocol import Json, Protocol
from benchmarks.experiments.values import Value, write
from colt_client import Client, Experiment, Failed


def run(client: Client, protocol: Protocol, out: Path, seeds: Sequence[int] = ()) -> tuple[Path, Path]:
    """Run a protocol, or take up the experiment that has it already.

    Args:
        client: of the service.
        protocol: what to run.
        out: the folder of the results. Values of other runs that it has already stay.
        seeds: to run now. Default: those of the protocol.

    Returns:
        The raw values of runs as CSV, and the results of this service as Markdown.

    Raises:
        ColtError: data cannot be registered, or the service refuses the request.
    """
    seeds = seeds or protocol.experiment.get("seeds", ())
    experiment = _existing(client, protocol) or _submitted(client, protocol, seeds)
    if more := [seed for seed in seeds if seed not in experiment.info.seeds]:
        experiment.add_seeds(seeds=more)
    try:
        experiment.wait()
    except Failed as error:
        print(error)  # the results name what is missing
    out.mkdir(parents=True, exist_ok=True)
    values, tables = out / f"{protocol.stem}.csv", out / f"{protocol.stem}.md"
    kinds = experiment.info.evaluations
    write(values, Value.all_of(experiment.results(evaluation=kind) for kind in kinds))
    with TemporaryDirectory() as folder:
        made = [Path(folder) / kind for kind in kinds]
        for kind, path in zip(kinds, made, strict=True):
            experiment.export(path, format="markdown", evaluation=kind, progress=False)
        texts = [path.read_text("utf-8") for path in made]
    tables.write_text(f"# {experiment.name}\n\n" + "\n".join(texts), "utf-8")
    return values, tables


def _existing(client: Client, protocol: Protocol) -> Experiment | None:
    """The experiment that was submitted with this very protocol."""
    for found in client.experiments.list():
        if found.name == protocol.experiment["name"]:
            whole = client.experiments.get(found.id)
            if whole.info.protocol == protocol.text:
                return whole
    return None


def _submitted(client: Client, protocol: Protocol, seeds: Sequence[int]) -> Experiment:
    ids = {item["name"]: _registered(client.datasets, item) for item in (*protocol.data, *protocol.balanced)}
    if protocol.pool is not None:
        ids[protocol.pool["name"]] = _registered(client.ood_pools, protocol.pool)
    body = protocol.request(ids) | ({"seeds": list(seeds)} if seeds else {})
    return client.experiments.submit(body.pop("dataset_ids"), **body)


def _registered(nouns: Any, body: Json) -> str:
    """The id of data as asked for; they are registered if there are none."""
    spec = {key: value for key, value in body.items() if key != "name"}
    same = (item for item in nouns.list() if item.name == body["name"] and _holds(item.info.spec, spec))
    found = next(same, None) or nouns.register(**body)
    return str(found.wait(progress=False).id)


def _holds(stored: Any, asked: Any) -> bool:
    """Whether what was stored says all that is asked for."""
    if isinstance(asked, dict):
        return isinstance(stored, dict) and all(_holds(stored.get(key), value) for key, value in asked.items())
    return bool(stored == asked)
