"""The service that commands call, and what they find there by id or name."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from cli.errors import Refused

if TYPE_CHECKING:
    from colt_client import Client, Dataset, Experiment, Job, OodPool

RETRY_SECONDS = 10.0  # a person waits; COLT_RETRY_SECONDS is for scripts that outlast more
_MOST_CANDIDATES = 10
_ID = re.compile(r"[0-9a-f]{32}")


@contextmanager
def service(url: str | None) -> Iterator[Client]:
    """A client of the service at `url`, or at the address of the settings.

    Raises:
        Refused: COLT_RETRY_SECONDS is not a number.
    """
    # Nothing that an import makes is garbage. Looking for some costs a tenth of the time.
    gc.disable()
    from colt_client import Client

    gc.enable()
    try:
        patience = float(os.environ.get("COLT_RETRY_SECONDS") or RETRY_SECONDS)
    except ValueError:
        raise Refused("COLT_RETRY_SECONDS must be a number of seconds") from None
    with Client(url or _own_address(), retry_seconds=patience) as client:
        yield client


def _own_address() -> str | None:
    """None: that of the client."""
    elsewhere = {"COLT_HOST", "COLT_PORT"} & os.environ.keys() or Path(".env").is_file()
    if os.environ.get("COLT_URL") or not elsewhere:
        return None
    # Only then: reading the settings takes a third of a second.
    from cli.address import service_url
    from store.settings import get_settings

    return service_url(get_settings())


class _Named(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def status(self) -> str: ...


N = TypeVar("N", bound=_Named)


def dataset(client: Client, wanted: str) -> Dataset:
    """The data set with this id or unique name."""
    return _by_id(client.datasets.get, wanted) or _only("data set", wanted, client.datasets.list())


def ood_pool(client: Client, wanted: str) -> OodPool:
    """The OOD pool with this id or unique name."""
    return _by_id(client.ood_pools.get, wanted) or _only("OOD pool", wanted, client.ood_pools.list())


def job(client: Client, wanted: str) -> Job:
    """The job with this id or unique name."""
    return _by_id(client.jobs.get, wanted) or _only("job", wanted, client.jobs.list(name=wanted))


def experiment(client: Client, wanted: str) -> Experiment:
    """The experiment with this id or unique name."""
    return _by_id(client.experiments.get, wanted) or _only("experiment", wanted, client.experiments.list())


def checkpoint_id(client: Client, wanted: str) -> str:
    """The id of a checkpoint, or of the last checkpoint of the job with this id or name."""
    from colt_client.errors import NotFound

    try:
        owner = job(client, wanted)
    except (NotFound, _Unknown):
        if _ID.fullmatch(wanted):
            return wanted
        raise
    for found in client.checkpoints.list(owner.id, limit=1):
        return found.id
    raise Refused(f"the job {owner.name} has no checkpoint yet")


class _Unknown(Refused):
    """Nothing has this name."""


def _by_id(get: Callable[[str], N], wanted: str) -> N | None:
    from colt_client.errors import NotFound

    if not _ID.fullmatch(wanted):
        return None
    try:
        return get(wanted)
    except NotFound:
        return None


def _only(noun: str, name: str, items: Iterable[N]) -> N:
    """The only one of this name.

    Raises:
        Refused: there is none, or several; then they are listed.
    """
    found: list[N] = []
    for item in items:
        if item.name == name:
            found.append(item)
        if len(found) > _MOST_CANDIDATES:
            break
    if not found:
        raise _Unknown(f"there is no {noun} with the id or name {name!r}")
    if len(found) > 1:
        lines = [f"  {item.id}  {item.status}" for item in found[:_MOST_CANDIDATES]]
        more = ["  ..."] if len(found) > _MOST_CANDIDATES else []
        raise Refused("\n".join([f"several are named {name!r}. Give the id of the {noun}:", *lines, *more]))
    return found[0]
