"""The commands of the page on backbones from elsewhere, as they stand there, against a running
service. Only the weights and the length of the run are the test's own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.numpy import load

from tests.support.clients import API, register, until
from tests.support.stack import Stack

ROOT = Path(__file__).parents[2]
OWN = {
    "weights='DEFAULT'": "weights=None",  # which would be downloaded
    '"linear"': '"knn"',
    '"sampler": "none"': '"sampler": "none", "epochs": 1, "batch_size": 64, "checkpoint_interval": 1',
}


def commands(stack: Stack, dataset_id: str) -> str:
    (helpers,) = re.findall(r"```bash\n(API=.*?)```", (ROOT / "docs" / "rest-by-example.md").read_text(), re.DOTALL)
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "docs" / "jobs-and-settings.md").read_text(), re.DOTALL)
    (block,) = [block for block in blocks if "post backbones" in block]
    for theirs, ours in OWN.items():
        assert theirs in block
        block = block.replace(theirs, ours)
    helpers = helpers.replace("http://127.0.0.1:8000", stack.url)
    return f"set -euo pipefail\n{helpers}\nDATA={dataset_id}\n{block}\necho; echo $BACKBONE $JOB $ANALYSIS"


@pytest.mark.parametrize("stack", ["embedded"], indirect=True)
@pytest.mark.timeout(300)
def test_weights_of_torchvision_are_evaluated_and_begun_with(stack: Stack, tmp_path: Path) -> None:
    client = stack.client
    tail = {"profile": "exp", "imbalance_ratio": 10, "max_per_class": 20, "seed": 1}
    sample = {"name": "d", "source": {"kind": "sample", "name": "digits"}, "long_tail": tail}
    dataset = register(client, "datasets", sample)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    script = ["bash", "-c", commands(stack, dataset["id"])]
    done = subprocess.run(
        script, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    evaluation, ids = json.loads(done.stdout.splitlines()[0]), done.stdout.splitlines()[-1].split()
    backbone = client.get(f"{API}/backbones/{ids[0]}").json()
    assert backbone["matched_share"] == 1.0 and backbone["names"]["unexpected"] == ["fc.weight", "fc.bias"]
    assert evaluation["status"] == "succeeded" and evaluation["backbone_id"] == backbone["id"]
    assert len(evaluation["per_class_accuracy"]) == 10

    analysis = client.get(f"{API}/analyses/{ids[2]}").json()
    assert (analysis["status"], analysis["backbone_id"], analysis["job_id"]) == ("succeeded", backbone["id"], None)
    assert analysis["assumed"] == {"precision": "auto"} and -4 < analysis["result"]["uniformity"] < 0

    job = until(client, f"{API}/jobs/{ids[1]}", "succeeded")
    assert job["start_from"] == {"backbone_id": backbone["id"], "name": "ImageNet"}
    checkpoints = client.get(f"{API}/jobs/{job['id']}/checkpoints").json()["items"]
    (first,) = (checkpoint for checkpoint in checkpoints if checkpoint["epoch"] == 0)
    begun = load(client.get(f"{API}/checkpoints/{first['id']}/download?format=backbone").content)
    theirs = torch.load(tmp_path / "r18.pth", weights_only=True)
    assert all((value == theirs[name].numpy()).all() for name, value in begun.items())

    # The run's first checkpoint has the same backbone, so the same probe finds the same.
    asked = client.post(f"{API}/jobs/{job['id']}/evaluations", json={"kind": "knn", "checkpoint_id": first["id"]})
    same = until(client, asked.headers["location"], "succeeded")
    names = ("accuracy", "per_class_accuracy", "group_accuracy", "class_counts", "probe")
    assert all(same[name] == evaluation[name] for name in names)
