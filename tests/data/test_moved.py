"""A run knows its corpus by content: wherever the texts are now, and in whatever file, they are taken or refused."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import seqgan
from seqgan.core.run import checkpoints
from seqgan.data.corpus import load_corpus
from seqgan.data.splits import split
from seqgan.errors import CorpusError, RunError
from tests.conftest import TINY, tiny_lines
from tests.test_cli import call, refusal

MLE: dict[str, Any] = {**TINY, "algorithm": "mle", "mle_epochs": 1, "threads": 1, "device": "cpu"}
TEXTS = tiny_lines()


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was trained on `texts.txt` in a folder that is moved away afterwards."""
    folder = tmp_path_factory.mktemp("begun")
    (folder / "before").mkdir()
    (folder / "before" / "texts.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    seqgan.train(folder / "before" / "texts.txt", run_dir=folder / "run", **MLE)
    (folder / "before").rename(folder / "after")
    return folder


@pytest.fixture
def run(begun: Path, tmp_path: Path) -> Path:
    """A copy of the run, on another machine as it were."""
    return Path(shutil.copytree(begun / "run", tmp_path / "copied"))


def test_without_its_corpus_a_run_says_how_to_give_it_and_which_it_was(run: Path) -> None:
    sha256 = json.loads((run / "run.json").read_text())["corpus"]["sha256"]
    for words in (["evaluate", run], ["train", "--resume", run]):
        message, code = refusal(*words)
        assert code == 2
        assert "before/texts.txt" in message
        assert "give the same texts by --corpus PATH" in message
        assert sha256 in message


def test_the_moved_file_is_taken_and_the_message_says_so(run: Path, begun: Path) -> None:
    there = str(begun / "after" / "texts.txt")
    evaluated = call("evaluate", run, "--corpus", there, "--json")
    assert f"the texts come from {there}; they are those of" in evaluated.stderr
    assert set(json.loads(evaluated.stdout)["rows"]) == {"mle", "real"}
    steps = max(checkpoints(run))
    resumed = call("train", "--resume", run, "--corpus", there, "--algorithm", "mle", "--mle-epochs", "2")
    assert f"the texts come from {there}" in resumed.stderr
    assert max(checkpoints(run)) > steps
    call("evaluate", run, "--corpus", there, "--blind", run.parent / "sheet.csv", "-n", "2")


def test_a_corpus_that_stands_where_it_stood_is_not_told_of(corpus_file: Path, tmp_path: Path) -> None:
    seqgan.train(corpus_file, run_dir=tmp_path / "run", **MLE)
    result = call("evaluate", tmp_path / "run", "--corpus", corpus_file, "--json")
    assert "the texts come from" not in result.stderr


def as_gzip(folder: Path) -> dict[str, Any]:
    (folder / "other name.gz").write_bytes(gzip.compress("\n".join(TEXTS).encode()))
    return {"corpus": folder / "other name.gz"}


def as_column(folder: Path) -> dict[str, Any]:
    records = [{"id": number, "line": text} for number, text in enumerate(TEXTS)]
    (folder / "table.json").write_text(json.dumps(records))
    return {"corpus": str(folder / "table.json"), "text_column": "line"}


def as_three_files(folder: Path) -> dict[str, Any]:
    for part, texts in split(TEXTS).items():
        (folder / f"{part}.txt").write_text("\n".join(texts) + "\n")
    return {"corpus": folder / "train.txt", "valid": str(folder / "valid.txt"), "test": str(folder / "test.txt")}


@pytest.mark.parametrize(
    "source",
    [
        as_gzip,
        as_column,
        as_three_files,
        lambda folder: {"corpus": TEXTS},
        lambda folder: {"corpus": (text for text in TEXTS)},
        lambda folder: {"corpus": seqgan.Corpus("mine", **split(TEXTS))},
    ],
    ids=["gzip", "column", "three files", "list", "generator", "Corpus"],
)
def test_the_same_texts_in_another_form_are_taken(
    run: Path, tmp_path: Path, source: Callable[[Path], dict[str, Any]]
) -> None:
    loaded = seqgan.load(run, device="cpu", **source(tmp_path))
    assert loaded.corpus().train == split(TEXTS)["train"]
    assert loaded.evaluate(count=2).rows


def test_other_texts_are_refused_with_the_sha256_that_was_recorded(run: Path, tmp_path: Path) -> None:
    sha256 = json.loads((run / "run.json").read_text())["corpus"]["sha256"]
    other = tmp_path / "texts.txt"
    other.write_text("\n".join([*TEXTS[:-1], "one other line"]))
    attempts: list[Callable[[], object]] = [
        lambda: seqgan.load(run, corpus=other),
        lambda: seqgan.load(run, corpus=TEXTS[::-1]),
        lambda: seqgan.train(other, run_dir=run, resume=True, **MLE),
        lambda: seqgan.load(run, corpus="poems"),
    ]
    for attempt in attempts:
        with pytest.raises(RunError, match=rf"is not the one that .* was begun with .*{sha256}"):
            attempt()
    for words in (["evaluate", run, "--corpus", other], ["train", "--resume", run, "--corpus", other]):
        assert sha256 in refusal(*words)[0]


def test_another_column_of_the_same_file_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "table.json"
    table.write_text(json.dumps([{"a": text, "b": text.upper()} for text in TEXTS]))
    seqgan.train(table, text_column="a", run_dir=tmp_path / "run", **MLE)
    table.rename(tmp_path / "moved.json")
    assert seqgan.load(tmp_path / "run", corpus=tmp_path / "moved.json").corpus().train == split(TEXTS)["train"]
    with pytest.raises(RunError, match="was begun with text_column 'a', not 'b'; leave --text-column out"):
        seqgan.load(tmp_path / "run", corpus=tmp_path / "moved.json", text_column="b")


def test_given_splits_are_found_again_too(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    given = as_three_files(tmp_path / "before")
    seqgan.train(run_dir=tmp_path / "run", **given, **MLE)
    (tmp_path / "before").rename(tmp_path / "after")
    with pytest.raises(RunError, match=r"--corpus PATH and --valid PATH and --test PATH"):
        seqgan.load(tmp_path / "run").corpus()
    with pytest.raises(RunError, match=r"valid\.txt.*by --valid PATH and --test PATH \(in Python valid=, test=\)"):
        seqgan.load(tmp_path / "run", corpus=tmp_path / "after" / "train.txt")
    found = {name: str(path).replace("before", "after") for name, path in given.items()}
    assert seqgan.load(tmp_path / "run", **found).corpus().test == split(TEXTS)["test"]
    swapped = {**found, "valid": found["test"], "test": found["valid"]}
    with pytest.raises(RunError, match="is not the one"):
        seqgan.load(tmp_path / "run", **swapped)


def test_texts_from_memory_are_found_in_a_file(tmp_path: Path) -> None:
    seqgan.train(TEXTS, run_dir=tmp_path / "run", **MLE)
    shutil.rmtree(tmp_path / "run" / "corpus")
    with pytest.raises(RunError, match="give the same texts by --corpus PATH and --valid PATH and --test PATH"):
        seqgan.load(tmp_path / "run").corpus()
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    assert seqgan.load(tmp_path / "run", corpus=tmp_path / "texts.txt").evaluate(count=2).rows


def test_one_sha256_names_the_texts_whatever_they_are_read_from(corpus_file: Path, tmp_path: Path) -> None:
    names = {load_corpus(str(corpus_file)).provenance["texts_sha256"]}
    names |= {load_corpus(str(as_gzip(tmp_path)["corpus"])).provenance["texts_sha256"]}
    names |= {load_corpus(str(corpus_file)).texts_sha256}
    assert len(names) == 1
    assert load_corpus("poems").provenance["texts_sha256"] not in names


def test_a_missing_file_offers_only_files_of_texts(tmp_path: Path) -> None:
    for name in ("CITATION.cff", "Makefile", "picture.png", "archive.tar.gz"):
        (tmp_path / name).write_text("x")
    with pytest.raises(CorpusError) as error:
        load_corpus(str(tmp_path / "gone.txt"))
    assert str(error.value) == f"there is no file {tmp_path / 'gone.txt'}; {tmp_path} holds no file of texts"
    (tmp_path / "poems.csv.gz").write_text("x")
    (tmp_path / "novels.txt").mkdir()
    with pytest.raises(CorpusError, match=r"; choose one of poems\.csv\.gz$"):
        load_corpus(str(tmp_path / "gone.txt"))
    with pytest.raises(CorpusError, match="nor a folder"):
        load_corpus(str(tmp_path / "nowhere" / "gone.txt"))
