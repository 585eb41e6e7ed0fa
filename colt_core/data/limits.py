"""How much an untrusted file may cost before it is refused."""

from __future__ import annotations

from dataclasses import dataclass

from colt_core.data.errors import DataError


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for reading images and archives. The defaults allow a pool of some million images."""

    max_files: int = 5_000_000
    max_entries: int = 10_000_000  # files, folders and links looked at in a folder, hidden ones too
    max_bytes: int = 64 * 2**30  # decompressed bytes of an archive or npz; also bytes of the decoded images
    max_ratio: float = 200  # decompressed / compressed; photographs stay near 1
    ratio_free_bytes: int = 64 * 2**20  # the ratio counts only above this: a few flat bitmaps are no bomb
    max_file_bytes: int = 64 * 2**20  # one image file
    max_array_bytes: int = 2 * 2**30  # one file of many images, unpacked
    max_memory_bytes: int = 8 * 2**30  # such files together, since they are read whole
    max_pixels: int = 64_000_000  # one image


@dataclass(slots=True)
class Meter:
    """Counts the bytes that one archive really unpacks to. Its headers are not trusted."""

    limits: Limits
    compressed_bytes: int
    read_bytes: int = 0

    def add(self, count: int) -> None:
        """Add `count` decompressed bytes.

        Raises:
            DataError: if there are more bytes than allowed, or far more than the compressed size
                explains.
        """
        self.read_bytes += count
        if self.read_bytes > self.limits.max_bytes:
            raise DataError(f"the archive unpacks to more than {self.limits.max_bytes:,} bytes; split it up")
        allowed = max(self.limits.ratio_free_bytes, self.limits.max_ratio * self.compressed_bytes)
        if self.read_bytes > allowed:
            raise DataError(
                f"the archive unpacks to more than {self.limits.max_ratio:g} times its size, as a decompression bomb "
                "does; pack the images as JPEG or PNG files"
            )
