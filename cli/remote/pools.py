"""`colt pool`: pools of out-of-distribution images."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.failures import REFUSED
from cli.remote import registering, service
from cli.remote.options import AsJson, Most, Settings, Url, Wait, given, settings_of
from cli.remote.printing import print_json, text
from cli.remote.registering import AcceptCost, Background, BitDepth, Fit, From, Layout, Name, OnDamaged, Size

app = typer.Typer(help="Register, look at and check OOD pools.")
Wanted = Annotated[str, typer.Argument(metavar="POOL", help="Its id, or its name if only one has it.")]


@app.command(epilog="Example: colt pool add sample:glyphs-and-patches --image-size 32")
def add(
    source: From,
    name: Name = None,
    image_size: Size = None,
    layout: Layout = None,
    fit: Fit = None,
    background: Background = None,
    bit_depth: BitDepth = None,
    on_damaged: OnDamaged = None,
    accept_cost: AcceptCost = None,
    more: Settings = None,
    wait: Wait = True,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Register a pool. Files of this machine are uploaded. `--set` takes the other fields of
    `POST /ood-pools`."""
    settings: dict[str, Any] = given(
        image_size=image_size,
        layout=layout,
        fit=fit,
        background=background,
        bit_depth=bit_depth,
        on_damaged=on_damaged,
        accept_cost=accept_cost,
    )
    settings |= settings_of(more)
    with service.service(url) as client:
        registering.register(client.ood_pools, source, name, settings, wait=wait, as_json=as_json)


@app.command("ls", epilog="Example: colt pool ls")
def list_(
    status: Annotated[str | None, typer.Option(help="registering, ready or failed.")] = None,
    limit: Most = 50,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List pools, newest first."""
    with service.service(url) as client:
        registering.show_all(list(client.ood_pools.list(status=status, limit=limit)), as_json=as_json)


@app.command(epilog="Example: colt pool show natural-50k --json")
def show(wanted: Wanted, url: Url = None, as_json: AsJson = False) -> None:
    """Show one pool."""
    with service.service(url) as client:
        registering.show(service.ood_pool(client, wanted), as_json=as_json)


@app.command(epilog="Example: colt pool check natural-50k --job first --budget 5000")
def check(
    wanted: Wanted,
    dataset: Annotated[str | None, typer.Option(help="Data set to check it for. Default: that of the job.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="Id of the checkpoint whose encoder compares.")] = None,
    job: Annotated[str | None, typer.Option(help="Job whose last checkpoint compares.")] = None,
    budget: Annotated[int | None, typer.Option(min=1, help="Images that a sampling round would pick.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> int:
    """Ask whether a pool can help a data set, and wait for the answer. Without options, show what
    registering it found. The exit code is 1 for a verdict other than `useful`, or a finding."""
    with service.service(url) as client:
        pool = service.ood_pool(client, wanted)
        if dataset is None and checkpoint is None and job is None and budget is None:
            return registering.check(pool, as_json=as_json)
        if (checkpoint is None) == (job is None) or budget is None or (dataset is None and job is None):
            raise typer.BadParameter("give --budget, and --job, or --checkpoint with --dataset")
        if job is not None:
            whose = service.job(client, job)
            checkpoint, data_id = service.checkpoint_id(client, whose.id), whose.info.dataset_id
        if dataset is not None:
            data_id = service.dataset(client, dataset).id
        assert checkpoint is not None
        found = pool.check(dataset_id=data_id, checkpoint_id=checkpoint, budget=budget).wait().info
    result = found.result
    assert result is not None
    if as_json:
        print_json(found)
    else:
        print(f"verdict: {result.verdict}")
        for finding in result.findings:
            print(f"{finding.about}: {finding.verdict}. {text(finding.detail)}")
    return 0 if result.verdict == "useful" else REFUSED
