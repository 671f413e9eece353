"""A round of each variant by the rules of a GPU: no two devices meet, and nothing waits for the device."""

import pytest
import torch

from imagegan import game as game_m
from imagegan import training as training_m
from imagegan.data import ImageDataset
from imagegan.game import Game
from imagegan.nets import Shape
from imagegan.pyramid import Pyramid
from imagegan.training import new_model
from imagegan.variants import VARIANTS
from seqgan.core import game as core_game
from tests import pretend
from tests.imagegan.mutants import Mutant, mutated
from tests.imagegan.tiny import config_of


def one_round(model: str) -> None:
    """Without an averaged generator: what has no values cannot be copied."""
    changes = {"conditional": True} if model == "lapgan" else {}
    with pretend.device() as device, pytest.MonkeyPatch.context() as patched:
        # labels have no values here, by which some could be chosen
        patched.setattr(training_m, "few_labels", lambda labels, count, seed: labels)
        patched.setattr(game_m, "with_label", lambda labels: torch.arange(len(labels)))
        with pretend.setting_up():
            images = torch.zeros(50, 1, 28, 28, dtype=torch.uint8)
            images = ImageDataset(images, torch.zeros(50, dtype=torch.long), torch.zeros(50, 0))
            made = new_model(model, config_of(model, ema=0.0, **changes), images, Shape(1, 28, 10), device, 0)
        with pretend.allowed(Game, "chosen"):
            for game in made.games if isinstance(made, Pyramid) else [made]:
                measured = game.update(30)
                assert all(torch.as_tensor(value).device == device for value in measured.values())


@pytest.mark.parametrize("model", list(VARIANTS))
def test_a_round_keeps_to_the_rules_of_a_gpu(model: str) -> None:
    one_round(model)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("move", "value.detach()", "torch.tensor(value.item())"),
        ("move", "loss.backward()", "loss.isfinite().all() and loss.backward()"),
        ("Game.view", "size, self.device", "size, CPU"),
        ("Game.chosen", ".to(self.device)", ""),
    ],
)
def test_what_waits_or_mixes_devices_is_noticed(name: str, old: str, new: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(game_m, "CPU", torch.device("cpu"), raising=False)
        with (
            mutated(Mutant(core_game if name == "move" else game_m, name, old, new)),
            pytest.raises((RuntimeError, pretend.Crossing)),
        ):
            one_round("dcgan")
