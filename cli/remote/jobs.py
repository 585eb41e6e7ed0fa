"""`colt job`: pretraining runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.failures import UNSUCCESSFUL
from cli.remote import service
from cli.remote.options import AsJson, Most, Settings, Url, given, read_file, settings_of
from cli.remote.printing import print_fields, print_json, print_line, print_table, print_warnings, text
from cli.remote.registering import AcceptCost

if TYPE_CHECKING:
    from colt_client import Event, Job

app = typer.Typer(help="Submit, watch and steer jobs.")
Wanted = Annotated[str, typer.Argument(metavar="JOB", help="Its id, or its name if only one has it.")]
Watch = Annotated[bool, typer.Option("--watch", help="Then print its events until it ends.")]
Wait = Annotated[bool, typer.Option("--wait", help="Then wait until it ends.")]


@app.command(epilog="Example: colt job submit --dataset digits --preset digits --set sampler=none --watch")
def submit(
    dataset: Annotated[str, typer.Option(help="Data set to train on, by id or name.")],
    pool: Annotated[str | None, typer.Option(help="OOD pool, by id or name.")] = None,
    evaluation_dataset: Annotated[str | None, typer.Option(help="Other data set to evaluate on.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML or JSON file with settings.")] = None,
    preset: Annotated[str | None, typer.Option(help="Preset that fills in the other settings.")] = None,
    changes: Settings = None,
    name: Annotated[str | None, typer.Option(help="Default: made from settings and data.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Repeatable.")] = None,
    notes: Annotated[str | None, typer.Option(help="Text for people.")] = None,
    evaluate: Annotated[
        list[str] | None, typer.Option(help="Probe of the last checkpoint: linear, few_shot or knn. Repeatable.")
    ] = None,
    start_from: Annotated[
        str | None, typer.Option(metavar="checkpoint:ID|backbone:ID", help="Whose weights to begin with.")
    ] = None,
    accept_cost: AcceptCost = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The same key and request give the same job, for a day.")
    ] = None,
    watch: Watch = False,
    wait: Wait = False,
    url: Url = None,
    as_json: AsJson = False,
) -> int:
    """Submit a job. Settings come from the preset, then from the file, then from `--set`."""
    settings = {} if config is None else read_file(config)
    settings |= given(preset=preset) | settings_of(changes)
    wanted = given(
        name=name, tags=tag, notes=notes, evaluations=evaluate, start_from=_start(start_from), accept_cost=accept_cost
    )
    with service.service(url) as client:
        job = client.jobs.submit(
            service.dataset(client, dataset),
            ood_pool=None if pool is None else service.ood_pool(client, pool),
            evaluation_dataset=None if evaluation_dataset is None else service.dataset(client, evaluation_dataset),
            idempotency_key=idempotency_key,
            **{"config": settings, **wanted},
        )
        return _after(job, watch=watch, wait=wait, as_json=as_json)


@app.command(epilog="Example: colt job rerun first --set seed=1 --name second")
def rerun(
    wanted: Wanted,
    changes: Settings = None,
    name: Annotated[str | None, typer.Option(help="Default: the name of the job.")] = None,
    accept_cost: AcceptCost = None,
    watch: Watch = False,
    wait: Wait = False,
    url: Url = None,
    as_json: AsJson = False,
) -> int:
    """Submit a new job with the data and settings of another one, but for `--set`."""
    differs = given(name=name, accept_cost=accept_cost)
    with service.service(url) as client:
        job = service.job(client, wanted).rerun(**{"config": settings_of(changes), **differs})
        return _after(job, watch=watch, wait=wait, as_json=as_json)


@app.command("ls", epilog="Example: colt job ls --status running --json")
def list_(
    status: Annotated[str | None, typer.Option(help="Such as queued, running or failed.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Data set, by id or name.")] = None,
    sampler: Annotated[str | None, typer.Option(help="Sampler.")] = None,
    framework: Annotated[str | None, typer.Option(help="Framework.")] = None,
    tag: Annotated[str | None, typer.Option(help="Tag.")] = None,
    name: Annotated[str | None, typer.Option(help="A part of the name.")] = None,
    order: Annotated[str | None, typer.Option(help="Such as -accuracy, the largest first.")] = None,
    limit: Most = 50,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    with service.service(url) as client:
        data_id = None if dataset is None else service.dataset(client, dataset).id
        query = given(status=status, sampler=sampler, framework=framework, tag=tag, name=name, order=order)
        jobs = list(client.jobs.list(**query, dataset_id=data_id, limit=limit))
    if as_json:
        print_json(jobs)
        return
    heads = ("id", "name", "status", "epoch", "loss", "accuracy", "few", "created")
    print_table(
        heads,
        (
            (
                job.id,
                job.name,
                job.status,
                f"{job.info.progress.epoch}/{job.info.progress.epochs}",
                job.info.loss,
                job.info.accuracy,
                job.info.few,
                job.info.created_at,
            )
            for job in jobs
        ),
    )


@app.command(epilog="Example: colt job show first --json")
def show(wanted: Wanted, url: Url = None, as_json: AsJson = False) -> None:
    """Show one job: its state, its settings and its warnings."""
    with service.service(url) as client:
        job = service.job(client, wanted)
        job.refresh()  # a list has less
    if as_json:
        print_json(job)
        return
    _print_job(job)
    print("settings:")
    print_fields({f"  {name}": value for name, value in job.info.config.items()})
    print_warnings(job.info.warnings)


@app.command(epilog="Example: colt job watch first --json")
def watch(
    wanted: Wanted,
    after: Annotated[int, typer.Option(min=0, help="Id of an event: print later ones alone.")] = 0,
    url: Url = None,
    as_json: AsJson = False,
) -> int:
    """Print the events of a job, one a line, until it ends. A restart of the service does no harm.
    The exit code is 4 if the job fails or is cancelled."""
    with service.service(url) as client:
        return _watch(service.job(client, wanted), after, as_json=as_json)


@app.command(epilog="Example: colt job cancel first second")
def cancel(
    wanted: Annotated[list[str], typer.Argument(metavar="JOB...", help="Ids or names.")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Cancel jobs. A running one writes a checkpoint first."""
    with service.service(url) as client:
        jobs = [service.job(client, name) for name in wanted]
        for job in jobs:
            job.cancel()
            job.refresh()
    _print_statuses(jobs, as_json=as_json)


@app.command(epilog="Example: colt job resume first --watch")
def resume(wanted: Wanted, watch: Watch = False, wait: Wait = False, url: Url = None, as_json: AsJson = False) -> int:
    """Queue a failed or cancelled job again. It resumes from its last checkpoint."""
    with service.service(url) as client:
        job = service.job(client, wanted)
        job.resume()
        return _after(job.refresh(), watch=watch, wait=wait, as_json=as_json)


@app.command(epilog="Example: colt job logs first --follow")
def logs(
    wanted: Wanted,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until the job ends.")] = False,
    url: Url = None,
) -> None:
    """Print the lines that a job has logged."""
    with service.service(url) as client:
        for event in service.job(client, wanted).events(follow=follow):
            if event.kind == "log":
                for line in event.data.get("lines", []):
                    print(text(line), flush=follow)


def _start(said: str | None) -> dict[str, str] | None:
    if said is None:
        return None
    kind, _, id_ = said.partition(":")
    if kind not in {"checkpoint", "backbone"} or not id_:
        raise typer.BadParameter("is checkpoint:ID or backbone:ID", param_hint="--start-from")
    return {f"{kind}_id": id_}


def _after(job: Job, *, watch: bool, wait: bool, as_json: bool) -> int:
    """What follows when a job was queued: its id, or all until its end."""
    if watch:
        return _watch(job, 0, as_json=as_json)
    if wait:
        job.wait()
    _print_statuses([job], as_json=as_json, alone=True)
    return 0


def _print_statuses(jobs: list[Job], *, as_json: bool, alone: bool = False) -> None:
    if as_json:
        print_json(jobs[0] if alone else jobs)
        return
    for job in jobs:
        print(f"{job.id}  {job.status}")


def _watch(job: Job, after: int, *, as_json: bool) -> int:
    end = job.status
    for event in job.events(after=after):
        if event.kind == "end":
            end = event.data["status"]
        if as_json:
            print_line({"id": event.id, "kind": event.kind, "data": event.data})
        else:
            print(_line(event), flush=True)
    return 0 if end == "succeeded" else UNSUCCESSFUL


def _line(event: Event) -> str:
    data: dict[str, Any] = event.data
    if event.kind == "log":
        return "\n".join(f"{event.kind:<10} {text(line)}" for line in data.get("lines", []))
    nested = {name: value for group in data.values() if isinstance(group, dict) for name, value in group.items()}
    said = [f"{name} {text(value)}" for name, value in (data | nested).items() if not isinstance(value, dict | list)]
    return f"{event.kind:<10} {', '.join(said)}"


def _print_job(job: Job) -> None:
    info = job.info
    print_fields(
        {
            "id": info.id,
            "name": info.name,
            "status": info.status,
            "epoch": f"{info.progress.epoch}/{info.progress.epochs}",
            "loss": info.loss,
            "accuracy": info.accuracy,
            "few": info.few,
            "dataset": info.dataset_id,
            "pool": info.ood_pool_id,
            "tags": ", ".join(info.tags),
            "attempts": info.attempts,
            "created": info.created_at,
            "started": info.started_at,
            "finished": info.finished_at,
            "error": info.error,
        }
    )
