from __future__ import annotations

import os
from pathlib import Path

from worker.folder import PREPARE, TRAIN, WorkerFolder, new_worker_id


def worker(home: Path) -> WorkerFolder:
    return WorkerFolder(home, new_worker_id())


def test_a_lock_is_held_once_and_ends_with_its_holder(tmp_path: Path) -> None:
    folder = worker(tmp_path)
    with folder.create():
        with folder.lock(TRAIN) as first, folder.lock(TRAIN) as second, folder.lock(PREPARE) as other:
            assert (first, second, other) == (True, False, True)
        with folder.lock(TRAIN) as again:
            assert again


def test_a_new_worker_sweeps_up_after_dead_ones_only(tmp_path: Path) -> None:
    dead, living, orphaned = worker(tmp_path), worker(tmp_path), worker(tmp_path)
    with living.create():
        dead.create().close()
        (dead.scratch(TRAIN, "token") / "half.npy").write_bytes(b"half")
        orphan = orphaned.create()
        with orphaned.lock(TRAIN) as held:  # its parent died, a child of it still works
            assert held
            orphan.close()
            with worker(tmp_path).create():
                assert not dead.path.exists()
                assert living.path.exists() and orphaned.path.exists()


def test_the_word_to_stop_is_heard_by_every_process_of_the_worker(tmp_path: Path) -> None:
    folder = worker(tmp_path)
    with folder.create():
        child = WorkerFolder(tmp_path, folder.worker_id)
        assert not child.stopping
        folder.ask_to_stop()
        assert child.stopping
    folder.remove()
    assert not folder.path.exists()
    assert child.stopping


def test_what_a_killed_holder_of_a_lock_left_is_removed_by_the_next(tmp_path: Path) -> None:
    folder = worker(tmp_path)
    with folder.create():
        (folder.scratch(TRAIN, "killed") / "half.npy").write_bytes(b"half")
        other = folder.scratch(PREPARE, "at-work")
        folder.clear_scratch(TRAIN)
        assert list((folder.path / "scratch").iterdir()) == [other]


def test_what_a_killed_holder_left_is_removed_while_nobody_works(tmp_path: Path) -> None:
    folder = worker(tmp_path)
    with folder.create():
        folder.scratch(TRAIN, "killed")
        at_work = folder.scratch(PREPARE, "at-work")
        with folder.lock(PREPARE):
            folder.clear_idle_scratch()
        assert list((folder.path / "scratch").iterdir()) == [at_work]


def test_a_worker_killed_before_it_was_born_is_swept_up_later(tmp_path: Path) -> None:
    unborn = tmp_path / "workers" / ".host-1"
    unborn.mkdir(parents=True)
    worker(tmp_path).create().close()
    assert unborn.exists()
    os.utime(unborn, (0, 0))
    worker(tmp_path).create().close()
    assert not unborn.exists()
