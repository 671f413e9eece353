"""What a person sees while training: live bars on a terminal, plain lines in a log file."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column
from rich.text import Text
from torch import Tensor

# Numbers (device scalars are read later, many at once) or, for texts to look at, a list of strings.
Metrics = Mapping[str, "float | Tensor | list[str]"]
Numbers = dict[str, float]


class Display(Protocol):
    """Told of everything; may show it or not."""

    def begin(self, phases: Sequence[tuple[str, int, int]]) -> None:
        """The phases to come: name, steps at most, steps done."""
        ...

    def step(self, phase: str, step: int, numbers: Numbers) -> None: ...
    def say(self, text: str) -> None: ...
    def end(self) -> None: ...


class Silence:
    """For library use and tests."""

    def begin(self, phases: Sequence[tuple[str, int, int]]) -> None: ...
    def step(self, phase: str, step: int, numbers: Numbers) -> None: ...
    def say(self, text: str) -> None: ...
    def end(self) -> None: ...


class Bars:
    """Live progress on stderr, one bar a phase."""

    def __init__(self, console: Console) -> None:
        def column(width: int) -> Column:
            return Column(width=width, no_wrap=True)

        self._progress = Progress(
            TextColumn("{task.description}", table_column=column(22)),
            BarColumn(bar_width=None, table_column=column(16)),
            MofNCompleteColumn(table_column=column(11)),
            TimeRemainingColumn(compact=True, table_column=column(5)),
            TextColumn("[dim]left[/]", table_column=column(4)),
            TextColumn("{task.fields[numbers]}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            console=console,
            refresh_per_second=4,
            expand=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._numbers: dict[str, Numbers] = {}
        self._current = ""

    def begin(self, phases: Sequence[tuple[str, int, int]]) -> None:
        for name, steps, done in phases:
            self._tasks[name] = self._progress.add_task(
                name, total=steps, completed=done, start=False, visible=done > 0, numbers=""
            )
        self._progress.start()

    def step(self, phase: str, step: int, numbers: Numbers) -> None:
        task = self._tasks[phase]
        if phase != self._current:
            self._finish_current()
            self._current = phase
            self._progress.start_task(task)
        latest = self._numbers.setdefault(phase, {})
        latest.update(numbers)
        self._progress.update(task, completed=step, visible=True, numbers=shown(latest))

    def say(self, text: str) -> None:
        self._progress.console.print(Text(text))

    def end(self) -> None:
        self._finish_current()
        self._progress.stop()

    def _finish_current(self) -> None:
        """A phase that stopped early is done: its bar ends where it stands."""
        if self._current:
            task = self._tasks[self._current]
            self._progress.update(task, total=self._progress.tasks[task].completed)


@contextmanager
def transfer(name: str) -> Iterator[Callable[[int, int], None]]:
    """Show how a download gets on, to a person who watches; call what it gives with bytes so far and bytes in all."""
    console = Console(stderr=True)
    with Progress(
        TextColumn(name),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task(name, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total or None)


class Lines:
    """One plain line every few seconds, for pipes and log files."""

    def __init__(self, every_seconds: float = 10.0) -> None:
        self._every, self._last, self._current = every_seconds, float("-inf"), ""
        self._steps: dict[str, int] = {}
        self._numbers: Numbers = {}
        self._started, self._first = 0.0, 0

    def begin(self, phases: Sequence[tuple[str, int, int]]) -> None:
        self._steps = {name: steps for name, steps, _ in phases}

    def step(self, phase: str, step: int, numbers: Numbers) -> None:
        now = time.monotonic()
        if phase != self._current:
            self._current, self._started, self._first, self._numbers = phase, now, step, {}
        self._numbers.update(numbers)
        total = self._steps[phase]
        if now - self._last >= self._every or step == total:
            self._last = now
            each = (now - self._started) / max(1, step - self._first)
            left = f"at most {each * (total - step):.0f} s left" if step > self._first else "begins"
            self.say(f"{phase}  {step}/{total}  {left}  {shown(self._numbers)}")

    def say(self, text: str) -> None:
        tell(text)

    def end(self) -> None: ...


def tell(text: str) -> None:
    """One line to whoever reads stderr."""
    with contextlib.suppress(OSError):  # a log that is full, or whose reader has gone, ends no training
        print(text, file=sys.stderr, flush=True)


def shown(numbers: Numbers) -> str:
    return "  ".join(f"{name} {value:.3g}" for name, value in numbers.items())


def display() -> Display:
    """Bars where a person watches, plain lines where the output goes to a file."""
    console = Console(stderr=True)
    return Bars(console) if console.is_terminal else Lines()
