"""`python -m colt_core train`, from images on disk to the per-class table; and `analyze`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from colt_core.cli import _parser, main
from colt_core.cli_data import open_data
from colt_core.data import ImageDataset
from colt_core.events import CheckpointReady
from colt_core.training.checkpoint import load_checkpoint, save_checkpoint
from tests.support.data_files import png, write_folder

SETTINGS = {
    "backbone": "resnet10",
    "width": 4,
    "stem": "cifar-stride2",
    "projection_dim": 8,
    "epochs": 3,
    "batch_size": 16,
    "lr_warmup_epochs": 1,
    "warmup_epochs": 1,
    "sample_budget": 8,
    "num_clusters": 2,
    "checkpoint_interval": 1,
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data.npz (two classes, bright and dark), pool.npz and config.yaml, to work
    in."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = (rng.integers(0, 100, (60, 16, 16, 3)) + 150 * labels[:, None, None, None]).astype(np.uint8)
    np.savez(tmp_path / "data.npz", images=images, labels=labels)
    np.savez(tmp_path / "pool.npz", images=rng.integers(0, 256, (20, 16, 16, 3), dtype=np.uint8))
    write_config(tmp_path / "config.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_config(path: Path, **settings: Any) -> None:
    path.write_text("".join(f"{name}: {json.dumps(value)}\n" for name, value in {**SETTINGS, **settings}.items()))


TRAIN = ["train", "config.yaml", "--data", "data.npz", "--pool", "pool.npz", "--out", "run"]


def records() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]


def test_a_run_leaves_checkpoint_metrics_evaluation_and_a_table(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*TRAIN, "--imbalance-ratio", "4"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split() == ["class", "train", "accuracy"]
    evaluation = json.loads(Path("run/evaluation.json").read_text())
    shown = [line.split() for line in table[1:3]]
    assert [int(line[1]) for line in shown] == sorted(evaluation["class_counts"], reverse=True)
    assert [float(line[2]) for line in shown] == [round(100 * a, 1) for a in evaluation["per_class_accuracy"]]
    assert table[3].startswith("All") and "Std" in table[3]
    assert evaluation["accuracy"] > 0.9  # bright against dark

    state = load_checkpoint("run/checkpoint.pt")
    assert (state["epoch"], state["config"]["width"]) == (3, 4)
    written = records()
    assert [record["epoch"] for record in written if record["event"] == "epoch"] == [1, 2, 3]
    assert [record["selected"] for record in written if record["event"] == "round"] == [8, 8]
    assert all(record["profile"]["forward_backward"] > 0 for record in written if record["event"] == "epoch")
    steps = [record for record in written if record["event"] == "step"]
    assert [record["step"] for record in steps] == list(range(1, steps[-1]["steps"] + 1))


def test_images_without_labels_are_trained_on_and_others_evaluate(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_config(files / "config.yaml", epochs=1, sampler="none")
    unlabelled = ["train", "config.yaml", "--data", "pool.npz", "--no-labels"]
    assert main([*unlabelled, "--evaluate-on", "data.npz", "--out", "run"]) == 0
    assert capsys.readouterr().out.split()[:3] == ["class", "train", "accuracy"]
    assert len(json.loads(Path("run/evaluation.json").read_text())["per_class_accuracy"]) == 2
    assert load_checkpoint("run/checkpoint.pt")["data"]["num_train"] == 20

    further = [*unlabelled, "--start-from", "run/checkpoint.pt", "--out", "further"]
    assert main(further) == 0  # a new run with these weights
    assert "nothing to evaluate" in capsys.readouterr().out
    assert not Path("further/evaluation.json").exists()

    np.savez("small.npz", images=np.zeros((8, 8, 8), dtype=np.uint8), labels=np.arange(8) % 2)
    for options, told in [
        (["--imbalance-ratio", "4"], "--no-labels: a long tail is cut by class"),
        (["--evaluate-on", "small.npz"], "--evaluate-on small.npz: its images have 8 px, the training images 16 px"),
        (["--evaluate-on", "nothing"], "--evaluate-on nothing"),
    ]:
        assert main([*unlabelled, *options, "--out", "refused"]) == 1
        assert told in capsys.readouterr().err, options
    write_config(files / "config.yaml", epochs=1, sampler="none", width=8)
    assert main([*further, "--out", "misfit"]) == 1
    assert "width: 8 does not fit the weights to start from: set 4" in capsys.readouterr().err


def test_a_checkpoint_is_analysed(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(files / "config.yaml", epochs=2)
    assert main(TRAIN) == 0
    capsys.readouterr()
    analyze = ["analyze", "run/checkpoint.pt", "--data", "data.npz", "--kind", "connectivity"]
    assert main([*analyze, "--pool", "pool.npz", "--settings", "{num_views: 2, thresholds: [2]}"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["num_ood"], found["majority"]["with_ood"]) == ("connectivity", 8, [1])
    for settings, told in (
        ("{views: 2}", "views: Unknown setting 'views'. Did you mean 'num_views'?"),
        ("[", "is not YAML"),
        ("3", "settings by name"),
        ("{}", "needs its pool"),
    ):
        assert main([*analyze, "--settings", settings]) == 1
        assert told in capsys.readouterr().err


def test_a_killed_run_goes_on_from_its_checkpoint_to_the_same_end(files: Path) -> None:
    assert main(TRAIN) == 0
    whole, weights = records(), load_checkpoint("run/checkpoint.pt")["framework"]

    from colt_core import open_labelled, open_unlabelled, pretrain  # what the command does, up to the first epoch
    from colt_core.cli import read_config
    from colt_core.data import DatasetSpec, PoolSpec, build_dataset, build_pool

    images, _ = build_dataset(open_labelled(files / "data.npz"), DatasetSpec()).part("train")
    pool = build_pool(open_unlabelled(files / "pool.npz"), PoolSpec()).images
    events = pretrain(read_config(files / "config.yaml"), images, pool)
    save_checkpoint(next(e.state for e in events if isinstance(e, CheckpointReady)), "run/checkpoint.pt")

    assert main([*TRAIN, "--resume", "run/checkpoint.pt"]) == 0
    assert all(
        torch.equal(weights[name], value) for name, value in load_checkpoint("run/checkpoint.pt")["framework"].items()
    )
    timeless = {"seconds": 0, "profile": 0}
    assert [record | timeless for record in records()] == [record | timeless for record in whole]


def test_ctrl_c_saves_a_checkpoint_and_says_how_to_go_on(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(files / "config.yaml", epochs=100_000, warmup_epochs=50_000, checkpoint_interval=100_000)
    metrics, over, before = Path("run/metrics.jsonl"), threading.Event(), signal.getsignal(signal.SIGINT)

    def press_once_it_trains() -> None:
        while not over.wait(0.01):
            if metrics.exists() and metrics.stat().st_size:
                os.kill(os.getpid(), signal.SIGINT)
                return

    presser = threading.Thread(target=press_once_it_trains)
    presser.start()
    try:
        assert main(TRAIN) == 130
    finally:
        over.set()
        presser.join()
    assert "--resume run/checkpoint.pt" in capsys.readouterr().out
    assert load_checkpoint("run/checkpoint.pt")["step"] == records()[-1]["step"]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("settings", "arguments", "words"),
    [
        ({"learning_rte": 1}, [], ["config.yaml cannot be used", "learning_rte"]),
        ({"temperature": -1}, [], ["temperature"]),
        ({"batch_size": 1000}, [], ["batch_size: 1000"]),
        ({}, ["--data", "missing"], ["missing"]),
        ({}, ["--data", "config.yaml"], ["config.yaml"]),
        ({}, ["--image-size", "2"], ["image_size"]),
        ({}, ["--fit", "pad"], ["fit 'pad' needs an image_size"]),
        ({}, ["--background", "white"], ["background: "]),
        ({}, ["--value-range", "0", "4095"], ["value_range needs bit_depth 'scale'"]),
        ({}, ["--resume", "data.npz"], ["data.npz"]),
        ({}, ["--layout", "folders"], ["--data data.npz", "do not have the layout 'folders'"]),
        ({}, ["--train-list", "missing.txt"], ["--train-list missing.txt", "no such file"]),
        ({}, ["--test-list", "config.yaml"], ["--data data.npz", "the lists name image files"]),
        ({}, ["--rename-class", "a"], ["--rename-class a", "OLD=NEW"]),
        ({}, ["--rename-class", "7=cat"], ["'7'", "the classes are '0', '1'"]),
        ({}, ["--resume", "missing.pt"], ["missing.pt"]),
    ],
)
def test_bad_input_is_one_error_without_a_traceback(
    settings: Any, arguments: list[str], words: list[str], files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_config(files / "config.yaml", **settings)
    assert main([*TRAIN, *arguments]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("error: ") and "Traceback" not in shown
    assert all(word in shown for word in words)
    assert not Path("run").exists()


@pytest.mark.parametrize("content", ["- a list", "a: b: c", "\x00"])
def test_a_file_that_holds_no_settings_is_named(content: str, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "config.yaml").write_text(content)
    assert main(TRAIN) == 1
    assert "config.yaml" in capsys.readouterr().err


def test_a_finished_run_is_not_overwritten(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "run").mkdir()
    (files / "run" / "checkpoint.pt").write_bytes(b"precious")
    assert main(TRAIN) == 1
    assert "holds a run already" in capsys.readouterr().err
    assert (files / "run" / "checkpoint.pt").read_bytes() == b"precious"


def test_another_runs_folder_is_not_resumed_into(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(TRAIN) == 0
    before = Path("run/metrics.jsonl").read_bytes()
    Path("other.pt").write_bytes(Path("run/checkpoint.pt").read_bytes())
    assert main([*TRAIN, "--resume", "other.pt"]) == 1
    assert "holds a run already" in capsys.readouterr().err
    assert Path("run/metrics.jsonl").read_bytes() == before


def test_a_diverged_run_is_one_error_without_a_traceback(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(files / "config.yaml", learning_rate=100, weight_decay=1, momentum=0.99, sampler="none", epochs=100)
    assert main(TRAIN) == 1
    assert re.search("^error: (the loss is nan|weights are not finite)", capsys.readouterr().err, re.MULTILINE)


def test_a_file_of_the_users_comes_before_a_sample_of_that_name(files: Path) -> None:
    (files / "data.npz").rename("digits")
    (files / "pool.npz").rename("glyphs-and-patches")
    assert main(["train", "config.yaml", "--data", "digits", "--pool", "glyphs-and-patches", "--out", "run"]) == 0
    assert len(json.loads(Path("run/evaluation.json").read_text())["class_counts"]) == 2


def test_published_lists_and_names_of_classes_can_be_given(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for label, name in enumerate(("dark", "light")):
        write_folder(files / "images", {f"{name}/{i}.png": png(label, 16, 16) for i in range(20)})
    lists = {"train": range(16), "test": range(16, 20)}
    for part, of_part in lists.items():
        lines = [f"{name}/{i}.png {label}\n" for i in of_part for label, name in enumerate(("dark", "light"), start=1)]
        (files / f"{part}.txt").write_text("".join(lines))
    write_config(files / "config.yaml", epochs=1, sampler="none")
    given = ["--train-list", "train.txt", "--test-list", "test.txt", "--rename-class", "light=bright"]
    assert main(["train", "config.yaml", "--data", "images", "--out", "run", *given]) == 0
    shown = capsys.readouterr()
    assert "--data: The labels in the lists count from 1." in shown.err
    assert [line.split()[:2] for line in shown.out.splitlines()[1:3]] == [["dark", "16"], ["bright", "16"]]


def test_the_head_of_the_cut_can_be_given(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(files / "config.yaml", batch_size=8)
    assert main([*TRAIN, "--max-per-class", "12"]) == 1
    assert "--imbalance-ratio" in capsys.readouterr().err
    assert main([*TRAIN, "--imbalance-ratio", "4", "--max-per-class", "12"]) == 0
    assert json.loads(Path("run/evaluation.json").read_text())["class_counts"] == [12, 3]


def test_how_images_become_squares_of_8_bits_can_be_given(files: Path) -> None:
    wide, deep = np.full((8, 16), 30000, np.uint16), np.full((16, 8), 60000, np.uint16)
    for label, pixels in enumerate((wide, deep)):
        folder = files / "images" / str(label)
        folder.mkdir(parents=True)
        for number in range(20):
            Image.fromarray(pixels).save(folder / f"{number}.png")
    settings = ["--image-size", "16", "--fit", "pad", "--background", "#ffffff", "--bit-depth", "scale"]
    given = _parser().parse_args([*TRAIN[:3], "images", *settings, "--value-range", "0", "60000"])
    data, _ = open_data(given)
    assert isinstance(data, ImageDataset) and data.value_range == (0, 60000)
    first = data.images[int(np.flatnonzero(data.labels == 0)[0]), 0]
    assert first[0, 0] == 255 and first[8, 8] == 128  # the bar is white, and 30000 half of the range
    assert data.images[data.labels == 1, 0, 8, 8].max() == 255


def test_no_line_in_events_twice_where_a_run_stopped_between_an_epochs_last_step_and_its_end(files: Path) -> None:
    from colt_core.run import _drop_lines_after

    lines = [
        {"event": "step", "epoch": 1, "step": 3},
        {"event": "epoch", "epoch": 1, "step": 3},
        {"event": "round", "round": 1, "epoch": 2, "step": 3},
        {"event": "step", "epoch": 2, "step": 4},
    ]
    path = files / "metrics.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"event": "st')
    _drop_lines_after({"epoch": 0, "step": 3, "rounds": 0}, path)
    assert [json.loads(line) for line in path.read_text().splitlines()] == lines[:1]


def test_help_comes_without_torch() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "colt_core", "train", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    assert "--resume" in done.stdout and "digits" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "colt_core.cli" in imported and "torch" not in imported
