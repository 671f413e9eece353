"""Where the numbers of a training go beside its record: to any object with three methods.

A logger is told of a step once the step is saved in a checkpoint (`--save-seconds`), so that a run which is killed and
goes on repeats none. All steps of a training have one axis: those of later phases follow those of earlier ones, and a
checkpoint has the number of its last step."""

import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from seqgan.core import files
from seqgan.core.bounds import Bound
from seqgan.core.log import Display
from seqgan.errors import UsageError, why

Values = Mapping[str, "float | list[str] | NDArray[np.float32] | Image"]


class Logger(Protocol):
    """What `train(..., loggers=[...])` takes. One that raises is left out from then on; training goes on."""

    def begin(self, folder: Path, description: Mapping[str, Any], step: int) -> None:
        """Before the first step, or before the rest of a training of which `step` steps are done.

        `folder` is the run, `description` what its run.json says."""
        ...

    def log(self, phase: str, step: int, values: Values) -> None:
        """What a step measured: numbers, lists of texts, many values of one quantity (an array of one dimension, such
        as rewards), and images. `step` counts from 1 over all phases."""
        ...

    def end(self, numbers: Mapping[str, float] | None) -> None:
        """The closing numbers; None where training was stopped or has failed."""
        ...


class Loggers:
    """The loggers of one training. A failure of theirs is a warning, and never one of the training."""

    def __init__(self, loggers: Sequence[Logger], display: Display) -> None:
        self._waiting, self._display = list(loggers), display
        self._working: list[Logger] = []
        self._held: list[tuple[str, int, Values]] = []

    def begin(self, folder: Path, description: Mapping[str, Any], step: int) -> None:
        self._working, self._waiting = self._waiting, []
        self._each(lambda logger: logger.begin(folder, description, step))

    def hold(self, phase: str, step: int, values: Values) -> None:
        """Keep what a step measured until it is saved."""
        if self._working and values:
            self._held.append((phase, step, values))

    def release(self) -> None:
        """What is held is saved."""
        held, self._held = self._held, []

        def log(logger: Logger) -> None:
            for phase, step, values in held:
                logger.log(phase, step, values)

        if held:
            self._each(log)

    def end(self, numbers: Mapping[str, float] | None) -> None:
        self._each(lambda logger: logger.end(numbers))
        self._working = []

    def options(self) -> str:
        """The options of a command that ask for these."""
        return "".join(f" {logger.option}" for logger in self._working if isinstance(logger, TensorBoard | WandB))

    def _each(self, tell: Callable[[Logger], None]) -> None:
        for logger in list(self._working):
            try:
                tell(logger)
            except Exception as error:
                self._working.remove(logger)
                reason = f"{type(error).__name__}: {why(error)}"
                self._display.warn(f"the logger {type(logger).__name__} failed, and training goes on without: {reason}")


class LoggerList(Bound):
    """A list of loggers."""

    expected = "a list of objects with the methods begin, log and end"

    def check(self, value: Any) -> list[Logger]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise ValueError
        for logger in value:
            if isinstance(logger, type) or not all(callable(getattr(logger, name, None)) for name in METHODS):
                raise ValueError
        return list(value)


METHODS = ("begin", "log", "end")
ID_OF_WANDB = "wandb-run-id"
LOGGERS = LoggerList()


def hyper_parameters(description: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """What distinguishes a run from others, flat: its config, algorithm, data and seed."""
    data = description.get("corpus") or description.get("data") or {}
    about = {"algorithm": description.get("algorithm"), "data": data.get("name"), "seed": description.get("seed")}
    plain = (bool, int, float, str)
    return {
        name: value if isinstance(value, plain) else ",".join(map(str, value)) if value else ""
        for name, value in {**about, **description.get("config", {})}.items()
    }


def curve(phase: str, name: str) -> str:
    """The curve that a number belongs to. Validation numbers mean the same in every phase, and have one for all."""
    return f"validation/{name}" if name.startswith("valid_") else f"{phase}/{name}"


class TensorBoard:
    """Event files for TensorBoard, in the folder `tensorboard` of a run. See them with `tensorboard --logdir runs`."""

    option = "--tensorboard"

    def __init__(self) -> None:
        """
        Raises:
            UsageError: tensorboard is not installed."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise _missing("tensorboard") from error
        self._new_writer: Callable[..., Any] = SummaryWriter

    def begin(self, folder: Path, description: Mapping[str, Any], step: int) -> None:
        self._about, self._last = hyper_parameters(description), step
        # What another process has written of later steps is hidden.
        self._writer = self._new_writer(str(folder / "tensorboard"), purge_step=step + 1)

    def log(self, phase: str, step: int, values: Values) -> None:
        for name, value in values.items():
            tag = curve(phase, name)
            if isinstance(value, list):
                shown = "\n\n".join("\n".join(f"    {line}" for line in text.split("\n")) for text in value)
                self._writer.add_text(tag, shown, step)
            elif isinstance(value, Image):
                self._writer.add_image(tag, np.asarray(value.convert("RGB")), step, dataformats="HWC")
            elif isinstance(value, np.ndarray):
                self._writer.add_histogram(tag, value, step)
            else:
                self._writer.add_scalar(tag, value, step)
        self._last = step
        self._writer.flush()

    def end(self, numbers: Mapping[str, float] | None) -> None:
        """The closing numbers stand one step after the last."""
        from torch.utils.tensorboard.summary import hparams

        closing = {f"closing/{name}": value for name, value in (numbers or {}).items()}
        for summary in hparams(self._about, closing) if closing else ():
            self._writer.file_writer.add_summary(summary)
        for name, value in closing.items():
            self._writer.add_scalar(name, value, self._last + 1)
        self._writer.close()


class WandB:
    """A run of a project of Weights & Biases, online or offline as its own settings say (`WANDB_MODE=offline`)."""

    def __init__(self, project: str) -> None:
        """
        Raises:
            UsageError: wandb is not installed."""
        try:
            import wandb
        except ImportError as error:
            raise _missing("wandb") from error
        self._wandb: Any = wandb
        self.project = project

    @property
    def option(self) -> str:
        return f"--wandb {shlex.quote(self.project)}"

    def begin(self, folder: Path, description: Mapping[str, Any], step: int) -> None:
        """A run that goes on is the same one there. What wandb writes goes to its own folder (`wandb`, or WANDB_DIR):
        it makes symbolic links, which a run may not hold."""
        kept = folder / ID_OF_WANDB
        if not kept.is_file():
            files.write(kept, secrets.token_hex(8).encode())
        self._run = self._wandb.init(
            project=self.project,
            id=kept.read_text(encoding="utf-8"),
            name=folder.name,
            resume="allow",
            config=hyper_parameters(description),
            settings=self._wandb.Settings(console="off"),  # which would redirect the streams of the progress bars
        )

    def log(self, phase: str, step: int, values: Values) -> None:
        self._run.log({curve(phase, name): self._as_media(value) for name, value in values.items()}, step=step)

    def _as_media(self, value: Any) -> Any:
        if isinstance(value, list):
            return self._wandb.Table(columns=["text"], data=[[text] for text in value])
        if isinstance(value, Image):
            return self._wandb.Image(value)
        return self._wandb.Histogram(value) if isinstance(value, np.ndarray) else value

    def end(self, numbers: Mapping[str, float] | None) -> None:
        for name, value in (numbers or {}).items():
            self._run.summary[f"closing/{name}"] = value
        self._run.finish(exit_code=int(numbers is None))


def _missing(extra: str) -> UsageError:
    return UsageError(f"{extra} is not installed; install it with: pip install 'seqgan[{extra}]'")
