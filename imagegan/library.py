"""What `import imagegan` offers: train, load, generate, evaluate, save."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from numpy.typing import ArrayLike
from torch import Tensor

from imagegan import evaluation, training
from imagegan.data import MANY, SIDE
from imagegan.data import load as load_data
from imagegan.measures import Row
from imagegan.model import STAGE, ImageModel, load_model
from imagegan.nets import Images
from imagegan.pretrained import CONFIG, save_pretrained
from imagegan.report import report
from imagegan.runs import read_run
from imagegan.samples import read_samples, samples_of
from imagegan.variants.configs import CONFIGS, PRESETS
from seqgan.core import distributed, page
from seqgan.core.bounds import COUNT, PATH, SECONDS, SEED, STEPS, TEXT, THREADS, YES_NO, checked
from seqgan.core.config import choose_by_arguments
from seqgan.core.device import resolve
from seqgan.core.log import Display, progress_display
from seqgan.core.loggers import LOGGERS, Logger
from seqgan.core.pretrained import Shareable, refuse_taken
from seqgan.core.record import read_record
from seqgan.core.starting import Machine, RunRequest
from seqgan.errors import DataError, UsageError


class TrainedRun(Shareable):
    """A run directory with a trained model in it."""

    def __init__(self, folder: Path, device: str = "auto") -> None:
        self.folder, self._device = folder, resolve(device)
        self.about = read_run(folder)
        self.description: Mapping[str, Any] = self.about.description  # what run.json says
        self._models: dict[str, ImageModel] = {}

    def __repr__(self) -> str:
        about = self.description
        return f"<TrainedRun {self.folder}: {about['algorithm']} on {about['data']['name']}, seed {about['seed']}>"

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The record of the training: the numbers of each step, by phase and step."""
        return read_record(self.folder)

    @checked
    def model(self, stage: Annotated[str | int, STAGE] = "final") -> ImageModel:
        """The model of a stage: final, best (on validation images), or the number of a checkpoint.

        Raises:
            RunError: nothing is saved yet, or there is no such stage.
            CheckpointError: the checkpoint is damaged."""
        stage = str(stage)
        if stage not in self._models:
            self._models[stage] = ImageModel(load_model(self.folder, self._device, stage), self.about)
        return self._models[stage]

    def generate(self, count: int = 10, *, stage: str | int = "final", **options: Any) -> Images:
        """Images "N C S S" in [-1, 1], on the CPU. Options: seed 0, label (a class by name or number), code,
        truncation (`ImageModel.generate`).

        Raises:
            UsageError: the model has no such class or code."""
        return self.model(stage).generate(count, **options)

    @checked
    def evaluate(
        self,
        *,
        count: Annotated[int, evaluation.COUNTED] = evaluation.COUNT,
        seed: Annotated[int, SEED] = 0,
        stage: Annotated[str | int, STAGE] = "final",
    ) -> dict[str, Row]:
        """What `imagegan evaluate` prints: a row of numbers for the samples, and one for held-out images."""
        return evaluation.evaluate_runs([self.folder], self._device, count=count, seed=seed, stage=str(stage))

    @checked
    def save_pretrained(
        self,
        folder: Annotated[str | Path, PATH],
        *,
        stage: Annotated[str | int, STAGE] = "final",
        license: Annotated[str, TEXT] = "unknown",
        overwrite: Annotated[bool, YES_NO] = False,
    ) -> Path:
        """Save the model of a stage in a folder, with a model card of its numbers and samples.

        `license` is the identifier of the hub, such as "cc0-1.0", for the card.

        Raises:
            UsageError: the folder holds something already; `overwrite` replaces a saved model."""
        refuse_taken(Path(folder), CONFIG, overwrite=overwrite)
        rows: dict[str, Row] = {}
        with suppress(DataError):  # too few held-out images to measure by
            rows = self.evaluate(stage=stage)
        return save_pretrained(self.model(stage), Path(folder), rows, licence=license, overwrite=overwrite)


@checked
def train(
    model: Annotated[str, TEXT] = "dcgan",
    *,
    data: Annotated[str | None, TEXT] = None,
    data_dir: Annotated[str | Path | None, PATH] = None,
    preset: Annotated[str | None, TEXT] = None,
    run_dir: Annotated[str | Path | None, PATH] = None,
    resume: Annotated[bool, YES_NO] = False,
    overwrite: Annotated[bool, YES_NO] = False,
    seed: Annotated[int | None, SEED] = None,
    threads: Annotated[int, THREADS] = 0,
    device: str = "auto",
    progress: Annotated[bool, YES_NO] = False,
    save_seconds: Annotated[float, SECONDS] = 30.0,
    save_steps: Annotated[int, STEPS] = 0,
    keep: Annotated[int, COUNT] = 2,
    loggers: Annotated[Sequence[Logger], LOGGERS] = (),
    **hyper: Any,
) -> TrainedRun:
    """Train a variant, as `imagegan train` does, and return the run. `hyper` are hyper-parameters by their names, as in
    `imagegan train --model NAME --help` (with underscores); `loggers` are any `seqgan.Logger`, such as
    `seqgan.TensorBoard()`. Checkpoints are `save_seconds` apart, or else `save_steps` of a phase, and `keep` of them
    stay.

    Raises:
        ConfigError: an unknown hyper-parameter or a bad value.
        DataError: the images cannot be read.
        RunError: `run_dir` is taken, in use, or was begun with other options.
        DivergedError: a loss became NaN; the last good checkpoint stays."""
    chosen = choose_by_arguments("model", model, CONFIGS, PRESETS, preset, hyper)
    wanted = RunRequest(model, Path(run_dir) if run_dir else None, resume, overwrite, seed, threads)
    wanted.existing()  # refuses what contradicts itself, in every process
    display = progress_display() if progress else Display()
    machine = Machine(resolve(device), display, save_seconds, save_steps, keep, loggers)
    with distributed.process_group(machine.device):
        place = Path(data_dir) if data_dir else None
        folder, finished = training.begin_or_continue(wanted, chosen, data, place, machine)
    if finished:
        written = partial(report, [folder], machine.device, finished.splits)
        page.write_after_training(folder, written, machine.display)
    return TrainedRun(folder, device)


@checked
def evaluate(
    samples: str | Path | ArrayLike | Tensor,
    data: Annotated[str, TEXT] = "digits",
    *,
    labels: ArrayLike | Tensor | None = None,
    data_dir: Annotated[str | Path | None, PATH] = None,
    size: Annotated[int, SIDE] = 0,
    images: Annotated[int, MANY] = 0,
    count: Annotated[int, evaluation.COUNTED] = evaluation.COUNT,
    seed: Annotated[int, SEED] = 0,
) -> dict[str, Row]:
    """Measure images of any origin, as `imagegan evaluate --samples` does: a row for them, and one for held-out images.

    Args:
        samples: an npz file, a folder of images, or an array "N C S S", "N S S C" or "N S S" of bytes, or of floats in
            [0, 1], [-1, 1] or [0, 255], which are told by the type and the range; of points, "N 2".
        data: what they are compared with, by name, as for `train`; `data_dir`, `size` as there.
        labels: of an array, the classes that they were to be of.
        images: how many training images there are to compare with; 0: 10,000, or all that are read.
        count: at most so many samples are measured, taken at random by `seed`.

    Raises:
        DataError: the samples or the data cannot be read, are of different shapes, or too few."""
    splits = load_data(
        data, count=images, held_out=count, seed=seed, size=size, folder=Path(data_dir) if data_dir else None
    )
    if isinstance(samples, str | Path):
        if labels is not None:
            raise UsageError("labels go with an array; a file holds its own")
        given = read_samples(Path(samples), splits.train)
    else:
        given = samples_of(samples, labels, splits.train)
    return evaluation.evaluate({"samples": given.some(count, seed)}, splits, data)


@checked
def load(folder: Annotated[str | Path, PATH], device: str = "auto") -> TrainedRun:
    """A run that was trained before."""
    return TrainedRun(Path(folder), device)
