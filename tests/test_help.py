"""`--help`: options below headings, an example that works, and about a page."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from imagegan.cli import imagegan
from imagegan.cli.train import HEADINGS as IMAGE_HEADINGS
from imagegan.cli.train import MAIN as IMAGE_MAIN
from imagegan.variants.configs import CONFIGS as VARIANTS
from seqgan.algorithms.configs import CONFIGS as ALGORITHMS
from seqgan.cli import seqgan
from seqgan.cli.train import HEADINGS as TEXT_HEADINGS
from seqgan.cli.train import MAIN as TEXT_MAIN
from tests.test_readme import wrong_commands

PAGE = 90  # lines of eighty columns


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name)


def help_of(group: click.Group, *words: str) -> str:
    return CliRunner().invoke(group, [*words, "--help"], catch_exceptions=False).output


@pytest.mark.parametrize("group", [seqgan, imagegan])
def test_every_command_shows_an_example_that_is_accepted_and_is_about_a_page(group: click.Group) -> None:
    for path in leaves(group):
        told = help_of(group, *path)
        example = told.rstrip().rpartition("Example: ")[2]
        assert example.startswith(" ".join([group.name or "", *path])), path
        assert not wrong_commands(f"```console\n$ {' '.join(example.split())}\n```\n"), path
        assert len(told.splitlines()) <= PAGE, path


@pytest.mark.parametrize("group", [seqgan, imagegan])
def test_lists_of_commands_cut_no_sentence(group: click.Group) -> None:
    inner = [(name,) for name, command in group.commands.items() if isinstance(command, click.Group)]
    for words in ((), *inner):
        listed = help_of(group, *words).partition("Commands:\n")[2].splitlines()
        assert listed
        for line in listed:
            name, _, told = line.strip().partition(" ")
            assert len(told.strip()) > 10, name
            assert "..." not in told, name


def sections(told: str) -> dict[str, str]:
    _, *parts = re.split(r"^([A-Z][a-z ]+):\n", told, flags=re.MULTILINE)
    return {name: textwrap.dedent(text) for name, text in zip(parts[::2], parts[1::2], strict=True)}


@pytest.mark.parametrize(("algorithm", "adversarial"), [(name, name != "mle") for name in ALGORITHMS])
def test_options_of_train_stand_below_headings(algorithm: str, adversarial: bool) -> None:
    found = sections(help_of(seqgan, "train", "--algorithm", algorithm))
    headings = ["Data", "Model", "Training", *["Adversarial training"] * adversarial, "Run"]
    assert [name for name in found if name != "Example"] == headings
    assert "--corpus" in found["Data"]
    assert "--hidden-dim" in found["Model"]
    assert "--mle-epochs" in found["Training"]
    assert "--iterations" in found.get("Adversarial training", "--iterations")
    assert "--tensorboard" in found["Run"]
    assert sum(text.count("--help") for text in found.values()) == 1


@pytest.mark.parametrize(
    ("group", "chooser", "choice", "main", "other"),
    [
        (seqgan, "--algorithm", "seqgan", "--mle-lr", "--mle-patience"),
        (imagegan, "--model", "dcgan", "--g-lr", "--beta1"),
    ],
)
def test_every_hyper_parameter_is_shown_once_something_is_chosen(
    group: click.Group, chooser: str, choice: str, main: str, other: str, tmp_path: Path
) -> None:
    page, whole = help_of(group, "train"), help_of(group, "train", chooser, choice)
    assert main in page
    assert main in whole
    assert other not in page
    assert other in whole
    assert f"train {chooser} NAME --help" in " ".join(page.split())
    (tmp_path / "my.toml").write_text(f'{chooser[2:]} = "{choice}"\n', encoding="utf-8")
    assert help_of(group, "train", "--config", str(tmp_path / "my.toml")) == whole


def test_headings_and_main_options_exist() -> None:
    for group, headings, main, chooser, known in (
        (seqgan, TEXT_HEADINGS, TEXT_MAIN, "--algorithm", ALGORITHMS),
        (imagegan, IMAGE_HEADINGS, IMAGE_MAIN, "--model", VARIANTS),
    ):
        command = group.commands["train"]
        names = set()
        for choice in known:
            context = click.Context(command)
            context.meta["choice"] = choice
            names |= {param.name for param in command.get_params(context)}
        assert set().union(*headings.values(), main) <= names, chooser
