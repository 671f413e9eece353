"""What each variant exists for, as a figure with a target, beside the same figure of the plain `gan`.

A claim is a function of what was measured of the runs it names (see `measures`); nothing is trained here."""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from imagegan.bench.plan import ON_POINTS, UNINFORMED
from imagegan.bench.runs import Result
from imagegan.data import Images
from imagegan.training import new_model, shape_of
from imagegan.variants.configs import CONFIGS, PRESETS
from seqgan.core.report import Measured, cell, finite
from seqgan.core.seed import seed_everything

DISTANCE = "fd-random"
METRICS = (DISTANCE, "accuracy", "agreement", "correlation", "slope", "modes")
MODES, CLEARLY = 7 / 8, 0.8
TIMED = ("wgan-gp", "wgan-diff", "gan")
WARM, PAIRS = 2, 10

VERDICTS = {True: "met", False: "missed", None: ""}

Runs = Mapping[str, Sequence[Result]]  # name -> a result for each seed


class Claim(NamedTuple):
    """A line of the report."""

    claim: str
    figure: float  # the mean over seeds
    spread: float  # their standard deviation; NaN for one
    target: str
    met: bool | None  # None where there is no target
    plain: float  # what plain gan gets; NaN where it has no such figure

    def as_json(self) -> dict[str, Any]:
        return {**self._asdict(), **{name: finite(getattr(self, name)) for name in ("figure", "spread", "plain")}}

    def cells(self) -> list[str]:
        figure = "none" if math.isnan(self.figure) else cell(self.figure, self.spread)
        plain = "" if math.isnan(self.plain) else f"{self.plain:.3g}"
        return [self.claim, figure, self.target, VERDICTS[self.met], plain]


class Aim(NamedTuple):
    """What a model should reach by itself."""

    says: str
    model: str
    metric: str
    target: str
    meets: Callable[[float], bool | None]


AIMS = (
    Aim("cgan: samples of the class asked for", "cgan", "accuracy", ">= 0.9", lambda share: share >= 0.9),
    Aim("acgan: samples of the class asked for", "acgan", "accuracy", ">= 0.9", lambda share: share >= 0.9),
    Aim("infogan: samples of the class of their code", "infogan", "agreement", ">= 0.6", lambda share: share >= 0.6),
    Aim("  without information", UNINFORMED, "agreement", "< 0.25", lambda share: share < 0.25),
    Aim("  largest correlation of code and factor", "infogan", "correlation", "", lambda _: None),
    Aim("wgan-gp: slope of the critic", "wgan-gp", "slope", "0.8 to 1.2", lambda slope: abs(slope - 1) <= 0.2),
)
SHORTER = ("dcgan", "lsgan", "dragan", "vae")


def claims(runs: Runs, seconds: Mapping[str, float]) -> list[Claim]:
    """All of them; `seconds` as `seconds_in_turn` measures them."""
    return [
        *(reached(runs, aim) for aim in AIMS),
        level(runs, "wgan-diff", "wgan-gp"),
        cheaper(seconds, "wgan-diff", "wgan-gp"),
        *refinements(runs),
        *(shorter(runs, model) for model in SHORTER),
        modes_found(runs),
    ]


def reached(runs: Runs, aim: Aim) -> Claim:
    mean = figure(runs, aim.model, aim.metric)
    return Claim(
        aim.says,
        mean,
        spread(runs, aim.model, aim.metric),
        aim.target,
        aim.meets(mean),
        figure(runs, "gan", aim.metric),
    )


def level(runs: Runs, model: str, other: str) -> Claim:
    """No farther from real images than the other, but for twice what the other's seeds differ by. The model's own
    spread counts for nothing: a collapse would excuse itself by it."""
    mean, others = figure(runs, model, DISTANCE), figure(runs, other, DISTANCE)
    allowed = others + 2 * error(runs, other, DISTANCE)
    return Claim(
        f"{model}: {DISTANCE} level with {other}'s {others:.3g}",
        mean,
        spread(runs, model, DISTANCE),
        f"<= {allowed:.3g}",
        mean <= allowed,
        figure(runs, "gan", DISTANCE),
    )


def cheaper(seconds: Mapping[str, float], model: str, other: str) -> Claim:
    share = seconds[model] / seconds[other]
    return Claim(
        f"{model}: time of a round, {other}'s = 1", share, math.nan, "< 1", share < 1, seconds["gan"] / seconds[other]
    )


def refinements(runs: Runs) -> list[Claim]:
    """Each level brings a picture nearer to real ones than making it wider does."""
    found = []
    for at in range(1, levels(runs)):
        coarse, fine = (f"{DISTANCE}-refined-{k}" for k in (at - 1, at))
        mean, wide = figure(runs, "lapgan", fine), figure(runs, "lapgan", coarse)
        plain = figure(runs, "gan", DISTANCE)
        says = f"lapgan: {DISTANCE} with level {at + 1} refined"
        found.append(Claim(says, mean, spread(runs, "lapgan", fine), f"< {wide:.3g}, made wider", mean < wide, plain))
    return found


def levels(runs: Runs) -> int:
    rows = [result.rows["test"] for result in runs["lapgan"] if result.rows]
    return max((sum(name.startswith(f"{DISTANCE}-refined") for name in row) for row in rows), default=0)


def shorter(runs: Runs, model: str) -> Claim:
    """Clearly nearer to real images than plain gan is: by a fifth."""
    mean, plain = figure(runs, model, DISTANCE), figure(runs, "gan", DISTANCE)
    target = f"< {CLEARLY} x gan's"
    return Claim(f"{model}: {DISTANCE}", mean, spread(runs, model, DISTANCE), target, mean < CLEARLY * plain, plain)


def modes_found(runs: Runs) -> Claim:
    """The variants that find seven of eight modes, and those that do not, by name."""
    shares = {name.removeprefix(ON_POINTS): figure(runs, name, "modes") for name in runs if name.startswith(ON_POINTS)}
    missed = [f"{model} {8 * share:.2g}" for model, share in shares.items() if not share >= MODES]
    says = "ring: variants that find 7 of 8 modes" + (f" (not {', '.join(missed)})" if missed else "")
    found = len(shares) - len(missed)
    return Claim(says, found, math.nan, ">= 1", found >= 1, 8 * shares["gan"])


# --- figures of several seeds


def figure(runs: Runs, model: str, metric: str) -> float:
    """The mean over the seeds that have it; NaN where none has."""
    found = [number.value for number in _measured(runs, model, metric)]
    return statistics.fmean(found) if found else math.nan


def spread(runs: Runs, model: str, metric: str) -> float:
    found = [number.value for number in _measured(runs, model, metric)]
    return statistics.stdev(found) if len(found) > 1 else math.nan


def error(runs: Runs, model: str, metric: str) -> float:
    """The deviation of a seed's figure; where there is one seed alone, that of its samples."""
    found = _measured(runs, model, metric)
    return found[0].stderr if len(found) == 1 else spread(runs, model, metric)


def _measured(runs: Runs, model: str, metric: str) -> list[Measured]:
    return [result.rows["test"][metric] for result in runs[model] if metric in result.rows.get("test", {})]


# --- time


def seconds_in_turn(images: Images, preset: str) -> dict[str, float]:
    """CPU seconds of a round of each model at a preset: the median, all of them in turn."""
    games = {}
    for name in TIMED:
        config = CONFIGS[name](**PRESETS[name][preset])
        (phase,) = new_model(name, config, images, shape_of(images), torch.device("cpu"), 0).phases()
        games[name] = phase.update
    taken: dict[str, list[float]] = {name: [] for name in games}
    for step in range(1, WARM + PAIRS + 1):
        for name, update in games.items():
            seed_everything(0, "bench", step)
            began = time.process_time()
            update(step)
            taken[name].append(time.process_time() - began)
    return {name: statistics.median(of[WARM:]) for name, of in taken.items()}
