"""Images and labels of stored data sets and pools."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from fastapi import Request, Response
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy.orm import Session

from api.http.errors import NotFound
from api.samples.npy import NotThere, read_row
from store.artifacts import get_artifacts
from store.repositories.pages import Slice, decode_cursor, encode_cursor

SPLITS = ("train", "probe", "val", "test")
# The artifact of an id never changes, so browsers may keep its images.
_IMMUTABLE = "private, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of a data set, and the ascending sample indices of its parts."""

    label: NDArray[np.int64]  # (N,)
    parts: dict[str, NDArray[np.int64]]

    @property
    def training(self) -> NDArray[np.int64]:
        """(N_train,) labels of the training part, by position within it."""
        return self.label[self.parts["train"]]

    @property
    def all_samples(self) -> NDArray[np.int64]:
        """Ascending indices of the samples that are in any part."""
        return np.unique(np.concatenate(list(self.parts.values())))

    def split_of(self, index: int) -> str:
        """The part that a sample is in. An image that is in the training and the probe part counts
        as training."""
        for name, part in self.parts.items():
            position = int(np.searchsorted(part, index))
            if position < len(part) and part[position] == index:
                return name
        raise LookupError(f"sample {index} is in no part")


@lru_cache(maxsize=8)
def labels_of(artifact: str) -> Labels:
    """Labels and parts of the data set that the artifact store holds under this key."""
    artifacts = get_artifacts()
    with artifacts.open(f"{artifact}/labels.npy") as file:
        label = np.load(io.BytesIO(file.read()), allow_pickle=False)
    with (
        artifacts.open(f"{artifact}/parts.npz") as file,
        np.load(io.BytesIO(file.read()), allow_pickle=False) as parts,
    ):
        return Labels(label, {name: np.sort(parts[name]) for name in SPLITS if name in parts})


def page_of(session: Session, indices: NDArray[np.int64], limit: int, cursor: str | None) -> Slice[int]:
    """A page of ascending sample indices.

    Raises:
        BadCursor: the cursor is not from such a list.
    """
    start = 0
    if cursor is not None:
        start = int(np.searchsorted(indices, decode_cursor(session, cursor, int)[0], side="right"))
    found = (int(index) for index in indices[start : start + limit + 1])
    return Slice(found, limit, lambda _, index: encode_cursor(session, index))


def image_response(request: Request, artifact: str, index: int) -> Response:
    """One image as PNG, or 304 if the client has it.

    Raises:
        NotFound: there is no such image.
    """
    etag = f'"{artifact}/{index}"'
    headers = {"ETag": etag, "Cache-Control": _IMMUTABLE}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    try:
        with get_artifacts().open(f"{artifact}/images.npy") as file:
            pixels = read_row(file, index)
    except (NotThere, FileNotFoundError) as error:
        raise NotFound(f"There is no image {index} here.") from error
    return Response(as_png(pixels), media_type="image/png", headers=headers)


def as_png(pixels: NDArray[np.uint8]) -> bytes:
    """A (3, S, S) image as a file."""
    png = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(png, "PNG")
    return png.getvalue()
