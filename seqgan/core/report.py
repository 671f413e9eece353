"""Measured numbers and how they are shown: with their errors and signatures, as tables, as Markdown and as JSON."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from seqgan.core.stats import Influences, paired, standard_error_of
from seqgan.errors import RunError

WIDEST = 10_000
NOISE = 1e-12  # what sums of floats leave of zero
# Standard errors that a difference must exceed to be called one: the two-sided 5% quantiles of Student's t for 2 to 10
# units (blocks, seeds), and two for more.
STUDENT = dict(zip(range(2, 11), (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26), strict=True))
DIFFERENT = 2.0


@dataclass(frozen=True)
class Measured:
    """A number, its standard error (NaN where it is unknown), and all that it depends on besides the samples.

    Where the number is undefined the value is NaN, and the signature says why. `influences` are what the error is made
    of: with them the difference of two numbers gets its paired error."""

    value: float
    stderr: float
    signature: str
    influences: Influences = field(default_factory=dict, compare=False, repr=False)
    told: bool | None = field(default=None, compare=False, repr=False)  # of a difference that was read: `differs`

    @classmethod
    def of(cls, value: float, influences: Influences, signature: str) -> "Measured":
        """With the standard error that the influences amount to."""
        return cls(float(value), standard_error_of(influences), signature, influences)

    @classmethod
    def undefined(cls, reason: str) -> "Measured":
        return cls(math.nan, math.nan, reason)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.value, self.stderr, self.signature))

    def __sub__(self, other: "Measured") -> "Measured":
        """The difference, with its paired error where both know their influences.

        Raises:
            UsageError: they are of sets of different sizes."""
        if not isinstance(other, Measured):
            return NotImplemented
        known = self.influences and other.influences
        influences = paired(self.influences, other.influences) if known else {}
        parts = (f"err:paired {part[4:]}" if part.startswith("err:") else part for part in self.signature.split("|"))
        return Measured.of(self.value - other.value, influences, "|".join(parts))

    def comparable(self, other: "Measured") -> bool:
        """Whether both depend on the same things, the way their errors were found aside."""
        mine, theirs = (
            [part for part in number.signature.split("|") if not part.startswith("err:")] for number in (self, other)
        )
        return mine == theirs

    @property
    def differs(self) -> bool:
        """Of a difference: whether it is more than its paired error explains (`STUDENT`, `DIFFERENT`). A few seeds that
        happen to agree have an error of 0, and show nothing."""
        if self.told is not None:
            return self.told
        if self.stderr == 0:
            return self.value != 0 and max(map(len, self.influences.values()), default=0) >= max(STUDENT)
        units = min((len(of) for of in self.influences.values() if of.any()), default=0)
        return abs(self.value) > STUDENT.get(units, DIFFERENT) * self.stderr

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> "Measured":
        """A number as `as_json` wrote it; without its influences, so that no other is to be subtracted from it.

        Raises:
            LookupError, TypeError, ValueError: it is none."""
        value, stderr = (math.nan if table[key] is None else float(table[key]) for key in ("value", "stderr"))
        return cls(value, stderr, str(table["signature"]), told=table.get("differs"))

    def as_json(self) -> dict[str, Any]:
        return {"value": finite(self.value), "stderr": finite(self.stderr), "signature": self.signature}


Row = Mapping[str, Measured]  # name of a metric -> its number
Rows = Mapping[str, Row]


def finite(number: float) -> float | None:
    """A number as JSON knows it: null where it is undefined or unknown."""
    return number if math.isfinite(number) else None


def rows_as_json(rows: Rows) -> dict[str, dict[str, Any]]:
    """`{"final": {"bleu-2": {"value": ..., "stderr": ..., "signature": ...}, ...}, ...}`."""
    return {name: {metric: number.as_json() for metric, number in row.items()} for name, row in rows.items()}


def rows_from_json(table: Mapping[str, Any], path: Path) -> dict[str, dict[str, Measured]]:
    """Rows as `rows_as_json` wrote them.

    Raises:
        RunError: they are not, in this file."""
    try:
        return {
            name: {metric: Measured.from_json(number) for metric, number in row.items()} for name, row in table.items()
        }
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{path} does not hold rows of numbers; remove it, and measure the run again") from error


def metrics_of(rows: Rows, first: Iterable[str] = ()) -> list[str]:
    """The metrics that a row has, each once: those named `first`, then the others as they come."""
    names = dict.fromkeys([*first, *(name for row in rows.values() for name in row)])
    return [name for name in names if any(name in row for row in rows.values())]


# --- cells


def cell(value: float, error: float = math.nan, *, signed: bool = False) -> str:
    """`0.228 ±.007`: the error with one digit, or two where they are less than 36, and the value to the same place (as
    the Particle Data Group rounds), six places at most. Four digits of a value whose error is unknown, nothing of one
    that is undefined."""
    if not math.isfinite(value):
        return ""
    value, error = (0.0 if abs(number) < NOISE else number for number in (value, error))
    sign = "+" if signed else ""
    if not error > 0:
        return f"{value:{sign}.4g}" + (" ±0" if error == 0 else "")
    first = math.floor(math.log10(error))
    decimals = min(6, max(0, (error < 3.55 * 10**first) - first))
    shown = f"{error:.{decimals}f}"
    if not float(shown):
        return f"{value:{sign}.{decimals}f} ±<.000001"
    return f"{value:{sign}.{decimals}f} ±{shown.removeprefix('0') if decimals else shown}"


def as_cell(number: Measured | None) -> str:
    return cell(number.value, number.stderr) if number else ""


def as_difference(number: Measured | None) -> str:
    """`-0.00450 ±.00008*`, with a star where the difference is more than its error explains."""
    return cell(number.value, number.stderr, signed=True) + "*" * number.differs if number else ""


def signatures(rows: Rows, metrics: Iterable[str]) -> list[str]:
    """One line for each signature, with the metrics it belongs to."""
    owners: dict[str, list[str]] = {}
    for metric in metrics:
        for signature in dict.fromkeys(row[metric].signature for row in rows.values() if metric in row):
            owners.setdefault(signature, []).append(metric)
    return [f"{', '.join(_joined(names))}: {signature}" for signature, names in owners.items()]


def _joined(names: Sequence[str]) -> list[str]:
    """bleu-2, bleu-3, bleu-4, bleu-5 -> bleu-2..5"""
    groups: dict[str, list[str]] = {}
    for name in names:
        stem, _, order = name.rpartition("-")
        groups.setdefault(*((f"{stem}-", []) if order.isdigit() else (name, []))).append(order)
    return [
        stem if not stem.endswith("-") else stem + "..".join(dict.fromkeys((orders[0], orders[-1])))
        for stem, orders in groups.items()
    ]


def by_metric(rows: Rows) -> tuple[list[str], list[list[str]], list[str]]:
    """A line for each metric, a column for each row: the headings, the cells, and what each number depends on."""
    metrics = metrics_of(rows)
    cells = [[metric, *(as_cell(row.get(metric)) for row in rows.values())] for metric in metrics]
    return ["", *rows], cells, signatures(rows, metrics)


# --- tables


def show(
    headings: Sequence[str], rows: Sequence[Sequence[str]], notes: Iterable[str] = (), *, as_markdown: bool = False
) -> None:
    """A table on stdout, as Markdown or for reading, and notes below it."""
    if as_markdown:
        click.echo(markdown(headings, rows) + "\n")
    else:
        print_table(headings, rows)
    for note in notes:
        click.echo(f"  {note}")


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """A table in which no cell is cut; on a terminal that is too narrow for it, a block of lines for each row."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(Text(heading), no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    console, wide = Console(), Console(width=WIDEST).measure(table).maximum
    if wide <= console.width or not console.is_terminal:
        if title:  # above the table, which would break it to its own width
            Console(width=console.width if console.is_terminal else WIDEST).print(Text(title, style="italic"))
        Console(width=max(wide, console.width)).print(table)
        return
    click.echo(f"\n{title}" if title else "")
    named = max(map(len, headings[1:]), default=0)
    for row in rows:
        click.echo(f"{row[0]}:")
        for heading, text in zip(headings[1:], row[1:], strict=True):
            if text.strip():
                click.echo(f"  {heading:<{named}}  {text.strip()}")
    click.echo()


def markdown(headings: Sequence[str], rows: Iterable[Sequence[str]], *, aligned: bool = False, names: int = 1) -> str:
    """A table of Markdown, `names` columns of words on the left and numbers on the right; `aligned` for reading it as
    plain text."""
    lines = [[text.replace("|", "\\|") for text in line] for line in (headings, *rows)]
    widths = [max(map(len, column)) if aligned else 0 for column in zip(*lines, strict=True)]
    first, *rest = (
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |" for line in lines
    )
    return "\n".join([first, "|" + "---|" * names + "---:|" * (len(headings) - names), *rest])
