"""Decodes small JPEG files whose header Pillow has read before.

Pillow reads the header of a JPEG file in Python: sizes, tables, metadata. For an image of some
thousand pixels that takes as long as decoding it. The images of a data set mostly have one size and
the same metadata. So the headers of their files are equal, except for Huffman tables at most. What
Pillow found in such a header once holds for all of them: it skips Huffman tables, which its decoder
reads alone.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

_MOST = 8  # headers that are remembered: of colour and gray, of some qualities
_TABLES = b"\xff\xc4"  # the marker of a segment of Huffman tables; its length follows
# The markers of frames, tables and metadata, and of the scan that a header ends with.
_KINDS = (0xC0, 0xC1, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE)
_ORDINARY = frozenset(bytes([0xFF, kind]) for kind in _KINDS)


class _Header(NamedTuple):
    """All that Pillow read of a file before decoding it, and what it hands to its decoder.

    Attributes:
        pieces: the bytes between segments of Huffman tables, with the marker of these.
    """

    pieces: tuple[bytes, ...]
    mode: str
    size: tuple[int, int]
    arguments: tuple[Any, ...]

    def begins(self, content: bytes) -> bool:
        """Whether Pillow would read the same from the beginning of this file."""
        at, (piece, *others) = 0, self.pieces
        if not content.startswith(piece):
            return False
        for other in others:
            at += len(piece)
            at += _length(content, at)
            piece = other
            if not content.startswith(piece, at):
                return False
        return True


def _length(content: bytes, at: int) -> int:
    """The length that a segment has after its marker. It is 2 at least, else it is past the end."""
    length = int.from_bytes(content[at : at + 2], "big")
    return length if length >= 2 else len(content)


def _pieces(header: bytes) -> tuple[bytes, ...]:
    """The bytes of a header between its segments of Huffman tables.

    If there is anything but ordinary segments, it is one piece.
    """
    pieces, begin, at = [], 0, 2
    while at < len(header):
        if header[at : at + 2] not in _ORDINARY:
            return (header,)
        at += 2
        length = _length(header, at)
        if header.startswith(_TABLES, at - 2):
            pieces.append(header[begin:at])
            begin = at + length
        at += length
    return (*pieces, header[begin:]) if at == len(header) else (header,)


class JpegHeaders:
    """The headers that were read last."""

    def __init__(self) -> None:
        self._known: deque[_Header] = deque(maxlen=_MOST)

    def decode(self, content: bytes, max_pixels: int) -> Image.Image | None:
        """Decode a file that has a known header.

        Pillow's decoder gets what `Image.open` would give it: all bytes of the file. The mode, size
        and arguments are those that Pillow itself read from an equal header.

        Returns:
            None: `Image.open` has to decode the file, or to say what is wrong.
        """
        for header in self._known:
            if header.begins(content):
                width, height = header.size
                if len(content) > ImageFile.MAXBLOCK or width * height > max_pixels:
                    return None
                try:
                    return Image.frombytes(header.mode, header.size, content, "jpeg", *header.arguments)
                except ValueError:  # damaged or cut short
                    return None
        return None

    def learn(self, image: Image.Image, content: bytes, read: int) -> None:
        """Remember the header of a file.

        Args:
            image: what `Image.open` made of the file. It was not loaded yet.
            content: the file.
            read: how many bytes `Image.open` read of it, from its beginning.
        """
        # A MPO file has another class. EXIF data hold offsets, and are not read in one go.
        if type(image) is not JpegImageFile or "exif" in image.info or len(content) > ImageFile.MAXBLOCK:
            return
        ((decoder, extents, offset, arguments),) = image.tile
        if decoder == "jpeg" and extents == (0, 0, *image.size) and offset == 0 and isinstance(arguments, tuple):
            header = _Header(_pieces(content[:read]), image.mode, image.size, arguments)
            if header not in self._known:  # a damaged file may have a known header
                self._known.appendleft(header)
