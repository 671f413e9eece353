"""From images to a trained run: what `imagegan train` does with its options."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from imagegan.data import MADE, NATIVE, TOYS, UNLABELLED, ImageDataset, Splits, load
from imagegan.data.dataset import few_labels
from imagegan.game import Game, Recipe
from imagegan.nets import Shape, halvings
from imagegan.pyramid import Model, Pyramid
from imagegan.runs import load_images, read_run, record_moved_images, refuse_other_images
from imagegan.validation import Validated
from imagegan.variants import VARIANTS
from imagegan.variants.configs import CONFIGS, ImageConfig
from seqgan.core import device as devices
from seqgan.core import distributed, starting
from seqgan.core.config import DEFAULT, PAPER, PRESET, Chosen, to_json
from seqgan.core.loop import train
from seqgan.core.run import create, versions
from seqgan.core.seed import seed_everything
from seqgan.core.starting import Machine, RunRequest
from seqgan.errors import ConfigError, RunError

HELD_OUT = 1000  # images to generate beside the training images
# For points: small perceptrons with higher learning rates; the penalty as in the toy examples of the official code of
# WGAN-GP.
ONE_PIXEL = {
    "nets": "mlp",
    "width": 128,
    "d_norm": "none",
    "spectral_norm": False,
    "g_lr": 1e-3,
    "d_lr": 1e-3,
    "penalty_weight": 0.1,
}
POINT_STEPS = 6000  # by default; each takes a few milliseconds


class Finished(NamedTuple):
    """A trained model and its data, in memory."""

    model: Model
    splits: Splits
    data: str
    seconds: float
    best: Mapping[str, Mapping[str, Any]]  # of each phase, as of `Validated`


def with_data_defaults(chosen: Chosen, data: str) -> Chosen:
    """Options with defaults that depend on the data: the size of its images, all images of a dataset that is read, and
    small perceptrons for points."""
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


def refuse_ineffective(chosen: Chosen, shape: Shape) -> None:
    """Refuse an option that has no effect beside the others, or with these images (ConfigError)."""
    config, typed = chosen.config, chosen.typed()
    single = getattr(config, "nets", "") == "dcgan" and halvings(shape.size)[0] == 1
    if single and typed.get("d_norm", "none") != "none":
        raise ConfigError(
            f"--d-norm {config.d_norm} has no effect: of images of {shape.size} x {shape.size} the discriminator of "
            "--nets dcgan has a single convolution, which is not normalised; leave it out, or use --nets common or mlp"
        )
    if "penalty" in typed and not config.penalty_weight:
        raise ConfigError(
            f"--penalty {config.penalty} has no effect beside --penalty-weight 0; leave it out, or give another weight"
        )


def new_model(
    model: str, config: ImageConfig, dataset: ImageDataset, shape: Shape, device: torch.device, seed: int
) -> Model:
    """A new model of the variant of this name.

    Raises:
        ConfigError: its options do not go together.
        UsageError: it needs labels, and images have none."""
    seed_everything(seed, "weights")
    made = VARIANTS[model](config, shape)
    labels = few_labels(dataset.labels, getattr(config, "labels", 0), seed)
    if isinstance(made, Recipe):
        return Game(made, config, dataset.images, labels, device, seed)
    return Pyramid(made, config, dataset.images, labels, device, seed)


def shape_of(dataset: ImageDataset) -> Shape:
    unlabelled = int((dataset.labels == UNLABELLED).sum())
    classes = dataset.classes if unlabelled < len(dataset.labels) else 0
    return Shape(dataset.images.shape[1], dataset.images.shape[2], classes, unlabelled)


def begin_or_continue(
    wanted: RunRequest,
    chosen: Chosen,
    data: str | None,
    data_dir: Path | None,
    machine: Machine,
) -> tuple[Path, Finished | None]:
    """Begin the run or resume it, and train it to its end. Gives its folder, and on rank 0 the trained model."""

    def begin_new() -> Path:
        source = data or "digits"
        folder = wanted.new_folder(f"{source.removeprefix('hf:').replace('/', '-')}-{wanted.choice}")
        identity: dict[str, Any] = {"seed": wanted.seed or 0, "threads": wanted.threads, "overwrite": wanted.overwrite}
        begin(folder, wanted.choice, chosen, source, data_dir, **identity)
        return folder

    def asked(folder: Path) -> Mapping[str, Any]:
        refuse_other_images(folder, data, data_dir)
        if data_dir:
            record_moved_images(folder, data_dir.resolve())
        description, config, _ = read_run(folder)
        options = with_data_defaults(chosen, description["data"]["name"]).asked
        if config.lr_schedule != "constant" and options.get("steps", config.steps) != config.steps:
            raise RunError(
                f"{folder} has {config.steps} steps with --lr-schedule {config.lr_schedule}, whose learning rates "
                f"would have been others for {options['steps']}; leave --steps out to go on with it, or start a new run"
            )
        return options

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
    """Create the run directory, with its run.json.

    Raises:
        UsageError: the images cannot be read, or the model cannot be trained on them."""
    chosen = with_data_defaults(chosen, data)
    config: ImageConfig = chosen.config
    devices.use_threads(threads)
    place = data_dir and data_dir.resolve()
    dataset = load(data, count=config.images, held_out=1, seed=seed, size=config.size, folder=place).train
    shape = shape_of(dataset)
    refuse_ineffective(chosen, shape)
    new_model(model, config, dataset, shape, torch.device("cpu"), seed)  # refuses before the folder is created
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
        "versions": versions("pillow"),
    }
    create(folder, description, {}, overwrite=overwrite)


def carry_out(folder: Path, machine: Machine) -> Finished | None:
    """Train a run from its newest checkpoint to its end, and export it. Gives the trained model, on rank 0 alone."""
    description, config, shape = read_run(folder)
    devices.use_threads(description["threads"])
    splits = load_images(folder, HELD_OUT)
    if distributed.rank() == 0:
        machine.display.message(splits.summary(description["data"]["name"]))
        if few := getattr(config, "labels", 0):
            machine.display.message(f"the labels of {few} of them are used, as many of each class (--labels)")
    model = new_model(description["algorithm"], config, splits.train, shape, machine.device, description["seed"])
    with machine.run(folder) as run:
        train(validated := Validated(model, splits, config.validate_every), run)
        if distributed.rank():
            return None
        run.closing = {f"{name}/valid_fd of the best": best["fd"] for name, best in validated.best.items() if best}
        return Finished(model, splits, description["data"]["name"], run.seconds, validated.best)
