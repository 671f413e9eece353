"""The runs of a bench: each is a run directory as of `imagegan train`, and has a `bench.json` once it is measured.

So a bench that was stopped or killed can be resumed: what is measured is only read."""

import math
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from imagegan import training
from imagegan.bench.measures import Source, known, measured
from imagegan.measures import Row
from imagegan.runs import refuse_other_images
from imagegan.summary import collapsed
from seqgan.core import files, schema
from seqgan.core.config import Chosen, to_json
from seqgan.core.jobs import side_by_side
from seqgan.core.report import finite, rows_as_json, rows_from_json
from seqgan.core.run import Interrupted
from seqgan.core.starting import Machine, agree
from seqgan.errors import DivergedError, RunError, SeqGANError

RESULT = "bench.json"
THREADS = 1
NUMBER = schema.Field("a number, or null", lambda value: value is None or isinstance(value, int | float))
FIELDS = {"failed": schema.TEXT_OR_NOTHING, "rows": schema.TABLE, "cpu_seconds": NUMBER, "seconds": NUMBER}


class Job(NamedTuple):
    """A run to train and to measure."""

    place: Path
    model: str
    source: Source
    seed: int
    chosen: Chosen
    keep: bool = True  # its checkpoints, once it is measured


class Result(NamedTuple):
    """The result of a run; one that diverged has no rows."""

    failed: str | None  # "diverged" or "collapsed"
    rows: dict[str, Row]  # see `measures.measured`
    cpu_seconds: float  # of training and measuring; NaN where the run was resumed
    seconds: float  # of its training


def run_all(jobs: Sequence[Job], workers: int, log: Callable[[str], None]) -> dict[Path, Result]:
    """Train and measure the runs that are not measured yet, several at a time, each on one thread.

    Raises:
        RunError: a run directory is there already, of other options.
        SeqGANError: a run cannot be trained."""
    for job in jobs:
        if (job.place / "run.json").is_file():
            refuse_other_images(job.place, *job.source)
            asked = {**to_json(job.chosen.config), "algorithm": job.model, "seed": job.seed, "threads": THREADS}
            agree(job.place, asked, extendable="")
    # Runs on the same images follow each other, so that a process finds them in its cache.
    ordered = sorted(jobs, key=lambda job: (job.source.name, job.seed))
    needed = missing(ordered)
    if workers > 1:  # the classifier that many runs are measured by is trained before all of them ask for it
        classifiers = dict.fromkeys((job.source, job.chosen.config.images, job.seed) for job in needed)
        list(side_by_side(_prepare, list(classifiers), workers))
    for job, result in side_by_side(_one, needed, workers, THREADS):
        log(f"{job.place}: {result.failed or 'done'} ({result.seconds:.0f} s of training)")
    return {job.place: read_result(job.place) for job in jobs}


def missing(jobs: Sequence[Job]) -> list[Job]:
    """Those that are not measured yet."""
    return [job for job in jobs if not (job.place / RESULT).is_file()]


def _prepare(of: tuple[Source, int, int]) -> None:
    known(*of)


def _one(job: Job) -> Result:
    """Train and measure a run, or resume it."""
    began, fresh = time.process_time(), not (job.place / "run.json").is_file()
    failed: str | None = "diverged"
    rows: dict[str, Row] = {}
    seconds = math.nan
    try:
        if fresh:
            training.begin(job.place, job.model, job.chosen, *job.source, seed=job.seed, threads=THREADS)
        if finished := training.carry_out(job.place, Machine(torch.device("cpu"))):
            seconds = finished.seconds
            rows = measured(finished.model, known(job.source, job.chosen.config.images, job.seed), job.seed)
        failed = "collapsed" if collapsed(rows["test"]) else None
    except DivergedError:
        pass  # the run keeps its last good checkpoint, and the table counts it
    except Interrupted as stopped:  # it could not travel from process to process
        raise SeqGANError(str(stopped)) from None
    result = Result(failed, rows, time.process_time() - began if fresh else math.nan, seconds)
    told = {**result._asdict(), "rows": rows_as_json(rows)}
    told |= {name: finite(told[name]) for name in ("cpu_seconds", "seconds")}
    files.write(job.place / RESULT, schema.json_bytes(told))
    if not job.keep:
        shutil.rmtree(job.place / "checkpoints", ignore_errors=True)
    return result


def read_result(place: Path) -> Result:
    """What bench.json says (a RunError where it is damaged)."""
    path = place / RESULT
    found = schema.read(path, RunError, "remove it, and the run is measured again")
    schema.check(path, found, FIELDS, RunError)
    costs = (math.nan if found[cost] is None else found[cost] for cost in ("cpu_seconds", "seconds"))
    return Result(found["failed"], rows_from_json(found["rows"], path), *costs)
