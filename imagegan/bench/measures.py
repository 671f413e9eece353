"""What is measured of a trained model: distances to held-out images, variety, classes, and what its variant is for.

The held-out images are halved. One half is for choosing (validation), the other to report on (test); the distance of
the one to the other is the floor."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch

from imagegan.data import FACTORS, MODAL, TOYS, Images, load
from imagegan.evaluation import draw
from imagegan.game import Batch, Game, View
from imagegan.metrics.classes import accuracy, covered, modes, shares
from imagegan.metrics.classifier import Network, Pictures, network
from imagegan.metrics.codes import MOST_CLASSES, class_found, factors_found
from imagegan.metrics.distances import frechet
from imagegan.metrics.features import Space, spaces_for
from imagegan.penalties import between, gradient_norms
from imagegan.penalties import shares as along
from imagegan.pyramid import Pyramid
from imagegan.samples import Samples
from seqgan.core.report import Measured
from seqgan.core.seed import derive, private_generator

SAMPLES = 1000
SEEN = 500  # pictures between which slopes are measured
CPU = torch.device("cpu")
Row = dict[str, Measured]


class Source(NamedTuple):
    """A set of images: its name, and the folder it is read from where it is not made by the program."""

    name: str
    folder: Path | None = None


class Known(NamedTuple):
    """A set of images and what is derived from its training images, to measure others by."""

    name: str
    train: Images
    validation: Images
    test: Images
    spaces: list[Space]
    classifier: Network | None


@lru_cache(maxsize=2)
def known(source: Source, count: int, seed: int) -> Known:
    """A classifier is trained where the images have labels (and kept, see `network`)."""
    sets = load(source.name, count=count, seed=seed, folder=source.folder)
    half = min(SAMPLES, len(sets.test.pictures) // 2)
    labelled = source.name not in TOYS and bool((sets.train.labels >= 0).all())
    classifier = network(sets.train) if labelled else None
    validation, test = (sets.test.take(slice(at * half, (at + 1) * half)) for at in (0, 1))
    return Known(source.name, sets.train, validation, test, spaces_for(sets.train, classifier), classifier)


def measured(model: Game | Pyramid, of: Known, seed: int) -> dict[str, Row]:
    """The rows "validation" and "test" of a model, from different samples, and "real": held-out images as samples."""
    rows = {"real": alike(of.validation.pixels, of, of.test, "test")}
    for split, images in (("validation", of.validation), ("test", of.test)):
        samples = draw(model, len(images.pictures), derive(seed, "bench", split), of.train)
        rows[split] = alike(samples.pixels, of, images, split)
    rows["test"] |= purpose(model, samples, of, derive(seed, "bench", "purpose"))
    return rows


def alike(pictures: Pictures, of: Known, images: Images, split: str) -> Row:
    """What can be said of any pictures, compared with these images."""
    row = {f"fd-{space.name}": _frechet(space, pictures, images, split) for space in of.spaces}
    varied, real = (float(some.std(dim=0).mean()) for some in (pictures, images.pixels))
    signature = f"deviation of a pixel, of real ones 1 [N={len(pictures)}, {split}]"
    row["variety"] = Measured(varied / real if real else math.nan, math.nan, signature)
    if of.name in MODAL:
        found = modes(pictures.flatten(1), of.name)
        signature = f"[modes of {of.name}, N={len(pictures)}]"
        row["modes"] = Measured(found.covered, found.covered_error, signature)
        row["quality"] = Measured(found.quality, math.nan, signature)
    if of.classifier is not None:
        got = shares(of.classifier.classify(pictures), of.train.classes)
        there = covered(got, shares(of.train.labels, of.train.classes))
        row["classes"] = Measured(there, math.nan, _by(of.classifier, pictures))
    return row


def _frechet(space: Space, pictures: Pictures, images: Images, split: str) -> Measured:
    return frechet(space, space.features(pictures), space.features(images.pixels), split)


def _by(reader: Network, pictures: Pictures) -> str:
    return f"[by labels@{reader.fingerprint()[:8]}, N={len(pictures)}]"


# --- what each variant is for; of any other model the same figure, to compare


def purpose(model: Game | Pyramid, samples: Samples, of: Known, seed: int) -> Row:
    row: Row = {}
    if of.classifier is not None:
        row |= _told(samples, of.classifier, of.train.classes)
    if samples.numbers is not None and of.train.factors.shape[1]:
        found = factors_found(samples.numbers, samples.pixels, network(of.train, "factors"), of.test, FACTORS)
        row["correlation"] = max(found.values(), key=lambda number: number.value)
    if isinstance(model, Pyramid):
        row |= _refined(model, of, seed)
    elif "discriminator" in model.recipe.nets:
        row["slope"] = slope(model, of.test, seed)
    return row


def _told(samples: Samples, classifier: Network, classes: int) -> Row:
    """How often a sample is of the class asked for, and of the one that its code stands for. A model that cannot be
    asked is asked all the same, each class in turn."""
    told = samples.labels if samples.labels is not None else samples.categories
    asked = torch.arange(len(samples.pixels)) % classes if told is None else told
    right = accuracy(classifier.classify(samples.pixels), asked)
    row = {"accuracy": Measured(right, math.nan, _by(classifier, samples.pixels))}
    if min(int(asked.max()) + 1, classes) <= MOST_CLASSES:
        row["agreement"] = class_found(asked, samples.pixels, classifier)
    return row


def _refined(model: Pyramid, of: Known, seed: int) -> Row:
    """The distances of samples of which only so many levels were refined, the others made wider."""
    row: Row = {}
    code = model.recipe.code.in_turn(len(of.test.pictures), CPU, private_generator(seed, "codes"))
    for level in range(len(model.games)):
        pictures = model.sample(len(code), seed, code, refined=level)
        row |= {f"fd-{space.name}-refined-{level}": _frechet(space, pictures, of.test, "test") for space in of.spaces}
    return row


def slope(model: Game, real: Images, seed: int) -> Measured:
    """The mean norm of the discriminator's gradient on points between held-out and generated images."""
    real = real.take(slice(0, SEEN))
    batch = Batch(real.pixels, real.labels)
    view = View(model.recipe, lambda: batch, len(real.pixels), CPU)
    with torch.random.fork_rng(devices=[]), _at_rest(model):
        torch.default_generator.manual_seed(seed)
        with torch.no_grad():
            fake = view.fake
        norms = gradient_norms(view.score, between(real.pixels, fake, along(real.pixels))).detach()
    signature = f"mean |grad D| between test and generated images, N={len(norms)}"
    return Measured(float(norms.mean()), float(norms.std() / math.sqrt(len(norms))), signature)


@contextmanager
def _at_rest(game: Game) -> Iterator[None]:
    """BatchNorm as learned, no dropout."""
    for net in game.recipe.nets.values():
        net.eval()
    yield
    for net in game.recipe.nets.values():
        net.train()
