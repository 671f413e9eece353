"""Grids of images, scatter plots of points, and animations."""

import colorsys
import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from imagegan.data.dataset import Stored, as_floats
from imagegan.nets import Images

Bytes = UInt8[Tensor, "N C S S"]

POINT = (2, 1, 1)  # of a toy set an image is a point in the plane: one pixel, a channel for each axis
POINTS = 1000  # are enough to see where they lie
SIDE, MARGIN = 480, 20
GAP = 12  # pixels between two blocks
GREYS = 32
FAINT, PLAIN, BETWEEN = (208, 208, 208), (31, 78, 160), (128, 128, 128)


def is_points(images: Stored) -> bool:
    return images.shape[1:] == POINT


def as_bytes(images: Images) -> Bytes:
    """Values in [-1, 1] as 0 to 255."""
    return ((images.detach().cpu().float().clamp(-1, 1) + 1) * 127.5).round().byte()


def drawn(images: Images, columns: int = 10, *, real: Stored | None = None, tracks: int = 1) -> Image.Image:
    """A grid, row by row; or a scatter plot of points above `real` ones, in as many colours as there are `tracks`."""
    if is_points(images):
        return _plane(images, real, tracks)
    return _grid(images, columns)


def _grid(images: Images, columns: int, enlarge: int = 2) -> Image.Image:
    count, channels, height, width = images.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    canvas = np.zeros((rows * columns, channels, height, width), dtype=np.uint8)
    canvas[:count] = as_bytes(images).numpy()
    grid = (
        canvas.reshape(rows, columns, channels, height, width)
        .transpose(0, 3, 1, 4, 2)
        .reshape(rows * height, columns * width, channels)
    )
    small = Image.fromarray(grid[:, :, 0] if channels == 1 else grid)
    return small.resize((small.width * enlarge, small.height * enlarge), Image.Resampling.NEAREST)


def _plane(points: Images, real: Stored | None, tracks: int) -> Image.Image:
    image = Image.new("RGB", (SIDE, SIDE), "white")
    pen = ImageDraw.Draw(image)
    if real is not None and is_points(real):
        for x, y in _places(as_floats(real[:POINTS])):
            pen.ellipse((x - 2, y - 2, x + 2, y + 2), FAINT)
    for number, (x, y) in enumerate(_places(points)):
        track = number * tracks // len(points)
        colour = PLAIN if tracks == 1 else _colour(track / tracks)
        pen.ellipse((x - 1.5, y - 1.5, x + 1.5, y + 1.5), colour)
    return image


def _places(points: Images) -> list[tuple[float, float]]:
    """[-1, 1] x [-1, 1] in pixels of the plot."""
    half = SIDE / 2 - MARGIN
    return [(SIDE / 2 + half * x, SIDE / 2 - half * y) for x, y in points.detach().cpu().float().flatten(1).tolist()]


def _colour(hue: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, 0.8)
    return round(255 * red), round(255 * green), round(255 * blue)


def stacked(blocks: Sequence[Image.Image]) -> Image.Image:
    """One below the other, with a gap between them."""
    height = sum(block.height for block in blocks) + GAP * (len(blocks) - 1)
    whole = Image.new("RGB", (max(block.width for block in blocks), height), BETWEEN)
    top = 0
    for block in blocks:
        whole.paste(block, (0, top))
        top += block.height + GAP
    return whole


def gif(frames: Sequence[Image.Image], seconds: float = 0.1, last: float = 2.0) -> bytes:
    """An endless loop, whose last frame stays longer. Few shades: with all of them the file would be large."""
    reduced = [_of_few_shades(frame) for frame in frames]
    shown = [*[round(1000 * seconds)] * (len(frames) - 1), round(1000 * last)]
    buffer = io.BytesIO()
    reduced[0].save(buffer, "GIF", save_all=True, append_images=reduced[1:], duration=shown, loop=0)
    return buffer.getvalue()


def _of_few_shades(image: Image.Image) -> Image.Image:
    if image.mode != "L":
        return image.quantize(64)
    step = 255 / (GREYS - 1)
    return image.point([round(round(shade / step) * step) for shade in range(256)])
