"""Samples x data -> numbers: what `imagegan evaluate` prints. Held-out real images are measured beside the samples, as
many of them: their distance is the floor, which no generator should be expected to go below."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from imagegan.data import TOYS, Images, Sets
from imagegan.data.images import from_bytes, need_labels
from imagegan.metrics import Measured
from imagegan.metrics.classes import accuracy, covered, imbalance, modes, shares
from imagegan.metrics.distances import FEWEST, frechet, frechet_infinity, kernel_distance, read_arrays
from imagegan.metrics.neighbours import NEIGHBOURS, closer, manifolds, nearest
from imagegan.metrics.networks import Network, Pictures, network
from imagegan.metrics.spaces import spaces_for
from seqgan import __version__
from seqgan.errors import DataError

Labels = Int[Tensor, "N"]
Row = dict[str, Measured]
NEIGHBOURLY = ("random", "pca64")  # the spaces for precision and recall, the first that there is: without labels
AGAINST = "train"


class Samples(NamedTuple):
    pixels: Pictures
    labels: Labels | None  # what they were to be, where that was said

    def first(self, count: int) -> "Samples":
        return Samples(self.pixels[:count], None if self.labels is None else self.labels[:count])


def read_samples(path: Path) -> Samples:
    """An npz file with `samples` (or `images`, or a single array): bytes, N x S x S (x 3), or numbers in [-1, 1],
    N x C x S x S; and perhaps `labels`.

    Raises:
        DataError: the file cannot be read, or holds something else."""
    found = read_arrays(path)
    labels = found.pop("labels", None)
    usual: list[str] = [name for name in ("samples", "images") if name in found]
    if not usual and len(found) != 1:
        raise DataError(f"{path} holds {', '.join(found) or 'nothing'}; an array called samples was expected")
    array = found[usual[0] if usual else next(iter(found))]
    if array.dtype == np.uint8:
        images = from_bytes(array, labels, str(path))
        return Samples(images.pixels, None if labels is None else images.labels)
    if (
        array.ndim != 4
        or array.dtype.kind != "f"
        or array.shape[1] not in (1, 2, 3)
        or array.shape[2] != array.shape[3]
    ):
        shape = " x ".join(map(str, array.shape))
        raise DataError(
            f"{path} holds {array.dtype} values of {shape}; bytes of N x S x S (x 3), or numbers in [-1, 1] of "
            "N x C x S x S were expected"
        )
    if not array.size or not np.isfinite(array).all() or np.abs(array).max() > 1.001:
        raise DataError(f"{path} holds values outside of [-1, 1], or none at all")
    if labels is not None and (labels.shape != array.shape[:1] or labels.dtype.kind not in "iu"):
        raise DataError(f"{path}: a whole number as a label was expected for each of {len(array)} samples")
    pixels = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
    return Samples(pixels, None if labels is None else torch.from_numpy(labels.astype(np.int64)))


def evaluate_samples(
    samples: Samples, sets: Sets, data: str, *, classifier: Network | None = None, cache: Path | None = None
) -> dict[str, Row]:
    """Name of the row -> metric -> number, for the samples and for held-out real images, equally many of both.

    `data` is the name of the set, for toys have modes. A labelled set gets a `classifier`, trained and kept in `cache`
    where none is given.

    Raises:
        DataError: the samples are of another shape than the images, or too few."""
    shape, expected = samples.pixels.shape[1:], sets.train.pixels.shape[1:]
    if shape != expected:
        came, wanted = (" x ".join(map(str, sizes)) for sizes in (shape, expected))
        raise DataError(f"the samples are pictures of {came}, those of {data} of {wanted}; choose the data or --size")
    count = min(len(samples.pixels), len(sets.test.pixels), len(sets.train.pixels))
    if count < FEWEST:
        raise DataError(f"{count} images cannot be measured; {FEWEST} or more are needed, better thousands")
    real = sets.test.take(slice(0, count))
    labelled = data not in TOYS and sets.train.classes > 0 and bool((sets.train.labels >= 0).all())
    if samples.labels is not None and data not in TOYS:
        need_labels(sets.train, "the accuracy of the samples' labels", data)
    if classifier is None and labelled:
        classifier = network(sets.train, folder=cache)
    rows: dict[str, Row] = {}
    parts = {
        "samples": samples.first(count),
        "held-out": Samples(real.pixels, real.labels if labelled else None),
    }
    reference = sets.train.pixels[:count]
    for space in spaces_for(sets.train, classifier):
        known = space.features(reference)
        for name, some in parts.items():
            row, features = rows.setdefault(name, {}), space.features(some.pixels)
            row[f"fd-{space.name}"] = frechet(space, features, known, AGAINST)
            row[f"fd-{space.name}-infinity"] = frechet_infinity(space, features, known, AGAINST)
            row[f"kid-{space.name}"] = kernel_distance(space, features, known, AGAINST)
            if space.name in NEIGHBOURLY:
                found = np.mean([manifolds(x, y) for x, y in zip(features, known, strict=True)], axis=0)
                signature = f"{NEIGHBOURS} neighbours [{space}, N={count}, {AGAINST}]"
                for metric, value in zip(("precision", "recall", "density", "coverage"), found, strict=True):
                    row[metric] = Measured(float(value), math.nan, signature)
    for name, some in parts.items():
        rows[name] |= _copies(some.pixels, real.pixels, sets.train.pixels)
        if data in ("ring", "grid"):
            rows[name] |= _modes(some.pixels, data)
        if classifier is not None:
            rows[name] |= _classes(some, sets.train, classifier)
    return rows


def _copies(pictures: Pictures, real: Pictures, training: Pictures) -> Row:
    found, beside = nearest(pictures, training), nearest(real, training)
    signature = f"in pixels, among {len(training)} training images, N={len(pictures)}"
    return {
        "nearest": Measured(float(found.distance.mean()), _error(found.distance), f"distance {signature}"),
        "closer": Measured(closer(found, beside), math.nan, f"than held-out images, {signature}"),
    }


def _modes(pictures: Pictures, data: str) -> Row:
    share, quality = modes(pictures.flatten(1), data)
    signature = f"N={len(pictures)}, within 3 standard deviations of a mode"
    return {
        "modes": Measured(share, math.nan, f"share of the modes of {data} with a tenth of their points, {signature}"),
        "quality": Measured(quality, _share_error(quality, len(pictures)), signature),
    }


def _classes(samples: Samples, train: Images, classifier: Network) -> Row:
    found = classifier.classify(samples.pixels)
    got, real = shares(found, train.classes), shares(train.labels, train.classes)
    signature = f"by labels@{classifier.fingerprint()[:8]}, N={len(found)}"
    row = {
        "classes": Measured(covered(got, real), math.nan, f"share with a tenth of their real number, {signature}"),
        "imbalance": Measured(imbalance(got, real), math.nan, f"share in the wrong class, {signature}"),
    }
    if samples.labels is not None:
        right = accuracy(found, samples.labels)
        row["accuracy"] = Measured(right, _share_error(right, len(found)), signature)
    return row


def _error(values: Tensor) -> float:
    return float(values.std() / math.sqrt(len(values)))


def _share_error(share: float, count: int) -> float:
    return math.sqrt(share * (1 - share) / count)


class Line(NamedTuple):
    metric: str
    cells: list[str]  # one for each row
    signature: str


def lines(rows: Mapping[str, Row]) -> Iterator[Line]:
    """A line for each metric, with what every row has there."""
    for metric in dict.fromkeys(name for row in rows.values() for name in row):
        measured = [row.get(metric) for row in rows.values()]
        signatures = dict.fromkeys(number.signature for number in measured if number is not None)
        yield Line(metric, [as_cell(number) for number in measured], "; ".join(signatures))


def as_cell(number: Measured | None) -> str:
    """`2.31 ±0.12`; four digits, and for the error two."""
    if number is None:
        return ""
    return f"{number.value:.4g}" + ("" if math.isnan(number.stderr) else f" ±{number.stderr:.2g}")


def as_json(rows: Mapping[str, Row], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Null where there is no standard error."""
    numbers = {
        name: {
            metric: {**number._asdict(), "stderr": None if math.isnan(number.stderr) else number.stderr}
            for metric, number in row.items()
        }
        for name, row in rows.items()
    }
    return {"version": __version__, "rows": numbers, **facts}
