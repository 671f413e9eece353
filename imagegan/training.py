"""From images to a run: what `imagegan train` does once its options are read."""

import platform
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch

from imagegan.data import MADE, NATIVE, TOYS, ImageDataset, Splits, load
from imagegan.game import Game, Recipe
from imagegan.nets import Shape, halvings
from imagegan.pyramid import Pyramid
from imagegan.runs import follow_images, load_images, refuse_other_images, understood
from imagegan.variants import VARIANTS
from imagegan.variants.configs import CONFIGS, ImageConfig
from seqgan.core import device as devices
from seqgan.core import distributed, starting
from seqgan.core.config import DEFAULT, PAPER, PRESET, Chosen, to_json
from seqgan.core.loop import train
from seqgan.core.run import create
from seqgan.core.seed import seed_everything
from seqgan.core.starting import Machine, RunRequest
from seqgan.errors import ConfigError

HELD_OUT = 1000  # images to make beside those to learn from
# What points need in the place of convolutions and of rates for many more weights; the penalty as in the toy examples
# of the official code of WGAN-GP.
ONE_PIXEL = {"nets": "mlp", "width": 128, "d_norm": "none", "g_lr": 1e-3, "d_lr": 1e-3, "penalty_weight": 0.1}
POINT_STEPS = 6000  # by default, of a few milliseconds each


class Finished(NamedTuple):
    """What a training leaves in memory."""

    model: Game | Pyramid
    sets: Splits
    data: str
    seconds: float


def settled(chosen: Chosen, data: str) -> Chosen:
    """Options with what follows from the data, where nobody asked for anything else: the size of its images, all
    images of a set that is read, and small perceptrons for points."""
    follows: dict[str, Any] = {"size": NATIVE.get(data, 0)}
    if data not in MADE and chosen.sources["images"] in (DEFAULT, f"{PRESET} {PAPER}"):
        follows["images"] = 0
    if data in TOYS and "nets" not in chosen.typed():
        follows |= ONE_PIXEL
        if chosen.sources["steps"] == f"{PRESET} default":
            follows["steps"] = POINT_STEPS
    changes = {
        name: value
        for name, value in follows.items()
        if name not in chosen.typed() and value != getattr(chosen.config, name, value)
    }
    return Chosen(
        replace(chosen.config, **changes),
        chosen.sources | dict.fromkeys(changes, f"data {data}"),
        chosen.asked | {name: value for name, value in changes.items() if name in chosen.asked},
    )


def refuse_without_effect(chosen: Chosen, shape: Shape) -> None:
    """
    Raises:
        ConfigError: someone asks for a value that changes nothing beside the others or with these images."""
    config, typed = chosen.config, chosen.typed()
    side = f"{shape.size} x {shape.size}"
    if typed.get("d_norm", "none") != "none" and getattr(config, "nets", "") == "dcgan" and halvings(shape.size) == 1:
        raise ConfigError(
            f"--d-norm {config.d_norm} has no effect: of images of {side} the discriminator of --nets dcgan has a "
            "single convolution, which is not normalised; leave it out, or use --nets common or mlp"
        )
    if "penalty" in typed and not config.penalty_weight:
        raise ConfigError(
            f"--penalty {config.penalty} has no effect beside --penalty-weight 0; leave it out, or give another weight"
        )


def new_model(
    model: str, config: ImageConfig, dataset: ImageDataset, shape: Shape, device: torch.device, seed: int
) -> Game | Pyramid:
    """The variant of this name on these images, about to begin.

    Raises:
        ConfigError: its options do not go together.
        UsageError: it learns from labels, and images have none."""
    seed_everything(seed, "weights")
    made = VARIANTS[model](config, shape)
    if isinstance(made, Recipe):
        return Game(made, config, dataset.images, dataset.labels, device, seed)
    return Pyramid(made, config, dataset.images, dataset.labels, device, seed)


def shape_of(dataset: ImageDataset) -> Shape:
    """There are classes where every image has a label."""
    known = bool((dataset.labels >= 0).all())
    return Shape(dataset.images.shape[1], dataset.images.shape[2], dataset.classes if known else 0)


def begin_or_continue(
    wanted: RunRequest,
    chosen: Chosen,
    data: str | None,
    data_dir: Path | None,
    machine: Machine,
) -> tuple[Path, Finished | None]:
    """Begin the run that someone wants or go on with it, and train it to its end. Gives back where it lies.

    Of several processes the first has something to tell; the others end before."""

    def begin_new() -> Path:
        source = data or "digits"
        folder = wanted.new_folder(f"{source.removeprefix('hf:').replace('/', '-')}-{wanted.choice}")
        identity: dict[str, Any] = {"seed": wanted.seed or 0, "threads": wanted.threads, "overwrite": wanted.overwrite}
        begin(folder, wanted.choice, chosen, source, data_dir, **identity)
        return folder

    def asked(folder: Path) -> Mapping[str, Any]:
        refuse_other_images(folder, data, data_dir)
        if data_dir:
            follow_images(folder, data_dir.resolve())
        return settled(chosen, understood(folder).description["data"]["name"]).asked

    return starting.begin_or_continue(
        wanted,
        begin=begin_new,
        options=asked,
        extendable=CONFIGS[wanted.choice].extendable,
        carry_out=lambda folder: carry_out(folder, machine),
    )


def begin(
    folder: Path,
    model: str,
    chosen: Chosen,
    data: str,
    data_dir: Path | None = None,
    *,
    seed: int,
    threads: int,
    overwrite: bool = False,
) -> None:
    """Make the run directory: everything described, nothing learned yet.

    Raises:
        UsageError: there are no such images, or the model cannot learn from them or make the like."""
    chosen = settled(chosen, data)
    config: ImageConfig = chosen.config
    devices.use_threads(threads)
    place = data_dir and data_dir.resolve()
    dataset = load(data, count=config.images, held_out=1, seed=seed, size=config.size, folder=place).train
    shape = shape_of(dataset)
    refuse_without_effect(chosen, shape)
    new_model(model, config, dataset, shape, torch.device("cpu"), seed)  # refuses before a folder is made
    description = {
        "package": "imagegan",
        "algorithm": model,
        "config": to_json(config),
        "sources": chosen.sources,
        "seed": seed,
        "data": {
            "name": data,
            "folder": place and str(place),
            "sha256": dataset.fingerprint(),
            "count": len(dataset.images),
            **shape._asdict(),
            "class_names": list(dataset.names),
        },
        "versions": {name: version(name) for name in ("seqgan", "torch", "numpy", "pillow")}
        | {"python": platform.python_version()},
    }
    create(folder, description, {}, overwrite=overwrite)


def carry_out(folder: Path, machine: Machine) -> Finished | None:
    """Train a run from wherever it stands to its end and export it.

    Of several processes that train together the first has something to tell; the others are done before (None)."""
    description, config, shape = understood(folder)
    devices.use_threads(description["threads"])
    sets = load_images(folder, HELD_OUT)
    if distributed.rank() == 0:
        machine.display.message(sets.summary(description["data"]["name"]))
    model = new_model(description["algorithm"], config, sets.train, shape, machine.device, description["seed"])
    with machine.run(folder) as run:
        train(model, run)
        return Finished(model, sets, description["data"]["name"], run.seconds) if distributed.rank() == 0 else None
