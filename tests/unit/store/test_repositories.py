"""What the API's tests do not reach through HTTP: cursors of any text, ties, and races on real
engines."""

from __future__ import annotations

import base64
import datetime as dt
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from store.database import build_engine, reading, writing
from store.models import (
    Checkpoint,
    Dataset,
    Evaluation,
    Job,
    JobEvent,
    Metric,
    OodPool,
    RoundScores,
    SamplingRound,
    new_id,
)
from store.repositories import events, jobs, metrics, recording, registrations, request_keys, round_scores, rounds
from store.repositories.json_lists import json_list_has
from store.repositories.pages import BadCursor, decode_cursor, encode_cursor, keyset_page
from tests.support.locks import start_behind
from tests.support.rows import add_dataset, add_job

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, dt.UTC)


@pytest.fixture(scope="module")
def cursors(sqlite_template: Path) -> Iterator[Session]:
    """A session that knows the key of cursors."""
    engine = build_engine(f"sqlite:///{sqlite_template}")
    with reading(engine) as session:
        yield session
    engine.dispose()


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=50))
def test_any_text_that_was_not_made_here_is_no_cursor(cursors: Session, text: str) -> None:
    with pytest.raises(BadCursor):
        decode_cursor(cursors, text, str, int)


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=20), st.integers(-(2**31), 2**31 - 1), st.floats(allow_nan=False))
def test_cursors_keep_their_values(cursors: Session, text: str, number: int, share: float) -> None:
    cursor = encode_cursor(cursors, text, number, share)
    assert decode_cursor(cursors, cursor, str, int, float) == [text, number, share]
    with pytest.raises(BadCursor):
        decode_cursor(cursors, cursor, str, str, float)
    with pytest.raises(BadCursor):
        decode_cursor(cursors, cursor, str, int)


def test_a_cursor_that_was_changed_is_refused(cursors: Session) -> None:
    signed = base64.urlsafe_b64decode(encode_cursor(cursors, "-created_at", 1) + "==")
    for position in range(len(signed)):
        changed = bytearray(signed)
        changed[position] ^= 1
        with pytest.raises(BadCursor):
            decode_cursor(cursors, base64.urlsafe_b64encode(changed).decode(), str, int)


def dataset(name: str = "d") -> Dataset:
    return Dataset(id=new_id(), name=name, spec={}, created_at=NOW)


def job(rests_on: Dataset, key: str | None = None, tags: list[str] | None = None) -> Job:
    return Job(
        id=new_id(),
        name="j",
        tags=tags or [],
        dataset_id=rests_on.id,
        config={},
        framework="simclr",
        sampler="none",
        evaluations=[],
        epochs=1,
        idempotency_key=key,
    )


def test_rows_of_the_same_instant_are_paged_once_each(engine: Engine) -> None:
    with writing(engine) as session:
        session.add_all(dataset() for _ in range(23))
    seen: list[str] = []
    cursor = None
    with reading(engine) as session:
        while True:
            rows, cursor = keyset_page(session, select(Dataset), Dataset, "-created_at", 5, cursor).all()
            seen += [row.id for row in rows]
            if cursor is None:
                break
        assert seen == list(session.scalars(select(Dataset.id).order_by(Dataset.id.desc())))


def test_lists_of_strings_are_searched_whole(engine: Engine) -> None:
    data = dataset()
    tags = ['a"b', "a", "é", "[]", "", "a%"]
    with writing(engine) as session:
        session.add(data)
        session.flush()
        session.add_all([job(data, tags=[tag, "other"]) for tag in tags])
    with reading(engine) as session:
        for tag in tags:
            found = session.scalars(select(Job).where(json_list_has(Job.tags, tag))).all()  # type: ignore[arg-type]
            assert [row.tags[0] for row in found] == [tag]
        assert not session.scalars(select(Job).where(json_list_has(Job.tags, "b"))).all()  # type: ignore[arg-type]


def test_one_key_makes_one_job_under_concurrency(engine: Engine) -> None:
    data = dataset()
    with writing(engine) as session:
        registrations.add(session, data)
    start = threading.Barrier(6)

    def add(_: int) -> bool:
        start.wait()
        with writing(engine) as session:
            return jobs.add(session, job(data, key="k"))

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(add, range(6))) == [False] * 5 + [True]
    with reading(engine) as session:
        assert request_keys.with_key(session, Job, "k", NOW) is not None
        assert jobs.counts_by_status(session) == {"queued": 1}


def test_a_cursor_belongs_to_one_list_and_order(engine: Engine) -> None:
    data = dataset()
    with writing(engine) as session:
        session.add(data)
        session.flush()
        session.add_all([job(data), job(data), dataset()])
    with reading(engine) as session:
        _, cursor = keyset_page(session, select(Job), Job, "-created_at", 1, None).all()
        assert len(keyset_page(session, select(Job), Job, "-created_at", 5, cursor).all()[0]) == 1
        for model, order in ((Job, "created_at"), (Job, "status"), (Dataset, "-created_at")):
            with pytest.raises(BadCursor):
                keyset_page(session, select(model), model, order, 5, cursor)


def test_a_data_set_is_deleted_or_used_but_not_both(engine: Engine) -> None:
    for _ in range(5):
        data = dataset()
        with writing(engine) as session:
            registrations.add(session, data)
        start = threading.Barrier(2)

        def use(data: Dataset = data, start: threading.Barrier = start) -> bool:
            start.wait()
            with writing(engine) as session:
                return jobs.add(session, job(data))

        def delete(data: Dataset = data, start: threading.Barrier = start) -> bool:
            start.wait()
            with writing(engine) as session:
                try:
                    return registrations.remove(session, Dataset, data.id)
                except registrations.InUse:
                    return False

        with ThreadPoolExecutor(2) as pool:
            used, deleted = pool.submit(use), pool.submit(delete)
            assert used.result() != deleted.result()


@pytest.mark.parametrize(
    ("was", "becomes", "ends"), [("running", "queued", "cancelled"), ("queued", "running", "cancelling")]
)
def test_a_job_that_a_worker_moves_meanwhile_is_cancelled(engine: Engine, was: str, becomes: str, ends: str) -> None:
    data = dataset()
    row = job(data)
    row.status = was
    with writing(engine) as session:
        session.add(data)
        session.flush()
        session.add(row)

    def cancel() -> bool:
        with writing(engine) as session:
            return jobs.cancel(session, row.id)

    with ThreadPoolExecutor(1) as pool:
        with writing(engine) as session:
            assert jobs.transition(session, row.id, {was}, becomes)
            cancelled = start_behind(pool, engine, cancel)
        assert cancelled.result()
    with reading(engine) as session:
        found = session.get_one(Job, row.id)
        assert (found.status, found.finished_at is None) == (ends, ends == "cancelling")
        told = session.scalars(select(JobEvent.data).order_by(JobEvent.id)).all()
    assert told == [{"status": becomes}, {"status": ends}]


def test_a_pool_in_use_is_kept_by_the_database_itself(engine: Engine) -> None:
    data, pool = dataset(), OodPool(id=new_id(), name="p", spec={})
    with writing(engine) as session:
        session.add_all([data, pool])
        session.flush()
        row = job(data)
        row.ood_pool_id = pool.id
        session.add(row)
    with writing(engine) as session, pytest.raises(registrations.InUse):
        registrations.remove(session, OodPool, pool.id)
    with pytest.raises(IntegrityError), writing(engine) as session:
        session.delete(session.get_one(OodPool, pool.id))


def test_arrays_come_back_as_they_were_packed(engine: Engine) -> None:
    generator = np.random.default_rng(0)
    tailness, similarity = generator.random((2, 300), np.float32)
    cluster = generator.integers(2**16, size=300).astype(np.uint16)
    selected = generator.random(300) < 0.3
    data = dataset()
    row = job(data)
    with writing(engine) as session:
        session.add(data)
        session.flush()
        session.add(row)
        session.flush()
        for number in (1, 2):
            session.add(
                SamplingRound(
                    job_id=row.id,
                    round=number,
                    epoch=number,
                    step=number,
                    clusters=[],
                    num_selected=int(selected.sum()),
                    seconds=0.0,
                    ood_tailness=tailness.astype("<f4").tobytes(),
                    ood_cluster=cluster.astype("<u2").tobytes(),
                    ood_similarity=similarity.astype("<f4").tobytes(),
                    ood_selected=(selected if number == 1 else ~selected).astype("u1").tobytes(),
                    id_cluster=b"",
                )
            )
    with reading(engine) as session:
        scores = rounds.pool_scores(session, row.id, 1)
        assert scores is not None
        np.testing.assert_array_equal(scores.column("tailness"), tailness)
        np.testing.assert_array_equal(scores.column("cluster"), cluster)
        np.testing.assert_array_equal(scores.column("similarity"), similarity)
        np.testing.assert_array_equal(scores.picks, np.flatnonzero(selected))
        for index in (0, 1, 157, 299):
            first, second = rounds.sample_history(session, row.id, index, last=9)
            assert (first.tailness, first.similarity) == (float(tailness[index]), float(similarity[index]))
            assert (first.cluster, first.selected) == (int(cluster[index]), bool(selected[index]))
            assert second.selected != first.selected
        assert rounds.sample_history(session, row.id, 300, last=9) == []
        assert [seen.round for seen in rounds.sample_history(session, row.id, 5, last=1)] == [2]
        picks = rounds.picks(session, row.id)
        np.testing.assert_array_equal(picks.index, np.arange(300))  # each is picked by one of the two
        np.testing.assert_array_equal(picks.round == 1, selected)
        assert len(rounds.picks(session, "nothing").index) == 0


@pytest.mark.parametrize(
    ("setting", "left"),
    [("every", [1, 2, 3, 4, 5]), ("every:2", [2, 4, 5]), ("every:9", [5]), ("last", [5])],
)
def test_scores_are_dropped_as_a_setting_says_and_picks_stay(engine: Engine, setting: str, left: list[int]) -> None:
    run = add_job(engine, add_dataset(engine))
    of_round = {"clusters": [], "num_selected": 1, "seconds": 0.0, "id_cluster": b""}
    with writing(engine) as session:
        for number in (1, 2, 3, 4, 5):
            arrays = {}
            if number < 3:  # as an earlier version left it
                flags = {"ood_selected": bytes(at == number for at in range(6)), "ood_cluster": bytes(12)}
                arrays = {"ood_tailness": bytes(24), "ood_similarity": bytes(24), **flags}
            session.add(SamplingRound(job_id=run.id, round=number, epoch=number, step=number, **of_round, **arrays))
            session.flush()
            if number >= 3:
                written = {"images": 6, "file": f"{number}.scores", "bytes": 55, "sha256": "0"}
                picks = np.array([number], "<i4").tobytes()
                session.add(RoundScores(job_id=run.id, round=number, picks=picks, **written))
    with writing(engine) as session:
        assert round_scores.jobs_with_rounds(session) == [run.id]
        assert [scores.bytes for scores in round_scores.kept(session, run.id)] == [66, 66, 55, 55, 55]
        dropped = round_scores.to_drop(session, run.id, setting)
        keys = round_scores.drop(session, run.id, dropped)
        assert keys == [f"{number}.scores" for number in (3, 4, 5) if number not in left]
    with reading(engine) as session:
        assert [scores.round for scores in round_scores.kept(session, run.id)] == left
        assert round_scores.to_drop(session, run.id, setting) == []
        assert rounds.picks(session, run.id).index.tolist() == [1, 2, 3, 4, 5]
        for number in {1, 2, 3, 4, 5} - set(left):
            with pytest.raises(rounds.ScoresDropped):
                rounds.pool_scores(session, run.id, number)


def test_a_curve_of_very_many_steps_is_thinned_on_both_engines(engine: Engine) -> None:
    mine = dataset()
    run = job(mine)
    with writing(engine) as session:
        session.add(mine)
        session.flush()
        session.add(run)
        session.flush()
        session.add_all(
            Metric(job_id=run.id, name="loss", step=step, value=float(step)) for step in (1, 500_000, 1_000_000)
        )
    with reading(engine) as session:
        assert metrics.series(session, run.id, [], 100_000) == {
            "loss": ([1, 500_000, 1_000_000], [1.0, 500_000.0, 1_000_000.0])
        }


@pytest.mark.parametrize("behind", [2**31 - 1, 2**31, 2**63 - 1])
def test_there_are_no_events_behind_an_id_that_no_event_has(engine: Engine, behind: int) -> None:
    """An error here would end the feed of every stream, for the number comes from a client."""
    job = add_job(engine, add_dataset(engine))
    with writing(engine) as session:
        events.append(session, job.id, "log", {"lines": ["a"]})
    with reading(engine) as session:
        assert len(events.after(session, job.id, 0, 10)) == 1
        assert events.after(session, job.id, behind, 10) == []


def test_a_finished_probe_is_known_by_all_of_its_configuration(engine: Engine) -> None:
    rests_on = dataset()
    trained = job(rests_on)
    asked = {"kind": "linear", "protocol": "sgd", "shots": None}
    with writing(engine) as session:
        session.add(rests_on)
        session.flush()
        session.add(trained)
        session.flush()
        checkpoint = Checkpoint(job_id=trained.id, epoch=1, step=4, artifact="a", bytes=1, sha256="0")
        session.add(checkpoint)
        session.flush()
        for status in ("succeeded", "failed"):
            config = asked | {"seed": 0 if status == "succeeded" else 1}
            session.add(
                Evaluation(
                    job_id=trained.id, checkpoint_id=checkpoint.id, kind="linear", config=config, status=status, epoch=1
                )
            )
    with reading(engine) as session:
        assert recording.finished_probes(session, checkpoint.id) == [asked | {"seed": 0}]
