"""An algorithm that is measured while it trains: its quality over the seconds of training."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from seqgan.core.checkpoint import check
from seqgan.core.phase import Algorithm, Metrics, Numbers, Phase
from seqgan.core.schema import DURATION

SECONDS = "seconds"
APART = 1.1  # the seconds of a measurement, relative to those of the one before
TIMING = "timing"


class Timed:
    """An algorithm with a clock, which stands still while `measure` is at work: at checks, ever less often. Nothing is
    begun once the clock shows `limit` seconds. The clock is part of the state, so a resumed run has the time of all its
    parts."""

    def __init__(self, algorithm: Algorithm, measure: Callable[[], Numbers], limit: float) -> None:
        self.algorithm, self.measure, self.limit = algorithm, measure, limit
        self.seconds = self.measured_at = 0.0

    def phases(self) -> Sequence[Phase]:
        return [self._timed(phase) for phase in self.algorithm.phases()]

    def _timed(self, phase: Phase) -> Phase:
        return replace(
            phase,
            start=lambda: self._spent(phase.start),
            update=lambda step: self._spent(partial(phase.update, step)),
            check=phase.check and partial(self._check, phase.check),
            finished=lambda: self.seconds >= self.limit or phase.finished(),
        )

    def _spent(self, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = work()
        self.seconds += time.perf_counter() - began
        return result

    def _check(self, check: Callable[[int], Metrics], step: int) -> Metrics:
        found = self._spent(partial(check, step))
        if self.seconds < APART * self.measured_at:
            return found
        self.measured_at = self.seconds
        return {**found, SECONDS: self.seconds, **self.measure()}

    def state_dict(self) -> dict[str, Any]:
        timing = {SECONDS: self.seconds, "measured_at": self.measured_at}
        return {**self.algorithm.state_dict(), TIMING: timing}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        check({TIMING: state.get(TIMING)}, {TIMING: {SECONDS: DURATION, "measured_at": DURATION}})
        self.algorithm.load_state_dict({name: part for name, part in state.items() if name != TIMING})
        self.seconds, self.measured_at = state[TIMING][SECONDS], state[TIMING]["measured_at"]

    def exports(self) -> Mapping[str, bytes]:
        return self.algorithm.exports()
