"""Samples x data -> numbers: what `imagegan evaluate` prints.

Held-out real images are measured beside the samples, as many of them: their distance is the floor, below which no
generator should be expected to go."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from imagegan import measures
from imagegan.data import TOYS, Splits
from imagegan.data.dataset import need_labels
from imagegan.game import Game
from imagegan.generation import draw_samples, features_of, load_model, untrained
from imagegan.measures import Row
from imagegan.metrics.codes import factors_read
from imagegan.metrics.distances import FEWEST
from imagegan.metrics.features import small, spaces_for
from imagegan.metrics.neighbours import nearest
from imagegan.metrics.predictors import Predictor, predictor
from imagegan.pyramid import Pyramid
from imagegan.runs import load_images, read_run
from imagegan.samples import Labels, Samples
from imagegan.summary import summary
from seqgan import __version__
from seqgan.core.bounds import Whole
from seqgan.core.report import rows_as_json
from seqgan.core.run import checkpoints
from seqgan.core.schema import json_bytes
from seqgan.errors import DataError

COUNT = 2000  # samples to measure
COUNTED = Whole(FEWEST)
NEIGHBOURLY = ("random", "pca64")  # for precision and recall, the first that there is: spaces without labels


def evaluate_runs(
    folders: Sequence[Path],
    device: torch.device,
    *,
    count: int = COUNT,
    seed: int = 0,
    stage: str = "final",
    cache: Path | None = None,
) -> dict[str, Row]:
    """A row for each run (at this stage), and one of held-out images for each of their datasets.

    Raises:
        RunError: a folder is not a run of this package, has no checkpoint yet, or its images have changed."""
    different = list(dict.fromkeys(folders))
    names = {
        folder: folder.name if [f.name for f in different].count(folder.name) == 1 else str(folder)
        for folder in different
    }
    alike: dict[str, list[Path]] = {}
    for folder in different:
        alike.setdefault(read_run(folder).description["data"]["sha256"], []).append(folder)
    rows: dict[str, Row] = {}
    held_out: dict[str, Row] = {}
    for several in alike.values():
        models = {names[folder]: load_model(folder, device, stage) for folder in several}
        data = read_run(several[0]).description["data"]["name"]
        splits = load_images(several[0], held_out=count)
        measured = evaluate(
            {name: draw_samples(model, count, seed, splits.train) for name, model in models.items()},
            splits,
            data,
            cache=cache,
        )
        for (name, model), folder in zip(models.items(), several, strict=True):
            measured[name] |= measures.classifier_errors(model, splits.test)
            measured[name] |= _linear(model, untrained(read_run(folder), device), splits)
            if "linear" in measured[name] and "linear" not in measured["held-out"]:
                measured["held-out"] |= measures.linear("linear", "pixels", small, splits)
        held_out["held-out" if len(alike) == 1 else f"held-out of {names[several[0]]}"] = measured.pop("held-out")
        rows |= measured
    return {**{name: rows[name] for name in dict.fromkeys(names.values())}, **held_out}


def _linear(model: Game | Pyramid, before: Game | Pyramid, splits: Splits) -> Row:
    """What a linear classifier reads in the features that a model has learned, and in those that it began with."""
    row: Row = {}
    for metric, kind, which in (("linear", "", model), ("linear-untrained", "untrained ", before)):
        if found := features_of(which):
            row |= measures.linear(metric, kind + found[0], found[1], splits)
    return row


def evaluate(
    several: Mapping[str, Samples],
    splits: Splits,
    data: str,
    *,
    classifier: Predictor | None = None,
    cache: Path | None = None,
) -> dict[str, Row]:
    """Name of the row -> metric -> number, for each set of samples and for held-out real images, of equal number.

    `data` is the name of the dataset (points have modes). Labelled images need a `classifier`, which is trained and
    cached where none is given.

    Raises:
        DataError: the samples are of another shape than the images, or too few."""
    expected = splits.train.images.shape[1:]
    for samples in several.values():
        if (shape := samples.pixels.shape[1:]) != expected:
            came, wanted = (" x ".join(map(str, sizes)) for sizes in (shape, expected))
            either = "choose the data" + (" or --size" if shape[1:] != expected[1:] else ", or convert them")
            raise DataError(f"the samples are images of {came}, those of {data} of {wanted}; {either}")
        if samples.labels is not None:
            if data not in TOYS:
                need_labels(splits.train, "the accuracy of the samples' labels", data)
            _refuse_foreign(samples.labels, splits.train.classes, data)
    there = {"held-out images": len(splits.test.images), "training images": len(splits.train.images)}
    there |= {f"images among {name}": len(samples.pixels) for name, samples in several.items()}
    fewest = min(there, key=lambda name: there[name])
    if (count := there[fewest]) < FEWEST:
        fewest = fewest.replace("images", "image") if count == 1 else fewest
        raise DataError(
            f"{count} {fewest} cannot be measured; {FEWEST} or more are needed of each, better thousands "
            "(of a folder without a test split a tenth is held out)"
        )
    real = splits.test.take(slice(0, count))
    labelled = data not in TOYS and splits.train.classes > 0 and bool((splits.train.labels >= 0).all())
    if classifier is None and labelled:
        classifier = predictor(splits.train, folder=cache)
    parts = {name: samples.first(count) for name, samples in several.items()}
    asked = any(part.labels is not None for part in parts.values())
    with_labels = (labelled or asked) and bool((real.labels >= 0).all())
    parts["held-out"] = Samples(real.pixels, real.labels if with_labels else None)
    rows: dict[str, Row] = {name: {} for name in parts}
    reference = splits.train.take(slice(0, count)).pixels
    spaces = spaces_for(splits.train, classifier)
    neighbourly = next(space for name in NEIGHBOURLY for space in spaces if space.name == name)
    for space in spaces:
        known = space.features(reference)
        for name, some in parts.items():
            row, features = rows[name], space.features(some.pixels)
            row |= measures.distances(space, features, known, "train")
            if space is neighbourly:
                row |= measures.manifold(space, features, known, "train")
    held_out = parts["held-out"].pixels
    beside = nearest(held_out, splits.train.images)
    for name, some in parts.items():
        rows[name] |= measures.variety(some.pixels, held_out) | measures.copies(
            some.pixels, beside, splits.train.images
        )
        rows[name] |= measures.known_set(some, data)
        if classifier is not None:
            rows[name] |= measures.classes(some, splits.train, classifier)
    if any(some.categories is not None or some.numbers is not None for some in parts.values()):
        regressor = predictor(splits.train, "factors", folder=cache) if splits.train.factors.shape[1] else None
        for name, some in parts.items():
            rows[name] |= measures.codes(some, splits, classifier, regressor)
        if regressor is not None:
            rows["held-out"]["factors-read"] = factors_read(regressor, splits.test)
    return rows


def _refuse_foreign(labels: Labels, classes: int, data: str) -> None:
    low, high = int(labels.min()), int(labels.max())
    if classes and not 0 <= low <= high < classes:
        raise DataError(
            f"the samples have the label {low if low < 0 else high}, but {data} has labels from 0 to {classes - 1}; "
            "choose the data, or number the classes alike"
        )


def steps_learned(folder: Path, stage: str = "final") -> int | None:
    """The steps after which a stage was saved; None of the best one, which lies between two checkpoints."""
    return None if stage == "best" else int(stage) if stage != "final" else max(checkpoints(folder), default=0)


def written(rows: Mapping[str, Row], facts: Mapping[str, Any]) -> bytes:
    """As JSON: null for a number that is not defined, or where there is no standard error."""
    return json_bytes({"version": __version__, "rows": rows_as_json(rows), "summary": summary(rows), **facts})
