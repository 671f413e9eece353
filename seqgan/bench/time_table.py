"""How long an arm takes to an NLL-oracle, and what its NLL on text is there."""

import math
from collections.abc import Sequence
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from seqgan.bench.oracle import Result
from seqgan.bench.oracle_table import Results
from seqgan.core.plots import COLOURS, GREY, Curve, plot, row
from seqgan.core.report import cell, finite
from seqgan.core.stats import standard_error

HEADINGS = ["arm", "seconds", "nll-oracle", "nll-test", "reached after", "at temperature", "nll-test", "reverse-kl"]


class AtTarget(NamedTuple):
    """A policy at the temperature that brings its NLL-oracle to a target; NaN where none of those measured does."""

    temperature: float
    nll_test: float
    reverse_kl: float


def reached(result: Result, target: float) -> float:
    """The seconds of training after which the NLL-oracle was at the target or below, at temperature 1; NaN: it never
    was."""
    return next((point["seconds"] for point in result.trace if point["nll_oracle"] <= target), math.nan)


def at_target(result: Result, target: float) -> AtTarget:
    """Between temperatures by linear interpolation."""
    temperatures = sorted(result.rows)
    nll_oracle, nll_test, reverse_kl = (
        [result.rows[at][name].value for at in temperatures] for name in ("nll-oracle", "nll-test", "reverse-kl")
    )
    if not temperatures or not min(nll_oracle) <= target <= max(nll_oracle):
        return AtTarget(math.nan, math.nan, math.nan)
    order = np.argsort(nll_oracle)
    there = [
        float(np.interp(target, np.array(nll_oracle)[order], np.array(values)[order]))
        for values in (temperatures, nll_test, reverse_kl)
    ]
    return AtTarget(*there)


def table(results: Results, target: float) -> tuple[str, list[str], list[list[str]]]:
    """Title, headings and cells: means over the seeds of an arm, with their errors."""
    rows = []
    for arm in dict.fromkeys(arm for arm, _ in results):
        of = [result for (name, _), result in results.items() if name == arm and result.rows]
        if not of:
            continue
        times = [seconds for seconds in (reached(result, target) for result in of) if not math.isnan(seconds)]
        share = "" if len(times) in (0, len(of)) else f" ({len(times)} of {len(of)} seeds)"
        last = [[result.rows[1.0][name].value for result in of] for name in ("nll-oracle", "nll-test")]
        there = zip(*(at_target(result, target) for result in of), strict=True)
        rows.append(
            [
                arm,
                _mean([result.seconds for result in of]),
                *map(_mean, last),
                f"{_mean(times)} s{share}" if times else "never",
                *map(_mean, there),
            ]
        )
    return f"time to an nll-oracle of {target}: at temperature 1, and by the temperature that has it", HEADINGS, rows


def as_json(results: Results, target: float) -> dict[str, Any]:
    """Of each arm and seed what was measured over its seconds, and when and how the target was reached; null: never."""
    found: dict[str, Any] = {}
    for (arm, seed), result in results.items():
        if result.rows:
            there = {name: finite(value) for name, value in at_target(result, target)._asdict().items()}
            told = {"seconds": result.seconds, "reached": finite(reached(result, target)), "by_temperature": there}
            found.setdefault(arm, {})[str(seed)] = {**told, "trace": list(result.trace)}
    return {"target": target, "arms": found}


def _mean(values: Sequence[float]) -> str:
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return ""
    return cell(float(np.mean(known)), float(standard_error(known)) if len(known) > 1 else math.nan)


def over_time(results: Results, target: float) -> Image.Image:
    """The NLL-oracle and the NLL on test sequences over the seconds of training; of each arm the first seed."""
    pictures = []
    first: dict[str, int] = {}
    for arm, seed in results:
        first.setdefault(arm, seed)
    longest = max((point["seconds"] for result in results.values() for point in result.trace), default=1.0)
    for name, title in (("nll_oracle", "NLL-oracle"), ("nll_test", "NLL-test")):
        curves = [] if name == "nll_test" else [Curve("target", [1, longest], [target, target], "dashed", GREY)]
        for (arm, seed), colour in zip(first.items(), cycle(COLOURS), strict=False):  # the same in both pictures
            trace = results[arm, seed].trace
            seconds, values = [point["seconds"] for point in trace], [point[name] for point in trace]
            curves.append(Curve(arm, seconds, values, colour=colour))
        pictures.append(plot(curves, title=f"{title}, nats a token", x="seconds of training", y="", log="x"))
    return row(pictures)
