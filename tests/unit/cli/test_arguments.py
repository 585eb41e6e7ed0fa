"""The command line itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cli.address import service_url
from cli.main import main
from store.settings import Settings
from tests.support.processes import REPOSITORY, clean_environment


def colt(*arguments: str, cwd: Path = REPOSITORY, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=clean_environment(**env),
        timeout=60,
        check=False,
    )


def test_without_a_command_it_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([])
    assert exit_.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_a_token_has_only_scopes_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["token", "create", "me", "--scope", "admin"])
    assert exit_.value.code == 2
    assert "admin" in capsys.readouterr().err


def test_a_wrong_setting_is_named_without_a_traceback(tmp_path: Path) -> None:
    answer = colt("migrate", cwd=tmp_path, COLT_PORT="70000", COLT_HOME=str(tmp_path))
    assert answer.returncode == 2
    assert answer.stderr.startswith("colt migrate: COLT_PORT: ")
    assert "Traceback" not in answer.stderr


def test_migrate_makes_the_data_folder_and_may_be_repeated(tmp_path: Path) -> None:
    for _ in range(2):
        answer = colt("migrate", cwd=tmp_path, COLT_HOME=str(tmp_path / "home"))
        assert (answer.returncode, answer.stderr) == (0, "")
    assert (tmp_path / "home" / "colt.db").exists()


def test_a_database_out_of_reach_is_a_message(tmp_path: Path) -> None:
    address = "postgresql+psycopg://colt:hunter2@127.0.0.1:1/colt"
    answer = colt("migrate", cwd=tmp_path, COLT_HOME=str(tmp_path), COLT_DATABASE_URL=address)
    assert answer.returncode == 1
    assert answer.stderr.startswith("colt migrate: the database cannot be migrated: ")
    assert "COLT_DATABASE_URL" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert "hunter2" not in answer.stderr


def test_a_token_is_shown_once_and_kept_only_as_a_hash(tmp_path: Path) -> None:
    home = {"COLT_HOME": str(tmp_path)}
    assert colt("migrate", cwd=tmp_path, **home).returncode == 0
    answer = colt("token", "create", "me", cwd=tmp_path, **home)
    assert answer.returncode == 0
    token = answer.stdout.strip()
    assert len(token) >= 43  # 256 bits in base64
    assert all(token.encode() not in file.read_bytes() for file in tmp_path.glob("colt.db*"))


def test_a_token_is_listed_without_being_shown_and_can_be_revoked(tmp_path: Path) -> None:
    home = {"COLT_HOME": str(tmp_path)}
    colt("migrate", cwd=tmp_path, **home)
    token = colt("token", "create", "alice", "--scope", "read", cwd=tmp_path, **home).stdout.strip()
    listed = colt("token", "list", cwd=tmp_path, **home).stdout
    assert listed.split()[-2:] == ["read", "alice"]
    assert token not in listed
    revoked = colt("token", "revoke", listed.split()[0], cwd=tmp_path, **home)
    assert revoked.returncode == 0 and revoked.stdout.startswith("Revoked")
    assert "stays closed" in colt("token", "list", cwd=tmp_path, **home).stdout
    unconfirmed = colt("token", "open", cwd=tmp_path, **home)  # standard input is empty
    assert unconfirmed.returncode == 1 and "nothing was changed" in unconfirmed.stderr
    assert colt("token", "open", "--yes", cwd=tmp_path, **home).returncode == 0
    assert "everybody may use" in colt("token", "list", cwd=tmp_path, **home).stdout
    again = colt("token", "revoke", listed.split()[0], cwd=tmp_path, **home)
    assert again.returncode == 1
    assert "colt token list" in again.stderr


def test_a_token_for_a_database_without_tables_is_a_message(tmp_path: Path) -> None:
    answer = colt("token", "create", "me", cwd=tmp_path, COLT_HOME=str(tmp_path))
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "colt migrate" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_demo_without_a_service_says_how_to_start_one(tmp_path: Path) -> None:
    answer = colt("demo", "--url", "http://127.0.0.1:1", cwd=tmp_path, COLT_HOME=str(tmp_path))
    assert answer.returncode == 1
    assert "no service answers at http://127.0.0.1:1" in answer.stderr
    assert "make up" in answer.stderr


def test_health_without_a_worker_is_a_failure(tmp_path: Path) -> None:
    assert colt("migrate", cwd=tmp_path, COLT_HOME=str(tmp_path)).returncode == 0
    answer = colt("health", cwd=tmp_path, COLT_HOME=str(tmp_path))
    assert answer.returncode == 1
    assert "no worker" in answer.stderr


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
        ("localhost", "http://localhost:8000"),
    ],
)
def test_the_address_is_one_that_this_machine_can_open(host: str, url: str) -> None:
    assert service_url(Settings(host=host)) == url
    assert service_url(Settings(host=host, root_path="/colt")) == f"{url}/colt"


def test_the_command_line_imports_neither_torch_nor_the_rooms_it_starts() -> None:
    code = (
        "import sys, cli.up, cli.demo, cli.tokens, cli.health\n"
        "print([name for name in sys.modules if name.split('.')[0] in {'torch', 'faiss', 'sklearn', 'api', 'worker'}])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env=clean_environment(),
        check=True,
    )
    assert answer.stdout.strip() == "[]"
