"""Pictures of many pictures."""

import io

import numpy as np
from PIL import Image

from imagegan.nets import Pictures


def png(pictures: Pictures, columns: int = 10, enlarge: int = 2) -> bytes:
    """A grid of pictures with values in [-1, 1], row by row, as a PNG file."""
    count, channels, height, width = pictures.shape
    rows = -(-count // columns)
    canvas = np.zeros((rows * columns, channels, height, width), dtype=np.uint8)
    canvas[:count] = ((pictures.detach().cpu().float().clamp(-1, 1) + 1) * 127.5).round().byte().numpy()
    grid = (
        canvas.reshape(rows, columns, channels, height, width)
        .transpose(0, 3, 1, 4, 2)
        .reshape(rows * height, columns * width, channels)
    )
    image = Image.fromarray(grid[:, :, 0] if channels == 1 else grid)
    buffer = io.BytesIO()
    image.resize((image.width * enlarge, image.height * enlarge), Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()
