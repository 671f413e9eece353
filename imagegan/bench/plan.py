"""What is asked of the bench, as runs to be made: models x data x seeds, each with the rounds that a budget allows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from imagegan.bench.budget import recipes_of, rounds_within
from imagegan.bench.measures import Source
from imagegan.bench.runs import Job
from imagegan.data import load
from imagegan.nets import Shape
from imagegan.training import settled, shape_of
from imagegan.variants.configs import CONFIGS, PRESETS
from seqgan.core.config import Chosen, choose_config

FEW = 20  # images that tell what all of a set are like


class Setting(NamedTuple):
    """What runs share that differ in their seed alone."""

    source: Source
    model: str
    rate: float  # what the usual learning rates are multiplied by


def compared(
    models: Sequence[str],
    sources: Sequence[Source],
    seeds: Sequence[int],
    rates: Sequence[float],
    preset: str,
    budget: int,
    out: Path,
) -> dict[Setting, list[Job]]:
    """
    Raises:
        DataError: a set cannot be read.
        UsageError: the budget does not allow a single round of some model."""
    shapes = {source: shape_in(source) for source in sources}
    found = {}
    for setting in (Setting(*some) for some in ((s, m, r) for s in sources for m in models for r in rates)):
        options = within(setting, shapes[setting.source], preset, budget)
        tried = "" if setting.rate == 1 else f"-rate-{setting.rate:g}"
        found[setting] = [
            Job(
                out / setting.source.name.replace("/", "-") / setting.model / f"seed-{seed}{tried}",
                setting.model,
                setting.source,
                seed,
                options,
            )
            for seed in seeds
        ]
    return found


def as_preset(model: str, source: Source, preset: str, **changes: Any) -> Chosen:
    """A model as a preset has it, and as the images need it."""
    chosen = choose_config(model, CONFIGS[model], PRESETS[model], preset=preset, typed=changes, source="bench")
    return settled(chosen, source.name)


def within(setting: Setting, shape: Shape, preset: str, budget: int) -> Chosen:
    """The same for as many rounds as the budget allows."""
    source, model, rate = setting
    config = as_preset(model, source, preset).config
    rounds = rounds_within(recipes_of(model, config, shape), config.batch_size, budget)
    rates = {name: rate * getattr(config, name) for name in ("g_lr", "d_lr") if hasattr(config, name)}
    return as_preset(model, source, preset, steps=rounds, **rates)


def shape_in(source: Source) -> Shape:
    return shape_of(load(source.name, count=FEW, held_out=FEW, folder=source.folder).train)
