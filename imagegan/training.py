"""From drawn images to a run: what `imagegan train` does once its options are read."""

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path

import torch

from imagegan.data import Images, digits
from imagegan.variants.configs import CONFIGS, GANConfig
from imagegan.variants.gan import GAN
from seqgan.core import device as devices
from seqgan.core import world
from seqgan.core.config import Chosen, assemble, to_json
from seqgan.core.log import Display
from seqgan.core.loop import train
from seqgan.core.run import Run, create, describe
from seqgan.core.seed import derive
from seqgan.errors import RunError

DATA = {"digits": digits}


def begin(
    folder: Path, model: str, chosen: Chosen, data: str, *, seed: int, threads: int, overwrite: bool = False
) -> None:
    """Make the run directory: everything described, nothing learned yet."""
    config: GANConfig = chosen.config
    devices.use_threads(threads)
    description = {
        "package": "imagegan",
        "algorithm": model,
        "config": to_json(config),
        "sources": chosen.sources,
        "seed": seed,
        "threads": torch.get_num_threads(),
        "world_size": world.size(),
        "data": {"name": data, "sha256": _fingerprint(_images(data, config, seed))},
        "versions": {name: version(name) for name in ("seqgan", "torch", "numpy", "pillow")}
        | {"python": platform.python_version()},
    }
    create(folder, description, {}, overwrite=overwrite)


def carry_out(
    folder: Path, display: Display, *, device: torch.device, save_seconds: float = 30.0, keep: int = 2
) -> dict[str, float] | None:
    """Train a run from wherever it stands to its end and export it; returns a few figures on held-out images.

    Of several processes that train together the first measures; the others are done before (None)."""
    description = describe(folder)
    if description.get("package") != "imagegan":
        raise RunError(f"{folder} is a run of {description.get('package')}, not of imagegan")
    devices.use_threads(description["threads"])
    config, _ = assemble(CONFIGS[description["algorithm"]], [("run.json", description["config"])])
    images = _images(description["data"]["name"], config, description["seed"])
    if _fingerprint(images) != description["data"]["sha256"]:
        raise RunError(
            f"the images are no longer drawn as when {folder} was begun (another Pillow or numpy?); start a new run"
        )
    model = GAN(description["algorithm"], config, images, device, description["seed"])
    with Run(folder, display=display, save_seconds=save_seconds, keep=keep) as run:
        train(model, run)
        if world.rank():
            return None
        return {
            "seconds": run.seconds,
            **_measure(model, DATA[description["data"]["name"]](1000, derive(description["seed"], "test images"))),
        }


def _images(data: str, config: GANConfig, seed: int) -> Images:
    return DATA[data](config.images, derive(seed, "training images"))


def _fingerprint(images: Images) -> str:
    return hashlib.sha256(images.pixels.numpy().tobytes()).hexdigest()


@torch.no_grad()
def _measure(model: GAN, test: Images) -> dict[str, float]:
    """How well the final discriminator tells images it has not seen from generated ones, and how varied these are."""
    fake = model.sample(len(test.pixels), seed=0)
    model.discriminator.eval()
    real_logits, fake_logits = model.discriminator(test.pixels.to(model.device)), model.discriminator(fake)
    model.discriminator.train()
    right = ((real_logits > 0).float().mean() + (fake_logits <= 0).float().mean()) / 2
    return {
        "d_accuracy": float(right),
        "pixel_std": float(fake.std(dim=0).mean()),
        "pixel_std_real": float(test.pixels.std(dim=0).mean()),
    }
