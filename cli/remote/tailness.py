"""`colt tailness`: which images form the tail."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.errors import Refused
from cli.remote import service
from cli.remote.options import AsJson, Most, Output, Url
from cli.remote.printing import print_json, print_table, save

app = typer.Typer(help="Look at the tailness of images. The larger it is, the nearer they are to the tail.")
Wanted = Annotated[str, typer.Argument(metavar="JOB", help="Its id, or its name if only one has it.")]
Train = Annotated[bool, typer.Option("--train", help="Training images, in place of images of the pool.")]
Round = Annotated[int | None, typer.Option(min=1, help="Sampling round. Default: the last.")]
Selected = Annotated[bool | None, typer.Option("--selected/--not-selected", help="What the round picked alone.")]


class Format(StrEnum):
    """What scores can be written as."""

    CSV = "csv"
    PARQUET = "parquet"


@app.command(epilog="Example: colt tailness top first -n 100 --json")
def top(
    wanted: Wanted,
    train: Train = False,
    round: Round = None,
    selected: Selected = None,
    limit: Most = 20,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List the images nearest to the tail: of the pool as a sampling round scored them, or of the
    training part."""
    if train and (round is not None or selected is not None):
        raise typer.BadParameter("is for training images: leave out --round and --selected", param_hint="--train")
    with service.service(url) as client:
        job_id, scores = service.job(client, wanted).id, client.tailness
        if train:
            samples = list(scores.samples(job_id, order="-tailness", limit=limit))
            rows = [(item.index, item.tailness, item.label, item.class_name) for item in samples]
            _print(samples, ("index", "tailness", "label", "class"), rows, as_json=as_json)
        else:
            images = list(scores.ood(job_id, round=round, selected=selected, order="-tailness", limit=limit))
            picked = [(item.index, item.tailness, item.cluster, item.similarity, item.selected) for item in images]
            _print(images, ("index", "tailness", "cluster", "similarity", "selected"), picked, as_json=as_json)


@app.command(epilog="Example: colt tailness show first 17 --train")
def show(
    wanted: Wanted,
    index: Annotated[int, typer.Argument(min=0, help="Of the image.")],
    train: Train = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show one image over all sampling rounds, or a training image over all epochs."""
    with service.service(url) as client:
        job_id = service.job(client, wanted).id
        if train:
            found = client.tailness.sample(job_id, index)
            rows = zip(found.history.epoch, found.history.tailness, strict=True)
            _print(found, ("epoch", "tailness"), rows, as_json=as_json)
        else:
            image = client.tailness.ood_sample(job_id, index)
            heads = ("round", "epoch", "tailness", "cluster", "similarity", "selected")
            lines = [(r.round, r.epoch, r.tailness, r.cluster, r.similarity, r.selected) for r in image.rounds]
            _print(image, heads, lines, as_json=as_json)


@app.command(epilog="Example: colt tailness export first --format csv -o scores.csv")
def export(
    wanted: Wanted,
    format: Annotated[Format, typer.Option(help="How to write them.")] = Format.CSV,
    round: Round = None,
    selected: Selected = None,
    output: Output = None,
    url: Url = None,
) -> None:
    """Write the scores of all images of the pool in a sampling round."""
    with service.service(url) as client:
        job_id = service.job(client, wanted).id

        def write(path: Path) -> None:
            client.tailness.export(job_id, path, format=format.value, round=round, selected=selected, progress=False)

        save(output, write)


@app.command(epilog="Example: colt tailness score first photos/")
def score(
    wanted: Wanted,
    images: Annotated[list[Path], typer.Argument(help="A folder, an archive, an npz or npy, or files of images.")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Score images that the job has not seen, as its last sampling round would. Ends with 1 if some
    cannot be used."""
    with service.service(url) as client:
        job = service.job(client, wanted)
        try:
            found = job.score(images if _are_files(images) else images[0], progress=True)
        except ValueError as error:  # there is nothing to send
            raise Refused(str(error)) from error
    heads = ("index", "tailness", "cluster", "similarity", "name")
    _print(found, heads, [[getattr(one, name) for name in heads] for one in found.scores or []], as_json=as_json)
    for one in found.refused or []:
        typer.echo(f"{one.name}: {one.detail}", err=True)
    if found.refused:
        raise typer.Exit(1)


def _are_files(images: Sequence[Path]) -> bool:
    """Whether each is an image, in place of one folder or archive of them."""
    return len(images) > 1 or (mimetypes.guess_type(images[0])[0] or "").startswith("image/")


def _print(found: object, heads: Sequence[str], rows: Iterable[Sequence[object]], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        print_table(heads, rows)
