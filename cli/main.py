"""Arguments of `colt`, and which command they call. Commands import what they need when they run:
`--help` is quick."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from cli.errors import Refused


def _up(_args: argparse.Namespace) -> int:
    from cli.up import up

    return up()


def _migrate(_args: argparse.Namespace) -> int:
    from cli.preflight import migrate

    migrate()
    print("The database is at the newest schema.")
    return 0


def _backup(args: argparse.Namespace) -> int:
    from cli.backup import backup

    return backup(args.folder)


def _run_module(args: argparse.Namespace) -> int:
    # The program takes this process's place, so that a signal or an exit code needs no passing on.
    os.execv(sys.executable, [sys.executable, "-m", args.command])  # noqa: S606


def _health(_args: argparse.Namespace) -> int:
    from cli.health import check_worker

    return check_worker()


def _doctor(args: argparse.Namespace) -> int:
    from cli.doctor import doctor

    return doctor(fix=args.fix)


def _demo(args: argparse.Namespace) -> int:
    from cli.demo import demo

    return demo(args.url, args.epochs)


def _token_create(args: argparse.Namespace) -> int:
    from cli.tokens import create

    return create(args.name, args.scope or ["read", "write"])


def _token_list(_args: argparse.Namespace) -> int:
    from cli.tokens import show

    return show()


def _token_revoke(args: argparse.Namespace) -> int:
    from cli.tokens import revoke

    return revoke(args.id)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="colt",
        description="COLT Studio: train and analyse long-tailed self-supervised models with OOD images.",
        epilog="Settings come from COLT_* variables or a .env file; .env.example lists them.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    commands.add_parser("up", help="migrate, then run API, worker and dashboard until Ctrl-C").set_defaults(run=_up)
    commands.add_parser("migrate", help="bring the database to the newest schema").set_defaults(run=_migrate)
    backup = commands.add_parser("backup", help="copy database and artifacts of this machine while the service runs")
    backup.add_argument("folder", type=Path, help="where to; must not exist yet")
    backup.set_defaults(run=_backup)
    commands.add_parser("api", help="run the API and dashboard alone").set_defaults(run=_run_module)
    commands.add_parser("worker", help="run one worker alone").set_defaults(run=_run_module)

    commands.add_parser("health", help="whether this machine's worker shows signs of life").set_defaults(run=_health)

    doctor = commands.add_parser("doctor", help="look for damaged and orphaned files, and mend what is safe")
    doctor.add_argument("--fix", action="store_true", help="mend, instead of telling what would be done")
    doctor.set_defaults(run=_doctor)

    demo = commands.add_parser("demo", help="compare SimCLR and COLT on bundled digits, on a running service")
    demo.add_argument("--url", help="address of the service (default: from COLT_HOST and COLT_PORT)")
    demo.add_argument("--epochs", type=int, help="epochs of each job, for a shorter look (default: the preset's)")
    demo.set_defaults(run=_demo)

    token = commands.add_parser("token", help="make, list or revoke tokens for clients of the API")
    actions = token.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a token and show it, once")
    create.add_argument("name", help="whose it is, or what for")
    create.add_argument(
        "--scope", action="append", choices=["read", "write"], help="may be given twice (default: read and write)"
    )
    create.set_defaults(run=_token_create)
    actions.add_parser("list", help="list tokens by id and name").set_defaults(run=_token_list)
    revoke = actions.add_parser("revoke", help="take a token back")
    revoke.add_argument("id", help="as `colt token list` shows it")
    revoke.set_defaults(run=_token_revoke)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code: 0 when it went well, 1 when something failed, 2 for arguments or settings
            that cannot be used.
    """
    args = build_parser().parse_args(argv)
    try:
        return int(args.run(args))
    except Refused as error:
        print(f"colt {args.command}: {error}", file=sys.stderr)
        return 1
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = "COLT_" + "_".join(str(part) for part in problem["loc"]).upper()
            print(f"colt {args.command}: {name}: {problem['msg']}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
