"""What the oracle benchmark tells: means over seeds, paired tests, and the plane of the two divergences."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from seqgan.bench.arms import ARMS, START, TEMPERATURES, told
from seqgan.bench.oracle import Result
from seqgan.core.plots import GREY, Curve, plot
from seqgan.core.plots import row as row_of
from seqgan.core.report import as_cell, cell, finite
from seqgan.core.stats import paired_t_test, sign_flip_test, standard_error
from seqgan.reporting import Row, over_seeds

Results = Mapping[tuple[str, int], Result]  # of an arm and a seed

SHOWN = ("nll-oracle", "nll-test", "entropy", "forward-kl", "reverse-kl", "jsd", "distinct", "d-auc")
COMPARED = ("forward-kl", "reverse-kl", "nll-oracle")
AGAINST = (START, "constant")
# MLE from nothing, of which each seed's best by validation NLL is a row of its own.
TRIALS = ("mle", "mle-lr-.001", "mle-lr-.01", "mle-dropout", "mle-larger")
TUNED = "mle-tuned"
BESIDE = "reverse-kl - curve"
CLOSE = 0.015  # nats a token around MLE, in the second part of the plane


class Difference(NamedTuple):
    """Of an arm and another, over the seeds of both."""

    mean: float
    stderr: float
    t_test: float  # p-values, two-sided
    sign_flips: float

    @classmethod
    def of(cls, values: Sequence[float], stderr: float = math.nan) -> "Difference":
        """Over seeds; of one seed alone the error is `stderr`."""
        error = float(standard_error(values)) if len(values) > 1 else stderr
        return cls(float(np.mean(values)), error, paired_t_test(values), sign_flip_test(values))

    @classmethod
    def between(cls, pairs: Sequence[tuple[Row, Row]], name: str) -> "Difference":
        """Of a metric of two arms, the rows of a seed together; of one seed, with the paired error over sequences."""
        numbers = [mine[name] - theirs[name] for mine, theirs in pairs]
        return cls.of([number.value for number in numbers], numbers[0].stderr)

    def __str__(self) -> str:
        tests = "" if math.isnan(self.t_test) else f" (p {self.t_test:.2g}, {self.sign_flips:.2g})"
        return cell(self.mean, self.stderr, signed=True) + tests


def with_tuned(results: Results) -> dict[tuple[str, int], Result]:
    """The results, with the trial of MLE that has the lowest validation NLL, for each seed that has two or more."""
    found = dict(results)
    for seed in sorted({seed for _, seed in results}):
        trials = [results[arm, seed] for arm in TRIALS if (arm, seed) in results and measured(results[arm, seed])]
        if len(trials) > 1:
            found[TUNED, seed] = min(trials, key=lambda trial: trial.valid_nll)
    return found


def measured(result: Result) -> bool:
    """Whether there is anything: training may have diverged."""
    return bool(result.rows)


def beside_curve(row: Row, curve: Mapping[float, Row]) -> float:
    """The reverse KL less that of MLE at the temperature with the same forward KL, between temperatures by linear
    interpolation; below the lowest forward KL of the curve, less the reverse KL there. NaN above the highest.

    Only temperatures that sharpen are on the curve, from its lowest forward KL on: there the one falls as the other
    rises."""
    points = [(curve[at]["forward-kl"].value, curve[at]["reverse-kl"].value) for at in sorted(curve, reverse=True)]
    points = points[int(np.argmin([forward for forward, _ in points])) :]
    forward, reverse = np.array(points).T
    if row["forward-kl"].value > forward[-1]:
        return math.nan
    return row["reverse-kl"].value - float(np.interp(row["forward-kl"].value, forward, reverse))


class Told(NamedTuple):
    """All of the benchmark's numbers."""

    rows: dict[str, Row]  # of each arm, means over seeds
    curve: dict[float, Row]  # of MLE at each temperature
    beside: dict[str, Difference]  # reverse KL less that of the curve at the same forward KL
    differences: dict[str, dict[str, dict[str, Difference]]]  # arm it is compared with -> arm -> metric
    diverged: dict[str, int]  # seeds
    seconds: dict[str, float]  # of training, the mean


def tell(results: Results) -> Told:
    found = with_tuned(results)
    seeds = sorted({seed for _, seed in found})
    arms = [arm for arm in (*ARMS, TUNED) if any((arm, seed) in found for seed in seeds)]
    told_of = Told({}, {}, {}, {other: {} for other in AGAINST if other in arms}, {}, {})
    for arm in arms:
        of = {seed: found[arm, seed] for seed in seeds if (arm, seed) in found}
        good = {seed: result for seed, result in of.items() if measured(result)}
        told_of.diverged[arm] = len(of) - len(good)
        if not good:
            continue
        told_of.rows[arm] = over_seeds([result.rows[1.0] for result in good.values()], list(good))
        told_of.seconds[arm] = float(np.mean([result.seconds for result in good.values()]))
        curves = {seed: found[START, seed].rows for seed in good if (START, seed) in found}
        if arm != START and curves:
            values = [beside_curve(good[seed].rows[1.0], curve) for seed, curve in curves.items()]
            told_of.beside[arm] = Difference.of(values)
        for other, of_arm in told_of.differences.items():
            pairs = [(good[seed].rows[1.0], found[other, seed].rows[1.0]) for seed in good if (other, seed) in found]
            if other != arm and pairs:
                of_arm[arm] = {name: Difference.between(pairs, name) for name in COMPARED}
    starts = {seed: found[START, seed] for seed in seeds if (START, seed) in found and measured(found[START, seed])}
    for temperature in TEMPERATURES if starts else ():
        told_of.curve[temperature] = over_seeds([result.rows[temperature] for result in starts.values()], list(starts))
    return told_of


def tables(told_of: Told) -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, headings and cells of each."""
    shown = [name for name in SHOWN if any(name in row for row in told_of.rows.values())]
    arms = []
    for arm, diverged in told_of.diverged.items():
        row = told_of.rows.get(arm, {})
        seconds = f"{told_of.seconds[arm]:.0f}" if row else ""
        arms.append([arm, changes(arm), *_cells(row, shown), seconds, str(diverged or "")])
    found = [("nats per token (jsd: per sequence)", ["arm", "changes", *shown, "seconds", "diverged"], arms)]
    of_curve = [name for name in shown if name != "d-auc"]
    curve = [[f"{START} at {at}", *_cells(row, of_curve)] for at, row in told_of.curve.items() if at != 1]
    found.append(("MLE at other temperatures", ["", *of_curve], curve))
    for other, of_arm in told_of.differences.items():
        rows = [[arm, *map(str, numbers.values())] for arm, numbers in of_arm.items()]
        title = f"less {other}, paired by seed (p of Student's t, of sign flips)"
        found.append((title, ["", *COMPARED], rows))
    beside = [[arm, str(one)] for arm, one in told_of.beside.items()]
    found.append(("reverse-kl less that of MLE at the temperature of the same forward-kl", ["", BESIDE], beside))
    return [table for table in found if table[2]]


def changes(arm: str) -> str:
    return told(arm) if arm in ARMS else "the best of MLE by validation"


def _cells(row: Row, names: Sequence[str]) -> list[str]:
    return [as_cell(row.get(name)) for name in names]


def plane(told_of: Told) -> Image.Image:
    """Coverage against quality: the two divergences of each arm, and MLE at all temperatures as a line; beside that the
    surroundings of MLE, where most arms end."""
    cooling = [told_of.curve[temperature] for temperature in sorted(told_of.curve)]
    curves = [Curve(f"{START} at .7 to 1.1", *_places(cooling), "line", GREY)]
    curves += [Curve(arm, *_places([row]), "dots") for arm, row in told_of.rows.items() if near(row, told_of)]
    axes: dict[str, Any] = {"x": "forward KL: what is missed", "y": "reverse KL: what is wrong", "size": (640, 560)}
    whole = plot(curves, title="nats a token", **axes)
    if START not in told_of.rows:
        return whole
    centre = [value for (value,) in _places([told_of.rows[START]])]
    across, up = ((value - CLOSE, value + CLOSE) for value in centre)
    unnamed = [curve._replace(label="") for curve in curves]
    return row_of([whole, plot(unnamed, title=f"around {START}", x_range=across, y_range=up, **axes)])


def _places(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    return [row["forward-kl"].value for row in rows], [row["reverse-kl"].value for row in rows]


def near(row: Row, told_of: Told) -> bool:
    """Whether an arm lies within the part of the plane that is worth drawing: no further than 1.4 times MLE."""
    start = told_of.rows.get(START)
    return start is None or all(row[name].value < 1.4 * start[name].value for name in ("forward-kl", "reverse-kl"))


def as_json(told_of: Told) -> dict[str, Any]:
    def row(numbers: Row) -> dict[str, Any]:
        return {name: number.as_json() for name, number in numbers.items()}

    def difference(one: Difference) -> dict[str, Any]:
        return {name: finite(value) for name, value in one._asdict().items()}

    return {
        "arms": {arm: {"changes": changes(arm), **row(numbers)} for arm, numbers in told_of.rows.items()},
        "temperatures": {str(at): row(numbers) for at, numbers in told_of.curve.items()},
        "differences": {
            f"{arm} - {other}": {name: difference(one) for name, one in numbers.items()}
            for other, of_arm in told_of.differences.items()
            for arm, numbers in of_arm.items()
        },
        BESIDE: {arm: difference(one) for arm, one in told_of.beside.items()},
        "diverged": {arm: count for arm, count in told_of.diverged.items() if count},
        "seconds": told_of.seconds,
    }
