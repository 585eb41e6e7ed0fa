from __future__ import annotations

import os
from pathlib import Path

from worker.folder import WorkerFolder


def test_a_new_worker_sweeps_up_after_dead_ones_only(tmp_path: Path) -> None:
    dead, living, new = (WorkerFolder(tmp_path, name) for name in ("dead", "living", "new"))
    with living.create():
        dead.create().close()
        (dead.scratch("token") / "half.npy").write_bytes(b"half")
        with new.create():
            assert not dead.path.exists()
            assert living.path.exists() and new.path.exists()
        new.remove()
        assert not new.path.exists()


def test_a_worker_killed_before_it_was_born_is_swept_up_later(tmp_path: Path) -> None:
    unborn = tmp_path / "workers" / ".host-1"
    unborn.mkdir(parents=True)
    WorkerFolder(tmp_path, "new").create().close()
    assert unborn.exists()
    os.utime(unborn, (0, 0))
    WorkerFolder(tmp_path, "newer").create().close()
    assert not unborn.exists()
