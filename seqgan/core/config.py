"""Hyper-parameters are named once: a frozen, flat dataclass is a command's options, a file's keys, and a run's JSON.

A field reads `rollouts: Annotated[int, "completions per prefix", COUNT] = 16`; its default is the paper's."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeVar, get_args, get_origin, get_type_hints

import click

from seqgan.core import schema
from seqgan.core.bounds import PLACE, REAL, TEXT, WHOLE, YES_NO, Bound, OneOf, Ranged, Several, bound_of, held
from seqgan.errors import ConfigError, quoted


class Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


Config = TypeVar("Config", bound=Dataclass)
PRESET, DEFAULT = "preset", "default"  # how the sources of values begin that nobody typed
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
        return held(self.name, value, self.type, ConfigError, f"{source}: ")


class Checked:
    """What a config inherits: whoever makes one, its values are within their bounds."""

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
    """Build a config from layers of differences, later layers winning; also tell which layer gave each value.

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
    """A config, where each value came from, and what someone asked for in so many words."""

    config: Any
    sources: dict[str, str]
    asked: dict[str, Any]

    def typed(self) -> dict[str, Any]:
        """Of what was asked for, what did not come with a preset."""
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
    """Command line over `--config` over `--preset` over the paper's defaults; a preset is asked for when it is named.

    `typed` are the options of a command (or of another `source`), None where nobody gave them. A file may name the
    choice it is for.

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
    if preset == PAPER:  # which names no differences: every default is its choice
        sources = {name: f"{PRESET} {PAPER}" if source == DEFAULT else source for name, source in sources.items()}
    whole = to_json(built)
    asked = whole if preset is not None else {name: whole[name] for name in {**from_file, **given}}
    return Chosen(built, sources, asked)


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


def differences(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Where two configs in JSON form differ: name -> (stored, wanted)."""
    return {name: (stored.get(name), value) for name, value in wanted.items() if stored.get(name) != value}


def nearest(word: str, known: Mapping[str, Any] | Sequence[str]) -> str:
    """`; did you mean ...?` for an error message, or what there is to choose from."""
    import difflib

    close = difflib.get_close_matches(word[:100], list(known), n=3, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    if not (names := list(known)):
        return "; there is none yet"
    more = f" or another of {len(names)}" if len(names) > MOST_SHOWN else ""
    return f"; choose one of {', '.join(names[:MOST_SHOWN])}{more}"


class ConfiguredCommand(click.Command):
    """A command whose options are those of the config that another option (`--algorithm`, `--model`) chooses.

    The chooser is read first, so that an option that belongs to another choice is an error that says so."""

    def __init__(
        self,
        *args: Any,
        chooser: str,
        configs: Mapping[str, type[Dataclass]],
        presets: Mapping[str, Mapping[str, Any]],
        usual: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.chooser, self.configs, self.presets, self.usual = chooser, configs, presets, usual

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta["choice"] = self._choice(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name = error.option_name.lstrip("-").removeprefix("no-").replace("-", "_")
            owners = [choice for choice, config in self.configs.items() if name in {p.name for p in parameters(config)}]
            if owners:
                raise click.UsageError(
                    f"{error.option_name} belongs to {self.chooser} {' and '.join(owners)}, "
                    f"not to {ctx.meta['choice']}",
                    ctx,
                ) from error
            raise

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        choice = ctx.meta.get("choice", self.usual)
        preset = self.presets.get(choice, {}).get("default", {})
        return [*super().get_params(ctx), *(_as_option(p, preset) for p in parameters(self.configs[choice]))]

    def _choice(self, args: Sequence[str]) -> str:
        """The value of the chooser among the arguments, in a config file they name, or in the run they resume."""
        given = _scan(args, self.chooser)
        if given is None and (file := _scan(args, "--config")) is not None:
            given = read_config_file(_place(file, "--config")).get(self.chooser.lstrip("-"))
        if given is None and (resumed := _scan(args, "--resume")) is not None:
            folder = _place(resumed, "--resume")
            if (folder / "run.json").is_file():
                from seqgan.core.run import describe

                description = describe(folder)
                given = description.get("algorithm")
                if not isinstance(given, str) or given not in self.configs:
                    package = description.get("package")
                    raise click.UsageError(f"{folder} is a run of {package}, with {self.chooser} {given}")
        if given is not None and (not isinstance(given, str) or given not in self.configs):
            raise click.BadParameter(
                f"there is no {quoted(given)}{nearest(str(given), self.configs)}", param_hint=self.chooser
            )
        return given or self.usual


def _place(path: str, option: str) -> Path:
    try:
        return PLACE.convert(path, None, None)
    except click.BadParameter as error:
        error.param_hint = option
        raise


def _scan(args: Sequence[str], option: str) -> str | None:
    for index, arg in enumerate(args):
        if arg == option and index + 1 < len(args):
            return args[index + 1]
        if arg.startswith(option + "="):
            return arg.split("=", 1)[1]
    return None


def _as_option(parameter: Parameter, preset: Mapping[str, Any]) -> click.Option:
    usual = preset.get(parameter.name, parameter.default)
    shown = _show(usual) if usual == parameter.default else f"{_show(usual)}; paper: {_show(parameter.default)}"
    names = [parameter.option]
    if parameter.type is YES_NO:
        names = [f"{parameter.option}/--no-{parameter.option[2:]}"]
    return click.Option(names, type=parameter.type, default=None, help=f"{parameter.help}  [{shown}]")


def _show(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _bound(annotation: Any) -> Bound:
    """The bound of a field; of numbers that declare none, one that keeps them finite."""
    kind, *notes = get_args(annotation)
    usual: dict[Any, Bound] = {int: WHOLE, float: REAL, str: TEXT, bool: YES_NO, tuple: Several(WHOLE, "1,2,3")}
    if declared := bound_of(annotation):
        return declared
    if get_origin(kind) is Literal:
        return OneOf(get_args(kind))
    for note in notes:  # someone's own config may use the ranges of click
        if isinstance(note, click.IntRange | click.FloatRange):
            return Ranged(note, usual[kind])
    return usual[get_origin(kind) or kind]
