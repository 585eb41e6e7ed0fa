"""`colt doctor` on a database and an artifact store with every damage it knows, on each engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, select, text

from cli.doctor import doctor
from cli.errors import Refused
from cli.scores import drop_scores
from store.artifacts import get_artifacts
from store.database import get_engine, reading, writing
from store.doctor.damage import examine_files
from store.doctor.orphans import AT_LEAST_AS_OLD
from store.models import Checkpoint, Dataset, Evaluation, Job, RoundScores, SamplingRound, Upload
from store.repositories import jobs, recording
from store.settings import get_settings
from tests.support.locks import start_behind
from tests.support.processes import free_port
from tests.support.receiver import receiving
from tests.support.rows import add_dataset, add_job
from tests.support.settings import worker_settings

Output = pytest.CaptureFixture[str]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def service(database_url: str, home: Path) -> Iterator[Engine]:
    """A service whose database and store are whole: a data set, an upload, a job with two
    checkpoints."""
    with worker_settings(home, database_url) as engine:
        images = get_artifacts().write("datasets/d/attempt/images.npy", [b"images"])
        dataset = add_dataset(
            engine,
            id="d",
            status="ready",
            stored_as="datasets/d/attempt",
            files={"images.npy": {"bytes": images.bytes, "sha256": images.sha256}},
        )
        sent = get_artifacts().write("uploads/u/a.zip", [b"zip"])
        with writing() as session:
            session.add(
                Upload(id="u", filename="a.zip", bytes=sent.bytes, sha256=sent.sha256, artifact="uploads/u/a.zip")
            )
        job = add_job(engine, dataset, id="j", status="failed")
        for epoch in (1, 2):
            add_checkpoint(job, epoch)
        add_round(job)
        yield engine


def add_round(job: Job) -> None:
    key = f"jobs/{job.id}/rounds/1-a.scores"
    scores = get_artifacts().write(key, [b"scores"])
    of_round = {"epoch": 1, "step": 1, "clusters": [], "num_selected": 0, "seconds": 0.0, "id_cluster": b""}
    with writing() as session:
        session.add(SamplingRound(job_id=job.id, round=1, **of_round))
        session.flush()
        written = {"images": 0, "file": key, "bytes": scores.bytes, "sha256": scores.sha256, "picks": b""}
        session.add(RoundScores(job_id=job.id, round=1, **written))


def add_checkpoint(job: Job, epoch: int) -> None:
    key = f"jobs/{job.id}/checkpoints/{epoch}-{epoch}-0"
    state = get_artifacts().write(f"{key}/checkpoint.pt", [b"state %d" % epoch])
    backbone = get_artifacts().write(f"{key}/backbone.safetensors", [b"backbone"])
    row = Checkpoint(
        id=f"c{epoch}",
        job_id=job.id,
        epoch=epoch,
        step=epoch,
        artifact=key,
        bytes=state.bytes,
        sha256=state.sha256,
        backbone_sha256=backbone.sha256,
    )
    with writing() as session:
        session.add(row)


def stored(home: Path) -> set[str]:
    root = home / "artifacts"
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def leave(path: Path, age: float = 2 * AT_LEAST_AS_OLD) -> Path:
    """An old file that nobody knows of."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"left behind")
    changed = path.stat().st_mtime - age
    os.utime(path, (changed, changed))
    return path


def examined(output: Output, *, fix: bool = False) -> tuple[int, str]:
    code = doctor(fix=fix)
    return code, output.readouterr().out


def test_nothing_is_wrong_with_what_is_whole(service: Engine, home: Path, capsys: Output) -> None:
    before = stored(home)
    assert examined(capsys, fix=True) == (0, "Nothing is wrong.\n")
    assert stored(home) == before


def test_what_is_deleted_while_it_looks_is_no_damage(service: Engine, home: Path) -> None:
    with reading() as session:
        dataset = session.get_one(Dataset, "d")
    add_checkpoint(add_job(service, dataset, id="k"), 3)
    (home / "artifacts/uploads/u/a.zip").unlink()
    (home / "artifacts/jobs/j/checkpoints/2-2-0/checkpoint.pt").unlink()
    findings = examine_files(get_artifacts())
    assert "upload 'a.zip'" in next(findings).what
    assert "(j): the checkpoint of epoch 2" in next(findings).what  # every checkpoint is listed by now
    with writing() as session:
        session.execute(delete(Job).where(Job.id == "k"))
    get_artifacts().delete("jobs/k")
    assert list(findings) == []


@pytest.mark.parametrize("damage", ["changed", "cut short", "missing"])
def test_a_damaged_checkpoint_in_events_of_and_its_row_removed(
    service: Engine, home: Path, capsys: Output, damage: str
) -> None:
    path = home / "artifacts/jobs/j/checkpoints/2-2-0/checkpoint.pt"
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"stATe 2" if damage == "changed" else b"st")
    code, told = examined(capsys)
    assert code == 1 and "job 'job' (j): the checkpoint of epoch 2, step 2 is" in told and "--fix would: " in told
    assert path.parent.is_dir()
    code, told = examined(capsys, fix=True)
    assert code == 0 and "  fixed: remove its row" in told and told.endswith("1 found, 1 fixed.\n")
    with reading() as session:
        assert list(session.scalars(select(Checkpoint.id))) == ["c1"]
    assert not path.parent.exists()
    assert examined(capsys) == (0, "Nothing is wrong.\n")


def test_what_hangs_on_a_damaged_checkpoint_is_not_thrown_away(service: Engine, home: Path, capsys: Output) -> None:
    (home / "artifacts/jobs/j/checkpoints/2-2-0/checkpoint.pt").unlink()
    with writing() as session:
        session.add(Evaluation(id="e", job_id="j", checkpoint_id="c2", kind="knn", config={}, epoch=2))
    code, told = examined(capsys, fix=True)
    assert code == 1 and "its row has results" in told
    with reading() as session:
        assert session.get(Evaluation, "e") is not None


def test_a_damaged_checkpoint_that_was_passed_by_is_no_damage(service: Engine, home: Path, capsys: Output) -> None:
    folder = home / "artifacts/jobs/j/checkpoints/2-2-0"
    (folder / "checkpoint.pt").unlink()
    with writing() as session:
        session.add(Evaluation(id="e", job_id="j", checkpoint_id="c2", kind="knn", config={}, epoch=2))
        session.flush()
        recording.discard_after(session, "j", epoch=1, step=1, rounds=0)
    assert examined(capsys) == (0, "Nothing is wrong.\n")
    leave(folder / "backbone.safetensors")
    code, told = examined(capsys, fix=True)
    assert code == 0 and "fixed: delete it" in told and not folder.exists()
    with reading() as session:
        assert session.get(Evaluation, "e") is not None


def test_what_is_asked_of_a_damaged_checkpoint_while_it_is_mended_is_not_thrown_away(
    service: Engine, home: Path
) -> None:
    (home / "artifacts/jobs/j/checkpoints/2-2-0/checkpoint.pt").unlink()
    (finding,) = examine_files(get_artifacts())
    assert finding.mend is not None
    with ThreadPoolExecutor(1) as pool:
        with writing() as session:
            jobs.lock(session, "j")  # as a request does
            session.add(Evaluation(id="e", job_id="j", checkpoint_id="c2", kind="knn", config={}, epoch=2))
            session.flush()
            mended = start_behind(pool, service, finding.mend)
        mended.result()
    with reading() as session:
        assert session.get(Evaluation, "e") is not None


def test_without_a_whole_checkpoint_no_row_is_removed(service: Engine, home: Path, capsys: Output) -> None:
    """The store may be the wrong one, or not be mounted."""
    (home / "artifacts").rename(home / "elsewhere")
    code, told = examined(capsys, fix=True)
    assert code == 1 and told.count("is missing") == 5 and "fixed: " not in told
    with reading() as session:
        assert len(session.scalars(select(Checkpoint.id)).all()) == 2
    for path in (home / "artifacts").iterdir():
        path.rmdir()
    (home / "artifacts").rmdir()
    (home / "elsewhere").rename(home / "artifacts")
    assert examined(capsys)[0] == 0


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("datasets/d/attempt/images.npy", "datasets 'digits' (d): images.npy is not what was written"),
        ("uploads/u/a.zip", "upload 'a.zip' (u) is not what was written"),
        ("jobs/j/rounds/1-a.scores", "the file with the scores of round 1 is not what was written"),
        (
            "jobs/j/checkpoints/1-1-0/backbone.safetensors",
            "is whole, but the backbone beside it is not what was written",
        ),
    ],
)
def test_what_cannot_be_mended_in_events_of(service: Engine, home: Path, capsys: Output, file: str, words: str) -> None:
    before = stored(home)
    (home / "artifacts" / file).write_bytes(b"other")
    code, told = examined(capsys, fix=True)
    assert code == 1 and words in told and "to do: " in told
    assert stored(home) == before


def test_orphaned_files_are_deleted_once_they_are_old(service: Engine, home: Path, capsys: Output) -> None:
    before = stored(home)
    artifacts = home / "artifacts"
    young = leave(artifacts / "uploads/arriving/b.zip", age=0)
    old = [
        leave(artifacts / "uploads/gone/b.zip"),
        leave(artifacts / "datasets/gone/images.npy"),
        leave(artifacts / "jobs/gone/checkpoints/1-1-0/checkpoint.pt"),
        leave(artifacts / "jobs/j/checkpoints/9-9-0/checkpoint.pt"),
        leave(artifacts / "datasets/d/lost/images.npy"),
        leave(artifacts / f"datasets/d/attempt/images.npy.{'0' * 32}.partial"),
        leave(home / "cache/datasets/cached/images.npy"),
        leave(home / "logs/jobs/gone.log"),
    ]
    kept = [leave(home / "cache/datasets/d/attempt/images.npy"), leave(home / "logs/jobs/j.log")]
    code, told = examined(capsys)
    assert code == 1 and told.endswith(f"{len(old)} found, 0 fixed.\n") and all(path.exists() for path in old)
    code, told = examined(capsys, fix=True)
    assert code == 0 and told.count("  fixed: delete it") == len(old)
    assert not any(path.exists() for path in old) and all(path.exists() for path in (young, *kept))
    assert stored(home) == before | {"uploads/arriving/b.zip"}


def test_a_running_job_is_left_alone(service: Engine, home: Path, capsys: Output) -> None:
    with writing() as session:
        session.get_one(Job, "j").lease_token = "somebody's"
    orphan = leave(home / "artifacts/jobs/j/checkpoints/9-9-0/checkpoint.pt")
    (home / "artifacts/jobs/j/checkpoints/2-2-0/checkpoint.pt").unlink()
    code, told = examined(capsys, fix=True)
    assert code == 1 and "its job runs" in told and "9-9-0" not in told
    assert orphan.exists()


def test_the_files_of_another_service_are_left_alone(service: Engine, home: Path, capsys: Output) -> None:
    for path in (home / "artifacts").rglob("*"):
        if path.is_file():
            leave(path)
    before = stored(home)
    for table in ("checkpoints", "uploads", "jobs", "datasets"):  # as in a new database
        with writing() as session:
            session.execute(text(f"DELETE FROM {table}"))
    code, told = examined(capsys, fix=True)
    assert code == 1 and "are COLT_DATABASE_URL and COLT_ARTIFACTS_URL right?" in told and "fixed: " not in told
    assert stored(home) == before


def test_a_store_that_takes_nothing_in_events_of(service: Engine, home: Path, capsys: Output) -> None:
    (home / "artifacts" / "health").write_bytes(b"")  # where it is tried
    code, told = examined(capsys)
    assert code == 1 and "the artifact store cannot be used: " in told and "no work is taken" in told


def test_a_database_of_another_version_in_events_of(service: Engine, capsys: Output) -> None:
    with writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert "the database's schema is 0001, this version needs " in examined(capsys)[1]


def test_a_database_that_is_damaged_or_away_is_a_message(tmp_path: Path, sqlite_template: Path) -> None:
    database = tmp_path / "colt.db"
    content = sqlite_template.read_bytes()
    database.write_bytes(content[:4096] + bytes(len(content) - 4096))
    for url in (f"sqlite:///{database}", "postgresql://nobody@127.0.0.1:1/none"):
        with worker_settings(tmp_path / "home", url), pytest.raises(Refused, match="the database does not answer"):
            doctor(fix=False)


def test_rows_that_refer_to_nothing_are_told_of(sqlite_template: Path, home: Path, capsys: Output) -> None:
    home.mkdir()
    (home / "colt.db").write_bytes(sqlite_template.read_bytes())
    with worker_settings(home, f"sqlite:///{home / 'colt.db'}"):
        connection = get_engine().raw_connection()
        connection.cursor().execute("PRAGMA foreign_keys=OFF")
        connection.cursor().execute("INSERT INTO metrics (job_id, name, step, value) VALUES ('gone', 'loss', 1, 2)")
        connection.close()
        code, told = examined(capsys)
    assert code == 1 and "rows of metrics refer to missing rows" in told


def test_receivers_that_cannot_be_reached_are_named(
    service: Engine, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    (tmp_path / "file").write_text("no folder")
    nobody = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("COLT_MLFLOW_URL", f"http://me:hunter2@{nobody}")
    monkeypatch.setenv("COLT_TENSORBOARD_DIR", str(tmp_path / "file" / "events"))
    monkeypatch.setenv("COLT_WEBHOOK_URL", f"http://{nobody}/hunter2")
    monkeypatch.setenv("COLT_WEBHOOK_SECRET", "hunter2 and more than that")
    get_settings.cache_clear()
    assert doctor(fix=False) == 1
    said = capsys.readouterr().out
    for what in ("the MLflow server does not answer", "TensorBoard cannot be written", "private network"):
        assert what in said
    assert "3 found" in said and "hunter2" not in said

    with receiving() as receiver:
        monkeypatch.setenv("COLT_MLFLOW_URL", "")
        monkeypatch.setenv("COLT_TENSORBOARD_DIR", str(tmp_path / "events" / "new"))
        monkeypatch.setenv("COLT_WEBHOOK_URL", receiver.url)
        monkeypatch.setenv("COLT_WEBHOOK_ALLOW_PRIVATE", "true")
        get_settings.cache_clear()
        assert doctor(fix=False) == 0
        assert receiver.got == []


def test_scores_are_dropped_only_when_told_to(
    service: Engine, home: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLT_KEEP_ROUND_SCORES", "last")
    get_settings.cache_clear()
    of_round = {"epoch": 2, "step": 2, "clusters": [], "num_selected": 0, "seconds": 0.0, "id_cluster": b""}
    with writing() as session:
        session.add(SamplingRound(job_id="j", round=2, **of_round))
    before = stored(home)
    assert drop_scores(apply=False) == 0
    told = capsys.readouterr().out
    assert "(j): 1 rounds, 6 bytes" in told and "Would drop the scores of 1 rounds, 6 bytes" in told
    assert stored(home) == before
    assert drop_scores(apply=True) == 0
    assert "Dropped the scores of 1 rounds, 6 bytes" in capsys.readouterr().out
    assert stored(home) == before - {"jobs/j/rounds/1-a.scores"}
    assert drop_scores(apply=False) == 0
    assert "Would drop the scores of 0 rounds, 0 bytes" in capsys.readouterr().out
