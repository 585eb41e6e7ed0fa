"""Protocol files of experiments: each committed one is a request that the service knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.datasets.schemas import NewDataset
from api.experiments.arms import planned, template_of
from api.experiments.schemas import NewExperiment
from api.ood_pools.schemas import NewOodPool
from benchmarks.experiments.protocol import Protocol

FILES = sorted((Path(__file__).parents[2] / "benchmarks" / "experiments").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_committed_protocol_is_a_request(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATA", str(tmp_path))
    protocol = Protocol.read(path)
    names = [NewDataset.model_validate(item).name for item in (*protocol.data, *protocol.balanced)]
    if protocol.pool is not None:
        names.append(NewOodPool.model_validate(protocol.pool).name)
    assert len(set(names)) == len(names)
    wanted = NewExperiment.model_validate(protocol.request({name: f"id of {name}" for name in names}))
    assert wanted.protocol == path.read_text("utf-8")
    assert len(planned(wanted, template_of(wanted))) >= 2


def write(folder: Path, text: str) -> Path:
    path = folder / "p.yaml"
    path.write_text(text)
    return path


def test_names_of_data_become_ids(tmp_path: Path) -> None:
    text = (
        "data: [{name: a}, {name: b}]\nbalanced: [{name: c}]\npool: {name: p}\n"
        "experiment: {name: e, arms: [{name: x, train_on: [c], ood_pool_id: p}, {name: y}]}\n"
    )
    protocol = Protocol.read(write(tmp_path, text))
    assert protocol.request({"a": "1", "b": "2", "c": "3", "p": "4"}) == {
        "name": "e",
        "dataset_ids": ["1", "2"],
        "balanced_dataset_ids": ["3"],
        "ood_pool_id": "4",
        "arms": [{"name": "x", "train_on": ["3"], "ood_pool_id": "4"}, {"name": "y"}],
        "protocol": text,
    }


def test_variables_are_filled_in_and_kept_out_of_the_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "data: [{name: a, source: {kind: path, path: '${SOME_FOLDER}/a.npz'}}]\nexperiment: {name: e}\n"
    monkeypatch.delenv("SOME_FOLDER", raising=False)
    with pytest.raises(ValueError, match=r"p\.yaml needs the environment variable SOME_FOLDER"):
        Protocol.read(write(tmp_path, text))
    monkeypatch.setenv("SOME_FOLDER", "/images")
    protocol = Protocol.read(write(tmp_path, text))
    assert protocol.data[0]["source"]["path"] == "/images/a.npz"
    assert "/images" not in protocol.text


@pytest.mark.parametrize("text", ["[]", "data: []\nexperiments: {}\n"])
def test_what_is_no_protocol_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"p\.yaml is no protocol"):
        Protocol.read(write(tmp_path, text))
