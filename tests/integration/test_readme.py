"""The README's script and the commands of the REST page, as they stand there, against one running
service. Only the address, the number of images and the length of training are the tests' own."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.processes import REPOSITORY, clean_environment
from tests.support.stack import Stack, StartStack

# The page's cut of CIFAR-10, with a tenth of its images, and the 50 images a class that the probe
# needs.
CUT = [450, 269, 161, 96, 58, 34, 20, 12, 7, 4]
POOL_SIZE = 400

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages call `/data`, with a few images in the places of ImageNet's."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for part, name in (("train", "n01"), ("train", "n02"), ("val", "n01"), ("val", "n02")):
        (folder / "imagenet" / part / name).mkdir(parents=True)
        for number in range(8):
            (folder / "imagenet" / part / name / f"{number}.JPEG").write_bytes(jpeg(rng, 20 * number))
    with tarfile.open(folder / "imagenet-r.tar", "w") as archive:
        archive.add(folder / "imagenet" / "val", "imagenet-r")
    return folder


@pytest.fixture(scope="module")
def service(start_module_stack: StartStack, data: Path) -> Stack:
    return start_module_stack("embedded", COLT_DATA_ROOTS=str(data))  # as `colt up`, which the README begins with


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (REPOSITORY / page).read_text("utf-8"), re.DOTALL)


def changed(text: str, changes: dict[str, str]) -> str:
    for theirs, ours in changes.items():
        assert theirs in text, theirs
        text = text.replace(theirs, ours)
    return text


def jpeg(rng: np.random.Generator, level: int) -> bytes:
    pixels = rng.integers(0, 60, (32, 32, 3)) + level
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def write_archives(folder: Path) -> None:
    """Archives with the page's names; a few images a class, many times over, are enough to run the
    commands."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(folder / "cifar10.zip", "w") as archive:
        for label, count in enumerate(CUT):
            images = [jpeg(rng, level=15 * label) for _ in range(8)]
            for number in range(count + 50):
                archive.writestr(f"train/class{label}/{number}.jpg", images[number % 8])
            for number in range(8):
                archive.writestr(f"test/class{label}/{number}.jpg", images[number])
    with zipfile.ZipFile(folder / "ood_pool_50k.zip", "w") as archive:
        images = [jpeg(rng, level=int(level)) for level in rng.integers(0, 190, 50)]
        for number in range(POOL_SIZE):
            archive.writestr(f"{number}.jpg", images[number % 50])


def write_lists(folder: Path) -> None:
    """The published lists that the page on data names, of the images in `data`."""
    for name, part, count in (("ImageNet_100_LT_train.txt", "train", 8), ("ImageNet_100_test.txt", "val", 4)):
        lines = [f"{part}/n0{label + 1}/{number}.JPEG {label}" for label in range(2) for number in range(count)]
        (folder / name).write_text("\n".join(lines) + "\n")


def write_folders(folder: Path) -> None:
    """`images/`, with three classes of a long tail, and `other-images/`."""
    rng = np.random.default_rng(0)
    for label, count in enumerate([60, 24, 12]):
        for part, number in (("train", count), ("test", 6)):
            (folder / "images" / part / f"class{label}").mkdir(parents=True)
            for index in range(number):
                (folder / "images" / part / f"class{label}" / f"{index}.jpg").write_bytes(jpeg(rng, 60 * label))
    (folder / "other-images").mkdir()
    for index in range(40):
        (folder / "other-images" / f"{index}.jpg").write_bytes(jpeg(rng, 4 * index))


def test_the_readmes_script_leads_from_folders_to_a_table_with_intervals(service: Stack, tmp_path: Path) -> None:
    write_folders(tmp_path)
    (script,) = blocks("README.md", "python")
    assert len(script.splitlines()) <= 15
    assert script in blocks("docs/did-it-help.md", "python")  # which the guide shows
    tiny = '"digits", "epochs": 2, "width": 4, "batch_size": 16, "sample_budget": 16, "num_clusters": 2}'
    own = {'"cpu-small"}': tiny, "seeds=[0, 1, 2],": 'seeds=[0, 1], evaluations=["knn"],'}
    script = changed(script, own)
    env = clean_environment(COLT_URL=service.url) | {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'client'}"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr
    means, differences = done.stdout.split("| 95 % interval |")
    for arm in ("SimCLR, random OOD images", "SimCLR with COLT"):
        assert re.search(rf"^\| {arm} \| 2 \|", means, re.MULTILINE), done.stdout
        for metric in ("All", "Many", "Medium", "Few", "Std"):
            row = rf"^\| {arm} \| {metric} \| 2 \| [+-][\d.]+ \| (\[-?[\d.]+, [+-]?[\d.]+\]|all 2 pairs are equal)"
            assert re.search(row, differences, re.MULTILINE), done.stdout


def test_the_commands_of_the_rest_page_lead_to_accuracy_and_tail_like_images(
    service: Stack, data: Path, tmp_path: Path
) -> None:
    write_archives(tmp_path)
    write_lists(tmp_path)
    page = "docs/rest-by-example.md"
    assert "API=http://127.0.0.1:8000/" in blocks(page, "bash")[0]
    own = {
        "http://127.0.0.1:8000": service.url,
        '"/data/': f'"{data}/',
        '"max_per_class": 4500': '"max_per_class": 450',
        '"cpu-small"': '"digits", "width": 4',
        '"epochs": 3}': '"epochs": 2}',  # the fewest with a sampling round
        '"seeds": [0, 1, 2]': '"seeds": [0], "evaluations": ["knn"]',
    }
    (check,) = [block for block in blocks("docs/your-data.md", "bash") if "/check " in block]
    score, score_directly = blocks("docs/results.md", "bash")
    with zipfile.ZipFile(tmp_path / "ood_pool_50k.zip") as pool:
        for name, member in zip("ab", pool.namelist(), strict=False):
            (tmp_path / f"{name}.png").write_bytes(pool.read(member))
    (lists,) = [block for block in blocks("docs/your-data.md", "bash") if "ImageNet" in block]
    others = [
        f"cp ood_pool_50k.zip new.zip\nscore() {{\n{score}}}\nSCORE=$(score | id)",
        f'{lists}ready scores/$SCORE && curl -sS "$API/scores/$SCORE" > scores.json',
        "ready datasets/$LISTED && ready ood-pools/$RENDITIONS",
        'curl -sS "$API/datasets/$LISTED" > listed.json',
        f"directly() {{\n{score_directly}}}\ndirectly > direct.json",
    ]
    script = "set -euo pipefail\n" + changed("\n".join([*blocks(page, "bash"), check, *others]), own)
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    evaluations, position = json.JSONDecoder().raw_decode(done.stdout)
    picked, position = json.JSONDecoder().raw_decode(done.stdout, position)
    assert "SimCLR with COLT" in done.stdout[position:]

    sent = (tmp_path / "ood_pool_50k.zip").read_bytes()
    assert (tmp_path / "sent.txt").read_text().strip() == hashlib.sha256(sent).hexdigest()
    assert len(json.loads((tmp_path / "scores.json").read_text())["scores"]) == POOL_SIZE
    of_form, position = json.JSONDecoder().raw_decode(direct := (tmp_path / "direct.json").read_text())
    of_file, _ = json.JSONDecoder().raw_decode(direct, position)
    assert [len(answer["scores"]) for answer in (of_form, of_file)] == [2, POOL_SIZE]
    assert json.loads((tmp_path / "listed.json").read_text())["class_counts"] == [8, 8]
    assert zipfile.ZipFile(tmp_path / "record.zip").testzip() is None
    (evaluation,) = evaluations["items"]
    assert evaluation["status"] == "succeeded"
    assert evaluation["class_counts"] == CUT
    assert len(evaluation["per_class_accuracy"]) == 10
    scores = [item["tailness"] for item in picked["items"]]
    assert len(scores) == 100
    assert scores == sorted(scores, reverse=True)


def test_waiting_for_what_failed_ends_with_the_reason(service: Stack, tmp_path: Path) -> None:
    helpers = changed(blocks("docs/rest-by-example.md", "bash")[0], {"http://127.0.0.1:8000": service.url})
    (tmp_path / "broken.zip").write_bytes(b"no archive")
    commands = """POOL=$(post ood-pools '{"name": "broken", "source": {"kind": "upload",
      "upload_id": "'$(upload broken.zip)'"}}' | id)
    ready ood-pools/$POOL"""
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{helpers}\n{commands}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "has not succeeded" in done.stderr and '"problem"' in done.stderr
