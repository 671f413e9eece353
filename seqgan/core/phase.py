"""What can be trained: an algorithm is a list of phases, and a phase a number of updates."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from PIL.Image import Image
from torch import Tensor

# What a step measures: numbers (device scalars are read later, many at once), and lists of strings: samples, and under
# the name of WARNINGS what a person should know, each in one line. For loggers alone, tensors of one dimension (many
# values of one quantity) and images.
Metrics = Mapping[str, "float | Tensor | list[str] | Image"]
Numbers = dict[str, float]
WARNINGS = "warnings"


def nothing() -> None:
    """The default of `Phase.start`."""


def never() -> bool:
    """The default of `Phase.finished`: a phase ends with its last step."""
    return False


@dataclass(frozen=True)
class Phase:
    """A stretch of training in which every step does the same thing.

    `update` is one optimiser update (of an adversarial phase: of one player), so that a save is never far away.
    `start` runs before step 1 and never on resume. `finished` must be a function of the saved state alone; it is asked
    only while the phase is under way, since a later phase may change that state. `check` may change the state at every
    `validate_every`-th step; a check at the last step that falls between two of those only measures, so that a run
    which is given more steps equals one that had them from the start.
    Where several processes train together (`core.distributed`), each calls all of these: `update` sees to what is
    shared, and what `check` decides must be the same in all of them; `start` draws the same numbers in all."""

    name: str
    steps: int
    update: Callable[[int], Metrics]
    start: Callable[[], None] = nothing
    check: Callable[[int], Metrics] | None = None
    validate_every: int = 1
    finished: Callable[[], bool] = never
    unit: str = "step"  # what the options count it in, such as an epoch
    steps_per_unit: int = 1
    unshown: tuple[str, ...] = ()  # numbers for the record alone: the line of progress has to stay readable

    def counted(self, step: int) -> str:
        """`3/15`, in units: the one that the step belongs to."""
        return f"{-(-step // self.steps_per_unit)}/{-(-self.steps // self.steps_per_unit)}"

    def to_show(self, numbers: Numbers) -> Numbers:
        """The numbers that belong into the line of progress."""
        return {name: number for name, number in numbers.items() if name not in self.unshown}


class Algorithm(Protocol):
    """What can be trained. Building the list of phases changes nothing."""

    def phases(self) -> Sequence[Phase]: ...

    def state_dict(self) -> dict[str, Any]:
        """All that cannot be derived: weights, optimisers, best values. Tensors and plain Python only."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...

    def exports(self) -> Mapping[str, bytes]:
        """Files to leave in the run directory, made from the state alone: name -> contents."""
        ...
