"""Given splits: taken as they are, counted where they overlap, remembered by the run that is trained on them."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from seqgan.core.record import read_record
from seqgan.core.run import describe
from seqgan.data.corpus import Corpus, corpus_in_memory, load_corpus
from seqgan.data.splits import completed, overlap, part_of, split
from seqgan.errors import CorpusError
from tests.conftest import tiny_lines
from tests.test_cli import call, refusal

TRAIN = tiny_lines()
VALID = [f"a valid text {number}" for number in range(7)]
TEST = [f"a test text {number}" for number in range(9)]
CUT = split(TRAIN)

Write = Callable[[str, Sequence[str]], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write texts into a file of this name; its path."""

    def written(name: str, texts: Sequence[str]) -> str:
        (tmp_path / name).write_text("".join(text + "\n" for text in texts), encoding="utf-8")
        return str(tmp_path / name)

    return written


@pytest.fixture
def given(write: Write) -> dict[str, str]:
    """Paths of files for all three splits."""
    return {"train": write("a.txt", TRAIN), "valid": write("v.txt", VALID), "test": write("t.txt", TEST)}


def splits_of(corpus: Corpus) -> dict[str, list[str]]:
    return {"train": corpus.train, "valid": corpus.valid, "test": corpus.test}


# --- which text goes where


def test_without_given_splits_all_three_are_cut_by_hash(given: dict[str, str]) -> None:
    assert splits_of(load_corpus(given["train"])) == CUT


def test_with_both_given_every_text_of_the_corpus_is_for_training(given: dict[str, str]) -> None:
    corpus = load_corpus(given["train"], valid=given["valid"], test=given["test"])
    assert splits_of(corpus) == {"train": TRAIN, "valid": VALID, "test": TEST}


@pytest.mark.parametrize(("part", "texts", "other"), [("valid", VALID, "test"), ("test", TEST, "valid")])
def test_with_one_given_the_other_is_cut_by_hash(
    part: str, texts: list[str], other: str, given: dict[str, str]
) -> None:
    corpus = load_corpus(given["train"], **{part: given[part]})
    train = [text for text in TRAIN if part_of(text) != other]
    assert splits_of(corpus) == {"train": train, part: texts, other: CUT[other]}
    assert set(CUT[part]) <= set(corpus.train)


def test_completing_splits_that_are_complete_changes_nothing() -> None:
    splits = {"train": TRAIN, "valid": VALID, "test": TEST}
    assert completed(splits, {}) == (splits, {})
    assert completed(CUT, {}) == (CUT, {})
    assert completed({"train": TRAIN}, {}) == (CUT, {})


def test_a_given_split_may_be_a_table_or_packed_like_any_file(given: dict[str, str], tmp_path: Path) -> None:
    tables = {}
    for part, texts in (("train", TRAIN), ("valid", VALID)):
        path = tmp_path / f"{part}.csv"
        path.write_text("id,verse\n" + "".join(f"{number},{text}\n" for number, text in enumerate(texts)))
        tables[part] = str(path)
    corpus = load_corpus(tables["train"], valid=tables["valid"], text_column="verse")
    assert corpus.valid == VALID
    assert set(corpus.train) <= set(TRAIN)


@pytest.mark.parametrize("part", ["valid", "test"])
def test_a_bad_file_for_a_split_is_named(part: str, given: dict[str, str], write: Write) -> None:
    with pytest.raises(CorpusError, match=r"there is no file .*nowhere\.txt"):
        load_corpus(given["train"], **{part: str(Path(given[part]).with_name("nowhere.txt"))})
    with pytest.raises(CorpusError, match=r"none\.txt holds no text"):
        load_corpus(given["train"], **{part: write("none.txt", [])})


def test_few_texts_are_enough_where_the_splits_are_given(write: Write) -> None:
    paths = {part: write(f"{part}.txt", [f"{part} {n}" for n in range(7)]) for part in ("train", "valid", "test")}
    corpus = load_corpus(paths["train"], valid=paths["valid"], test=paths["test"])
    assert corpus.provenance["texts"] == 21
    with pytest.raises(CorpusError, match="at least 20"):
        load_corpus(paths["train"], valid=paths["valid"])


# --- overlap


def test_a_held_out_text_counts_as_overlap_where_it_stands_in_an_earlier_split() -> None:
    splits = {"train": ["a", "b", "c"], "valid": ["a", "a", "d"], "test": ["b", "d", "e"]}
    assert overlap(splits) == {"valid": 2, "test": 2}  # both copies of a; b was trained on, d validated on
    assert overlap({"train": ["a"], "valid": ["b"], "test": ["c"]}) == {"valid": 0, "test": 0}


def test_overlap_is_part_of_the_provenance(given: dict[str, str], write: Write) -> None:
    valid = write("v.txt", [*VALID, TRAIN[0], TRAIN[1]])
    test = write("t.txt", [*TEST, TRAIN[2], VALID[0], VALID[1]])
    assert load_corpus(given["train"], valid=valid, test=test).provenance["overlap"] == {"valid": 2, "test": 3}


def test_what_is_cut_by_hash_does_not_overlap(given: dict[str, str], write: Write) -> None:
    twice = write("twice.txt", TRAIN + TRAIN)
    assert load_corpus(twice).provenance["overlap"] == {"valid": 0, "test": 0}
    assert load_corpus(twice, test=given["test"]).provenance["overlap"] == {"valid": 0, "test": 0}


# --- provenance


def test_the_provenance_names_every_file_and_its_size(given: dict[str, str]) -> None:
    told = load_corpus(given["train"], valid=given["valid"], test=given["test"]).provenance
    assert {key: told[key] for key in ("path", "valid", "test")} == {
        "path": given["train"],
        "valid": given["valid"],
        "test": given["test"],
    }
    assert told["split"] == {"train": 60, "valid": 7, "test": 9}
    assert told["texts"] == 76
    alone = load_corpus(given["train"]).provenance
    assert (alone["valid"], alone["test"]) == (None, None)
    assert alone["sha256"] == hashlib.sha256(Path(given["train"]).read_bytes()).hexdigest()


@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_the_sha256_changes_with_each_file(part: str, given: dict[str, str], write: Write) -> None:
    def sha256() -> Any:
        return load_corpus(given["train"], valid=given["valid"], test=given["test"]).provenance["sha256"]

    before = sha256()
    content = Path(given[part]).read_text()
    with Path(given[part]).open("a") as file:
        file.write("one more text\n")
    assert sha256() != before
    Path(given[part]).write_text(content)
    assert sha256() == before


def test_the_sha256_tells_which_splits_are_given(given: dict[str, str]) -> None:
    ways: list[dict[str, str]] = [
        {},
        {"valid": given["valid"]},
        {"test": given["test"]},
        {"valid": given["valid"], "test": given["test"]},
        {"valid": given["test"], "test": given["valid"]},
    ]
    assert len({load_corpus(given["train"], **way).provenance["sha256"] for way in ways}) == len(ways)


def test_the_sha256_tells_validation_from_test(given: dict[str, str]) -> None:
    as_valid, as_test = (load_corpus(given["train"], **{part: given["valid"]}) for part in ("valid", "test"))
    assert splits_of(as_valid) != splits_of(as_test)
    assert as_valid.provenance["sha256"] != as_test.provenance["sha256"]


def test_texts_in_memory_are_split_as_those_in_a_file(given: dict[str, str]) -> None:
    corpus = corpus_in_memory(TRAIN)
    assert splits_of(corpus) == splits_of(load_corpus(given["train"]))
    assert corpus.provenance["overlap"] == {"valid": 0, "test": 0}
    for bad in ("one string", ["a", 3], [None]):
        with pytest.raises(CorpusError, match="a list of texts was expected"):
            corpus_in_memory(bad)  # type: ignore[arg-type]


# --- training on given splits


@pytest.fixture
def train(given: dict[str, str], tiny_options: Callable[[str], list[str]]) -> Callable[..., Any]:
    def run(folder: Path, *more: str) -> Any:
        words = ["--algorithm", "mle", *tiny_options("mle"), "--threads", "1", "--run-dir", folder, *more]
        return call("train", "--corpus", given["train"], "--valid", given["valid"], "--test", given["test"], *words)

    return run


def test_a_run_remembers_its_given_splits_and_resumes_with_them(
    train: Callable[..., Any], given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    run = tmp_path / "run"
    monkeypatch.chdir(tmp_path)
    train(run, "--quiet")
    corpus = describe(run)["corpus"]
    assert (corpus["path"], corpus["valid"], corpus["test"]) == (given["train"], given["valid"], given["test"])
    assert corpus["split"] == {"train": 60, "valid": 7, "test": 9}
    assert corpus["overlap"] == {"valid": 0, "test": 0}

    record = read_record(run)
    call("train", "--resume", run, "--quiet")  # they need not be given again
    call("train", "--resume", run, "--corpus", "a.txt", "--valid", "v.txt", "--test", "t.txt", "--quiet")
    assert read_record(run) == record

    other = write("other.txt", TEST[:-1])
    assert "is not the one that" in refusal("train", "--resume", run, "--valid", other, "--quiet")[0]
    assert "is not the one that" in refusal("train", "--resume", run, "--test", other, "--quiet")[0]
    write("v.txt", VALID[:-1])
    assert "is not the one that" in refusal("train", "--resume", run, "--quiet")[0]
    Path(given["valid"]).unlink()
    message, code = refusal("train", "--resume", run, "--quiet")
    assert f"there is no file {given['valid']}" in message
    assert code == 2


def test_training_warns_of_overlap_and_of_nothing_where_there_is_none(
    train: Callable[..., Any], tmp_path: Path, write: Write
) -> None:
    assert "warning" not in train(tmp_path / "clean").stderr
    write("v.txt", [*VALID, TRAIN[0], TRAIN[1]])
    write("t.txt", [*TEST, VALID[0]])
    warned = [line for line in train(tmp_path / "run").stderr.splitlines() if line.startswith("warning")]
    assert warned == [
        "warning: 2 of the 9 valid texts are in an earlier split as well; what is measured on them is too good",
        "warning: 1 of the 10 test texts are in an earlier split as well; what is measured on them is too good",
    ]
    assert describe(tmp_path / "run")["corpus"]["overlap"] == {"valid": 2, "test": 1}


def test_a_resume_with_another_column_is_refused(tiny_options: Callable[[str], list[str]], tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("text,verse\n" + "".join(f"{text},other {n}\n" for n, text in enumerate(TRAIN)))
    words = ["--algorithm", "mle", *tiny_options("mle"), "--threads", "1", "--quiet"]
    call("train", "--corpus", table, *words, "--text-column", "text", "--run-dir", tmp_path / "run")
    assert describe(tmp_path / "run")["corpus"]["text_column"] == "text"
    assert "column" in refusal("train", "--resume", tmp_path / "run", "--text-column", "verse", "--quiet")[0]
