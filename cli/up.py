"""`colt up`: run API, dashboard and worker on this machine, in the foreground, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
import time
from subprocess import SubprocessError

import httpx

from cli.address import service_url
from cli.children import Child
from cli.preflight import check_access, check_port, migrate, sole_user
from cli.python_version import outdated
from store.settings import Settings, get_settings

TICK = 0.1
SLOW_START = 20.0  # seconds after which a service that is not ready says what is missing
EARLY_DEATHS = 3  # give up after so many deaths of a child before the service was ever ready


class _Stopping:
    """Counts signals to stop: SIGINT (Ctrl-C), SIGTERM and SIGHUP."""

    def __init__(self) -> None:
        self.count = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: object) -> None:
        self.count += 1


def up() -> int:
    """Run until asked to stop.

    Returns:
        The exit code: 0 after a requested stop, 1 when the service could not start.

    Raises:
        Refused: when a check before the start fails.
    """
    settings = get_settings()
    with sole_user(settings.home):
        check_port(settings)
        migrate()
        check_access(settings)
        if (warning := outdated(*sys.version_info[:3])) is not None:
            print(warning, flush=True)
        logs = settings.home / "logs"
        logs.mkdir(exist_ok=True)
        stopping = _Stopping()
        api, worker = Child("api", logs), Child("worker", logs)
        try:
            return _supervise([api, worker], stopping, settings)
        finally:
            _stop(worker, api, stopping, settings.stop_grace_seconds)


def _supervise(children: list[Child], stopping: _Stopping, settings: Settings) -> int:
    url = service_url(settings)
    print("Starting ...", flush=True)
    started, ready, explained, early_deaths = time.monotonic(), False, False, 0
    for child in children:
        child.start()
    while not stopping.count:
        for child in children:
            if child.running:
                continue
            if child.start_at:
                if time.monotonic() >= child.start_at:
                    _start_again(child)
                continue
            outcome, pause = child.outcome, child.plan_restart()
            early_deaths += not ready
            if early_deaths >= EARLY_DEATHS:
                print(f"The {child.name} {outcome} before the service was ready. Its last lines ({child.log}):")
                print("\n".join(f"  {line}" for line in child.last_lines(20)), flush=True)
                return 1
            print(f"The {child.name} {outcome}; it restarts in {pause:g} s. Its log: {child.log}", flush=True)
        if not ready:
            missing = _missing(url)
            if missing is None:
                ready = True
                _announce(url, settings)
            elif not explained and time.monotonic() - started > SLOW_START:
                explained = True
                print(f"Still waiting: {missing}. Logs: {settings.home / 'logs'}", flush=True)
        time.sleep(TICK if ready else 4 * TICK)
    return 0


def _start_again(child: Child) -> None:
    """Restart a child, or plan the next try and say why. The other child keeps running."""
    child.start_at = 0.0
    try:
        child.start()
    except (OSError, SubprocessError) as error:
        pause = child.plan_restart()
        print(f"The {child.name} cannot be started: {error}; the next try is in {pause:g} s.", flush=True)


def _missing(url: str) -> str | None:
    """What `/readyz` says is missing; None when nothing is."""
    try:
        # A proxy from the environment cannot reach this machine's loopback.
        answer = httpx.get(f"{url}/readyz", timeout=5, trust_env=False)
    except httpx.HTTPError:
        return "the API does not answer yet"
    return None if answer.status_code == httpx.codes.OK else answer.text


def _announce(url: str, settings: Settings) -> None:
    print(f"\n  COLT Studio is ready:  {url}\n")
    print(f"  Data  {settings.home}")
    print(f"  Logs  {settings.home / 'logs'}")
    print("  Try `colt demo` in another terminal. Ctrl-C stops everything.\n", flush=True)


def _stop(worker: Child, api: Child, stopping: _Stopping, grace: float) -> None:
    """Stop the worker first, so that a training can write its checkpoint.

    A second Ctrl-C kills both.
    """
    if worker.running or api.running:
        print("\nStopping; a running training writes its checkpoint first (Ctrl-C again to kill it) ...", flush=True)
    already = stopping.count
    for child, seconds in ((worker, grace + 10), (api, 10)):
        child.ask_to_end()
        deadline = time.monotonic() + seconds
        while child.running and time.monotonic() < deadline and stopping.count == already:
            time.sleep(TICK)
        child.kill()
    print("Stopped.", flush=True)
