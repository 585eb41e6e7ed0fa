"""What registering a data set and registering a pool have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import Refused
from cli.failures import REFUSED
from cli.remote.printing import print_fields, print_json, print_table, print_warnings

if TYPE_CHECKING:
    from colt_client import Dataset, OodPool
    from colt_client._sync.datasets import Datasets
    from colt_client._sync.ood_pools import OodPools

From = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A file or folder of this machine, sample:NAME, torchvision:NAME, or server:PATH for one of the server.",
    ),
]
Name = Annotated[str | None, typer.Option(help="Default: from the source.")]
Size = Annotated[int | None, typer.Option("--image-size", min=1, help="Make images squares of this many pixels.")]
Layout = Annotated[str | None, typer.Option(help="The layout that the data must have. Default: it is recognised.")]
Fit = Annotated[str | None, typer.Option(help="How an image becomes a square: crop, squash or pad.")]
Background = Annotated[str | None, typer.Option(help="Colour under transparent pixels.")]
BitDepth = Annotated[str | None, typer.Option(help="Gray images of 16 bits: refuse or scale.")]
OnDamaged = Annotated[str | None, typer.Option(help="Damaged files: refuse or skip.")]
AcceptCost = Annotated[bool | None, typer.Option("--accept-cost", help="Even if it takes much time or room.")]


def source_of(said: str) -> dict[str, Any] | Path:
    """A source as the API takes it, or a path of this machine."""
    kind, colon, rest = said.partition(":")
    if colon and kind == "sample":
        return {"kind": "sample", "name": rest}
    if colon and kind == "torchvision":
        return {"kind": "torchvision", "name": rest, "download": True}
    if colon and kind == "server":
        return {"kind": "path", "path": rest}
    return Path(said)


def name_of(said: str, name: str | None) -> str | None:
    """The name that was given, or the end of a path of the server."""
    return name or (Path(said.removeprefix("server:")).name if said.startswith("server:") else None)


def register(
    nouns: Datasets | OodPools, said: str, name: str | None, settings: dict[str, Any], *, wait: bool, as_json: bool
) -> None:
    """Register what SOURCE names, and show it.

    Raises:
        Refused: there is nothing to send.
    """
    try:
        found: Dataset | OodPool = nouns.register(source_of(said), name=name_of(said, name), **settings)
    except ValueError as error:
        raise Refused(str(error)) from error
    show(found.wait() if wait else found, as_json=as_json)


def show(found: Dataset | OodPool, *, as_json: bool) -> None:
    """One data set or pool, with what its registration found."""
    if as_json:
        print_json(found)
        return
    info = found.info
    fields = ("id", "name", "status", "layout", "num_samples", "image_size", "num_classes", "split_sizes", "created_at")
    print_fields({name: _flat(getattr(info, name)) for name in fields if hasattr(info, name)})
    if info.problem is not None:
        print_fields({"problem": info.problem.detail})
    print_warnings(info.warnings)


def show_all(found: list[Any], *, as_json: bool) -> None:
    """A list of data sets or pools."""
    if as_json:
        print_json(found)
        return
    heads = ("id", "name", "status", "images", "size", "layout", "warnings", "created")
    infos = [item.info for item in found]
    print_table(
        heads,
        (
            (
                info.id,
                info.name,
                info.status,
                info.num_samples,
                info.image_size,
                info.layout,
                None if info.warnings is None else len(info.warnings),
                info.created_at,
            )
            for info in infos
        ),
    )


def check(found: Dataset | OodPool, *, as_json: bool) -> int:
    """Print what the registration found.

    Returns:
        The exit code: 1 if it found something, or failed.
    """
    info = found.info
    if info.status != "ready":
        raise Refused(f"{info.name} is {info.status}" + (f": {info.problem.detail}" if info.problem else ""))
    if as_json:
        print_json([warning.model_dump(mode="json") for warning in info.warnings or []])
    elif info.warnings:
        print_warnings(info.warnings)
    else:
        print("Nothing was found.")
    return REFUSED if info.warnings else 0


def _flat(value: Any) -> Any:
    return value if not hasattr(value, "model_dump") else ", ".join(f"{k} {v}" for k, v in value.model_dump().items())
