"""A picture as a coarse one and what is finer at each level (Burt and Adelson 1983), and a game for each."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch.nn.functional import avg_pool2d, interpolate

from imagegan.data.dataset import Stored
from imagegan.game import Game, Labels, Recipe
from imagegan.history import SampleHistory
from imagegan.latents import Codes, Latents, Prior
from imagegan.nets import Pictures
from imagegan.variants.configs import ImageConfig
from seqgan.core.checkpoint import ANYTHING, check
from seqgan.core.phase import Phase
from seqgan.core.seed import derive


def coarser(pictures: Pictures) -> Pictures:
    """Half as wide: d(I)."""
    return avg_pool2d(pictures, 2)


def at_level(finest: Pictures, halvings: int) -> Pictures:
    """A picture at a level so many below the finest."""
    for _ in range(halvings):
        finest = coarser(finest)
    return finest


def wider(pictures: Pictures) -> Pictures:
    """Twice as wide: u(I)."""
    return interpolate(pictures, scale_factor=2, mode="nearest")


def low(pictures: Pictures) -> Pictures:
    """What is left of a picture at the next level, in its own size: u(d(I))."""
    return wider(coarser(pictures))


def high(pictures: Pictures) -> Pictures:
    """What the next level cannot show: h = I - u(d(I)). Denton et al. (2015), equation 3."""
    return pictures - low(pictures)


class Pyramid:
    """A game for each level, the coarsest first; each is played on real pictures of its level alone."""

    def __init__(
        self,
        recipes: Sequence[Recipe],
        config: ImageConfig,
        pictures: Stored,
        labels: Labels,
        device: torch.device,
        seed: int,
    ) -> None:
        self.device, self.seed, self.pictures = device, seed, pictures.to(device)
        self.games = []
        for level, recipe in enumerate(recipes):
            preprocess = partial(at_level, halvings=len(recipes) - 1 - level)
            name = f"level {level + 1}"
            self.games.append(Game(recipe, config, self.pictures, labels, device, seed, name, preprocess))
        self.history = SampleHistory(self.prior, derive(seed, "shown"), self.pictures)

    def phases(self) -> Sequence[Phase]:
        """Filmed as whole pictures, with the levels that have learned nothing yet left out."""
        phases: list[Phase] = []
        for level, game in enumerate(self.games):
            before = sum(phase.steps for phase in phases)
            phases.append(self.history.record(game.phase, partial(self.draw, refined=level), before))
        return phases

    @property
    def recipe(self) -> Recipe:
        """Of the coarsest level, which says what code there is."""
        return self.games[0].recipe

    @property
    def prior(self) -> Prior:
        return Prior(sum(game.prior.noise for game in self.games), self.recipe.code)

    def draw(self, latents: Latents, refined: int | None = None) -> Pictures:
        """Draw a coarse picture, then at each level what is finer; levels above `refined` are only made wider."""
        noises = latents.noise.split([game.prior.noise for game in self.games], dim=1)
        parts = [latents._replace(noise=noise) for noise in noises]
        pictures = self.games[0].draw(parts[0])
        for level, game in enumerate(self.games[1:], start=1):
            pictures = wider(pictures)
            if refined is None or level <= refined:
                pictures = pictures + game.draw(parts[level], pictures)
        return pictures.clamp(-1, 1)

    def sample(self, count: int, seed: int, codes: Codes | None = None, refined: int | None = None) -> Pictures:
        """Pictures that depend on the seed and the codes alone; without codes, of each category in turn."""
        return self.draw(self.prior.draw(count, seed, codes), refined)

    def state_dict(self) -> dict[str, Any]:
        return {**{game.name: game.state_dict() for game in self.games}, "history": self.history.frames}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        check(state, {**{game.name: ANYTHING for game in self.games}, "history": self.history.like})
        for game in self.games:
            game.load_state_dict(state[game.name])
        self.history.frames = state["history"]

    def exports(self) -> Mapping[str, bytes]:
        weights = {
            f"{game.name.replace(' ', '-')}/{name}.safetensors": data
            for game in self.games
            for name, data in game.weights().items()
        }
        return {**weights, **self.history.exports(self.draw)}
