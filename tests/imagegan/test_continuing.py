"""What a variant saves is all that it needs: loaded again after any round, it goes on as if nothing had happened."""

import io
from typing import Any

import pytest
import torch

from imagegan.game import Game
from imagegan.pyramid import Pyramid
from imagegan.variants import VARIANTS
from imagegan.variants import wgan as wgan_m
from seqgan.core.seed import seed_everything
from tests.imagegan.tiny import made
from tests.killing import flat

ROUNDS = 6


def new(model: str) -> Game | Pyramid:
    return made(model, seed=3, steps=ROUNDS, ema=0.5, **({"conditional": True} if model == "lapgan" else {}))


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    loaded: dict[str, Any] = torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)
    return loaded


def played(model: str, stops: set[int]) -> str:
    """All rounds of all levels, with a new model that has loaded the state of the old one after each stop."""
    game, done = new(model), 0
    for number in range(len(game.phases())):
        for step in range(1, ROUNDS + 1):
            phase = game.phases()[number]
            seed_everything(3, phase.name, step)
            phase.update(step)
            done += 1
            if done in stops:
                state, game = through_a_file(game.state_dict()), new(model)
                game.load_state_dict(state)
                torch.rand(7)  # what happens between two processes is no part of the run
    return flat(game.state_dict())


@pytest.mark.parametrize("model", list(VARIANTS))
def test_stopped_in_the_middle_it_goes_on_with_averages_frames_and_bursts(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wgan_m, "FIRST", 2)  # the stop at 2 lies between a burst and the usual turns
    monkeypatch.setattr(wgan_m, "EVERY", 4)
    whole = played(model, set())
    assert played(model, {2, 5, ROUNDS + 1, 2 * ROUNDS}) == whole
    assert "averaged" in whole
    assert "'history'" in whole
