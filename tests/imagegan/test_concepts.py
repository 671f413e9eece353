"""Concepts: vector arithmetic by them, and the filters that draw one."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import Tensor, nn
from torch.testing import assert_close

from imagegan.cli import imagegan
from imagegan.concepts import (
    LOOKED_AT,
    Concepts,
    clearest,
    concepts_of,
    hidden_layer,
    logistic_regression,
    without_filters,
)
from imagegan.data import ImageDataset, Splits, digits, toy
from imagegan.generation import images_of
from imagegan.latents import Latents
from imagegan.metrics.predictors import predictor
from seqgan.errors import UsageError
from tests.imagegan.tiny import as_options, made


class Fixed(nn.Module):
    """A predictor that always predicts what it is given."""

    def __init__(self, output: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.predict = output


def seeing(output: Callable[[Tensor], Tensor], *names: str) -> Concepts:
    return Concepts(names, Fixed(output), None)  # type: ignore[arg-type]


# --- what is seen


def test_a_class_is_shown_where_its_logit_is_the_largest_and_a_side_of_a_factor_beyond_its_middle() -> None:
    logits, factors = torch.tensor([[1.0, 3.0, 2.0], [5.0, 0.0, 4.5]]), torch.tensor([[0.5, -1.0], [0.0, 2.0]])
    concepts = Concepts(
        ("a", "b", "c", "high s", "high w", "low s", "low w"),
        Fixed(lambda images: logits),  # type: ignore[arg-type]
        Fixed(lambda images: factors),  # type: ignore[arg-type]
    )
    expected = torch.tensor([[-2.0, 1.0, -1.0, 0.5, -1.0, -0.5, 1.0], [0.5, -5.0, -0.5, 0.0, 2.0, 0.0, -2.0]])
    assert_close(concepts.degrees(torch.zeros(2, 1, 8, 8)), expected)


def test_digits_have_classes_and_factors_and_points_of_a_roll_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagegan.concepts.predictor", partial(predictor, steps=2, folder=tmp_path))
    found = concepts_of(Splits(digits(60, seed=1), digits(1, seed=2)))
    assert found.names[:10] == tuple("0123456789")
    assert {"high slant", "low width"} <= set(found.names)
    assert found.degrees(digits(3, seed=3).pixels).shape == (3, len(found.names))
    with pytest.raises(UsageError, match="neither labels nor known factors"):
        concepts_of(Splits(toy("swissroll", 30), toy("swissroll", 3)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a-b+c", [0, 1, 2]), (" a - T-shirt + a+b", [0, 3, 4]), ("T-shirt-T-shirt+T-shirt", [3, 3, 3])],
)
def test_names_may_hold_signs_themselves(text: str, expected: list[int]) -> None:
    assert seeing(lambda images: images, "a", "b", "c", "T-shirt", "a+b").sum_of(text) == expected


@pytest.mark.parametrize("text", ["a", "a-b", "a+b-c", "a-b+d", "a--b+c", ""])
def test_no_other_sum_is_read(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no CONCEPT-CONCEPT\+CONCEPT, such as a-b\+c; the concepts are a, b, c"):
        seeing(lambda images: images, "a", "b", "c").sum_of(text)


def test_the_three_clearest_samples_stand_for_a_concept() -> None:
    degrees = torch.tensor([[0.1, -1], [0.5, -1], [-0.2, 2], [0.4, -1], [0.3, 1]])
    latents = Latents(torch.arange(5.0)[:, None], torch.zeros(5, 0))
    assert clearest(latents, degrees[:, 0], "a").noise.flatten().tolist() == [1, 3, 4]
    with pytest.raises(UsageError, match="of 5 samples 2 show b, but three are needed"):
        clearest(latents, degrees[:, 1], "b")


# --- filters


def test_logistic_regression_finds_what_tells_them_apart() -> None:
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(3000, 4, generator=rng) * torch.tensor([1.0, 10.0, 1.0, 0.0]) + 5
    true = torch.tensor([1.5, -1.0, 0.0, 0.0])  # of the standardised features
    chance = torch.sigmoid(((features - 5) / torch.tensor([1.0, 10.0, 1.0, 1.0])) @ true)
    found = logistic_regression(features, torch.rand(3000, generator=rng) < chance)
    assert_close(found, true, atol=0.15, rtol=0)
    assert found[3] == 0


@pytest.mark.parametrize(("model", "width"), [("dcgan", 8), ("gan", 4), ("lapgan", 4)])
def test_a_dropped_filter_is_zero_in_the_second_highest_layer(model: str, width: int) -> None:
    game = made(model)
    latents = game.prior.draw(5, seed=0)
    with hidden_layer(game) as seen:
        plain = images_of(game, latents)
    assert [some.shape for some in seen] == [(5, width)]
    filters = torch.zeros(width, dtype=torch.bool)
    with hidden_layer(game, filters):
        assert images_of(game, latents).equal(plain)
    filters[1] = True
    last = [
        layer
        for layer in game.games[-1].generator.modules()
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)
    ]
    given: list[Tensor] = []
    with hidden_layer(game, filters):
        handle = last[-2].register_forward_pre_hook(lambda layer, inputs: given.append(inputs[0]))
        assert not images_of(game, latents).equal(plain)
        handle.remove()
    assert (given[0][:, 1] == 0).all()
    assert (given[0] != 0).any()
    assert images_of(game, latents).equal(plain)


def test_the_filters_that_brighten_are_dropped_to_darken() -> None:
    """A concept of bright images; of the units of a layer some brighten every pixel, some darken them all."""
    game = made("gan", nets="mlp", width=8, ema=0.0)
    *_, middle, last = (layer for layer in game.games[0].generator.modules() if isinstance(layer, nn.Linear))
    with torch.no_grad():
        middle.weight.copy_(torch.eye(8))
        middle.bias.zero_()
        last.weight.copy_(torch.tensor([1.0, 1, 1, 1, -1, -1, -1, -1]).expand_as(last.weight))
        last.bias.zero_()
    bright = seeing(
        lambda images: torch.stack([-images.flatten(1).mean(1), images.flatten(1).mean(1)], 1), "dark", "bright"
    )
    found = without_filters(game, bright, 1, 7, seed=0)
    assert not found.filters[4:].any()
    assert 1 <= found.filters[:4].sum() <= 2
    before, after, _ = found.shares
    assert after < before
    assert found.before.shape == found.after.shape == (7, 1, 28, 28)
    assert (found.after <= found.before).all()
    always = seeing(lambda images: torch.tensor([[0.0, 1.0]]).expand(len(images), 2), "dark", "bright")
    with pytest.raises(UsageError, match=f"{LOOKED_AT} of {LOOKED_AT} samples show bright; between 20 and"):
        without_filters(game, always, 1, 7, seed=0)


# --- the command


def test_walk_calculates_with_concepts_and_drops_filters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagegan.concepts.LOOKED_AT", 60)
    monkeypatch.setattr("imagegan.concepts.FEWEST", 0)
    monkeypatch.setenv("SEQGAN_HOME", str(tmp_path))

    def call(*words: object) -> str:
        result = CliRunner().invoke(imagegan, [str(word) for word in words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return " ".join(result.output.split())

    def in_turn(train: ImageDataset, target: str = "labels") -> Fixed:
        outputs = train.classes if target == "labels" else train.factors.shape[1]
        return Fixed(lambda images: torch.eye(outputs)[torch.arange(len(images)) % outputs])

    monkeypatch.setattr("imagegan.concepts.predictor", in_turn)
    call("train", "--model", "cgan", "--run-dir", tmp_path / "run", "--quiet", *as_options("cgan"))
    told = call("walk", tmp_path / "run", "--arithmetic", "7-1+4")
    assert "of the nine results so many show: 0 1, 1 1, 2 1" in told
    with Image.open(tmp_path / "run" / "walk.png") as image:
        assert image.size == (4 * 56, 6 * 56 + 12)
    told = call("walk", tmp_path / "run", "--drop-filters", "7", "--output", tmp_path / "dropped.png")
    assert "samples that show 7: 10.0% before, 10.0% without them, 10.0% without as many at random" in told
    with Image.open(tmp_path / "dropped.png") as image:
        assert image.size == (560, 2 * 5 * 56 + 12)
    with pytest.raises(UsageError, match="there is no concept 'seven' here"):
        call("walk", tmp_path / "run", "--drop-filters", "seven", "--output", tmp_path / "x.png")
