"""Time a round of DCGAN beside the plain loop with the same networks, in turns.

A machine that slows down slows both, so a ratio of neighbours means more than a time."""

import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch

from imagegan.bench.naive import PlainTraining
from imagegan.data import load
from imagegan.game import Game
from imagegan.training import new_model, shape_of
from imagegan.variants.configs import DCGANConfig
from seqgan.core.device import timed
from seqgan.core.seed import seed_everything

ROUNDS = 20  # timed in one go


class Timing(NamedTuple):
    """Of one way to train."""

    seconds: float  # of a round, the median
    ratio: float  # to the plain round beside it, the median
    best: float  # of the fastest round to the fastest plain one


def ways(config: DCGANConfig, device: torch.device) -> dict[str, Callable[[int], object]]:
    """What takes a round, by name; the first is what the others are compared with."""
    images = load("digits", count=config.images, held_out=1, seed=0, size=config.size).train

    def game(reuse_fakes: bool) -> Game:
        changed = replace(config, reuse_fakes=reuse_fakes)
        made = new_model("dcgan", changed, images, shape_of(images), device, 0)
        assert isinstance(made, Game)
        return made

    def as_trained(game: Game) -> Callable[[int], object]:
        def round(step: int) -> None:
            seed_everything(game.seed, 0, game.name, step)
            game.update(step)

        return round

    plain, renewed = PlainTraining(game(False)), PlainTraining(game(False), new_noise=True)
    return {
        "plain loop": lambda step: plain.round(),
        "plain loop, new noise for G": lambda step: renewed.round(),
        "imagegan": as_trained(game(False)),
        "imagegan --reuse-fakes": as_trained(game(True)),
    }


def measure(config: DCGANConfig, device: torch.device, pairs: int, rounds: int = ROUNDS) -> dict[str, Timing]:
    """Each way in turn, `pairs` times."""
    taken: dict[str, list[float]] = {}
    step = 0
    chosen = ways(config, device)
    for _ in range(pairs + 1):
        for name, once in chosen.items():

            def some(once: Callable[[int], object] = once, first: int = step + 1) -> None:
                for number in range(rounds):
                    once(first + number)

            taken.setdefault(name, []).append(timed(some, device) / rounds)
        step += rounds
    seconds = {name: times[1:] for name, times in taken.items()}  # without the first, which warms up
    reference = next(iter(seconds.values()))
    return {
        name: Timing(
            statistics.median(times),
            statistics.median(own / plain for own, plain in zip(times, reference, strict=True)),
            min(times) / min(reference),
        )
        for name, times in seconds.items()
    }
