"""The experiments on the theory: what is exact, what they find, and what the command leaves."""

import io
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import logsigmoid
from torch.testing import assert_close

from imagegan import lab
from imagegan.cli import imagegan
from imagegan.data import digits
from imagegan.grids import gif
from imagegan.lab import EXPERIMENTS, lines, lottery, slopes, surfaces, swissroll, tags, vanishing
from imagegan.lab.experiment import FRAMES, Number, Result, as_images, critic, penalised, train
from imagegan.lab.surfaces import SQUARE, Trained
from imagegan.losses import LOSSES
from imagegan.penalties import gradient_norms, off_one

LOG2 = math.log(2)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_has_numbers_a_picture_and_frames_of_one_size(name: str) -> None:
    result = lab.run(name, steps=1)
    assert len({number.what for number in result.numbers}) == len(result.numbers) > 4
    assert all(math.isfinite(number.measured) for number in result.numbers)
    assert len(result.frames) == 2  # before the training, and after the step
    assert len({frame.size for frame in result.frames}) == 1
    with Image.open(io.BytesIO(gif(result.frames))) as animation:
        assert animation.n_frames > 1  # type: ignore[attr-defined]
    assert len(result.picture.getcolors(2**24) or []) > 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "within"),
    [("lines", 0.1), ("normal", 0.25), ("lottery", 0.002), ("slopes", 0.1), ("vanishing", 0.3)],
)
def test_what_an_experiment_finds_is_near_what_is_exact(name: str, within: float) -> None:
    for what, measured, exact, _ in lab.run(name).numbers:
        assert exact is not None
        assert math.isinf(exact) or measured == pytest.approx(exact, abs=within, rel=within), what


def test_an_experiment_depends_on_its_seed_alone() -> None:
    first, again, other = (lab.run("vanishing", seed, steps=1).numbers for seed in (0, 0, 1))
    assert first == again != other


def test_a_training_is_seen_a_few_times_however_long_it_is() -> None:
    for steps, apart in ((1, 1), (FRAMES + 1, 1), (10 * FRAMES, 10)):
        seen = train({}, {}, lambda count: torch.eye(9), steps, lambda step: step)
        assert seen == list(range(0, steps + 1, apart))


def test_the_table_tells_bounds_from_values() -> None:
    assert Number("a", 0.5).cells() == ["a", "0.5", "", ""]
    assert Number("a", 1.0, 1 + 1e-16).cells()[-1] == Number("a", 1.0, 1 - 1e-15).cells()[-1] == "+0.0e+00"
    assert Number("a", 0.5, 0.25).cells() == ["a", "0.5", "0.25", "+2.5e-01"]
    assert Number("a", 0.5, math.inf).cells() == ["a", "0.5", "inf", ""]
    assert Number("a", 0.5, 0.75, at_most=True).cells() == ["a", "0.5", "at most 0.75", ""]


# --- tags


def test_tags_are_the_class_and_one_side_of_each_factor() -> None:
    some = digits(50, seed=4)
    found = tags.tags_of(some)
    assert found[:, :10].long().argmax(dim=1).equal(some.labels)
    assert (found[:, :10].sum(dim=1) == 1).all()
    assert found[:, 10:].equal(some.factors[:, :2] > 0)


def test_the_share_of_samples_that_have_a_tag_is_that_of_each_image() -> None:
    """Noise decides about the first tag, the features of the image about the second."""

    class Half(nn.Module):
        def forward(self, noise: Tensor, code: Tensor, features: Tensor) -> Tensor:
            return torch.stack([noise[:, 0], features[:, 0]], dim=1)[:, :, None, None]

    found = tags.shares(Half(), torch.tensor([[1.0], [-1.0], [2.0]]))
    assert found[:, 1].tolist() == [1, 0, 1]
    assert ((found[:, 0] - 0.5).abs() < 0.2).all()


@pytest.mark.slow
def test_most_samples_have_the_true_tags() -> None:
    numbers = {number.what: number.measured for number in lab.run("tags").numbers}
    for tag in ("class", "slanted", "thick"):
        assert numbers[f"{tag}, by samples"] > numbers[f"{tag}, by a linear classifier"] - 0.03
    assert numbers["class, by samples"] > 0.95


# --- two lines


def test_scores_of_the_best_discriminator_give_js_tv_and_kl() -> None:
    """Of (3/4, 1/4) and (1/4, 3/4), whose log-ratio is log 3 or -log 3: TV is 1/2, KL is log(3) / 2, and with their
    mean (1/2, 1/2), JS is 3/4 log(3/2) + 1/4 log(1/2)."""
    up = math.log(3)
    found = lines.divergences(torch.tensor([up, up, up, -up]), torch.tensor([up, -up, -up, -up]))
    expected = [0.75 * math.log(1.5) + 0.25 * math.log(0.5), 0.5, up / 2]
    assert_close(torch.stack(found), torch.tensor(expected))
    disjoint = lines.divergences(torch.full((4,), 50.0), torch.full((4,), -50.0))
    assert_close(torch.stack(disjoint), torch.tensor([LOG2, 1.0, 50.0]))
    assert_close(torch.stack(lines.divergences(torch.zeros(4), torch.zeros(4)))[0], torch.tensor(0.0))


def test_the_penalised_critic_of_two_lines_overestimates_their_distance() -> None:
    """With the slope a: a theta - w (a - 1)^2 is largest at a = 1 + theta / 2w."""
    theta = 0.8
    slopes = torch.linspace(0, 2, 20001, dtype=torch.float64)
    value = torch.stack([a * theta - lines.WEIGHT * off_one(a[None]) for a in slopes[::10]])
    best = slopes[::10][value.argmax()]
    assert (best * theta).item() == pytest.approx(theta + theta**2 / (2 * lines.WEIGHT), abs=1e-3)


def test_points_of_a_line_are_uniform_at_its_place() -> None:
    x, y = lines.line(0.3, 4000).T
    assert (x == 0.3).all()
    assert y.mean().item() == pytest.approx(0.5, abs=0.03)
    assert y.var().item() == pytest.approx(1 / 12, rel=0.1)


# --- 45 balls


def test_least_squares_of_the_lottery() -> None:
    t1, t2, t3, error, _, total = lottery.facts_of(lottery.minimum(lottery.OBJECTIVES["least squares"]))
    assert [t1, t2, t3] == pytest.approx([-0.009380, -4.8026, 0.17401], rel=1e-4)
    assert error == pytest.approx(0.001710, rel=1e-3)
    assert total == pytest.approx(1, abs=1e-12)


def test_rounded_parameters_are_no_distribution() -> None:
    p = -0.01 * (lottery.X - 5) ** 2 + 0.2
    assert lottery.facts_of(p) == pytest.approx([-0.01, -5, 0.2, 0.00710, *lottery.facts_of(p)[4:5], 1.2], abs=1e-4)


def test_a_flat_parabola_is_drawn() -> None:
    """As all are in the beginning: its vertex is nowhere."""
    flat = torch.full((9,), 1 / 9, dtype=torch.float64)
    for p in (flat, torch.zeros(9, dtype=torch.float64)):  # the latter without rounding errors
        assert lottery.facts_of(p)[5] == pytest.approx(p.sum().item())
        assert lottery.balls({"GAN": p}).size == lottery.balls({"GAN": lottery.Q}).size


@pytest.mark.parametrize("name", lottery.OBJECTIVES)
def test_a_minimum_is_below_all_its_neighbours(name: str) -> None:
    objective = lottery.OBJECTIVES[name]
    p = lottery.minimum(objective)
    least = objective(p)
    for direction in (*lottery.BASIS.T, lottery.BASIS.sum(dim=1)):
        for side in (-1e-3, 1e-3):
            assert objective(p + side * direction) > least


def test_the_divergences_of_a_distribution_from_itself_are_zero() -> None:
    for objective in lottery.OBJECTIVES.values():
        assert objective(lottery.Q).item() == 0
    disjoint = lottery.kl(torch.tensor([0.1, 0.9]), torch.tensor([0.9, 0.1])).item()
    assert disjoint == pytest.approx(0.8 * math.log(9))


def test_the_best_discriminator_has_a_value_of_twice_js_less_log_4() -> None:
    p = lottery.minimum(lottery.OBJECTIVES["KL"])
    logits = (lottery.Q / p).log()
    value = (lottery.Q * logsigmoid(logits)).sum() + (p * logsigmoid(-logits)).sum()
    assert value.item() == pytest.approx(2 * lottery.OBJECTIVES["JS"](p).item() - 2 * LOG2)


# --- critics of points


class Cone(nn.Module):
    def forward(self, points: Tensor) -> Tensor:
        return points.flatten(1).norm(dim=1)


def test_the_best_critic_of_the_ring_has_slope_one_and_the_distance() -> None:
    cone = Cone()
    slopes = gradient_norms(cone, SQUARE).detach()
    exact = surfaces.numbers({"cone": Trained(critic(2), [], 0.8, slopes, slopes.max().item())}, 0.8)
    for number in exact:
        assert number.measured == pytest.approx(number.exact, abs=1e-5), number.what


def test_a_surface_goes_up_by_y_and_right_by_x() -> None:
    x, y = (SQUARE[:, axis, 0, 0].view(surfaces.CELLS, surfaces.CELLS) for axis in (0, 1))
    assert (x[0] == x[-1]).all()
    assert (x.diff(dim=1) > 0).all()
    assert (y.diff(dim=0) > 0).all()
    assert x.min().item() == pytest.approx(-surfaces.REACH * (1 - 1 / surfaces.CELLS))


def test_a_clipped_critic_stays_within_its_bound_and_a_penalised_one_does_not() -> None:
    for player, bounded in ((surfaces.clipped(0.01), True), (penalised(), False)):
        trained = surfaces.trained(player, lambda count: torch.ones(count, 2), lambda count: torch.zeros(count, 2), 2)
        largest = max(weight.abs().max().item() for weight in trained.critic.parameters())
        assert (largest <= 0.01) == bounded
        assert len(trained.surfaces) == 3


def test_the_gradient_at_the_first_layer_is_that_of_the_points() -> None:
    net, points = critic(2, depth=3), torch.randn(50, 2)
    norms = swissroll.by_layer(net, points)
    assert len(norms) == 4
    assert norms[0] == pytest.approx(
        gradient_norms(lambda at: net(at).score, as_images(points)).mean().item(), rel=1e-5
    )
    assert norms[-1] == pytest.approx(net.output.weight.norm().item(), rel=1e-5)


# --- slopes


@pytest.mark.parametrize("name", slopes.PENALTIES)
@pytest.mark.parametrize("dimension", [1, 16])
def test_no_other_linear_critic_is_better_than_the_steepest(name: str, dimension: int) -> None:
    """By the loss and the penalties of the package, on many pairs."""
    best = slopes.steepest(slopes.cosines(name, dimension))
    shift = slopes.DISTANCE / dimension**0.5
    real, fake = (as_images(torch.randn(100_000, dimension) + by) for by in (shift, 0.0))
    direction = torch.ones(dimension) / dimension**0.5

    def loss(a: float) -> float:
        def score(images: Tensor) -> Tensor:
            return a * images.flatten(1) @ direction

        torch.manual_seed(0)
        penalty = slopes.PENALTIES[name](score, real, fake, "one-sided")
        return (slopes.WEIGHT * penalty - (score(real) - score(fake)).mean()).item()

    assert loss(best) < min(loss(0.95 * best), loss(1.05 * best))


def test_a_difference_penalty_leaves_a_critic_steeper_in_more_dimensions() -> None:
    seen = {name: slopes.steepest(slopes.cosines(name, 64)) for name in slopes.PENALTIES}
    assert seen["gradient penalty"] == pytest.approx(1 + slopes.DISTANCE / (2 * slopes.WEIGHT))
    assert slopes.steepest(slopes.cosines("difference penalty", 1)) == pytest.approx(seen["gradient penalty"])
    assert seen["difference penalty"] > 5


# --- vanishing gradients


@pytest.mark.parametrize("name", vanishing.COLOURS)
def test_the_gradient_by_the_logit(name: str) -> None:
    logits = torch.tensor([-6.0, 0.0, 2.0])
    expected = {"minimax": logits.sigmoid(), "non-saturating": 1 - logits.sigmoid()}[name]
    assert_close(vanishing.slopes(name, logits), expected)


@pytest.mark.parametrize("a", [0.5, 3.0, vanishing.BEST])
def test_gradient_norms_of_a_linear_logit(a: float) -> None:
    """Against those that the losses give."""
    deviation, mean = (torch.tensor(value, requires_grad=True) for value in (vanishing.DEVIATION, -vanishing.MEAN))
    for name, norm in zip(vanishing.COLOURS, vanishing.gradient_norms(a), strict=True):
        loss = LOSSES[name].generator(a * (mean + deviation * vanishing.NOISE).flatten())
        gradients = torch.stack(torch.autograd.grad(loss, [deviation, mean]))
        assert gradients.norm().item() == pytest.approx(norm, rel=1e-4)


def test_the_best_logit_is_the_log_ratio_of_the_densities() -> None:
    real, fake = (torch.distributions.Normal(mean, vanishing.DEVIATION) for mean in (vanishing.MEAN, -vanishing.MEAN))
    assert_close(vanishing.BEST * vanishing.AXIS, real.log_prob(vanishing.AXIS) - fake.log_prob(vanishing.AXIS))


# --- the command


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An experiment of two pictures of one colour."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    monkeypatch.setattr(
        "imagegan.lab.run", lambda name, seed: Result([Number(f"{name} {seed}", 1, 2)], frames[0], frames)
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(imagegan, ["lab", *map(str, words)])
    assert done.exit_code == code or (code and done.exception), done.output
    return done.output if not code else f"{done.output}{done.exception}"


def test_the_command_leaves_a_picture_and_its_training(tmp_path: Path) -> None:
    """In a process of its own, as a user has it."""
    words = ["imagegan", "lab", "lottery", "--output", "new/pictures", "--seed", "3"]
    code = f"import sys, imagegan.lab; run = imagegan.lab.run; sys.argv = {words}; from imagegan.cli import main; "
    code += "imagegan.lab.run = lambda name, seed: run(name, seed, steps=1); main()"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert "least squares: t1" in done.stdout
    assert "deviation" in done.stdout
    assert "new/pictures/lottery.png" in done.stdout
    folder = tmp_path / "new" / "pictures"
    assert sorted(path.name for path in folder.iterdir()) == ["lottery.gif", "lottery.png"]
    with Image.open(folder / "lottery.png") as picture, Image.open(folder / "lottery.gif") as training:
        assert picture.format == "PNG"
        assert training.n_frames == 2  # type: ignore[attr-defined]


def test_only_files_in_the_usual_folder_are_replaced_without_being_asked(quick: Path) -> None:
    call("lottery")
    call("lottery")
    assert Path("runs/lab/lottery.png").is_file()
    call("lottery", "--output", "mine")
    call("vanishing", "--output", "mine")  # beside it
    before = Path("mine/lottery.png").stat().st_mtime_ns
    assert "exists already; replace it with --overwrite" in call("lottery", "--output", "mine", code=2)
    assert Path("mine/lottery.png").stat().st_mtime_ns == before
    call("lottery", "--output", "mine", "--overwrite")
    assert Path("mine/lottery.png").stat().st_mtime_ns > before


def test_what_cannot_be_is_refused_before_any_work(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagegan.lab.run", lambda name, seed: pytest.fail("it began"))
    for word in ("line", "Lines", "", "lines.py", "../lines"):
        assert f"is not one of {', '.join(EXPERIMENTS)}" in call(word, code=2)
    assert "NAME" in call(code=2)
    assert "--seed" in call("lines", "--seed", "-1", code=2)
    (quick / "file").write_text("mine")
    assert "is a file, but a folder was expected" in call("lines", "--output", "file", code=2)
    assert "file" in call("lines", "--output", "file/below", code=2)
    assert (quick / "file").read_text() == "mine"
    (quick / "taken" / "lines.gif").mkdir(parents=True)
    assert "is a folder, but the name of a file was expected" in call("lines", "--output", "taken", code=2)
