"""The Laplacian pyramid of an image (Burt and Adelson 1983), and a game for each of its levels."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate

from imagegan.data.dataset import Labels, Stored
from imagegan.game import Game, Recipe
from imagegan.history import SampleHistory
from imagegan.latents import Latents, Prior
from imagegan.nets import Images
from imagegan.variants.configs import ImageConfig
from seqgan.core.checkpoint import ANYTHING, check
from seqgan.core.phase import Phase
from seqgan.core.seed import derive


def downsampled(images: Images) -> Images:
    """Half the height and width: d(I)."""
    return avg_pool2d(images, 2)


def at_level(finest: Images, halvings: int) -> Images:
    """An image after so many halvings of its height and width."""
    for _ in range(halvings):
        finest = downsampled(finest)
    return finest


def upsampled(images: Images) -> Images:
    """Twice the height and width: u(I)."""
    return interpolate(images, scale_factor=2, mode="nearest")


def low(images: Images) -> Images:
    """The low frequencies of an image, at its own size: u(d(I))."""
    return upsampled(downsampled(images))


def coarsened(images: Images, halvings: int) -> Images:
    """What so many halvings leave of an image, at its own size: u(...u(d(...d(I))))."""
    return upsampled(coarsened(downsampled(images), halvings - 1)) if halvings else images


def high(images: Images) -> Images:
    """The high frequencies, which the next coarser level lacks: h = I - u(d(I)). Denton et al. (2015), equation 3."""
    return images - low(images)


class Pyramid:
    """A game for each level, the coarsest first; each trains on real images of its level alone."""

    def __init__(
        self,
        recipes: Sequence[Recipe],
        config: ImageConfig,
        images: Stored,
        labels: Labels,
        device: torch.device,
        seed: int,
    ) -> None:
        self.device, self.seed, self.images = device, seed, images.to(device)
        self.games = []
        for level, recipe in enumerate(recipes):
            preprocess = partial(at_level, halvings=len(recipes) - 1 - level)
            name = f"level {level + 1}"
            self.games.append(Game(recipe, config, self.images, labels, device, seed, name, preprocess))
        self.history = SampleHistory(self.prior, derive(seed, "shown"), self.images)

    def phases(self) -> Sequence[Phase]:
        """The history shows whole images, without the levels that are not trained yet."""
        phases: list[Phase] = []
        for level, game in enumerate(self.games):
            before = sum(phase.steps for phase in phases)
            phases.append(self.history.record(game.phase, partial(self.draw, refined=level), before))
        return phases

    @property
    def recipe(self) -> Recipe:
        """Of the coarsest level; all levels have its code."""
        return self.games[0].recipe

    @property
    def prior(self) -> Prior:
        return Prior(sum(game.prior.noise for game in self.games), self.recipe.code)

    def draw(self, latents: Latents, refined: int | None = None) -> Images:
        """Generate a coarse image, then at each level I = u(I') + h (equation 4); above level `refined` only u(I')."""
        noises = latents.noise.split([game.prior.noise for game in self.games], dim=1)
        parts = [latents._replace(noise=noise) for noise in noises]
        images = self.games[0].draw(parts[0])
        for level, game in enumerate(self.games[1:], start=1):
            images = upsampled(images)
            if refined is None or level <= refined:
                images = images + game.draw(parts[level], images)
        return images.clamp(-1, 1)

    def state_dict(self) -> dict[str, Any]:
        return {**{game.name: game.state_dict() for game in self.games}, "history": self.history.frames}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        check(state, {**{game.name: ANYTHING for game in self.games}, "history": self.history.like})
        for game in self.games:
            game.load_state_dict(state[game.name])
        self.history.frames = state["history"]

    def exports(self) -> Mapping[str, bytes]:
        return self.history.exports(self.draw, self.files())

    def files(self) -> dict[str, nn.Module]:
        """Every network by the name of its file, in a folder for each level."""
        return {
            f"{game.name.replace(' ', '-')}/{name}": net for game in self.games for name, net in game.files().items()
        }


Model = Game | Pyramid
