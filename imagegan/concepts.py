"""Concepts in latents and filters of a generator: vector arithmetic by them, and the filters that draw one dropped
(Radford et al. 2016, sections 6.3.1 and 6.3.2).

The paper picked images and marked windows by hand; here a classifier of the training images, and a regressor of their
factors, do so. A concept is a class ("7"), or one side of a factor ("high slant")."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from imagegan.data import Splits
from imagegan.generation import images_of
from imagegan.latents import Latents
from imagegan.metrics.predictors import Images, Predictor, predictor
from imagegan.pyramid import Model
from seqgan.core.config import nearest
from seqgan.core.seed import private_generator
from seqgan.errors import UsageError, quoted

LOOKED_AT = 2000  # samples among which a concept is sought
FEWEST = 20  # of them must show it, and as many must not
DECAY = 1e-3  # L2, of the weights of standardised features

Degrees = Float[Tensor, "N K"]


class Concepts(NamedTuple):
    """The concepts of a set of images, and the networks that see them."""

    names: tuple[str, ...]
    classifier: Predictor | None
    regressor: Predictor | None

    def degrees(self, images: Images) -> Degrees:
        """How clearly an image shows each concept; above 0 where it does. Of a class: its logit less the largest other;
        of a factor: how far it is above, or below, the middle of its range."""
        parts = []
        if self.classifier is not None:
            logits = self.classifier.predict(images)
            first, second = logits.topk(2).values.t()[:, :, None]
            parts.append(logits - torch.where(logits == first, second, first))
        if self.regressor is not None:
            factors = self.regressor.predict(images)
            parts += [factors, -factors]
        return torch.cat(parts, dim=1)

    def number(self, name: str) -> int:
        """Of a concept (a UsageError where there is no such)."""
        if name not in self.names:
            raise UsageError(f"there is no concept {quoted(name)} here{nearest(name, self.names)}")
        return self.names.index(name)

    def sum_of(self, text: str) -> list[int]:
        """The concepts of A-B+C, whose names may hold signs themselves.

        Raises:
            UsageError: it is no such sum."""
        name = rf"\s*({'|'.join(map(re.escape, self.names))})\s*"
        if found := re.fullmatch(rf"{name}-{name}\+{name}", text):
            return [self.names.index(name) for name in found.groups()]
        raise UsageError(
            f"{quoted(text)} is no CONCEPT-CONCEPT+CONCEPT, such as {'-'.join(self.names[:2])}+{self.names[-1]}; the "
            f"concepts are {', '.join(self.names)}"
        )


def concepts_of(splits: Splits) -> Concepts:
    """The classes and factors of these images.

    Raises:
        UsageError: they have neither."""
    train = splits.train
    classes = train.class_names if train.classes > 1 and train.labelled else ()
    sides = [f"{side} {name}" for side in ("high", "low") for name in train.factor_names]
    if not (names := (*classes, *sides)):
        raise UsageError("these images have neither labels nor known factors, so there are no concepts")
    return Concepts(names, predictor(train) if classes else None, predictor(train, "factors") if sides else None)


def sampled(model: Model, concepts: Concepts, seed: int) -> tuple[Latents, Degrees]:
    """Samples, and how clearly each shows each concept."""
    latents = model.prior.draw(LOOKED_AT, seed)
    return latents, concepts.degrees(images_of(model, latents))


def clearest(latents: Latents, degrees: Float[Tensor, "N"], name: str) -> Latents:
    """The three that show a concept most clearly.

    Raises:
        UsageError: fewer show it."""
    largest, chosen = degrees.topk(3)
    if largest[-1] <= 0:
        raise UsageError(
            f"of {len(degrees)} samples {int((largest > 0).sum())} show {name}, but three are needed; choose "
            "another concept, or train longer"
        )
    return latents.take(chosen)


# --- filters


class Dropped(NamedTuple):
    """What dropping the filters of a concept does to samples."""

    filters: Bool[Tensor, "F"]
    before: Images
    after: Images
    shares: tuple[float, float, float]  # of new samples that show the concept: before, after, without as many at random


@torch.no_grad()
def without_filters(model: Model, concepts: Concepts, concept: int, shown: int, seed: int) -> Dropped:
    """Drop the quarter of the filters of the second highest layer with the largest positive weights in a logistic
    regression of the concept. New samples are drawn with and without them and, for comparison, without random ones.

    The paper drops all with a positive weight, of many more filters.

    Raises:
        UsageError: the samples hardly ever show the concept, or always."""
    with hidden_layer(model) as seen:
        present = sampled(model, concepts, seed)[1][:, concept] > 0
    name, showing = concepts.names[concept], int(present.sum())
    if not FEWEST <= showing <= LOOKED_AT - FEWEST:
        raise UsageError(
            f"{showing} of {LOOKED_AT} samples show {name}; between {FEWEST} and {LOOKED_AT - FEWEST} are needed to "
            "find its filters; choose another concept"
        )
    weights = logistic_regression(torch.cat(seen), present)
    filters = torch.zeros(len(weights), dtype=torch.bool)
    filters[weights.topk(max(1, len(weights) // 4)).indices] = True
    filters &= weights > 0
    others = filters[torch.randperm(len(filters), generator=private_generator(seed, "filters"))]
    new = model.prior.draw(LOOKED_AT, seed + 1)
    drawn = []
    for gone in (torch.zeros_like(filters), filters, others):
        with hidden_layer(model, gone):
            drawn.append(images_of(model, new))
    shares = [float((concepts.degrees(images)[:, concept] > 0).double().mean()) for images in drawn]
    return Dropped(filters, drawn[0][:shown], drawn[1][:shown], (shares[0], shares[1], shares[2]))


@contextmanager
def hidden_layer(model: Model, dropped: Bool[Tensor, "F"] | None = None) -> Iterator[list[Tensor]]:
    """The inputs of the last layer but one of the (finest) generator, averaged over the image, of each batch that is
    drawn within the block; with some filters set to zero."""
    seen: list[Tensor] = []
    kinds = nn.Linear | nn.Conv2d | nn.ConvTranspose2d
    layers = [layer for layer in model.games[-1].generator.modules() if isinstance(layer, kinds)]

    def look(layer: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        [activations] = given
        seen.append(activations.flatten(2).mean(dim=2).cpu() if activations.dim() > 2 else activations.cpu())
        if dropped is None:
            return None
        kept = (~dropped).to(activations).view(1, -1, *[1] * (activations.dim() - 2))
        return (activations * kept,)

    handle = layers[-2].register_forward_pre_hook(look)
    try:
        yield seen
    finally:
        handle.remove()


@torch.enable_grad()
def logistic_regression(features: Float[Tensor, "N F"], present: Bool[Tensor, "N"]) -> Float[Tensor, "F"]:
    """The weights by which standardised features tell whether something is present: maximum likelihood with a little
    L2, by L-BFGS."""
    deviation = features.std(dim=0)
    inputs = (features - features.mean(dim=0)) / torch.where(deviation > 0, deviation, torch.inf)
    line = nn.Linear(inputs.shape[1], 1)
    for parameter in line.parameters():
        nn.init.zeros_(parameter)
    optimizer = torch.optim.LBFGS(line.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        wrong = binary_cross_entropy_with_logits(line(inputs).flatten(), present.float())
        total = wrong + DECAY * line.weight.square().sum()
        total.backward()
        return total

    optimizer.step(loss)
    return line.weight.detach().flatten()
