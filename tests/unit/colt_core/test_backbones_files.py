"""Damaged files of weights, and such as are made to do harm, are refused and run nothing."""

from __future__ import annotations

import argparse
import pickle
import resource
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from colt_core.backbones.errors import WeightsRefused
from colt_core.backbones.fit import fit
from colt_core.backbones.spec import MOST_BYTES
from colt_core.backbones.weights_file import read_weights
from colt_core.models import Backbone

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.int64)}


@contextmanager
def little_memory() -> Iterator[None]:
    """At most 2 GiB beyond what this process has mapped: more raises MemoryError."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (mapped + 2 * 2**30, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def repacked(path: Path, method: int = zipfile.ZIP_STORED, **changed: bytes | None) -> Path:
    """The file with other members: by the end of their name, without a dot. None: left out."""
    made = path.with_suffix(".made.pt")
    with zipfile.ZipFile(path) as read, zipfile.ZipFile(made, "w", method) as write:
        for name in read.namelist():
            content = changed.get(name.rpartition("/")[2].replace(".", "_"), read.read(name))
            if content is not None:
                write.writestr(name, content)
    return made


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.save(TENSORS, tmp_path / "a.pt")
    return tmp_path / "a.pt"


class Calls:
    """Pickled as a call of any function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


def test_tensors_are_read_as_they_were_saved(tmp_path: Path, saved: Path) -> None:
    save_file(TENSORS, tmp_path / "a.safetensors")
    for path in (saved, tmp_path / "a.safetensors"):
        found = read_weights(path, path.name.upper())
        assert found.keys() == TENSORS.keys() and all(torch.equal(found[name], TENSORS[name]) for name in TENSORS)


def test_parameters_and_plain_values_beside_them_are_read(tmp_path: Path) -> None:
    optimizer = {"state": {0: {"momentum_buffer": torch.ones(2)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    held: dict[Any, Any] = {"net": {"a": torch.nn.Parameter(torch.ones(1))}, "optimizer": optimizer}
    held |= {"epoch": 3, "names": ["x"], None: torch.ones(1), "again": held["net"], 7: torch.zeros(1)}
    held["itself"] = held
    torch.save(held, tmp_path / "a.pth")
    assert list(read_weights(tmp_path / "a.pth", "a.pth")) == ["net.a", "optimizer.state.0.momentum_buffer", "7"]


def test_a_pickle_that_calls_something_is_refused_and_calls_nothing(tmp_path: Path) -> None:
    target = tmp_path / "made by the pickle"
    for content in (Calls(Path.mkdir, target), argparse.Namespace(lr=0.1), Calls(print, "harmless")):
        torch.save({"a": content, **TENSORS}, tmp_path / "a.pt")
        with pytest.raises(WeightsRefused, match="beside tensors: save the state dict alone"):
            read_weights(tmp_path / "a.pt", "a.pt")
    assert not target.exists()


@pytest.mark.parametrize("bomb", [Calls(bytearray, 2**40), Calls(torch.Tensor, 2**20, 2**20), Calls(set, "abc")])
def test_a_pickle_that_makes_huge_objects_is_refused_before_it_is_read(saved: Path, bomb: Calls) -> None:
    """PyTorch's `weights_only` makes them."""
    made = repacked(saved, data_pkl=pickle.dumps({"a": bomb}, protocol=2))
    with little_memory(), pytest.raises(WeightsRefused, match="beside tensors"):
        read_weights(made, "a.pt")


def test_a_tensor_that_claims_terabytes_costs_nothing(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(1).expand(2**40)}, tmp_path / "a.pt")
    assert (tmp_path / "a.pt").stat().st_size < 10_000
    with little_memory():
        problem = fit(read_weights(tmp_path / "a.pt", "a.pt"), Backbone("resnet10", 4)).problem
    assert problem is not None and problem.startswith("conv1.weight is 1099511627776 in the file")


def test_compressed_members_are_refused(tmp_path: Path) -> None:
    """Zeros compress a thousand times."""
    torch.save({"a": torch.zeros(2**20)}, tmp_path / "a.pt")
    made = repacked(tmp_path / "a.pt", zipfile.ZIP_DEFLATED)
    assert made.stat().st_size < 50_000
    with pytest.raises(WeightsRefused, match=r"compressed|claim more bytes than it has"):
        read_weights(made, "a.pt")


def test_a_zip_that_lies_about_sizes_is_refused(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    entry = content.index(b"PK\1\2")
    while entry >= 0:
        struct.pack_into("<II", content, entry + 20, 2**31, 2**31)
        entry = content.find(b"PK\1\2", entry + 4)
    saved.write_bytes(content)
    with pytest.raises(WeightsRefused, match="claim more bytes than it has"):
        read_weights(saved, "a.pt")


def test_storages_shorter_than_their_tensors_are_refused(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        (storage,) = (name for name in archive.namelist() if name.endswith("data/0"))
        short = archive.read(storage)[:8]
    with pytest.raises(WeightsRefused, match="a tensor has more elements than its 8 bytes hold"):
        read_weights(repacked(saved, **{"0": short}), "a.pt")


def test_a_file_that_is_cut_off_or_garbled_is_refused(tmp_path: Path, saved: Path) -> None:
    save_file(TENSORS, tmp_path / "a.safetensors")
    for path in (saved, tmp_path / "a.safetensors"):
        content = path.read_bytes()
        for damaged in (b"", b"\0", content[: len(content) // 2], content[:-1], b"\xff" * 64, content[9:]):
            path.write_bytes(damaged)
            with pytest.raises(WeightsRefused, match=r"damaged|not safetensors|not of torch\.save"):
                read_weights(path, path.name)


def test_damaged_pickles_are_refused(saved: Path) -> None:
    whole = zipfile.ZipFile(saved).read("a/data.pkl")
    deep, long_text = b"\x80\x02" + b"(" * 100_000 + b".", b"\x80\x02X\xff\xff\xff\x7fa."
    for damaged in (b"", whole[:40], deep, long_text, None):
        with pytest.raises(WeightsRefused, match="damaged"):
            read_weights(repacked(saved, data_pkl=damaged), "a.pt")
    with pytest.raises(WeightsRefused, match=r"pickle has more than 8,388,608 bytes"):
        read_weights(repacked(saved, data_pkl=b"\x80\x02" + b"N0" * 2**23 + b"N."), "a.pt")


def test_a_file_without_tensors_has_none(saved: Path) -> None:
    assert read_weights(repacked(saved, data_pkl=b"\x80\x02N."), "a.pt") == {}


def test_a_file_of_pickles_alone_is_refused(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "b.pt").write_bytes(pickle.dumps({"a": 1}))
    for name in ("a.pt", "b.pt"):
        with pytest.raises(WeightsRefused, match=r"not of torch\.save since PyTorch 1\.6"):
            read_weights(tmp_path / name, name)


def test_a_header_of_safetensors_that_lies_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    header = b'{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}'
    for content in (
        struct.pack("<Q", 2**62) + b"{}",
        struct.pack("<Q", len(header)) + header + b"\0" * 8,
        struct.pack("<Q", 2) + b"[]",
    ):
        path.write_bytes(content)
        with little_memory(), pytest.raises(WeightsRefused, match="not safetensors"):
            read_weights(path, path.name)


@pytest.mark.parametrize("name", ["a.pt", "a.safetensors"])
def test_a_file_that_is_too_large_is_not_opened(tmp_path: Path, name: str) -> None:
    with (tmp_path / name).open("wb") as file:
        file.truncate(MOST_BYTES + 1)  # takes no room
    with pytest.raises(WeightsRefused, match="leave the optimiser out"):
        read_weights(tmp_path / name, name)
