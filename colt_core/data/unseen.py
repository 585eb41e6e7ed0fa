"""Images that no run has seen, read as those of a registration. Bad ones are named one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from colt_core.data.conversion import ToPixels
from colt_core.data.errors import DamagedImage
from colt_core.data.images import UInt8
from colt_core.data.sources import ImageSource
from colt_core.data.spec import ImageSpec

Int64 = NDArray[np.int64]


@dataclass(slots=True)
class UnseenImages:
    """The images of a source, made like those that a run knows.

    Args:
        source: where they are.
        spec: how the images that the run knows were registered, with their `value_range`.
        size: S, the side of those images in pixels. Images of other sizes are resized.

    Attributes:
        refused: why an image cannot be used, by position. It is complete once all are read.
    """

    source: ImageSource
    spec: ImageSpec
    size: int
    refused: dict[int, str] = field(default_factory=dict)

    def batches(self, most: int) -> Iterator[tuple[Int64, UInt8]]:
        """(n,) positions and (n, 3, S, S) images, up to `most` at a time.

        Raises:
            DataError: if the source is damaged, and not one image alone.
        """
        spec = self.spec
        convert = ToPixels(self.size, spec.fit, spec.background_rgb, spec.value_range, one_by_one=True)
        batch, at, held = np.empty((most, 3, self.size, self.size), np.uint8), np.empty(most, np.int64), 0
        with closing(self.source.read(np.arange(len(self.source)), convert)) as blocks:
            for positions, block in blocks:
                if isinstance(block, DamagedImage):
                    self.refused[int(positions[0])] = str(block)
                    continue
                while len(block):
                    taken = min(len(block), most - held)
                    batch[held : held + taken], at[held : held + taken] = block[:taken], positions[:taken]
                    held, block, positions = held + taken, block[taken:], positions[taken:]
                    if held == most:
                        yield at.copy(), batch
                        held = 0
        if held:
            yield at[:held].copy(), batch[:held]
