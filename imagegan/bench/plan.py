"""The runs of a bench: models x datasets x seeds, each with the rounds that the budget allows, or its preset has.

The cost of training is counted and not timed: a batch of images for each update of each player. A round of two players
costs two batches, one with five updates of the critic six, one of a pyramid as much for each of its levels. So a model
with more updates in a round gets fewer rounds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from imagegan.bench.measures import Source
from imagegan.bench.runs import Job
from imagegan.data import load
from imagegan.game import Recipe
from imagegan.nets import Shape
from imagegan.training import shape_of, with_data_defaults
from imagegan.variants import VARIANTS
from imagegan.variants.configs import CONFIGS, PRESETS, ImageConfig
from seqgan.core.config import Chosen, choose_config
from seqgan.errors import UsageError

FEW = 20  # images, to find the shape of a dataset


def compared(
    models: Sequence[str], source: Source, seeds: Sequence[int], preset: str, budget: int, out: Path
) -> dict[str, list[Job]]:
    """The runs of each model on a dataset, one for each seed.

    Raises:
        DataError: the dataset cannot be read.
        UsageError: the budget does not allow a single round of some model."""
    shape, folder = shape_in(source), source.within(out)
    options = {model: within(model, source, shape, preset, budget) for model in models}
    return {
        model: [Job(folder / model / f"seed-{seed}", model, source, seed, options[model]) for seed in seeds]
        for model in models
    }


def as_preset(model: str, source: Source, preset: str, **changes: Any) -> Chosen:
    """The config of a preset, with the defaults of the data."""
    chosen = choose_config(model, CONFIGS[model], PRESETS[model], preset=preset, typed=changes, source="bench")
    return with_data_defaults(chosen, source.name)


def within(model: str, source: Source, shape: Shape, preset: str, budget: int, **changes: Any) -> Chosen:
    """The same, for the rounds that the budget allows; with a budget of 0 for those of the preset.

    Raises:
        UsageError: it allows none."""
    if not budget:
        return as_preset(model, source, preset, **changes)
    config = as_preset(model, source, preset, **changes).config
    rounds = rounds_within(recipes_of(model, config, shape), config.batch_size, budget)
    return as_preset(model, source, preset, **changes, steps=rounds)


def shape_in(source: Source) -> Shape:
    return shape_of(load(source.name, count=FEW, held_out=FEW, folder=source.folder).train)


# --- what a run costs


def recipes_of(model: str, config: ImageConfig, shape: Shape) -> Sequence[Recipe]:
    made = VARIANTS[model](config, shape)
    return [made] if isinstance(made, Recipe) else made


def images_in_round(recipes: Sequence[Recipe], batch_size: int, step: int) -> int:
    turns = sum(recipe.rounds * player.turns(step) for recipe in recipes for player in recipe.players.values())
    return batch_size * turns


def rounds_within(recipes: Sequence[Recipe], batch_size: int, budget: int) -> int:
    """The rounds that a budget of images allows.

    Raises:
        UsageError: it allows none."""
    rounds, left = 0, budget - images_in_round(recipes, batch_size, 1)
    while left >= 0:
        rounds += 1
        left -= images_in_round(recipes, batch_size, rounds + 1)
    if not rounds:
        first = images_in_round(recipes, batch_size, 1)
        raise UsageError(
            f"a budget of {budget} images is too small for {first}, those of the first round; raise --budget"
        )
    return rounds
