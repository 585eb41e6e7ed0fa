"""docker-compose.yml, Dockerfile and .env.example, checked without an engine: there is none where
the tests run.

What these files start is tested for real elsewhere: the same commands against real Postgres and
Redis.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from cli.main import app
from store.settings import Settings
from tests.support.processes import REPOSITORY

COMPOSE = REPOSITORY / "docker-compose.yml"
OURS = {"migrate", "api", "worker", "worker-gpu"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    document = yaml.safe_load(COMPOSE.read_text())
    return dict(document["services"])


def dockerfile() -> list[tuple[str, str]]:
    """(instruction, arguments) pairs, continuation lines joined."""
    text = re.sub(r"^#.*\n", "", (REPOSITORY / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def test_every_lasting_service_has_a_health_check_and_starts_again(services: dict[str, Any]) -> None:
    assert services.keys() == {"postgres", "redis"} | OURS
    for name, service in services.items():
        if name == "migrate":  # runs once and ends
            assert service["restart"] == "on-failure"
            continue
        assert {"test", "interval", "timeout"} <= service["healthcheck"].keys(), name
        assert service["restart"] == "unless-stopped", name


def test_nothing_of_ours_starts_before_the_migration_is_done(services: dict[str, Any]) -> None:
    for name in OURS - {"migrate"}:
        assert services[name]["depends_on"] == {
            "postgres": {"condition": "service_healthy"},
            "redis": {"condition": "service_healthy"},
            "migrate": {"condition": "service_completed_successfully"},
        }, name
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_no_container_runs_as_root(services: dict[str, Any]) -> None:
    assert services["postgres"]["user"] == "postgres"
    assert services["redis"]["user"] == "redis"
    assert all("user" not in services[name] for name in OURS)  # the image's own, which is:
    last_stage = dockerfile()[max(n for n, (word, _) in enumerate(dockerfile()) if word == "FROM") :]
    assert [arguments for word, arguments in last_stage if word == "USER"] == ["colt"]
    assert any("useradd" in arguments and " colt" in arguments for word, arguments in last_stage if word == "RUN")


def test_the_services_share_what_they_must_and_say_so_in_settings_that_exist(services: dict[str, Any]) -> None:
    known = {f"COLT_{name.upper()}" for name in Settings.model_fields}
    environments = [services[name]["environment"] for name in OURS]
    assert all(environment == environments[0] for environment in environments)
    assert {"COLT_DATABASE_URL", "COLT_BROKER_URL", "COLT_ARTIFACTS_URL"} <= environments[0].keys()
    assert {key for key in environments[0] if key.startswith("COLT_")} <= known
    for name in OURS:
        assert services[name]["volumes"] == ["artifacts:/artifacts"], name


def test_the_settings_that_compose_gives_are_accepted(
    services: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"POSTGRES_PASSWORD": "abc", "REDIS_PASSWORD": "def"}

    def substituted(match: re.Match[str]) -> str:
        name, _, fallback = match.group(1).partition(":")
        return given.get(name, fallback.removeprefix("-") if fallback.startswith("-") else "")

    for key, value in services["api"]["environment"].items():
        monkeypatch.setenv(key, re.sub(r"\$\{([^}]*)\}", substituted, value))
    settings = Settings()
    assert settings.database_url.get_secret_value() == "postgresql+psycopg://colt:abc@postgres:5432/colt"
    assert settings.broker_url.get_secret_value() == "redis://:def@redis:6379/0"
    assert settings.artifacts_url == "/artifacts"
    assert settings.allowed_hosts == []


def test_no_secret_stands_in_a_file(services: dict[str, Any]) -> None:
    for service in services.values():
        for key, value in service["environment"].items():
            if re.search(r"PASSWORD|SECRET|KEY|AUTH|URL", key):
                assert re.search(r"\$\{\w+", value), f"{key} is written out"
    for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD"):
        assert f"${{{name}:?" in COMPOSE.read_text(), f"{name} must be demanded"
        assert re.search(rf"^#{name}=$", (REPOSITORY / ".env.example").read_text(), re.MULTILINE)


def test_every_variable_that_compose_reads_is_in_the_example(services: dict[str, Any]) -> None:
    read = set(re.findall(r"(?<!\$)\$\{(\w+)", COMPOSE.read_text()))
    example = (REPOSITORY / ".env.example").read_text()
    assert {name for name in read if f"{name}=" not in example} == {"COLT_VERSION"}


def test_every_command_is_one_that_colt_knows(services: dict[str, Any]) -> None:
    commands = [services[name]["command"] for name in OURS]
    commands += [
        service["healthcheck"]["test"][1:] for service in services.values() if "test" in service["healthcheck"]
    ]
    commands += [yaml.safe_load(arguments) for word, arguments in dockerfile() if word == "CMD"]
    ours = [command for command in commands if command[0] == "colt"]
    assert sorted({command[1] for command in ours}) == ["api", "health", "migrate", "worker"]
    known = get_command(app).commands  # type: ignore[attr-defined]
    for command in ours:
        known[command[1]].make_context(command[1], command[2:])


def test_a_stopped_worker_has_time_for_its_checkpoint(services: dict[str, Any]) -> None:
    for name in ("worker", "worker-gpu"):
        period = services[name]["stop_grace_period"]
        assert int(period.removesuffix("s")) > Settings().stop_grace_seconds


def test_the_gpu_worker_is_asked_for_by_name_and_reserves_one(services: dict[str, Any]) -> None:
    assert services["worker-gpu"]["profiles"] == ["gpu"]
    (device,) = services["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    assert all("profiles" not in services[name] for name in OURS - {"worker-gpu"})


def _allowed_in_the_build(path: Path) -> bool:
    """What .dockerignore leaves of a path at the top: it excludes all, then names what comes in."""
    lines = [line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    return f"!{path.parts[0]}" in lines


def test_every_file_that_the_image_copies_is_there_and_not_ignored() -> None:
    stages, copied = set(), []
    for word, arguments in dockerfile():
        if word == "FROM":
            stages.add(arguments.split(" AS ")[1])
        if word == "COPY":
            parts = shlex.split(arguments)
            if parts[0].startswith("--from="):
                assert parts[0].removeprefix("--from=") in stages
            else:
                copied += [Path(part) for part in parts[:-1]]
    assert stages == {"dashboard", "guide", "packages", "runtime"}
    assert copied
    for path in copied:
        assert (REPOSITORY / path).exists(), path
        assert _allowed_in_the_build(path), path


def test_the_image_installs_every_package_that_the_wheel_ships() -> None:
    pyproject = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    shipped = set(pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    copied = {arguments.split()[0].rstrip("/") for word, arguments in dockerfile() if word == "COPY"}
    assert {"api", "cli", "client/colt_client", "colt_core", "store", "worker"} == shipped
    assert {package.partition("/")[0] for package in shipped} <= copied
