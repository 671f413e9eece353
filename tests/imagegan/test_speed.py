"""The bench of speed compares equals: the plain loop learns what ours learns."""

import json
from typing import cast

import pytest
import torch
from click.testing import CliRunner
from torch.testing import assert_close

from imagegan.bench.speed import PlainTraining, measure
from imagegan.cli import imagegan
from imagegan.data import ImageDataset
from imagegan.game import Game
from imagegan.latents import CodeSpec
from imagegan.training import new_model, shape_of
from imagegan.variants.configs import DCGANConfig
from tests.imagegan.tiny import CPU, config_of

WAYS = ["plain loop", "plain loop, new noise for G", "imagegan", "imagegan --reuse-fakes"]


@pytest.mark.parametrize("reuse_fakes", [False, True])
def test_a_plain_round_leaves_the_networks_of_ours(reuse_fakes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On images that are all the same, whichever are drawn; without a code, for which ours draws numbers."""
    monkeypatch.setattr(CodeSpec, "draw", lambda code, count, device, rng=None: torch.zeros(count, 0))
    pixels = torch.arange(16 * 16).to(torch.uint8).view(1, 1, 16, 16).expand(20, 1, 16, 16)
    images = ImageDataset(pixels, torch.zeros(0, dtype=torch.long), torch.zeros(20, 0))
    config = config_of("dcgan", size=16, ema=0.0, reuse_fakes=reuse_fakes)
    game = new_model("dcgan", config, images, shape_of(images), CPU, 0)
    assert isinstance(game, Game)
    plain = PlainTraining(game, new_noise=not reuse_fakes)
    for step in (1, 2):
        torch.manual_seed(step)
        plain.round()
        torch.manual_seed(step)
        torch.randint(20, (config.batch_size,))  # the plain loop draws its images from the same generator
        game.update(step)
    for name, net in (("generator", plain.generator), ("discriminator", plain.discriminator)):
        expected = net.state_dict()
        for part, value in game.recipe.nets[name].state_dict().items():
            assert_close(value, expected[part], rtol=1e-3, atol=1e-4, msg=lambda told, part=part: f"{part}: {told}")


def test_each_way_takes_its_turns() -> None:
    found = measure(cast(DCGANConfig, config_of("dcgan")), CPU, pairs=1, rounds=1)
    assert list(found) == WAYS
    assert found["plain loop"].ratio == found["plain loop"].best == 1
    assert all(timing.seconds > 0 and timing.ratio > 0 and timing.best > 0 for timing in found.values())


def test_the_command_prints_them() -> None:
    words = ["bench", "speed", "--preset", "quick", "--pairs", "1", "--rounds", "1", "--threads", "1"]
    result = CliRunner().invoke(imagegan, [*words, "--json"], catch_exceptions=False)
    told = json.loads(result.output)
    assert list(told["ways"]) == WAYS
    assert told["threads"] == 1
    result = CliRunner().invoke(imagegan, words, catch_exceptions=False)
    assert all(name in result.output for name in WAYS)
