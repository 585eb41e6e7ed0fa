"""Commands that call a service: help, completion, arguments, and what they import."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from typer.main import get_command

from cli.main import app as colt_app
from cli.main import main
from cli.remote.options import settings_of
from cli.remote.printing import text
from tests.support.processes import REPOSITORY, clean_environment
from tests.support.results import Rows
from tests.unit.api.conftest import app, database_url, home, rows, server

__all__ = ["app", "database_url", "home", "rows", "server"]


def leaves(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command


LEAVES = list(leaves(get_command(colt_app)))


@pytest.mark.parametrize(("path", "command"), LEAVES, ids=[" ".join(path) for path, _ in LEAVES])
def test_every_command_has_help_with_an_example_that_it_takes(path: tuple[str, ...], command: Any) -> None:
    assert command.help
    assert command.epilog and command.epilog.startswith(f"Example: colt {' '.join(path)}")
    example = shlex.split(command.epilog.partition("&&")[0].removeprefix("Example: colt "))
    command.make_context(path[-1], example[len(path) :])
    assert all(parameter.help for parameter in command.params if parameter.name != "help")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int | str | None, str, str]:
    with pytest.raises(SystemExit) as exit_:
        main(list(arguments))
    told = capsys.readouterr()
    return exit_.value.code, told.out, told.err


def test_values_are_json_or_else_strings() -> None:
    pairs = ["epochs=3", "sampler=colt", "redraw=true", "lr=1e-3", 'long={"a": 1}', "x=NaN", "y=a=b", "z="]
    assert settings_of(pairs) == {
        "epochs": 3,
        "sampler": "colt",
        "redraw": True,
        "lr": 0.001,
        "long": {"a": 1},
        "x": "NaN",
        "y": "a=b",
        "z": "",
    }
    with pytest.raises(typer.BadParameter):
        settings_of(["epochs"])


def test_text_cannot_steer_a_terminal() -> None:
    assert text("a\x1b[31mb\n") == "a?[31mb?"
    assert [text(None), text(True), text(0.5)] == ["-", "yes", "0.5"]


def test_a_list_is_a_table_or_json_and_no_longer_than_asked(
    server: httpx.Client, rows: Rows, capsys: pytest.CaptureFixture[str]
) -> None:
    data = rows.dataset()
    ids = [rows.job(data).id for _ in range(4)]
    url = ("--url", str(server.base_url))
    code, out, err = run(capsys, "job", "ls", "-n", "3", *url, "--json")
    listed = json.loads(out)
    assert (code, err, len(listed)) == (0, "", 3)
    assert {job["id"] for job in listed} < set(ids)
    assert listed[0] == server.get("/api/v1/jobs?limit=1").json()["items"][0]  # as the API says it
    code, out, _ = run(capsys, "job", "ls", *url)
    lines = out.splitlines()
    assert lines[0].split() == ["id", "name", "status", "epoch", "loss", "accuracy", "few", "created"]
    assert {line.split()[0] for line in lines[1:]} == set(ids)


def test_what_is_not_there_is_refused(server: httpx.Client, rows: Rows, capsys: pytest.CaptureFixture[str]) -> None:
    url = ("--url", str(server.base_url))
    for wanted in ("nothing", "0" * 32):
        code, out, err = run(capsys, "job", "show", wanted, *url)
        assert (code, out) == (1, "")
        assert f"there is no job with the id or name '{wanted}'" in err
    code, _, err = run(capsys, "data", "add", "no-such-folder", *url)
    assert code == 1 and "no file or folder" in err


def test_a_check_that_finds_nothing_is_a_success(
    server: httpx.Client, rows: Rows, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = rows.dataset()
    assert run(capsys, "data", "check", clean.id, "--url", str(server.base_url))[:2] == (0, "Nothing was found.\n")


def test_a_service_that_does_not_answer_has_its_own_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLT_RETRY_SECONDS", "0")
    code, out, err = run(capsys, "job", "ls", "--url", "http://127.0.0.1:1")
    assert (code, out) == (3, "")
    assert err.startswith("colt job: no answer from http://127.0.0.1:1")


def test_wrong_arguments_have_their_own_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["job", "ls", "--nothing"], ["job", "show"], ["experiment", "run"], ["export", "soup", "x"]):
        code, out, err = run(capsys, *arguments)
        assert (code, out) == (2, ""), arguments
        assert "Usage: colt" in err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete(shell: str) -> None:
    def colt(**env: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "cli"],
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
            env=clean_environment(**env),
            check=True,
        )
        return done.stdout

    assert "_COLT_COMPLETE" in colt(_COLT_COMPLETE=f"source_{shell}")
    typed = {"COMP_WORDS": "colt job su", "COMP_CWORD": "2", "_TYPER_COMPLETE_ARGS": "colt job su"}
    found = colt(_COLT_COMPLETE=f"complete_{shell}", _TYPER_COMPLETE_FISH_ACTION="get-args", **typed)
    assert "submit" in found and "rerun" not in found


def test_commands_that_call_a_service_import_nothing_heavy(server: httpx.Client) -> None:
    code = (
        "import sys\n"
        "from cli.main import main\n"
        "try:\n    main(['job', 'ls', '--url', sys.argv[1]])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'torch', 'numpy', 'pandas', 'polars', 'sqlalchemy', 'celery', 'fastapi', 'store', 'api', 'tqdm'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(server.base_url)],
        capture_output=True,
        text=True,
        cwd=os.fspath(Path("/")),
        env=clean_environment(),
        check=True,
    )
    assert done.stderr.strip() == "[]"
