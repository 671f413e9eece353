"""A start that is refused leaves nothing behind, on both command lines and in the library; and a run is begun or
continued in one way by all of them."""

import csv
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest

import seqgan
from imagegan.cli import imagegan
from seqgan.cli import seqgan as command
from seqgan.core.run import describe
from seqgan.errors import RunError, SeqGANError, UsageError
from tests.conftest import TINY, TINY_GAME, tiny_lines
from tests.killing import contents

MLE: dict[str, Any] = {**TINY, "algorithm": "mle", "threads": 1, "mle_epochs": 1}
QUICK = ["--algorithm", "mle", "--preset", "quick", "--mle-epochs", "1", "--quiet"]


def refused(group: click.Group, *words: object) -> str:
    with pytest.raises((SeqGANError, click.ClickException)) as told:
        group.main(list(map(str, words)), standalone_mode=False)
    message = told.value.format_message() if isinstance(told.value, click.ClickException) else str(told.value)
    assert "\n" not in message
    return message


@pytest.fixture
def columns_twice(tmp_path: Path) -> Path:
    path = tmp_path / "twice.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["text", "text"], *([line, line] for line in tiny_lines())])
    return path


def test_a_refused_start_of_a_text_run_leaves_nothing(
    columns_twice: Path, corpus_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "runs"
    long_test = tmp_path / "long.txt"
    long_test.write_text("".join(f"{line} {line} {number}\n" for number, line in enumerate(tiny_lines())))
    splits = ["--valid", corpus_file, "--test", long_test, "--max-length", 7, "--overlong", "error"]
    cases: list[list[object]] = [
        ["--corpus", corpus_file, "--threads", 5000],
        ["--corpus", corpus_file, *splits],
        ["--corpus", corpus_file, "--seed", 2**70],
        ["--corpus", corpus_file, "--init-from", tmp_path / "nowhere"],
        ["--corpus", tmp_path / "none.txt"],
    ]
    for words in cases:
        refused(command, "train", *QUICK, "--run-dir", runs / "run", *words)
        assert not runs.exists() or not list(runs.iterdir()), words
    monkeypatch.setattr("seqgan.training.prepare", lambda *_: (_ for _ in ()).throw(UsageError("no")))
    refused(command, "train", *QUICK, "--run-dir", runs / "run", "--corpus", corpus_file)
    assert not list(runs.iterdir()) if runs.exists() else True


@pytest.mark.parametrize("place", ["seqgan.training.train", "seqgan.training.corpus_checks"])
def test_an_error_after_a_run_was_made_and_before_its_first_step_leaves_nothing(
    place: str, corpus_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise UsageError("it cannot be begun")

    monkeypatch.setattr(place, fails)
    words = [word for word in QUICK if word != "--quiet"]
    assert "cannot be begun" in refused(
        command, "train", *words, "--corpus", corpus_file, "--run-dir", tmp_path / "a" / "run"
    )
    assert not list((tmp_path / "a").iterdir())
    with pytest.raises(UsageError, match="cannot be begun"):
        seqgan.train(tiny_lines(), run_dir=tmp_path / "b" / "run", progress=True, **MLE)
    assert not list((tmp_path / "b").iterdir())


def test_a_part_that_fails_leaves_nothing_and_the_run_that_was_to_be_replaced(tmp_path: Path) -> None:
    def policy(vocab_size: int, max_length: int) -> Any:
        raise ValueError("a mistake of the policy")

    seqgan.train(tiny_lines(), run_dir=tmp_path / "run", **MLE)
    for options in ({"run_dir": tmp_path / "other"}, {"run_dir": tmp_path / "run", "overwrite": True, "seed": 9}):
        with pytest.raises(ValueError, match="a mistake of the policy"):
            seqgan.train(tiny_lines(), policy=policy, **MLE, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert describe(tmp_path / "run")["seed"] == 0
    assert seqgan.load(tmp_path / "run").generate(1)


def test_an_error_before_the_first_step_of_an_image_run_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words: list[object] = ["train", "--quiet", "--preset", "quick", "--images", 50, "--steps", 1, "--run-dir"]
    for more in (["--threads", 5000], ["--data", "ring", "--model", "lapgan"]):
        refused(imagegan, *words, tmp_path / "run", *more)

    def fails(*_: object) -> None:
        raise UsageError("it cannot be begun")

    monkeypatch.setattr("imagegan.training.train", fails)
    assert "cannot be begun" in refused(imagegan, *words, tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_the_library_asks_for_a_seed_only_where_one_is_given(tmp_path: Path) -> None:
    options: dict[str, Any] = {**MLE, "run_dir": tmp_path / "run"}
    seqgan.train(tiny_lines(), seed=7, **options)
    assert seqgan.train(tiny_lines(), resume=True, **options).description["seed"] == 7
    with pytest.raises(RunError, match="seed was 7 and is now 0"):
        seqgan.train(tiny_lines(), resume=True, seed=0, **options)


def test_to_resume_in_the_library_the_run_must_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="run_dir"):
        seqgan.train(tiny_lines(), resume=True, **MLE)
    with pytest.raises(UsageError, match="ask for one of them"):
        seqgan.train(tiny_lines(), resume=True, overwrite=True, run_dir="run", **MLE)
    assert not list(tmp_path.iterdir())


def test_a_run_that_shows_its_progress_ends_as_a_quiet_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options: dict[str, Any] = {**TINY_GAME, "threads": 1}
    for name, progress in (("quiet", False), ("told", True)):
        seqgan.train(tiny_lines(), run_dir=tmp_path / name, progress=progress, **options)
        told = capsys.readouterr().err
        assert told.count("43 train, 7 valid, 10 test texts") == progress
        assert told.count("GB of memory, at the peak so far") == 3 * progress  # once in a phase
    assert contents(tmp_path / "told") == contents(tmp_path / "quiet")
    seqgan.train(tiny_lines(), run_dir=tmp_path / "told", resume=True, progress=True, **options)
    assert "of memory" not in capsys.readouterr().err  # of a training that is under way it is not told again


def test_a_new_run_reads_and_encodes_its_corpus_once(
    corpus_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def counted(place: str) -> None:
        module, _, name = place.rpartition(".")
        real: Any = getattr(import_module(module), name)
        monkeypatch.setattr(place, lambda *args, **kwargs: calls.append(name) or real(*args, **kwargs))

    counted("seqgan.data.corpus.read_texts")
    counted("seqgan.data.encoding._ids")
    seqgan.train(corpus_file, run_dir=tmp_path / "run", **MLE)
    assert calls == ["read_texts", "_ids"]
    seqgan.train(corpus_file, run_dir=tmp_path / "run", resume=True, **MLE)
    assert calls == ["read_texts", "_ids"] * 2
