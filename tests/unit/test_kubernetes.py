"""The manifests, checked without a cluster: there is none where the tests run."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from typer.main import get_command

from cli.main import app
from store.settings import Settings
from tests.support.processes import REPOSITORY


@pytest.fixture(scope="module")
def manifests() -> dict[str, dict[str, Any]]:
    documents = yaml.safe_load_all((REPOSITORY / "deploy/kubernetes/colt.yaml").read_text())
    return {f"{document['kind']} {document['metadata']['name']}": document for document in documents}


def pods(manifests: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: one["spec"]["template"]["spec"] for name, one in manifests.items() if "template" in one["spec"]}


def test_every_pod_runs_a_command_of_ours_as_an_ordinary_user(manifests: dict[str, dict[str, Any]]) -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert pods(manifests).keys() == {"Job colt-migrate", "Deployment colt-api", "Deployment colt-worker"}
    for name, pod in pods(manifests).items():
        (container,) = pod["containers"]
        assert container["command"][0] == "colt" and container["command"][1] in commands, name
        assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"], name
        assert container["envFrom"] == [{"secretRef": {"name": "colt"}}], name
        for variable in container.get("env", []):
            assert variable["name"].removeprefix("COLT_").lower() in Settings.model_fields, name


def test_a_worker_has_time_to_write_its_checkpoint(manifests: dict[str, dict[str, Any]]) -> None:
    grace = Settings.model_fields["stop_grace_seconds"].default
    assert pods(manifests)["Deployment colt-worker"]["terminationGracePeriodSeconds"] > grace


def test_selectors_find_their_pods(manifests: dict[str, dict[str, Any]]) -> None:
    for name in ("colt-api", "colt-worker"):
        deployment = manifests[f"Deployment {name}"]["spec"]
        assert deployment["selector"]["matchLabels"] == deployment["template"]["metadata"]["labels"] == {"app": name}
    assert manifests["Service colt-api"]["spec"]["selector"] == {"app": "colt-api"}
    policy = manifests["NetworkPolicy colt-worker"]["spec"]
    assert (
        policy["podSelector"]
        == policy["ingress"][0]["from"][0]["podSelector"]
        == {"matchLabels": {"app": "colt-worker"}}
    )
