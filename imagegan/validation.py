"""Numbers during training: how far samples are from validation images, and the generator that came nearest.

Validation images are neither trained on nor part of the closing table, so that choosing by them flatters no number."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn.functional import one_hot

from imagegan.data import ImageDataset, Splits
from imagegan.game import Game
from imagegan.metrics.distances import Moments, frechet_distance, moments
from imagegan.metrics.features import spread, unlabelled
from imagegan.metrics.predictors import AT_ONCE
from imagegan.pyramid import Model, Pyramid, coarsened
from seqgan.core import distributed
from seqgan.core.checkpoint import check
from seqgan.core.phase import Metrics, Phase
from seqgan.core.schema import COUNT, NUMBER
from seqgan.core.seed import derive
from seqgan.core.weights import clone


class Validation:
    """Frechet distance and variety of samples, against the same validation images each time: in `random` features, of
    points in the plane in `pca64` (which are their coordinates)."""

    def __init__(self, model: Model, train: ImageDataset, valid: ImageDataset) -> None:
        self.model, self.space = model, unlabelled(train)
        self.images, codes = valid.pixels, None
        if model.recipe.conditional:  # samples are of the classes of the validation images
            classes = model.recipe.code.categories
            known = (valid.labels >= 0) & (valid.labels < classes)
            self.images, codes = self.images[known], one_hot(valid.labels[known], classes).float()
        self.latents = model.prior.draw(len(self.images), derive(model.seed, "validation"), codes)
        self._moments: dict[int, list[Moments]] = {}  # of the validation images, by level

    def measure(self, level: int) -> dict[str, float]:
        """While this level of a pyramid is trained, without the details that finer ones add: neither has them."""
        draw, finer = self.model.draw, 0
        if isinstance(self.model, Pyramid):
            draw, finer = partial(self.model.draw, refined=level), len(self.model.games) - 1 - level
        real = coarsened(self.images, finer)
        parts = (self.latents.take(slice(at, at + AT_ONCE)) for at in range(0, len(real), AT_ONCE))
        samples = torch.cat([draw(part).cpu() for part in parts])
        if not samples.isfinite().all():
            return {"valid_fd": math.nan}  # the run ends with this number
        if level not in self._moments:
            self._moments[level] = [moments(some) for some in self.space.features(real)]
        pairs = zip(self.space.features(samples), self._moments[level], strict=True)
        distance = float(np.mean([frechet_distance(moments(some), known) for some, known in pairs]))
        varied = {"valid_variety": spread(samples) / spread(real)} if spread(real) else {}
        return {"valid_fd": distance, **varied}


class Validated:
    """A model and its validation, as the training loop sees them: the phases of the model with a check every so many
    rounds, and its state with the best generator of each phase."""

    def __init__(self, model: Model, splits: Splits | None = None, every: int = 0) -> None:
        """`every` 0, or no validation images: nothing is measured."""
        self.model, self.every = model, every
        self.validation = Validation(model, splits.train, splits.valid) if every and splits and splits.valid else None
        self.best: dict[str, dict[str, Any]] = {game.name: {} for game in model.games}

    def phases(self) -> Sequence[Phase]:
        if self.validation is None:
            return self.model.phases()
        return [
            replace(phase, check=partial(self._check, game, level), validate_every=self.every * game.recipe.rounds)
            for level, (phase, game) in enumerate(zip(self.model.phases(), self.model.games, strict=True))
        ]

    def _check(self, game: Game, level: int, step: int) -> Metrics:
        assert self.validation is not None
        measured = distributed.on_rank_zero(partial(self.validation.measure, level))
        if measured["valid_fd"] < self.best[game.name].get("fd", torch.inf):
            self.best[game.name] = {"fd": measured["valid_fd"], "step": step, "weights": clone(game.generator)}
        return measured

    def use_best(self) -> bool:
        """Load the best generator (of a pyramid that of each level) into the model, if there is one."""
        for game in self.model.games:
            if found := self.best[game.name]:
                game.generator.load_state_dict(found["weights"])
        return any(self.best.values())

    def state_dict(self) -> dict[str, Any]:
        return {**self.model.state_dict(), "best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        parts = {game.name: {"fd": NUMBER, "step": COUNT, "weights": game.generator} for game in self.model.games}
        check(state.get("best"), {name: ({}, like) for name, like in parts.items()}, "best")
        self.model.load_state_dict({name: part for name, part in state.items() if name != "best"})
        self.best = dict(state["best"])

    def exports(self) -> Mapping[str, bytes]:
        return self.model.exports()
