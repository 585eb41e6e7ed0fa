"""What an export is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from colt_core.exporting.kinds import ExportResult
from colt_core.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class ExportedImages:
    """Images to compute features of.

    Attributes:
        images: (N, 3, S, S) uint8, possibly memory-mapped.
        index: (M,) which of them, in this order.
        labels: (N,) classes; None without labels.
        class_names: C names; empty without labels.
    """

    images: NDArray[np.uint8]
    index: NDArray[np.int64]
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()


class Implementation(Protocol):
    """The implementation of a kind of export."""

    def __call__(
        self, settings: Any, state: Snapshot, images: ExportedImages | None, about: Mapping[str, str], path: Path, /
    ) -> ExportResult:
        """Write one file.

        Args:
            settings: settings of the export's kind.
            state: a checkpoint, from `load_checkpoint`.
            images: those of the part that the settings name; None if they name none.
            about: what the file says about its origin, as far as the format can.
            path: where to write it. It has no file yet.

        Raises:
            ValueError: if it cannot be made; the message says why.
        """
