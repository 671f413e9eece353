"""What a shell offers, and what is said to those who type nothing, or an option of another command."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from imagegan.cli import imagegan
from seqgan import train
from seqgan.algorithms.synonyms import SYNONYMS
from seqgan.cli import main, seqgan
from seqgan.core.command import run_command
from seqgan.core.run import create
from seqgan.data import store
from seqgan.errors import ConfigError, CorpusError
from tests.conftest import tiny_lines
from tests.test_cli import call, refusal

ROOT = Path(__file__).parents[1]


def offered(group: object, *words: str) -> list[str]:
    complete = ShellComplete(group, {}, "x", "_X_COMPLETE")  # type: ignore[arg-type]
    return [item.value for item in complete.get_completions(list(words[:-1]), words[-1])]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQGAN_HOME", str(tmp_path / "home"))
    create(Path("runs/one-1"), {"package": "seqgan", "algorithm": "mle", "seed": 0}, {})
    create(Path("elsewhere/two"), {"package": "seqgan", "algorithm": "mle", "seed": 0}, {})
    create(Path("runs/three-1"), {"package": "imagegan", "algorithm": "gan", "seed": 0}, {})
    for path in ("runs/one-1/checkpoints/step-00000012.pt", "runs/three-1/checkpoints/step-00000007.pt"):
        Path(path).touch()
    store.add("mine", tiny_lines(), {})
    return tmp_path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "--corpus", "po"], ["poems"]),
        (["train", "--corpus", "mi"], ["mine"]),
        (["train", "--preset", ""], ["default", "fast", "quick", "paper"]),
        (["train", "--algorithm", "s"], ["seqgan"]),
        (["train", "--control", "sh"], ["shuffled"]),
        (["train", "--reward", "k"], ["keyword"]),
        (["train", "--algorithm", "mle", "--rollou"], []),
        (["train", "--rollou"], ["--rollouts"]),
        (["train", "--resume", "runs/"], ["runs/one-1"]),
        (["train", "--init-from", "runs/one-1@"], [f"runs/one-1@{stage}" for stage in ("mle", "final", "best", "12")]),
        (["generate", ""], ["runs/one-1"]),
        (["generate", "elsewhere/"], ["elsewhere/two"]),
        (["evaluate", "runs/o"], ["runs/one-1"]),
        (["generate", "runs/one-1", "--stage", ""], ["mle", "final", "best", "12"]),
        (["score", "runs/one-1", "--stage", "b"], ["best"]),
        (["save", "nowhere", "--stage", ""], ["mle", "final", "best"]),
        (["corpora", "remove", ""], ["mine"]),
        (["corpora", "show", "s"], ["speeches"]),
    ],
)
def test_a_shell_offers_what_there_is(words: list[str], expected: list[str]) -> None:
    assert offered(seqgan, *words) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "--model", "wgan"], ["wgan", "wgan-gp", "wgan-diff"]),
        (["train", "--data", "digits"], ["digits", "digits-wide"]),
        (["bench", "models", "--models", "wgan,ac"], ["wgan,acgan"]),
        (["generate", "runs/three-1", "--stage", ""], ["final", "best", "7"]),
        *(([command, "ru"], ["runs/three-1"]) for command in ("generate", "walk", "evaluate", "save", "report")),
    ],
)
def test_a_shell_offers_what_there_is_of_images(words: list[str], expected: list[str]) -> None:
    assert offered(imagegan, *words) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(("program", "run"), [("seqgan", "runs/one-1"), ("imagegan", "runs/three-1")])
def test_the_shells_are_answered_by_the_program(shell: str, program: str, run: str) -> None:
    """As a shell does it: first it asks for a script, then, at every tab, for what may follow."""
    variable = f"_{program.upper()}_COMPLETE"

    def answer(**variables: str) -> str:
        module = [sys.executable, "-c", f"from {program}.cli import main; import sys; sys.argv = ['{program}']; main()"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
        return subprocess.run(module, env=environment, capture_output=True, text=True, check=True).stdout

    script = answer(**{variable: f"{shell}_source"})
    assert f"{variable}={shell}_complete" in script
    typed = {"COMP_WORDS": f"{program} generate ru", "COMP_CWORD": "2" if shell != "fish" else "ru"}
    told = answer(**{variable: f"{shell}_complete"}, **typed)
    plain = {"bash": f"plain,{run}\n", "zsh": f"plain\n{run}\n_\n", "fish": f"plain,{run}\n"}
    assert told == plain[shell]


def said(group: object, *words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("sys.argv", ["x", *words])
    with pytest.raises(SystemExit) as left:
        run_command(group)  # type: ignore[arg-type]
    assert left.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("group", "words"),
    [(seqgan, []), (seqgan, ["corpora"]), (seqgan, ["bench"]), (imagegan, []), (imagegan, ["bench"])],
)
def test_a_group_without_a_command_prints_its_help(
    group: object, words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = said(group, *words, capsys=capsys, monkeypatch=monkeypatch).splitlines()
    assert lines[0].startswith("Usage: ")
    assert "Commands:" in lines


@pytest.mark.parametrize(
    ("group", "words", "message"),
    [
        (
            seqgan,
            ["train", "--top-k", "1"],
            "--top-k is an option of seqgan generate and seqgan sweep, not of seqgan train; leave it out",
        ),
        (seqgan, ["train", "--rolouts", "4"], "there is no option --rolouts; did you mean --rollouts or"),
        (seqgan, ["score", "--prompt", "x"], "--prompt is an option of seqgan generate, not of seqgan score"),
        (imagegan, ["train", "--truncation", "1"], "--truncation is an option of imagegan generate"),
        (seqgan, ["corpora", "show", "--split", "\x1b[31m"], "invalid value for '--split'"),
        (seqgan, ["train", "--config", "a" * 300], "file name too long"),
        (seqgan, ["train", "--zzzz", "4"], "there is no option --zzzz; seqgan train --help lists those there are"),
        (seqgan, ["generate"], "RUN is missing; see seqgan generate --help"),
        (imagegan, ["save", "x"], "FOLDER is missing; see imagegan save --help"),
        (seqgan, ["trian"], "there is no command 'trian'; did you mean train?"),
        (imagegan, ["zzzz"], "there is no command 'zzzz'; imagegan --help lists those there are"),
        (seqgan, ["generate", "x", "y"], "got unexpected extra argument"),
        (
            imagegan,
            ["generate", "x", "--json"],
            "--json is an option of imagegan runs, imagegan evaluate, imagegan bench models, imagegan bench",
        ),
    ],
)
def test_an_option_in_the_wrong_place_is_told_in_one_line_where_it_belongs(
    group: object,
    words: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = said(group, *words, capsys=capsys, monkeypatch=monkeypatch)
    assert message in told
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    assert "\x1b" not in told


def test_a_corpus_of_ones_own_is_removed_and_nothing_else() -> None:
    folder = store.folder_of("mine")
    (folder / "notes.txt").write_text("a thesis")
    with pytest.raises(CorpusError, match=r"holds 'notes\.txt', which is no part of a corpus"):
        store.remove("mine")
    (folder / "notes.txt").unlink()
    assert f"removed mine from {folder}" in call("corpora", "remove", "mine").stdout
    assert not folder.exists()
    assert list(folder.parent.iterdir()) == []
    for name in ("mine", "../one", "poems", ""):
        assert refusal("corpora", "remove", name)[1] == 2
    assert Path("runs/one-1/run.json").is_file()


def test_what_other_programs_call_an_option_is_answered_with_its_name_here(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for words, ours in ((["train", "--learning-rate", "1"], "--mle-lr, --g-lr and --d-lr"), (["score", "--lr"], "--")):
        monkeypatch.setattr("sys.argv", ["seqgan", *words])
        with pytest.raises(SystemExit):
            main()
        assert f"there is no option {words[1]}; here it is {ours}" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="no hyper-parameter 'emb_dim'; here it is --embedding-dim"):
        train(["a b"] * 20, emb_dim=3)


def test_the_names_that_an_error_answers_with_exist() -> None:
    params = [param for name in ("train", "generate") for param in seqgan.commands[name].get_params(context(name))]
    options = {option for param in params for option in param.opts}
    assert set(re.findall(r"--[a-z0-9-]+", " ".join(SYNONYMS.values()))) <= options
    assert not options & {f"--{name.replace('_', '-')}" for name in SYNONYMS}


def context(name: str) -> click.Context:
    return click.Context(seqgan.commands[name])
