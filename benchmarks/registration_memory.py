"""Memory that registering a large parquet file takes.

    python -m benchmarks.registration_memory [--images 1000000]

The file holds distinct images of 32 pixels, 4 GiB by default. The peak is that of the registering
process and its decoding processes together, read twenty times a second.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.report import Report

SIDE, CLASSES, GROUP = 32, 10, 10_000
IMAGE_BYTES = 4234
PROGRAM = """
import sys
from pathlib import Path
from colt_core.data import DatasetSpec, build_dataset, open_labelled
build_dataset(open_labelled(Path(sys.argv[1])), DatasetSpec(), into=Path(sys.argv[2]))
"""
HEADER = b"P6 32 32 255\n"


def write_images(path: Path, count: int) -> None:
    """Images of noise, and as many bytes after their pixels as make them IMAGE_BYTES."""
    rng = np.random.default_rng(0)
    schema = pa.schema(
        {"image": pa.struct({"bytes": pa.binary(), "path": pa.string()}), "label": pa.int64()},
    )
    with pq.ParquetWriter(path, schema, compression="none") as writer:
        for first in range(0, count, GROUP):
            files = [HEADER + rng.bytes(IMAGE_BYTES - len(HEADER)) for _ in range(first, min(first + GROUP, count))]
            images = [{"bytes": file, "path": None} for file in files]
            labels = [number % CLASSES for number in range(len(files))]
            writer.write_table(pa.table({"image": images, "label": labels}, schema=schema))


def peak_bytes(data: Path, into: Path) -> int:
    """The most resident memory of a process that registers `data`, and of its children."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM, data, into]) as registrar:
        peak, process = 0, psutil.Process(registrar.pid)
        while registrar.poll() is None:
            with suppress(psutil.Error):  # one ended meanwhile
                peak = max(peak, sum(one.memory_info().rss for one in (process, *process.children(recursive=True))))
            time.sleep(0.05)
    if registrar.returncode:
        raise RuntimeError(f"registering ended with code {registrar.returncode}")
    return peak


def main() -> None:
    """Print the peak in MiB."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000)
    arguments = parser.parse_args()
    report = Report("registration_memory")
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        data.mkdir()
        write_images(data / "train.parquet", arguments.images)
        peak = peak_bytes(data, Path(name) / "registered") / 2**20
    report.figure("registering_resident_mib", peak)
    print(f"{arguments.images:,} images: at most {peak:.0f} MiB resident")
    report.close()


if __name__ == "__main__":
    main()
