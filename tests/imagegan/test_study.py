"""The comparison study: its draws, what it says of the best of k of them, and the triangles."""

import math
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imagegan.bench import study
from imagegan.bench.measures import Source
from imagegan.bench.plan import images_in_round, recipes_of
from imagegan.bench.ranges import RANGES, STUDIED, drawn
from imagegan.bench.runs import Job, Result
from imagegan.bench.table import Entry
from imagegan.data import load, triangles
from imagegan.data.dataset import as_floats
from imagegan.data.triangles import PLACES, all_triangles
from imagegan.data.triangles import drawn as triangle
from imagegan.measures import on_manifold
from imagegan.metrics.neighbours import nearest
from imagegan.variants.configs import CONFIGS
from seqgan.core.report import Measured
from seqgan.errors import DivergedError
from tests.imagegan.tiny import SHAPE

NAN = math.nan


# --- draws


@pytest.mark.parametrize("name", list(STUDIED))
def test_a_draw_lies_in_the_ranges_of_the_study_and_makes_a_model(name: str) -> None:
    draws = [drawn(name, number) for number in range(200)]
    assert draws == [drawn(name, number) for number in range(200)]
    assert len({str(draw) for draw in draws}) == 200
    known = vars(CONFIGS[STUDIED[name].model]())
    for draw in draws:
        assert set(draw) <= set(known)
        assert 1e-5 <= draw["g_lr"] == draw.get("d_lr", draw["g_lr"]) <= 1e-2
        assert 0 <= draw.get("beta1", 0) < 1
        assert draw.get("critic_steps", 1) in (1, 2, 3, 4, 5)
        assert draw.get("critic_burst", 0) in (0, draw.get("critic_steps"))  # the study has no bursts
        assert draw["d_norm"] in (("layer", "none") if "penalty_weight" in known else ("batch", "none"))
        assert 0.1 <= draw.get("penalty_weight", 1) <= 100
        assert 1e-3 <= draw.get("clip", 1) <= 1
        recipes_of(STUDIED[name].model, CONFIGS[STUDIED[name].model](**draw, nets="common", width=4), SHAPE)
    for what in RANGES.keys() & known.keys():
        assert len({draw[what] for draw in draws}) > 1
    assert 3e-4 / 2 < np.median([draw["g_lr"] for draw in draws]) < 3e-4 * 2  # log-uniform
    assert {draw["d_norm"] for draw in draws} == {draw["d_norm"] for draw in draws[:20]}


def test_all_models_have_one_budget_and_the_networks_of_the_study(tmp_path: Path) -> None:
    for name in STUDIED:
        jobs = study.planned(name, Source("digits"), 5, 4, 60_000, tmp_path)
        assert len({job.place for job in jobs}) == 5
        for number, job in enumerate(jobs):
            config = job.chosen.config
            recipes = recipes_of(job.model, config, SHAPE)
            seen = sum(images_in_round(recipes, config.batch_size, step) for step in range(1, config.steps + 1))
            assert 0.98 * 60_000 < seen <= 60_000
            assert (config.nets, config.width, config.latent_dim, job.seed, job.keep) == ("common", 4, 64, 0, False)
            assert {what: getattr(config, what) for what in drawn(name, number)} == drawn(name, number)


# --- the best of k


def test_the_chances_are_those_of_all_sets_of_trials() -> None:
    chances = study.chances_of(6)
    for size in range(1, 7):
        best = [min(some) for some in combinations(range(6), size)]
        assert chances[size - 1] == pytest.approx(np.bincount(best, minlength=6) / len(best))


def test_the_best_is_chosen_by_validation_and_told_by_test_images() -> None:
    curve = study.curve_of(np.array([3.0, 1.0, 2.0]), np.array([1.0, 5.0, 6.0]), worst=9.0)
    assert curve.mean == pytest.approx([4.0, (5 + 5 + 6) / 3, 5.0])
    assert (curve.low <= curve.mean).all()
    assert (curve.mean <= curve.high).all()


def test_a_trial_that_diverged_is_the_worst_of_all_models_and_never_chosen_before_another() -> None:
    curve = study.curve_of(np.array([NAN, 1.0]), np.array([NAN, 5.0]), worst=9.0)
    assert curve.mean == pytest.approx([7.0, 5.0])
    assert study.curve_of(np.array([NAN]), np.array([NAN]), worst=9.0).mean == pytest.approx([9.0])


def test_the_interval_is_that_of_other_trials() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        values = rng.uniform(size=20)
        curve = study.curve_of(values, values, worst=1.0)
        inside += curve.low[4] <= 1 / 6 <= curve.high[4]  # the expected least of five uniform numbers
    assert inside > 170
    same = study.curve_of(np.arange(5.0), np.full(5, 2.0), worst=9.0)
    assert [*same.low, *same.high] == pytest.approx([2.0] * 10)


def result(valid: float, test: float, seconds: float = 10.0) -> Result:
    rows: Any = {
        row: {"fd-random": Measured(value, 0.1, "FD"), "variety": Measured(1.0, 0.1, "")}
        for row, value in (("valid", valid), ("test", test), ("real", 0.5))
    }
    return Result("diverged" if math.isnan(valid) else None, {} if math.isnan(valid) else rows, seconds, seconds)


@pytest.fixture
def asked(tmp_path: Path) -> dict[str, list[Job]]:
    return {name: study.planned(name, Source("ring"), 3, 4, 2000, tmp_path) for name in ("minimax", "vae")}


def test_what_is_repeated_is_the_best_by_validation(
    asked: dict[str, list[Job]], monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = {"minimax": [(3.0, 1.0), (2.0, 4.0), (NAN, NAN)], "vae": [(NAN, NAN)] * 3}
    results = {job.place: result(*pair) for name in asked for job, pair in zip(asked[name], numbers[name], strict=True)}
    ran: list[list[Job]] = []

    def run_all(jobs: list[Job], workers: int, log: Any) -> dict[Path, Result]:
        ran.append(jobs)
        return {job.place: results.get(job.place, result(1.0, 2.0)) for job in jobs}

    monkeypatch.setattr(study, "run_all", run_all)
    lines: list[str] = []
    found, measured = study.study(asked, [7, 8], 2, lines.append)
    assert [len(jobs) for jobs in ran] == [2, 6, 2]
    # 10 s for each of 6 trials and 2 seeds of 2 models, two at a time
    assert lines == [
        "6 trials and 4 runs of the best are left: about 0:00:50 with --jobs 2 on free cores, by the first "
        "trial of each model"
    ]
    assert [(one.best, [job.seed for job in one.repeats]) for one in found.values()] == [(1, [7, 8]), (None, [])]
    assert all(job.keep and job.chosen == asked["minimax"][1].chosen for job in found["minimax"].repeats)
    assert len(measured) == 8
    assert found["minimax"].curve.mean[-1] == found["vae"].curve.mean[0] == 4.0
    [headings, minimax, vae] = study.curve_table("ring", found)
    assert headings == ["ring: best of", "1", "2", "3", "diverged"]
    assert (minimax[0], minimax[-1], vae[-1]) == ("minimax", "1 of 3", "3 of 3")
    assert study.best_options("minimax", found["minimax"]).startswith("trial 1, --model gan --loss minimax --beta1 ")
    assert study.best_options("vae", found["vae"]) == "all trials diverged"
    told = study.as_json(found["minimax"])
    assert [(trial["valid"], trial["test"]) for trial in told["trials"]] == [(3.0, 1.0), (2.0, 4.0), (None, None)]
    assert told["trials"][1]["options"]["g_lr"] == drawn("minimax", 1)["g_lr"]


def test_where_all_diverged_there_is_nothing_to_compare(
    asked: dict[str, list[Job]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "run_all", lambda jobs, *_: {job.place: result(NAN, NAN) for job in jobs})
    with pytest.raises(DivergedError, match="every trial of every model diverged; give more --trials"):
        study.study(asked, [1], 1, print)


def test_the_curves_are_drawn(asked: dict[str, list[Job]], tmp_path: Path) -> None:
    curve = study.curve_of(np.array([3.0, 1.0, 2.0]), np.array([3.0, 1.0, 2.0]), worst=9.0)
    found = {name: study.Found(jobs, curve.mean, curve.mean, curve, 1, []) for name, jobs in asked.items()}
    Source("ring").within(tmp_path).mkdir(parents=True, exist_ok=True)
    real = Entry("real", 1, 0, {"fd-random": Measured(0.5, NAN, "")})
    place = study.draw(found, real, Source("ring"), tmp_path)
    single = study.curve_of(np.array([2.0]), np.array([2.0]), worst=9.0)
    one_trial = study.Found(asked["vae"][:1], single.mean, single.mean, single, 0, [])
    drawn_alone = [place.read_bytes()]
    assert study.draw({"vae": one_trial}, real, Source("ring"), tmp_path) == place
    for one in ("minimax", "vae"):
        study.draw({one: found[one]}, real, Source("ring"), tmp_path)
        drawn_alone.append(place.read_bytes())
    assert len(set(drawn_alone)) == 3
    with Image.open(place) as image:
        assert image.size == (640, 480)


# --- triangles


def test_every_triangle_is_another_one_and_within_the_picture() -> None:
    every = all_triangles()
    assert every.shape == (PLACES**3, 1, 28, 28)
    assert len(every.flatten(1).unique(dim=0)) == len(every)
    assert max(every[:, :, [0, -1]].max(), every[:, :, :, [0, -1]].max()) <= 12
    line = torch.arange(28) - 13.5
    weight = every.float().sum(dim=(1, 2, 3))
    for direction in (every.float().sum(dim=(1, 2)), every.float().sum(dim=(1, 3))):
        assert ((direction @ line) / weight).abs().max() < 0.1  # the centre of mass is in the middle


def test_a_triangle_has_the_area_of_its_corners() -> None:
    degrees = torch.tensor([[20.0, 140.0, 260.0], [20.0, 180.0, 300.0], [80.0, 140.0, 270.0]])
    angles = torch.deg2rad(degrees)
    area = sum((angles[:, (k + 1) % 3] - angles[:, k]).sin() for k in range(3)) * 9.0**2 / 2
    assert triangle(degrees).float().sum(dim=(1, 2, 3)) / 255 == pytest.approx(area, rel=0.03)


def test_triangles_are_made_by_name_and_seed() -> None:
    train, test = load("triangles", count=300, held_out=50, seed=3)
    assert (train.images.shape, len(test.images), train.classes) == ((300, 1, 28, 28), 50, 0)
    assert torch.equal(train.images, load("triangles", count=300, held_out=9, seed=3).train.images)
    assert not torch.equal(train.images, triangles(300, 4).images)
    assert len(train.images.flatten(1).unique(dim=0)) > 290


def test_the_manifold_holds_triangles_and_no_others() -> None:
    def share(images: torch.Tensor) -> float:
        return on_manifold(images)["on-manifold"].value

    real = triangles(100, 1).pixels
    assert share(real) == 1
    between = 80 * torch.rand(200, 3, generator=torch.Generator().manual_seed(0)) + torch.tensor([20, 140, 260])
    assert share(as_floats(triangle(between))) == 1  # also those between the places
    assert share(-real) == share(real.roll(1, 3)) == 0
    assert share((real + real.roll(1, 0)) / 2) < 0.1  # of two
    assert share(torch.nn.functional.avg_pool2d(real, 3, 1, 1)) == 0
    exact = nearest(real[:1] * 0.99, all_triangles())
    assert exact.item() == pytest.approx((real[:1] * 0.01).norm().item(), rel=1e-4)
