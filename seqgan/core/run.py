"""The run directory: all of one training, safe against any interruption.

run.json            what the run is: config and the source of each value, data, versions, seed
checkpoints/        its state: the last few, each whole
metrics.jsonl       the record (`core.record`): one line for each step that measured something
(everything else)   made from the state again whenever the run ends
"""

import hashlib
import math
import platform
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from textwrap import indent
from types import FrameType, TracebackType
from typing import Any, Self, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor

from seqgan.core import checkpoint, distributed, files, schema
from seqgan.core import folder as folders
from seqgan.core.folder import checkpoints as checkpoints
from seqgan.core.folder import describe as describe
from seqgan.core.folder import how_to_go_on
from seqgan.core.log import Display
from seqgan.core.loggers import Logger, Loggers
from seqgan.core.phase import WARNINGS, Metrics, Numbers, Phase
from seqgan.core.record import Record, read_record
from seqgan.errors import CheckpointError, DivergedError, RunError, SeqGANError, StorageError, why

STATE = {
    "run": schema.TEXT,
    "steps": schema.COUNTS,
    "seconds": schema.DURATION,
    "record_bytes": schema.WHOLE,
    "record_sha256": schema.TEXT,
    "algorithm": schema.TABLE,
}


class Interrupted(SeqGANError):
    """The run was stopped by a signal; its state is saved."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def create(
    folder: Path, description: Mapping[str, Any], contents: Mapping[str, bytes], *, overwrite: bool = False
) -> None:
    """Make a run directory, complete at once: `run.json` (with the format, an id and the number of threads and
    processes beside the description) and other `contents`.

    Raises:
        RunError: the folder exists (give `overwrite`), or is something other than a run.
        StorageError: the folder cannot be made."""
    here = {"threads": torch.get_num_threads(), "world_size": distributed.world_size()}
    description = {**here, **description}
    identity = hashlib.sha256(schema.json_bytes(description)).hexdigest()[:16]
    whole = {
        "run.json": schema.json_bytes(schema.with_checksum({"format": schema.FORMAT, "id": identity, **description})),
        **contents,
    }
    folders.create(folder, whole, overwrite=overwrite)


def versions(*packages: str) -> dict[str, str]:
    """For the description of a run: the versions of what it is made with, and of these packages."""
    known = {name: version(name) for name in ("seqgan", "torch", "numpy", *packages)}
    return {**known, "python": platform.python_version()}


def rewrite(folder: Path, description: Mapping[str, Any]) -> None:
    """Write run.json again. Its id stays, so that its checkpoints still belong to it.

    Raises:
        RunError: another process works on it."""
    with folders.lock(folder):
        files.write(folder / "run.json", schema.json_bytes(schema.with_checksum(description)))


def refuse_other_world(folder: Path, description: Mapping[str, Any]) -> None:
    """Refuse to continue in another number of processes, which would draw other numbers.

    Raises:
        RunError: the run was begun with more processes, or with fewer."""
    begun_with = description["world_size"]
    if begun_with != distributed.world_size():
        how = f"with torchrun --nproc-per-node {begun_with}" if begun_with > 1 else "without torchrun"
        several = "process" if begun_with == 1 else "processes"
        raise RunError(
            f"{folder} was begun with {begun_with} {several}, now {distributed.world_size()}: go on {how} "
            "(on several machines, as many in all), or start a new run"
        )


def saved_in(path: Path, folder: Path, description: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a checkpoint of a run.

    Raises:
        CheckpointError: it is damaged, or was saved by another run."""
    saved = checkpoint.load(path)
    schema.check(path, saved, STATE, CheckpointError)
    if saved["run"] != description["id"]:
        raise CheckpointError(f"{path} does not belong to the run {folder}: it was saved by run {saved['run']}")
    if path.name != checkpoint_name(saved["steps"]):
        raise CheckpointError(
            f"{path} has another name than it was saved under, {checkpoint_name(saved['steps'])}; give it that name, "
            "or remove it to go on from the one before it"
        )
    if broken := checkpoint.first_broken(saved["algorithm"]):
        raise CheckpointError(
            f"{path}: the tensor {broken} holds NaN or infinite values, but finite ones were expected; remove it to go "
            "on from the one before it"
        )
    return saved


@contextmanager
def fitting(path: Path, folder: Path) -> Iterator[None]:
    """Fill a model from a checkpoint of a run: what does not fit it is a CheckpointError."""
    try:
        yield
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} does not belong to the run {folder}: {why(error)}; restore it from a copy, or remove it to use "
            "the one before it"
        ) from error


def checkpoint_name(steps: Mapping[str, int]) -> str:
    return f"step-{sum(steps.values()):08d}.pt"


class Run:
    """A run that is being trained. Use it in a `with` block: it holds the lock, the display and the signal handlers.

    `save_seconds` between checkpoints, or else `save_steps` of a phase, and `keep` of them stay; none of these changes
    what is learned. Of several processes only the first reads, writes and shows."""

    def __init__(
        self,
        folder: Path,
        *,
        display: Display | None = None,
        save_seconds: float = 30.0,
        save_steps: int = 0,
        keep: int = 2,
        loggers: Sequence[Logger] = (),
    ) -> None:
        self.folder = folder
        self.description = describe(folder)
        refuse_other_world(folder, self.description)
        self.seed: int = self.description["seed"]
        self.rank = distributed.rank()
        self.display: Display = display if display and self.rank == 0 else Display()
        self.closing: dict[str, float] | None = None  # the numbers that a training ends with
        self._loggers = Loggers(loggers if self.rank == 0 else (), self.display)
        self._save_seconds, self._save_steps, self._keep = save_seconds, save_steps, keep
        self._steps: dict[str, int] = {}
        self._pending: list[tuple[str, int, Metrics]] = []
        self._seconds, self._since = 0.0, time.monotonic()
        self._saved_at = self._flushed_at = time.monotonic()
        self._signal = 0  # received by this process
        self._agreed_signal = 0  # received by any, once all have agreed
        self._handlers: dict[int, Any] = {}
        self._trained = False
        self._record = Record(folder)
        self._replaced = True  # a run that this one has replaced may still lie beside it

    # --- lifetime

    def __enter__(self) -> Self:
        distributed.on_rank_zero(self._lock_folder)
        if threading.current_thread() is threading.main_thread():
            self._handlers = {
                number: signal.signal(number, self._ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)
            }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.display.end()
        if isinstance(error, DivergedError):
            self._loggers.release()
        self._loggers.end(None if error else self.closing)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self.rank == 0:
            self._lock.close()

    def _lock_folder(self) -> None:
        self._lock = folders.lock(self.folder)
        if describe(self.folder) != self.description:
            self._lock.close()
            raise RunError(f"{self.folder} was changed by another process just now; give the command again")

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self._signal:
            raise KeyboardInterrupt
        self._signal = number
        if self._trained:
            self.trained()
        self.display.message("stopping after this step; again to stop at once, losing what came after the last save")

    def agree_on_what_is_due(self, step: int) -> tuple[bool, bool]:
        """After a step of a phase: whether to save, and whether to stop. All agree, since clocks and signals differ.

        Raises:
            DivergedError: something that was measured is NaN or infinite."""
        due = (self._flush_is_due(), self.save_is_due(step), self._signal)
        flush, save, self._agreed_signal = distributed.all_reduce_max(*due)
        if flush:
            distributed.on_rank_zero(self._flush)
        return bool(save), self._agreed_signal > 0

    def stop(self, phase: str, step: int) -> None:
        """Leave training after a signal; the caller has saved."""
        command = how_to_go_on(self.folder, self.description, self._loggers.options())
        raise Interrupted(f"stopped and saved at step {step} of {phase}; go on with: {command}", self._agreed_signal)

    def trained(self) -> None:
        """Everything is saved: from here on a signal stops at once.

        Raises:
            Interrupted: there was one already."""
        self._trained = True
        if self._signal:
            measure = f"{self.description.get('package', 'seqgan')} evaluate {files.in_shell(self.folder)}"
            raise Interrupted(f"stopped; training is done and saved: measure it with: {measure}", self._signal)

    # --- state

    def restore(self) -> dict[str, Any] | None:
        """The algorithm's newest saved state, if any. Cuts the record back to it and removes what a kill left."""
        saved = distributed.on_rank_zero(self._newest)
        if saved is None:
            return None
        self._steps, self._seconds = dict(saved["steps"]), saved["seconds"]
        self._since = time.monotonic()
        state: dict[str, Any] = saved["algorithm"]
        return state

    def _newest(self) -> dict[str, Any] | None:
        for leftover in sorted(self.folder.rglob("*.partial")):
            files.remove(leftover)
        files.make_folder(self.folder / "checkpoints")  # fails where nothing can be saved, before the record is cut
        found = checkpoints(self.folder)
        if not found:
            self._record.clear()
            return None
        path = next(reversed(found.values()))
        saved = saved_in(path, self.folder, self.description)
        self._record.cut(saved["record_bytes"], saved["record_sha256"], path)
        self._prune()
        return saved

    def refuse_other_steps(self, phases: Sequence[Phase]) -> None:
        """Refuse saved steps that these phases cannot have taken.

        Raises:
            CheckpointError: a phase is unknown, has taken more steps than it has, or began before an earlier one."""
        names = [phase.name for phase in phases]
        if sorted(self._steps) != sorted(names[: len(self._steps)]):
            raise CheckpointError(
                f"the newest checkpoint of {self.folder} has steps of {', '.join(self._steps)}, but the phases "
                f"{', '.join(names)} were expected in this order; remove it to go on from the one before it"
            )
        for phase in phases:
            if self.steps_done(phase.name) > phase.steps:
                raise CheckpointError(
                    f"the newest checkpoint of {self.folder} has {self.steps_done(phase.name)} steps of {phase.name}, "
                    f"but {phase.steps} at most were expected; remove it to go on from the one before it"
                )

    def steps_done(self, phase: str) -> int:
        return self._steps.get(phase, 0)

    def has_begun(self, phase: str) -> bool:
        """Whether what a phase does before its first step is in the saved state; a phase may have no steps at all."""
        return phase in self._steps

    @property
    def seconds(self) -> float:
        """Seconds of training, over all the processes that took part."""
        return self._seconds + time.monotonic() - self._since

    def save_is_due(self, step: int) -> bool:
        if self._save_steps:
            return step % self._save_steps == 0
        return time.monotonic() - self._saved_at >= self._save_seconds

    def save(self, phase: str, step: int, state: dict[str, Any]) -> None:
        """Write a checkpoint, unless a number has gone bad: then the last good one stays the newest."""
        distributed.on_rank_zero(lambda: self._write(phase, step, state))
        self._steps[phase] = step
        self._saved_at = time.monotonic()

    def _write(self, phase: str, step: int, state: dict[str, Any]) -> None:
        self._flush()
        if broken := checkpoint.first_broken(state):
            raise DivergedError(self._diverged(phase, step, f"the tensor {broken} holds NaN or infinite values"))
        steps = {**self._steps, phase: step}
        content = {
            "run": self.description["id"],
            "steps": steps,
            "seconds": self.seconds,
            "algorithm": state,
            **self._record.mark(),
        }
        checkpoint.save(self.folder / "checkpoints" / checkpoint_name(steps), content)
        self._loggers.release()
        self._prune()
        if self._replaced:
            self._replaced = False
            try:
                folders.discard_replaced(self.folder)
            except StorageError as error:
                self.display.message(str(error))

    def _prune(self) -> None:
        for path in list(checkpoints(self.folder).values())[: -self._keep]:
            files.remove(path)

    # --- record

    def announce(self, phases: Sequence[Phase]) -> None:
        self._loggers.begin(self.folder, self.description, sum(self._steps.values()))
        self.display.begin(phases, self._steps)

    def record(self, phase: str, step: int, metrics: Metrics) -> None:
        """Keep the measurements of a step. Device scalars are read later, many at once, so that no step waits."""
        if self.rank == 0:
            self._pending.append((phase, step, metrics))

    def _flush_is_due(self) -> bool:
        """Every quarter of a second, and where there are samples to show."""
        texts = any(isinstance(value, list) for _, _, metrics in self._pending for value in metrics.values())
        return self.rank == 0 and (texts or time.monotonic() - self._flushed_at >= 0.25)

    def _flush(self) -> None:
        """Read the pending numbers off the device, check them, and append them to the record."""
        pending, self._pending = self._pending, []
        self._flushed_at = time.monotonic()
        scalars = [value for _, _, metrics in pending for value in metrics.values() if _is_scalar(value)]
        values = iter(torch.stack([scalar.detach().float() for scalar in scalars]).tolist() if scalars else [])
        lines = []
        for phase, step, metrics in pending:
            numbers: Numbers = {}
            texts: dict[str, list[str]] = {}
            media: dict[str, NDArray[np.float32] | Image] = {}
            for name, value in metrics.items():
                if isinstance(value, list):
                    texts[name] = value
                elif isinstance(value, Image):
                    media[name] = value
                elif _is_scalar(value):
                    numbers[name] = next(values)
                elif isinstance(value, Tensor):
                    media[name] = value.detach().float().cpu().numpy()
                else:
                    numbers[name] = value
            if wrong := [f"{name} is {number}" for name, number in numbers.items() if not math.isfinite(number)]:
                raise DivergedError(self._diverged(phase, step, ", ".join(wrong)))
            self.display.step(phase, step, numbers)
            for name, several in texts.items():
                if name == WARNINGS:
                    for text in several:
                        self.display.message(f"warning: {text} (step {step} of {phase})")
                else:
                    self.display.message(f"{name} at step {step} of {phase}:\n{indent(_block(several), '  ')}")
            if numbers or texts:
                lines.append({"phase": phase, "step": step, **numbers, **texts})
            before = sum(steps for name, steps in self._steps.items() if name != phase)
            self._loggers.hold(phase, before + step, {**numbers, **texts, **media})
        self._record.append(lines)

    def _diverged(self, phase: str, step: int, what: str) -> str:
        found = checkpoints(self.folder)
        kept = (
            f"the last good checkpoint is {next(reversed(found.values()))}"
            if found
            else "no checkpoint had been saved yet"
        )
        return f"training diverged at step {step} of {phase}: {what}; {kept}; a lower learning rate usually helps"

    def export(self, contents: Mapping[str, bytes]) -> None:
        """Write files into the run directory that can be made from its state again."""
        self._flush()
        for name, data in {**contents, **self._samples()}.items():
            path = self.folder / name
            files.make_folder(path.parent)
            files.write(path, data)

    def _samples(self) -> dict[str, bytes]:
        """samples.txt: the samples in the record, in the order of training."""
        blocks = []
        for line in read_record(self.folder):
            for name, value in line.items():
                if isinstance(value, list) and name != WARNINGS:
                    blocks.append(f"# {name} at step {line['step']} of {line['phase']}\n{_block(value)}\n")
        return {"samples.txt": "\n".join(blocks).encode()} if blocks else {}


def _is_scalar(value: object) -> TypeGuard[Tensor]:
    return isinstance(value, Tensor) and value.dim() == 0


def _block(texts: Sequence[str]) -> str:
    """Texts one a line; with an empty line between two where one has several lines."""
    return ("\n\n" if any("\n" in text for text in texts) else "\n").join(texts)
