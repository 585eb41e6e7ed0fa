"""A kind of leased work is one table: a new one is known to everything that deals with leased
work."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, update

from api.health import metrics
from api.main import create_app
from store import leases, models
from store.artifacts import get_artifacts
from store.bells import Bell
from store.database import reading, writing
from store.doctor.orphans import examine_orphans
from store.models import Base, CheckpointWork, Leased, Queued, leased, leased_models
from store.repositories import queues, workers
from tests.support.claims import work_off
from tests.support.processes import REPOSITORY
from tests.support.toy_work import define_toy
from worker import examiner
from worker.folder import WorkerFolder
from worker.reconciler import Reconciler

ROOMS = ("store", "api", "worker", "cli")


@pytest.fixture
def toy(configured: Engine) -> Iterator[type[Queued]]:
    """The kind, with its table."""
    model = define_toy()
    model.metadata.create_all(configured)  # type: ignore[attr-defined]
    yield model
    del leased._MODELS[model.noun]


def add(model: type[Queued]) -> str:
    row = model()
    with writing() as session:
        session.add(row)
    return row.id


def row_of(model: type[Queued], row_id: str) -> Queued:
    with reading() as session:
        return session.get_one(model, row_id)


def test_a_new_kind_waits_is_rung_for_and_worked_on(configured: Engine, home: Path, toy: type[Queued]) -> None:
    row_id = add(toy)
    with reading() as session:
        assert queues.waiting(session)["toy"].length == 1
    assert b'colt_queue_length{kind="toy"} 1.0' in metrics.exposition()[0]
    Reconciler(WorkerFolder(home, "me")).once()
    rung = [json.loads(path.read_text())["headers"]["task"] for path in (home / "broker").glob("*.msg")]
    assert rung == [Bell.EXAMINE]
    work_off(home, toy)
    row = row_of(toy, row_id)
    assert (row.status, row.attempts, row.lease_token) == ("succeeded", 1, None)


def test_a_new_kind_that_is_lost_is_put_back(configured: Engine, home: Path, toy: type[Queued]) -> None:
    row_id = add(toy)
    with writing() as session:
        lease = leases.claim(session, toy, "silent", 60)
    assert lease is not None and lease.ids == {"toy_id": row_id}
    with reading() as session:
        assert workers.work_held(session) == {"silent": [workers.Work("toy", row_id)]}
    with writing() as session:
        session.execute(update(toy).values(lease_expires_at=toy.created_at))
    Reconciler(WorkerFolder(home, "me")).once()
    assert (row_of(toy, row_id).status, row_of(toy, row_id).faults) == ("queued", 1)


def test_the_doctor_finds_logs_of_a_new_kind(configured: Engine, home: Path, toy: type[Queued]) -> None:
    logs = home / "logs" / "toys"
    logs.mkdir(parents=True)
    for name in ("gone", add(toy)):
        (logs / f"{name}.log").touch()
    (finding,) = examine_orphans(get_artifacts(), home)
    assert finding.what.startswith("logs/toys/gone.log")


def test_a_kind_that_lacks_something_cannot_be_defined() -> None:
    with pytest.raises(TypeError, match="Nameless is leased work, but does not define noun, bell, program"):

        class Nameless(Queued, Base):
            __tablename__ = "nameless"

    with pytest.raises(TypeError, match="two kinds of leased work have the noun 'job'"):

        class Twin(Queued, Base):
            __tablename__ = "twins"
            noun, bell, program = "job", Bell.TRAIN, "worker.trainer"


def test_every_leased_table_is_registered() -> None:
    tables = {mapper.class_ for mapper in Base.registry.mappers if issubclass(mapper.class_, Leased)}
    assert tables == set(leased_models())
    assert [model.noun for model in leased_models()] == [
        *("job", "dataset", "ood_pool", "backbone", "export", "evaluation", "analysis", "pool_check", "score")
    ]


def test_every_kind_of_checkpoint_work_has_an_answer() -> None:
    examined = [model for model in leased_models(CheckpointWork) if model.program == CheckpointWork.program]
    assert list(examiner.ANSWERS) == examined


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app(dashboard=Path("/nowhere"))


def test_the_document_names_every_kind_and_status(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    assert schemas["Work"]["properties"]["kind"]["enum"] == [model.noun for model in leased_models()]
    status = {"$ref": "#/components/schemas/WorkStatus"}
    for name in ("JobInfo", "EvaluationInfo", "AnalysisInfo", "ExportInfo", "PoolCheckInfo", "ScoreInfo"):
        assert schemas[name]["properties"]["status"] == status
    assert schemas["DatasetInfo"]["properties"]["status"] == {"$ref": "#/components/schemas/RegistrationStatus"}


def test_no_other_list_of_them_is_kept_by_hand() -> None:
    """A tuple, list, set, union or table with two of them is one that the next kind would be
    missing from."""
    kinds = {model.__name__ for model in leased_models()}
    assert all(hasattr(models, name) for name in kinds)
    found = []
    for path in sorted(path for room in ROOMS for path in (REPOSITORY / room).rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        rows = kinds & {name for node in nodes for name in _imported_models(node)}
        parameters = {node.slice.elts[0] for node in nodes if _is_callable(node)}  # type: ignore[attr-defined]
        for node in nodes:
            if node in parameters:
                continue
            named = {part.id for part in _members(node) if isinstance(part, ast.Name)}
            if len(named & rows) > 1:
                found.append(f"{path.relative_to(REPOSITORY)}:{node.lineno}")  # type: ignore[attr-defined]
    (answers,) = found  # of `ANSWERS`, which a test above holds to the registry
    assert answers.startswith("worker/examiner.py:")


def _imported_models(node: ast.AST) -> list[str]:
    match node:
        case ast.ImportFrom(module="store.models"):
            return [alias.name for alias in node.names]
    return []


def _is_callable(node: ast.AST) -> bool:
    match node:
        case ast.Subscript(value=ast.Name(id="Callable"), slice=ast.Tuple()):
            return True
    return False


def _members(node: ast.AST) -> list[ast.expr | None]:
    match node:
        case ast.Tuple() | ast.List() | ast.Set():
            return list(node.elts)
        case ast.Dict():
            return list(node.keys)
        case ast.BinOp(op=ast.BitOr()):
            return [node.left, node.right]
    return []
