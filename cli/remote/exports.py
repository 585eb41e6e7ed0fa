"""`colt export`: files of a job. One more kind of file is one more entry in `EXPORTS`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from cli.remote import service
from cli.remote.options import Url

if TYPE_CHECKING:
    from colt_client import Client


class Export(NamedTuple):
    """A kind of file.

    Attributes:
        ending: of its name.
        summary: what is in it.
        write: gets the client, the id or name that was given, and the file to write.
    """

    ending: str
    summary: str
    write: Callable[[Client, str, Path], object]


def _checkpoint(format: str) -> Callable[[Client, str, Path], object]:
    return lambda client, wanted, to: client.checkpoints.download(
        service.checkpoint_id(client, wanted), to, format=format
    )


def _made(kind: str, **settings: str) -> Callable[[Client, str, Path], object]:
    """What a worker makes of the job's last checkpoint."""
    return lambda client, wanted, to: service.job(client, wanted).export(kind, **settings).wait().download(to)


def _picks(format: str) -> Callable[[Client, str, Path], object]:
    return lambda client, wanted, to: client.tailness.save_picks(service.job(client, wanted).id, to, format=format)


EXPORTS = {
    "backbone": Export("safetensors", "the encoder's weights under torchvision's names", _checkpoint("backbone")),
    "onnx": Export("onnx", "the encoder for other programs", _made("onnx")),
    "features": Export(
        "parquet", "the encoder's features of the test part", _made("features", split="test", format="parquet")
    ),
    "checkpoint": Export("pt", "the whole state of the run, to resume it", _checkpoint("torch")),
    "picks": Export("csv", "the pool images that the last round picked", _picks("csv")),
    "picks-zip": Export("zip", "the same with the images", _picks("zip")),
    "record": Export(
        "zip",
        "all that is known of the run, with a model card",
        lambda client, wanted, to: service.job(client, wanted).record(to),
    ),
}
_HELP = "; ".join(f"{name}: {export.summary}" for name, export in EXPORTS.items())


def export(
    what: Annotated[
        str, typer.Argument(metavar="|".join(EXPORTS), help=f"{_HELP}.", autocompletion=lambda: list(EXPORTS))
    ],
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="JOB", help="Its id, or its name if only one has it. Or the id of a checkpoint, for its own files."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: JOB and an ending, in this folder.")
    ] = None,
    url: Url = None,
) -> None:
    """Write a file of a job: of its last checkpoint or its last sampling round. Prints its name."""
    if what not in EXPORTS:
        raise typer.BadParameter(f"{what!r} is not one of {', '.join(EXPORTS)}")
    chosen = EXPORTS[what]
    to = output or Path(f"{re.sub(r'[^A-Za-z0-9._-]+', '-', wanted).strip('-.') or 'job'}.{chosen.ending}")
    with service.service(url) as client:
        chosen.write(client, wanted, to)
    print(to)
