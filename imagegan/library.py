"""What `import imagegan` offers: train, load, generate, evaluate."""

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from imagegan import evaluation, generation, training
from imagegan.game import Game
from imagegan.measures import Row
from imagegan.nets import Images
from imagegan.pyramid import Pyramid
from imagegan.runs import class_names, read_run
from imagegan.variants.configs import CONFIGS, PRESETS
from seqgan.core import distributed
from seqgan.core.bounds import PATH, SEED, TEXT, THREADS, YES_NO, checked
from seqgan.core.config import choose_config, nearest, parameters
from seqgan.core.device import resolve
from seqgan.core.log import Display, progress_display
from seqgan.core.starting import Machine, RunRequest
from seqgan.errors import ConfigError, UsageError, quoted


class TrainedRun:
    """A run directory with a trained model in it."""

    def __init__(self, folder: Path, device: str = "auto") -> None:
        self.folder, self._device = folder, resolve(device)
        self.description = read_run(folder).description

    def __repr__(self) -> str:
        about = self.description
        return f"<TrainedRun {self.folder}: {about['algorithm']} on {about['data']['name']}, seed {about['seed']}>"

    @cached_property
    def model(self) -> Game | Pyramid:
        """The newest state: its networks are `model.recipe.nets`, of a pyramid those of each of `model.games`."""
        return generation.load_model(self.folder, self._device)

    def generate(
        self,
        count: int,
        *,
        seed: int = 0,
        label: str | int | None = None,
        code: Sequence[float] | None = None,
        truncation: float = math.inf,
    ) -> Images:
        """Images "N C S S" in [-1, 1], on the CPU: of one class (by name or number), with one code, or of all in turn.

        Raises:
            UsageError: the model has no such class or code."""
        number = None if label is None else generation.class_number(self.model, class_names(self.folder), str(label))
        return generation.generate(self.model, count, seed, number, code, truncation)

    def evaluate(self, *, count: int = evaluation.COUNT, seed: int = 0) -> dict[str, Row]:
        """What `imagegan evaluate` prints: a row of numbers for the samples, and one for held-out images."""
        return evaluation.evaluate_runs([self.folder], self._device, count=count, seed=seed)


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
    **hyper: Any,
) -> TrainedRun:
    """Train a variant, as `imagegan train` does, and return the run. `hyper` are hyper-parameters by their names, as in
    `imagegan train --help` (with underscores).

    Raises:
        ConfigError: an unknown hyper-parameter or a bad value.
        DataError: the images cannot be read.
        RunError: `run_dir` is taken, in use, or was begun with other options.
        DivergedError: a loss became NaN; the last good checkpoint stays."""
    if model not in CONFIGS:
        raise UsageError(f"there is no model {quoted(model)}{nearest(model, CONFIGS)}")
    known = {parameter.name for parameter in parameters(CONFIGS[model])}
    if unknown := sorted(set(hyper) - known):
        raise ConfigError(f"{model} has no hyper-parameter {quoted(unknown[0])}{nearest(unknown[0], sorted(known))}")
    chosen = choose_config(model, CONFIGS[model], PRESETS[model], preset=preset, typed=hyper, source="arguments")
    wanted = RunRequest(model, Path(run_dir) if run_dir else None, resume, overwrite, seed, threads)
    wanted.existing()  # refuses what contradicts itself, in every process
    machine = Machine(resolve(device), progress_display() if progress else Display())
    with distributed.process_group(machine.device):
        folder, _ = training.begin_or_continue(wanted, chosen, data, Path(data_dir) if data_dir else None, machine)
    return TrainedRun(folder, device)


@checked
def load(folder: Annotated[str | Path, PATH], device: str = "auto") -> TrainedRun:
    """A run that was trained before."""
    return TrainedRun(Path(folder), device)
