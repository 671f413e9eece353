"""The parts of a page: curves that keep their peaks, pictures that fit."""

import io

from PIL import Image

from seqgan.core.page import MOST_CHARTS, MOST_OF_A_LINE, MOST_POINTS, animation, charts, picture, thinned


def test_a_thinned_curve_keeps_its_ends_and_its_peaks() -> None:
    points = [(step, float(step % 7)) for step in range(10_000)]
    points[4321] = (4321, 99.0)
    points[1234] = (1234, -99.0)
    thin = thinned(points, 100)
    assert len(thin) <= 100
    assert thin == sorted(thin)
    assert {points[0], points[-1], points[4321], points[1234]} <= set(thin)
    assert thinned(points[:100], 100) == points[:100]


def test_a_number_and_its_validation_share_a_chart() -> None:
    record = [
        {"phase": "a", "step": s, "nll": 1.0, "valid_nll": 2.0, "valid_fd": 3.0, "samples": ["x"]} for s in (1, 2)
    ]
    [group], made = charts([record])
    assert group == {"phase": "a", "shown": [(0, "nll"), (1, "valid_fd")], "folded": []}
    assert [line["valid"] for line in made[0]["lines"]] == [False, True]
    assert made[0]["lines"][0]["x"] == [1, 2]


def test_a_phase_with_many_numbers_folds_the_last_ones() -> None:
    record = [{"phase": "a", "step": 1, "grad_norm": 0.0, **{f"n{number}": 0.0 for number in range(24)}}]
    [group], made = charts([record], ["grad_norm"])
    assert [name for _, name in group["shown"]] == [f"n{number}" for number in range(MOST_CHARTS)]
    assert [name for _, name in group["folded"]][-1] == "grad_norm"
    assert len(made) == 25


def test_the_points_of_a_page_are_bounded() -> None:
    record = [{"phase": "a", "step": s, **{f"n{number}": float(s) for number in range(25)}} for s in range(1000)]
    _, made = charts([record] * 8)
    assert sum(len(line["x"]) for chart in made for line in chart["lines"]) <= MOST_POINTS
    _, made = charts([record])
    assert all(0.9 * MOST_OF_A_LINE < len(line["x"]) <= MOST_OF_A_LINE for chart in made for line in chart["lines"])


def test_pictures_fit() -> None:
    noise = Image.effect_noise((400, 300), 80)
    assert picture(noise, 1_000_000).source.startswith("data:image/png;base64,")
    small = picture(noise, 20_000)
    assert len(small.source) < 20_000 * 4 / 3 + 50
    assert small.width * 3 == small.height * 4


def test_an_animation_that_is_too_large_becomes_a_few_frames() -> None:
    frames = [Image.effect_noise((60, 40), 10 * number + 1).convert("P") for number in range(9)]
    frames[0].save(buffer := io.BytesIO(), "GIF", save_all=True, append_images=frames[1:])
    data = buffer.getvalue()
    assert [found.source[:14] for found in animation(data, len(data))] == ["data:image/gif"]
    several = animation(data, len(data) - 1)
    assert len(several) == 5
    assert all((found.width, found.height) == (60, 40) for found in several[:1])
