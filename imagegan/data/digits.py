"""Generated digits: strokes with a known slant and width, so that every factor is true.

As in handwriting there are several ways to write most digits, and no two come out alike: a smooth random field bends
each. They are scaled and centred as those of MNIST are (LeCun et al. 1998): into a box of 20 of 28 pixels, with the
centre of mass in the middle of the image. The wide ones are not: their size and position are factors too."""

from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from imagegan.data.dataset import ImageDataset
from seqgan.errors import DataError

FACTORS = ("slant", "width")
PLACEMENT = ("size", "x", "y")  # more factors, of the wide ones
NAMES = tuple("0123456789")
SIZES = (28, 32, 64)
SUPERSAMPLING = 4
BEND, WAVES = 0.035, 3  # of the random field: its deviation, and how many waves it is made of
BOX = 20 / 28  # of the side of the image, as in MNIST

Points = list[tuple[float, float]]


@lru_cache(maxsize=8)  # several models learn from the same, and drawing takes seconds
def digits(count: int, seed: int = 0, size: int = 28, *, wide: bool = False) -> ImageDataset:
    """`count` grey digits of `size` x `size` pixels, the classes and their ways of writing equally likely. The same
    seed draws the same digits at every size. Wide ones vary in size and position.

    Raises:
        DataError: they are not drawn at this size."""
    if size not in SIZES:
        raise DataError(f"digits are drawn at {', '.join(map(str, SIZES))} pixels, not at {size}")
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count)
    names = (*FACTORS, *PLACEMENT) if wide else FACTORS
    factors = rng.uniform(-1.0, 1.0, (count, len(names)))
    drawn = np.empty((count, 1, size, size), np.uint8)
    for at in range(count):
        drawn[at, 0] = _draw(labels[at], factors[at], rng, size)
    known = torch.from_numpy(factors).float()
    return ImageDataset(torch.from_numpy(drawn), torch.from_numpy(labels), known, NAMES, names)


def _draw(label: int, factors: NDArray[np.float64], rng: np.random.Generator, size: int) -> NDArray[np.uint8]:
    slant, width, *placement = factors
    strokes = _written(label, slant, rng)
    pen_width = 0.075 + 0.035 * width  # of the side of the image
    if placement:
        scale, x, y = placement
        zoom, shift = 0.62 + 0.14 * scale, np.array([0.5 + 0.1 * x, 0.5 + 0.1 * y])
    else:
        zoom = (BOX - pen_width) / np.ptp(np.concatenate(strokes), axis=0).max()
        # The centre of mass of the lines, each piece of which weighs as much as it is long.
        middles = np.concatenate([(points[1:] + points[:-1]) / 2 for points in strokes])
        lengths = np.concatenate([np.linalg.norm(np.diff(points, axis=0), axis=1) for points in strokes])
        shift = 0.5 - zoom * np.average(middles, axis=0, weights=lengths)
    wide = size * SUPERSAMPLING
    image = Image.new("L", (wide, wide))
    pen = ImageDraw.Draw(image)
    thickness = max(1, round(wide * pen_width))
    for points in strokes:
        path = [(float(px), float(py)) for px, py in (points * zoom + shift) * wide]
        pen.line(path, fill=255, width=thickness, joint="curve")
        for px, py in (path[0], path[-1]):  # round ends
            pen.ellipse((px - thickness / 2, py - thickness / 2, px + thickness / 2, py + thickness / 2), fill=255)
    return np.asarray(image.resize((size, size), Image.Resampling.BOX))


def _written(label: int, slant: float, rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """The strokes of a digit, as points around 0: bent by the field, and slanted."""
    ways = STROKES[label]
    way = ways[rng.integers(len(ways))]
    frequencies, phases = rng.normal(0.0, 4.0, (WAVES, 2)), rng.uniform(0.0, 2 * np.pi, WAVES)
    directions = rng.normal(0.0, BEND * np.sqrt(2 / WAVES), (WAVES, 2))
    strokes = []
    for stroke in way:
        points = np.array(stroke) - 0.5
        points = points + np.sin(points @ frequencies.T + phases) @ directions
        points[:, 0] -= 0.45 * slant * points[:, 1]
        strokes.append(points)
    return strokes


def _line(*corners: tuple[float, float], points: int = 5) -> Points:
    """Straight from corner to corner, with points between, so that the field can bend it."""
    steps = np.linspace(0.0, 1.0, points)
    return [(float(x + (u - x) * t), float(y + (v - y) * t)) for (x, y), (u, v) in pairwise(corners) for t in steps]


def _arc(x: float, y: float, across: float, down: float, start: float, end: float, points: int = 14) -> Points:
    """Part of an ellipse, in degrees clockwise from three o'clock (y points down)."""
    angles = np.radians(np.linspace(start, end, points))
    return [(float(x + across * np.cos(a)), float(y + down * np.sin(a))) for a in angles]


# The ways to write each digit, in a unit square, y downwards.
STROKES: list[list[list[Points]]] = [
    [
        [_arc(0.5, 0.5, 0.3, 0.45, -90, 270, 24)],
        [_arc(0.5, 0.5, 0.22, 0.45, -90, 270, 24)],
        [_arc(0.5, 0.5, 0.3, 0.42, -60, 285, 24)],
    ],
    [
        [_line((0.35, 0.22), (0.55, 0.05), (0.55, 0.95))],
        [_line((0.5, 0.05), (0.5, 0.95))],
        [_line((0.3, 0.3), (0.52, 0.05), (0.52, 0.95)), _line((0.28, 0.95), (0.76, 0.95))],
    ],
    [
        [[*_arc(0.5, 0.3, 0.28, 0.25, -170, 50), *_line((0.2, 0.95), (0.82, 0.95))]],
        [
            [
                *_arc(0.5, 0.3, 0.26, 0.25, -160, 60),
                *_arc(0.34, 0.83, 0.13, 0.1, 20, 330),
                *_line((0.5, 0.86), (0.85, 0.95)),
            ]
        ],
    ],
    [
        [[*_arc(0.46, 0.28, 0.28, 0.23, -150, 90), *_arc(0.46, 0.72, 0.32, 0.23, -90, 150)]],
        [[*_line((0.2, 0.05), (0.76, 0.05), (0.46, 0.42)), *_arc(0.46, 0.69, 0.32, 0.27, -90, 150)]],
    ],
    [
        [_line((0.62, 0.95), (0.62, 0.05), (0.15, 0.68), (0.88, 0.68))],
        [_line((0.25, 0.05), (0.2, 0.5), (0.8, 0.5)), _line((0.7, 0.08), (0.66, 0.95))],
    ],
    [
        [[*_line((0.78, 0.05), (0.28, 0.05), (0.24, 0.45)), *_arc(0.48, 0.67, 0.3, 0.27, -120, 140)]],
        [
            [*_line((0.3, 0.08), (0.26, 0.42)), *_arc(0.46, 0.66, 0.32, 0.29, -110, 150)],
            _line((0.3, 0.08), (0.8, 0.06)),
        ],
    ],
    [
        [[*_line((0.7, 0.05), (0.3, 0.5)), *_arc(0.5, 0.69, 0.28, 0.26, -160, 200, 22)]],
        [[*_arc(0.72, 0.55, 0.5, 0.5, -100, -180, 10), *_arc(0.48, 0.7, 0.26, 0.24, 180, 540, 22)]],
    ],
    [
        [_line((0.18, 0.05), (0.82, 0.05), (0.42, 0.95))],
        [_line((0.18, 0.05), (0.82, 0.05), (0.42, 0.95)), _line((0.3, 0.5), (0.78, 0.5))],
    ],
    [
        [_arc(0.5, 0.27, 0.24, 0.22, 90, 450, 20), _arc(0.5, 0.72, 0.29, 0.23, -90, 270, 20)],
        [_arc(0.5, 0.3, 0.2, 0.25, 90, 450, 20), _arc(0.5, 0.75, 0.24, 0.2, -90, 270, 20)],
    ],
    [
        [[*_arc(0.5, 0.31, 0.28, 0.26, 20, -340, 22), *_line((0.72, 0.5), (0.56, 0.95))]],
        [[*_arc(0.5, 0.3, 0.26, 0.25, 0, -360, 22), *_line((0.76, 0.3), (0.76, 0.95))]],
        [[*_arc(0.48, 0.3, 0.26, 0.25, 0, -360, 22), *_arc(0.42, 0.6, 0.32, 0.34, -40, 110, 10)]],
    ],
]
