"""The README's commands, as they stand there, against a running service. Only the address and the
number of epochs are the test's own."""

from __future__ import annotations

import io
import json
import re
import subprocess
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.stack import StartStack

README = Path(__file__).parents[2] / "README.md"
# What CIFAR-10 would bring for the cut that the README asks for, and the 50 images a class that the
# probe needs.
TRAIN_COUNTS = [count + 50 for count in (4500, 2697, 1617, 969, 581, 348, 208, 125, 75, 45)]
POOL_SIZE = 5100


def _jpeg(rng: np.random.Generator, level: int) -> bytes:
    pixels = rng.integers(0, 60, (32, 32, 3)) + level
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def _write_archives(folder: Path) -> None:
    """Archives with the README's names; a few images a class, many times over, are enough to run
    the commands."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(folder / "cifar10.zip", "w") as archive:
        for label, count in enumerate(TRAIN_COUNTS):
            images = [_jpeg(rng, level=15 * label) for _ in range(8)]
            for number in range(count):
                archive.writestr(f"train/class{label}/{number}.jpg", images[number % 8])
            for number in range(8):
                archive.writestr(f"test/class{label}/{number}.jpg", images[number])
    with zipfile.ZipFile(folder / "ood_pool_50k.zip", "w") as archive:
        images = [_jpeg(rng, level=int(level)) for level in rng.integers(0, 190, 50)]
        for number in range(POOL_SIZE):
            archive.writestr(f"{number}.jpg", images[number % 50])


def test_its_curl_commands_lead_to_accuracy_and_tail_like_images(start_stack: StartStack, tmp_path: Path) -> None:
    stack = start_stack("embedded")  # as `colt up`, which the README begins with
    blocks = re.findall(r"```bash\n(.*?)```", README.read_text(), re.DOTALL)
    (commands,) = [block for block in blocks if "curl" in block]
    assert "API=http://127.0.0.1:8000/" in commands
    _write_archives(tmp_path)
    assert '"epochs": 3}' in commands
    fewer = commands.replace('"epochs": 3}', '"epochs": 2}')  # the fewest with a sampling round
    script = "set -euo pipefail\n" + fewer.replace("http://127.0.0.1:8000", stack.url)
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    evaluations, position = json.JSONDecoder().raw_decode(done.stdout)
    picked = json.loads(done.stdout[position:])

    (evaluation,) = evaluations["items"]
    assert evaluation["status"] == "succeeded"
    assert evaluation["class_counts"] == [4500, 2697, 1617, 969, 581, 348, 208, 125, 75, 45]
    assert len(evaluation["per_class_accuracy"]) == 10
    scores = [item["tailness"] for item in picked["items"]]
    assert len(scores) == 100
    assert scores == sorted(scores, reverse=True)
