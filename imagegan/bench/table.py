"""The table of a bench: for each dataset the models, with mean and standard deviation over seeds."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from imagegan.bench.runs import Job, Result
from seqgan.core.report import cell, finite

COLUMNS = (
    *("fd-random", "fd-pca64", "fd-labels", "precision", "recall", "variety", "classes", "accuracy", "agreement"),
    *("modes", "quality", "on-manifold"),
)
REAL = "real"


class Number(NamedTuple):
    """Of several seeds."""

    mean: float
    deviation: float  # NaN for one
    signatures: tuple[str, ...] = ()


class Entry(NamedTuple):
    """The numbers of a model on a dataset."""

    model: str
    runs: int
    failed: int
    numbers: dict[str, Number]  # over the runs that have some; a collapsed one counts
    rounds: int = 0
    cpu_seconds: float = math.nan
    seconds: float = math.nan


def number(values: Sequence[float], signatures: Sequence[str] = ()) -> Number:
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
    return Number(float(np.mean(values)), deviation, tuple(dict.fromkeys(signatures)))


def entry(model: str, results: Sequence[Result], row: str = "test", rounds: int = 0) -> Entry:
    rows = [result.rows[row] for result in results if row in result.rows]
    numbers = {}
    for metric in dict.fromkeys(name for found in rows for name in found):
        measured = [found[metric] for found in rows if metric in found]
        numbers[metric] = number([one.value for one in measured], [one.signature for one in measured])
    return Entry(
        model,
        len(results),
        sum(result.failed is not None for result in results),
        numbers,
        rounds,
        _mean_known(result.cpu_seconds for result in results),
        _mean_known(result.seconds for result in results),
    )


def _mean_known(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def entries(asked: Mapping[str, Sequence[Job]], results: Mapping[Path, Result]) -> list[Entry]:
    """A line of held-out images in the place of samples, then one for each model."""
    found = {model: [results[job.place] for job in jobs] for model, jobs in asked.items()}
    measured = max(found.values(), key=lambda some: sum(bool(result.rows) for result in some))
    lines = [entry(model, some, rounds=asked[model][0].chosen.config.steps) for model, some in found.items()]
    return [entry(REAL, [result for result in measured if result.rows], REAL), *lines]


# --- print


def headings(entries: Sequence[Entry]) -> list[str]:
    return [name for name in COLUMNS if any(name in found.numbers for found in entries)]


def cells(found: Entry, columns: Sequence[str]) -> list[str]:
    """A line: the name, starred where a run failed, a number in each column, then the cost."""
    star = "*" if found.failed else ""
    numbers = [cell(*found.numbers[name][:2]) if name in found.numbers else "" for name in columns]
    if found.model == REAL:
        return [REAL, *numbers, "", "", "", ""]
    return [
        found.model + star,
        *numbers,
        f"{found.failed} of {found.runs}" if found.failed else "",
        f"{found.rounds}",
        _seconds(found.cpu_seconds),
        _seconds(found.seconds),
    ]


LAST = ("failed", "rounds", "CPU s", "train s")


def _seconds(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.0f}"


def signatures(entries: Sequence[Entry], columns: Sequence[str]) -> Iterable[str]:
    """What the numbers of each column depend on."""
    for name in columns:
        distinct = dict.fromkeys(
            signature for found in entries if name in found.numbers for signature in found.numbers[name].signatures
        )
        yield f"{name}: {'; '.join(distinct)}"


def as_json(found: Entry) -> dict[str, Any]:
    numbers = {
        name: {"mean": finite(value.mean), "deviation": finite(value.deviation), "signatures": value.signatures}
        for name, value in found.numbers.items()
    }
    return {
        **found._asdict(),
        "numbers": numbers,
        "cpu_seconds": finite(found.cpu_seconds),
        "seconds": finite(found.seconds),
    }
