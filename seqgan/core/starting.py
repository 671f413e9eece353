"""Begin a run or continue one: the same function for both command lines and the library."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch

from seqgan.core import distributed, files
from seqgan.core import folder as folders
from seqgan.core.log import Display
from seqgan.core.loggers import Logger
from seqgan.core.record import read_record
from seqgan.core.run import Run, checkpoints, describe, refuse_other_world, rewrite
from seqgan.errors import RunError, UsageError, quoted

T = TypeVar("T")


class RunRequest(NamedTuple):
    """Which run the user asks for: a new one, or one to continue."""

    choice: str  # of an algorithm or a model
    folder: Path | None  # None: the first free one
    resume: bool  # continue the run in the folder, if there is one
    overwrite: bool
    seed: int | None  # None: not given
    threads: int  # 0: not given

    def existing(self) -> Path | None:
        """The run to continue.

        Raises:
            UsageError: options contradict each other."""
        if self.resume and self.overwrite:
            raise UsageError("to resume is to go on with a run, to overwrite is to replace it: ask for one of them")
        if self.resume and self.folder is None:
            raise UsageError("to resume, the run must be named: give its folder (in Python run_dir=...)")
        return self.folder if self.resume and self.folder and (self.folder / "run.json").is_file() else None

    def new_folder(self, name: str) -> Path:
        """Where a new run goes; `name` is used where no folder was given."""
        return self.folder or free_name(Path("runs"), name)

    def options(self) -> dict[str, Any]:
        """The options given that belong to what the run is."""
        given = {"seed": self.seed, "threads": self.threads or None}
        return {"algorithm": self.choice, **{name: value for name, value in given.items() if value is not None}}


class Machine(NamedTuple):
    """How a run is carried out, which changes nothing of what is learned."""

    device: torch.device
    display: Display = Display()
    save_seconds: float = 30.0  # between checkpoints
    save_steps: int = 0  # of a phase between checkpoints, in the place of seconds
    keep: int = 2  # checkpoints that stay
    loggers: Sequence[Logger] = ()

    def run(self, folder: Path) -> Run:
        return Run(
            folder,
            display=self.display,
            save_seconds=self.save_seconds,
            save_steps=self.save_steps,
            keep=self.keep,
            loggers=self.loggers,
        )


def begin_or_continue(
    request: RunRequest,
    *,
    begin: Callable[[], Path],
    options: Callable[[Path], Mapping[str, Any]],
    extendable: str,
    carry_out: Callable[[Path], T],
) -> tuple[Path, T]:
    """Begin a run or continue it, and return its folder and the result of `carry_out`. Of a run that could not take its
    first step nothing is left.

    `begin` makes a new run. `options` checks that an existing one may continue, and returns the hyper-parameters that
    were given. All processes of a training call this, and the first decides for all.

    Raises:
        RunError: the run was begun with other options, or its folder is taken; and what the three functions raise."""

    def ready() -> tuple[str, bool]:
        if folder := request.existing():
            agree(folder, {**options(folder), **request.options()}, extendable)
            return str(folder), False
        return str(begin()), True

    place, new = distributed.on_rank_zero(ready)
    folder = Path(place)
    try:
        return folder, carry_out(folder)
    except BaseException:
        if new and distributed.rank() == 0 and not checkpoints(folder) and not read_record(folder):
            folders.roll_back(folder)
        raise


def agree(folder: Path, options: Mapping[str, Any], extendable: str) -> None:
    """Check that a run may continue with these options. More steps of its last phase (`extendable`) are written down.

    Raises:
        RunError: any other option differs from what the run was begun with."""
    description = describe(folder)
    refuse_other_world(folder, description)
    stored = {**description["config"], **{name: description.get(name) for name in ("algorithm", "seed", "threads")}}
    different = {name: (stored.get(name), new) for name, new in options.items() if stored.get(name) != new}
    more = extendable in different and different[extendable][1] > different[extendable][0]
    steps = different.pop(extendable)[1] if more else None
    if different:
        named = ", ".join(
            f"{name} was {quoted(old)} and is now {quoted(new)}" for name, (old, new) in different.items()
        )
        raise RunError(
            f"{folder} was begun with other options: {named}; leave them out to go on with it, or start a new run"
        )
    if more:
        description["config"][extendable] = steps
        rewrite(folder, description)


def free_name(parent: Path, stem: str) -> Path:
    """The first of `<stem>-1`, `<stem>-2` ... that is not taken, in the folder itself whatever the stem is."""
    stem = files.as_name(stem)
    return next(path for k in range(1, 1_000_000) if not (path := parent / f"{stem}-{k}").exists())
