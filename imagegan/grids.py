"""Pictures of many pictures."""

import io

import numpy as np
from PIL import Image, ImageDraw

from imagegan.nets import Pictures


def png(pictures: Pictures, columns: int = 10, enlarge: int = 2) -> bytes:
    """A grid of pictures with values in [-1, 1], row by row, as a PNG file; of points, where they lie."""
    count, channels, height, width = pictures.shape
    if (channels, width) == (2, 1):
        return _png(_plane(pictures))
    rows = -(-count // columns)
    canvas = np.zeros((rows * columns, channels, height, width), dtype=np.uint8)
    canvas[:count] = ((pictures.detach().cpu().float().clamp(-1, 1) + 1) * 127.5).round().byte().numpy()
    grid = (
        canvas.reshape(rows, columns, channels, height, width)
        .transpose(0, 3, 1, 4, 2)
        .reshape(rows * height, columns * width, channels)
    )
    image = Image.fromarray(grid[:, :, 0] if channels == 1 else grid)
    return _png(image.resize((image.width * enlarge, image.height * enlarge), Image.Resampling.NEAREST))


def _plane(points: Pictures, side: int = 480) -> Image.Image:
    image = Image.new("L", (side, side), 255)
    pen = ImageDraw.Draw(image)
    for x, y in points.detach().cpu().float().flatten(1).tolist():
        across, down = side / 2 * (1 + 0.9 * x), side / 2 * (1 - 0.9 * y)
        pen.ellipse((across - 2, down - 2, across + 2, down + 2), 0)
    return image


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
