"""The READMEs: their Python runs as it stands there, and the options, links, files and functions they name exist."""

import ast
import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import seqgan
from imagegan.cli import imagegan as image_command
from imagegan.variants.configs import CONFIGS as VARIANTS
from seqgan import evaluation
from seqgan.algorithms.configs import CONFIGS as ALGORITHMS
from seqgan.cli import seqgan as text_command
from seqgan.reporting import TABLES

ROOT = Path(__file__).parents[1]
NAMES = ["README.md", "seqgan/README.md", "imagegan/README.md", "corpora/README.md", "seqgan/bench/README.md"]
READMES = {name: (ROOT / name).read_text(encoding="utf-8") for name in NAMES}
COMMANDS: dict[str, click.Command] = {"seqgan": text_command, "imagegan": image_command}
PAPER = "## From the paper to the code"
every_readme = pytest.mark.parametrize("name", NAMES)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def prose(text: str) -> str:
    """Without blocks of code."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def section(text: str, heading: str) -> str:
    """From a heading to the next one of its level."""
    level = heading.split()[0]
    return re.split(rf"^{level} ", text[text.index(f"{heading}\n") + len(heading) :], flags=re.MULTILINE)[0]


def table_rows(text: str) -> list[list[str]]:
    """The cells of every row that is neither a heading nor a rule."""
    tables = re.findall(r"^\|.*\n\|[-:| ]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split("|")] for table in tables for row in table.splitlines()]


# --- Python


@pytest.mark.parametrize("name", [name for name in NAMES if blocks(READMES[name], "python")])
def test_the_python_of_a_readme_runs_from_top_to_bottom(name: str, tmp_path: Path) -> None:
    code = "\n".join(blocks(READMES[name], "python"))
    fewer = f"from seqgan import evaluation\nevaluation.JUDGED = {evaluation.JUDGED}\n"
    (tmp_path / "readme.py").write_text(fewer + code, encoding="utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "readme.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == code.count("print(")


def test_every_kind_of_custom_part_has_a_snippet() -> None:
    code = "\n".join(blocks(READMES["seqgan/README.md"], "python"))
    for part in ("reward=", "discriminator=", "policy=", "seqgan.register("):
        assert part in code


def test_every_public_name_is_listed() -> None:
    listed = re.findall(r"`seqgan\.(\w+)", section(READMES["seqgan/README.md"], "## From Python"))
    assert set(seqgan.__all__) <= set(listed)
    assert all(hasattr(seqgan, name) for name in listed)


@pytest.mark.parametrize("name", ["TrainedRun", "TextModel"])
def test_the_members_that_are_listed_for_a_class_exist(name: str) -> None:
    [row] = [row for row in table_rows(READMES["seqgan/README.md"]) if row[0] == f"`seqgan.{name}`"]
    ours = [base for base in getattr(seqgan, name).__mro__ if base.__module__.startswith("seqgan")]
    source = "".join(map(inspect.getsource, ours))
    for member in re.findall(r"`(\w+)[`(]", row[1]):
        assert re.search(rf"def {member}\b|self\.{member}\b", source), member


# --- commands and options


def commands(text: str) -> Iterator[list[str]]:
    """The words of every call of our commands in the blocks, loops unrolled to their first value."""
    for line in "\n".join(blocks(text, "console")).replace("\\\n", " ").splitlines():
        if not line.startswith("$ "):
            continue  # output
        words = shlex.split(line[2:], comments=True)
        values = {f"${words[at + 1]}": words[at + 3] for at, word in enumerate(words) if word == "for"}
        for variable, value in values.items():
            words = [word.replace(variable, value.rstrip(";")) for word in words]
        call: list[str] = []
        for word in [*words, ";"]:
            ends = word.endswith(";") or word in ("|", "&&")
            if call and word.rstrip(";") and not (ends and word in ("|", "&&")):
                call.append(word.rstrip(";"))
            elif word in COMMANDS:
                call = [word]
            if ends and call:
                yield call
                call = []


def leaf(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the first words name, and the words left for it."""
    command, rest = COMMANDS[words[0]], words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


def wrong_commands(text: str) -> list[str]:
    """The calls in console blocks that the commands themselves refuse: their options, values and arguments."""
    wrong = []
    for words in commands(text):
        try:
            command, rest = leaf(words)
            command.make_context(words[0], rest)
        except (click.UsageError, KeyError) as error:
            wrong.append(f"{shlex.join(words)}: {getattr(error, 'message', error)}")
        except click.exceptions.Exit:
            pass  # --help
    return wrong


def options_of(command: click.Command) -> set[str]:
    """Every option of a command and of its subcommands, whatever algorithm or model is chosen."""
    if isinstance(command, click.Group):
        return set().union(*map(options_of, command.commands.values()), {"--help", "--version"})
    choices: list[Any] = [*getattr(command, "configs", {None: None})]
    names = {"--help"}
    for choice in choices:
        context = click.Context(command)
        context.meta["choice"] = choice
        parameters = command.get_params(context) if choice else command.params
        names |= {name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)}
    return names


def unknown_options(text: str) -> list[str]:
    """The options in the prose that no command has; those in a call of a command which that command lacks."""
    wrong = []
    for code in re.findall(r"`([^`\n]+)`", prose(text)):
        words = code.split()
        known = options_of(leaf(words)[0]) if words[0] in COMMANDS else set().union(*map(options_of, COMMANDS.values()))
        wrong += [code for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", code) if option not in known]
    return wrong


@every_readme
def test_every_command_of_a_readme_is_accepted(name: str) -> None:
    assert not wrong_commands(READMES[name])


@every_readme
def test_every_option_in_the_prose_exists(name: str) -> None:
    assert not unknown_options(READMES[name])


def test_the_readmes_hold_commands() -> None:
    calls = [words for text in READMES.values() for words in commands(text)]
    assert sum(words[0] == "seqgan" for words in calls) > 40
    assert sum(words[0] == "imagegan" for words in calls) > 10


# --- links


def anchors(text: str) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(text: str) -> list[str]:
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", prose(text)) if "://" not in target]


def broken_links(name: str, text: str) -> list[str]:
    """The relative links that lead to no file or no heading."""
    broken = []
    for target in links(text):
        path, _, anchor = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        if not file.exists() or (anchor and anchor not in anchors(text if not path else file.read_text("utf-8"))):
            broken.append(target)
    return broken


@every_readme
def test_every_link_of_a_readme_leads_somewhere(name: str) -> None:
    assert not broken_links(name, READMES[name])


def test_every_readme_is_one_click_from_the_first() -> None:
    assert {link.partition("#")[0] for link in links(READMES["README.md"])} >= set(NAMES[1:])


@pytest.mark.parametrize("name", ["seqgan/README.md", "imagegan/README.md"])
def test_a_long_readme_begins_with_its_contents(name: str) -> None:
    contents, _, _ = READMES[name].partition("\n## ")
    assert {link[1:] for link in links(contents) if link.startswith("#")} == {
        *anchors("\n".join(re.findall(r"^## .*$", prose(READMES[name]), re.MULTILINE)))
    }


def test_every_picture_is_shown() -> None:
    shown = {Path(link).name for text in READMES.values() for link in links(text) if link.endswith(".png")}
    assert shown == {path.name for path in (ROOT / ".assets").iterdir()}


# --- from the paper to the code


def definitions(path: Path) -> set[str]:
    """The functions and classes of a module, those within others as `outer.inner`."""

    def inside(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield prefix + node.name
                yield from inside(node.body, f"{prefix}{node.name}.")

    return set(inside(ast.parse(path.read_text(encoding="utf-8")).body))


def missing_code(name: str, text: str) -> list[str]:
    """References `file.py::function` to a file or a function that is not there; the files are beside the README."""
    missing = []
    for path, function in re.findall(r"`([\w./]+\.py)::([\w.]+)`", text):
        file = (ROOT / name).parent / path
        if not file.is_file() or function not in definitions(file):
            missing.append(f"{path}::{function}")
    return missing


@every_readme
def test_every_function_that_a_readme_names_is_defined(name: str) -> None:
    assert not missing_code(name, READMES[name])


def missing_files(name: str, text: str) -> list[str]:
    """The modules in the prose that lie neither beside the README nor below the root."""
    paths = re.findall(r"`([\w./]+/\w+\.py)`", prose(text))
    return [path for path in paths if not ((ROOT / name).parent / path).is_file() and not (ROOT / path).is_file()]


@every_readme
def test_every_module_that_a_readme_names_exists(name: str) -> None:
    assert not missing_files(name, READMES[name])


@pytest.mark.parametrize("name", ["seqgan/README.md", "imagegan/README.md"])
def test_every_row_from_the_paper_names_code(name: str) -> None:
    rows = table_rows(section(READMES[name], PAPER))
    assert len(rows) > 20
    assert not [row for row in rows if "::" not in row[-1]]


def test_every_algorithm_and_every_variant_has_its_rows() -> None:
    texts, images = (section(READMES[name], PAPER) for name in ("seqgan/README.md", "imagegan/README.md"))
    shipped = {name for name, config in ALGORITHMS.items() if config.__module__.startswith("seqgan.")}
    tables = {heading: table_rows(section(texts, f"### `{heading}`")) for heading in re.findall(r"### `(.*)`", texts)}
    assert set(tables) == shipped
    assert all(tables.values())
    assert {row[0].strip("`") for row in table_rows(images) if len(row) == 3} == set(VARIANTS)


# --- numbers


def test_every_measure_is_explained_and_every_number_in_a_table_is_a_measure() -> None:
    def without_order(names: Iterable[str]) -> set[str]:
        return {re.sub(r"-[1-5]$", "-n", name) for name in names}

    measures = without_order(name for names in TABLES.values() for name in names)
    text = READMES["seqgan/README.md"]
    explained = "".join(cell for row in table_rows(section(text, "## Measures")) for cell in row)
    assert measures <= without_order(re.findall(r"`([\w-]+)`", explained))
    for table in (section(text, "## Results"), section(READMES["README.md"], "## What adversarial training changes")):
        assert without_order(row[0] for row in table_rows(table)) <= measures


def test_percentages_are_written_alike_in_readmes_and_in_what_the_commands_print() -> None:
    texts = {name: prose(text) for name, text in READMES.items()}
    for path in (path for package in ("seqgan", "imagegan") for path in (ROOT / package).rglob("*.py")):
        tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        strings = [node.value for node in tree if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        texts[str(path)] = "\n".join(strings)
    assert {name: found for name, text in texts.items() if (found := re.findall(r"\d %.*", text))} == {}


# --- the first README


def test_the_first_readme_can_be_read_in_one_go() -> None:
    assert len(READMES["README.md"].splitlines()) < 250


def test_the_files_of_the_layout_exist() -> None:
    [layout] = blocks(section(READMES["README.md"], "## Layout"), "text")
    assert len(layout.splitlines()) <= 15
    tracked = {path.relative_to(ROOT) for package in ("seqgan", "imagegan") for path in (ROOT / package).rglob("*.py")}
    for file in re.findall(r"\b\w+\.py\b", layout):
        assert file in {path.name for path in tracked}, file
    folders = {part for path in tracked for part in path.parts[:-1]} | {"corpora", "tests"}
    for folder in re.findall(r"\b(\w+)/", layout):
        assert folder in folders, folder


# --- the checks themselves


def test_the_checks_find_what_is_wrong() -> None:
    block = "```console\n$ seqgan train --corpus poems --no-such 1\n$ seqgan evaluate run --tokens letters\n"
    loop = "$ for s in 0 1; do seqgan train --seed $s --mle-rate 3; done\n$ imagegan no-such-command\n```\n"
    good = "```console\n$ seqgan train --corpus poems --seed 3   # --no-such\n```\n"
    assert len(wrong_commands(block + loop)) == 4
    assert not wrong_commands(good)
    assert unknown_options("`--no-such`, `seqgan generate --rollouts 3`, `--rollouts 3`") == [
        "--no-such",
        "seqgan generate --rollouts 3",
    ]
    assert broken_links("README.md", "[a](no/such.md) [b](#no-such) [c](LICENSE) [d](corpora/README.md#no-such)") == [
        "no/such.md",
        "#no-such",
        "corpora/README.md#no-such",
    ]
    assert missing_code("seqgan/README.md", "`losses.py::no_such`, `no_such.py::f`, `losses.py::l2_penalty`") == [
        "losses.py::no_such",
        "no_such.py::f",
    ]
    assert missing_files("seqgan/README.md", "`core/loop.py` `tests/test_readme.py` `core/no_such.py`") == [
        "core/no_such.py"
    ]
