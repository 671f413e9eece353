"""Digits drawn by the program: strokes with a known slant, width, size and position, so that every factor is true."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

FACTORS = ("slant", "width", "size", "x", "y")
SUPERSAMPLING = 4

Points = list[tuple[float, float]]


class Images(NamedTuple):
    pixels: Float[Tensor, "N C S S"]  # in [-1, 1]
    labels: Int[Tensor, "N"]
    factors: Float[Tensor, "N 5"]  # in the order of FACTORS, each uniform in [-1, 1]


def digits(count: int, seed: int = 0, size: int = 28) -> Images:
    """`count` grey digits of `size` x `size` pixels, the classes equally likely."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count)
    factors = rng.uniform(-1.0, 1.0, (count, len(FACTORS)))
    drawn = np.stack([_draw(STROKES[label], values, rng, size) for label, values in zip(labels, factors, strict=True)])
    pixels = torch.from_numpy(drawn).float().div_(127.5).sub_(1.0).unsqueeze(1)
    return Images(pixels, torch.from_numpy(labels), torch.from_numpy(factors).float())


def _draw(
    strokes: list[Points], factors: NDArray[np.float64], rng: np.random.Generator, size: int
) -> NDArray[np.uint8]:
    slant, width, scale, x, y = factors
    wide = size * SUPERSAMPLING
    image = Image.new("L", (wide, wide))
    pen = ImageDraw.Draw(image)
    thickness = round(wide * (0.075 + 0.03 * width))
    for stroke in strokes:
        points = np.array(stroke) - 0.5 + rng.normal(0.0, 0.02, (len(stroke), 2))  # a hand is never twice the same
        points[:, 0] -= 0.35 * slant * points[:, 1]
        points = points * (0.62 + 0.12 * scale) + (0.5 + 0.08 * x, 0.5 + 0.08 * y)
        path = [(float(px), float(py)) for px, py in points * wide]
        pen.line(path, fill=255, width=thickness, joint="curve")
        for px, py in (path[0], path[-1]):  # round ends
            pen.ellipse((px - thickness / 2, py - thickness / 2, px + thickness / 2, py + thickness / 2), fill=255)
    return np.asarray(image.resize((size, size), Image.Resampling.BOX))


def _arc(x: float, y: float, across: float, down: float, start: float, end: float, points: int = 14) -> Points:
    """Part of an ellipse, in degrees clockwise from three o'clock (y points down)."""
    angles = np.radians(np.linspace(start, end, points))
    return [(float(x + across * np.cos(a)), float(y + down * np.sin(a))) for a in angles]


# In a unit square, y downwards.
STROKES: list[list[Points]] = [
    [_arc(0.5, 0.5, 0.3, 0.45, -90, 270, 24)],
    [[(0.35, 0.22), (0.55, 0.05), (0.55, 0.95)]],
    [[*_arc(0.5, 0.3, 0.28, 0.25, -170, 50), (0.2, 0.95), (0.82, 0.95)]],
    [[*_arc(0.46, 0.28, 0.28, 0.23, -150, 90), *_arc(0.46, 0.72, 0.32, 0.23, -90, 150)]],
    [[(0.62, 0.95), (0.62, 0.05), (0.15, 0.68), (0.88, 0.68)]],
    [[(0.78, 0.05), (0.28, 0.05), (0.24, 0.45), *_arc(0.48, 0.67, 0.3, 0.27, -120, 140)]],
    [[(0.7, 0.05), (0.3, 0.5), *_arc(0.5, 0.69, 0.28, 0.26, -160, 200, 22)]],
    [[(0.18, 0.05), (0.82, 0.05), (0.42, 0.95)]],
    [_arc(0.5, 0.27, 0.24, 0.22, 90, 450, 20), _arc(0.5, 0.72, 0.29, 0.23, -90, 270, 20)],
    [[*_arc(0.5, 0.31, 0.28, 0.26, 20, -340, 22), (0.72, 0.5), (0.56, 0.95)]],
]
