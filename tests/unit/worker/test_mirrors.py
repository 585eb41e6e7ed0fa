"""Jobs are mirrored whole and once, here to event files of TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from store import leases
from store.database import reading, writing
from store.leases import Lease
from store.models import Checkpoint, Evaluation, Job, Metric, MirroredJob, SendingLease, utc_now
from store.repositories import checkpoint_work, events, jobs, recording
from store.repositories.sending import SendingLost
from store.settings import get_settings
from tests.support.rows import add_dataset, add_job
from tests.support.settings import forget_settings
from worker import outcome
from worker.folder import WorkerFolder
from worker.mirrors.mirror import Mirror
from worker.mirrors.packet import Packet, legal_names
from worker.mirrors.target import PacketRefused, State
from worker.mirrors.tensorboard import TensorboardTarget
from worker.sender import ReceiverAway, Sender, Turn

CLASSES = ["cat", "dog/wolf"]


@pytest.fixture
def folder(configured: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLT_TENSORBOARD_DIR", str(tmp_path / "events"))
    forget_settings()
    return tmp_path / "events"


@pytest.fixture
def target(folder: Path) -> TensorboardTarget:
    return TensorboardTarget(get_settings())


@pytest.fixture
def sender(target: TensorboardTarget, home: Path) -> Sender:
    return Sender(WorkerFolder(home, "me"), Mirror(target))


@pytest.fixture
def lease(configured: Engine) -> Lease:
    """The lease on a running job."""
    dataset = add_dataset(configured, status="ready", class_names=CLASSES)
    add_job(configured, dataset, name="a/job", config={"epochs": 4, "framework": "simclr"}, evaluations=["knn"])
    return claim()


def claim() -> Lease:
    with writing() as session:
        lease = leases.claim(session, Job, "me", 600)
        assert lease is not None
        job = session.get_one(Job, lease.id)
        job.started_at = job.started_at or utc_now()
        events.append(session, lease.id, "status", {"status": "running"})
    return lease


def train(lease: Lease, *steps: int, epochs: tuple[int, ...] = ()) -> None:
    """Record steps, and the ends of epochs, as a run does."""
    with writing() as session:
        leases.write(session, lease, step=steps[-1])
        points = [("loss", step, 1 / step) for step in steps] + [("epoch_loss", step, 2 / step) for step in epochs]
        recording.add_metrics(session, lease.id, points)
        events.append(session, lease.id, "metric", {"step": steps[-1], "values": {"loss": 1 / steps[-1]}})


def resume_from(lease: Lease, step: int, rounds: int = 0) -> None:
    with writing() as session:
        leases.write(session, lease, step=step)
        recording.discard_after(session, lease.id, epoch=0, step=step, rounds=rounds)


def pick(lease: Lease, number: int, step: int) -> None:
    told = {"round": number, "epoch": 1, "step": step, "num_selected": 9, "overlap": None, "seconds": 0.5}
    with writing() as session:
        leases.write(session, lease, step=step)
        events.append(session, lease.id, "round", told)


def evaluate(lease: Lease, epoch: int) -> str:
    with writing() as session:
        leases.write(session, lease, epoch=epoch)
        key = f"jobs/{lease.id}/{epoch}"
        checkpoint = Checkpoint(job_id=lease.id, epoch=epoch, step=epoch, artifact=key, bytes=1, sha256="0")
        session.add(checkpoint)
        session.flush()
        row = Evaluation(
            job_id=lease.id,
            checkpoint_id=checkpoint.id,
            epoch=epoch,
            kind="knn",
            config={},
            status="succeeded",
            accuracy=0.75,
            per_class_accuracy=[0.5, 1.0],
            group_accuracy={"many": 0.75, "medium": None, "few": 0.5},
            group_std=0.125,
        )
        session.add(row)
        checkpoint_work.tell(session, row)
    return row.id


def end(lease: Lease) -> None:
    with writing() as session:
        outcome.succeeded(session, lease)


def written(folder: Path) -> EventAccumulator:
    (run,) = folder.iterdir()
    found = EventAccumulator(str(run), size_guidance={"scalars": 0, "tensors": 0})
    found.Reload()
    return found


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    found = written(folder)
    return {tag: [(event.step, event.value) for event in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def losses(*steps: int) -> list[tuple[int, Any]]:
    return [(step, pytest.approx(1 / step)) for step in steps]


def texts(folder: Path, tag: str) -> list[str]:
    return [event.tensor_proto.string_val[0].decode() for event in written(folder).Tensors(tag)]


def test_a_job_is_mirrored_while_it_runs_and_wholly_at_its_end(lease: Lease, sender: Sender, folder: Path) -> None:
    train(lease, 1, 2, 3)
    sender.once()
    assert scalars(folder) == {"loss": losses(1, 2)}  # the end of an epoch may still come at step 3
    pick(lease, 1, 3)
    train(lease, 4, 5, epochs=(3,))
    evaluate(lease, 2)
    end(lease)
    sender.once()
    assert scalars(folder) == {
        "loss": losses(1, 2, 3, 4, 5),
        "epoch_loss": [(3, pytest.approx(2 / 3))],
        "round/num_selected": [(3, 9.0)],
        "round/seconds": [(3, 0.5)],
        "knn/all": [(2, 0.75)],
        "knn/many": [(2, 0.75)],
        "knn/few": [(2, 0.5)],
        "knn/std": [(2, 0.125)],
        "knn/class/cat": [(2, 0.5)],
        "knn/class/dog_wolf": [(2, 1.0)],
    }
    assert texts(folder, "status") == ["running", "succeeded"]
    assert '"framework": "simclr"' in texts(folder, "config")[0]
    (run,) = folder.iterdir()
    assert run.name == f"a_job-{lease.id[:8]}"


def test_what_a_resumed_run_records_again_is_mirrored_once(lease: Lease, sender: Sender, folder: Path) -> None:
    train(lease, 1, 2, 3, 4)
    pick(lease, 1, 4)
    train(lease, 5, 6)
    sender.once()
    resume_from(lease, 2)
    sender.once()
    train(lease, 3, 4)
    pick(lease, 1, 4)
    sender.once()
    train(lease, 5, 6, 7)
    end(lease)
    sender.once()
    found = scalars(folder)
    assert found["loss"] == losses(1, 2, 3, 4, 5, 6, 7) and found["round/num_selected"] == [(4, 9.0)]


def test_a_job_that_is_resumed_after_its_end_goes_on(lease: Lease, sender: Sender, folder: Path) -> None:
    train(lease, 1, 2)
    with writing() as session:
        outcome.failed(session, lease, "no memory")
    sender.once()
    assert texts(folder, "status") == ["failed: no memory"]
    with writing() as session:
        assert jobs.transition(session, lease.id, {"failed"}, "queued")
    again = claim()
    train(again, 3, 4)
    end(again)
    sender.once()
    assert scalars(folder)["loss"] == losses(1, 2, 3, 4)
    assert texts(folder, "status")[-1] == "succeeded"


def test_a_long_run_is_mirrored_in_parts(lease: Lease, sender: Sender, folder: Path) -> None:
    train(lease, *range(1, 1201), epochs=(600, 1200))
    evaluate(lease, 2)
    end(lease)
    sender.once()
    found = scalars(folder)
    assert found["loss"] == losses(*range(1, 1201))
    assert [step for step, _ in found["epoch_loss"]] == [600, 1200]


class Failing:
    """A target whose answer is lost: it writes, and then fails."""

    name = "tensorboard"

    def __init__(self, target: TensorboardTarget, error: Exception) -> None:
        self._target = target
        self.error: Exception | None = error
        self.packets: list[Packet] = []

    def send(self, packet: Packet, state: State | None, keep: Any) -> State:
        self.packets.append(packet)
        state = self._target.send(packet, state, keep)
        if self.error is not None:
            raise self.error
        return state


def test_a_packet_whose_answer_was_lost_comes_again_unchanged(
    lease: Lease, target: TensorboardTarget, home: Path, folder: Path
) -> None:
    failing = Failing(target, ReceiverAway("no answer"))
    sender = Sender(WorkerFolder(home, "me"), Mirror(failing))
    train(lease, 1, 2, 3)
    with pytest.raises(ReceiverAway):
        sender.once()
    resume_from(lease, 0)  # meanwhile the run begins again, at another time
    train(lease, 1, 2)
    with pytest.raises(ReceiverAway):
        sender.once()
    failing.error = None
    train(lease, 3, 4)
    end(lease)
    sender.once()
    assert failing.packets[0] == failing.packets[1] == failing.packets[2]
    assert scalars(folder)["loss"] == losses(1, 2, 3, 4)


def test_a_job_that_is_refused_holds_up_no_other(
    configured: Engine, lease: Lease, target: TensorboardTarget, home: Path
) -> None:
    class Choosy(Failing):
        def send(self, packet: Packet, state: State | None, keep: Any) -> State:
            self.error = PacketRefused("no") if packet.job_id == lease.id and not self.mended else None
            return super().send(packet, state, keep)

        mended = False

    choosy = Choosy(target, PacketRefused("no"))
    sender = Sender(WorkerFolder(home, "me"), Mirror(choosy))
    train(lease, 1, 2)
    other = add_job(configured, add_dataset(configured, status="ready"))
    assert claim().id == other.id
    sender.once()
    assert [packet.job_id for packet in choosy.packets] == [lease.id, other.id]
    sender.once()  # not before its pause is over
    assert len(choosy.packets) == 2
    choosy.mended = True
    with writing() as session:
        session.execute(update(MirroredJob).values(retry_at=utc_now()))
    sender.once()
    assert [packet.job_id for packet in choosy.packets[2:]] == [lease.id]


def test_one_worker_at_a_time_sends(lease: Lease, target: TensorboardTarget, home: Path, folder: Path) -> None:
    """A worker that was paused beyond its lease stores nothing. Both have sent the same."""
    train(lease, 1, 2, 3)
    mine, other = WorkerFolder(home, "me"), Sender(WorkerFolder(home, "other"), Mirror(target))

    class Overtaken(Failing):
        def send(self, packet: Packet, state: State | None, keep: Any) -> State:
            other.once()  # nothing, for the lease is ours
            assert list(folder.glob("*")) == []
            with writing() as session:
                session.execute(update(SendingLease).values(expires_at=utc_now()))
            other.once()
            return super().send(packet, state, keep)

    overtaken = Overtaken(target, ReceiverAway())
    overtaken.error = None
    with pytest.raises(SendingLost):
        Sender(mine, Mirror(overtaken)).once()
    train(lease, 4)
    end(lease)
    other.once()
    assert scalars(folder)["loss"] == losses(1, 2, 3, 4)


def test_nothing_is_due_without_news(lease: Lease, sender: Sender, target: TensorboardTarget) -> None:
    train(lease, 1, 2)
    assert Mirror(target).is_due()
    sender.once()
    with writing() as session:
        leases.held(session, lease)
        events.append(session, lease.id, "log", {"lines": ["x"]})
    assert not Mirror(target).is_due()


def test_waiting_and_deleted_jobs_are_not_mirrored(
    configured: Engine, lease: Lease, target: TensorboardTarget, sender: Sender
) -> None:
    add_job(configured, add_dataset(configured, status="ready"))
    end(lease)
    sender.once()
    with writing() as session:
        assert jobs.remove(session, lease.id)
    assert not Mirror(target).is_due()
    with reading() as session:
        assert session.scalars(select(MirroredJob)).all() == [] == session.scalars(select(Metric)).all()


def test_a_file_that_was_removed_goes_on_as_another(lease: Lease, sender: Sender, folder: Path) -> None:
    train(lease, 1, 2, 3)
    sender.once()
    (file,) = folder.glob("*/*")
    file.unlink()
    train(lease, 4)
    end(lease)
    sender.once()
    assert scalars(folder)["loss"] == losses(3, 4)


def test_a_folder_that_cannot_be_written_is_an_outage(lease: Lease, sender: Sender, folder: Path) -> None:
    folder.write_text("no folder")
    train(lease, 1, 2)
    with pytest.raises(ReceiverAway):
        sender.once()
    folder.unlink()
    sender.once()
    assert scalars(folder)["loss"] == losses(1)


@pytest.mark.parametrize(
    ("names", "legal"),
    [
        (["cat", "дом", "a b"], ["cat", "дом", "a b"]),
        (["a/b", "<i>", "x\n"], ["a_b", "_i_", "x_"]),
        (["Cat", "cat"], ["0_Cat", "1_cat"]),
        (["a/b", "a:b", "c"], ["0_a_b", "1_a_b", "2_c"]),
        (["..", "a"], ["0_", "1_a"]),
        (["x" * 300], ["x" * 100]),
    ],
)
def test_names_of_classes_become_legal_and_stay_apart(names: list[str], legal: list[str]) -> None:
    assert legal_names(names) == legal


def test_turns_end_with_the_worker(lease: Lease, target: TensorboardTarget, home: Path, folder: Path) -> None:
    stopped = WorkerFolder(home, "me")
    stopped.stopping = True
    Mirror(target).send(Turn("tensorboard", "token", stopped))
    assert not folder.exists()
