"""Plots: what is drawn lies where its numbers say."""

import numpy as np
import pytest
import torch
from PIL import Image

from imagegan.plots import BLUE, BOTTOM, LEFT, ORANGE, RIGHT, Curve, _ticks, plot, row


def drawn(*curves: Curve, **options: object) -> Image.Image:
    return plot(curves, title="", x="", y="", **{"x_range": (0, 10), "y_range": (0, 10), **options})  # type: ignore[arg-type]


def shares(image: Image.Image, colour: tuple[int, int, int]) -> tuple[float, float]:
    """The centre of the pixels of a colour, as shares of the axes."""
    rows, columns = np.nonzero((np.asarray(image) == colour).all(axis=2))
    top = 70  # below a title and a line of the legend
    width, height = image.width - LEFT - RIGHT, image.height - top - BOTTOM
    return float((columns.mean() - LEFT) / width), float(1 - (rows.mean() - top) / height)


@pytest.mark.parametrize(("x", "y"), [(2, 8), (5, 5), (9, 1)])
def test_a_point_lies_at_its_place(x: float, y: float) -> None:
    image = drawn(Curve("", [x], [y], "dots"))
    assert shares(image, BLUE) == pytest.approx((x / 10, y / 10), abs=0.01)


def test_a_logarithmic_axis_has_ten_in_the_middle_of_one_and_a_hundred() -> None:
    image = drawn(Curve("", [10], [1], "dots"), log="xy", x_range=(1, 100), y_range=(0.1, 1000))
    assert shares(image, BLUE) == pytest.approx((0.5, 0.25), abs=0.01)


@pytest.mark.parametrize("kind", ["line", "dashed"])
def test_a_line_joins_its_points(kind: str) -> None:
    image = drawn(Curve("", [0, 10], [3, 3], kind, ORANGE))  # type: ignore[arg-type]
    assert shares(image, ORANGE) == pytest.approx((0.5, 0.3), abs=0.02)


def test_what_is_not_finite_is_left_out() -> None:
    whole, gap = Curve("", [1, 3], [2, 4]), Curve("", [1, 2, 3, 4], [2, np.nan, 4, np.inf])
    assert drawn(whole).tobytes() == drawn(gap).tobytes()
    ranges = {"x_range": None, "y_range": None}
    assert drawn(whole, **ranges).size == drawn(gap, **ranges).size
    logarithmic = drawn(Curve("", [1, 10, 100], [0, 1, 2], "dots"), log="y", x_range=(0, 200), y_range=(0.5, 4))
    assert shares(logarithmic, BLUE)[1] == pytest.approx(0.5, abs=0.01)  # 1 and 2 alone


def test_tensors_are_drawn_as_lists_are() -> None:
    listed, tensor = ([0.5, 1.0, 2.0], torch.tensor([0.5, 1.0, 2.0]))
    images = [drawn(Curve("", of, of), log="xy", x_range=(0.1, 10), y_range=(0.1, 10)) for of in (listed, tensor)]
    assert images[0].tobytes() == images[1].tobytes()


def test_an_interval_is_shaded_around_its_curve() -> None:
    plain, shaded = drawn(Curve("", [0, 10], [5, 5])), drawn(Curve("", [0, 10], [5, 5], low=[3, 3], high=[7, 7]))
    rows = np.nonzero((np.asarray(plain) != np.asarray(shaded)).any(axis=(1, 2)))[0]
    height = plain.height - 70 - BOTTOM
    assert (rows.min() - 70) / height == pytest.approx(0.3, abs=0.02)
    assert (rows.max() - 70) / height == pytest.approx(0.7, abs=0.02)


def test_only_labels_are_in_the_legend() -> None:
    labelled, bare = (np.asarray(drawn(Curve(label, [1], [1])))[:60] for label in ("a name", ""))
    assert (bare == 255).all()
    assert (labelled != 255).any()
    assert drawn(*[Curve("a name that is long", [1], [1], "dots", BLUE)] * 12).size == (460, 360)


def test_a_surface_rises_to_the_right_and_up() -> None:
    x, y = np.meshgrid(np.arange(20), np.arange(20))
    for values, low, high in ((x, (100, 200), (430, 200)), (y, (250, 300), (250, 80))):
        image = drawn(surface=values)
        valley, hill = image.getpixel(low), image.getpixel(high)
        assert isinstance(valley, tuple)
        assert isinstance(hill, tuple)
        assert valley[0] > hill[0] + 80
    lines = np.asarray(drawn(surface=x))[:, LEFT + 2 : -RIGHT - 2]
    assert (lines[150] == lines[160]).all()  # contours are vertical
    assert len(np.unique(lines[150], axis=0)) > 20


@pytest.mark.parametrize(
    ("low", "high", "log", "expected"),
    [
        (0, 1, False, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-3.5, 3.5, False, [-2, 0, 2]),
        (0.5, 99, False, [20, 40, 60, 80]),
        (0.09, 11, True, [0.1, 0.2, 0.5, 1, 2, 5, 10]),
        (1e-6, 1, True, [1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1]),
    ],
)
def test_ticks_are_round_and_few(low: float, high: float, log: bool, expected: list[float]) -> None:
    assert _ticks(low, high, log) == pytest.approx(expected)


def test_a_row_has_the_width_of_its_plots() -> None:
    one, two = drawn(Curve("", [1], [1])), drawn(size=(300, 360))
    assert row([one, two]).size == (760, 360)
