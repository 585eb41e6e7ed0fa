"""The command line's page as one script against a real service, and what it must survive."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.support.processes import REPOSITORY, Process, clean_environment, wait_until
from tests.support.stack import Stack, StartStack

PAGE = REPOSITORY / "docs" / "command-line.md"


@pytest.fixture(scope="module")
def service(start_module_stack: StartStack) -> Stack:
    return start_module_stack("embedded")


def environment(service: Stack) -> dict[str, str]:
    return clean_environment(COLT_URL=service.url)


def colt(service: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        env=environment(service),
        cwd=service.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def page(service: Stack, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which the page's script ran, and its output."""
    folder = tmp_path_factory.mktemp("page")
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    command = f'colt() {{ "{sys.executable}" -m cli "$@"; }}\nset -euo pipefail\n'
    done = subprocess.run(
        ["bash", "-c", command + "".join(blocks)],
        cwd=folder,
        env=environment(service),
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_the_script_of_its_page_runs(page: tuple[Path, str], service: Stack) -> None:
    folder, output = page
    assert json.loads((folder / "digits.json").read_text())["status"] == "ready"
    assert "exit code 4" in output, "a watched job that is cancelled"
    assert "end        status cancelled" in (folder / "events.txt").read_text()
    tail = json.loads((folder / "tail.json").read_text())
    scores = [image["tailness"] for image in tail]
    assert len(tail) == 100 and scores == sorted(scores, reverse=True)
    pool = service.client.get("/api/v1/ood-pools").json()["items"][0]
    with (folder / "scores.csv").open() as file:
        assert len(list(csv.DictReader(file))) == pool["num_samples"]
    with (folder / "picks.csv").open() as file:
        picks = list(csv.DictReader(file))
    assert picks
    with zipfile.ZipFile(folder / "record.zip") as record, record.open("picks.csv") as file:
        rows = list(csv.DictReader(io.TextIOWrapper(file, "utf-8")))
    last = max(int(row["round"]) for row in rows)
    assert [row["index"] for row in rows if int(row["round"]) == last] == [row["index"] for row in picks]
    unseen = json.loads((folder / "unseen.json").read_text())
    assert [len(unseen["scores"]), unseen["refused"]] == [len(picks), []]
    assert (folder / "encoder.onnx").stat().st_size > 1000
    assert pq.read_table(folder / "features.parquet").num_rows > 100
    assert (folder / "backbone.safetensors").stat().st_size > 1000
    with (folder / "plan.csv").open() as file:
        assert {row["arm"] for row in csv.DictReader(file)} == {"matched", "COLT"}


def test_a_comparison_says_what_the_api_says_and_no_more(page: tuple[Path, str], service: Stack) -> None:
    answer = json.loads(colt(service, "compare", "first", "second", "--json").stdout)
    (setting,) = answer["against"]["settings"]
    assert len(setting["job_ids"]) == 2, "they differ by their seed alone"
    shown = colt(service, "compare", "first", "second").stdout
    row = next(row for row in setting["rows"] if row["metric"] == "all")
    assert f"{100 * row['mean']:.2f}" in shown
    assert "best" not in shown


def test_a_rerun_has_the_same_settings_but_for_those_that_change(page: tuple[Path, str], service: Stack) -> None:
    def job(name: str) -> Any:
        return json.loads(colt(service, "job", "show", name, "--json").stdout)

    first, second = job("first"), job("second")
    assert second["config"] == first["config"] | {"seed": 1}
    assert (second["dataset_id"], second["evaluations"]) == (first["dataset_id"], first["evaluations"])
    done = colt(service, "job", "rerun", "first", "--set", "sampler=none", "--name", "third", "--json")
    assert done.returncode == 0, done.stderr
    third = json.loads(done.stdout)
    assert (third["config"]["sampler"], third["ood_pool_id"]) == ("none", None)
    assert "num_clusters" in first["config"] and third["config"]["epochs"] == first["config"]["epochs"]
    assert colt(service, "job", "cancel", third["id"]).returncode == 0

    # What a job shows can be submitted.
    (service.folder / "again.json").write_text(json.dumps(first["config"]))
    again = ("--dataset", "digits", "--pool", "glyphs", "--config", "again.json", "--name", "again", "--json")
    done = colt(service, "job", "submit", *again)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["config"] == first["config"]
    assert colt(service, "job", "cancel", "again").returncode == 0


def test_a_name_of_several_is_refused_with_their_ids(page: tuple[Path, str], service: Stack) -> None:
    id_ = json.loads(colt(service, "job", "rerun", "first", "--json").stdout)["id"]
    refused = colt(service, "job", "show", "first")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "several are named 'first'" in refused.stderr
    assert id_ in refused.stderr
    assert colt(service, "job", "cancel", id_).returncode == 0
    wait_until(lambda: service.client.delete(f"/api/v1/jobs/{id_}").status_code == 204, 60, "it can be deleted")


def test_a_wrong_setting_is_told_with_its_pointer(page: tuple[Path, str], service: Stack) -> None:
    refused = colt(service, "job", "submit", "--dataset", "digits", "--set", "epochs=0", "--set", "sampler=none")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "status 422" in refused.stderr
    assert "/config/epochs: " in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_watch_continues_after_a_restart_of_the_service(page: tuple[Path, str], service: Stack) -> None:
    config = ("--preset", "digits", "--set", "sampler=none", "--set", "epochs=500")
    job_id = json.loads(colt(service, "job", "submit", "--dataset", "digits", *config, "--json").stdout)["id"]
    watch = Process(
        "watch",
        [sys.executable, "-m", "cli", "job", "watch", job_id, "--json"],
        env=environment(service),
        folder=service.folder,
    )
    watch.start()
    wait_until(lambda: '"running"' in watch.output(), 60, "the job runs")
    service.api.stop()
    service.api.start()
    service.wait_ready()
    assert watch.running, watch.output()
    assert colt(service, "job", "cancel", job_id).returncode == 0
    assert watch.wait(60) == 4
    events = [json.loads(line) for line in watch.output().splitlines()]
    ids = [event["id"] for event in events if event["id"] is not None]
    assert ids == sorted(set(ids)), "each at most once"
    with service.client.stream("GET", f"/api/v1/jobs/{job_id}/events") as answer:
        all_ids = [int(line.removeprefix("id: ")) for line in answer.iter_lines() if line.startswith("id: ")]
    assert ids == all_ids, "all of them"
    assert events[-1] == {"id": None, "kind": "end", "data": {"status": "cancelled"}}
