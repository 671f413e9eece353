"""The corpus store: cleaned, split, kept under a name; read back unchanged or not at all."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from seqgan.core import files
from seqgan.core.run import describe
from seqgan.data import store
from seqgan.data.corpus import load_corpus
from seqgan.data.splits import part_of, split
from seqgan.data.tokens import words
from seqgan.errors import CorpusError, SeqGANError, StorageError
from tests.conftest import tiny_lines
from tests.test_cli import call, refusal

SPLITS = ("train", "valid", "test")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the shelf is, for one test."""
    monkeypatch.setenv("SEQGAN_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "corpora"


@pytest.fixture
def mine() -> dict[str, Any]:
    """A corpus of that name on the shelf; its report."""
    return store.add("mine", tiny_lines(), {"source": "a test", "language": "English"})


def distinct(count: int) -> list[str]:
    """Texts of eight words of which no two have three in a row in common."""
    return [" ".join(f"w{number}x{place}" for place in range(8)) for number in range(count)]


def on_the_shelf(home: Path) -> list[str]:
    return sorted(path.name for path in home.iterdir()) if home.is_dir() else []


# --- cleaning


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("cafe\u0301", "caf\u00e9"),  # a letter and its accent become one character (NFC)
        ("a\u200bb", "a\u200bb"),  # a format character is no control character
        ("a\x07b\x1bc\x7f", "abc"),
        ("  a \t b\u00a0\u3000c  ", "a b c"),
        ("a\u2028b\x85c\x0bd", "a b c d"),  # ends of a line to some programs
        ("早發  白帝城", "早發 白帝城"),
    ],
)
def test_a_text_is_composed_without_control_characters_and_with_single_blanks(given: str, kept: str) -> None:
    changed = "changed: blanks, control characters, decomposed letters"
    assert store.cleaned([given]) == ([kept], {changed: 1} if given != kept else {})


def test_empty_texts_and_copies_are_dropped_and_counted() -> None:
    kept, reasons = store.cleaned(["a b", "", "a  b", "\x00 \t", "c", "c", "c"])
    assert kept == ["a b", "c"]
    assert reasons == {
        "changed: blanks, control characters, decomposed letters": 2,
        "dropped: empty": 2,
        "dropped: a copy of an earlier text": 3,
    }


def test_cleaning_twice_changes_nothing_more() -> None:
    kept, _ = store.cleaned([" e\u0301 \x01 x", "\x01e\u0301 x", "e  \u0301"])
    assert store.cleaned(kept) == (kept, {})


# --- near-duplicates


def test_half_of_the_shingles_in_common_make_a_near_duplicate() -> None:
    training = [list("abcdef")]  # abc bcd cde def
    held_out = ["abcdex", "abcdxy", "abcdef", "fedcba"]  # 3 in common of 5 in all, 2 of 6, 4 of 4, none
    assert store.near_duplicates([list(text) for text in held_out], training) == {0, 2}


def test_a_close_copy_is_found_among_longer_texts_that_share_more() -> None:
    copy, longer = list("abcdefgh"), [list("abcdefghi" + letter * 20 + "zyxwv") for letter in "123"]
    assert store.near_duplicates([list("abcdefghi")], [*longer, copy]) == {0}


def test_a_text_shorter_than_a_shingle_is_compared_whole() -> None:
    assert store.near_duplicates([["a", "b"], ["b", "a"], ["a"]], [["a", "b"]]) == {0}


def test_a_held_out_text_that_is_nearly_a_training_text_is_dropped_and_counted() -> None:
    texts = distinct(120)
    parts = split(texts)
    variants = [text + " again" for text in parts["train"]]  # 6 shingles in common of 7
    held_out = [text for text in variants if part_of(text) != "train"]
    assert len(held_out) > 5
    report = store.add("mine", [*texts, *held_out], {})
    assert report["dropped: in validation or test, but nearly a copy of a text in an earlier split"] == len(held_out)
    corpus = load_corpus("mine")
    assert (corpus.train, corpus.valid, corpus.test) == (parts["train"], parts["valid"], parts["test"])


# --- adding and reading back


def test_what_is_added_is_read_back_by_its_name(mine: dict[str, Any]) -> None:
    corpus = load_corpus("mine")
    everything = set(corpus.train) | set(corpus.valid) | set(corpus.test)
    assert everything <= set(tiny_lines())
    assert all(part_of(text) == part for part in SPLITS for text in getattr(corpus, part))
    assert {part: len(getattr(corpus, part)) for part in SPLITS} == mine["split"] == corpus.provenance["split"]
    assert (corpus.name, corpus.provenance["path"]) == ("mine", "mine")
    assert corpus.provenance["sha256"] == store.about("mine")["sha256"]
    assert corpus.provenance["overlap"] == {"valid": 0, "test": 0}


def test_adding_the_same_texts_again_gives_the_same_corpus(mine: dict[str, Any]) -> None:
    before = store.about("mine")["sha256"]
    assert store.add("mine", tiny_lines(), {}, overwrite=True) == mine
    assert store.about("mine")["sha256"] == before


def test_the_report_tells_split_length_vocabulary_and_unknown_tokens() -> None:
    texts = distinct(100)
    report = store.add("mine", [*texts, "", texts[0]], {"source": "a test"})
    parts = split(texts)
    assert report == {
        "texts_given": 102,
        "dropped: empty": 1,
        "dropped: a copy of an earlier text": 1,
        "split": {part: len(members) for part, members in parts.items()},
        "tokens": "words",
        "length": "8 to 8, median 8",
        "vocabulary": f"{8 * len(parts['train'])}, 100% of them once",
        "unknown_held_out": "100.00% of the tokens",
    }
    assert len(words(texts[0])) == 8
    about = store.about("mine")
    assert (about["name"], about["source"], about["report"]) == ("mine", "a test", report)


def test_chinese_texts_are_measured_in_characters() -> None:
    texts = [chr(0x4E00 + i) + chr(0x5E00 + i) + chr(0x6E00 + i) + chr(0x7E00 + i) for i in range(60)]
    report = store.add("mine", texts, {})
    assert report["tokens"] == "chars"
    assert report["length"] == "4 to 4, median 4"


def test_without_seqgan_home_the_shelf_lies_with_the_users_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEQGAN_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert store.folder_of("mine") == tmp_path / "data" / "seqgan" / "corpora" / "mine"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.folder_of("mine") == tmp_path / ".local" / "share" / "seqgan" / "corpora" / "mine"


# --- names


def test_a_taken_name_is_refused_and_what_is_there_stays(mine: dict[str, Any], home: Path) -> None:
    before = load_corpus("mine")
    with pytest.raises(CorpusError, match=r"there is a corpus 'mine' already .* or give --overwrite"):
        store.add("mine", distinct(50), {})
    assert load_corpus("mine") == before
    store.add("mine", distinct(50), {}, overwrite=True)
    assert load_corpus("mine").provenance["texts"] == 50
    assert on_the_shelf(home) == ["mine"]


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/x", "a b", "a\n", "-x", ".x", "hf:me/x"])
def test_a_name_that_is_no_file_name_is_refused(name: str, home: Path) -> None:
    with pytest.raises(CorpusError, match="cannot be a name"):
        store.add(name, tiny_lines(), {})
    assert on_the_shelf(home) == []


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + ".txt"])
def test_a_name_that_is_too_long_for_a_file_is_refused(name: str, mine: dict[str, Any]) -> None:
    for attempt in (lambda: store.add(name, tiny_lines(), {}), lambda: load_corpus(name)):
        with pytest.raises(SeqGANError):
            attempt()


@pytest.mark.parametrize("name", ["poems", "speeches"])
def test_a_bundled_corpus_cannot_be_hidden(name: str, corpus_file: Path, home: Path) -> None:
    message, code = refusal("corpora", "add", corpus_file, "--name", name, "--overwrite")
    assert f"{name!r} is the name of a bundled corpus" in message
    assert code == 2
    assert on_the_shelf(home) == []


def test_an_unknown_name_points_to_a_near_one_on_the_shelf(mine: dict[str, Any]) -> None:
    with pytest.raises(CorpusError, match="no corpus is called 'mime'; did you mean mine"):
        load_corpus("mime")


# --- what is refused


@pytest.mark.parametrize(
    "texts", [[], ["a"] * 100, distinct(19), ["", "  ", "\x07"] * 30], ids=["none", "copies", "few", "empty"]
)
def test_too_few_texts_left_are_refused_with_the_counts(texts: Sequence[str], home: Path) -> None:
    with pytest.raises(
        CorpusError,
        match=rf"of {len(texts)} texts \d+ train, \d+ valid, \d+ test are left; at least 20, and one of each",
    ):
        store.add("mine", texts, {})
    assert on_the_shelf(home) == []


def test_an_empty_split_is_refused(home: Path) -> None:
    training_only = [text for text in distinct(60) if part_of(text) == "train"]
    assert len(training_only) > 20
    with pytest.raises(CorpusError, match="0 test are left; at least 20, and one of each, are needed"):
        store.add("mine", training_only, {})
    assert on_the_shelf(home) == []


@pytest.mark.parametrize("part", SPLITS)
def test_a_file_that_was_changed_by_hand_is_refused(part: str, mine: dict[str, Any], home: Path) -> None:
    with (home / "mine" / f"{part}.txt").open("a") as file:
        file.write("one more\n")
    with pytest.raises(CorpusError, match=r"the files in .*mine are not as they were stored; add or fetch 'mine'"):
        load_corpus("mine")


@pytest.mark.parametrize("part", SPLITS)
def test_a_file_that_is_gone_is_named(part: str, mine: dict[str, Any], home: Path) -> None:
    (home / "mine" / f"{part}.txt").unlink()
    with pytest.raises(CorpusError, match=rf"cannot read .*mine/{part}\.txt .*; add or fetch 'mine' again"):
        load_corpus("mine")


def test_texts_moved_from_one_split_to_another_are_noticed(mine: dict[str, Any], home: Path) -> None:
    valid, test = home / "mine" / "valid.txt", home / "mine" / "test.txt"
    moved = valid.read_bytes() + test.read_bytes()
    valid.write_bytes(moved)
    test.write_bytes(b"")
    with pytest.raises(CorpusError, match="not as they were stored"):
        load_corpus("mine")


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"7", b"null", b'"text"', b"\xff", b"{}", b'{"sha256": 1}'])
def test_a_damaged_description_is_told(content: bytes, mine: dict[str, Any], home: Path) -> None:
    (home / "mine" / "about.json").write_bytes(content)
    with pytest.raises(CorpusError, match=r"mine.* add or fetch .*'mine' again"):
        load_corpus("mine")


def test_a_folder_without_a_description_is_no_corpus(mine: dict[str, Any], home: Path) -> None:
    (home / "mine" / "about.json").unlink()
    assert store.names() == []
    with pytest.raises(CorpusError, match="no corpus is called 'mine'"):
        load_corpus("mine")


Failing = Callable[[str], None]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    """Let the disk refuse to write a file of this name, or to rename (`rename`)."""

    def refuse(name: str) -> None:
        real = os.replace

        def no_space(path: Path, to: Path) -> None:
            if to.name == name:
                raise OSError(28, "No space left on device")
            real(path, to)

        def no_rename(path: Path, to: Path) -> None:
            raise StorageError(f"cannot make {to}: No space left on device; nothing that was saved before is lost")

        if name == "rename":
            monkeypatch.setattr(files, "rename", no_rename)
        else:
            monkeypatch.setattr(os, "replace", no_space)

    return refuse


@pytest.mark.parametrize("name", ["train.txt", "test.txt", "about.json", "rename"])
def test_a_failing_write_leaves_nothing_on_the_shelf(name: str, failing: Failing, home: Path) -> None:
    failing(name)
    with pytest.raises(StorageError, match="No space left on device"):
        store.add("mine", tiny_lines(), {})
    assert on_the_shelf(home) == []
    assert not store.has("mine")


@pytest.mark.parametrize(
    "name",
    [
        *("train.txt", "about.json"),
        pytest.param(
            "rename",
        ),
    ],
)
def test_a_failing_write_leaves_the_earlier_corpus_as_it_was(name: str, failing: Failing, home: Path) -> None:
    store.add("mine", tiny_lines(), {})
    before = load_corpus("mine")
    failing(name)
    with pytest.raises(StorageError):
        store.add("mine", distinct(50), {}, overwrite=True)
    assert on_the_shelf(home) == ["mine"]
    assert load_corpus("mine") == before


# --- from the command line


def test_a_file_is_added_listed_shown_exported_and_trained_on(
    corpus_file: Path, tmp_path: Path, home: Path, tiny_options: Callable[[str], list[str]]
) -> None:
    added = call("corpora", "add", corpus_file, "--name", "mine").stdout
    assert "texts given: 60" in added
    assert f"stored in {home / 'mine'}; train on it with seqgan train --corpus mine" in added
    corpus = load_corpus("mine")

    listed = [line for line in call("corpora", "list").stdout.splitlines() if line.startswith("mine ")]
    assert len(listed) == 1
    assert f" {corpus.provenance['texts']} texts" in listed[0]
    assert f"added from {corpus_file}" in listed[0]

    shown = call("corpora", "show", "mine", "-n", 3, "--split", "valid").stdout
    assert f"sha256: {corpus.provenance['sha256']}" in shown
    assert [line[2:] for line in shown.splitlines() if line.startswith("  ")] == corpus.valid[:3]

    exported = call("corpora", "export", "mine", tmp_path / "out").stdout
    for part in SPLITS:
        assert (tmp_path / "out" / f"{part}.txt").read_text().splitlines() == getattr(corpus, part)
        assert f"{part}.txt: {len(getattr(corpus, part))} texts" in exported

    run = tmp_path / "run"
    options = ["--algorithm", "mle", *tiny_options("mle"), "--threads", "1", "--quiet"]
    assert "what training achieved" in call("train", "--corpus", "mine", *options, "--run-dir", run).output
    schema = describe(run)["corpus"]
    assert (schema["name"], schema["path"]) == ("mine", "mine")
    assert schema["sha256"] == json.loads((home / "mine" / "about.json").read_text())["sha256"]
    store.add("mine", distinct(50), {}, overwrite=True)
    assert "the corpus mine is not the one that" in refusal("train", "--resume", run, "--quiet")[0]


def test_the_exported_files_are_the_same_corpus_again(mine: dict[str, Any], tmp_path: Path) -> None:
    call("corpora", "export", "mine", tmp_path)
    valid, test = (str(tmp_path / f"{part}.txt") for part in ("valid", "test"))
    again, corpus = load_corpus(str(tmp_path / "train.txt"), valid=valid, test=test), load_corpus("mine")
    assert (again.train, again.valid, again.test) == (corpus.train, corpus.valid, corpus.test)


def test_a_column_of_a_table_is_added(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("id,verse\n" + "".join(f"{i},{text}\n" for i, text in enumerate(tiny_lines())))
    assert "has the columns id, verse" in refusal("corpora", "add", table, "--name", "mine")[0]
    call("corpora", "add", table, "--name", "mine", "--text-column", "verse")
    assert (
        "there is a corpus 'mine' already"
        in refusal("corpora", "add", table, "--name", "mine", "--text-column", "verse")[0]
    )
    call("corpora", "add", table, "--name", "mine", "--text-column", "verse", "--overwrite")
    assert set(load_corpus("mine").train) <= set(tiny_lines())


@pytest.mark.parametrize("about", [{}, {"report": {"split": ["train"]}}, {"report": {"split": {"train": "many"}}}])
def test_a_corpus_with_a_damaged_description_is_named_by_list(
    about: dict[str, Any], mine: dict[str, Any], home: Path
) -> None:
    (home / "mine" / "about.json").write_text(json.dumps(about))
    assert "mine" in refusal("corpora", "list")[0]
