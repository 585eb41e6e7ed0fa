"""Decoding by several processes: the same images, errors and order as by one, and nobody left
behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from colt_core.data import DataError, Limits, PoolSpec, build_pool, decoding, open_unlabelled
from colt_core.data.conversion import Conversion, ToPixels
from colt_core.data.decoding import decode_files
from colt_core.data.errors import DamagedImage
from colt_core.data.images import decode
from tests.support.data_files import encoded, pixels, png, write_zip
from tests.support.processes import REPOSITORY, clean_environment, wait_until

FILES = [(f"{i}.{kind}", encoded(pixels(i), kind)) for i, kind in enumerate(["PNG", "JPEG", "GIF", "WEBP"] * 10)]


NOT_OURS: set[int] = set()  # processes of other tests, such as their database


@pytest.fixture(autouse=True)
def two_processes_beside_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(decoding, "FEW", 4)
    monkeypatch.setattr(decoding, "_MAX_IMAGES", 3)
    NOT_OURS.clear()
    NOT_OURS.update(child.pid for child in psutil.Process().children())


def decoders() -> list[psutil.Process]:
    """Processes that the running test has started, and that have not ended."""
    return [child for child in psutil.Process().children() if child.pid not in NOT_OURS]


def decoded(files: list[tuple[str, bytes]], size: int | None = None) -> Iterator[tuple[str, np.ndarray]]:
    return whole(decode_files(iter(files), len(files), ToPixels(size), Limits()))


def whole(found: Iterator[tuple[list[str], np.ndarray | DamagedImage]]) -> Iterator[tuple[str, np.ndarray]]:
    """The images one at a time, up to the first damaged one, which is raised."""
    with closing(found):  # type: ignore[type-var]
        for names, images in found:
            if isinstance(images, DamagedImage):
                raise images
            yield from zip(names, images, strict=True)


def names_until_error(files: Iterator[tuple[str, bytes]], message: str, limits: Limits | None = None) -> list[str]:
    names = []
    with pytest.raises(DataError, match=message):
        for name, _ in whole(decode_files(files, 40, ToPixels(), limits or Limits())):
            names.append(name)
    return names


@pytest.mark.parametrize("size", [None, 8])
def test_every_image_comes_in_order_and_as_one_process_decodes_it(size: int | None) -> None:
    found = list(decoded(FILES, size))
    assert [name for name, _ in found] == [name for name, _ in FILES]
    for (_, image), (name, content) in zip(found, FILES, strict=True):
        assert np.array_equal(image, decode(content, name, ToPixels(size)))
    assert not decoders()


def test_a_large_image_is_decoded_by_the_caller_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what an image takes while it is decoded, only the caller's share may be large."""
    monkeypatch.setattr(decoding, "_MAX_PARALLEL_PIXELS", 400)
    large = (f"{len(FILES)}.png", encoded(np.zeros((30, 30, 3), np.uint8), "PNG"))
    in_caller: list[str] = []

    def noted(content: bytes, name: str, conversion: Conversion, limits: Limits) -> np.ndarray:
        in_caller.append(name)
        return decode(content, name, conversion, limits)

    monkeypatch.setattr(decoding, "decode", noted)
    found = list(decoded([*FILES, large], 8))
    assert np.array_equal(found[-1][1], decode(large[1], large[0], ToPixels(8)))
    assert large[0] in in_caller and len(in_caller) < len(FILES) / 2


def test_an_import_path_of_another_type_is_no_hindrance(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [tmp_path, *sys.path])
    assert len(list(decoded(FILES))) == len(FILES)


def test_images_of_another_shape_are_in_their_place() -> None:
    files = [*FILES[:10], ("wide", png(width=30)), *FILES[10:20], ("tall", png(height=30)), *FILES[20:]]
    shapes = {name: image.shape for name, image in decoded(files)}
    assert [*shapes] == [name for name, _ in files]
    assert {name: shape for name, shape in shapes.items() if shape != (3, 16, 16)} == {
        "wide": (3, 16, 30),
        "tall": (3, 30, 16),
    }


@pytest.mark.parametrize("bad", [0, 1, 3, 20, 39])
def test_the_first_bad_file_is_named_after_all_before_it(bad: int) -> None:
    files = [(name, b"no image" if i >= bad else content) for i, (name, content) in enumerate(FILES)]
    assert names_until_error(iter(files), f"'{files[bad][0]}' is damaged") == [name for name, _ in files[:bad]]
    assert not decoders()


def test_limits_hold_in_every_process() -> None:
    files = [*FILES[:20], ("large", png(width=40, height=40)), *FILES[20:]]
    assert len(names_until_error(iter(files), "'large' has 40 x 40 pixels", Limits(max_pixels=300))) == 20


def test_what_the_source_raises_comes_after_the_files_before_it() -> None:
    def broken(files: list[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        yield from files
        raise DataError("the archive ends")

    assert len(names_until_error(broken(FILES[:20]), "the archive ends")) == 20
    assert len(names_until_error(broken([*FILES[:18], ("bad", b""), *FILES[18:20]]), "'bad' is damaged")) == 18


def test_files_are_not_read_far_ahead_of_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_MAX_BYTES_AHEAD", 0)
    read = 0

    def counted() -> Iterator[tuple[str, bytes]]:
        nonlocal read
        for file in FILES:
            read += 1
            yield file

    found = whole(decode_files(counted(), len(FILES), ToPixels(), Limits()))
    ahead = [read - given for given, _ in enumerate(found, start=1)]
    assert 3 < max(ahead) <= (3 * 3 + 1) * 3


def test_processes_end_with_the_reader() -> None:
    images = decoded(FILES)
    for _ in range(5):
        next(images)
    assert len(decoders()) == 2
    images.close()  # type: ignore[attr-defined]
    assert not decoders()


def test_a_build_that_is_stopped_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("colt_core.data.build._PROGRESS_EVERY", 10)
    source = open_unlabelled(write_zip(tmp_path / "a.zip", ((f"{i}.png", png(i)) for i in range(40))))

    def stop(done: int, total: int) -> None:
        assert len(decoders()) == 2
        raise InterruptedError

    with pytest.raises(InterruptedError) as caught:
        build_pool(source, PoolSpec(), progress=stop)
    assert not decoders()  # though the traceback holds on to the generator
    assert caught.tb is not None


def test_few_images_start_no_process() -> None:
    images = decoded(FILES[:4])
    next(images)
    next(images)
    assert not decoders()


def test_a_process_that_is_killed_is_not_taken_for_a_bad_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_MAX_BYTES_AHEAD", 0)  # so that some are left to order
    images = decoded(FILES)
    next(images)
    next(images)
    for child in decoders():
        child.kill()
    with pytest.raises(RuntimeError, match="decoding process was killed"):
        list(images)


SCRIPT = """
import sys
from pathlib import Path
from colt_core.data import PoolSpec, build_pool, open_unlabelled, decoding
import psutil
decoding.FEW = 4
def progress(done, total):
    print(*(child.pid for child in psutil.Process().children()), flush=True)
    if sys.argv[2:] == ["wait"]:
        sys.stdin.read()
print(build_pool(open_unlabelled(Path(sys.argv[1])), PoolSpec(), progress=progress).images.sum())
"""


def start(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    """A program without `if __name__ == "__main__"`, as a notebook is."""
    (tmp_path / "script.py").write_text(SCRIPT)
    archive = write_zip(tmp_path / "a.zip", ((f"{i:04}.png", png(i)) for i in range(1010)))
    return subprocess.Popen(
        [sys.executable, "script.py", str(archive), *arguments],
        cwd=tmp_path,
        env=clean_environment(OMP_NUM_THREADS="3", PYTHONPATH=str(REPOSITORY)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_any_program_may_decode_and_its_main_module_runs_once(tmp_path: Path) -> None:
    told, _ = start(tmp_path).communicate(timeout=60)
    lines = told.splitlines()
    assert lines[-1] == str(sum(int(pixels(i).sum()) for i in range(1010)))
    assert len(lines) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="counts processes by their pid")
def test_processes_end_with_a_program_that_is_killed(tmp_path: Path) -> None:
    with start(tmp_path, "wait") as program:
        assert program.stdout is not None
        children = [int(pid) for pid in program.stdout.readline().split()]
        assert len(children) == 2
        program.send_signal(signal.SIGKILL)
        program.wait(30)
    wait_until(lambda: not any(map(is_running, children)), 30, "the decoding processes end")


def is_running(pid: int) -> bool:
    """False for one that nobody has waited for, too."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False
