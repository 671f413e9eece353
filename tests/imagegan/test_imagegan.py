"""Image GANs on the same core: drawn digits, the command, the grid, and the same safety as texts have."""

import io
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch.testing import assert_close

from imagegan import losses, nets
from imagegan.cli import imagegan
from imagegan.data import FACTORS, digits
from imagegan.grids import png
from imagegan.variants.configs import CONFIGS, PRESETS
from imagegan.variants.gan import GAN, NETS
from seqgan.core.config import assemble
from seqgan.core.loop import train
from seqgan.core.run import Run, create, describe, read_record
from seqgan.errors import SeqGANError
from tests.killing import Killed, contents, dying_at, flat

TINY = {"images": 50, "steps": 12, "batch_size": 8, "latent": 6, "width": 4}
every_model = pytest.mark.parametrize("model", list(CONFIGS))
CPU = torch.device("cpu")


def made(model: str, seed: int = 0) -> GAN:
    config, _ = assemble(CONFIGS[model], [("test", TINY)])
    return GAN(model, config, digits(50, seed=1), CPU, seed)


def begun(folder: Path) -> Path:
    create(folder, {"package": "imagegan", "seed": 5, "threads": 2}, {})
    return folder


def trained(folder: Path, model: str) -> GAN:
    game = made(model)
    with Run(folder, save_seconds=0.0) as run:
        train(game, run)
    return game


def test_digits_are_what_their_labels_and_factors_say() -> None:
    images = digits(3000, seed=0)
    assert images.pixels.shape == (3000, 1, 28, 28)
    assert images.pixels.min() == -1
    assert images.pixels.max() == 1
    assert images.factors.shape == (3000, len(FACTORS))
    assert images.factors.abs().max() <= 1
    assert images.labels.bincount(minlength=10).min() > 240
    ink = (images.pixels[:, 0] + 1) / 2
    places = torch.arange(28.0)
    across = (ink.sum(dim=1) * places).sum(dim=1) / ink.sum(dim=(1, 2))
    down = (ink.sum(dim=2) * places).sum(dim=1) / ink.sum(dim=(1, 2))
    for label in range(10):
        of_it = images.labels == label
        factor = dict(zip(FACTORS, images.factors[of_it].t(), strict=True))
        assert _correlation(factor["width"], ink[of_it].sum(dim=(1, 2))) > 0.6
        assert _correlation(factor["x"], across[of_it]) > 0.8
        assert _correlation(factor["y"], down[of_it]) > 0.8


def _correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([first, second]))[0, 1])


def test_digits_of_ten_classes_can_be_told_apart() -> None:
    """A nearest class mean is right far more often than one in ten, and far from always."""
    learn, test = digits(2000, seed=0), digits(1000, seed=1)
    means = torch.stack([learn.pixels[learn.labels == label].mean(dim=0) for label in range(10)]).flatten(1)
    right = (torch.cdist(test.pixels.flatten(1), means).argmin(dim=1) == test.labels).float().mean()
    assert 0.5 < right < 0.97


def test_the_same_seed_draws_the_same_digits() -> None:
    assert digits(20, seed=3).pixels.equal(digits(20, seed=3).pixels)
    assert not digits(20, seed=3).pixels.equal(digits(20, seed=4).pixels)


def test_a_grid_shows_the_pictures_row_by_row() -> None:
    pictures = torch.linspace(-1, 1, 5).view(5, 1, 1, 1).expand(5, 1, 4, 4)
    image = np.asarray(Image.open(io.BytesIO(png(pictures, columns=3, enlarge=1))))
    assert image.shape == (8, 12)
    assert image[0, [0, 4, 8]].tolist() == [0, 64, 128]
    assert image[4, [0, 4, 8]].tolist() == [191, 255, 0]
    assert Image.open(io.BytesIO(png(torch.zeros(2, 3, 4, 4)))).mode == "RGB"


def test_the_losses_at_an_undecided_discriminator() -> None:
    zero = torch.zeros(4)
    assert_close(losses.discriminator_loss(zero, zero), 2 * torch.tensor(2.0).log())
    assert_close(losses.non_saturating_loss(zero), torch.tensor(2.0).log())


def test_the_generator_s_gradient_does_not_vanish_where_the_discriminator_is_sure() -> None:
    sure = torch.full((4,), -30.0, requires_grad=True)
    losses.non_saturating_loss(sure).backward()
    assert_close(sure.grad, torch.full((4,), -0.25))


@every_model
def test_networks_make_pictures_and_logits(model: str) -> None:
    generator, discriminator = NETS[model]
    pictures = generator(10, 8)(torch.randn(3, 10))
    assert pictures.shape == (3, 1, 28, 28)
    assert pictures.abs().max() <= 1
    assert discriminator(8)(pictures).shape == (3,)
    assert not isinstance(list(discriminator(8).modules())[-1], torch.nn.Sigmoid)


def test_no_batchnorm_in_the_discriminator_s_first_layer() -> None:
    layers = list(nets.dcgan_discriminator(8).children())
    assert not isinstance(layers[1], torch.nn.BatchNorm2d)


@every_model
def test_each_player_moves_its_own_network_only(model: str) -> None:
    game = made(model)
    before = {name: flat(part.state_dict()) for name, part in game._parts().items()}
    game.g_optimizer.step = lambda *a: None  # type: ignore[method-assign,assignment]
    weights = [p.detach().clone() for p in game.generator.parameters()]
    game.update(1)
    assert all(p.equal(w) for p, w in zip(game.generator.parameters(), weights, strict=True))
    assert flat(game.discriminator.state_dict()) != before["discriminator"]


@every_model
def test_the_game_learns_where_the_ink_is(model: str) -> None:
    config, _ = assemble(CONFIGS[model], [("test", {**PRESETS[model]["quick"], "steps": 60, "images": 300})])
    data = digits(300, seed=1)
    game = GAN(model, config, data, CPU, 0)
    real = data.pixels.mean(dim=0)
    distance = [float((game.sample(100, 0).mean(dim=0) - real).square().mean())]
    for step in range(1, 61):
        torch.manual_seed(step)
        game.update(step)
    distance.append(float((game.sample(100, 0).mean(dim=0) - real).square().mean()))
    assert distance[1] < 0.7 * distance[0]


@every_model
def test_killed_anywhere_it_ends_as_the_uninterrupted(model: str, tmp_path: Path) -> None:
    trained(begun(tmp_path / "whole"), model)
    whole = contents(tmp_path / "whole")
    counted = begun(tmp_path / "counted")
    with dying_at(-1) as seen:
        trained(counted, model)
    for operation in range(5, seen.count, seen.count // 4):
        folder = begun(tmp_path / f"run{operation}")
        with dying_at(operation), pytest.raises(Killed):
            trained(folder, model)
        trained(folder, model)
        assert contents(folder) == whole


@every_model
def test_state_round_trips_strictly(model: str, tmp_path: Path) -> None:
    game = trained(begun(tmp_path / "run"), model)
    other = made(model, seed=9)
    assert flat(other.state_dict()) != flat(game.state_dict())
    other.load_state_dict(game.state_dict())
    assert flat(other.state_dict()) == flat(game.state_dict())


@every_model
def test_the_command_leaves_a_grid_and_can_be_resumed(model: str, tmp_path: Path) -> None:
    words = ["train", "--model", model, "--data", "digits", "--resume", str(tmp_path / "run"), "--quiet"]
    tiny = [word for name, value in TINY.items() for word in ("--" + name.replace("_", "-"), str(value))]
    for options in (tiny, tiny, []):
        result = CliRunner().invoke(imagegan, [*words, *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    assert "samples.png" in result.output
    with Image.open(tmp_path / "run" / "samples.png") as image:
        assert image.size == (560, 560)
    assert describe(tmp_path / "run")["package"] == "imagegan"
    assert len(read_record(tmp_path / "run")) == TINY["steps"]
    with pytest.raises(SeqGANError, match="latent was 6 and is now 7"):
        imagegan.main([*words, "--latent", "7"], standalone_mode=False)


def test_a_run_of_the_other_package_is_refused(tmp_path: Path) -> None:
    from seqgan.cli import seqgan
    from seqgan.generation import load_model

    create(tmp_path / "run", {"package": "imagegan", "algorithm": "dcgan", "seed": 5, "threads": 2}, {})
    with pytest.raises(SeqGANError, match="is a run of imagegan, not of seqgan"):
        load_model(tmp_path / "run")
    with pytest.raises(click.UsageError, match="is a run of imagegan"):
        seqgan.main(["train", "--resume", str(tmp_path / "run")], standalone_mode=False)
