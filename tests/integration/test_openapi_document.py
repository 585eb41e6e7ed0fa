"""Sends every operation what the OpenAPI document allows, and what it does not.

No answer is a server error, or has a status, media type or shape that the document does not name.
No answer shows internals of the server.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from api.main import create_app
from store.database import writing
from store.models import Analysis, Evaluation, Export, PoolCheck, Score, Upload, new_id
from store.repositories import tokens
from tests.conftest import DATABASES
from tests.support.processes import wait_until
from tests.support.results import POOL_SIZE, TRAIN_LABELS, Rows
from tests.support.serving import serving
from tests.support.settings import service_settings

NOWHERE = Path("/nowhere")
DOCUMENT = schemathesis.openapi.from_dict(create_app(dashboard=NOWHERE).openapi(), config=SchemathesisConfig(seed=1))
INSIDE = ("Traceback", "site-packages", 'File "', "sqlalchemy", "psycopg", "sqlite3")
# What no schema says: that a cursor is of the same list, say, or that `false` is read as the number
# 0.
UNSAID = [positive_data_acceptance, negative_data_rejection]
NUMBERS = {"index", "number"}
EXAMPLES = 5  # of each operation; to them come the cases that cover each rule of its schema


class Service:
    """The application behind a real socket, with one row of everything."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self._secrets = (str(folder), *INSIDE)
        self._known: dict[str, str | int] = {}
        with writing() as session:
            token = tokens.create_token(session, "test", ["read", "write"])
        self._headers = {"Authorization": f"Bearer {token}"}

    def ask(self, case: schemathesis.Case) -> bool:
        """Send the case and check the answer. Returns whether it was refused."""
        answer = case.call_and_validate(self.url, headers=self._headers, excluded_checks=UNSAID)
        content = answer.content.decode("latin-1")
        told = [secret for secret in self._secrets if secret in content]
        assert not told, f"{case.as_curl_command()} is answered with {told}"
        assert answer.headers["x-content-type-options"] == ["nosniff"]
        return bool(answer.status_code >= 400)

    def make_ready(self) -> None:
        """Have a worker with a recent heartbeat, and wait until an earlier answer is forgotten."""
        Rows().worker()
        wait_until(lambda: httpx.get(f"{self.url}/readyz").status_code == 200, 10, "the service is ready")

    def existing(self, names: set[str]) -> dict[str, str | int]:
        """Values for these parameters of a path, under which there is something."""
        self._known = self._known or self._make()
        return {name: self._known[name] for name in names}

    def forget(self) -> None:
        """Some of it may be gone. It is made again when it is needed."""
        self._known = {}

    def _make(self) -> dict[str, str | int]:
        rows = Rows()
        rows.worker()
        dataset, pool = rows.dataset(), rows.pool()
        job = rows.job(dataset, pool)
        rows.metric(job, "loss", [3.0, 2.0, 1.0])
        rows.tailness(job, 1, [0.1] * len(TRAIN_LABELS))
        rows.sampling_round(job, 1, [0.1] * POOL_SIZE, [0] * POOL_SIZE, [1] * POOL_SIZE)
        checkpoint = rows.checkpoint(job, 1)
        upload = Upload(id=new_id(), filename="a.zip", bytes=1, sha256="0" * 64, artifact="uploads/none/a.zip")
        evaluation = Evaluation(id=new_id(), job_id=job.id, checkpoint_id=checkpoint.id, epoch=1, kind="knn", config={})
        analysis = Analysis(
            id=new_id(),
            job_id=job.id,
            checkpoint_id=checkpoint.id,
            epoch=1,
            kind="alignment",
            config={"kind": "alignment"},
        )
        check = PoolCheck(
            id=new_id(),
            job_id=job.id,
            checkpoint_id=checkpoint.id,
            epoch=1,
            ood_pool_id=pool.id,
            dataset_id=dataset.id,
            kind="pool_check",
            config={"kind": "pool_check", "budget": 3},
        )
        export = Export(
            id=new_id(), job_id=job.id, checkpoint_id=checkpoint.id, epoch=1, kind="onnx", config={"kind": "onnx"}
        )
        score = Score(
            id=new_id(), job_id=job.id, checkpoint_id=checkpoint.id, epoch=1, kind="score", config={}, upload_id="gone"
        )
        with writing() as session:
            session.add_all([upload, evaluation, analysis, check, export, score])
        made = {
            "dataset_id": dataset,
            "pool_id": pool,
            "backbone_id": rows.backbone(),
            "job_id": job,
            "checkpoint_id": checkpoint,
            "upload_id": upload,
            "evaluation_id": evaluation,
            "analysis_id": analysis,
            "experiment_id": rows.experiment(job),
            "check_id": check,
            "score_id": score,
            "export_id": export,
        }
        return {name: row.id for name, row in made.items()} | {"index": 0, "number": 1}


@pytest.fixture(scope="module", params=DATABASES)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("document")
    if request.param == "sqlite":
        shutil.copy(sqlite_template, folder / "colt.db")
        with (
            service_settings(folder, f"sqlite:///{folder / 'colt.db'}"),
            serving(create_app(dashboard=NOWHERE)) as client,
        ):
            yield Service(str(client.base_url), folder)
        return
    with (
        request.getfixturevalue("postgres").database() as database_url,
        service_settings(folder, database_url),
        serving(create_app(dashboard=NOWHERE)) as client,
    ):
        yield Service(str(client.base_url), folder)


@DOCUMENT.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # failing cases are shown as they were found
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_a_documented_one(case: schemathesis.Case, service: Service) -> None:
    if case.operation.label == "GET /readyz":
        service.make_ready()
    service.ask(case)
    if not case.path_parameters:
        return
    sent, existing = case.path_parameters, service.existing(set(case.path_parameters))
    case.path_parameters = existing
    refused = service.ask(case)
    numbers = {name: value for name, value in sent.items() if name in NUMBERS}
    if numbers:  # what was sent, of a job that there is
        case.path_parameters = existing | numbers
        refused = service.ask(case) and refused
    if case.method != "GET" and not refused:
        service.forget()
