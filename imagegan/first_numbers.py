"""The numbers that `imagegan train` ends with: a few, within seconds."""

import copy
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from imagegan import measures
from imagegan.data import ImageDataset, Splits
from imagegan.data.dataset import counted
from imagegan.game import Batch, Game, View
from imagegan.generation import draw_samples
from imagegan.measures import Row
from imagegan.metrics.distances import FEWEST, frechet
from imagegan.metrics.features import spaces_for
from imagegan.metrics.neighbours import nearest
from imagegan.pyramid import Pyramid
from imagegan.samples import Samples
from seqgan.core.report import Measured
from seqgan.core.seed import seed_everything

COUNT = 1000  # samples, at most
KNOWN = 10_000  # training images among which copies are sought


def first_numbers(model: Game | Pyramid, splits: Splits, data: str, seed: int = 0) -> dict[str, Row]:
    """The distance of samples to training images, their variety, and whether they are copies, beside held-out images;
    and how well the discriminator classifies both."""
    count = min(COUNT, len(splits.test.images), len(splits.train.images))
    real, known = splits.test.take(slice(0, count)), splits.train.take(slice(0, KNOWN)).images
    held_out = real.pixels
    parts = {"samples": draw_samples(model, count, seed, splits.train), "held-out": Samples(held_out)}
    rows: dict[str, Row] = {name: {} for name in parts}
    for space in spaces_for(splits.train, None):
        near = space.features(splits.train.take(slice(0, count)).pixels) if count >= FEWEST else []
        for name, some in parts.items():
            if count < FEWEST:
                reason = f"of {count} held-out images there is no distance; {FEWEST} or more are needed"
                rows[name][f"fd-{space.name}"] = Measured.undefined(reason)
            else:
                rows[name][f"fd-{space.name}"] = frechet(space, space.features(some.pixels), near, "train")
    beside = nearest(held_out, known)
    for name, some in parts.items():
        rows[name] |= measures.variety(some.pixels, held_out) | measures.copies(some.pixels, beside, known)
        rows[name] |= measures.known_set(some._replace(labels=None), data)
    rows["samples"] |= measures.classifier_errors(model, real)
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
    labels = {
        "d_accuracy": "accuracy of the discriminator",
        "distance": "how much higher the critic scores",
        "loss_gap": "how much lower the loss function is",
        "convergence": "the measure M by which a training is stopped",
    }
    row: Row = {}
    values: dict[str, list[Tensor]] = {name: [] for name in watched}
    for at in torch.arange(count).split(size) if size > 1 else []:
        some = real.take(at)
        held_out = Batch(some.pixels.to(model.device), some.labels.to(model.device))
        view = View(recipe, partial(Batch, *held_out), size, model.device)
        for name, of in watched.items():
            values[name].append(of(view).cpu())
    for name, parts in values.items():
        about = f"{labels.get(name, name)}: held-out images against samples"
        if parts:
            each = torch.cat(parts)
            signature = f"{about}, in batches of {size} as it learns, N={count}"
            row[name.replace("_", "-")] = Measured(float(each.mean()), measures.mean_error(each), signature)
        else:
            row[name.replace("_", "-")] = Measured.undefined(
                f"{about}: {counted(len(real.labels), 'image')} cannot be a batch"
            )
    return row
