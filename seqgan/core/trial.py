"""What a training will cost, from trying a step of each kind on an algorithm that is thrown away afterwards."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch

from seqgan.core import distributed
from seqgan.core.device import on_cpu, peak_memory, synchronize
from seqgan.core.log import duration
from seqgan.core.loop import Algorithm, Phase, Trial
from seqgan.core.seed import seed_everything

LONG = 0.3  # seconds


class Cost(NamedTuple):
    seconds: float  # of all steps: phases may stop early, and looks at held-out data are not counted
    bytes: int | None  # of memory, at the peak so far; None where the system does not tell
    phases: Mapping[str, float] = {}  # seconds of each


def estimate(algorithm: Algorithm, device: torch.device) -> Cost:
    """Do every kind of work once to set things up, and once more to time it; not a long one, in which what is set up
    counts for little."""
    phases: dict[str, float] = {}
    for phase in algorithm.phases():
        seconds = 0.0
        trials = [trial for trial in phase.trials or [_of_like_steps(phase)] if trial.times]
        if trials:
            phase.start()
        for number, trial in enumerate(trials):
            first = _timed(phase, number, trial, 0, device)
            seconds += trial.times * (first if first > LONG else _timed(phase, number, trial, 1, device))
        phases[phase.name] = seconds
    return Cost(sum(phases.values()), peak_memory(device), phases)


def _of_like_steps(phase: Phase) -> Trial:
    return Trial(lambda call: phase.update(1 + call), phase.steps)


def _timed(phase: Phase, number: int, trial: Trial, call: int, device: torch.device) -> float:
    seed_everything(0, "trial", phase.name, number, call)
    # What a clock says decides whether there is another call: the first process's clock, for all.
    return distributed.broadcast(timed(lambda: trial.work(call), device))


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of one call, the device's work included."""
    synchronize(device)
    began = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - began


def in_words(cost: Cost, device: torch.device) -> str:
    """`about 4 min on cpu (2 threads) plus the time of validation, and at least 0.8 GB of memory`"""
    count = torch.get_num_threads()
    threads = f" ({count} thread{'s' if count > 1 else ''})" if on_cpu(device) else ""
    memory = f", and at least {cost.bytes / 1e9:.1f} GB of memory" if cost.bytes else ""
    return f"about {duration(cost.seconds)} on {device}{threads} plus the time of validation{memory}"
