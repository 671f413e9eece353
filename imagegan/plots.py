"""Plots of curves, points and surfaces, drawn by Pillow.

    best = Curve("dcgan", trials, mean, low=low, high=high)          # a line, with an interval around it
    real = Curve("real images", [1, 50], [0.03, 0.03], "dashed")     # "line", "dashed" or "dots"
    image = plot([best, real], title="Expected best FD", x="trials", y="fd-random", log="x")
    row([image, image]).save("plot.png")

A plot is an image: `imagegan.grids` writes it as PNG, and several of one size (with fixed ranges) as GIF."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

Range = tuple[float, float]

LEFT, RIGHT, BOTTOM, LINE = 56, 16, 44, 18  # pixels around the axes; between two lines of the legend
FINER = 3  # curves are drawn larger by this factor and scaled down, which smooths them
BLUE, ORANGE, GREEN, PURPLE = (31, 78, 160), (224, 92, 16), (24, 132, 72), (150, 60, 160)
GOLD, CYAN, RED, GREY = (190, 146, 0), (0, 150, 180), (190, 30, 50), (120, 120, 120)
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, GOLD, CYAN, RED, GREY)
BLACK, FAINT = (30, 30, 30), (120, 120, 120, 60)
VALLEY, HILL, BANDS = (252, 253, 255), (74, 134, 194), 14  # of a surface


class Curve(NamedTuple):
    """An entry of the legend, which leaves out empty labels. Values that are not finite are not drawn."""

    label: str
    x: ArrayLike
    y: ArrayLike
    kind: Literal["line", "dashed", "dots"] = "line"
    colour: tuple[int, int, int] | None = None  # by default the next of COLOURS
    low: ArrayLike | None = None  # with `high`: an interval around y
    high: ArrayLike | None = None


def plot(
    curves: Sequence[Curve],
    *,
    title: str,
    x: str,
    y: str,
    log: Literal["", "x", "y", "xy"] = "",
    x_range: Range | None = None,
    y_range: Range | None = None,
    surface: ArrayLike | None = None,
    size: tuple[int, int] = (460, 360),
) -> Image.Image:
    """Curves over axes, whose ranges are by default theirs. A `surface` is drawn behind them, with contours: values at
    the centres of H x W cells of the axes, those of the smallest y first."""
    curves = [curve._replace(colour=curve.colour or COLOURS[n % len(COLOURS)]) for n, curve in enumerate(curves)]
    image, left, top = Image.new("RGB", size, "white"), LEFT, 38
    pen = ImageDraw.Draw(image)
    pen.text((size[0] / 2, 8), title, BLACK, _font(15), anchor="mt")
    for curve in (curve for curve in curves if curve.label):
        length = 26 + int(_font(12).getlength(curve.label))
        left, top = (LEFT, top + LINE) if left > LEFT and left + length > size[0] else (left, top)
        _mark(pen, np.array([[left + at, top] for at in ((10,) if curve.kind == "dots" else (0, 20))]), curve, 1)
        pen.text((left + 26, top), curve.label, BLACK, _font(12), anchor="lm")
        left += length + 16
    top += LINE + 14
    width, height = size[0] - LEFT - RIGHT, size[1] - top - BOTTOM
    inner = Image.new("RGB", (FINER * width, FINER * height), "white")
    if surface is not None:
        inner = _contours(np.asarray(surface, np.float32), inner.size)
    brush = ImageDraw.Draw(inner, "RGBA")
    across = x_range or _range([curve.x for curve in curves], "x" in log)
    up = y_range or _range([part for curve in curves for part in (curve.y, curve.low, curve.high)], "y" in log)

    def place(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        shares = np.broadcast_arrays(_share(x, across, "x" in log), 1 - _share(y, up, "y" in log))
        return np.stack(shares, axis=-1) * inner.size

    for tick in _ticks(*across, "x" in log):
        at = float(_share(tick, across, "x" in log))
        brush.line((at * inner.width, 0, at * inner.width, inner.height), FAINT, FINER)
        pen.text((LEFT + at * width, top + height + 6), f"{tick:.4g}", BLACK, _font(12), anchor="mt")
    for tick in _ticks(*up, "y" in log):
        at = 1 - float(_share(tick, up, "y" in log))
        brush.line((0, at * inner.height, inner.width, at * inner.height), FAINT, FINER)
        pen.text((LEFT - 6, top + at * height), f"{tick:.4g}", BLACK, _font(12), anchor="rm")
    for curve in curves:
        if curve.low is not None and curve.high is not None:
            edge = np.concatenate([place(curve.x, curve.low), place(curve.x, curve.high)[::-1]])
            brush.polygon(edge.ravel().tolist(), (*(curve.colour or GREY), 45))
        _mark(brush, place(curve.x, curve.y), curve, FINER)
    image.paste(inner.reduce(FINER), (LEFT, top))
    pen.rectangle((LEFT, top, LEFT + width, top + height), outline=BLACK)
    pen.text((LEFT + width / 2, size[1] - 6), x, BLACK, _font(13), anchor="mb")
    pen.text((8, top - 5), y, BLACK, _font(13), anchor="lb")
    return image


def row(images: Sequence[Image.Image]) -> Image.Image:
    """Side by side, all of one height."""
    return Image.fromarray(np.hstack([np.asarray(image) for image in images]))


@cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _share(values: ArrayLike, ends: Range, log: bool) -> NDArray[np.float64]:
    """Of the way from one end of an axis to the other."""
    with np.errstate(divide="ignore", invalid="ignore"):
        numbers = (np.asarray(part, float) for part in (values, *ends))
        at, low, high = (np.log10(part) if log else part for part in numbers)
    return (at - low) / (high - low)


def _range(parts: Sequence[ArrayLike | None], log: bool) -> Range:
    """From the smallest value to the largest, and a little more."""
    values = np.concatenate([np.ravel(np.asarray(part, float)) for part in parts if part is not None])
    values = values[np.isfinite(values) & (~np.bool_(log) | (values > 0))]
    low, high = np.log10([values.min(), values.max()]) if log else (values.min(), values.max())
    margin = 0.05 * (high - low) or 0.5
    return (
        (10 ** float(low - margin), 10 ** float(high + margin)) if log else (float(low - margin), float(high + margin))
    )


def _ticks(low: float, high: float, log: bool) -> list[float]:
    """Round numbers, seven at most; on a logarithmic axis powers of ten, with 2 and 5 where these are few."""
    if log:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for digits in ((1, 2, 5), (1,)):
            inside = [d * 10.0**p for p in powers for d in digits if low <= d * 10.0**p <= high]
            if len(inside) <= 7:
                return inside
        return inside[:: 1 + len(inside) // 8]
    tenth = 10.0 ** (math.floor(math.log10(high - low)) - 1)
    step = next(tenth * factor for factor in (1, 2, 5, 10, 20) if (high - low) / (tenth * factor) <= 6)
    return [at * step for at in range(math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6) + 1)]


def _mark(pen: ImageDraw.ImageDraw, points: NDArray[np.float64], curve: Curve, scale: int) -> None:
    points = points[np.isfinite(points).all(axis=1)]
    if curve.kind == "dots":
        for x, y in points:
            pen.ellipse((x - 2.5 * scale, y - 2.5 * scale, x + 2.5 * scale, y + 2.5 * scale), curve.colour)
    elif curve.kind == "line":
        pen.line(points.ravel().tolist(), curve.colour, 2 * scale, "curve")
    elif len(points):
        passed = np.concatenate([[0], np.hypot(*np.diff(points, axis=0).T).cumsum()])
        for start in np.arange(0, passed[-1], 9 * scale):
            dash = [[np.interp(at, passed, values) for values in points.T] for at in (start, start + 5 * scale)]
            pen.line(np.ravel(dash).tolist(), curve.colour, 2 * scale)


def _contours(values: NDArray[np.float32], size: tuple[int, int]) -> Image.Image:
    """In bands of equal height, with lines between them."""
    fine = np.asarray(Image.fromarray(values[::-1].copy()).resize(size, Image.Resampling.BICUBIC))
    bands = np.floor((fine - fine.min()) / (np.ptp(fine) or 1) * BANDS * 0.9999)
    shades = np.stack([np.interp(bands, [0, BANDS - 1], ends) for ends in zip(VALLEY, HILL, strict=True)], axis=2)
    for apart, axis in ((1, 0), (2, 0), (1, 1), (2, 1)):
        shades[bands != np.roll(bands, apart, axis)] = GREY
    return Image.fromarray(shades.astype(np.uint8))
