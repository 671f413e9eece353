"""Variants as small as they can be and still do all that the real thing does."""

from dataclasses import fields
from typing import Any

import torch

from imagegan.data import digits
from imagegan.game import Batch, Game, Recipe, View
from imagegan.generation import class_number, images_of, latents
from imagegan.nets import Images, Shape
from imagegan.pyramid import Pyramid
from imagegan.training import new_model, shape_of
from imagegan.variants.configs import CONFIGS, ImageConfig

CPU = torch.device("cpu")
SHAPE = Shape(1, 28, 10)
TINY: dict[str, Any] = {"images": 50, "steps": 4, "batch_size": 8, "latent_dim": 6, "width": 4}
OF_SOME: dict[str, Any] = {
    "critic_steps": 2,
    "critic_burst": 3,
    "top_width": 8,
    "top_rounds": 1,
    "ema": 0.9,
    "labels": 20,
    "gamma": 0.8,  # k rises from its first round on
}


def tiny(model: str, **changes: Any) -> dict[str, Any]:
    known = {field.name for field in fields(CONFIGS[model])}
    return {**TINY, **{name: value for name, value in OF_SOME.items() if name in known}, **changes}


def config_of(model: str, **changes: Any) -> ImageConfig:
    return CONFIGS[model](**tiny(model, **changes))


def made(model: str, seed: int = 0, **changes: Any) -> Game | Pyramid:
    images = digits(50, seed=1)
    return new_model(model, config_of(model, **changes), images, shape_of(images), CPU, seed)


def generate(model: Game | Pyramid, count: int, seed: int, label: int | None = None, **asked: Any) -> Images:
    number = None if label is None else class_number(model, [f"class {n}" for n in range(10)], str(label))
    return images_of(model, latents(model, count, seed, number, **asked))


def as_options(model: str, **changes: Any) -> list[str]:
    return [
        word for name, value in tiny(model, **changes).items() for word in ("--" + name.replace("_", "-"), str(value))
    ]


def view_of(recipe: Recipe, count: int = 8, size: int = 28) -> View:
    """A view of images that are anything, with labels 0, 1, 2 ..."""
    rng = torch.Generator().manual_seed(0)
    images = 2 * torch.rand(count, 1, size, size, generator=rng) - 1
    return View(recipe, lambda: Batch(images, torch.arange(count) % 10), count, CPU)
