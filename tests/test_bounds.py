"""Every option of every command, every field of every config and every argument of the library, with values that are
none: one line that names what was given, and neither a traceback nor a success."""

import inspect
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import click
import numpy as np
import pytest

import imagegan
import seqgan
from imagegan import generation
from imagegan.cli import imagegan as imagegan_command
from imagegan.variants.configs import CONFIGS as IMAGE_CONFIGS
from seqgan.algorithms.configs import CONFIGS, PRESETS
from seqgan.cli import seqgan as seqgan_command
from seqgan.core.bounds import (
    Bound,
    Function,
    OneOf,
    PathBound,
    Real,
    Repeated,
    Several,
    Stage,
    Text,
    TextOrTexts,
    Whole,
    YesNo,
    bound_of,
)
from seqgan.core.command import _commands
from seqgan.core.config import Parameter, assemble, choose_config, parameters
from seqgan.core.loggers import LoggerList
from seqgan.errors import ConfigError, SeqGANError, UsageError
from seqgan.pretrained import from_pretrained
from tests.conftest import tiny_lines

LONG = "9" * 401
TYPED: dict[type[Bound], list[str]] = {
    Whole: [
        "",
        " ",
        "x",
        "nan",
        "inf",
        "-inf",
        "1e30",
        "1e400",
        LONG,
        "-" + LONG,
        "true",
        "²",
        "①",
        "１２",
        "1_0",
        "2.5",
    ],
    Real: ["", " ", "x", "nan", "-inf", "-1e400", "-" + LONG, "true", "²", "１", "1_0", "0x1", "1,5"],
    Several: ["", ",", "1,", "1,,2", "nan", "1,x", "1;2", "1,²", "1," + LONG],
    OneOf: ["", " ", "no such", "x" * 5000, "\x1b[31m"],
    PathBound: ["", "x" * 5000, "a\0b"],
    Text: ["\0", "a\0b", "\udcff"],
    Bound: ["", "x"],
}
GIVEN: dict[type[Bound], list[Any]] = {
    Whole: [
        None,
        True,
        False,
        "3",
        "",
        2.5,
        -(10**400),
        10**400,
        1e30,
        math.nan,
        math.inf,
        b"3",
        [],
        {},
        [3],
        object(),
    ],
    Real: [
        None,
        True,
        "3",
        "",
        10**400,
        -1.0,
        math.nan,
        -math.inf,
        b"3",
        [],
        {},
        [0.5],
        1j,
        np.float32("nan"),
        object(),
    ],
    Several: [
        None,
        True,
        3,
        "1,2",
        "",
        [],
        {},
        [[]],
        [True, 2],
        [1.5],
        [math.nan],
        ["1"],
        [10**400],
        [1] * 1001,
        b"12",
    ],
    OneOf: [None, True, 3, "", "no such", [], {}, [["?"]], b"none", math.nan, "x" * 5000],
    PathBound: [3, True, b"x", "", [], {}, "a\0b", "x" * 5000, math.nan],
    Text: [3, True, b"x", "\0", "\udcff", [], {}, math.nan],
    TextOrTexts: [3, True, b"x", "\0", [], {}, math.nan, [3], ["a", None], ["\0"], [["a"]]],
    YesNo: [None, 0, 1, "true", "", [], {}, math.nan, 1.0],
    Function: [3, True, b"x", [], {}, math.nan],
    LoggerList: [None, 3, True, "x", b"x", {}, [3], math.nan],
}


def bad(bound: Bound, table: dict[type[Bound], list[Any]]) -> list[Any]:
    """What a bound must refuse."""
    values = next(values for kind, values in table.items() if isinstance(bound, kind))
    if isinstance(bound, Stage):  # the number of a checkpoint
        values = [value for value in values if value is True or not isinstance(value, int)]
    if isinstance(bound, Several) and not bound.least:
        values = [value for value in values if value != []]
    if isinstance(bound, Repeated):  # of text, which may also stand by itself
        values = [value for value in values if value not in ("1,2", ["1"])]
    if isinstance(bound, Function):
        values = [value for value in values if not isinstance(value, bound.others)]
    return [*values, *(["-1"] if table is TYPED and isinstance(bound, Whole) and bound.least == 0 else [])]


def one_line(message: str, *names: str) -> None:
    assert any(name in message for name in names), message
    assert "\n" not in message
    assert "\x1b" not in message
    assert len(message) < 500, message
    for python in ("Traceback", "Errno", "<class", "object at", "NoneType"):
        assert python not in message.replace("<object object at", ""), message


# --- the command lines


def options() -> Iterator[tuple[click.Group, list[str], click.Parameter]]:
    for group in (seqgan_command, imagegan_command):
        for path, command in _commands(group, group.name or ""):
            choosers = {"--algorithm": CONFIGS, "--model": IMAGE_CONFIGS}
            known = {name for param in command.params for name in param.opts}
            chooser = next((chooser for chooser in choosers if chooser in known), None)
            for choice in choosers[chooser] if chooser else [""]:
                context = click.Context(command)
                context.meta["choice"] = choice
                words = [*path.split()[1:], *([chooser, choice] if chooser else [])]
                for param in command.get_params(context):
                    if not getattr(param, "is_flag", False) and param.opts != [chooser]:
                        yield group, words, param


CASES = list(options())


def test_every_option_has_a_bound() -> None:
    assert [(words, param.opts) for _, words, param in CASES if not isinstance(param.type, Bound)] == []
    assert len(CASES) > 400


@pytest.mark.parametrize("group", [seqgan_command, imagegan_command], ids=["seqgan", "imagegan"])
def test_an_option_refuses_by_its_name_what_it_cannot_be(group: click.Group, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    done = set()
    for whose, words, param in CASES:
        case = (words[0], tuple(param.opts), id(param.type))
        if whose is not group or case in done:
            continue
        done.add(case)
        for value in bad(param.type, TYPED):  # type: ignore[arg-type]
            if isinstance(param, click.Argument):
                given, names = [value, *["x"] * 2], ["RUN", "FILE", "FOLDER", "NAME", "PATH"]
                given = given[: 1 + (words[0] in ("score", "export"))]
            else:
                given, names = [param.opts[-1], value], param.opts
            with pytest.raises((click.UsageError, SeqGANError)) as refused:
                group.main([*words, *given], standalone_mode=False)
            error = refused.value
            one_line(error.format_message() if isinstance(error, click.ClickException) else str(error), *names)
    assert list(tmp_path.iterdir()) == []


# --- configs


FIELDS = [
    (config, parameter)
    for config in dict.fromkeys([*CONFIGS.values(), *IMAGE_CONFIGS.values()])
    for parameter in parameters(config)
]


def test_every_field_of_every_config_refuses_by_its_name_what_it_cannot_be() -> None:
    for config, parameter in FIELDS:
        for value in bad(parameter.type, GIVEN):
            with pytest.raises(ConfigError) as refused:
                assemble(config, [("run.json", {parameter.name: value})])
            one_line(str(refused.value), parameter.name)
            with pytest.raises(ConfigError) as refused:
                config(**{parameter.name: value})
            one_line(str(refused.value), parameter.name)


def test_a_field_takes_numbers_of_numpy() -> None:
    for config, parameter in FIELDS:
        usual = parameter.default
        for number in (np.int64, np.float64, np.int32, np.float32):
            if isinstance(parameter.type, Whole) and float(number(usual)) == usual:
                made = config(**{parameter.name: number(usual)})
                assert type(getattr(made, parameter.name)) is int
        if isinstance(parameter.type, Real):
            assert type(getattr(config(**{parameter.name: np.float64(usual)}), parameter.name)) is float


def numeric(config: type[Any]) -> list[Parameter]:
    return [parameter for parameter in parameters(config) if isinstance(parameter.type, Whole | Real)]


@pytest.mark.parametrize("suffix", ["json", "toml"])
def test_a_config_file_refuses_likewise(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"c.{suffix}"
    for name, config in CONFIGS.items():
        for parameter in numeric(config):
            for value in ("nan", "-inf", "1e400", LONG, "[]", '"3"', "true", "-1e30"):
                if suffix == "json":
                    text = json.dumps({parameter.name: 0}).replace("0}", f"{value.replace('inf', 'Infinity')}}}")
                    text = text.replace("nan", "NaN")
                else:
                    text = f"{parameter.name} = {value}\n"
                path.write_text(text)
                with pytest.raises(ConfigError) as refused:
                    choose_config(name, config, PRESETS[name], file=path, typed={})
                one_line(str(refused.value), str(path))


# --- the library


LIBRARY: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (seqgan.train, {"corpus": tiny_lines()}),
    (seqgan.load, {"run": "nowhere"}),
    (seqgan.evaluate, {"samples": ["a b", "b c"]}),
    (seqgan.register, {"name": "mine", "algorithm": print, "config": CONFIGS["mle"]}),
    (from_pretrained, {"name": "nowhere/at-all"}),
    (seqgan.TrainedRun.model, {"self": None}),
    (seqgan.TrainedRun.evaluate, {"self": None}),
    (seqgan.TrainedRun.save_pretrained, {"self": None, "folder": "nowhere"}),
    (seqgan.TextModel.draw, {"self": None, "count": 1}),
    (seqgan.TextModel.generate_detailed, {"self": None, "count": 1}),
    (seqgan.load_corpus, {"name": "poems"}),
    (generation.latents, {"model": None, "count": 1, "seed": 0}),
    (imagegan.from_pretrained, {"name": "nowhere/at-all"}),
    (imagegan.TrainedRun.model, {"self": None}),
    (imagegan.TrainedRun.evaluate, {"self": None}),
    (imagegan.TrainedRun.save_pretrained, {"self": None, "folder": "nowhere"}),
]
# What has another type than a bound, and is refused in words of its own (below).
OTHERWISE = {
    *("corpus", "samples", "references", "training", "device", "hyper", "default", "self", "return", "model"),
    *("labels", "label", "exclude", "options", "name", "valid", "test"),
}


@pytest.mark.parametrize(("function", "usual"), LIBRARY, ids=lambda case: getattr(case, "__qualname__", ""))
def test_every_argument_of_the_library_refuses_by_its_name_what_it_cannot_be(
    function: Callable[..., Any], usual: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hints = get_type_hints(inspect.unwrap(function), include_extras=True)
    bounds = {name: bound for name, hint in hints.items() if (bound := bound_of(hint))}
    assert set(hints) - set(bounds) <= OTHERWISE
    for name, bound in bounds.items():
        for value in bad(bound, GIVEN):
            if value is None and inspect.signature(function).parameters[name].default is None:
                continue
            if isinstance(bound, Several) and isinstance(bound.of, Real) and value == [1.5]:
                continue  # right among numbers
            with pytest.raises(UsageError) as refused:
                function(**{**usual, name: value})
            one_line(str(refused.value), name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "texts", [None, 3, b"bytes", "", {}, [1], [None], [b"x"], "\0", "x" * 5000, math.nan, object()]
)
def test_texts_that_are_none_are_refused(texts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    evaluate: Any = inspect.unwrap(seqgan.evaluate)  # without the types that tests check
    for act in (lambda: seqgan.train(texts, run_dir="run"), lambda: evaluate(texts)):
        with pytest.raises(SeqGANError) as refused:
            act()
        one_line(str(refused.value), "text", "corpus", "given", "sample")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("device", [None, 3, True, b"cpu", "", "x" * 5000, "\0", "cpu:9", math.nan, []])
def test_a_device_that_is_none_is_refused(device: Any) -> None:
    with pytest.raises(UsageError) as refused:
        seqgan.load("nowhere", device=device)
    one_line(str(refused.value), "device", "nowhere")


@pytest.mark.parametrize("field", [parameter.name for parameter in parameters(CONFIGS["seqgan"])])
def test_a_hyper_parameter_of_train_refuses_likewise(
    field: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bound = next(parameter.type for parameter in parameters(CONFIGS["seqgan"]) if parameter.name == field)
    for value in bad(bound, GIVEN):
        if value is None or (field == "reward" and not isinstance(value, str)):
            continue
        with pytest.raises(UsageError) as refused:
            seqgan.train(tiny_lines(), **{field: value})
        one_line(str(refused.value), field)
    assert list(tmp_path.iterdir()) == []
