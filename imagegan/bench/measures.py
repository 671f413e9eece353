"""What is measured of a trained model: distances to held-out images, variety, classes.

What a choice may be based on is the distance to validation images; what is told is that to as many test images. The
distance between the two is the floor."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from imagegan import measures
from imagegan.data import TOYS, ImageDataset, Splits, load
from imagegan.data.dataset import counted
from imagegan.game import Game
from imagegan.generation import draw_samples
from imagegan.measures import Row
from imagegan.metrics.distances import frechet
from imagegan.metrics.features import Space, spaces_for, unlabelled
from imagegan.metrics.predictors import Predictor, predictor
from imagegan.pyramid import Pyramid
from imagegan.samples import Samples
from seqgan.core.report import Measured
from seqgan.core.seed import derive
from seqgan.errors import DataError

SAMPLES = 1000


class Source(NamedTuple):
    """A set of images: its name, and the folder it is read from where it is not made by the program."""

    name: str
    folder: Path | None = None


class Known(NamedTuple):
    """A set of images and what is derived from its training images, to measure others by."""

    name: str
    train: ImageDataset
    valid: ImageDataset
    test: ImageDataset
    spaces: list[Space]
    classifier: Predictor | None
    real: Row  # validation images in the place of samples


@lru_cache(maxsize=2)
def known(source: Source, count: int, seed: int) -> Known:
    """A classifier is trained where the images have labels (and cached, see `predictor`).

    Raises:
        DataError: there are too few images for a validation split."""
    splits = load(source.name, count=count, held_out=SAMPLES, seed=seed, folder=source.folder)
    if splits.valid is None:
        raise DataError(
            f"{source.name} has {counted(len(splits.train.images), 'training image')}, too few for a validation split; "
            "200 or more are needed"
        )
    some = slice(0, min(SAMPLES, len(splits.valid.images), len(splits.test.images)))
    labelled = source.name not in TOYS and bool((splits.train.labels >= 0).all())
    classifier = predictor(splits.train) if labelled else None
    valid, test = splits.valid.take(some), splits.test.take(some)
    of = Known(source.name, splits.train, valid, test, spaces_for(splits.train, classifier), classifier, {})
    return of._replace(real=row_of(Samples(valid.pixels), of))


def measured(model: Game | Pyramid, of: Known, seed: int) -> dict[str, Row]:
    """The rows "test", of samples, "real", of validation images in their place, and "valid": the distance of the
    samples to validation images, in the one space that no label has shaped."""
    samples = draw_samples(model, len(of.test.images), derive(seed, "bench", "test"), of.train)
    space = unlabelled(of.train)
    valid = {f"fd-{space.name}": distance(space, samples, of.valid, "validation")}
    return {"real": of.real, "test": row_of(samples, of), "valid": valid}


def distance(space: Space, samples: Samples, real: ImageDataset, split: str) -> Measured:
    return frechet(space, space.features(samples.pixels), space.features(real.pixels), split)


def row_of(samples: Samples, of: Known) -> Row:
    """The numbers of any samples, compared with the test images."""
    row: Row = {f"fd-{space.name}": distance(space, samples, of.test, "test") for space in of.spaces}
    row |= measures.variety(samples.pixels, of.test.pixels)
    row |= measures.known_set(samples, of.name)
    space = unlabelled(of.train)
    features, real = (space.features(pixels) for pixels in (samples.pixels, of.test.pixels))
    row |= measures.manifold(space, features, real, "test")
    if of.classifier is not None:
        row |= measures.classes(samples, of.train, of.classifier)
        row |= measures.codes(samples, Splits(of.train, of.test), of.classifier, None)
    return row
