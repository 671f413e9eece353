"""Hyper-parameters are named once: a frozen, flat dataclass gives a command's options, a file's keys, and a run's JSON.

A field reads `rollouts: Annotated[int, "completions per prefix", COUNT] = 16`; its default is the paper's."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeVar, get_args, get_origin, get_type_hints

from seqgan.core import schema
from seqgan.core.bounds import REAL, TEXT, WHOLE, YES_NO, Bound, OneOf, Repeated, Several, bound_of, bounded
from seqgan.errors import ConfigError, UsageError, quoted


class Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


Config = TypeVar("Config", bound=Dataclass)
ARGUMENTS = "arguments"  # the source of those of a function, which need no name of a file
PRESET, DEFAULT = "preset", "default"  # the prefixes of sources of values that the user did not give
MOST_SHOWN = 20  # names to choose from in a message
PAPER = "paper"  # the preset that changes nothing


class Parameter(NamedTuple):
    """One hyper-parameter, as its dataclass declares it."""

    name: str
    type: Bound
    help: str
    default: Any

    @property
    def option(self) -> str:
        return "--" + self.name.replace("_", "-")

    def convert(self, value: Any, source: str) -> Any:
        """Check a value and bring it to its type, whether it is typed or from a file."""
        return bounded(self.name, value, self.type, ConfigError, "" if source == ARGUMENTS else f"{source}: ")


class Checked:
    """The base of a config: its values are checked when it is made."""

    def __post_init__(self) -> None:
        for parameter in parameters(type(self)):  # type: ignore[arg-type]
            value = parameter.convert(getattr(self, parameter.name), type(self).__name__)
            object.__setattr__(self, parameter.name, value)


def parameters(config: type[Dataclass]) -> tuple[Parameter, ...]:
    """The hyper-parameters of a config class, in the order of its source."""
    return _parameters(config)


@functools.cache
def _parameters(config: Any) -> tuple[Parameter, ...]:
    hints = get_type_hints(config, include_extras=True)
    return tuple(
        Parameter(field.name, _bound(hints[field.name]), get_args(hints[field.name])[1], field.default)
        for field in dataclasses.fields(config)
    )


def assemble(config: type[Config], layers: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[Config, dict[str, str]]:
    """Build a config from layers of differences, later layers winning; and the layer that gave each value.

    Raises:
        ConfigError: a name is unknown, or a value is of the wrong type or out of range."""
    known = {parameter.name: parameter for parameter in parameters(config)}
    values: dict[str, Any] = {}
    sources = dict.fromkeys(known, DEFAULT)
    for source, layer in layers:
        for name, value in layer.items():
            if name not in known:
                raise ConfigError(f"{source}: there is no hyper-parameter {quoted(name)}{nearest(name, known)}")
            values[name] = known[name].convert(value, source)
            sources[name] = source
    return config(**values), sources


class Chosen(NamedTuple):
    """A config, the source of each value, and the values that the user gave (`asked`, a named preset included)."""

    config: Any
    sources: dict[str, str]
    asked: dict[str, Any]

    def typed(self) -> dict[str, Any]:
        """The values that the user gave, without those of a preset."""
        return {
            name: value for name, value in self.asked.items() if not self.sources[name].startswith((PRESET, DEFAULT))
        }


def choose_config(
    choice: str,
    config: type[Dataclass],
    presets: Mapping[str, Mapping[str, Any]],
    *,
    preset: str | None = None,
    file: Path | None = None,
    typed: Mapping[str, Any],
    source: str = "command line",
) -> Chosen:
    """Command line over `--config` over `--preset` over the paper's defaults. A preset that is named counts as given.

    `typed` are the options of a command (or of another `source`), None where they were not given. A file may name
    the choice it is for.

    Raises:
        ConfigError: an unknown preset or hyper-parameter, or a bad value."""
    if preset is not None and (not isinstance(preset, str) or preset not in presets):
        raise ConfigError(f"there is no preset {quoted(preset)}{nearest(str(preset), presets)}")
    from_file = read_config_file(file) if file else {}
    for chooser in ("algorithm", "model"):
        if (theirs := from_file.pop(chooser, choice)) != choice:
            raise ConfigError(f"{file} is for {chooser} {quoted(theirs)}, not for {choice}; leave one of them out")
    given = {p.name: typed[p.name] for p in parameters(config) if typed.get(p.name) is not None}
    layers: list[tuple[str, Mapping[str, Any]]] = [
        (f"{PRESET} {preset or 'default'}", presets[preset or "default"]),
        (f"config {file}", from_file),
        (source, given),
    ]
    built, sources = assemble(config, layers)
    if preset == PAPER:  # which has no differences: every default is a value of it
        sources = {name: f"{PRESET} {PAPER}" if source == DEFAULT else source for name, source in sources.items()}
    whole = to_json(built)
    asked = whole if preset is not None else {name: whole[name] for name in {**from_file, **given}}
    return Chosen(built, sources, asked)


def choose_by_arguments(
    what: str,
    choice: str,
    configs: Mapping[str, type[Dataclass]],
    presets: Mapping[str, Mapping[str, Mapping[str, Any]]],
    preset: str | None,
    given: Mapping[str, Any],
    synonym: Callable[[str], str] = lambda name: "",
) -> Chosen:
    """The same for the arguments of a function, of which `choice` names `what` is configured.

    Raises:
        UsageError: there is no such choice.
        ConfigError: an unknown preset or hyper-parameter, or a bad value."""
    if choice not in configs:
        raise UsageError(f"there is no {what} {quoted(choice)}{nearest(choice, configs)}")
    known = sorted(parameter.name for parameter in parameters(configs[choice]))
    if unknown := sorted(set(given) - set(known)):
        near = synonym(unknown[0]) or nearest(unknown[0], known)
        raise ConfigError(f"{choice} has no hyper-parameter {quoted(unknown[0])}{near}")
    return choose_config(choice, configs[choice], presets[choice], preset=preset, typed=given, source=ARGUMENTS)


def read_config_file(path: Path) -> dict[str, Any]:
    """The keys and values of a `.toml` or `.json` file; a hyphen in a key is as good as an underscore."""
    try:
        content = schema.read(path, ConfigError, "hyper-parameters by their names were expected", pipe=True)
    except FileNotFoundError as error:
        raise ConfigError(f"there is no config file {path}; a .toml or .json file was expected") from error
    named = {key.replace("-", "_"): value for key, value in content.items()}
    if len(named) < len(content):
        twice = next(key for key in content if "-" in key and key.replace("-", "_") in content)
        raise ConfigError(f"{path} names {quoted(twice)} twice, with hyphens and with underscores; leave one out")
    return named


def to_json(config: Dataclass) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(config).items()}


def nearest(word: str, known: Mapping[str, Any] | Sequence[str]) -> str:
    """`; did you mean ...?` for an error message, or what there is to choose from."""
    import difflib

    folded = {} if word.isdecimal() else {name.casefold(): name for name in known}  # a near number is another one
    if close := [folded[name] for name in difflib.get_close_matches(word[:100].casefold(), folded, n=3, cutoff=0.6)]:
        return f"; did you mean {' or '.join(close)}?"
    if not (names := list(known)):
        return "; there is none yet"
    more = f" or another of {len(names)}" if len(names) > MOST_SHOWN else ""
    return f"; choose one of {', '.join(names[:MOST_SHOWN])}{more}"


def _bound(annotation: Any) -> Bound:
    """The bound of a field; of numbers that declare none, one that keeps them finite."""
    kind = get_args(annotation)[0]
    usual: dict[Any, Bound] = {int: WHOLE, float: REAL, str: TEXT, bool: YES_NO}
    if declared := bound_of(annotation):
        return declared
    if get_origin(kind) is Literal:
        return OneOf(get_args(kind))
    if get_origin(kind) is tuple:
        item, *_ = get_args(kind)
        return Repeated(TEXT, "word") if item is str else Several(usual[item], "1,2,3")
    return usual[kind]
