"""What a training ends with: numbers of its samples, of its discriminator, and what they mean in words."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import Tensor, nn

from imagegan.cli import imagegan
from imagegan.data import ImageDataset, Splits, digits, toy
from imagegan.evaluation import _watched, first_numbers, written
from imagegan.game import Game, Recipe, versus
from imagegan.losses import LOSSES
from imagegan.nets import Generator, Scored
from imagegan.summary import summary
from imagegan.variants import VARIANTS
from imagegan.variants.configs import ImageConfig
from seqgan.core.game import adam
from seqgan.core.report import Measured, as_cell
from tests.imagegan.tiny import CPU, as_options, made
from tests.killing import flat

CRITICS = [name for name, loss in LOSSES.items() if loss.threshold is None]


class Brightness(nn.Module):
    """A discriminator that answers `real` to bright images and `fake` to dark ones."""

    def __init__(self, real: float, fake: float) -> None:
        super().__init__()
        self.real, self.fake, self.unused = real, fake, nn.Parameter(torch.zeros(1))

    def forward(self, images: Tensor) -> Scored:
        bright = images.flatten(1).mean(dim=1) > 0
        return Scored(torch.where(bright, self.real, self.fake) + 0 * self.unused, images.flatten(1))


class Normalised(nn.Module):
    """One that is right only with the statistics of its batch: those it has kept are of other images."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(1)
        self.norm.running_mean = torch.full((1,), 50.0)

    def forward(self, images: Tensor) -> Scored:
        first = images.flatten(1)[:, :1]  # a half of each batch is below its mean
        return Scored(self.norm(first).flatten(), first)


def bright(count: int) -> ImageDataset:
    noise = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(count))
    return ImageDataset(0.5 + 0.25 * noise, torch.zeros(count, dtype=torch.long), torch.zeros(count, 0))


def dark_generator(pixel: float = -0.5) -> nn.Module:
    net = Generator(nn.Sequential(nn.Linear(3, 64), nn.Unflatten(1, (1, 8, 8))))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(0.01)
        net.body[0].bias.fill_(pixel)  # type: ignore[index, operator, union-attr]
    return net


def played(loss: str, discriminator: nn.Module, generator: nn.Module | None = None, **play: Any) -> Game:
    recipe = Recipe(
        {"generator": generator or dark_generator(), "discriminator": discriminator},
        versus(LOSSES[loss], adam(1e-3, 0.5), adam(1e-3, 0.5)),
        (3,),
    )
    dataset = bright(100)
    return Game(recipe, ImageConfig(steps=1, batch_size=16, **play), dataset.images, dataset.labels, CPU, 0)


def row_of(game: Game, held_out: int = 70) -> dict[str, Measured]:
    return first_numbers(game, Splits(bright(100), bright(held_out)), "folder")["samples"]


# --- how well the discriminator tells samples from real images


@pytest.mark.parametrize(
    ("loss", "real", "fake"),
    [
        ("minimax", 3.0, -3.0),
        ("non-saturating", 3.0, -3.0),
        ("least-squares", 1.0, 0.0),
        ("hinge", 1.0, -1.0),
        ("pairwise", 1.0, -1.0),
    ],
)
def test_a_discriminator_at_the_targets_of_its_loss_is_always_right(loss: str, real: float, fake: float) -> None:
    def accuracy(bright_images: float, others: float) -> Measured:
        return _watched(played(loss, Brightness(bright_images, others)), bright(70), 0)["d-accuracy"]

    value, stderr, _ = accuracy(real, fake)
    assert (value, stderr) == (1, 0)
    assert accuracy(fake, real).value == 0
    assert accuracy(real, real).value == 0.5
    middle = (real + fake) / 2
    assert accuracy(middle + 0.01, middle - 0.01).value == 1


@pytest.mark.parametrize("loss", CRITICS)
def test_a_critic_is_told_how_far_apart_it_values_them(loss: str) -> None:
    row = row_of(played(loss, Brightness(3.0, 1.0)))
    assert row["distance"].value == 2
    assert "d-accuracy" not in row


def test_the_discriminator_is_asked_as_it_learns_and_left_as_it_was() -> None:
    """Of each batch, half of the real images and half of the samples are above the mean: right about a half."""
    game = played("non-saturating", Normalised())
    before = flat(game.state_dict())
    found = row_of(game)["d-accuracy"]
    assert abs(found.value - 0.5) < 0.1
    assert found.stderr > 0
    assert found.signature.endswith("in batches of 16 as it learns, N=64")
    assert flat(game.state_dict()) == before
    assert all(net.training for net in game.recipe.nets.values())


def test_the_discriminator_is_asked_about_the_samples_that_the_table_is_about() -> None:
    """Of the averaged generator where there is one: here it makes dark images, the other one bright ones."""
    game = played("non-saturating", Brightness(3.0, -3.0), ema=0.9)
    with torch.no_grad():
        game.recipe.nets["generator"].body[0].bias.fill_(0.5)  # type: ignore[index, operator, union-attr]
    assert row_of(game)["d-accuracy"].value == 1
    assert row_of(played("non-saturating", Brightness(3.0, -3.0), dark_generator(0.5)))["d-accuracy"].value == 0.5


# --- few images, equal images


@pytest.mark.parametrize("held_out", [1, 2, 19])
def test_of_few_images_some_numbers_are_blank_with_their_reason(held_out: int) -> None:
    game = played("non-saturating", Brightness(3.0, -3.0))
    rows = first_numbers(game, Splits(bright(11), bright(held_out)), "folder")
    assert all(math.isnan(row["fd-random"].value) for row in rows.values())
    assert [as_cell(row["fd-random"]) for row in rows.values()] == ["", ""]
    count = min(11, held_out)
    reason = f"of {count} held-out images there is no distance; 20 or more are needed"
    assert {row["fd-random"].signature for row in rows.values()} == {reason}
    told = json.loads(written(rows, {}), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert told["rows"]["samples"]["fd-random"]["value"] is None
    assert (rows["samples"]["variety"].signature.endswith("a single image has none")) == (held_out == 1)


@pytest.mark.parametrize("model", list(VARIANTS))
def test_every_model_ends_with_numbers_of_few_images(model: str) -> None:
    for count in (1, 2, 5):
        rows = first_numbers(made(model), Splits(digits(11, seed=1), digits(count, seed=2)), "digits")
        written(rows, {})
        summary(rows)


@pytest.mark.parametrize(
    ("model", "watched", "what"),
    [
        ("began", "convergence", "the measure M by which a training is stopped: held-out images against samples"),
        ("ls-gan", "loss_gap", "how much lower the loss function is: held-out images against samples"),
    ],
)
def test_what_a_paper_watches_is_a_number_of_every_round_and_of_the_end(model: str, watched: str, what: str) -> None:
    game = made(model)
    assert isinstance(game, Game)
    assert torch.as_tensor(game.update(1)[watched]).isfinite()
    row = first_numbers(game, Splits(digits(60, seed=1), digits(40, seed=2)), "digits")["samples"]
    assert math.isfinite(row[watched.replace("_", "-")].value)
    assert row[watched.replace("_", "-")].signature.startswith(what)
    assert "d-accuracy" not in row


@pytest.mark.parametrize("equal", [False, True])
def test_twelve_images_are_trained_on_and_reported_without_a_warning(equal: bool, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for number in range(12):
        pixels = np.random.default_rng(0 if equal else number).integers(0, 256, (28, 28), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number:02}.png")
    words = ["train", "--model", "dcgan", "--data", "folder", "--data-dir", str(tmp_path / "images"), "--size", "28"]
    words += ["--run-dir", str(tmp_path / "run"), "--quiet", *as_options("dcgan", images=0, steps=1)]
    shown = CliRunner().invoke(imagegan, words, catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    assert "nan" not in shown.output
    assert "Warning" not in shown.output
    assert "20 or more are needed" in " ".join(shown.output.split())
    told = json.loads((tmp_path / "run" / "evaluations" / "training.json").read_text(), parse_constant=pytest.fail)
    assert told["rows"]["samples"]["fd-random"]["value"] is None


# --- in words


def saying(**values: float) -> dict[str, Measured]:
    return {name.replace("_", "-"): Measured(value, math.nan, "") for name, value in values.items()}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (saying(variety=0.49), "samples: collapsed, with less than half of the real variety, classes or modes"),
        (saying(variety=0.49), "(variety 0.49; 1 is all)"),
        (saying(variety=0.9, classes=0.4), "(variety 0.9, classes 0.4; 1 is all)"),
        (saying(variety=0.9, modes=0.25), "(variety 0.9, modes 0.25; 1 is all)"),
        (saying(copies=0.7), "samples: 70% are near copies of training images"),
        (saying(d_accuracy=0.97), "the discriminator is right about 97% of samples and held-out images"),
        (saying(distance=2.0), "it is below zero"),
        (saying(distance=-0.1), "the critic scores samples as high as held-out images"),
    ],
)
def test_what_a_reader_should_not_miss_is_said(row: dict[str, Measured], words: str) -> None:
    assert any(words in line for line in summary({"samples": row, "held-out": {}}))


def test_nothing_is_said_of_a_run_that_went_well() -> None:
    fine = saying(variety=0.51, classes=0.6, modes=0.6, copies=0.4, d_accuracy=0.9)
    assert summary({"samples": fine, "held-out": saying(variety=1.0, copies=0.0)}) == []
    assert (
        summary(
            {"samples": {"variety": Measured.undefined("why"), "copies": Measured.undefined("why")}, "held-out": {}}
        )
        == []
    )


def test_what_is_odd_about_the_held_out_images_is_said() -> None:
    rows = {"samples": saying(variety=1.0), "held-out": {"variety": Measured.undefined("these are all equal")}}
    assert summary(rows) == ["variety is undefined here: these are all equal"]
    [line] = summary({"a": {}, "held-out of a": saying(copies=0.6)})
    assert "60% of the held-out images are near copies of training images" in line
    assert len(summary({"a": saying(distance=1.0), "b": saying(distance=2.0), "held-out": {}})) == 1


def drawing(images: Tensor) -> Game:
    """A model whose samples are these, in turn."""
    game = made("gan", ema=0.0)
    assert isinstance(game, Game)
    generator = game.recipe.nets["generator"]
    generator.forward = lambda noise, code: images[torch.arange(len(noise)) % len(images)]
    return game


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (lambda splits: splits.train.pixels[:90] + 0.01, ["near copies of training images"]),
        (lambda splits: splits.test.pixels[:1], ["collapsed, with less than half"]),
        (lambda splits: digits(90, seed=3).pixels, []),
    ],
    ids=["copies", "one image", "others"],
)
def test_copies_and_a_collapse_are_seen(samples: Callable[[Splits], Tensor], words: list[str]) -> None:
    splits = Splits(digits(120, seed=1), digits(90, seed=2))
    rows = first_numbers(drawing(samples(splits)), splits, "digits")
    found = summary({**rows, "samples": {name: one for name, one in rows["samples"].items() if name != "d-accuracy"}})
    assert len(found) == len(words), found
    assert all(word in line for word, line in zip(words, found, strict=True))


def test_a_missing_mode_of_points_is_a_collapse() -> None:
    splits = Splits(toy("ring", 300, 1), toy("ring", 300, 2))
    game = drawing(splits.train.pixels[splits.train.labels < 3])
    game.recipe.nets["discriminator"].forward = Brightness(1.0, -1.0).forward
    rows = first_numbers(game, splits, "ring")
    assert rows["samples"]["modes"].value == 3 / 8
    assert any("modes 0.38" in line for line in summary(rows))
