"""Samples x data -> numbers: what `imagegan evaluate` prints, and the few that `imagegan train` ends with.

Held-out real images are measured beside the samples, as many of them: their distance is the floor, below which no
generator should be expected to go."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imagegan.data import TOYS, ImageDataset, Splits
from imagegan.data.dataset import counted, need_labels
from imagegan.game import Batch, Game, View
from imagegan.generation import draw_samples, features_of
from imagegan.measures import Compared, Row, classifier_errors, linear, mean_of, row_of
from imagegan.metrics.codes import factors_read
from imagegan.metrics.distances import FEWEST
from imagegan.metrics.features import small
from imagegan.metrics.predictors import predictor
from imagegan.model import load_model, untrained
from imagegan.pyramid import Model
from imagegan.runs import load_images, read_run
from imagegan.samples import Samples
from imagegan.summary import summary
from seqgan import __version__
from seqgan.core.bounds import Whole
from seqgan.core.page import names_of
from seqgan.core.report import Measured, rows_as_json
from seqgan.core.run import checkpoints
from seqgan.core.schema import json_bytes
from seqgan.core.seed import seed_everything
from seqgan.errors import DataError

COUNT = 2000  # samples to measure
COUNTED = Whole(FEWEST)
FIRST = 1000  # samples after a training, at most
KNOWN = 10_000  # training images among which copies are sought then
WATCHED = {
    "d_accuracy": "accuracy of the discriminator",
    "distance": "how much higher the critic scores",
    "loss_gap": "how much lower the loss function is",
    "convergence": "the measure M by which a training is stopped",
}


def evaluate_runs(
    folders: Sequence[Path], device: torch.device, *, count: int = COUNT, seed: int = 0, stage: str = "final"
) -> dict[str, Row]:
    """A row for each run (at this stage), and one of held-out images for each of their datasets.

    Raises:
        RunError: a folder is not a run of this package, has no checkpoint yet, or its images have changed."""
    different = list(dict.fromkeys(folders))
    names = dict(zip(different, names_of(different), strict=True))
    alike: dict[str, list[Path]] = {}
    for folder in different:
        alike.setdefault(read_run(folder).description["data"]["sha256"], []).append(folder)
    rows: dict[str, Row] = {}
    held_out: dict[str, Row] = {}
    for several in alike.values():
        models = {names[folder]: load_model(folder, device, stage) for folder in several}
        splits, data = load_images(several[0], held_out=count), read_run(several[0]).description["data"]["name"]
        samples = {name: draw_samples(model, count, seed, splits.train) for name, model in models.items()}
        measured = evaluate(samples, splits, data)
        for (name, model), folder in zip(models.items(), several, strict=True):
            measured[name] |= learned(model, splits)
            if found := features_of(untrained(read_run(folder), device)):  # what it began with
                measured[name] |= linear("linear-untrained", f"untrained {found[0]}", found[1], splits)
            if "linear" in measured[name] and "linear" not in measured["held-out"]:
                measured["held-out"] |= of_pixels(splits)
        held_out["held-out" if len(alike) == 1 else f"held-out of {names[several[0]]}"] = measured.pop("held-out")
        rows |= measured
    return {**{name: rows[name] for name in dict.fromkeys(names.values())}, **held_out}


def evaluate(several: Mapping[str, Samples], splits: Splits, data: str) -> dict[str, Row]:
    """Name of the row -> metric -> number, for each set of samples and for held-out real images, of equal number.

    `data` is the name of the dataset (points have modes). For labelled images a classifier is trained, and cached.

    Raises:
        DataError: the samples are of another shape than the images, or too few."""
    train, test = splits
    expected = train.images.shape[1:]
    for samples in several.values():
        if (shape := samples.pixels.shape[1:]) != expected:
            came, wanted = (" x ".join(map(str, sizes)) for sizes in (shape, expected))
            either = "choose the data" + (" or --size" if shape[1:] != expected[1:] else ", or convert them")
            raise DataError(f"the samples are images of {came}, those of {data} of {wanted}; {either}")
        if samples.labels is not None:
            if data not in TOYS:
                need_labels(train, "the accuracy of the samples' labels", data)
            low, high = int(samples.labels.min()), int(samples.labels.max())
            if train.classes and not 0 <= low <= high < train.classes:
                raise DataError(
                    f"the samples have the label {low if low < 0 else high}, but {data} has labels from 0 to "
                    f"{train.classes - 1}; choose the data, or number the classes alike"
                )
    there = {"held-out images": len(test.images), "training images": len(train.images)}
    there |= {f"images among {name}": len(samples.pixels) for name, samples in several.items()}
    fewest = min(there, key=lambda name: there[name])
    if (count := there[fewest]) < FEWEST:
        fewest = fewest.replace("images", "image") if count == 1 else fewest
        raise DataError(
            f"{count} {fewest} cannot be measured; {FEWEST} or more are needed of each, better thousands "
            "(of a folder without a test split a tenth is held out)"
        )
    labelled = data not in TOYS and train.labelled
    classifier = predictor(train) if labelled else None
    coded = any(some.categories is not None or some.numbers is not None for some in several.values())
    regressor = predictor(train, "factors") if coded and train.factors.shape[1] else None
    of = Compared(data, splits, count, "train", classifier, regressor, train.images)
    labels = test.labels[:count]
    with_labels = labelled or any(some.labels is not None for some in several.values())
    real = Samples(of.held_out, labels if with_labels and bool((labels >= 0).all()) else None)
    parts = {**{name: some.take(slice(count)) for name, some in several.items()}, "held-out": real}
    rows = {name: row_of(some, of, kid=True, precision=True) for name, some in parts.items()}
    if regressor is not None:
        rows["held-out"]["factors-read"] = factors_read(regressor, test)
    return rows


def learned(model: Model, splits: Splits) -> Row:
    """What a model has learned of the classes of held-out images: the errors of its classifiers, and the accuracy of a
    linear classifier of its features."""
    found = features_of(model)
    return classifier_errors(model, splits.test) | (linear("linear", *found, splits) if found else {})


def of_pixels(splits: Splits) -> Row:
    """The accuracy of a linear classifier of pixels, to hold that of features against."""
    return linear("linear", "pixels", small, splits)


def first_numbers(model: Model, splits: Splits, data: str, seed: int = 0) -> dict[str, Row]:
    """What `imagegan train` ends with, within seconds: the distance of samples to training images, their variety, and
    whether they are copies, beside held-out images; and how well the discriminator classifies both."""
    count = min(FIRST, len(splits.test.images), len(splits.train.images))
    of = Compared(data, splits, count, known=splits.train.images[:KNOWN])
    samples = draw_samples(model, count, seed, splits.train)._replace(labels=None, categories=None, numbers=None)
    rows = {name: row_of(some, of) for name, some in (("samples", samples), ("held-out", Samples(of.held_out)))}
    real = splits.test.take(slice(count))
    rows["samples"] |= classifier_errors(model, real)
    recipe = model.recipe
    if recipe.conditional:  # the discriminator knows no other labels
        real = real.take((real.labels >= 0) & (real.labels < recipe.code.categories))
    if isinstance(model, Game):
        rows["samples"] |= _watched(model, real, seed)
    return rows


@torch.no_grad()
def _watched(model: Game, real: ImageDataset, seed: int) -> Row:
    """What the players watch, on held-out images: the discriminator in train mode, so in
    batches as large as those of training, whose statistics BatchNorm takes, and with dropout; the generator is the one
    that draws the samples."""
    watched = {name: of for player in model.recipe.players.values() for name, of in player.watch.items()}
    size = min(model.config.batch_size, len(real.labels))
    count = len(real.labels) // max(1, size) * size
    seed_everything(seed, "judged")
    nets = {name: copy.deepcopy(net).train() for name, net in model.recipe.nets.items()}  # as it was: forwards count
    recipe = replace(model.recipe, nets={**nets, "generator": copy.deepcopy(model.generator).eval()})
    row: Row = {}
    values: dict[str, list[Tensor]] = {name: [] for name in watched}
    for at in torch.arange(count).split(size) if size > 1 else []:
        some = real.take(at)
        held_out = Batch(some.pixels.to(model.device), some.labels.to(model.device))
        view = View(recipe, partial(Batch, *held_out), size, model.device)
        for name, of in watched.items():
            values[name].append(of(view).cpu())
    for name, parts in values.items():
        about = f"{WATCHED.get(name, name)}: held-out images against samples"
        row[name.replace("_", "-")] = (
            mean_of(torch.cat(parts), f"{about}, in batches of {size} as it learns, N={count}")
            if parts
            else Measured.undefined(f"{about}: {counted(len(real.labels), 'image')} cannot be a batch")
        )
    return row


def steps_learned(folder: Path, stage: str = "final") -> int | None:
    """The steps after which a stage was saved; None of the best one, which lies between two checkpoints."""
    return None if stage == "best" else int(stage) if stage != "final" else max(checkpoints(folder), default=0)


def written(rows: Mapping[str, Row], facts: Mapping[str, Any]) -> bytes:
    """As JSON: null for a number that is not defined, or where there is no standard error."""
    return json_bytes({"version": __version__, "rows": rows_as_json(rows), "summary": summary(rows), **facts})
