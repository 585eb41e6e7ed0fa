"""Settings: names, defaults, and that secrets stay secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from store.settings import Settings
from tests.support.processes import REPOSITORY


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLT_HOME", raising=False)


def test_one_machine_needs_no_setting(tmp_path: Path) -> None:
    settings = Settings()
    home = tmp_path / ".colt"
    assert settings.host == "127.0.0.1"
    assert settings.port == 8000
    assert settings.home == home
    assert settings.database_url.get_secret_value() == f"sqlite:///{home}/colt.db"
    assert settings.broker_url.get_secret_value() == f"filesystem://{home}/broker"
    assert settings.artifacts_url == str(home / "artifacts")
    assert settings.data_roots == []


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "COLT_HOST": "0.0.0.0",
        "COLT_PORT": "9000",
        "COLT_HOME": "/srv/colt",
        "COLT_DATABASE_URL": "postgresql://colt:pw@db/colt",
        "COLT_BROKER_URL": "redis://:pw@redis/0",
        "COLT_ARTIFACTS_URL": "s3://bucket/prefix",
        "COLT_DATA_ROOTS": os.pathsep.join(["/data/a", "/data/b"]),
        "COLT_ALLOWED_HOSTS": "one.example, two.example",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.host, settings.port, settings.home) == ("0.0.0.0", 9000, Path("/srv/colt"))
    assert settings.database_url.get_secret_value() == values["COLT_DATABASE_URL"]
    assert settings.broker_url.get_secret_value() == values["COLT_BROKER_URL"]
    assert settings.artifacts_url == "s3://bucket/prefix"
    assert settings.data_roots == [Path("/data/a"), Path("/data/b")]
    assert settings.allowed_hosts == ["one.example", "two.example"]


def test_the_home_alone_moves_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLT_HOME", str(tmp_path / "elsewhere"))
    settings = Settings()
    assert settings.database_url.get_secret_value().endswith("elsewhere/colt.db")
    assert settings.artifacts_url == str(tmp_path / "elsewhere" / "artifacts")


def test_an_empty_variable_counts_as_not_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLT_DATABASE_URL", "")
    assert Settings().database_url.get_secret_value() == f"sqlite:///{tmp_path}/.colt/colt.db"


def test_passwords_show_in_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLT_DATABASE_URL", "postgresql://colt:hunter2@db/colt")
    monkeypatch.setenv("COLT_BROKER_URL", "redis://:hunter2@redis/0")
    settings = Settings()
    for text in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert "hunter2" not in text


def test_a_file_gives_what_the_environment_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("COLT_PORT=9001\nCOLT_HOST=127.0.0.2\nPOSTGRES_PASSWORD=other\n")
    monkeypatch.setenv("COLT_HOST", "127.0.0.3")
    settings = Settings()
    assert (settings.host, settings.port) == ("127.0.0.3", 9001)


@pytest.mark.parametrize(
    ("name", "value"),
    [("COLT_PORT", "0"), ("COLT_PORT", "http"), ("COLT_MAX_ATTEMPTS", "0"), ("COLT_KEEP_CHECKPOINTS", "0")],
)
def test_a_wrong_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert caught.value.errors()[0]["loc"] == (name.removeprefix("COLT_").lower(),)


def test_the_example_file_names_every_setting() -> None:
    example = (REPOSITORY / ".env.example").read_text()
    named = {line.split("=")[0].lstrip("#") for line in example.splitlines() if line.startswith("#COLT_")}
    settings = {f"COLT_{name.upper()}" for name in Settings.model_fields}
    assert named - {"COLT_PUBLISH"} == settings


def test_the_example_file_as_it_stands_changes_nothing(tmp_path: Path) -> None:
    before = Settings()
    (tmp_path / ".env").write_text((REPOSITORY / ".env.example").read_text())
    assert Settings() == before


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("COLT_WEBHOOK_URL", "https://hooks.example/hunter2", "COLT_WEBHOOK_SECRET"),
        ("COLT_WEBHOOK_URL", "file:///hunter2", "http"),
        ("COLT_MLFLOW_URL", "hunter2", "http"),
        ("COLT_MLFLOW_URL", "https://", "http"),
    ],
)
def test_receivers_have_addresses_and_a_secret(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=told) as refused:
        Settings()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("value", ["colt", "/colt?", "//host", "/a/../b", "/a b", "/jobs", "/api/colt", "/é", '/"'])
def test_a_root_path_is_a_plain_path_that_is_none_of_ours(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLT_ROOT_PATH", value)
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert refused.value.errors()[0]["loc"] == ("root_path",)


def test_links_lead_below_the_root_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLT_ROOT_PATH", "/lab/colt/")
    assert Settings().links_begin == "/lab/colt"
    monkeypatch.setenv("COLT_PUBLIC_URL", "https://studio.example.org/lab/colt/")
    assert Settings().links_begin == "https://studio.example.org/lab/colt"
    monkeypatch.setenv("COLT_PUBLIC_URL", "https://studio.example.org")
    with pytest.raises(ValidationError, match="COLT_PUBLIC_URL has to end with COLT_ROOT_PATH"):
        Settings()


def test_nothing_is_sent_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLT_TENSORBOARD_DIR", "")  # as compose gives what is not set
    settings = Settings()
    assert not settings.mlflow_url and not settings.webhook_url and settings.tensorboard_dir is None
