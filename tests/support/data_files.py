"""Small image files and archives for the tests of colt_core.data."""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def pixels(seed: int = 0, width: int = 16, height: int = 16) -> np.ndarray:
    """(H, W, 3) uint8 noise."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def encoded(array: np.ndarray, kind: str = "PNG") -> bytes:
    """The array as an image file."""
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, kind)
    return stream.getvalue()


def png(seed: int = 0, width: int = 16, height: int = 16) -> bytes:
    """A PNG of noise."""
    return encoded(pixels(seed, width, height))


def labelled_files(counts: Mapping[str, int], prefix: str = "") -> dict[str, bytes]:
    """`CLASS/0.png` and so on, with the given number of images per class. All images differ."""
    return {
        f"{prefix}{name}/{i}.png": png(seed=hash_of(prefix, name, i))
        for name, count in counts.items()
        for i in range(count)
    }


def hash_of(*words: object) -> int:
    """A small number that differs for different words, the same in every process."""
    return zlib.crc32("/".join(map(str, words)).encode())


def write_folder(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The files in a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_zip(path: Path, files: Iterable[tuple[str | zipfile.ZipInfo, bytes]], deflate: bool = True) -> Path:
    """A zip of exactly these members, doubtful names included."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED) as file:
        for name, content in files:
            file.writestr(name, content)
    return path


def write_tar(path: Path, members: Iterable[tuple[tarfile.TarInfo | str, bytes]], mode: str = "w") -> Path:
    """A tar of exactly these members."""
    with tarfile.open(path, mode) as file:  # type: ignore[call-overload]
        for member, content in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            if info.isreg():
                info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path
