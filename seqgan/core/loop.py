"""The only training loop: run the phases of an algorithm, step by step, from wherever its run stands."""

import copy
from collections.abc import Callable

from seqgan.core import distributed, memory
from seqgan.core.device import peak_memory
from seqgan.core.phase import Algorithm, Metrics
from seqgan.core.run import Run
from seqgan.core.seed import seed_everything
from seqgan.errors import CheckpointError


def train(algorithm: Algorithm, run: Run) -> None:
    """Train until every phase is done, from wherever the run stands.

    Raises:
        CheckpointError: the newest checkpoint is damaged or of another run.
        ShortageError: memory does not suffice; the last checkpoint stays.
        DivergedError: a metric or a weight is NaN or infinite; the last good checkpoint stays.
        Interrupted: a signal stopped it; the state is saved."""
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
            run.display.message(
                f"{phase.name} has stopped early, at step {step} of {phase.steps}, as it would have if it had been "
                "given more steps from the start; nothing is left to do"
            )
        while step < phase.steps and not phase.finished():
            step += 1
            seed_everything(run.seed, run.rank, phase.name, step)
            with memory.shortage_in(f"step {step} of {phase.name}", run.description.get("config", ())):
                measured = phase.update(step)
                if phase.check and (step % phase.validate_every == 0 or step == phase.steps):
                    decides = step % phase.validate_every == 0
                    measured = {**measured, **_checked(algorithm, phase.check, step, decides=decides)}
            run.record(phase.name, step, measured)
            if step == 1 and (peak := peak_memory()):
                run.display.message(f"{phase.name} takes {peak / 1e9:.1f} GB of memory, at the peak so far")
            due, stopping = run.agree_on_what_is_due(step)
            if due or stopping:
                run.save(phase.name, step, algorithm.state_dict())
            if stopping:
                run.stop(phase.name, step)
        if run.steps_done(phase.name) < step or not run.has_begun(phase.name):
            run.save(phase.name, step, algorithm.state_dict())
    distributed.on_rank_zero(lambda: run.export(algorithm.exports()))
    run.trained()


def _checked(algorithm: Algorithm, check: Callable[[int], Metrics], step: int, *, decides: bool) -> Metrics:
    """The metrics of a check; where it does not decide, the state is restored afterwards."""
    if decides:
        return check(step)
    before = copy.deepcopy(algorithm.state_dict())
    measured = check(step)
    algorithm.load_state_dict(before)
    return measured
