"""Runs that are stopped anywhere, again and again, beside the run that was never stopped."""

import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqgan.core.loop import train
from seqgan.core.phase import Algorithm
from seqgan.core.run import Interrupted, Run, create
from tests.killing import Killed, contents, flat

Build = Callable[[], Algorithm]
Place = tuple[str, int]  # phase and step


class Sitting(Run):
    """A run that saves when the dice say so, and ends after a step: asked to, or killed."""

    def __init__(self, folder: Path, rng: random.Random, stop_at: Place | None = None, *, killed: bool = False) -> None:
        super().__init__(folder)
        self.rng, self.stop_at, self.killed = rng, stop_at, killed
        self.places: list[Place] = []

    def record(self, phase: str, step: int, metrics: Any) -> None:
        self.places.append((phase, step))
        super().record(phase, step, metrics)

    def agree_on_what_is_due(self, step: int) -> tuple[bool, bool]:
        super().agree_on_what_is_due(step)
        if self.places[-1] != self.stop_at:
            return self.rng.random() < 0.1, False
        if self.killed:
            raise Killed
        return True, True


def begun(folder: Path, seed: int) -> Path:
    create(folder, {"package": "toy", "algorithm": "toy", "config": {}, "seed": seed, "threads": 1}, {})
    return folder


def sat(sitting: Sitting, build: Build) -> Algorithm:
    """Train until the sitting ends, or to the end of the run."""
    with sitting:
        algorithm = build()
        if sitting.stop_at is None:
            train(algorithm, sitting)
        else:
            with pytest.raises((Killed, Interrupted)):
                train(algorithm, sitting)
    return algorithm


def edges(places: list[Place]) -> list[Place]:
    """The first and the last step of every phase, and where the first ones of the last phase were checked."""
    ends = [place for place, after in itertools.pairwise(places) if place[0] != after[0]]
    starts = [place for place in places if place[1] == 1]
    return [*ends, *starts, *[place for place in places if place[0] == places[-1][0]][1:4]]


def ends_the_same(build: Build, shorter: Build | None, folder: Path, rng: random.Random, stops: int = 3) -> list[Place]:
    """Train in one go; then stopped some times, resumed where it was finished, and perhaps (`shorter`) extended: the
    states, and but for an extension all files, must be the same. Gives back the steps of the whole run."""
    seed = rng.randrange(100)
    whole = Sitting(begun(folder / "whole", seed), rng)
    expected = flat(sat(whole, build).state_dict())
    sat(Sitting(folder / "whole", rng), build)  # a finished run that is merely resumed
    files = contents(folder / "whole")
    chosen = {rng.choice(edges(whole.places)), *rng.choices(whole.places, k=stops - 1)} if whole.places else set()
    place, previous = begun(folder / "stopped", seed), -1
    reached = {place: number for number, place in enumerate(whole.places)}
    if shorter is not None:
        few = Sitting(begun(folder / "extended", seed), rng)
        sat(few, shorter)
        extended = Sitting(folder / "extended", rng)
        assert flat(sat(extended, build).state_dict()) == expected, "extended"
        assert few.places + extended.places == whole.places
    for stop in sorted(chosen, key=lambda stop: reached[stop]):
        sitting = Sitting(place, rng, stop, killed=rng.random() < 0.5)
        sat(sitting, build)
        assert reached[sitting.places[0]] <= previous + 1, "it went on after what was saved"
        previous = reached[stop]
    assert flat(sat(Sitting(place, rng), build).state_dict()) == expected, sorted(chosen)
    last = Sitting(place, rng)
    assert flat(sat(last, build).state_dict()) == expected, "a finished run that is resumed"
    assert not last.places
    assert contents(place) == files
    return whole.places
