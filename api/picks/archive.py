"""Images as a zip archive, made while it is sent."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator

from api.http.outbox import Outbox
from api.samples.npy import read_rows
from api.samples.service import as_png
from store.artifacts import get_artifacts

_DIGITS = 9  # of the largest index in a pool


def zipped(table: Iterable[bytes], artifact: str, indices: Iterable[int]) -> Iterator[bytes]:
    """An archive of `picks.csv` and one PNG image for each index. It holds one image in memory.

    Args:
        table: the CSV file in blocks.
        artifact: the key of the pool's files.
        indices: of images in the pool.
    """
    outbox = Outbox()
    # Stored as they are: PNG files are compressed.
    with zipfile.ZipFile(outbox, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("picks.csv", b"".join(table), zipfile.ZIP_DEFLATED)
        with get_artifacts().open(f"{artifact}/images.npy") as file:
            ordered = list(indices)
            for index, pixels in zip(ordered, read_rows(file, ordered), strict=True):
                archive.writestr(f"images/{index:0{_DIGITS}}.png", as_png(pixels))
                yield outbox.take()
    yield outbox.take()
