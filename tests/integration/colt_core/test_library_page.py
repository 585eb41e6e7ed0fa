"""The blocks of the page on the library, as they stand there. Only sizes and lengths are the test's
own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from colt_core.models import Backbone
from tests.support.processes import REPOSITORY, clean_environment

PAGE = (REPOSITORY / "docs" / "library.md").read_text("utf-8")
pytestmark = pytest.mark.timeout(600)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def run(command: list[str], folder: Path) -> str:
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    env = {**clean_environment(), "PATH": path}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_python_blocks_are_one_script(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, count in (("train", 64), ("pool", 40)):
        np.save(tmp_path / f"{name}.npy", rng.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8))
    torch.save(Backbone("resnet18", width=64, stem="imagenet").state_dict(), tmp_path / "r18.pth")
    script = "\n".join(blocks("python"))
    assert script.count('"epochs": 20}') == 2
    tiny = '"epochs": 4, "width": 4, "batch_size": 16, "sample_budget": 8, "num_clusters": 2}'
    script = script.replace('"epochs": 20}', tiny)
    printed = run([sys.executable, "-c", f"{script}\nprint(sum(1 for _ in events), found.problem)"], tmp_path)
    assert int(printed.splitlines()[-1].split()[0]) > 4
    assert printed.splitlines()[-1].endswith("None")


def test_its_commands_train_on_one_process_and_on_two(tmp_path: Path) -> None:
    one, two = blocks("bash")
    tiny = "epochs: 1\\nwidth: 4\\nsampler: none\\n"
    changes = {
        "echo 'preset: digits'": f"printf 'preset: digits\\n{tiny}'",
        "num_processes: 2\\n": f"num_processes: 2\\n{tiny}",
        " --pool glyphs-and-patches": "",
    }
    for block, own in ((one, "echo"), (two, "num_processes")):
        assert own in block
        for theirs, ours in changes.items():
            block = block.replace(theirs, ours)
        run(["bash", "-c", f"set -e\n{block}"], tmp_path)
        (tmp_path / "run" / "checkpoint.pt").unlink()
