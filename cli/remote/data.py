"""`colt data`: labelled image data sets."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.remote import registering
from cli.remote.options import AsJson, Most, Settings, Url, Wait, given, settings_of
from cli.remote.registering import (
    AcceptCost,
    Background,
    BitDepth,
    Fit,
    From,
    Layout,
    Name,
    OnDamaged,
    Size,
)
from cli.remote.service import dataset, service

app = typer.Typer(help="Register and look at data sets.")
Wanted = Annotated[str, typer.Argument(metavar="DATASET", help="Its id, or its name if only one has it.")]


@app.command(epilog="Example: colt data add images/ --image-size 32 --long-tail exp --imbalance-ratio 100")
def add(
    source: From,
    name: Name = None,
    image_size: Size = None,
    layout: Layout = None,
    fit: Fit = None,
    background: Background = None,
    bit_depth: BitDepth = None,
    on_damaged: OnDamaged = None,
    labels: Annotated[bool | None, typer.Option("--labels/--no-labels", help="Whether the images have labels.")] = None,
    long_tail: Annotated[
        str | None, typer.Option(metavar="PROFILE", help="Cut a long tail: exp, step, pareto or balanced.")
    ] = None,
    imbalance_ratio: Annotated[float | None, typer.Option(help="Images of the largest class over the rarest.")] = None,
    max_per_class: Annotated[int | None, typer.Option(help="Images of the largest class.")] = None,
    order: Annotated[str | None, typer.Option(help="Which classes are large: index or random.")] = None,
    long_tail_seed: Annotated[int | None, typer.Option(help="Seed of the cut.")] = None,
    test: Annotated[str | None, typer.Option(help="Test part: auto or none.")] = None,
    test_fraction: Annotated[float | None, typer.Option(help="Share to cut if there is no test part.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the parts that are cut.")] = None,
    accept_cost: AcceptCost = None,
    more: Settings = None,
    wait: Wait = True,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Register a data set. Files of this machine are uploaded. `--set` takes the other fields of
    `POST /datasets`, such as `label_names` and `table`."""
    cut = given(
        profile=long_tail,
        imbalance_ratio=imbalance_ratio,
        max_per_class=max_per_class,
        order=order,
        seed=long_tail_seed,
    )
    if cut and long_tail is None:
        raise typer.BadParameter("is needed to cut a long tail", param_hint="--long-tail")
    settings: dict[str, Any] = given(
        image_size=image_size,
        layout=layout,
        fit=fit,
        background=background,
        bit_depth=bit_depth,
        on_damaged=on_damaged,
        labels=labels,
        long_tail=cut or None,
        test=test,
        test_fraction=test_fraction,
        seed=seed,
        accept_cost=accept_cost,
    )
    settings |= settings_of(more)
    with service(url) as client:
        registering.register(client.datasets, source, name, settings, wait=wait, as_json=as_json)


@app.command("ls", epilog="Example: colt data ls --status ready --json")
def list_(
    status: Annotated[str | None, typer.Option(help="registering, ready or failed.")] = None,
    limit: Most = 50,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List data sets, newest first."""
    with service(url) as client:
        registering.show_all(list(client.datasets.list(status=status, limit=limit)), as_json=as_json)


@app.command(epilog="Example: colt data show cifar10-lt")
def show(wanted: Wanted, url: Url = None, as_json: AsJson = False) -> None:
    """Show one data set."""
    with service(url) as client:
        registering.show(dataset(client, wanted), as_json=as_json)


@app.command(epilog="Example: colt data check cifar10-lt && echo clean")
def check(wanted: Wanted, url: Url = None, as_json: AsJson = False) -> int:
    """Show what registering it found: copies, leaks, damaged files, rare classes. The exit code is
    1 if there is anything."""
    with service(url) as client:
        return registering.check(dataset(client, wanted), as_json=as_json)
