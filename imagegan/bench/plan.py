"""The runs of a bench: models x datasets x seeds, each with the rounds that the budget allows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from imagegan.bench.budget import recipes_of, rounds_within
from imagegan.bench.measures import Source
from imagegan.bench.runs import Job
from imagegan.data import load
from imagegan.nets import Shape
from imagegan.training import shape_of, with_data_defaults
from imagegan.variants.configs import CONFIGS, PRESETS
from seqgan.core.config import Chosen, choose_config

FEW = 20  # images, to find the shape of a dataset


class Setting(NamedTuple):
    """Runs that differ in their seed alone."""

    source: Source
    model: str
    rate: float  # factor of the learning rates


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
    """The config of a preset, with the defaults of the data."""
    chosen = choose_config(model, CONFIGS[model], PRESETS[model], preset=preset, typed=changes, source="bench")
    return with_data_defaults(chosen, source.name)


def within(setting: Setting, shape: Shape, preset: str, budget: int) -> Chosen:
    """The same, for the rounds that the budget allows."""
    source, model, rate = setting
    config = as_preset(model, source, preset).config
    rounds = rounds_within(recipes_of(model, config, shape), config.batch_size, budget)
    rates = {name: rate * getattr(config, name) for name in ("g_lr", "d_lr") if hasattr(config, name)}
    return as_preset(model, source, preset, steps=rounds, **rates)


def shape_in(source: Source) -> Shape:
    return shape_of(load(source.name, count=FEW, held_out=FEW, folder=source.folder).train)
