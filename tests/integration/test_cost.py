"""Estimates beside what real runs use: ten of them, by the parts of a trainer, on this CPU."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from colt_core.config import PretrainConfig
from colt_core.cost.dry_run import measured_activations
from colt_core.cost.memory import RunData
from colt_core.cost.run import RunCost, run_cost
from colt_core.training.device import Compute
from store.sizes import database_bytes, scores_bytes
from tests.support.measured_runs import CLASSES, Used
from tests.support.missing import cannot_run
from worker.programs import KEEP_BLOCKS

FACTOR = 1.5
COMMON: dict[str, Any] = {
    "backbone": "resnet10",
    "width": 16,
    "stem": "cifar-stride2",
    "sampler": "none",
    "epochs": 2,
    "batch_size": 128,
    "checkpoint_interval": 1,
    "precision": "fp32",
}
ROUNDS = {"sampler": "colt", "warmup_epochs": 1, "sample_interval": 1, "sample_budget": 128, "epochs": 3}


class Run(NamedTuple):
    config: dict[str, Any]
    num_train: int = 256
    num_pool: int = 0
    image_size: int = 32

    @property
    def data(self) -> RunData:
        return RunData(self.image_size, self.num_train, self.num_pool)

    def cost(self, *, measured: bool) -> RunCost:
        config = PretrainConfig.resolve(COMMON | self.config)
        activations = measured_activations(config, self.image_size) if measured else None
        computes = Compute.of(config)
        return run_cost(
            config,
            self.data,
            precision="bf16" if computes.bf16 else "fp32",
            emulated=computes.bf16 and not Compute.choose("cpu").bf16,
            activations=activations,
        )


RUNS = {
    "small": Run({}),
    "deeper": Run({"backbone": "resnet18", "stem": "cifar", "batch_size": 48}, num_train=96),
    "bottlenecks": Run({"backbone": "resnet50", "stem": "imagenet", "batch_size": 32}, num_train=64, image_size=64),
    "bf16": Run({"precision": "bf16", "batch_size": 256}, num_train=512),
    "sdclr": Run({"framework": "sdclr"}),
    "moco": Run({"framework": "moco", "width": 24, "queue_size": 8192}),
    "bcl with AdamW": Run({"framework": "bcl", "optimizer": "adamw"}),
    "rounds": Run(ROUNDS, num_train=512, num_pool=6000),
    "weights": Run({"backbone": "resnet18", "width": 48, "batch_size": 8}, num_train=16),
    "similarities": Run(
        ROUNDS | {"sampler": "random", "width": 4, "batch_size": 2048, "distribution_denominator": "cross_domain"},
        num_train=10240,
        num_pool=256,
        image_size=8,
    ),
}


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> dict[str, Used]:
    """What each run used."""
    if not Path("/proc/self/clear_refs").exists():
        cannot_run("the kernel counts no peak of a process's memory (needs Linux)")
    folder = tmp_path_factory.mktemp("runs")
    shutil.copy(sqlite_template, folder / "template.db")
    asked = json.dumps([{**run._asdict(), "config": COMMON | run.config} for run in RUNS.values()])
    # As the supervisor starts a trainer.
    env = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": KEEP_BLOCKS}
    env |= {"MALLOC_TRIM_THRESHOLD_": KEEP_BLOCKS}
    command = [sys.executable, "-m", "tests.support.measured_runs", str(folder)]
    done = subprocess.run(command, input=asked, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return {name: Used(**found) for name, found in zip(RUNS, json.loads(done.stdout.splitlines()[-1]), strict=True)}


def near(estimated: float, found: float) -> bool:
    return found / FACTOR <= estimated <= found * FACTOR


@pytest.mark.parametrize("measured", [False, True], ids=["by shapes", "by a dry run"])
@pytest.mark.parametrize("name", RUNS)
def test_the_peak_of_memory_is_estimated(used: dict[str, Used], name: str, measured: bool) -> None:
    estimated, found = RUNS[name].cost(measured=measured).memory, used[name].peak - used[name].base
    assert near(estimated.beyond_base, found), f"{estimated.beyond_base:,} for {found:,}: {estimated}"
    assert near(estimated.peak, used[name].peak), f"{estimated.peak:,} for {used[name].peak:,}"


@pytest.mark.parametrize("name", RUNS)
def test_bytes_of_checkpoints_and_rows_are_estimated(used: dict[str, Used], name: str) -> None:
    cost, found = RUNS[name].cost(measured=False), used[name]
    assert near(cost.checkpoint_bytes, found.checkpoint), f"{cost.checkpoint_bytes:,} for {found.checkpoint:,}"
    assert cost.metrics == found.metrics
    if found.database > 2**17:  # else what grows is the first page of each table
        config = PretrainConfig.resolve(COMMON | RUNS[name].config)
        rows = database_bytes(cost, CLASSES, config.num_clusters)
        assert near(rows, found.database), f"{rows:,} for {found.database:,}"
    assert near(scores_bytes(cost), found.scores), f"{scores_bytes(cost):,} for {found.scores:,}"


def test_the_runs_are_large_enough_to_tell(used: dict[str, Used]) -> None:
    assert min(found.peak - found.base for found in used.values()) > 30 * 10**6
    assert sum(found.database > 2**17 for found in used.values()) >= 1
    assert sum(found.scores > 0 for found in used.values()) >= 1
