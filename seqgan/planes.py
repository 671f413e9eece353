"""Policies as curves over samplers, in planes of two measures: what `seqgan sweep` leaves in each of its runs, read
again and drawn for the page of a report.

The drawings need no script: colours are those of the page, and each point says in words what it is."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seqgan.core import schema
from seqgan.core.report import Measured, as_cell, rows_from_json
from seqgan.errors import RunError
from seqgan.reporting import OF_REWARD, REAL, Row, over_seeds

NAME = "sweep.json"  # in the folder of a run
ADVICE = "remove it, and make the sweep again"
FIELDS = {"curves": schema.TABLE, REAL: schema.TABLE, "summary": schema.TEXTS, "steps": schema.WHOLE}
LM, REVERSE, OF_TEST, FROM_MLE = "lm-nll", "reverse-nll", "nll-test", "kl-to-mle"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 320, 180, 48, 10, 8, 20  # those of the charts of page.js


class Sampler(NamedTuple):
    """How tokens are drawn, and where a curve is one of training, after how many steps of the last phase."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    step: int | None = None

    @property
    def drawing(self) -> dict[str, Any]:
        return {"temperature": self.temperature, "top_k": self.top_k, "top_p": self.top_p}

    @property
    def name(self) -> str:
        if self.step is not None:
            return f"step {self.step}"
        if self.top_k:
            return f"top-k {self.top_k}"
        return f"top-p {self.top_p:g}" if self.top_p < 1 else f"temperature {self.temperature:g}"

    @property
    def joined(self) -> bool:
        """Whether it has a place on the line of a curve: a temperature alone, or a step."""
        return not self.top_k and self.top_p == 1


class Plane(NamedTuple):
    """Two measures, one for each axis."""

    x: str
    y: str


PLANES = (Plane("self-bleu-3", "bleu-3"), Plane("backward-bleu-3", "bleu-3"), Plane(LM, REVERSE))
BESIDE_REWARD = (LM, OF_TEST, FROM_MLE, "bleu-3", "distinct-2")  # what a policy may lose while it earns more


class Swept(NamedTuple):
    """What was measured: rows of each curve by seed and sampler, and of real text."""

    curves: dict[str, dict[int, dict[Sampler, Row]]]  # "arm stage" -> seed -> sampler -> numbers
    real: Row


def planes_of(swept: Swept) -> list[Plane]:
    """The planes in which a curve has points: of quality and variety, and of what each reward costs."""
    there = dict.fromkeys(
        name for of in swept.curves.values() for rows in of.values() for row in rows.values() for name in row
    )
    costs = [Plane(name, cost) for name in there if name.startswith(OF_REWARD) for cost in BESIDE_REWARD]
    return [plane for plane in (*PLANES, *costs) if {*plane} <= there.keys()]


def means(swept: Swept) -> dict[str, dict[Sampler, Row]]:
    """Of each curve the mean over seeds, whose error is that over seeds; of one seed its own."""
    return {
        name: {sampler: over_seeds([rows[sampler] for rows in seeds.values()], list(seeds)) for sampler in shared}
        for name, seeds in swept.curves.items()
        for first in [next(iter(seeds.values()))]
        for shared in [[sampler for sampler in first if all(sampler in rows for rows in seeds.values())]]
    }


# --- as it is kept


def as_json(swept: Swept) -> dict[str, Any]:
    def numbers(row: Row) -> dict[str, Any]:
        return {name: number.as_json() for name, number in row.items()}

    return {
        "curves": {
            name: [
                {"seed": seed, **sampler._asdict(), **numbers(row)}
                for seed, rows in seeds.items()
                for sampler, row in rows.items()
            ]
            for name, seeds in swept.curves.items()
        },
        REAL: numbers(swept.real),
    }


def read(folder: Path) -> dict[str, Any]:
    """What the newest sweep of a run left in it; nothing where there was none.

    Raises:
        RunError: the file is damaged."""
    place = folder / NAME
    try:
        content = schema.read(place, RunError, ADVICE)
    except FileNotFoundError:
        return {}
    schema.check(place, content, FIELDS, RunError, advice=ADVICE)
    return content


def from_json(content: Mapping[str, Any], path: Path) -> Swept:
    """
    Raises:
        RunError: it holds no sweep."""
    curves: dict[str, dict[int, dict[Sampler, Row]]] = {}
    try:
        for name, points in content["curves"].items():
            for point in points:
                numbers = dict(point)
                step = numbers.pop("step", None)
                seed, *how = (float(numbers.pop(part)) for part in ("seed", "temperature", "top_k", "top_p"))
                sampler = Sampler(how[0], int(how[1]), how[2], None if step is None else int(step))
                curves.setdefault(name, {}).setdefault(int(seed), {})[sampler] = rows_from_json({"": numbers}, path)[""]
        swept = Swept(curves, rows_from_json({REAL: content[REAL]}, path)[REAL])
        means(swept)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{path} does not hold the points of a sweep; {ADVICE}") from error
    return swept


# --- drawn for a page


class Point(NamedTuple):
    """A sampler: where it is drawn, the ends of its error, and what it says of itself."""

    x: float
    y: float
    low: float
    high: float
    told: str


class Line(NamedTuple):
    colour: int  # of the page
    path: str  # along the temperatures
    points: list[Point]


class Drawing(NamedTuple):
    plane: Plane
    across: list[tuple[float, str]]  # where a number stands on the axis, and the number
    up: list[tuple[float, str]]
    lines: list[Line]


def drawings(swept: Swept) -> list[Drawing]:
    """The planes in which there are points."""
    curves = {**means(swept), REAL: {Sampler(): swept.real}}
    return [found for plane in planes_of(swept) if (found := _drawing(curves, plane))]


def _drawing(curves: Mapping[str, Mapping[Sampler, Row]], plane: Plane) -> Drawing | None:
    there = {
        name: {sampler: (row[plane.x], row[plane.y]) for sampler, row in rows.items() if _defined(row, plane)}
        for name, rows in curves.items()
    }
    both = [numbers for rows in there.values() for numbers in rows.values()]
    if not both:
        return None
    across = _Axis([x.value for x, _ in both], LEFT, WIDTH - RIGHT)
    up = _Axis([y.value + end for _, y in both for end in (-_error(y), _error(y))], HEIGHT - BOTTOM, TOP)

    def point(name: str, sampler: Sampler, x: Measured, y: Measured) -> Point:
        drawn = name if name == REAL else f"{name}, {sampler.name}"
        told = f"{drawn}: {plane.y} {as_cell(y)}, {plane.x} {as_cell(x)}"
        low, high = y.value - _error(y), y.value + _error(y)
        return Point(across(x.value), up(y.value), up(low), up(high), told)

    lines = []
    for number, (name, rows) in enumerate(there.items()):
        points = {sampler: point(name, sampler, *numbers) for sampler, numbers in sorted(rows.items(), reverse=True)}
        joined = [at for sampler, at in points.items() if sampler.joined]
        path = "".join(f"{'ML'[at > 0]}{p.x:g} {p.y:g}" for at, p in enumerate(joined))
        lines.append(Line(colour_of(number, name), path, list(points.values())))
    return Drawing(plane, across.marks(), up.marks(), lines)


def colour_of(number: int, name: str) -> int:
    """Of the eight colours of the page the last one is that of real text."""
    return 7 if name == REAL else number % 7


def _defined(row: Row, plane: Plane) -> bool:
    return all(name in row and math.isfinite(row[name].value) for name in plane)


def _error(number: Measured) -> float:
    return number.stderr if math.isfinite(number.stderr) else 0.0


class _Axis:
    """Numbers to places of a drawing, with a little room at both ends."""

    def __init__(self, values: Sequence[float], first: float, last: float) -> None:
        room = (max(values) - min(values)) * 0.05 or 0.1 * abs(values[0]) or 1.0
        self.low, self.high, self.first, self.last = min(values) - room, max(values) + room, first, last

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.first + share * (self.last - self.first), 1)

    def marks(self) -> list[tuple[float, str]]:
        from matplotlib.ticker import MaxNLocator

        ticks = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(self.low, self.high)
        return [(self(tick), f"{tick:.4g}") for tick in ticks if self.low <= tick <= self.high]


def shown(folder: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """What the template of a report is told of a sweep that `read` has found: its drawings, the colours of its curves,
    and all points as a table, for those who do not see the drawings.

    Raises:
        RunError: it holds no points."""
    swept = from_json(content, folder / NAME)
    curves = means(swept)
    measures = list(dict.fromkeys(name for plane in planes_of(swept) for name in (plane.y, plane.x)))
    rows = [(f"{name}, {sampler.name}", row) for name, rows in curves.items() for sampler, row in rows.items()]
    return {
        "drawings": drawings(swept),
        "legend": [(colour_of(number, name), name) for number, name in enumerate([*curves, REAL])],
        "headings": ["", *measures],
        "cells": [[name, *(as_cell(row.get(one)) for one in measures)] for name, row in [*rows, (REAL, swept.real)]],
        "summary": content["summary"],
        "found": {name: part for name, part in content.items() if name != "steps"},
    }
