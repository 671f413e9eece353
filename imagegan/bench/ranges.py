"""The models of the study of Lucic et al. (2018), and the ranges of their hyper-parameters; no torch here.

The ranges are the wide ones of the study's code. There BatchNorm in the discriminator is drawn for every model; on
single images a penalty needs another normalisation, so beside one it is LayerNorm, which Gulrajani et al. (2017)
recommend. WGAN is trained by RMSProp, as in its paper (the study: Adam), which has no beta1."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from random import Random
from typing import Any, NamedTuple

from imagegan.variants.configs import CONFIGS


class Studied(NamedTuple):
    """A model of the study: the variant, and the options that make it this one."""

    model: str
    options: Mapping[str, Any] = {}


STUDIED: dict[str, Studied] = {
    "minimax": Studied("gan", {"loss": "minimax"}),
    "non-saturating": Studied("gan", {"loss": "non-saturating"}),
    **{name: Studied(name) for name in ("lsgan", "wgan", "wgan-gp", "dragan", "began", "vae") if name in CONFIGS},
}


def power_of_ten(least: float, most: float) -> Callable[[Random], float]:
    """Log-uniform."""
    return lambda rng: float(f"{10 ** rng.uniform(least, most):.3g}")


def share(rng: Random) -> float:
    """Uniform in [0, 1)."""
    return rng.randrange(1000) / 1000


RANGES: dict[str, Callable[[Random], Any]] = {
    "lr": power_of_ten(-5, -2),  # of all players
    "beta1": share,
    "critic_steps": lambda rng: rng.randint(1, 5),
    "d_norm": lambda rng: rng.choice(("batch", "none")),
    "penalty_weight": power_of_ten(-1, 2),
    "clip": power_of_ten(-3, 0),
    "gamma": share,
    "k_lr": power_of_ten(-4, -2),
}


def drawn(name: str, number: int) -> dict[str, Any]:
    """Draw `number` of the hyper-parameters of a model, of those that it has. It depends on both alone: more trials are
    added to those that there are."""
    studied, rng = STUDIED[name], Random(f"{name}, trial {number}")
    values = {what: draw(rng) for what, draw in RANGES.items()}
    known = {field.name for field in fields(CONFIGS[studied.model])}
    values |= {"g_lr": values["lr"], "d_lr": values["lr"], "critic_burst": values["critic_steps"]}
    if "penalty_weight" in known and values["d_norm"] == "batch":
        values["d_norm"] = "layer"
    return {**studied.options, **{what: value for what, value in values.items() if what in known}}
