"""Registration of image files, compared with only decoding them.

    python -m benchmarks.registration [DATASET [POOL]]

DATASET is an archive of train/CLASS/IMAGE and test/CLASS/IMAGE. It is cut to a long tail of
imbalance ratio 100, as in the README. POOL is an archive of any images. By default, both are
archives of noise JPEGs of 32 pixels.

Registration lists, checks and decodes the archive, and writes images in place. Decoding alone is
Pillow's, of the same files from memory, in one process and in one for each core. The start of
processes and the transfer of pixels back are not counted. Files are in the page cache. Opening is
timed for the registered data, and for a sparse file of a pool of 10 million images.

The same images are registered from parquet files and webdataset shards too.

Registration also searches for copies and blank images. That search is timed alone, on the images in
memory: digests of all of them, the sort, and what is concluded from them.
"""

from __future__ import annotations

import argparse
import io
import math
import multiprocessing
import shutil
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import webdataset
from PIL import Image

from benchmarks.report import Report
from benchmarks.timing import median_ms
from colt_core.data import (
    DatasetSpec,
    ImageDataset,
    ImagePool,
    LongTail,
    PoolSpec,
    build_dataset,
    build_pool,
    open_labelled,
    open_unlabelled,
)
from colt_core.data.decoding import usable_cores
from colt_core.data.digests import BLOCK_BYTES, SortedDigests, are_blank, digests_of
from colt_core.data.findings import found_in_dataset, found_in_pool
from colt_core.data.images import UInt8
from colt_core.data.layouts.part_names import part_of
from colt_core.data.names import image_names
from colt_core.data.parts import choose_parts

SIDE, CLASSES = 32, 10
HUGE = 10_000_000


@dataclass
class Case:
    """Data to register, and the names of the files in the zip that are decoded for it."""

    name: str
    archive: Path
    register: Callable[[Path, Path], object]  # what, into
    open: Callable[[Path], ImageDataset | ImagePool]
    wanted: list[str]

    def contents(self) -> list[bytes]:
        """The unpacked files."""
        with zipfile.ZipFile(self.archive) as file:
            return [file.read(name) for name in self.wanted]

    def forms(self, folder: Path) -> dict[str, Path]:
        """The zip, and what it holds as parquet files and as webdataset shards."""
        forms = {"zip": self.archive}
        for form, write in (("parquet", write_parquet), ("webdataset", write_shards)):
            into = folder / f"{self.name}-{form}"
            into.mkdir()
            for part, files in _by_part(self.archive).items():
                write(into, part, files)
            forms[form] = into
        return forms


Files = list[tuple[str, int, bytes]]  # name, label, content


def _by_part(archive: Path) -> dict[str, Files]:
    """The images by their outermost folder if this is a part, else all as `train`."""
    parts: dict[str, Files] = {}
    classes: dict[str, int] = {}
    with zipfile.ZipFile(archive) as file:
        for name in image_names(entry for entry in file.namelist() if not entry.endswith("/")):
            part, *inside = name.split("/")
            label = classes.setdefault("/".join(inside[:-1]), len(classes))
            parts.setdefault(part_of(part) or "train", []).append((name, label, file.read(name)))
    return parts


def write_parquet(folder: Path, part: str, files: Files) -> None:
    """One file of a part, as `datasets` writes it: 100 images in a group of rows."""
    images = [{"bytes": content, "path": None} for _, _, content in files]
    table = pa.table({"image": images, "label": [label for _, label, _ in files]})
    pq.write_table(table, folder / f"{part}-00000-of-00001.parquet", row_group_size=100)


def write_shards(folder: Path, part: str, files: Files) -> None:
    """Shards of 10,000 samples of a part."""
    for first in range(0, len(files), 10_000):
        with webdataset.TarWriter(str(folder / f"{part}-{first // 10_000:06d}.tar")) as sink:
            for number, (name, label, content) in enumerate(files[first : first + 10_000]):
                sink.write({"__key__": f"{number:06d}", name.rpartition(".")[2]: content, "cls": label})


def noise_archive(path: Path, images: int) -> Path:
    """Write a zip of JPEGs, nine tenths of them train/CLASS/IMAGE."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(images):
            file = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(file, "JPEG")
            part = "test" if number % 10 == 9 else "train"
            archive.writestr(f"{part}/{number // 10 % CLASSES}/{number}.jpg", file.getvalue())
    return path


def dataset_case(archive: Path, spec: DatasetSpec) -> Case:
    """A data set that is cut."""
    source = open_labelled(archive)
    kept = np.unique(np.concatenate([*choose_parts(source, spec).values()]))
    wanted = [source.images.name(int(position)) for position in kept]

    def register(data: Path, into: Path) -> object:
        return build_dataset(open_labelled(data), spec, into=into)

    return Case("dataset", archive, register, ImageDataset.load, wanted)


def pool_case(archive: Path) -> Case:
    """A pool of all images."""
    source = open_unlabelled(archive).images
    wanted = [source.name(position) for position in range(len(source))]

    def register(data: Path, into: Path) -> object:
        return build_pool(open_unlabelled(data), PoolSpec(), into=into)

    return Case("pool", archive, register, ImagePool.load, wanted)


def search(data: ImageDataset | ImagePool, images: UInt8) -> object:
    """Search for copies and blank images, as a registration does."""
    digests = SortedDigests.of(digests_of(images))
    step = max(1, BLOCK_BYTES // images[0].nbytes)
    blank = np.concatenate([are_blank(images[i : i + step]) for i in range(0, len(images), step)])
    if isinstance(data, ImagePool):
        return found_in_pool(digests, np.flatnonzero(blank), str)
    return found_in_dataset(digests, np.flatnonzero(blank), data.labels, data.class_names, data.parts, str)


def decode_alone(contents: list[bytes]) -> None:
    """Decode by Pillow, without copying the pixels."""
    for content in contents:
        Image.open(io.BytesIO(content)).load()


def decoding_seconds(contents: list[bytes], processes: int) -> float:
    """Wall time of decoding, shared between so many processes."""
    context = multiprocessing.get_context("fork")  # the children inherit the files
    both = context.Barrier(processes + 1)
    children = [context.Process(target=_child, args=(contents[i::processes], both)) for i in range(processes)]
    for child in children:
        child.start()
    both.wait()
    began = time.perf_counter()
    both.wait()
    seconds = time.perf_counter() - began
    for child in children:
        child.join()
    return seconds


def _child(contents: list[bytes], both: Barrier) -> None:
    both.wait()
    decode_alone(contents)
    both.wait()


def huge_pool(folder: Path) -> Path:
    """Write a pool of 10 million images, 30 GB in a sparse file."""
    ImagePool(np.zeros((1, 3, SIDE, SIDE), dtype=np.uint8)).save(folder)
    shape = (HUGE, 3, SIDE, SIDE)
    with (folder / "images.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        file.truncate(file.tell() + math.prod(shape))
    return folder


def measured(case: Case, report: Report, folder: Path, repeats: int) -> list[list[str]]:
    """A row of the table for each form of the data: medians of runs in turn."""
    contents, cores, forms = case.contents(), usable_cores(), case.forms(folder)
    registering: dict[str, list[float]] = {form: [] for form in forms}
    on_all, on_one = [], []
    for run in range(repeats):
        for form, data in forms.items():
            began = time.perf_counter()
            case.register(data, folder / f"{case.name}-{form}{run}")
            registering[form].append(time.perf_counter() - began)
            if run or form != "zip":
                shutil.rmtree(folder / f"{case.name}-{form}{run}")
        on_all.append(decoding_seconds(contents, cores))
        on_one.append(decoding_seconds(contents, 1))
    all_seconds, one_seconds = statistics.median(on_all), statistics.median(on_one)
    seconds_of = {form: statistics.median(seconds) for form, seconds in registering.items()}
    seconds = seconds_of["zip"]
    opening_ms = median_ms(partial(case.open, folder / f"{case.name}-zip0"), 5)
    data = case.open(folder / f"{case.name}-zip0")
    searching_ms = median_ms(partial(search, data, np.array(data.images)), 5)
    report.figure(f"registering_{case.name}_seconds", seconds)
    report.figure(f"registering_{case.name}_images_per_second", len(contents) / seconds)
    report.figure(f"decoding_{case.name}_all_cores_seconds", all_seconds)
    report.figure(f"decoding_{case.name}_one_core_seconds", one_seconds)
    report.figure(f"opening_{case.name}_ms", opening_ms)
    report.figure(f"searching_{case.name}_for_copies_ms", searching_ms)
    report.ratio(f"searching_{case.name}_for_copies_over_registering", searching_ms / 1000 / seconds)
    report.ratio(f"registering_{case.name}_over_decoding_all_cores", seconds / all_seconds)
    report.ratio(f"registering_{case.name}_over_decoding_one_core", seconds / one_seconds)
    for form in ("parquet", "webdataset"):
        report.ratio(f"registering_{case.name}_as_{form}_over_zip", seconds_of[form] / seconds)
    return [
        [
            f"{case.name}, {case.archive.name}" + ("" if form == "zip" else f" as {form}"),
            f"{len(contents):,}",
            f"{seconds_of[form]:.2f}",
            f"{all_seconds:.2f}",
            f"{one_seconds:.2f}",
            f"{seconds_of[form] / all_seconds:.2f}",
            f"{opening_ms:.1f}",
            f"{searching_ms / 10 / seconds_of[form]:.1f} %",
        ]
        for form in forms
    ]


def main() -> None:
    """Print a row for each archive."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, nargs="?")
    parser.add_argument("pool", type=Path, nargs="?")
    parser.add_argument(
        "--max-per-class", type=int, default=4500, help="images of the largest class in DATASET's long tail"
    )
    parser.add_argument("--quick", action="store_true", help="20,000 noise images instead of 50,000; one run each")
    arguments = parser.parse_args()
    images, repeats = (20_000, 1) if arguments.quick else (50_000, 3)
    report = Report("registration")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec, labelled, pool = DatasetSpec(), arguments.dataset, arguments.pool
        if labelled is not None:
            cut = LongTail(profile="exp", imbalance_ratio=100, max_per_class=arguments.max_per_class)
            spec = DatasetSpec(long_tail=cut)
        if labelled is None or pool is None:
            noise = noise_archive(folder / "noise.zip", images)
            labelled, pool = labelled or noise, pool or noise
        cases = [dataset_case(labelled, spec), pool_case(pool)]
        rows = [row for case in cases for row in measured(case, report, folder, repeats)]
        head = [
            "",
            "images",
            "registering, s",
            f"decoding alone on {usable_cores()} cores, s",
            "on one, s",
            "registering / decoding on all cores",
            "opening, ms",
            "search for copies / registering",
        ]
        report.table(f"Registering archives (medians of {repeats})", head, rows)
        if not arguments.quick:
            opening_ms = median_ms(partial(ImagePool.load, huge_pool(folder / "huge")), 5)
            report.figure("opening_pool_of_10_million_ms", opening_ms)
            print(f"\nOpening a pool of {HUGE:,} images: {opening_ms:.1f} ms")
    report.close()


if __name__ == "__main__":
    main()
