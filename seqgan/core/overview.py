"""A table of the runs in a folder: what each is, how far it has come, and its main numbers.

It reads descriptions and records alone, no checkpoint, so that it needs no torch and is quick with a thousand runs. A
run that cannot be read is a row as well."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from seqgan.core import schema
from seqgan.core.folder import LOCK, checkpoints, describe, how_to_go_on, is_locked
from seqgan.errors import RunError, SeqGANError, UsageError

Line = Mapping[str, Any]  # of a record
# From a run's description and the lines of its record that hold validation numbers: its main numbers by their headings.
MainNumbers = Callable[[Mapping[str, Any], Sequence[Line]], Mapping[str, float]]
DATA = schema.TABLE._replace(needed=False)
FIELDS = {"package": schema.TEXT, "algorithm": schema.TEXT, "config": schema.TABLE, "corpus": DATA, "data": DATA}
FINISHED, STOPPED, RUNNING, DAMAGED, NOT_BEGUN = "finished", "stopped", "running", "damaged", "not begun"


@dataclass(frozen=True)
class Overview:
    """What a table says of a run."""

    folder: Path
    began: float  # seconds since 1970, as the files tell
    state: str
    where: str = ""  # the phase and step of a run that is not finished; what is wrong with one that is damaged
    description: Mapping[str, Any] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def what(self) -> str:
        """`seqgan on poems`"""
        about = self.description
        data = about.get("corpus") or about.get("data") or {}
        return f"{about.get('algorithm', '?')} on {data.get('name', '?')}" if about else ""

    @property
    def go_on(self) -> str:
        """The command that continues it; empty where there is nothing to do, or nothing can be done."""
        waiting = self.state in (STOPPED, NOT_BEGUN)
        return how_to_go_on(self.folder, self.description) if waiting else ""

    @property
    def date(self) -> str:
        return datetime.fromtimestamp(self.began).strftime("%Y-%m-%d %H:%M")

    def cells(self, headings: Sequence[str]) -> list[str]:
        between = ": " if self.state == DAMAGED else " " if self.where else ""
        state = f"{self.state}{between}{self.where}"
        numbers = [f"{self.numbers[name]:.4g}" if name in self.numbers else "" for name in headings]
        return [str(self.folder), self.what, str(self.description.get("seed", "")), self.date, state, *numbers]

    def as_json(self) -> dict[str, Any]:
        about = self.description
        return {
            "run": str(self.folder),
            **{name: about.get(name) for name in ("package", "algorithm", "seed")},
            "data": (about.get("corpus") or about.get("data") or {}).get("name"),
            "began": datetime.fromtimestamp(self.began).isoformat(timespec="seconds"),
            "state": self.state,
            "where": self.where or None,
            "numbers": self.numbers,
            "go_on": self.go_on or None,
        }


def runs_in(folder: Path, package: str, main_numbers: MainNumbers) -> list[Overview]:
    """The runs of a package that lie in a folder, or the one that it is, the newest last. Where the package of a
    damaged one cannot be told it counts as this one's.

    Raises:
        UsageError: there is no such folder."""
    try:
        inside = [folder] if (folder / "run.json").is_file() else sorted(folder.iterdir())
    except OSError as error:
        missing = f"there is no folder {folder}" if not folder.exists() else f"{folder} is no folder that can be read"
        raise UsageError(f"{missing}; give one that holds runs") from error
    found = [_overview(path, main_numbers) for path in inside if _is_run(path)]
    ours = [run for run in found if run.description.get("package", package) == package]
    return sorted(ours, key=lambda run: run.began)


def _is_run(path: Path) -> bool:
    made = ("run.json", "checkpoints", "metrics.jsonl")
    try:
        return not path.name.startswith(".") and any((path / name).exists() for name in made)
    except OSError:  # it may not be looked into
        return True


def _overview(folder: Path, main_numbers: MainNumbers) -> Overview:
    began, description = _began(folder), dict[str, Any]()
    try:
        found = describe(folder)
        schema.check(folder / "run.json", found, FIELDS, RunError)
        description = found
        lines = list(_lines(folder))
        state, where = _state(folder, description, lines)
        validated = [line for line in lines if any(name.startswith("valid_") for name in line)]
        return Overview(folder, began, state, where, description, main_numbers(description, validated))
    except (SeqGANError, OSError) as error:
        reason = str(error).replace(f"{folder}/", "").partition(";")[0]
        return Overview(folder, began, DAMAGED, reason, description)
    except (LookupError, TypeError, ValueError, AttributeError):
        return Overview(folder, began, DAMAGED, "run.json or metrics.jsonl holds what was not expected", description)


def _began(folder: Path) -> float:
    """A run writes run.json when it begins, and again only where it is extended; its lock is never written again."""
    times = []
    for path in (folder / "run.json", folder / LOCK):
        with suppress(OSError):
            times.append(path.stat().st_mtime)
    return min(times, default=folder.lstat().st_mtime)


def _lines(folder: Path) -> Iterator[Line]:
    """Of the record, the lines with validation numbers, the last of each phase, and the last of all that is whole."""
    path = folder / "metrics.jsonl"
    whole = path.read_bytes().split(b"\n")[:-1] if path.is_file() else []  # what a kill left half written is no line
    phases = [raw.partition(b'"step"')[0] for raw in whole]
    for number, raw in enumerate(whole):
        if b'"valid_' in raw or number + 1 == len(whole) or phases[number] != phases[number + 1]:
            try:
                line = json.loads(raw)
            except ValueError as error:
                raise RunError(f"line {number + 1} of metrics.jsonl is not valid JSON") from error
            yield line


def _state(folder: Path, description: Mapping[str, Any], lines: Sequence[Line]) -> tuple[str, str]:
    """How a run stands, and at which step: that of its newest checkpoint, since the record may be ahead of it."""
    saved = max(checkpoints(folder), default=0)
    steps: dict[str, int] = {}
    for line in lines:
        steps[line["phase"]] = line["step"]
    *earlier, current = steps or [""]
    step = min(steps.get(current, 0), saved - sum(steps[phase] for phase in earlier))
    where = f"at step {step} of {current}" if step > 0 else f"after {saved} steps" if saved else ""
    if is_locked(folder):
        return RUNNING, where
    if not saved:
        return NOT_BEGUN, ""
    if not lines:
        return DAMAGED, "metrics.jsonl is missing or empty"
    return (FINISHED, "") if _is_finished(folder, saved) else (STOPPED, where)


def _is_finished(folder: Path, saved: int) -> bool:
    """Whether the closing evaluation is of the newest checkpoint; of images, which Python does not evaluate, whether
    their weights were written after it."""
    try:
        closing = schema.read(folder / "evaluations" / "training.json", RunError, "remove it")
    except (FileNotFoundError, RunError):
        closing = {}
    if closing.get("steps") == saved:
        return True
    picture, newest = folder / "training.gif", checkpoints(folder)[saved]
    return picture.is_file() and picture.stat().st_mtime >= newest.stat().st_mtime
