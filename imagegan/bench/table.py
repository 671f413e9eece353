"""The table of a bench: for each dataset the models, with mean and standard deviation over seeds."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from imagegan.bench.runs import Job, Result
from imagegan.measures import Row
from seqgan.core.report import Measured, as_cell, finite, signatures

COLUMNS = (
    *("fd-random", "fd-pca64", "fd-labels", "precision", "recall", "variety", "classes", "accuracy", "agreement"),
    *("linear", "test-error", "test-error-baseline", "modes", "quality", "on-manifold"),
)
LAST = ("failed", "rounds", "CPU s", "train s")
REAL = "real"


class Entry(NamedTuple):
    """The numbers of a model on a dataset."""

    model: str
    runs: int
    failed: int
    row: Row  # over the runs that have numbers (a collapsed one has); the error is their standard deviation
    rounds: int = 0
    cpu_seconds: float = math.nan
    seconds: float = math.nan


def entry(model: str, results: Sequence[Result], row: str = "test", rounds: int = 0) -> Entry:
    rows = [result.rows[row] for result in results if row in result.rows]
    numbers: dict[str, list[Measured]] = {}
    for name, number in (pair for found in rows for pair in found.items()):
        numbers.setdefault(name, []).append(number)
    cpu_seconds, seconds = (
        _mean([getattr(result, cost) for result in results if not math.isnan(getattr(result, cost))])
        for cost in ("cpu_seconds", "seconds")
    )
    failed = sum(result.failed is not None for result in results)
    over_seeds = {name: _over_seeds(found) for name, found in numbers.items()}
    return Entry(model, len(results), failed, over_seeds, rounds, cpu_seconds, seconds)


def _over_seeds(numbers: Sequence[Measured]) -> Measured:
    values = [number.value for number in numbers]
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
    return Measured(_mean(values), deviation, "; ".join(dict.fromkeys(n.signature for n in numbers)))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def entries(asked: Mapping[str, Sequence[Job]], results: Mapping[Path, Result]) -> list[Entry]:
    """A line of held-out images in the place of samples, then one for each model."""
    found = {model: [results[job.place] for job in jobs] for model, jobs in asked.items()}
    measured = max(found.values(), key=lambda some: sum(bool(result.rows) for result in some))
    lines = [entry(model, some, rounds=asked[model][0].chosen.config.steps) for model, some in found.items()]
    return [entry(REAL, [result for result in measured if result.rows], REAL), *lines]


def rows(data: str, entries: Sequence[Entry]) -> list[list[str]]:
    """The headings, then a line for each: the name, starred where a run failed, a number in each column, the cost."""
    columns = columns_of(entries)
    lines = []
    for found in entries:
        numbers = [as_cell(found.row.get(name)) for name in columns]
        if found.model == REAL:
            lines.append([REAL, *numbers, *[""] * len(LAST)])
            continue
        failed = f"{found.failed} of {found.runs}" if found.failed else ""
        costs = ["" if math.isnan(seconds) else f"{seconds:.0f}" for seconds in (found.cpu_seconds, found.seconds)]
        lines.append([found.model + "*" * bool(failed), *numbers, failed, f"{found.rounds}", *costs])
    return [[data, *columns, *LAST], *lines]


def columns_of(entries: Sequence[Entry]) -> list[str]:
    return [name for name in COLUMNS if any(name in found.row for found in entries)]


def notes(entries: Sequence[Entry]) -> list[str]:
    """What the numbers of each column depend on."""
    return signatures({found.model: found.row for found in entries}, columns_of(entries))


def as_json(found: Entry) -> dict[str, Any]:
    told = found._asdict()
    numbers = {
        name: {"mean": finite(number.value), "deviation": finite(number.stderr), "signature": number.signature}
        for name, number in told.pop("row").items()
    }
    costs = {name: finite(told[name]) for name in ("cpu_seconds", "seconds")}
    return {**told, **costs, "numbers": numbers}
