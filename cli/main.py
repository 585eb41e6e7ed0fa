"""Arguments of `colt`, and the command that each calls.

Commands import what they need when they run, so that `--help` is quick.
"""

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
    # The program replaces this process, so signals and exit codes need no forwarding.
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


def _token_open(args: argparse.Namespace) -> int:
    from cli.tokens import open_again

    return open_again(confirmed=args.yes)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="colt",
        description="COLT Studio: train and analyse long-tailed self-supervised models with OOD images.",
        epilog="Settings come from COLT_* variables or a .env file; .env.example lists them.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    commands.add_parser("up", help="migrate, then run API, worker and dashboard until Ctrl-C").set_defaults(run=_up)
    commands.add_parser("migrate", help="migrate the database to the newest schema").set_defaults(run=_migrate)
    backup = commands.add_parser("backup", help="copy database and artifacts of this machine while the service runs")
    backup.add_argument("folder", type=Path, help="target folder; must not exist yet")
    backup.set_defaults(run=_backup)
    commands.add_parser("api", help="run only the API and dashboard").set_defaults(run=_run_module)
    commands.add_parser("worker", help="run only one worker").set_defaults(run=_run_module)

    commands.add_parser("health", help="check the heartbeat of this machine's worker").set_defaults(run=_health)

    doctor = commands.add_parser("doctor", help="find damaged and orphaned files, and fix what is safe")
    doctor.add_argument("--fix", action="store_true", help="fix problems, instead of showing what would be done")
    doctor.set_defaults(run=_doctor)

    demo = commands.add_parser("demo", help="compare SimCLR and COLT on bundled digits, on a running service")
    demo.add_argument("--url", help="address of the service (default: from COLT_HOST and COLT_PORT)")
    demo.add_argument("--epochs", type=int, help="epochs of each job, for a shorter demo (default: from the preset)")
    demo.set_defaults(run=_demo)

    token = commands.add_parser("token", help="make, list or revoke tokens of clients, or go without")
    actions = token.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a token and show it once")
    create.add_argument("name", help="its owner or purpose")
    create.add_argument(
        "--scope", action="append", choices=["read", "write"], help="may be given twice (default: read and write)"
    )
    create.set_defaults(run=_token_create)
    actions.add_parser("list", help="list tokens by id and name").set_defaults(run=_token_list)
    revoke = actions.add_parser("revoke", help="revoke a token")
    revoke.add_argument("id", help="as `colt token list` shows it")
    revoke.set_defaults(run=_token_revoke)
    opened = actions.add_parser("open", help="after the last token was revoked, let everybody on this machine in")
    opened.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    opened.set_defaults(run=_token_open)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code: 0 after success, 1 after a failure, 2 for invalid arguments or settings, 130
        after Ctrl-C.
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
