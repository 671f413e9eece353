"""Samples x data -> numbers: what `imagegan evaluate` prints, and the few of them that `imagegan train` ends with.

Held-out real images are measured beside the samples, as many of them: their distance is the floor, which no generator
should be expected to go below."""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import one_hot

from imagegan.data import FACTORS, MODAL, TOYS, Images, Sets
from imagegan.data.dataset import Stored, counted, need_labels
from imagegan.data.toys import centres
from imagegan.game import Batch, Game, View
from imagegan.generation import load_model
from imagegan.latents import Codes
from imagegan.metrics.classes import accuracy, covered, covered_error, imbalance, modes, shares
from imagegan.metrics.classifier import Network, Pictures, network
from imagegan.metrics.codes import MOST_CLASSES, class_found, factors_found, factors_read
from imagegan.metrics.distances import FEWEST, frechet, frechet_infinity, kernel_distance
from imagegan.metrics.features import Features, Space, spaces_for
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
from imagegan.pyramid import Pyramid
from imagegan.samples import Labels, Samples
from imagegan.summary import remarks
from imagegan.training import images_of, understood
from seqgan import __version__
from seqgan.core.report import Measured, rows_as_json
from seqgan.core.run import checkpoints
from seqgan.core.schema import json_bytes
from seqgan.core.seed import derive, private_generator, seed_everything
from seqgan.core.stats import jackknife, jackknife_error, standard_error
from seqgan.errors import DataError

Row = dict[str, Measured]
COUNT, FIRST_COUNT = 2000, 1000  # samples to measure: when asked to, and at the end of training
FIRST_KNOWN = 10_000  # training images among which copies are sought at the end of training
AT_A_TIME = 100
NEIGHBOURLY = ("random", "pca64")  # the spaces for precision and recall, the first that there is: without labels
AGAINST = "train"


def draw(model: Game | Pyramid, count: int, seed: int, train: Images) -> Samples:
    """Samples that depend on the seed alone. Classes are asked for as often as the training images are of them, codes
    as often as in training."""
    rng = private_generator(seed, "evaluation")
    code, cpu = model.recipe.code, torch.device("cpu")
    labels = train.labels[torch.randint(len(train.labels), (count,), generator=rng)] if model.recipe.labelled else None
    codes = code.draw(count, cpu, rng) if labels is None else one_hot(labels, code.categories).float()
    parts = [
        model.sample(len(some), derive(seed, "evaluation", part), some).cpu()
        for part, some in enumerate(codes.split(AT_A_TIME))
    ]
    return Samples(torch.cat(parts), labels, *(_taken_apart(model, codes) if labels is None else ()))


def _taken_apart(model: Game | Pyramid, codes: Codes) -> tuple[Labels | None, Float[Tensor, "N U"] | None]:
    """The category and the numbers of a code, as far as it has them."""
    code = model.recipe.code
    categories = codes[:, : code.categories].argmax(dim=1) if code.categories else None
    return categories, codes[:, code.categories :] if code.continuous else None


def evaluate_model(
    model: Game | Pyramid,
    sets: Sets,
    data: str,
    *,
    count: int = COUNT,
    seed: int = 0,
    classifier: Network | None = None,
    cache: Path | None = None,
) -> dict[str, Row]:
    """`evaluate_samples` of `count` samples that a model draws."""
    return evaluate_samples(draw(model, count, seed, sets.train), sets, data, classifier=classifier, cache=cache)


def evaluate_runs(
    folders: Sequence[Path], device: torch.device, *, count: int = COUNT, seed: int = 0, cache: Path | None = None
) -> dict[str, Row]:
    """A row for each run (as far as it has come), and one of held-out images for each set that they learned from.

    Raises:
        RunError: a folder is no run of this package, has learned nothing yet, or its images have changed."""
    different = list(dict.fromkeys(folders))
    names = {
        folder: folder.name if [f.name for f in different].count(folder.name) == 1 else str(folder)
        for folder in different
    }
    alike: dict[str, list[Path]] = {}
    for folder in different:
        alike.setdefault(understood(folder).description["data"]["sha256"], []).append(folder)
    rows: dict[str, Row] = {}
    held_out: dict[str, Row] = {}
    for several in alike.values():
        models = {names[folder]: load_model(folder, device) for folder in several}
        data = understood(several[0]).description["data"]["name"]
        sets = images_of(several[0], held_out=count)
        measured = evaluate(
            {name: draw(model, count, seed, sets.train) for name, model in models.items()}, sets, data, cache=cache
        )
        held_out["held-out" if len(alike) == 1 else f"held-out of {names[several[0]]}"] = measured.pop("held-out")
        rows |= measured
    return {**{name: rows[name] for name in dict.fromkeys(names.values())}, **held_out}


def steps_learned(folder: Path) -> int:
    """How far the newest state of a run has come."""
    return max(checkpoints(folder), default=0)


def evaluate_samples(
    samples: Samples, sets: Sets, data: str, *, classifier: Network | None = None, cache: Path | None = None
) -> dict[str, Row]:
    """Name of the row -> metric -> number, for the samples and for held-out real images: `evaluate` of a single set."""
    return evaluate({"samples": samples}, sets, data, classifier=classifier, cache=cache)


def evaluate(
    several: Mapping[str, Samples],
    sets: Sets,
    data: str,
    *,
    classifier: Network | None = None,
    cache: Path | None = None,
) -> dict[str, Row]:
    """Name of the row -> metric -> number, for each set of samples and for held-out real images, equally many of all.

    `data` is the name of the set, for toys have modes. A labelled set gets a `classifier`, trained and kept in `cache`
    where none is given.

    Raises:
        DataError: the samples are of another shape than the images, or too few."""
    expected = sets.train.pictures.shape[1:]
    for samples in several.values():
        if (shape := samples.pixels.shape[1:]) != expected:
            came, wanted = (" x ".join(map(str, sizes)) for sizes in (shape, expected))
            either = "choose the data" + (" or --size" if shape[1:] != expected[1:] else ", or convert them")
            raise DataError(f"the samples are pictures of {came}, those of {data} of {wanted}; {either}")
        if samples.labels is not None:
            if data not in TOYS:
                need_labels(sets.train, "the accuracy of the samples' labels", data)
            _refuse_foreign(samples.labels, sets.train.classes, data)
    there = {"held-out images": len(sets.test.pictures), "training images": len(sets.train.pictures)}
    there |= {f"images among {name}": len(samples.pixels) for name, samples in several.items()}
    fewest = min(there, key=lambda name: there[name])
    if (count := there[fewest]) < FEWEST:
        fewest = fewest.replace("images", "image") if count == 1 else fewest
        raise DataError(
            f"{count} {fewest} cannot be measured; {FEWEST} or more are needed of each, better thousands "
            "(of a folder without a test split a tenth is held out)"
        )
    real = sets.test.take(slice(0, count))
    labelled = data not in TOYS and sets.train.classes > 0 and bool((sets.train.labels >= 0).all())
    if classifier is None and labelled:
        classifier = network(sets.train, folder=cache)
    parts = {name: samples.first(count) for name, samples in several.items()}
    asked = any(part.labels is not None for part in parts.values())
    told = (labelled or asked) and bool((real.labels >= 0).all())
    parts["held-out"] = Samples(real.pixels, real.labels if told else None)
    rows: dict[str, Row] = {name: {} for name in parts}
    reference = sets.train.take(slice(0, count)).pixels
    spaces = spaces_for(sets.train, classifier)
    neighbourly = next(space for name in NEIGHBOURLY for space in spaces if space.name == name)
    for space in spaces:
        known = space.features(reference)
        for name, some in parts.items():
            row, features = rows[name], space.features(some.pixels)
            row[f"fd-{space.name}"] = frechet(space, features, known, AGAINST)
            row[f"fd-{space.name}-infinity"] = frechet_infinity(space, features, known, AGAINST)
            row[f"kid-{space.name}"] = kernel_distance(space, features, known, AGAINST)
            if space is neighbourly:
                row |= _neighbours(space, features, known)
    held_out = parts["held-out"].pixels
    beside = nearest(held_out, sets.train.pictures)
    for name, some in parts.items():
        rows[name] |= _variety(some.pixels, held_out) | _copies(some.pixels, beside, sets.train.pictures)
        if data in MODAL:
            rows[name] |= _modes(some, data)
        if classifier is not None:
            rows[name] |= _classes(some, sets.train, classifier)
    if any(some.categories is not None or some.numbers is not None for some in parts.values()):
        _codes(rows, parts, sets, classifier, cache)
    return rows


def _codes(
    rows: Mapping[str, Row], parts: Mapping[str, Samples], sets: Sets, classifier: Network | None, cache: Path | None
) -> None:
    """What the codes of samples have found, where classes and factors of real images are known."""
    reader = network(sets.train, "factors", folder=cache) if sets.train.factors.shape[1] else None
    for name, some in parts.items():
        if some.categories is not None and classifier is not None:
            fewer = min(int(some.categories.max()) + 1, sets.train.classes)
            if fewer <= MOST_CLASSES:
                rows[name]["code-class"] = class_found(some.categories, some.pixels, classifier)
        if some.numbers is not None and reader is not None:
            rows[name] |= factors_found(some.numbers, some.pixels, reader, sets.test, FACTORS)
    if reader is not None:
        rows["held-out"]["factors-read"] = factors_read(reader, sets.test, FACTORS)


def first_look(model: Game | Pyramid, sets: Sets, data: str, seed: int = 0) -> dict[str, Row]:
    """What a training ends with, within seconds: how far samples are from training images, how varied they are and
    whether copies, all beside held-out images, and how well the discriminator tells them apart."""
    count = min(FIRST_COUNT, len(sets.test.pictures), len(sets.train.pictures))
    real, known = sets.test.take(slice(0, count)), sets.train.take(slice(0, FIRST_KNOWN)).pictures
    held_out = real.pixels
    parts = {"samples": draw(model, count, seed, sets.train), "held-out": Samples(held_out)}
    rows: dict[str, Row] = {name: {} for name in parts}
    for space in spaces_for(sets.train, None):
        for name, some in parts.items():
            if count < FEWEST:
                reason = f"of {count} held-out images there is no distance; {FEWEST} or more are needed"
                rows[name][f"fd-{space.name}"] = Measured.undefined(reason)
            else:
                near = space.features(sets.train.take(slice(0, count)).pixels)
                rows[name][f"fd-{space.name}"] = frechet(space, space.features(some.pixels), near, AGAINST)
    beside = nearest(held_out, known)
    for name, some in parts.items():
        rows[name] |= _variety(some.pixels, held_out) | _copies(some.pixels, beside, known)
        if data in MODAL:
            rows[name] |= _modes(some._replace(labels=None), data)
    recipe = model.recipe
    if recipe.labelled:  # of what it was not told, it has no verdict
        real = real.take((real.labels >= 0) & (real.labels < recipe.code.categories))
    if isinstance(model, Game):
        rows["samples"] |= _judged(model, real, seed)
    return rows


@torch.no_grad()
def _judged(model: Game, real: Images, seed: int) -> Row:
    """What the players of a game watch, on images that none of them has seen: the discriminator as it learns, so in
    batches as large as those of training, whose statistics BatchNorm takes, and with dropout; the generator is the one
    that draws the samples."""
    watched = {name: of for player in model.recipe.players.values() for name, of in player.watch.items()}
    size = min(model.config.batch_size, len(real.labels))
    count = len(real.labels) // max(1, size) * size
    seed_everything(seed, "judged")
    nets = {name: copy.deepcopy(net).train() for name, net in model.recipe.nets.items()}  # as it was: forwards count
    recipe = replace(model.recipe, nets={**nets, "generator": copy.deepcopy(model.generator).eval()})
    told = {"d_accuracy": "accuracy of the discriminator", "distance": "how much higher the critic values"}
    row: Row = {}
    values: dict[str, list[Tensor]] = {name: [] for name in watched}
    for at in torch.arange(count).split(size) if size > 1 else []:
        some = real.take(at)
        held_out = Batch(some.pixels.to(model.device), some.labels.to(model.device))
        view = View(recipe, partial(Batch, *held_out), size, model.device)
        for name, of in watched.items():
            values[name].append(of(view).cpu())
    for name, parts in values.items():
        about = f"{told.get(name, name)}: held-out images against samples"
        if parts:
            each = torch.cat(parts)
            signature = f"{about}, in batches of {size} as it learns, N={count}"
            row[name.replace("_", "-")] = Measured(float(each.mean()), _error(each), signature)
        else:
            row[name.replace("_", "-")] = Measured.undefined(
                f"{about}: {counted(len(real.labels), 'image')} cannot be a batch"
            )
    return row


def _refuse_foreign(labels: Labels, classes: int, data: str) -> None:
    low, high = int(labels.min()), int(labels.max())
    if classes and not 0 <= low <= high < classes:
        raise DataError(
            f"the samples have the label {low if low < 0 else high}, but {data} has labels from 0 to {classes - 1}; "
            "choose the data, or number the classes alike"
        )


def _neighbours(space: Space, samples: Sequence[Features], reference: Sequence[Features]) -> Row:
    """Precision, recall, density and coverage, averaged over the maps of a space."""
    pairs = list(zip(samples, reference, strict=True))
    found = np.mean([manifolds(*pair) for pair in pairs], axis=0)
    errors = jackknife_error(np.mean([manifolds_left_out(*pair) for pair in pairs], axis=0))
    signature = f"{NEIGHBOURS} neighbours [{space}, N={len(samples[0])}, {AGAINST}]"
    return {
        metric: Measured(float(value), float(error), signature)
        for metric, value, error in zip(Manifolds._fields, found, errors, strict=True)
    }


def _variety(pictures: Pictures, real: Pictures) -> Row:
    """How much pictures differ from each other, of held-out images 1."""
    about = "mean standard deviation of a pixel, that of held-out images 1"
    if len(pictures) < 2:
        return {"variety": Measured.undefined("a single picture has none")}
    if not real.std(dim=0).any():
        return {"variety": Measured.undefined("the held-out images are all equal")}

    def varied(some: Pictures, others: Pictures) -> float:
        return float(some.std(dim=0).mean() / others.std(dim=0).mean())

    # Held-out images beside themselves have no error; beside them, samples have that of both.
    error = math.nan if pictures is real else float(jackknife(varied, pictures, real))
    return {"variety": Measured(varied(pictures, real), error, f"{about}, N={len(pictures)}")}


def _copies(pictures: Pictures, beside: Nearest, training: Stored) -> Row:
    """How near training images are; held-out images, whose nearest ones are `beside`, tell how near they should be."""
    found = nearest(pictures, training)
    signature = f"in pixels, among {len(training)} training images, N={len(pictures)}"
    share = copied(found, beside)
    return {
        "nearest": Measured(float(found.distance.mean()), _error(found.distance), f"distance {signature}"),
        "closer": Measured(closer(found, beside), closer_error(found, beside), f"than held-out images, {signature}"),
        "copies": Measured(
            share,
            _share_error(share, len(pictures)),
            f"share less than half as far from a training image as the median held-out image is, {signature}",
        ),
    }


def _modes(samples: Samples, data: str) -> Row:
    points = samples.pixels.flatten(1)
    found = modes(points, data)
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


def _classes(samples: Samples, train: Images, classifier: Network) -> Row:
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


def _error(values: Tensor) -> float:
    """Of the mean; NaN for a single value."""
    return float(standard_error(values.numpy()))


def _share_error(share: float, count: int) -> float:
    return math.sqrt(share * (1 - share) / count)


def written(rows: Mapping[str, Row], facts: Mapping[str, Any]) -> bytes:
    return json_bytes(as_json(rows, facts))


def as_json(rows: Mapping[str, Row], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Null for a number that is not defined, or where there is no standard error."""
    return {"version": __version__, "rows": rows_as_json(rows), "remarks": remarks(rows), **facts}
