import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest

from seqgan.core.bounds import RATE, Whole
from seqgan.core.config import assemble, choose_config, nearest, parameters, read_config_file, to_json
from seqgan.errors import ConfigError


@dataclass(frozen=True)
class Toy:
    width: Annotated[int, "how wide", Whole(1, 9)] = 3
    rate: Annotated[float, "how fast", RATE] = 0.1
    kind: Annotated[Literal["a", "b"], "which"] = "a"
    sizes: Annotated[tuple[int, ...], "several"] = (1, 2)
    loud: Annotated[bool, "noise"] = False


def test_later_layers_win_and_every_value_knows_its_source() -> None:
    config, sources = assemble(Toy, [("preset", {"width": 5, "rate": 1}), ("command line", {"width": 7})])
    assert config == Toy(width=7, rate=1.0)
    assert isinstance(config.rate, float)
    assert sources == {
        "width": "command line",
        "rate": "preset",
        "kind": "default",
        "sizes": "default",
        "loud": "default",
    }


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"wdith": 3}, "did you mean width"),
        ({"width": 0}, "width is 0, but a whole number from 1 to 9 was expected"),
        ({"width": 10}, "width is 10"),
        ({"width": 2.5}, "whole number"),
        ({"width": "many"}, "width is 'many', but a whole number"),
        ({"width": "3"}, "width is '3', but a whole number"),
        ({"width": True}, "whole number"),
        ({"width": None}, "width"),
        ({"rate": 0}, "rate is 0, but a number above 0"),
        ({"rate": "fast"}, "rate is 'fast', but a number above 0"),
        ({"rate": float("nan")}, "rate is nan"),
        ({"rate": 10**400}, "rate is 1000"),
        ({"kind": "c"}, "one of a, b"),
        ({"kind": []}, "one of a, b"),
        ({"sizes": "1,x"}, "a list of whole number"),
        ({"sizes": 3}, "a list of whole number"),
        ({"sizes": []}, "a list of whole number"),
        ({"sizes": [1, True]}, "a list of whole number"),
        ({"loud": 3}, "true or false"),
        ({"loud": "perhaps"}, "loud is 'perhaps', but true or false"),
    ],
)
def test_a_bad_value_names_its_source_and_what_was_expected(layer: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=r"^here: ") as error:
        assemble(Toy, [("here", layer)])
    assert message in str(error.value)


def test_json_and_back_is_the_same_config() -> None:
    config = Toy(sizes=(4, 5, 6), loud=True)
    again, _ = assemble(Toy, [("json", json.loads(json.dumps(to_json(config))))])
    assert again == config


@pytest.mark.parametrize(
    ("name", "text"), [("c.toml", "width = 4\nsizes = [7, 8]\n"), ("c.json", '{"width": 4, "sizes": [7, 8]}')]
)
def test_config_files(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    chosen = choose_config(
        "toy",
        Toy,
        {"default": {"width": 2, "rate": 0.5}},
        file=path,
        typed={"rate": 0.7},
    )
    assert chosen.config == Toy(width=4, rate=0.7, sizes=(7, 8))
    assert chosen.asked == {"width": 4, "sizes": [7, 8], "rate": 0.7}


def test_a_named_preset_counts_as_asked_for() -> None:
    chosen = choose_config("toy", Toy, {"default": {}, "big": {"width": 9}}, preset="big", typed={})
    assert chosen.asked == to_json(Toy(width=9))
    with pytest.raises(ConfigError, match="no preset 'bgi'; did you mean big"):
        choose_config("toy", Toy, {"big": {}}, preset="bgi", typed={})


@pytest.mark.parametrize("text", ["width = ", "[[[", "\x00"])
def test_a_damaged_config_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"c\.toml"):
        read_config_file(path)


def test_a_list_is_bounded_by_the_kind_of_its_items() -> None:
    @dataclass(frozen=True)
    class Lists:
        sizes: Annotated[tuple[int, ...], "whole numbers"] = (1, 2)
        words: Annotated[tuple[str, ...], "words"] = ()
        rates: Annotated[tuple[float, ...], "numbers"] = (0.5,)

    config, _ = assemble(Lists, [("file", {"sizes": [3], "words": ["a", "b"], "rates": [1, 0.25]})])
    assert (config.sizes, config.words, config.rates) == ((3,), ("a", "b"), (1.0, 0.25))
    for wrong in ({"sizes": ["a"]}, {"words": [1]}, {"rates": ["a"]}):
        with pytest.raises(ConfigError, match=f"file: {next(iter(wrong))}"):
            assemble(Lists, [("file", wrong)])


def test_every_parameter_has_help() -> None:
    assert next((p.name, p.help, p.default) for p in parameters(Toy)) == ("width", "how wide", 3)


def test_nearest() -> None:
    assert nearest("poem", ["poems", "speeches"]) == "; did you mean poems?"
    assert nearest("11", ["0", "1", "2"]) == "; choose one of 0, 1, 2"
    assert nearest("body", ["id", "Body Text", "stars"]) == "; did you mean Body Text?"
    assert nearest("zzz", ["poems", "speeches"]) == "; choose one of poems, speeches"
