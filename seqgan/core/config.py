"""Hyper-parameters are named once: a frozen, flat dataclass is a command's options, a file's keys, and a run's JSON.

A field reads `rollouts: Annotated[int, "completions per prefix", IntRange(min=1)] = 16`; its default is the paper's."""

import dataclasses
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    Protocol,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

import click

from seqgan.errors import ConfigError


class Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


Config = TypeVar("Config", bound=Dataclass)
PRESET, PAPER = "preset", "paper"  # how the sources of values begin that nobody typed


class IntegerList(click.ParamType[Any, Any]):
    """`1,2,3` on the command line, a list in a file."""

    name = "integers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        try:
            parts = value.split(",") if isinstance(value, str) else list(value)
            return tuple(int(part) for part in parts)
        except (TypeError, ValueError):
            self.fail(f"{value!r} is not a list of whole numbers such as 1,2,3", param, ctx)


class Parameter(NamedTuple):
    """One hyper-parameter, as its dataclass declares it."""

    name: str
    type: "click.ParamType[Any, Any]"
    help: str
    default: Any

    @property
    def option(self) -> str:
        return "--" + self.name.replace("_", "-")

    def convert(self, value: Any, source: str) -> Any:
        """Check a value and bring it to its type, whether it is typed or from a file."""
        whole = isinstance(self.type, click.types.IntParamType)
        if isinstance(value, bool) != isinstance(self.type, click.types.BoolParamType) and not isinstance(value, str):
            raise ConfigError(f"{source}: {self.name} is {value!r}, but {_expected(self.type)} was expected")
        if whole and isinstance(value, float) and not value.is_integer():
            raise ConfigError(f"{source}: {self.name} is {value!r}, but a whole number was expected")
        try:
            return self.type.convert(value, None, None)
        except (click.BadParameter, TypeError, ValueError, AttributeError) as error:
            reason = (
                error.message if isinstance(error, click.BadParameter) else f"{value!r} is not {_expected(self.type)}."
            )
            raise ConfigError(f"{source}: {self.name}: {reason}") from error


def parameters(config: type[Dataclass]) -> Iterator[Parameter]:
    """The hyper-parameters of a config class, in the order of its source."""
    hints = get_type_hints(config, include_extras=True)
    for field in dataclasses.fields(config):
        annotation, *notes = get_args(hints[field.name])
        types = [note for note in notes if isinstance(note, click.ParamType)]
        yield Parameter(field.name, types[0] if types else _click_type(annotation), notes[0], field.default)


def assemble(config: type[Config], layers: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[Config, dict[str, str]]:
    """Build a config from layers of differences, later layers winning; also tell which layer gave each value.

    Raises:
        ConfigError: a name is unknown, or a value is of the wrong type or out of range."""
    known = {parameter.name: parameter for parameter in parameters(config)}
    values: dict[str, Any] = {}
    sources = dict.fromkeys(known, PAPER)
    for source, layer in layers:
        for name, value in layer.items():
            if name not in known:
                raise ConfigError(f"{source}: there is no hyper-parameter {name!r}{nearest(name, known)}")
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
        return {name: value for name, value in self.asked.items() if not self.sources[name].startswith((PRESET, PAPER))}


def choose_config(
    choice: str,
    config: type[Dataclass],
    presets: Mapping[str, Mapping[str, Any]],
    *,
    preset: str | None = None,
    file: str | None = None,
    typed: Mapping[str, Any],
    source: str = "command line",
) -> Chosen:
    """Command line over `--config` over `--preset` over the paper's defaults; a preset is asked for when it is named.

    `typed` are the options of a command (or of another `source`), None where nobody gave them. A file may name the
    choice it is for.

    Raises:
        ConfigError: an unknown preset or hyper-parameter, or a bad value."""
    if preset is not None and preset not in presets:
        raise ConfigError(f"there is no preset {preset!r}{nearest(preset, presets)}")
    from_file = read_config_file(Path(file)) if file else {}
    for chooser in ("algorithm", "model"):
        if from_file.pop(chooser, choice) != choice:
            raise ConfigError(f"{file} is for another {chooser} than {choice}")
    given = {p.name: typed[p.name] for p in parameters(config) if typed.get(p.name) is not None}
    layers: list[tuple[str, Mapping[str, Any]]] = [
        (f"{PRESET} {preset or 'default'}", presets[preset or "default"]),
        (f"config {file}", from_file),
        (source, given),
    ]
    built, sources = assemble(config, layers)
    whole = to_json(built)
    asked = whole if preset is not None else {name: whole[name] for name in {**from_file, **given}}
    return Chosen(built, sources, asked)


def read_config_file(path: Path) -> dict[str, Any]:
    """The keys and values of a `.toml` or `.json` file; a hyphen in a key is as good as an underscore."""
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the config file {path}: {getattr(error, 'strerror', None) or error}") from error
    except (tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{path} is not valid {'TOML' if path.suffix == '.toml' else 'JSON'}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds a {type(content).__name__}; a table of hyper-parameters was expected")
    return {key.replace("-", "_"): value for key, value in content.items()}


def to_json(config: Dataclass) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(config).items()}


def differences(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Where two configs in JSON form differ: name -> (stored, wanted)."""
    return {name: (stored.get(name), value) for name, value in wanted.items() if stored.get(name) != value}


def nearest(word: str, known: Mapping[str, Any] | Sequence[str]) -> str:
    """`; did you mean ...?` for an error message, or what there is to choose from."""
    import difflib

    close = difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else f"; choose one of {', '.join(known)}"


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
        if given is None and (file := _scan(args, "--config")):
            given = read_config_file(Path(file)).get(self.chooser.lstrip("-"))
        if given is None and (resumed := _scan(args, "--resume")) and (Path(resumed) / "run.json").is_file():
            from seqgan.core.run import describe

            description = describe(Path(resumed))
            given = description["algorithm"]
            if given not in self.configs:
                raise click.UsageError(f"{resumed} is a run of {description['package']}, with {self.chooser} {given}")
        if given is not None and given not in self.configs:
            raise click.BadParameter(
                f"there is no {given!r}{nearest(str(given), self.configs)}", param_hint=self.chooser
            )
        return given or self.usual


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
    if isinstance(parameter.type, click.types.BoolParamType):
        names = [f"{parameter.option}/--no-{parameter.option[2:]}"]
    return click.Option(names, type=parameter.type, default=None, help=f"{parameter.help}  [{shown}]")


def _show(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _click_type(annotation: Any) -> "click.ParamType[Any, Any]":
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is Literal:
        return click.Choice(get_args(annotation))
    if get_origin(annotation) is tuple:
        return IntegerList()
    return {int: click.INT, float: click.FLOAT, str: click.STRING, bool: click.BOOL}[annotation]  # type: ignore[return-value]


def _expected(type: "click.ParamType[Any, Any]") -> str:
    return {
        "integer": "a whole number",
        "integer range": "a whole number",
        "float": "a number",
        "float range": "a number",
        "boolean": "true or false",
        "choice": "one of the choices",
    }.get(type.name, type.name)
