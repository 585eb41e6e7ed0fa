"""Requests, responses and the OpenAPI document follow the registries of probes and analyses."""

from __future__ import annotations

import json
import subprocess
import sys

from fastapi.testclient import TestClient

from api.main import create_app
from colt_core.analyses.kinds import analyses
from colt_core.probes.kinds import probes
from store.database import writing
from store.models import Analysis
from tests.support.problems import pointers, problem
from tests.support.results import Rows

API = "/api/v1"


def test_a_setting_of_another_kind_is_pointed_at(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    rows.checkpoint(job, 1)
    for noun, body, where, told in (
        ("evaluations", {"kind": "knn", "shots": 1}, "/shots", "only probe 'few_shot' reads it"),
        ("evaluations", {"neighbors": 3}, "/neighbors", "only probe 'knn' reads it"),
        ("evaluations", {"kind": "knn", "neighbour": 3}, "/neighbour", "Did you mean 'neighbors'?"),
        ("evaluations", {"kind": "knn", "checkpoint": "x"}, "/checkpoint", "Did you mean 'checkpoint_id'?"),
        ("analyses", {"kind": "tail_share", "num_views": 2}, "/num_views", "only analysis 'connectivity' reads it"),
        (
            "analyses",
            {"kind": "misclassification", "probe": {"kind": "linear", "shots": 1}},
            "/probe/shots",
            "only probe 'few_shot' reads it",
        ),
    ):
        answer = client.post(f"{API}/jobs/{job.id}/{noun}", json=body)
        assert pointers(answer) == [where]
        assert told in str(problem(answer, 422)["errors"])


def test_an_unknown_kind_is_answered_with_the_known_ones(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    rows.checkpoint(job, 1)
    for noun, body, where, told in (
        ("evaluations", {"kind": "kn"}, "/kind", "Unknown kind 'kn'. Did you mean 'knn'? Choose one of linear,"),
        ("analyses", {"kind": "svm"}, "/kind", "Unknown kind 'svm'. Choose one of tail_share,"),
        ("analyses", {}, "/kind", "is missing: it says which settings the object has"),
        ("analyses", {"kind": "misclassification", "probe": {"kind": "svm"}}, "/probe/kind", "Unknown probe 'svm'."),
    ):
        answer = client.post(f"{API}/jobs/{job.id}/{noun}", json=body)
        assert pointers(answer) == [where]
        assert told in str(problem(answer, 422)["errors"])
    answer = client.post(f"{API}/datasets", json={"name": "x", "source": {"kind": "uplaod", "upload_id": "x"}})
    assert pointers(answer) == ["/source"]
    assert "Unknown kind 'uplaod'. Did you mean 'upload'?" in str(problem(answer, 422)["errors"])


def test_a_probe_without_a_kind_is_the_linear_one(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    checkpoint = rows.checkpoint(job, 1)
    for body in ({}, {"checkpoint_id": checkpoint.id}):
        answer = client.post(f"{API}/jobs/{job.id}/evaluations", json=body)
        assert answer.status_code == 202
        shown = client.get(answer.headers["location"]).json()
        assert (shown["kind"], shown["config"]["protocol"]) == ("linear", "fast")
        assert set(shown["config"]) == {"kind", "protocol", "group_thresholds", "seed"}


def test_an_analysis_that_an_older_version_was_asked_for_is_shown(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    probe = {"kind": "knn", "protocol": "fast", "shots": None, "neighbors": 5, "group_thresholds": None, "seed": 0}
    row = Analysis(
        job_id=job.id,
        checkpoint_id=rows.checkpoint(job, 1).id,
        kind="misclassification",
        config={"kind": "misclassification", "seed": 1, "probe": probe},
        epoch=1,
    )
    with writing() as session:
        session.add(row)
    config = client.get(f"{API}/analyses/{row.id}").json()["config"]
    assert config["probe"] == {"kind": "knn", "neighbors": 5, "group_thresholds": None, "seed": 0}
    assert client.get(f"{API}/jobs/{job.id}/analyses").json()["items"][0]["config"] == config


def test_the_document_names_every_kind() -> None:
    schemas = create_app().openapi()["components"]["schemas"]
    assert schemas["EvaluationInfo"]["properties"]["kind"]["enum"] == list(probes)
    assert schemas["AnalysisInfo"]["properties"]["kind"]["enum"] == list(analyses)
    for name, kinds in (("NewEvaluation", probes), ("NewAnalysis", analyses)):
        mapping = schemas[name]["discriminator"]["mapping"]
        assert sorted(mapping) == sorted(kinds)
        for kind, reference in mapping.items():
            request = schemas[reference.rpartition("/")[2]]
            assert set(request["properties"]) == {*kinds[kind].model_fields, "checkpoint_id"}
            assert request["description"] == kinds[kind].summary()


def test_forms_learn_what_each_kind_reads(client: TestClient) -> None:
    told = client.get(f"{API}/kinds").json()
    for noun, kinds in (("probes", probes), ("analyses", analyses)):
        assert [kind["kind"] for kind in told[noun]] == list(kinds)
        for shown, settings in zip(told[noun], kinds.values(), strict=True):
            assert (shown["title"], shown["summary"]) == (settings.title, settings.summary())
            assert set(shown["settings"]["properties"]) == set(settings.model_fields) - {"kind"}


# In a process of its own, as the application is made when it is imported.
TOYS = """
import json, sys
from typing import Literal
from colt_core.analyses.kinds import AnalysisResult, AnalysisSettings, analyses
from colt_core.probes.kinds import ProbeSettings, probes

@probes.register
class GuessConfig(ProbeSettings):
    "Always the same class."
    kind = "guess"
    title = "Guess"
    implementation = "toys:guess"
    guessed: int = 0

class Size(AnalysisResult):
    kind: Literal["size"] = "size"
    images: int

@analyses.register
class SizeConfig(AnalysisSettings):
    "How many training images there are."
    kind = "size"
    title = "Size"
    implementation = "toys:size"
    needs = frozenset()
    result = Size

from api.main import app
assert "torch" not in sys.modules
print(json.dumps(app.openapi()))
"""


def test_kinds_of_ones_own_are_in_the_document() -> None:
    made = subprocess.run([sys.executable, "-c", TOYS], capture_output=True, text=True, check=True)
    schemas = json.loads(made.stdout)["components"]["schemas"]
    assert "guess" in schemas["EvaluationInfo"]["properties"]["kind"]["enum"]
    assert "guess" in schemas["NewJob"]["properties"]["evaluations"]["items"]["enum"]
    assert schemas["NewJob"]["properties"]["evaluations"]["maxItems"] == len(probes) + 1
    assert schemas["NewEvaluation"]["discriminator"]["mapping"]["guess"].endswith("/NewGuess")
    assert set(schemas["NewGuess"]["properties"]) == {"kind", "guessed", "group_thresholds", "seed", "checkpoint_id"}
    assert schemas["NewMisclassification"]["properties"]["probe"]["discriminator"]["mapping"]["guess"]
    assert schemas["NewAnalysis"]["discriminator"]["mapping"]["size"].endswith("/NewSize")
    assert schemas["AnalysisInfo"]["properties"]["config"]["discriminator"]["mapping"]["size"]
    results = schemas["AnalysisWithResult"]["properties"]["result"]["anyOf"][0]
    assert results["discriminator"]["mapping"]["size"].endswith("/Size")
