"""What a training logs, kept as it comes or read back by TensorBoard's own reader."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqgan.core.loggers import Values


class Kept:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.steps: list[tuple[str, int, Values]] = []

    def begin(self, folder: Path, description: Mapping[str, Any], step: int) -> None:
        self.told.append(("begin", folder.name, description["algorithm"], step))

    def log(self, phase: str, step: int, values: Values) -> None:
        self.steps.append((phase, step, values))

    def end(self, numbers: Mapping[str, float] | None) -> None:
        self.told.append(("end", numbers))


def events(folder: Path) -> Any:
    """What TensorBoard itself reads of a folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    whole = dict.fromkeys(("scalars", "images", "histograms", "tensors"), 0)
    found = EventAccumulator(str(folder / "tensorboard"), whole)
    found.Reload()
    return found
