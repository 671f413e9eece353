"""What is measured of a trained model: distances to held-out images, variety, classes.

What a choice may be based on is the distance to validation images; what is told is that to as many test images. The
distance between the two is the floor."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from imagegan.data import TOYS, ImageDataset, Splits, load
from imagegan.data.dataset import counted
from imagegan.evaluation import learned, of_pixels
from imagegan.generation import draw_samples
from imagegan.measures import Compared, Row, row_of
from imagegan.metrics.distances import frechet
from imagegan.metrics.features import unlabelled
from imagegan.metrics.predictors import predictor
from imagegan.pyramid import Model
from imagegan.samples import Samples
from seqgan.core.seed import derive
from seqgan.errors import DataError

SAMPLES = 1000


class Source(NamedTuple):
    """A set of images: its name, and the folder it is read from where it is not made by the program."""

    name: str
    folder: Path | None = None

    def within(self, out: Path) -> Path:
        """The folder of its runs."""
        return out / self.name.replace("/", "-")


class Known(NamedTuple):
    """What the runs on a set of images have in common."""

    test: Compared
    valid: ImageDataset
    real: Row  # validation images in the place of samples


@lru_cache(maxsize=2)
def known(source: Source, count: int, seed: int) -> Known:
    """A classifier is trained where the images have labels (and cached, see `predictor`).

    Raises:
        DataError: there are too few images for a validation split."""
    splits = load(source.name, count=count, held_out=SAMPLES, seed=seed, folder=source.folder)
    (train, test), valid = splits, splits.valid
    if valid is None:
        raise DataError(
            f"{source.name} has {counted(len(train.images), 'training image')}, too few for a validation split; "
            "200 or more are needed"
        )
    fewer = min(SAMPLES, len(valid.images), len(test.images))
    valid = valid.take(slice(fewer))
    classifier = predictor(train) if source.name not in TOYS and train.labelled else None
    of = Compared(source.name, Splits(train, test), fewer, "test", classifier)
    return Known(of, valid, row_of(Samples(valid.pixels), of, precision=True) | of_pixels(of.splits))


def measured(model: Model, of: Known, seed: int) -> dict[str, Row]:
    """The rows "test", of samples, with what the networks have learned of the classes; "real", of validation images in
    their place; and "valid": the distance of the samples to validation images, in the one space that no label has
    shaped."""
    train = of.test.splits.train
    samples = draw_samples(model, of.test.count, derive(seed, "bench", "test"), train)
    space = unlabelled(train)
    distance = frechet(space, space.features(samples.pixels), space.features(of.valid.pixels), "validation")
    row = row_of(samples, of.test, precision=True) | learned(model, of.test.splits)
    return {"real": of.real, "test": row, "valid": {f"fd-{space.name}": distance}}
