from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.processes import REPOSITORY, clean_environment


def test_the_celery_side_loads_no_torch(tmp_path: Path) -> None:
    """It computes nothing, so it would only hold the memory."""
    program = """
import sys
import worker.app, worker.__main__, worker.supervisor, worker.reconciler, worker.mirrors.tensorboard
print(sorted({"torch", "torchvision", "faiss", "sklearn", "api"} & set(sys.modules)))
"""
    told = subprocess.run(
        [sys.executable, "-c", program],
        env=clean_environment(COLT_HOME=str(tmp_path)),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert told.stdout.strip() == "[]"


def test_a_job_does_not_wait_for_torchvision() -> None:
    """Importing it takes a second, at each start of a training, an evaluation or an analysis."""
    program = """
import sys
import colt_core.models, colt_core.training.pretrain, colt_core.training.checkpoint
print("torch" in sys.modules, "torchvision" in sys.modules)
"""
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True
    )
    assert told.stdout.split() == ["True", "False"]
