"""Types with bounds: the same for an option of a command, a key of a file, a field of a config, and an argument.

All are click types, so that an option takes them directly; `checked` applies them to the arguments of a function. A
string is parsed as a number on the command line only."""

import functools
import inspect
import math
import numbers
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

import click

from seqgan.errors import UsageError, quoted, why

P = ParamSpec("P")
R = TypeVar("R")


class Bound(click.ParamType[Any, Any], ABC):
    """A type that describes what it expects."""

    expected: str

    def read(self, text: str) -> Any:
        """Parse a value of a command line.

        Raises:
            ValueError: the string is not one."""
        return text

    @abstractmethod
    def check(self, value: Any) -> Any:
        """Check a Python value, and convert it to its plain type.

        Raises:
            ValueError: it is of another type, or out of bounds."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self.check(self.read(value) if isinstance(value, str) else value)
        except ValueError:
            self.fail(self.wrong(value), param, ctx)

    def wrong(self, value: Any) -> str:
        """The message for a wrong value of a command line."""
        return f"{quoted(value)} is not {self.expected}"


class Whole(Bound):
    """A whole number, also of numpy or a float without a fraction, but no boolean."""

    name = "integer"

    def __init__(self, least: int = 0, most: int = 10**9) -> None:
        self.least, self.most = least, most
        self.expected = f"a whole number from {least} to {most}"

    def read(self, text: str) -> int:
        if not (text.strip().removeprefix("-").removeprefix("+").isdecimal() and text.isascii() and len(text) < 100):
            raise ValueError
        return int(text)

    def check(self, value: Any) -> int:
        if not is_number(value) or not self.least <= value <= self.most or value % 1:  # NaN is in no range
            raise ValueError
        return int(value)


class Real(Bound):
    """A number; never NaN, and infinite only where that is the upper bound."""

    name = "float"

    def __init__(self, least: float, most: float, *, above: bool = False, below: bool = False) -> None:
        self.least, self.most, self.above, self.below = least, most, above, below
        low = f"{'above' if above else 'from'} {least:.10g}"
        until = "and below" if below else "and at most" if above else "to"
        self.expected = f"a number {low}" if most == math.inf else f"a number {low} {until} {most:.10g}"

    def read(self, text: str) -> float:
        if not text.isascii() or "_" in text:
            raise ValueError
        return float(text)

    def check(self, value: Any) -> float:
        if not is_number(value):
            raise ValueError
        try:
            number = float(value) + 0.0  # -0.0 becomes 0.0
        except OverflowError as error:
            raise ValueError from error
        low = self.least < number if self.above else self.least <= number
        if not (low and (number < self.most if self.below else number <= self.most)):
            raise ValueError
        return number


class Several(Bound):
    """`1,2,3` on a command line, a list in a file: at most 1000 values, and 1 at least unless `least` is 0."""

    name = "list"
    MOST = 1000

    def __init__(self, of: Bound, example: str, least: int = 1) -> None:
        self.of, self.example, self.least = of, example, least
        one = of.expected.removeprefix("a ")
        several = one.replace("number", "numbers", 1) if "number" in one else f"{one} each"
        self.expected = f"a list of {several}, such as {example}"

    def read(self, text: str) -> list[Any]:
        return [self.of.read(part) for part in text.split(",")]

    def check(self, value: Any) -> tuple[Any, ...]:
        if (
            isinstance(value, str | bytes)
            or not isinstance(value, Sequence)
            or not self.least <= len(value) <= self.MOST
        ):
            raise ValueError
        return tuple(self.of.check(part) for part in value)

    def wrong(self, value: Any) -> str:
        """The message names the first wrong part of a list."""
        for part in value.split(",") if isinstance(value, str) else []:
            try:
                self.of.check(self.of.read(part))
            except ValueError:
                return f"{quoted(value)} is not a list such as {self.example}: {self.of.wrong(part)}"
        return super().wrong(value)


class Repeated(Several):
    """An option that may be given several times; in a file or an argument a list, or one value by itself."""

    def check(self, value: Any) -> tuple[Any, ...]:
        return super().check([value] if isinstance(value, str) else value)


class OneOf(click.Choice[str], Bound):
    """One of a few words."""

    def __init__(self, choices: Sequence[str]) -> None:
        super().__init__(choices)
        self.expected = f"one of {', '.join(choices)}"

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.choices:
            raise ValueError
        return value

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        word: str = Bound.convert(self, value, param, ctx)
        return word


class YesNo(click.types.BoolParamType, Bound):
    """true or false, and no number."""

    expected = "true or false"

    def check(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError
        return value


class Text(Bound):
    """A text that can be written to a file and read again: no zero byte, no half of a character."""

    name = "text"

    def __init__(self, expected: str = "a text in UTF-8 that is not empty", *, empty: bool = False) -> None:
        self.expected, self.empty = expected, empty

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or "\0" in value or not (value or self.empty):
            raise ValueError
        value.encode()  # a UnicodeEncodeError is a ValueError
        return value


class TextOrTexts(Bound):
    """A text, or a list of several."""

    name = "text"

    def __init__(self, text: Text) -> None:
        self.text, self.expected = text, f"{text.expected}, or a list of such"

    def check(self, value: Any) -> str | list[str]:
        if value and isinstance(value, list | tuple):
            return [self.text.check(text) for text in value]
        return self.text.check(value)


class PathBound(click.Path, Bound):
    """The path of a file or a folder, which need not exist."""

    name = "path"
    expected = "the path of a file or a folder"

    def check(self, value: Any) -> Path:
        if not isinstance(value, str | os.PathLike) or isinstance(os.fspath(value), bytes) or not os.fspath(value):
            raise ValueError
        return Path(value)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path: Path = Bound.convert(self, value, param, ctx)
        if reason := unreachable(path):
            self.fail(f"{quoted(str(path))} cannot be looked up: {reason}", param, ctx)
        return path


class PathName(PathBound):
    """A path, as a string."""

    def check(self, value: Any) -> Any:
        super().check(value)
        return os.fspath(value)


class Stage(Text):
    """A policy of a run: its name, or the number of a checkpoint."""

    def check(self, value: Any) -> str:
        return super().check(str(STEPS.check(value)) if is_number(value) else value)


class Function(Bound):
    name = "function"

    def __init__(self, expected: str, *others: type) -> None:
        self.expected, self.others = expected, others

    def check(self, value: Any) -> Any:
        if not callable(value) and not isinstance(value, self.others):
            raise ValueError
        return value


def is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def unreachable(path: str | Path) -> str:
    """Why a path cannot be looked up (too long a name, a loop of links, a folder without permission); empty where it
    can."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError) as error:
        return why(error)
    return ""


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Check the arguments of a function that are annotated with a `Bound` before it runs.

    None passes where it is the default. Raises a UsageError that names the argument."""
    signature = inspect.signature(function)

    @functools.cache
    def bounds() -> dict[str, Bound]:
        hints = get_type_hints(function, include_extras=True)
        found = {name: bound_of(hint) for name, hint in hints.items()}
        return {name: bound for name, bound in found.items() if bound is not None}

    @functools.wraps(function)
    def with_checks(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            given = signature.bind(*args, **kwargs)
        except TypeError as error:  # the signature does not know whose it is
            raise TypeError(f"{function.__qualname__}() {error}") from None
        for name, bound in bounds().items():
            if name in given.arguments and not (
                given.arguments[name] is None and signature.parameters[name].default is None
            ):
                given.arguments[name] = bounded(name, given.arguments[name], bound)
        return function(*given.args, **given.kwargs)

    return with_checks


def bounded(name: str, value: Any, bound: Bound, error: type[UsageError] = UsageError, source: str = "") -> Any:
    """Check a value against its bound.

    Raises:
        error: it is not; the message names it, what it is, and what was expected."""
    try:
        value = bound.check(value)
    except (TypeError, ValueError) as reason:
        raise error(f"{source}{name} is {quoted(value)}, but {bound.expected} was expected") from reason
    if isinstance(bound, PathBound) and (reached := unreachable(value)):
        raise error(f"{source}{name} is {quoted(str(value))}, which cannot be looked up: {reached}")
    return value


def bound_of(annotation: Any) -> Bound | None:
    """The bound in `Annotated[..., BOUND]`."""
    notes = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    return next((note for note in notes if isinstance(note, Bound)), None)


WHOLE = Whole(-(10**9), 10**9)
REAL = Real(-1e9, 1e9)

# The bounds that several commands and functions share. A product of three sizes still fits into 63 bits.
STEPS = Whole(0)
COUNT = Whole(1)
SIZE = Whole(1, 2**20)  # units, pixels, tokens: an edge of a tensor
BATCH = Whole(1, 2**20)
SEED = Whole(0, 2**63 - 1)
THREADS = Whole(0, 4096)
RATE = Real(0, 1e3, above=True)  # a learning rate
WEIGHT = Real(0, 1e6)
SHARE = Real(0, 1, below=True)  # dropout, decay: 1 would leave nothing
SECONDS = Real(0, 1e9)
TEMPERATURE = Real(0, 1e6)  # 0: the likeliest token
TOP_K = Whole(0)
TOP_P = Real(0, 1, above=True)
YES_NO = YesNo()
TEXT = Text()
PROMPT = Text("a text in UTF-8", empty=True)
PROMPTS = TextOrTexts(PROMPT)
BEAMS = Whole(0, 10_000)
RESAMPLE = Whole(0, 10_000)
BEST_OF = 8  # draws: how many a discriminator chooses among, in the tables
SLOPE = Real(0, 10**6)
PATH = PathBound()
PATH_NAME = PathName()
STAGE = Stage("mle, final, best, or the number of a checkpoint")
MAKER = Function("a function of (vocab_size, max_length) that makes a module")
DRAWN = Whole(1, 10**7)  # texts: what fits into memory
