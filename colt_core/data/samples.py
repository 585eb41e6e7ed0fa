"""Sample data that need no network: from scikit-learn and Pillow, or drawn here."""

from __future__ import annotations

import string

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from colt_core.data.conversion import ToPixels
from colt_core.data.images import UInt8
from colt_core.data.labelled import labelled
from colt_core.data.sources import ArrayImages, LabelledSource, UnlabelledSource
from colt_core.data.spec import DatasetSample, PoolSample

SAMPLE_SIZE = 32  # side in pixels
_POOL_GLYPHS = 1200
_POOL_PATCHES = 800
_POOL_SEED = 0


def sample_labelled(name: DatasetSample) -> LabelledSource:
    """`digits`: scikit-learn's 1,797 handwritten digits, enlarged from 8 x 8 to 32 x 32 pixels.

    They have 17 gray levels and no test part.

    Raises:
        ValueError: if there is no such sample.
    """
    if name != "digits":
        raise ValueError(f"no data set sample is called {name!r}")
    from sklearn.datasets import load_digits  # imported here: it takes a second, and few registrations need it

    digits = load_digits()
    levels = np.round(digits.images * (255 / 16)).astype(np.uint8)
    pixels = np.stack([ToPixels(SAMPLE_SIZE).of_array(image, "digits")[0] for image in levels])
    labels = digits.target.astype(np.int64)
    return labelled(ArrayImages([("digits", pixels)]), labels, list(string.digits), {"train": np.arange(len(labels))})


def sample_unlabelled(name: PoolSample) -> UnlabelledSource:
    """`glyphs-and-patches`: 1,200 drawn letters and 800 patches of photographs, 32 x 32 pixels.

    The images are the same every time. Letters have random size, place, angle and colours. Patches
    are cut from scikit-learn's two photographs with random place, size and flip.

    Raises:
        ValueError: if there is no such sample.
    """
    if name != "glyphs-and-patches":
        raise ValueError(f"no pool sample is called {name!r}")
    rng = np.random.default_rng(_POOL_SEED)
    images = np.stack([*_glyphs(rng, _POOL_GLYPHS), *_patches(rng, _POOL_PATCHES)])
    return UnlabelledSource(ArrayImages([(name, images)]))


def _glyphs(rng: np.random.Generator, count: int) -> list[UInt8]:
    """(32, 32, 3) each: a light letter on dark ground or a dark one on light, gray or coloured."""
    fonts = [ImageFont.load_default(size) for size in range(40, 80, 8)]
    side = 2 * SAMPLE_SIZE  # drawn at twice the size, for smooth edges
    glyphs = []
    for _ in range(count):
        letter = string.ascii_letters[rng.integers(len(string.ascii_letters))]
        mask = Image.new("L", (side, side))
        x, y = (side / 2 + rng.uniform(-6, 6, 2)).tolist()
        ImageDraw.Draw(mask).text((x, y), letter, fill=255, font=fonts[rng.integers(len(fonts))], anchor="mm")
        mask = mask.rotate(rng.uniform(-30, 30), Image.Resampling.BICUBIC)
        dark, light = rng.integers(0, 80, 3), rng.integers(150, 256, 3)
        if rng.random() < 0.5:  # half of them gray
            dark, light = np.repeat(dark[:1], 3), np.repeat(light[:1], 3)
        ground, ink = (dark, light) if rng.random() < 0.7 else (light, dark)
        small = np.asarray(mask.resize((SAMPLE_SIZE, SAMPLE_SIZE), Image.Resampling.BICUBIC))[..., None] / 255
        glyphs.append(np.round(ground + (ink - ground) * small).astype(np.uint8))
    return glyphs


def _patches(rng: np.random.Generator, count: int) -> list[UInt8]:
    """(32, 32, 3) each: a random square of one of the photographs."""
    from sklearn.datasets import load_sample_images

    photographs: list[NDArray[np.uint8]] = load_sample_images().images
    patches = []
    for _ in range(count):
        photograph = photographs[rng.integers(len(photographs))]
        side = int(rng.integers(SAMPLE_SIZE, 160))
        top, left = (int(rng.integers(0, limit - side + 1)) for limit in photograph.shape[:2])
        square = Image.fromarray(photograph[top : top + side, left : left + side])
        patch = np.asarray(square.resize((SAMPLE_SIZE, SAMPLE_SIZE), Image.Resampling.BICUBIC))
        patches.append(patch[:, ::-1] if rng.random() < 0.5 else patch)
    return patches
