"""Images as pictures and files: grids, scatter plots of points, animations, arrays, single PNGs."""

import io
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from imagegan.data.dataset import Stored, as_floats
from imagegan.data.layout import folder_names
from imagegan.nets import Images
from seqgan.core.plots import png
from seqgan.errors import UsageError

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
        colour = PLAIN if tracks == 1 else f"hsv({360 * track / tracks}, 85%, 80%)"
        pen.ellipse((x - 1.5, y - 1.5, x + 1.5, y + 1.5), colour)
    return image


def _places(points: Images) -> list[tuple[float, float]]:
    """[-1, 1] x [-1, 1] in pixels of the plot."""
    half = SIDE / 2 - MARGIN
    return [(SIDE / 2 + half * x, SIDE / 2 - half * y) for x, y in points.detach().cpu().float().flatten(1).tolist()]


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
    step = 255 / (GREYS - 1)
    greys = [round(round(shade / step) * step) for shade in range(256)]
    reduced = [frame.point(greys) if frame.mode == "L" else frame.quantize(64) for frame in frames]
    shown = [*[round(1000 * seconds)] * (len(frames) - 1), round(1000 * last)]
    buffer = io.BytesIO()
    reduced[0].save(buffer, "GIF", save_all=True, append_images=reduced[1:], duration=shown, loop=0)
    return buffer.getvalue()


# --- files


def npz(images: Images, **given: Tensor) -> bytes:
    """Images as bytes 0 to 255, N x S x S x C, under the name `images`; points as they are, under `samples`. Beside
    them the labels or codes that they were generated for."""
    points = is_points(images)
    arrays = {"samples": images} if points else {"images": as_bytes(images).permute(0, 2, 3, 1).contiguous()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{name: values.numpy() for name, values in {**arrays, **given}.items()})  # type: ignore[arg-type]
    return buffer.getvalue()


def png_files(images: Images, labels: Tensor | None, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """A PNG for each image, named by its number, in folders by class where there are labels.

    Raises:
        UsageError: the samples are points."""
    if is_points(images):
        raise UsageError("points in the plane are not images; give --output a name that ends with .npz or .png")
    folders = folder_names(names)
    digits = len(str(len(images) - 1))
    for number, values in enumerate(as_bytes(images).numpy()):
        image = Image.fromarray(values[0] if len(values) == 1 else values.transpose(1, 2, 0))
        name = f"{number:0{digits}}.png"
        yield (name if labels is None else f"{folders[int(labels[number])]}/{name}"), png(image)
