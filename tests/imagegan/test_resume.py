"""Whatever the variant and its options, and wherever it is stopped: a resumed run ends bit for bit as the other."""

import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from imagegan.cli import imagegan
from imagegan.data import Splits, digits
from imagegan.validation import Validated
from imagegan.variants import VARIANTS
from imagegan.variants.configs import CONFIGS
from seqgan.core.run import create
from seqgan.core.starting import agree
from seqgan.errors import RunError
from tests.imagegan.tiny import as_options, made, tiny
from tests.interruptions import ends_the_same

MODELS = list(VARIANTS)


def validated(model: str, seed: int, every: int, **changes: Any) -> Validated:
    few = digits(20, seed=3)
    return Validated(made(model, seed, **changes), Splits(few, few, valid=few), every)


def case(number: int, folder: Path) -> None:
    rng, model = random.Random(number), MODELS[number % len(MODELS)]
    known = CONFIGS[model].__dataclass_fields__
    options: dict[str, Any] = {
        "steps": rng.choice([2, 3, 5]),
        "batch_size": rng.choice([4, 6]),
        "ema": rng.choice([0.0, 0.9]),
        "bf16": rng.choice([True, False, False]),
        "critic_steps": rng.choice([1, 2]),
        "critic_burst": rng.choice([1, 3]),
        "categories": rng.choice([0, 3]),
        "top_rounds": rng.choice([1, 2]),
        "conditional": rng.choice([True, False]),
        "labels": rng.choice([0, 20]),
        "feature_matching": rng.choice([True, False]),
        "lr_schedule": rng.choice(["constant", "linear", "cosine"]),
        "reuse_fakes": rng.choice([True, False]),
        "augment": rng.choice([(), ("translation",), ("cutout", "brightness")]),
        "r1_weight": rng.choice([0.0, 2.0]),
        "spectral_norm": rng.choice([True, False]),
    }
    if options["r1_weight"]:
        options["d_norm"] = "layer"
    changes = {name: value for name, value in options.items() if name in known}
    every = rng.choice([0, 1, 2])
    build = partial(validated, model, rng.randrange(9), every, **changes)
    fewer = rng.randrange(1, options["steps"])
    may_grow = CONFIGS[model].extendable and options["lr_schedule"] == "constant"
    shorter = partial(build, steps=fewer) if may_grow else None
    ends_the_same(build, shorter, folder, rng, stops=rng.choice([1, 2]))


@pytest.mark.parametrize("number", range(len(MODELS)))
def test_a_stopped_game_ends_as_the_uninterrupted(number: int, tmp_path: Path) -> None:
    case(number, tmp_path)


@pytest.mark.torture
@pytest.mark.parametrize("number", range(1200, 1440))
def test_hundreds_of_games_are_stopped_anywhere(number: int, tmp_path: Path) -> None:
    case(number, tmp_path)


def test_a_run_with_falling_learning_rates_gets_no_more_steps(tmp_path: Path) -> None:
    """They depend on how many there are."""
    words = ["train", "--model", "gan", "--quiet", "--resume", str(tmp_path / "run")]
    options = as_options("gan", lr_schedule="cosine")
    for again in (options, [], ["--steps", "4"]):
        imagegan.main([*words, *again], standalone_mode=False)
    with pytest.raises(
        RunError, match="4 steps with --lr-schedule cosine, whose learning rates would have been others"
    ):
        imagegan.main([*words, "--steps", "5"], standalone_mode=False)


def test_a_pyramid_gets_no_more_steps_since_all_its_levels_would(tmp_path: Path) -> None:
    config = tiny("lapgan")
    create(tmp_path / "run", {"package": "imagegan", "algorithm": "lapgan", "config": config, "seed": 0}, {})
    with pytest.raises(RunError, match="steps was 4 and is now 9"):
        agree(tmp_path / "run", {"steps": 9}, CONFIGS["lapgan"].extendable)
    agree(tmp_path / "run", {"steps": 9}, CONFIGS["gan"].extendable)
