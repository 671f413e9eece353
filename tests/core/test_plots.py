"""Plots: what is drawn lies where its numbers say."""

import numpy as np
import pytest

from seqgan.core.plots import BLUE, ORANGE, Curve, figure, plot, rendered, row

WORDS = {"title": "Expected best FD", "x": "trials", "y": "fd"}


def test_curves_have_their_points_colours_and_labels() -> None:
    made = figure([Curve("a", [1, 2], [3, 4]), Curve("", [1, 2], [5, 6], "dots")], **WORDS)  # type: ignore[arg-type]
    [axes] = made.axes
    first, second = axes.lines
    assert first.get_xydata().tolist() == [[1, 3], [2, 4]]
    assert second.get_xydata().tolist() == [[1, 5], [2, 6]]
    assert [line.get_color() for line in axes.lines] == [BLUE, ORANGE]
    assert (first.get_linestyle(), second.get_linestyle(), second.get_marker()) == ("-", "None", ".")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a"]
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == tuple(WORDS.values())
    assert figure([Curve("", [1], [1])], **WORDS).axes[0].get_legend() is None  # type: ignore[arg-type]


def test_what_is_not_finite_is_left_out() -> None:
    [axes] = figure([Curve("", [1, 2, 3, 4], [2, np.nan, 4, np.inf])], **WORDS).axes  # type: ignore[arg-type]
    assert axes.lines[0].get_xydata().tolist() == [[1, 2], [3, 4]]
    assert plot([Curve("nothing", [], [])], **WORDS).size == (460, 360)


def test_axes_are_logarithmic_and_bounded_where_asked() -> None:
    options = {"log": "y", "x_range": (0, 5), "y_range": (0.1, 10)}
    [axes] = figure([Curve("", [1, 10], [0, 1])], **WORDS, **options).axes  # type: ignore[arg-type]
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "log")
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 5), (0.1, 10))


@pytest.mark.parametrize(("low", "high"), [(0.04, 0.3), (1, 50), (1e-3, 20), (1e-16, 1e3)])
def test_a_logarithmic_axis_has_a_few_ticks_however_wide_it_is(low: float, high: float) -> None:
    made = figure([Curve("", [1, 2], [low, high])], **WORDS, log="y", y_range=(low, high))  # type: ignore[arg-type]
    rendered(made)
    [axes] = made.axes
    assert 2 <= sum(low <= tick <= high for tick in axes.get_yticks()) <= 10


def test_an_interval_is_shaded_around_its_curve() -> None:
    [axes] = figure([Curve("", [0, 1], [5, 6], low=[3, 4], high=[7, 8])], **WORDS).axes  # type: ignore[arg-type]
    [shade] = axes.collections
    corners = shade.get_paths()[0].vertices
    assert (corners.min(), corners[:, 1].min(), corners[:, 1].max()) == (0, 3, 8)


@pytest.mark.parametrize("along", [0, 1])
def test_a_surface_rises_along_its_axis(along: int) -> None:
    values = np.meshgrid(np.arange(20), np.arange(20))[along]
    bare = {"title": "", "x": "", "y": "", "x_range": (0, 1), "y_range": (0, 1)}
    pixels = np.asarray(plot([], **bare, surface=values)).astype(int).sum(axis=2)
    low, high = ((200, 90), (200, 420)) if along == 0 else ((290, 250), (50, 250))
    assert pixels[low] > pixels[high] + 100  # the higher the darker


def test_a_row_has_the_width_of_its_plots() -> None:
    one, two = plot([Curve("", [1], [1])], **WORDS), plot([], **WORDS, size=(300, 360))
    assert row([one, two]).size == (760, 360)
