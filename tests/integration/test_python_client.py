"""The Python client: its page's script against a real service, a restart in between, its wheel."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import platform
import random
import re
import socket
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from colt_client import Client, JobFailed
from colt_client.models import Curve
from tests.support.processes import REPOSITORY, clean_environment, wait_until
from tests.support.stack import Stack, StartStack

PAGE = REPOSITORY / "docs" / "python-client.md"


@pytest.fixture(scope="module")
def service(start_module_stack: StartStack) -> Stack:
    return start_module_stack("embedded")


def run_script(service: Stack, page: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the Python blocks of a page, as one script."""
    script = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL))
    path = ":".join([str(REPOSITORY / "client"), *sys.path])
    env = clean_environment(COLT_URL=service.url, MPLBACKEND="agg") | {"PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=env, capture_output=True, text=True, timeout=300
    )


def test_the_script_of_its_page_runs(service: Stack, tmp_path: Path) -> None:
    done = run_script(service, PAGE, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "succeeded" in done.stdout
    assert "linear" in done.stdout
    assert "/config/epochs" in done.stdout
    assert "Registering digits: 100%" in done.stderr
    assert (tmp_path / "backbone.safetensors").stat().st_size > 1000


def test_the_script_of_the_page_on_exports_runs(service: Stack, tmp_path: Path) -> None:
    with Client(service.url) as client:
        dataset = client.datasets.register({"kind": "sample", "name": "digits"}, image_size=8).wait(progress=False)
        config = {"preset": "digits", "sampler": "none", "epochs": 1}
        job = client.jobs.submit(dataset, config=config, evaluations=["knn"]).wait(progress=False)
        evaluations = [entry.info.model_dump(mode="json") for entry in job.evaluations()]
        losses = job.metrics("loss")["loss"]
    done = run_script(service, REPOSITORY / "docs" / "exports.md", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "torch.Size([5, 128])" in done.stdout and "(5, 128)" in done.stdout and "config_sha256" in done.stdout
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"backbone.onnx", "backbone.safetensors", "record.zip", "test.npz", "train.parquet"}
    for name in written - {"record.zip"}:
        assert str(service.home).encode() not in (tmp_path / name).read_bytes()
    assert_record_is_of(tmp_path / "record.zip", evaluations, losses, service)


def assert_record_is_of(path: Path, evaluations: list[dict[str, Any]], losses: Curve, service: Stack) -> None:
    """The record has the figures that the client got, and names no path and no machine."""
    with zipfile.ZipFile(path) as record:
        files = {name: record.read(name).decode() for name in record.namelist()}
    found = json.loads(files["evaluations.json"])
    assert [entry["per_class_accuracy"] for entry in found] == [entry["per_class_accuracy"] for entry in evaluations]
    by_class = list(csv.DictReader(io.StringIO(files["evaluations-by-class.csv"])))
    assert [float(row["accuracy"]) for row in by_class] == found[0]["per_class_accuracy"]
    points = [row for row in csv.DictReader(io.StringIO(files["metrics.csv"])) if row["metric"] == "loss"]
    assert [int(row["step"]) for row in points] == losses.step
    assert [float(row["value"]) for row in points] == losses.value
    assert json.loads(files["environment.json"])["compute"]["versions"]["python"] == platform.python_version()
    (attempt,) = json.loads(files["attempts.json"])
    assert (attempt["outcome"], attempt["from_step"]) == ("succeeded", 0)
    said = [word for name, text in files.items() for word in (str(service.home), socket.gethostname()) if word in text]
    assert said == []
    metadata = yaml.safe_load(files["model-card.md"].split("---\n")[1])
    assert metadata["model-index"][0]["results"][0]["metrics"][0]["value"] == found[0]["accuracy"]


def test_it_waits_and_follows_events_over_a_restart_of_the_server(service: Stack) -> None:
    with Client(service.url) as client:
        source = {"kind": "sample", "name": "digits"}
        dataset = client.datasets.register(source, image_size=32).wait(progress=False)
        job = client.jobs.submit(dataset, config={"preset": "digits", "sampler": "none", "epochs": 500})
        seen: list[int] = []
        kinds: list[str] = []

        def follow() -> None:
            with Client(service.url) as other:
                for event in other.jobs.get(job.id).events():
                    kinds.append(event.kind)
                    seen.extend([] if event.id is None else [event.id])

        follower = threading.Thread(target=follow)
        follower.start()
        service.api.stop()
        service.api.start()
        job.refresh()
        service.wait_ready()
        job.cancel()
        with pytest.raises(JobFailed, match="cancelled"):
            job.wait(progress=False)
        follower.join(30)
        assert kinds[-1] == "end"
        assert seen == sorted(set(seen))


def test_a_job_is_submitted_once_while_the_server_dies_and_starts_again(service: Stack) -> None:
    """The server is killed in the middle, whatever it is doing then."""
    with Client(service.url) as client:
        source = {"kind": "sample", "name": "digits"}
        dataset = client.datasets.register(source, image_size=32).wait(progress=False)
        submitted: list[str] = []

        def submit() -> None:
            with Client(service.url) as other:
                settings = {"preset": "digits", "sampler": "none", "epochs": 500}
                submitted.extend(other.jobs.submit(dataset.id, name=f"n{n}", config=settings).id for n in range(20))

        submitter = threading.Thread(target=submit)
        submitter.start()
        wait_until(lambda: len(submitted) > 2 or any(client.jobs.list(name="n2")), 60, "some are submitted")
        service.api.kill()
        service.api.start()
        submitter.join(120)
        jobs = {job.id: job.name for job in client.jobs.list(name="n") if job.name.startswith("n")}
        assert sorted(jobs.values()) == sorted(f"n{n}" for n in range(20)), "each once"
        assert set(submitted) == set(jobs)
        client.jobs.cancel(ids=submitted)


def test_an_upload_goes_on_where_it_was_when_the_server_died(service: Stack, tmp_path: Path) -> None:
    path = tmp_path / "noise.npy"
    content = random.Random(0).randbytes(80 * 2**20)
    path.write_bytes(content)
    killed = False
    seen: list[float] = []

    def progress(done: float, total: float | None) -> None:
        nonlocal killed
        seen.append(done)
        if not killed and done > 48 * 2**20:
            killed = True
            service.api.kill()
            service.api.start()

    with Client(service.url) as client:
        sent = client.uploads.send(path, progress=progress)
        assert (sent.bytes, sent.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        (back,) = [after for before, after in itertools.pairwise(seen) if after < before]
        assert back >= 16 * 2**20, "parts that had arrived are not sent again"
        assert [upload.id for upload in client.uploads.list() if upload.filename == "noise.npy"] == [sent.id]
        (file,) = (service.home / "artifacts" / "uploads" / sent.id).rglob("*.npy")
        assert file.read_bytes() == content
        client.uploads.delete(sent.id)


def test_its_wheel_is_small_and_needs_no_torch(tmp_path: Path) -> None:
    code = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=REPOSITORY / "client", check=True, env=clean_environment()
    )
    (wheel,) = tmp_path.glob("colt_client-*.whl")
    assert wheel.stat().st_size < 100_000
    zipfile.ZipFile(wheel).extractall(tmp_path / "target")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import colt_client;"
        "assert colt_client.__file__.startswith(sys.argv[1]);"
        "assert not {'torch', 'pandas', 'matplotlib', 'fastapi'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "target")], cwd=tmp_path, check=True)
