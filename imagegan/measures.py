"""Samples -> rows of numbers: each metric that is printed, with its name and its signature."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from imagegan.data import MODAL, UNLABELLED, ImageDataset, Splits, Stored, as_floats
from imagegan.data.toys import centres
from imagegan.data.triangles import all_triangles
from imagegan.game import Game
from imagegan.metrics import classes as class_metrics
from imagegan.metrics.classes import accuracy, covered, covered_error, imbalance, shares
from imagegan.metrics.codes import MOST_CLASSES, class_found, factors_found
from imagegan.metrics.distances import frechet, kernel_distance
from imagegan.metrics.features import Features, Space, spread
from imagegan.metrics.neighbours import (
    NEIGHBOURS,
    Manifolds,
    Nearest,
    closer,
    closer_error,
    copied,
    manifolds,
    manifolds_left_out,
    nearest,
)
from imagegan.metrics.predictors import AT_ONCE, Images, Predictor
from imagegan.metrics.probe import linearly_right
from imagegan.nets import Classifier
from imagegan.pyramid import Pyramid
from imagegan.samples import Samples
from seqgan.core.game import inference
from seqgan.core.report import Measured
from seqgan.core.stats import jackknife, jackknife_error, standard_error

Row = dict[str, Measured]
PROBED = 10_000  # training images of a linear classifier, at most
ON_MANIFOLD = 0.75  # the largest distance of an image on the manifold, as of the study


def distances(space: Space, samples: Sequence[Features], reference: Sequence[Features], split: str) -> Row:
    """Frechet distance and KID to real images of a split."""
    return {
        f"fd-{space.name}": frechet(space, samples, reference, split),
        f"kid-{space.name}": kernel_distance(space, samples, reference, split),
    }


def manifold(space: Space, samples: Sequence[Features], reference: Sequence[Features], split: str) -> Row:
    """Precision, recall, density and coverage, averaged over the maps of a space."""
    pairs = list(zip(samples, reference, strict=True))
    found = np.mean([manifolds(*pair) for pair in pairs], axis=0)
    errors = jackknife_error(np.mean([manifolds_left_out(*pair) for pair in pairs], axis=0))
    signature = f"{NEIGHBOURS} neighbours [{space}, N={len(samples[0])}, {split}]"
    return {
        metric: Measured(float(value), float(error), signature)
        for metric, value, error in zip(Manifolds._fields, found, errors, strict=True)
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


def copies(images: Images, beside: Nearest, training: Stored) -> Row:
    """The distance to the nearest training image; `beside` is that of held-out images, to compare with."""
    found = nearest(images, training)
    signature = f"in pixels, among {len(training)} training images, N={len(images)}"
    share = copied(found, beside)
    return {
        "nearest": Measured(float(found.distance.mean()), mean_error(found.distance), f"distance {signature}"),
        "closer": Measured(closer(found, beside), closer_error(found, beside), f"than held-out images, {signature}"),
        "copies": Measured(
            share,
            _share_error(share, len(images)),
            f"share less than half as far from a training image as the median held-out image is, {signature}",
        ),
    }


def known_set(samples: Samples, data: str) -> Row:
    """What can be told where every real image is known: the modes of points, the manifold of triangles. Of other data
    nothing."""
    if data in MODAL:
        return modes(samples, data)
    return on_manifold(samples) if data == "triangles" else {}


def on_manifold(samples: Samples) -> Row:
    """The precision of Lucic et al. (2018)."""
    every = all_triangles()
    distance = nearest(samples.pixels, every).distance / 2  # with pixels in [0, 1], as theirs
    share = float((distance <= ON_MANIFOLD).double().mean())
    about = f"share within {ON_MANIFOLD} of one of all {len(every)} triangles, N={len(distance)}"
    return {"on-manifold": Measured(share, _share_error(share, len(distance)), about)}


def modes(samples: Samples, data: str) -> Row:
    points = samples.pixels.flatten(1)
    found = class_metrics.modes(points, data)
    signature = f"N={len(points)}, within 3 standard deviations of a mode"
    about = f"share of the modes of {data} with a tenth of their points, {signature}"
    row = {
        "modes": Measured(found.covered, found.covered_error, about),
        "quality": Measured(found.quality, _share_error(found.quality, len(points)), signature),
    }
    if samples.labels is not None:
        right = accuracy(torch.cdist(points, centres(data)).argmin(dim=1), samples.labels)
        row["accuracy"] = Measured(right, _share_error(right, len(points)), f"by the nearest mode, N={len(points)}")
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
        right = accuracy(found, samples.labels)
        row["accuracy"] = Measured(right, _share_error(right, len(found)), signature)
    return row


def codes(samples: Samples, splits: Splits, classifier: Predictor | None, regressor: Predictor | None) -> Row:
    """How far codes agree with classes and factors, where those of real images are known."""
    row: Row = {}
    if samples.categories is not None and classifier is not None:
        fewer = min(int(samples.categories.max()) + 1, splits.train.classes)
        if fewer <= MOST_CLASSES:
            row["agreement"] = class_found(samples.categories, samples.pixels, classifier)
    if samples.numbers is not None and regressor is not None:
        row |= factors_found(samples.numbers, samples.pixels, regressor, splits.test)
    return row


def classifier_errors(model: Game | Pyramid, test: ImageDataset) -> Row:
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
            row[metric] = Measured(wrong, _share_error(wrong, len(test.labels)), signature)
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
    return {metric: Measured(right, _share_error(right, len(found)), signature)}


def mean_error(values: Tensor) -> float:
    """The standard error of the mean; NaN for a single value."""
    return float(standard_error(values.numpy()))


def _share_error(share: float, count: int) -> float:
    return math.sqrt(share * (1 - share) / count)
