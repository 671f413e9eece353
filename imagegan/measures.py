"""Samples -> a row of numbers: each metric that is printed, with its name and its signature."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from imagegan.data import UNLABELLED, ImageDataset, Splits
from imagegan.data.dataset import Stored, as_floats
from imagegan.data.toys import MODAL, centres
from imagegan.data.triangles import all_triangles
from imagegan.metrics.classes import (
    accuracy,
    covered,
    covered_error,
    covered_modes,
    imbalance,
    linearly_right,
    share_of,
    shares,
)
from imagegan.metrics.codes import MOST_CLASSES, class_found, factors_found
from imagegan.metrics.distances import FEWEST, frechet, kernel_distance
from imagegan.metrics.features import Features, Space, spaces_for, spread, unlabelled
from imagegan.metrics.neighbours import NEIGHBOURS, Manifolds, closer, copied, manifolds, nearest
from imagegan.metrics.predictors import AT_ONCE, Images, Predictor
from imagegan.nets import Classifier
from imagegan.pyramid import Model
from imagegan.samples import Samples
from seqgan.core.game import inference
from seqgan.core.report import Measured
from seqgan.core.stats import jackknife, jackknife_error, standard_error

Row = dict[str, Measured]
PROBED = 10_000  # training images of a linear classifier, at most
ON_MANIFOLD = 0.75  # the largest distance of an image on the manifold, as of the study


@dataclass(frozen=True)
class Compared:
    """The real images that samples are measured by, and what is derived from them."""

    data: str  # the name of the dataset: of some every image, or every mode, is known
    splits: Splits
    count: int  # of each split; as many samples are measured
    split: str = "train"  # or "test": the images that distances are to
    classifier: Predictor | None = None
    regressor: Predictor | None = None  # of factors
    known: Stored | None = None  # training images among which copies are sought

    @cached_property
    def held_out(self) -> Images:
        return self.splits.test.take(slice(self.count)).pixels

    @cached_property
    def spaces(self) -> list[tuple[Space, list[Features]]]:
        """Each space, with the features of the images that distances are to."""
        train = self.splits.train
        images = self.held_out if self.split == "test" else train.take(slice(self.count)).pixels
        return [(space, space.features(images)) for space in spaces_for(train, self.classifier)]

    @cached_property
    def nearest(self) -> Tensor:
        assert self.known is not None
        return nearest(self.held_out, self.known)


def row_of(samples: Samples, of: Compared, *, kid: bool = False, precision: bool = False) -> Row:
    """The numbers of as many samples; KID, and precision with its likes (in the space that no label has shaped), where
    they are asked for. What is not known of the images is left out."""
    row: Row = {}
    for space, real in of.spaces:
        features = space.features(samples.pixels)
        if of.count < FEWEST:
            reason = f"of {of.count} held-out images there is no distance; {FEWEST} or more are needed"
            row[f"fd-{space.name}"] = Measured.undefined(reason)
        else:
            row[f"fd-{space.name}"] = frechet(space, features, real, of.split)
        if kid:
            row[f"kid-{space.name}"] = kernel_distance(space, features, real, of.split)
        if precision and space.name == unlabelled(of.splits.train).name:
            row |= manifold(space, features, real, of.split)
    row |= variety(samples.pixels, of.held_out)
    if of.known is not None:
        row |= copies(samples.pixels, of.nearest, of.known)
    if of.data in MODAL:
        row |= modes(samples, of.data)
    if of.data == "triangles":
        row |= on_manifold(samples.pixels)
    if of.classifier is not None:
        row |= classes(samples, of.splits.train, of.classifier)
    return row | codes(samples, of)


def manifold(space: Space, samples: Sequence[Features], reference: Sequence[Features], split: str) -> Row:
    """Precision, recall, density and coverage, averaged over the maps of a space."""
    pairs = zip(samples, reference, strict=True)
    found, *without = np.mean([manifolds(*pair, jackknife=True) for pair in pairs], axis=0)
    signature = f"{NEIGHBOURS} neighbours [{space}, N={len(samples[0])}, {split}]"
    return {
        metric: Measured(float(value), float(error), signature)
        for metric, value, error in zip(Manifolds._fields, found, jackknife_error(without), strict=True)
    }


def variety(images: Images, real: Images) -> Row:
    """The standard deviation of a pixel, relative to held-out images."""
    about = "mean standard deviation of a pixel, that of held-out images 1"
    if len(images) < 2:
        return {"variety": Measured.undefined("a single image has none")}
    if not real.std(dim=0).any():
        return {"variety": Measured.undefined("the held-out images are all equal")}

    def varied(some: Images, others: Images) -> float:
        return spread(some) / spread(others)

    # Held-out images beside themselves have no error; beside them, samples have that of both.
    error = math.nan if images is real else float(jackknife(varied, images, real))
    return {"variety": Measured(varied(images, real), error, f"{about}, N={len(images)}")}


def copies(images: Images, beside: Tensor, training: Stored) -> Row:
    """The distance to the nearest training image; `beside` is that of held-out images, to compare with."""
    found = nearest(images, training)
    signature = f"in pixels, among {len(training)} training images, N={len(images)}"
    closer_error = float(jackknife(closer, found, beside))  # the training images are what they are
    about = "share less than half as far from a training image as the median held-out image is"
    return {
        "nearest": mean_of(found, f"distance {signature}"),
        "closer": Measured(closer(found, beside), closer_error, f"than held-out images, {signature}"),
        "copies": share_of(copied(found, beside), len(images), f"{about}, {signature}"),
    }


def on_manifold(images: Images) -> Row:
    """The precision of Lucic et al. (2018)."""
    every = all_triangles()
    distance = nearest(images, every) / 2  # with pixels in [0, 1], as theirs
    about = f"share within {ON_MANIFOLD} of one of all {len(every)} triangles, N={len(distance)}"
    return {"on-manifold": share_of(float((distance <= ON_MANIFOLD).double().mean()), len(distance), about)}


def modes(samples: Samples, data: str) -> Row:
    points = samples.pixels.flatten(1)
    found, error, quality = covered_modes(points, data)
    signature = f"N={len(points)}, within 3 standard deviations of a mode"
    row = {
        "modes": Measured(found, error, f"share of the modes of {data} with a tenth of their points, {signature}"),
        "quality": share_of(quality, len(points), signature),
    }
    if samples.labels is not None:
        right = accuracy(torch.cdist(points, centres(data)).argmin(dim=1), samples.labels)
        row["accuracy"] = share_of(right, len(points), f"by the nearest mode, N={len(points)}")
    return row


def classes(samples: Samples, train: ImageDataset, classifier: Predictor) -> Row:
    found = classifier.classify(samples.pixels)
    got, real = shares(found, train.classes), shares(train.labels, train.classes)
    signature = f"by labels@{classifier.fingerprint()[:8]}, N={len(found)}"
    error = covered_error(got, real, len(found))
    unbalanced = jackknife(lambda some: imbalance(shares(some, train.classes), real), found)
    row = {
        "classes": Measured(covered(got, real), error, f"share with a tenth of their real number, {signature}"),
        "imbalance": Measured(imbalance(got, real), float(unbalanced), f"share in the wrong class, {signature}"),
    }
    if samples.labels is not None:
        row["accuracy"] = share_of(accuracy(found, samples.labels), len(found), signature)
    return row


def codes(samples: Samples, of: Compared) -> Row:
    """How far codes agree with classes and factors, where those of real images are known."""
    row: Row = {}
    categories, most = samples.categories, of.splits.train.classes - 1
    if categories is not None and of.classifier is not None and min(int(categories.max()), most) < MOST_CLASSES:
        row["agreement"] = class_found(categories, samples.pixels, of.classifier)
    if samples.numbers is not None and of.regressor is not None:
        row |= factors_found(samples.numbers, samples.pixels, of.regressor, of.splits.test)
    return row


def classifier_errors(model: Model, test: ImageDataset) -> Row:
    """The test errors of a semi-supervised classifier and of its supervised baseline, where a model has them."""
    test = test.take(test.labels != UNLABELLED)
    row: Row = {}
    for name, net in model.recipe.nets.items():
        if isinstance(net, Classifier) and len(test.labels):
            with inference(net):
                parts = [net.logits(as_floats(some).to(model.device)).cpu() for some in test.images.split(AT_ONCE)]
            wrong = 1 - accuracy(torch.cat(parts).argmax(dim=1), test.labels)
            signature = f"share of held-out images in the wrong class, by the {name}, N={len(test.labels)}"
            metric = "test-error" if name == "discriminator" else f"test-error-{name}"
            row[metric] = share_of(wrong, len(test.labels), signature)
    return row


def linear(metric: str, what: str, of: Callable[[Images], Tensor], splits: Splits) -> Row:
    """How often a linear classifier of some features names the class of held-out images; nothing without labels."""
    train, test = (some.take(some.labels != UNLABELLED) for some in splits)
    if not len(train.labels) or not len(test.labels):
        return {}
    train = train.take(slice(0, PROBED))
    known, found = (torch.cat([of(as_floats(part)) for part in some.images.split(AT_ONCE)]) for some in (train, test))
    right = float(linearly_right(known, train.labels, found, test.labels).double().mean())
    signature = f"accuracy of a linear classifier of {what}, trained on {len(known)} images, N={len(found)}"
    return {metric: share_of(right, len(found), signature)}


def mean_of(values: Tensor, signature: str) -> Measured:
    """With its standard error; NaN for a single value."""
    return Measured(float(values.mean()), float(standard_error(values.numpy())), signature)
