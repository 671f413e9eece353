"""Progress of a training: live bars on a terminal, plain lines in a log file."""

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from statistics import fmean
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)
from rich.table import Column
from rich.text import Text

from seqgan.core.phase import Numbers, Phase

T = TypeVar("T")


class Display:
    """Where a run reports its progress; this one shows nothing."""

    def begin(self, phases: Sequence[Phase], done: Mapping[str, int]) -> None:
        """All phases, and how many steps of each are done."""

    def step(self, phase: str, step: int, numbers: Numbers) -> None: ...

    def part(self, what: str, done: int, total: int) -> None:
        """How far something beside the steps has come; `total` 0: of an unknown number."""

    def message(self, text: str) -> None: ...

    def warn(self, text: str) -> None:
        """A message that is shown where no progress is."""
        print_stderr(f"warning: {text}")

    def end(self) -> None: ...


_DISPLAY: ContextVar[Display] = ContextVar("display", default=Display())  # noqa: B039
SLOW = 2.0  # seconds, after which a part of the preparation is shown


@contextmanager
def showing(display: Display) -> Iterator[None]:
    """Within the block `tracked` and `say` report to a display. It is no argument of theirs, since texts are read and
    encoded many calls below the command that shows it."""
    token = _DISPLAY.set(display)
    try:
        yield
    finally:
        _DISPLAY.reset(token)
        display.end()


def tracked(items: Iterable[T], what: str, total: int = 0, size: Callable[[T], int] = lambda item: 1) -> Iterator[T]:
    """Items one by one, shown as progress once they have taken two seconds; `size` is what each adds to `total`."""
    display, since, done, told = _DISPLAY.get(), time.monotonic(), 0, False
    for item in items:
        yield item
        done += size(item)
        if time.monotonic() - since > SLOW:
            told = True
            display.part(what, done, total)
    if told:
        display.part(what, done, done)


def say(text: str) -> None:
    """A message, where a display is shown."""
    _DISPLAY.get().message(text)


class Pace:
    """The time that the phase under way still takes, from the steps measured so far."""

    def __init__(self, phases: Sequence[Phase] = ()) -> None:
        self.phases = {phase.name: phase for phase in phases}
        self.current, self.rate = "", ""
        self._since, self._first = 0.0, 0

    def left(self, phase: str, step: int) -> str:
        """`at most 12 s left` after a step: a phase may stop early. The `rate` is that of the steps so far."""
        now = time.monotonic()
        if phase != self.current:
            self.current, self.rate, self._since, self._first = phase, "", now, step
        elif now > self._since:
            self.rate = per_second((step - self._first) / (now - self._since))
        steps = self.phases[phase].steps
        if step >= steps:
            return "done"
        if step == self._first:
            return "begins" if step <= 1 else "goes on"
        return f"at most {duration((now - self._since) / (step - self._first) * (steps - step))} left"


def duration(seconds: float) -> str:
    """`12 s`, `4 min`, `2.5 hours`"""
    if seconds < 90:
        return f"{max(1.0, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def per_second(rate: float) -> str:
    """`25 steps/s`, `1.3 steps/s`, `12 s/step`"""
    if rate < 0.1:
        return f"{duration(1 / rate)}/step" if rate else ""
    return f"{rate:.0f} steps/s" if rate >= 10 else f"{rate:.1f} steps/s"


class Curve:
    """The course of a number over a phase as a line of characters."""

    LEVELS, WIDTH, KEPT = "▁▂▃▄▅▆▇█", 16, 1024

    def __init__(self) -> None:
        self._values: list[float] = []
        self._together, self._waiting = 1, list[float]()  # so many numbers make one of the values

    def add(self, value: float) -> None:
        self._waiting.append(value)
        if len(self._waiting) == self._together:
            self._values.append(sum(self._waiting) / self._together)
            self._waiting.clear()
        if len(self._values) == self.KEPT:
            pairs = zip(self._values[::2], self._values[1::2], strict=True)
            self._values, self._together = [(one + other) / 2 for one, other in pairs], 2 * self._together

    def __str__(self) -> str:
        """Each character is the mean of as many numbers, the lowest of them at the bottom, the highest at the top."""
        values = self._values  # those of now: the display asks from a thread of its own
        count = min(self.WIDTH, total := len(values))
        edges = [total * part // max(1, count) for part in range(count + 1)]
        means = [fmean(values[first:last]) for first, last in pairwise(edges)]
        if not all(map(math.isfinite, means)):
            return ""
        low, high = min(means, default=0.0), max(means, default=0.0)
        top = len(self.LEVELS) - 1
        return "".join(self.LEVELS[round(top * (mean - low) / (high - low)) if high > low else 0] for mean in means)


class Bars(Display):
    """Live progress on stderr, one line a phase. Validation numbers come first, and a narrow terminal leaves others
    out: a number is never cut. A wide one has the curve of the loss, the first number that a phase reports."""

    WIDE = 100  # columns, from where on there is room for a bar
    WIDER = 130  # and for the curve and the rate

    def __init__(self, console: Console) -> None:
        wide = console.width >= self.WIDE
        self._wider = console.width >= self.WIDER and console.encoding.lower().startswith("utf")
        columns: list[ProgressColumn] = [TextColumn("{task.description}", table_column=Column(no_wrap=True))]
        if wide:
            columns.append(BarColumn(bar_width=12))
        if self._wider:
            columns.append(TextColumn("{task.fields[curve]}", table_column=Column(width=Curve.WIDTH)))
        columns += [
            TextColumn("{task.fields[count]}", table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[left]}", table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[numbers]}", table_column=Column(ratio=1, no_wrap=True, overflow="crop")),
        ]
        self._wide = wide
        self._progress = Progress(*columns, console=console, refresh_per_second=4, expand=True)
        self._tasks: dict[str, TaskID] = {}
        self._numbers: dict[str, Numbers] = {}
        self._curves: dict[str, Curve] = {}
        self._pace = Pace()

    def begin(self, phases: Sequence[Phase], done: Mapping[str, int]) -> None:
        self._pace = Pace(phases)
        for phase in phases:
            steps = done.get(phase.name, 0)
            self._tasks[phase.name] = self._progress.add_task(
                phase.name,
                total=phase.steps,
                completed=steps,
                start=False,
                visible=steps > 0,
                count=self._count(phase, steps),
                left="",
                numbers="",
                curve="",
            )
        self._progress.start()

    def step(self, phase: str, step: int, numbers: Numbers) -> None:
        before = self._pace.current
        left, planned, task = self._pace.left(phase, step), self._pace.phases[phase], self._tasks[phase]
        if phase != before:
            self._progress.start_task(task)
            if before:  # a phase that stopped early is done where it stands
                earlier = self._tasks[before]
                self._progress.update(earlier, total=self._progress.tasks[earlier].completed, left="done")
        latest, curve = self._numbers.setdefault(phase, {}), self._curves.setdefault(phase, Curve())
        now = planned.to_show(numbers)
        latest.update(now)
        for value in [value for name, value in now.items() if not name.startswith("valid")][:1]:
            curve.add(value)
        count = self._count(planned, step)
        left = left if self._wide else left.removeprefix("at most ").replace(" left", "")
        if self._wider and self._pace.rate:
            left = f"{self._pace.rate}  {left}"
        used = len(f"{phase} {count} {left} ") + 13 * self._wide + (Curve.WIDTH + 1) * self._wider
        fitting = shown(latest, self._progress.console.width - used)
        self._progress.update(task, completed=step, visible=True, count=count, left=left, numbers=fitting, curve=curve)

    def part(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(
                what, total=total or None, count="", left="", numbers="", curve=""
            )
            self._progress.start()
        count = f"{done / total:.0%}" if total else f"{done:,}"
        left = "done" if done == total else ""
        self._progress.update(self._tasks[what], completed=done, total=total or None, count=count, left=left)

    def _count(self, phase: Phase, step: int) -> str:
        return f"{phase.unit} {phase.counted(step)}" if self._wide else phase.counted(step)

    def message(self, text: str) -> None:
        self._progress.console.print(Text(text))

    def warn(self, text: str) -> None:
        self.message(f"warning: {text}")

    def end(self) -> None:
        self._progress.stop()


@contextmanager
def transfer(name: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar for a download, on a terminal; call what it yields with the bytes so far and in all."""
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


class Lines(Display):
    """One plain line every few seconds, for pipes and log files."""

    def __init__(self, every_seconds: float = 10.0) -> None:
        self._every, self._last = every_seconds, float("-inf")
        self._numbers: Numbers = {}
        self._pace = Pace()

    def begin(self, phases: Sequence[Phase], done: Mapping[str, int]) -> None:
        self._pace = Pace(phases)

    def step(self, phase: str, step: int, numbers: Numbers) -> None:
        if phase != self._pace.current:  # its first step is told at once
            self._numbers, self._last = {}, float("-inf")
        left, planned, now = self._pace.left(phase, step), self._pace.phases[phase], time.monotonic()
        self._numbers.update(planned.to_show(numbers))
        if now - self._last >= self._every or step == planned.steps:
            self._last = now
            units = "" if planned.unit == "step" else f"{planned.unit} {planned.counted(step)}  "
            self.message(f"{phase}  {units}step {step}/{planned.steps}  {left}  {shown(self._numbers)}")

    def part(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last >= self._every or done == total:
            self._last = now
            self.message(f"{what}  {done / total:.0%}" if total else f"{what}  {done:,}")

    def message(self, text: str) -> None:
        print_stderr(text)


def print_stderr(text: str) -> None:
    with contextlib.suppress(OSError):  # a log that is full, or whose reader has gone, ends no training
        print(text, file=sys.stderr, flush=True)


def shown(numbers: Numbers, width: int | None = None) -> str:
    """Names and values, those of the validation split first; as many as have room, each whole."""
    ordered = sorted(numbers.items(), key=lambda pair: not pair[0].startswith("valid"))
    parts = [f"{name} {value:.3g}" for name, value in ordered]
    while width is not None and parts[1:] and len("  ".join(parts)) > width:
        parts.pop()
    return "  ".join(parts)


def progress_display() -> Display:
    """Bars on a terminal, plain lines where the output goes to a file."""
    console = Console(stderr=True)
    return Bars(console) if console.is_terminal else Lines()
