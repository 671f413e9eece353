"""The comparison study of Lucic et al. (2018): every model gets equally many random draws of its hyper-parameters.

The best of them is chosen by validation images, and its distance to test images is what is told: as a function of the
number of trials, since the study found that with enough of them most models reach similar numbers, and over seeds."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagegan.bench import plan
from imagegan.bench.measures import Source
from imagegan.bench.ranges import STUDIED, drawn
from imagegan.bench.runs import Job, Result, missing, run_all
from imagegan.bench.table import Entry
from imagegan.data import TOYS
from imagegan.data.dataset import counted
from seqgan.core import files
from seqgan.core.plots import BLACK, Curve, plot, png
from seqgan.core.report import finite
from seqgan.errors import DivergedError

Numbers = NDArray[np.float64]
Log = Callable[[str], None]

SETTING: dict[str, Any] = {"latent_dim": 64, "batch_size": 64, "ema": 0.0, "validate_every": 0}
BY = ("fd-random", "fd-pca64")  # the distance, the first that there is
RESAMPLES, PERCENTILES = 1000, (2.5, 97.5)  # of the bootstrap


class Expected(NamedTuple):
    """The expected distance of the best of 1, 2 ... N trials, and an interval around each."""

    mean: Numbers
    low: Numbers
    high: Numbers


class Found(NamedTuple):
    """What was found of a model."""

    trials: Sequence[Job]
    valid: Numbers  # the distance of each trial to validation images, and to test images; NaN where it diverged
    test: Numbers
    curve: Expected
    best: int | None  # the trial; None where all diverged
    repeats: Sequence[Job]  # of the best, with other seeds


def planned(name: str, source: Source, trials: int, width: int, budget: int, out: Path) -> list[Job]:
    """The trials of a model, all with seed 0: the same images, the same first weights.

    Raises:
        UsageError: the budget does not allow a single round."""
    shape, folder, model = plan.shape_in(source), source.within(out) / name, STUDIED[name].model
    setting = {**SETTING, "width": width, **({} if source.name in TOYS else {"nets": "common"})}
    jobs = []
    for number in range(trials):
        chosen = plan.within(model, source, shape, "paper", budget, **setting, **drawn(name, number))
        jobs.append(Job(folder / f"trial-{number}", model, source, 0, chosen, keep=False))
    return jobs


def study(
    asked: Mapping[str, Sequence[Job]], seeds: Sequence[int], workers: int, log: Log
) -> tuple[dict[str, Found], dict[Path, Result]]:
    """Train and measure the trials of each model, then the best of each with these seeds.

    The first trials are timed, and tell what the others will take.

    Raises:
        DivergedError: all trials did."""
    first = run_all([jobs[0] for jobs in asked.values()], workers, log)
    if left := cost(asked, first, len(seeds), workers):
        log(left)
    results = run_all([job for jobs in asked.values() for job in jobs], workers, log)
    distances = {name: [distances_of(jobs, results, row) for row in ("valid", "test")] for name, jobs in asked.items()}
    if all(np.isnan(valid).all() for valid, _ in distances.values()):
        raise DivergedError("every trial of every model diverged; give more --trials, or another --width or --budget")
    worst = max(float(np.nanmax(test, initial=0)) for _, test in distances.values())
    found = {}
    for name, jobs in asked.items():
        valid, test = distances[name]
        best = None if np.isnan(valid).all() else int(np.nanargmin(valid))
        repeats = [] if best is None else [repeat(jobs[best], seed) for seed in seeds]
        found[name] = Found(jobs, valid, test, curve_of(valid, test, worst), best, repeats)
    return found, results | run_all([job for one in found.values() for job in one.repeats], workers, log)


def cost(asked: Mapping[str, Sequence[Job]], first: Mapping[Path, Result], seeds: int, workers: int) -> str:
    """How long the runs that are missing will take; nothing where none is, or where no first trial was timed."""
    left = {name: len(missing(jobs)) for name, jobs in asked.items()}
    seconds = {name: first[jobs[0].place].cpu_seconds for name, jobs in asked.items()}
    known = [value for value in seconds.values() if not math.isnan(value)]
    if not any(left.values()) or not known:
        return ""
    usual = float(np.mean(known))
    total = sum((left[name] + seeds) * (usual if math.isnan(seconds[name]) else seconds[name]) for name in asked)
    time = timedelta(seconds=round(total / workers))
    return (
        f"{counted(sum(left.values()), 'trial')} and {counted(seeds * len(asked), 'run')} of the best are left: about "
        f"{time} with --jobs {workers} on free cores, by the first trial of each model"
    )


def repeat(job: Job, seed: int) -> Job:
    return job._replace(place=job.place.with_name(f"{job.place.name}-seed-{seed}"), seed=seed, keep=True)


def distances_of(jobs: Sequence[Job], results: Mapping[Path, Result], row: str) -> Numbers:
    rows = [results[job.place].rows.get(row, {}) for job in jobs]
    return np.array([next((found[by].value for by in BY if by in found), math.nan) for found in rows])


# --- the best of k


def curve_of(valid: Numbers, test: Numbers, worst: float) -> Expected:
    """A trial that diverged is never chosen while there is another, and counts as the `worst` of all models.

    The interval is that of other trials (bootstrap), at the same images."""
    valid, test = np.where(np.isnan(valid), math.inf, valid), np.where(np.isnan(test), worst, test)
    chances, count = chances_of(len(valid)), len(valid)
    drawn_again = np.random.default_rng(0).integers(count, size=(RESAMPLES, count))
    again = np.take_along_axis(test[drawn_again], valid[drawn_again].argsort(axis=1, kind="stable"), axis=1)
    low, high = np.percentile(again @ chances.T, PERCENTILES, axis=0)
    return Expected(chances @ test[valid.argsort(kind="stable")], low, high)


def chances_of(count: int) -> Numbers:
    """In row k - 1 the chance of each of N trials, the best first, to be the best of k drawn without replacement: of
    the C(N, k) sets those that hold it and k - 1 worse ones."""
    sizes, ranks = range(1, count + 1), range(count)
    return np.array([[math.comb(count - 1 - i, k - 1) / math.comb(count, k) for i in ranks] for k in sizes])


# --- what is told


def curve_table(data: str, found: Mapping[str, Found]) -> list[list[str]]:
    """Of some numbers of trials, with the headings."""
    count = len(next(iter(found.values())).trials)
    sizes = [*(k for k in (1, 2, 5, 10, 20, 50, 100, 200, 500) if k < count), count]
    rows = []
    for name, one in found.items():
        curve = zip(*one.curve, strict=True)
        cells = [f"{mean:.3g} [{low:.3g}, {high:.3g}]" for mean, low, high in curve]
        diverged = int(np.isnan(one.test).sum())
        rows.append([name, *(cells[k - 1] for k in sizes), f"{diverged} of {count}" if diverged else ""])
    return [[f"{data}: best of", *map(str, sizes), "diverged"], *rows]


def best_options(name: str, found: Found) -> str:
    """As options of `imagegan train`."""
    if found.best is None:
        return "all trials diverged"
    told = " ".join(f"--{what.replace('_', '-')} {value}" for what, value in drawn(name, found.best).items())
    return f"trial {found.best}, --model {STUDIED[name].model} {told}"


def draw(found: Mapping[str, Found], real: Entry, source: Source, out: Path) -> Path:
    """The curves with their intervals, above the distance of real images."""
    by = next(by for by in BY if by in real.row)
    trials = np.arange(1, len(next(iter(found.values())).trials) + 1)
    curves = [
        Curve(name, trials, one.curve.mean, low=one.curve.low, high=one.curve.high) for name, one in found.items()
    ]
    floor = Curve("real images", trials, np.full(len(trials), real.row[by].value), "dashed", BLACK)
    title = f"{source.name}: expected {by} of the best of k trials"
    image = plot([*curves, floor], title=title, x="k", y=by, log="xy", size=(640, 480))
    place = source.within(out) / "study.png"
    files.write(place, png(image))
    return place


def as_json(found: Found) -> dict[str, Any]:
    options = [job.chosen.typed() for job in found.trials]
    trials = [
        {"valid": finite(valid), "test": finite(test), "options": chosen}
        for valid, test, chosen in zip(found.valid.tolist(), found.test.tolist(), options, strict=True)
    ]
    curve = {name: [finite(value) for value in values.tolist()] for name, values in found.curve._asdict().items()}
    return {"best": found.best, "curve": curve, "trials": trials}
