"""Plots of curves, points and surfaces as images, by matplotlib.

    best = Curve("dcgan", trials, mean, low=low, high=high)          # a line, with an interval around it
    real = Curve("real images", [1, 50], [0.03, 0.03], "dashed")     # "line", "dashed" or "dots"
    image = plot([best, real], title="Expected best FD", x="trials", y="fd-random", log="x")
    row([image, image]).save("plot.png")

Plots of one size and with fixed ranges are frames of an animation."""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Range = tuple[float, float]

DPI = 100
BLUE, ORANGE, GREEN, PURPLE = "#1f4ea0", "#e05c10", "#188448", "#963ca0"
GOLD, CYAN, RED, GREY = "#be9200", "#0096b4", "#be1e32", "#787878"
BLACK = "#1e1e1e"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, GOLD, CYAN, RED, GREY)
MARKERS = (".", "s", "^", "D")  # of dots, once all colours are used
STYLES = {"line": "-", "dashed": "--", "dots": " "}


class Curve(NamedTuple):
    """An entry of the legend, which leaves out empty labels. Values that are not finite are not drawn."""

    label: str
    x: ArrayLike
    y: ArrayLike
    kind: Literal["line", "dashed", "dots"] = "line"
    colour: str = ""  # by default the next of COLOURS
    low: ArrayLike | None = None  # with `high`: an interval around y
    high: ArrayLike | None = None


def figure(
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
) -> "Figure":
    """Curves over axes, whose ranges are by default theirs. A `surface` is drawn behind them as contours: values at the
    centres of H x W cells of the axes, those of the smallest y first; it needs both ranges."""
    from matplotlib.figure import Figure  # a third of a second, and not pyplot: no window, no global state
    from matplotlib.ticker import LogLocator, NullFormatter

    made = Figure(figsize=(size[0] / DPI, size[1] / DPI), dpi=DPI, layout="constrained")
    axes = made.add_subplot(title=title, xlabel=x, ylabel=y)
    axes.set(**{f"{name}scale": "log" for name in log})
    axes.grid(alpha=0.3)
    if surface is not None and x_range and y_range:
        values = np.asarray(surface, float)
        across, up = (_centres(*ends, count) for ends, count in ((x_range, values.shape[1]), (y_range, len(values))))
        axes.contourf(across, up, values, levels=14, cmap="Blues", alpha=0.8)
        axes.contour(across, up, values, levels=14, colors=GREY, linewidths=0.5, linestyles="solid")
    for number, curve in enumerate(curves):
        colour = curve.colour or COLOURS[number % len(COLOURS)]
        along, height = np.asarray(curve.x, float), np.asarray(curve.y, float)
        there = np.isfinite(along) & np.isfinite(height)
        if curve.low is not None and curve.high is not None:
            low, high = np.asarray(curve.low, float), np.asarray(curve.high, float)
            axes.fill_between(along[there], low[there], high[there], color=colour, alpha=0.18, linewidth=0)
        drawn = axes.plot(along[there], height[there], STYLES[curve.kind], color=colour, label=curve.label or "_")
        if curve.kind == "dots":
            marker = MARKERS[number // len(COLOURS) % len(MARKERS)]
            drawn[0].set(marker=marker, markersize=6.0 if marker == "." else 4.0)
    if x_range:
        axes.set_xlim(*x_range)
    if y_range:
        axes.set_ylim(*y_range)
    for axis in [{"x": axes.xaxis, "y": axes.yaxis}[name] for name in log]:
        bottom, top = axis.get_view_interval()
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if top < 1000 * bottom else (1,)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    if any(curve.label for curve in curves):
        axes.legend(fontsize="small", framealpha=0.7)
    return made


def plot(curves: Sequence[Curve], **options: object) -> Image.Image:
    """The same as an image."""
    return rendered(figure(curves, **options))  # type: ignore[arg-type]


def rendered(made: "Figure") -> Image.Image:
    pixels = BytesIO()
    made.savefig(pixels, format="png")
    return Image.open(pixels).convert("RGB")


def svg(made: "Figure") -> bytes:
    """A figure as a drawing of lines, the same bytes whenever it is made."""
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": "seqgan"}):
        made.savefig(lines := BytesIO(), format="svg", metadata={"Date": None})
    return lines.getvalue()


def png(image: Image.Image) -> bytes:
    image.save(pixels := BytesIO(), "PNG")
    return pixels.getvalue()


def row(images: Sequence[Image.Image]) -> Image.Image:
    """Side by side, all of one height."""
    return Image.fromarray(np.hstack([np.asarray(image) for image in images]))


def _centres(low: float, high: float, count: int) -> "np.typing.NDArray[np.float64]":
    return low + (np.arange(count) + 0.5) * (high - low) / count
