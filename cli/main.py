"""The command `colt`: which commands there are, with their arguments.

Commands import what they need when they run, so that `--help` is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Never

import typer

from cli.failures import EXIT_CODES, Commands
from cli.remote import data, experiments, exports, jobs, pools, results, tailness

app = typer.Typer(
    cls=Commands,
    help="COLT Studio: train and analyse long-tailed self-supervised models with OOD images.",
    epilog=f"Settings come from COLT_* variables or a .env file; .env.example lists them.\n\n{EXIT_CODES}",
    rich_markup_mode=None,  # help is text that can be searched
    pretty_exceptions_enable=False,
)
app.add_typer(data.app, name="data")
app.add_typer(pools.app, name="pool")
app.add_typer(jobs.app, name="job")
app.command("eval", epilog="Example: colt eval first knn --set neighbors=5")(results.evaluate)
app.command(epilog="Example: colt compare first second --baseline first")(results.compare)
app.add_typer(experiments.app, name="experiment")
app.add_typer(tailness.app, name="tailness")
app.command(epilog="Example: colt export backbone first -o backbone.safetensors")(exports.export)


@app.command(epilog="Example: colt up")
def up() -> int:
    """Migrate, then run API, worker and dashboard until Ctrl-C."""
    from cli.up import up

    return up()


@app.command(epilog="Example: colt migrate")
def migrate() -> None:
    """Migrate the database to the newest schema."""
    from cli.preflight import migrate

    migrate()
    print("The database is at the newest schema.")


@app.command(epilog="Example: colt backup /backups/monday")
def backup(folder: Annotated[Path, typer.Argument(help="Target folder; must not exist yet.")]) -> int:
    """Copy database and artifacts of this machine while the service runs."""
    from cli.backup import backup

    return backup(folder)


@app.command(epilog="Example: colt api")
def api() -> None:
    """Run only the API and dashboard."""
    _become("api")


@app.command(epilog="Example: colt worker")
def worker() -> None:
    """Run only one worker."""
    _become("worker")


def _become(module: str) -> Never:
    # The program replaces this process, so signals and exit codes need no forwarding.
    os.execv(sys.executable, [sys.executable, "-m", module])  # noqa: S606


@app.command(epilog="Example: colt health")
def health() -> int:
    """Check the heartbeat of this machine's worker."""
    from cli.health import check_worker

    return check_worker()


@app.command(epilog="Example: colt doctor --fix")
def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Fix problems, instead of showing what would be done.")] = False,
) -> int:
    """Find damaged and orphaned files, and fix what is safe."""
    from cli.doctor import doctor

    return doctor(fix=fix)


@app.command("drop-scores", epilog="Example: colt drop-scores --apply")
def drop_scores(
    apply: Annotated[bool, typer.Option("--apply", help="Drop them, instead of showing how many bytes.")] = False,
) -> int:
    """Drop scores of sampling rounds that COLT_KEEP_ROUND_SCORES lets go."""
    from cli.scores import drop_scores

    return drop_scores(apply=apply)


@app.command(epilog="Example: colt demo --epochs 2")
def demo(
    url: Annotated[
        str | None, typer.Option(help="Address of the service. Default: from COLT_HOST and COLT_PORT.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Epochs of each job, for a shorter demo. Default: from the preset.")
    ] = None,
) -> int:
    """Compare SimCLR and COLT on bundled digits, on a running service."""
    from cli.demo import demo

    return demo(url, epochs)


token = typer.Typer(help="Make, list or revoke tokens of clients, or go without.")
app.add_typer(token, name="token")


class Scope(StrEnum):
    """What a token allows."""

    READ = "read"
    WRITE = "write"


@token.command(epilog="Example: colt token create alice --scope read")
def create(
    name: Annotated[str, typer.Argument(help="Its owner or purpose.")],
    scope: Annotated[list[Scope] | None, typer.Option(help="May be given twice. Default: read and write.")] = None,
) -> int:
    """Make a token and show it once."""
    from cli.tokens import create

    return create(name, [each.value for each in scope or Scope])


@token.command("list", epilog="Example: colt token list")
def list_() -> int:
    """List tokens by id and name."""
    from cli.tokens import show

    return show()


@token.command(epilog="Example: colt token revoke 0123456789abcdef0123456789abcdef")
def revoke(id: Annotated[str, typer.Argument(help="As `colt token list` shows it.")]) -> int:
    """Revoke a token."""
    from cli.tokens import revoke

    return revoke(id)


@token.command("open", epilog="Example: colt token open --yes")
def open_(yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False) -> int:
    """After the last token was revoked, let everybody on this machine in."""
    from cli.tokens import open_again

    return open_again(confirmed=yes)


def main(arguments: Sequence[str] | None = None) -> Never:
    """Run one command, and end with its exit code (see `cli/failures.py`)."""
    app(args=arguments, prog_name="colt")
    raise AssertionError  # typer ends the program
