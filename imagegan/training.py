"""From images to a run: what `imagegan train` does once its options are read."""

import hashlib
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from imagegan.data import Images, digits
from imagegan.game import Batch, Game, Play, Recipe, View
from imagegan.nets import Shape
from imagegan.pyramid import Pyramid
from imagegan.variants import VARIANTS
from imagegan.variants.configs import CONFIGS, ImageConfig
from seqgan.core import described, world
from seqgan.core import device as devices
from seqgan.core.config import Chosen, assemble, to_json
from seqgan.core.log import Display
from seqgan.core.loop import train
from seqgan.core.run import Run, create, describe
from seqgan.core.seed import derive, seed_everything
from seqgan.errors import RunError

DATA = {"digits": digits}
FIELDS = {
    "algorithm": described.Kind(f"one of {', '.join(CONFIGS)}", lambda value: value in CONFIGS),
    "config": described.TABLE,
    "threads": described.THREADS,
    "data": described.TABLE,
}
DATA_FIELDS = {
    "name": described.TEXT,
    "sha256": described.TEXT,
    "channels": described.COUNT,
    "classes": described.WHOLE,
}


def new_model(
    model: str, config: ImageConfig, images: Images, shape: Shape, device: torch.device, seed: int
) -> Game | Pyramid:
    """The variant of this name on these images, about to begin.

    Raises:
        ConfigError: its options do not go together.
        UsageError: it learns from labels, and images have none."""
    seed_everything(seed, "weights")
    made = VARIANTS[model](config, shape)
    play = Play(config.steps, config.batch_size, config.ema, config.bf16)
    if isinstance(made, Recipe):
        return Game(made, play, images.pixels, images.labels, device, seed)
    return Pyramid(made, play, images.pixels, images.labels, device, seed)


def shape_of(images: Images) -> Shape:
    classes = int(images.labels.max()) + 1 if len(images.labels) else 0
    return Shape(images.pixels.shape[1], images.pixels.shape[2], classes)


def begin(
    folder: Path, model: str, chosen: Chosen, data: str, *, seed: int, threads: int, overwrite: bool = False
) -> None:
    """Make the run directory: everything described, nothing learned yet."""
    config: ImageConfig = chosen.config
    devices.use_threads(threads)
    images = _images(data, config, seed)
    shape = shape_of(images)
    new_model(model, config, images, shape, torch.device("cpu"), seed)  # refuses before a folder is made
    description = {
        "package": "imagegan",
        "algorithm": model,
        "config": to_json(config),
        "sources": chosen.sources,
        "seed": seed,
        "threads": torch.get_num_threads(),
        "world_size": world.size(),
        "data": {
            "name": data,
            "sha256": _fingerprint(images),
            "channels": shape.channels,
            "classes": shape.classes,
        },
        "versions": {name: version(name) for name in ("seqgan", "torch", "numpy", "pillow")}
        | {"python": platform.python_version()},
    }
    create(folder, description, {}, overwrite=overwrite)


def carry_out(
    folder: Path, display: Display, *, device: torch.device, save_seconds: float = 30.0, keep: int = 2
) -> dict[str, float] | None:
    """Train a run from wherever it stands to its end and export it; returns a few figures on held-out images.

    Of several processes that train together the first measures; the others are done before (None)."""
    description, config, shape = understood(folder)
    devices.use_threads(description["threads"])
    data, seed = description["data"]["name"], description["seed"]
    images = _images(data, config, seed)
    if _fingerprint(images) != description["data"]["sha256"]:
        raise RunError(
            f"the images are no longer drawn as when {folder} was begun (another Pillow or numpy?); start a new run"
        )
    model = new_model(description["algorithm"], config, images, shape, device, seed)
    with Run(folder, display=display, save_seconds=save_seconds, keep=keep) as run:
        train(model, run)
        if world.rank():
            return None
        test = DATA[data](1000, derive(seed, "test images"), config.size)
        return {"seconds": run.seconds, **_measure(model, test)}


def understood(folder: Path) -> tuple[Mapping[str, Any], ImageConfig, Shape]:
    """What run.json says of a run of this package: all of it, its config, and what its pictures are like.

    Raises:
        RunError: it is a run of another package, or damaged."""
    description = describe(folder)
    if description.get("package") != "imagegan":
        raise RunError(f"{folder} is a run of {description.get('package')}, not of imagegan")
    described.check(folder / "run.json", description, FIELDS, RunError)
    described.check(folder / "run.json", description["data"], DATA_FIELDS, RunError, "data.")
    config, _ = assemble(CONFIGS[description["algorithm"]], [("run.json", description["config"])])
    data = description["data"]
    return description, config, Shape(data["channels"], config.size, data["classes"])


def _images(data: str, config: ImageConfig, seed: int) -> Images:
    return DATA[data](config.images, derive(seed, "training images"), config.size)


def _fingerprint(images: Images) -> str:
    return hashlib.sha256(images.pixels.numpy().tobytes()).hexdigest()


@torch.no_grad()
def _measure(model: Game | Pyramid, test: Images) -> dict[str, float]:
    """How varied generated images are, and where a discriminator gives logits, how well it knows them from new ones."""
    fake = model.sample(len(test.pixels), seed=0)
    measured = {"pixel_std": float(fake.std(dim=0).mean()), "pixel_std_real": float(test.pixels.std(dim=0).mean())}
    if isinstance(model, Game):
        held_out = Batch(test.pixels.to(model.device), test.labels.to(model.device))
        view = View(model.recipe, lambda: held_out, len(test.pixels), model.device)
        for net in model.recipe.nets.values():
            net.eval()
        for player in model.recipe.players.values():
            measured |= {name: float(of(view).mean()) for name, of in player.watch.items()}
        for net in model.recipe.nets.values():
            net.train()
    return measured
