"""The only loop of the project: an algorithm is a list of phases, a phase a number of updates."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from seqgan.core import distributed, memory
from seqgan.core.log import Metrics
from seqgan.core.run import Run
from seqgan.core.seed import seed_everything
from seqgan.errors import CheckpointError


def nothing() -> None:
    """Between most phases nothing happens."""


def never() -> bool:
    """Most phases end with their last step."""
    return False


class Trial(NamedTuple):
    """Work that stands for other work in an estimate of what a phase costs. Call 1 costs what all later ones cost;
    call 0 may also set something up."""

    work: Callable[[int], object]
    times: float  # that the phase does as much


@dataclass(frozen=True)
class Phase:
    """A stretch of training in which every step does the same thing.

    `update` is one optimiser update (of a game: one move of one of its players), so that a save is never far away.
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
    trials: Sequence[Trial] = ()  # where its steps differ in what they cost
    unit: str = "step"  # what the options count it in, such as an epoch
    each: int = 1  # steps of a unit


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


def train(algorithm: Algorithm, run: Run) -> None:
    """Train until every phase is done, from wherever the run stands.

    Raises:
        CheckpointError: the newest checkpoint is damaged or of another run.
        ShortageError: memory does not suffice; the last checkpoint stays.
        DivergedError: a metric or a weight is NaN or infinite; the last good checkpoint stays.
        Interrupted: someone asked to stop; the state is saved."""
    state = run.restore()
    if state is not None:
        try:
            algorithm.load_state_dict(state)
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            if memory.is_shortage(error):
                raise
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(
                f"the newest checkpoint does not belong to the run {run.folder}: {reason}; remove it to go on from the "
                "one before it, or restore it from a copy"
            ) from error
    elif distributed.world_size() > 1:
        algorithm.load_state_dict(distributed.broadcast(algorithm.state_dict()))
    phases = algorithm.phases()
    run.refuse_other_steps(phases)
    run.announce(phases)
    begun = [number for number, phase in enumerate(phases) if run.has_begun(phase.name)]
    for phase in phases[max(begun, default=0) :]:  # a phase is over once a later one has begun
        step = run.steps_done(phase.name)
        if not run.has_begun(phase.name):
            seed_everything(run.seed, 0, phase.name, 0)
            phase.start()
        elif phase is phases[-1] and step < phase.steps and phase.finished():
            run.display.say(
                f"{phase.name} has stopped early, at step {step} of {phase.steps}, as it would have if it had been "
                "given more steps from the start; nothing is left to do"
            )
        while step < phase.steps and not phase.finished():
            step += 1
            seed_everything(run.seed, run.rank, phase.name, step)
            with memory.told(f"step {step} of {phase.name}", run.description.get("config", ())):
                measured = phase.update(step)
                if phase.check and (step % phase.validate_every == 0 or step == phase.steps):
                    decides = step % phase.validate_every == 0
                    measured = {**measured, **_checked(algorithm, phase.check, step, decides=decides)}
            run.record(phase.name, step, measured)
            due, stopping = run.agree_on_what_is_due()
            if due or stopping:
                run.save(phase.name, step, algorithm.state_dict())
            if stopping:
                run.stop(phase.name, step)
        if run.steps_done(phase.name) < step or not run.has_begun(phase.name):
            run.save(phase.name, step, algorithm.state_dict())
    distributed.on_rank_zero(lambda: run.export(algorithm.exports()))
    run.trained()


def _checked(algorithm: Algorithm, check: Callable[[int], Metrics], step: int, *, decides: bool) -> Metrics:
    """What a check measures; where it does not decide, the state is afterwards as it was."""
    if decides:
        return check(step)
    before = copy.deepcopy(algorithm.state_dict())
    measured = check(step)
    algorithm.load_state_dict(before)
    return measured
