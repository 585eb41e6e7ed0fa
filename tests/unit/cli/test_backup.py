"""`colt backup` on a data folder of its own; tests/integration/test_backup.py restores a real
service from one."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from cli.backup import backup
from cli.doctor import doctor
from cli.errors import Refused
from store.database import build_engine, reading, writing
from store.models import Checkpoint, Dataset, Upload
from store.settings import get_settings
from tests.support.rows import add_dataset, add_job
from tests.support.settings import worker_settings


@pytest.fixture
def home(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder with a file and a half."""
    home = tmp_path / "home"
    (home / "artifacts" / "datasets" / "d").mkdir(parents=True)
    shutil.copy(sqlite_template, home / "colt.db")
    (home / "artifacts" / "datasets" / "d" / "images.npy").write_bytes(b"images")
    (home / "artifacts" / "datasets" / "d" / "labels.npy.0.partial").write_bytes(b"half")
    monkeypatch.setenv("COLT_HOME", str(home))
    get_settings.cache_clear()
    yield home
    get_settings.cache_clear()


def test_it_holds_whole_files_and_what_was_committed(home: Path, tmp_path: Path) -> None:
    engine = build_engine(f"sqlite:///{home / 'colt.db'}")
    with writing(engine) as session:  # in the write-ahead log, which a copy of the file alone would miss
        session.add(Dataset(id="d", name="digits", spec={}))
    with writing(engine) as session:
        session.add(Upload(id="u", filename="a", bytes=1, sha256="0", artifact="a"))
        session.flush()
        assert backup(tmp_path / "deep" / "copy") == 0  # while somebody else writes
    engine.dispose()
    copy = build_engine(f"sqlite:///{tmp_path / 'deep' / 'copy' / 'colt.db'}")
    with reading(copy) as session:
        assert session.get_one(Dataset, "d").name == "digits"
        assert session.get(Upload, "u") is None
    copy.dispose()
    files = [path for path in (tmp_path / "deep" / "copy" / "artifacts").rglob("*") if path.is_file()]
    assert [(path.name, path.read_bytes()) for path in files] == [("images.npy", b"images")]


def test_a_folder_that_vanishes_while_its_files_are_copied(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.copy2

    def copy(source: Path, into: Path) -> None:
        real(source, into)
        shutil.rmtree(source.parent)  # as the trainer drops an old checkpoint

    monkeypatch.setattr(shutil, "copy2", copy)
    assert backup(tmp_path / "copy") == 0


class Checkpoints:
    """A job whose trainer, while a backup copies, writes a checkpoint and drops the one before."""

    def __init__(self, home: Path) -> None:
        self._artifacts = home / "artifacts"
        self._engine = build_engine(f"sqlite:///{home / 'colt.db'}")
        images = self._artifacts / "datasets" / "d" / "images.npy"
        written = {"images.npy": {"bytes": 6, "sha256": hashlib.sha256(images.read_bytes()).hexdigest()}}
        self._job = add_job(self._engine, add_dataset(self._engine, id="d", status="ready", files=written))
        self._last: Checkpoint | None = None

    def replace(self) -> None:
        number = 1 if self._last is None else self._last.epoch + 1
        row = Checkpoint(
            job_id=self._job.id,
            epoch=number,
            step=number,
            artifact=f"jobs/j/checkpoints/{number}",
            bytes=5,
            sha256=hashlib.sha256(b"state").hexdigest(),
        )
        (self._artifacts / row.artifact).mkdir(parents=True)
        for name in ("checkpoint.pt", "backbone.safetensors"):
            (self._artifacts / row.artifact / name).write_bytes(b"state")
        with writing(self._engine) as session:
            session.add(row)
            if self._last is not None:
                session.delete(self._last)
        if self._last is not None:
            shutil.rmtree(self._artifacts / self._last.artifact)
        self._last = row


@pytest.mark.parametrize("times", [2, 100])
def test_what_the_copied_database_names_is_there_though_checkpoints_are_dropped(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    checkpoints = Checkpoints(home)
    left = iter(range(times))
    real = shutil.copy2

    def copy(source: Path, into: Path) -> None:
        # First behind the first turn, which has listed the folders by now; then behind each copy of
        # the database.
        if next(left, None) is not None:
            checkpoints.replace()
        real(source, into)

    monkeypatch.setattr(shutil, "copy2", copy)
    if times == 100:
        with pytest.raises(Refused, match="deleted faster than they are copied"):
            backup(tmp_path / "copy")
        assert {path.name for path in tmp_path.iterdir()} == {"home"}
        return
    assert backup(tmp_path / "copy") == 0
    with worker_settings(tmp_path / "copy", f"sqlite:///{tmp_path / 'copy' / 'colt.db'}") as restored:
        with reading(restored) as session:
            assert session.scalars(select(Checkpoint.epoch)).all() == [2]
        assert doctor(fix=False) == 0


def test_a_folder_that_exists_is_left_alone(home: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    with pytest.raises(Refused, match="exists already"):
        backup(tmp_path / "copy")
    assert list((tmp_path / "copy").iterdir()) == []


def test_what_another_backup_has_begun_is_left_alone(home: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.partial").mkdir()
    (tmp_path / "copy.partial" / "colt.db").write_bytes(b"of another")
    with pytest.raises(Refused, match="cannot begin the backup"):
        backup(tmp_path / "copy")
    assert (tmp_path / "copy.partial" / "colt.db").read_bytes() == b"of another"


def test_a_damaged_database_makes_no_backup(home: Path, tmp_path: Path) -> None:
    with (home / "colt.db").open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 8 * 4096)
    with pytest.raises(Refused, match="incomplete copy was removed"):
        backup(tmp_path / "copy")
    assert {path.name for path in tmp_path.iterdir()} == {"home"}


def test_without_a_database_it_says_where_it_looked(home: Path, tmp_path: Path) -> None:
    (home / "colt.db").unlink()
    with pytest.raises(Refused, match=f"no database in {home}"):
        backup(tmp_path / "copy")


@pytest.mark.parametrize(
    ("variable", "value", "word"),
    [
        ("COLT_DATABASE_URL", "postgresql://user:secret@host/colt", "pg_dump"),
        ("COLT_ARTIFACTS_URL", "s3://bucket/prefix", "the tools of that store"),
    ],
)
def test_what_lies_elsewhere_is_backed_up_with_other_tools(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, word: str
) -> None:
    monkeypatch.setenv(variable, value)
    get_settings.cache_clear()
    with pytest.raises(Refused, match=word) as refused:
        backup(tmp_path / "copy")
    assert "secret" not in str(refused.value)
