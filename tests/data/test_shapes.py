"""Dialects of csv, shapes of json, folders, patterns, and texts of several lines: what is taken, and is said."""

import gzip
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import seqgan
from seqgan.core.run import describe
from seqgan.data.corpus import load_corpus, read_all
from seqgan.data.folders import files_of
from seqgan.data.readers import read_samples, read_texts
from seqgan.data.reading import Reading
from seqgan.data.texts import as_file, as_text, printed
from seqgan.errors import CorpusError, RunError, UsageError
from tests.conftest import TINY, tiny_lines
from tests.test_cli import call, refusal

MLE: dict[str, Any] = {**TINY, "algorithm": "mle", "mle_epochs": 1, "threads": 1, "device": "cpu"}
LINES = ["a first text, of words", 'one; with "signs" | in it', "the third\tone is here"]
Read = Callable[..., tuple[list[str], str]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Put a text into a file of this name; its texts, and what is said of them."""

    def written_and_read(name: str, content: str | bytes, **options: Any) -> tuple[list[str], str]:
        raw = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(raw)
        said: list[str] = []
        texts = list(read_texts(tmp_path / name, Reading(**options), say=said.append))
        return texts, "; ".join(said).replace(str(tmp_path) + "/", "")

    return written_and_read


def refused(read: Read, name: str, content: str | bytes, **options: Any) -> str:
    with pytest.raises(CorpusError) as error:
        read(name, content, **options)
    return str(error.value)


# --- csv


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_the_delimiter_is_found_and_said(read: Read, delimiter: str, name: str) -> None:
    rows = [["id", "text"], *([str(n), '"' + text.replace('"', '""') + '"'] for n, text in enumerate(LINES))]
    texts, said = read(name, "\n".join(map(delimiter.join, rows)))
    assert texts == LINES
    usual = delimiter == ("\t" if name.endswith("tsv") else ",")
    assert said == ("" if usual else f"{name}: fields are separated by {delimiter!r}; ") + (
        f"{name}: the texts are in the column 'text'"
    )


def test_a_decimal_comma_is_no_delimiter(read: Read) -> None:
    assert read("t.csv", "text;price\na b;1,5\nc, d;2,5\n")[0] == ["a b", "c, d"]


@pytest.mark.parametrize("delimiter", ["tab", "\\t", "\t"])
def test_a_delimiter_can_be_given_also_for_a_plain_file(read: Read, delimiter: str) -> None:
    assert read("t.txt", "id\ttext\n1\ta;b\n2\tc\n", delimiter=delimiter)[0] == ["a;b", "c"]
    assert read("t.csv", "a:b;c\nd:e;f\n", delimiter=":", header=False, text_column="2")[0] == ["b;c", "e;f"]


@pytest.mark.parametrize("delimiter", ["::", "", '"', "\n"])
def test_a_delimiter_is_one_character(read: Read, delimiter: str) -> None:
    assert "is no single character" in refused(read, "t.csv", "a,b\n", delimiter=delimiter)


def test_a_file_without_a_header_loses_no_text(read: Read) -> None:
    names = "Emma\nLiam\nZoe\n"
    assert read("t.csv", names) == (
        ["Emma", "Liam", "Zoe"],
        "t.csv: the first line, 'Emma', is taken as a text; if it is a header, give --header",
    )
    assert read("t.csv", names, header=True)[0] == ["Liam", "Zoe"]
    assert read("t.csv", names, text_column="Emma")[0] == ["Liam", "Zoe"]
    assert read("t.csv", "name\nLiam\n")[0] == ["Liam"]
    assert read("t.csv", "name\nLiam\n", header=False)[0] == ["name", "Liam"]
    assert read("t.csv", "haiku\na frog in the pond\nthe sound of water\n") == (
        ["a frog in the pond", "the sound of water"],
        "t.csv: the first line, 'haiku', is taken as a header; if it is a text, give --no-header",
    )


def test_columns_without_names_are_numbered(read: Read) -> None:
    table = "1,so good\n2,so bad\n"
    assert "(if its first line is no header: --no-header --text-column NUMBER)" in refused(read, "t.csv", table)
    told = refused(read, "t.csv", table, header=False)
    assert "has the columns 1 ('1'), 2 ('so good'); name the one" in told
    assert read("t.csv", table, header=False, text_column="2")[0] == ["so good", "so bad"]
    texts, said = read("t.csv", table, text_column="2")
    assert (texts, "the first line is taken as a text, since" in said) == (["so good", "so bad"], True)
    assert "a row of 1 fields, but the first row has 2" in refused(
        read, "t.csv", "1,a\n2\n", header=False, text_column="2"
    )


def test_a_field_may_be_longer_than_the_limit_of_the_csv_module(read: Read) -> None:
    long = "word " * 40_000
    assert read("t.csv", f"id,text\n1,{long}\n")[0] == [long.strip()]


def test_quotation_marks_between_tabs_may_be_text(read: Read) -> None:
    texts, said = read("t.tsv", 'id\ttext\n1\t"so" he said\n2\tone " more\n')
    assert texts == ['"so" he said', 'one " more']
    assert "quotation marks are part of the texts" in said


def test_what_spreadsheets_write_is_read(read: Read) -> None:
    assert read("t.csv", "sep=;\r\nID; Text\r\n1; a, b\r\n2; c\r\n")[0] == ["a, b", "c"]
    assert read("t.csv", "id;text\r\n1;na\xefve\r\n".encode("utf-16"))[0] == ["na\xefve"]
    assert read("t.csv", ',text\n0, "a, b"\n1,c\n')[0] == ["a, b", "c"]


def test_a_quoted_field_that_a_sample_ends_in_does_not_hide_the_dialect(read: Read) -> None:
    rows = "".join(f'{n};"line one\nline two {n}"\n' for n in range(700))
    texts, said = read("t.csv", "id;text\n" + rows)
    assert (len(texts), texts[-1], "separated by ';'" in said) == (700, "line one\nline two 699", True)


# --- json


RECORDS = [{"id": n, "text": text} for n, text in enumerate(LINES)]
NESTED = [{"id": 1, "message": {"text": text, "from": "x"}} for text in LINES]


@pytest.mark.parametrize(
    "content",
    [
        "\n".join(map(json.dumps, RECORDS)),
        "\n\n".join(map(json.dumps, LINES)) + "\n",
        json.dumps({"data": RECORDS}),
        json.dumps({"version": [1, 2], "total": 3, "items": RECORDS}),
        json.dumps({"texts": LINES}),
        json.dumps({"id": [1, 2, 3], "text": LINES}),
        json.dumps({"id": {"0": 1, "1": 2, "2": 3}, "text": dict(enumerate(LINES))}),
        json.dumps({"a": RECORDS[0], "b": RECORDS[1], "c": RECORDS[2]}),
        json.dumps({"columns": ["id", "text"], "index": [0, 1, 2], "data": [[n, t] for n, t in enumerate(LINES)]}),
        json.dumps(dict(zip("abc", LINES, strict=True))),
        json.dumps(NESTED),
        json.dumps(RECORDS, indent=1),
    ],
    ids=[
        *("records", "strings", "data", "items", "texts", "columns", "pandas", "index", "split", "mapping", "nested"),
        "list",
    ],
)
@pytest.mark.parametrize("name", ["t.json", "t.json.gz"])
def test_json_comes_in_many_shapes(read: Read, content: str, name: str) -> None:
    raw = gzip.compress(content.encode()) if name.endswith("gz") else content.encode()
    assert read(name, raw)[0] == LINES


def test_a_list_called_jsonl_is_read_too(read: Read) -> None:
    for content in (json.dumps(LINES), json.dumps(RECORDS, indent=1)):
        assert read("t.jsonl", content)[0] == LINES
        assert read("t.ndjson", content)[0] == LINES


def test_a_list_of_lines_is_one_text(read: Read) -> None:
    poems = [{"title": "x", "paragraphs": ["one,", "two."]}, {"title": "y", "paragraphs": ["three"]}]
    assert read("t.json", json.dumps(poems), text_column="paragraphs")[0] == ["one,\ntwo.", "three"]
    assert read("t.json", json.dumps([["one", "two"], ["three"]]))[0] == ["one\ntwo", "three"]


def test_a_nested_column_is_named_by_its_path(read: Read) -> None:
    assert read("t.json", json.dumps(NESTED), text_column="message.from")[0] == ["x"] * 3
    told = refused(read, "t.json", json.dumps(NESTED), text_column="message.txt")
    assert "record 1: there is no column 'txt'; did you mean text?" in told
    chats = [{"turns": [{"says": "hello"}, {"says": "bye"}]}]
    assert read("t.json", json.dumps(chats), text_column="turns.says")[0] == ["hello\nbye"]
    assert read("t.json", json.dumps([{"a.b": "dotted"}]), text_column="a.b")[0] == ["dotted"]
    two = json.dumps([{"q": {"text": "a"}, "a": {"text": "b"}}])
    assert "has the columns q.text, a.text; name the one" in refused(read, "t.json", two)


def test_a_nested_column_of_parquet_is_named_by_its_path(tmp_path: Path) -> None:
    import datasets

    datasets.Dataset.from_list([{"m": {"text": t, "n": 1}, "l": [t, "end"]} for t in LINES]).to_parquet(
        str(tmp_path / "t.parquet")
    )
    assert list(read_texts(tmp_path / "t.parquet", Reading("m.text"))) == LINES
    assert list(read_texts(tmp_path / "t.parquet", Reading("l"))) == [f"{text}\nend" for text in LINES]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps({"train": RECORDS, "test": RECORDS}), "holds the lists 'train', 'test'; give a file with one"),
        (json.dumps({"text": 3}), "holds a table, but a list of texts"),
        (json.dumps({}), "holds a table, but a list of texts"),
        (json.dumps([{"text": [1, 2]}]), "text is '[1, 2]', which is no text"),
        (json.dumps({"columns": 3, "data": [1]}), "record 1: a number is no record"),
        (json.dumps({"columns": ["text"], "data": [[1]]}), "text is '1', which is no text"),
        (json.dumps([[1, 2]]), "the value is '[1, 2]', which is no text"),
    ],
)
def test_a_shape_that_holds_no_texts_is_refused(read: Read, content: str, message: str) -> None:
    assert message in refused(read, "t.json", content)


# --- several lines to a text


@pytest.mark.parametrize(
    ("split_on", "content"),
    [
        ("blank-line", "\n\na\n b  \r\n\n \n\nc\n"),
        ("---", "a\n b\n---\n\nc\n---\n"),
        ("%", "%\na\r b\r%\rc"),
        ("<|endoftext|>", "a\n b<|endoftext|>c<|endoftext|>"),
        ("<|endoftext|>", "<|endoftext|>\na\n b\n<|endoftext|>\nc\n"),
    ],
)
def test_a_mark_tells_texts_apart(read: Read, split_on: str, content: str) -> None:
    assert read("t.txt", content, split_on=split_on)[0] == ["a\n b", "c"]


def test_a_file_is_one_text_where_that_is_asked_for(read: Read) -> None:
    assert read("t.md", "# Title\n\nbody\n", split_on="file")[0] == ["# Title\n\nbody"]


def test_a_mark_that_is_nowhere_is_told(read: Read) -> None:
    told = refused(read, "t.txt", "a\nb\n", split_on="lines")
    assert "no line is 'lines'; --split-on takes line, blank-line, file, or" in told


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("t.csv", {"split_on": "line"}, "holds csv, which has no --split-on"),
        ("t.json", {"delimiter": ";"}, "holds json, which has no --delimiter"),
        ("t.jsonl", {"header": False}, "holds jsonl, which has no --header"),
        ("t.txt", {"header": True}, "is plain text, which has no --header"),
        ("t.txt", {"text_column": "a"}, "is plain text, which has no --text-column"),
    ],
)
def test_an_option_that_a_file_does_not_have_is_refused(
    read: Read, name: str, options: dict[str, Any], message: str
) -> None:
    assert message in refused(read, name, "a\n", **options)


@pytest.mark.parametrize(
    ("texts", "split_on"),
    [
        (["a", "b"], "line"),
        (["a\nb", "c"], "blank-line"),
        (["a\n\nb", "c"], "%"),
        (["a\n\nb", ""], "%"),
        (["a\n%\n\nb", "%%", "c"], "%%%"),
    ],
)
def test_texts_are_printed_so_that_they_can_be_read_again(texts: list[str], split_on: str, tmp_path: Path) -> None:
    content, found = printed(texts, several_lines=split_on != "line")
    assert found == split_on
    (tmp_path / "t.txt").write_text(content)
    assert read_samples(tmp_path / "t.txt", Reading(split_on=split_on)) == texts
    suffix, raw = as_file(texts)
    assert suffix == (".txt" if split_on == "line" else ".jsonl")
    (tmp_path / f"t{suffix}").write_bytes(raw)
    assert read_samples(tmp_path / f"t{suffix}") == texts


def test_a_text_has_no_outer_blanks_and_one_kind_of_line_break() -> None:
    assert as_text("\ufeff\r\n  a \t\r\n\r\n   b\rc\n\n") == "a\n\n   b\nc"
    assert as_text("a \u2028 b") == "a \u2028 b"
    assert as_text(" \n ") == ""


# --- folders and patterns


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in {
        "poems/b.txt": b"b one\nb two\n",
        "poems/a.md": b"a one\n",
        "poems/deep/c.txt.gz": gzip.compress(b"c one\n"),
        "poems/deep/empty.txt": b"",
        "poems/deep/blank.txt": b" \n",
        "poems/.DS_Store": b"\0\0\0\1Bud1",
        "poems/.git/config": b"[core]\n",
        "poems/cover.jpg": b"\xff\xd8\xff\xe0",
        "poems/data.bin": bytes(range(256)),
        "poems/old.zip": b"PK\x03\x04",
        "poems/b.labels": b"sad\nglad\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path / "poems"


def test_a_folder_is_all_its_files_of_text_and_the_others_are_named(folder: Path) -> None:
    texts, notes = read_all(str(folder), Reading())
    assert texts == ["a one", "b one", "b two", "c one"]
    said = "; ".join(notes).replace(str(folder), "poems")
    for skipped in (
        "cover.jpg (an image)",
        "data.bin (a binary file)",
        "old.zip (a zip",
        "empty.txt (empty)",
        "b.labels (labels",
    ):
        assert f"skipped {skipped}" in said
    assert ".git, .DS_Store (hidden)" in said
    assert "poems: 4 files (4 .txt)" in said
    assert read_all(str(folder), Reading(split_on="file"))[0] == ["a one", "b one\nb two", "c one"]
    assert read_all(str(folder) + "/", Reading())[0] == texts


def test_a_pattern_is_the_files_that_it_fits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_all(f"{folder}/*.txt", Reading())[0] == ["b one", "b two"]
    assert read_all(f"{folder}/**/*.txt*", Reading())[0] == ["b one", "b two", "c one"]
    monkeypatch.chdir(folder)
    assert read_all("[ab].*", Reading())[0] == ["a one", "b one", "b two"]
    (folder / "[ab].txt").write_text("of that very name\n")
    assert read_all("[ab].txt", Reading())[0] == ["of that very name"]


def test_a_folder_or_pattern_without_texts_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    for place, message in {
        str(tmp_path / "bare"): "bare holds no file of texts",
        f"{folder}/*.jpg": r"holds no file of texts \(cover.jpg is an image\)",
        f"{folder}/*.text": "no file is like .*; a path, or a pattern",
    }.items():
        with pytest.raises(CorpusError, match=message):
            load_corpus(place)


def test_a_file_in_another_encoding_within_a_folder_is_told(folder: Path) -> None:
    (folder / "z.txt").write_bytes("fine\nna\xefve\n".encode("latin-1"))
    with pytest.raises(CorpusError, match=r"z\.txt, line 2: byte 3 is not UTF-8 .* iconv -f WINDOWS-1252 -t UTF-8"):
        load_corpus(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_cannot_be_read_is_told(folder: Path) -> None:
    (folder / "deep").chmod(0)
    with pytest.raises(CorpusError, match="cannot read the folder"):
        load_corpus(folder)
    (folder / "deep").chmod(0o700)


@pytest.mark.parametrize(
    "names",
    [
        ("train.txt", "valid.txt", "test.txt"),
        ("wiki.train.tokens", "wiki.valid.tokens", "wiki.test.tokens"),
        ("train-00000-of-00001.csv", "validation-00000-of-00001.csv", "test-00000-of-00001.csv"),
        ("train/1.txt", "dev/1.txt", "test/1.txt"),
    ],
)
def test_files_named_after_splits_are_the_splits(names: tuple[str, str, str], tmp_path: Path) -> None:
    for part, name in zip("abc", names, strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("".join(["text\n"] + [f"{part} {n}\n" for n in range(10)]))
    corpus = load_corpus(tmp_path)
    assert [{text[0] for text in split} - {"t"} for split in (corpus.train, corpus.valid, corpus.test)] == [
        {"a"},
        {"b"},
        {"c"},
    ]


def test_files_are_only_splits_where_all_are_named_so(tmp_path: Path) -> None:
    for name in ("train.txt", "test.txt", "more.txt"):
        (tmp_path / name).write_text("a\n")
    assert set(files_of(str(tmp_path), lambda line: None)) == {"train"}
    (tmp_path / "more.txt").unlink()
    assert set(files_of(str(tmp_path), lambda line: None)) == {"train", "test"}


# --- the same everywhere


POEMS = [f"{a}\n  {b}\n\n{c}" for a, b, c in zip(*[iter(tiny_lines(180))] * 3, strict=True)]


@pytest.fixture
def poems(tmp_path: Path) -> Path:
    (tmp_path / "poems.txt").write_text("\n---\n".join(POEMS))
    return tmp_path / "poems.txt"


def test_the_options_are_stored_so_that_a_resume_reads_the_same_texts(poems: Path, tmp_path: Path) -> None:
    call("train", "--corpus", poems, "--split-on", "---", *OPTIONS, "--run-dir", tmp_path / "run")
    about = describe(tmp_path / "run")["corpus"]
    assert about["split_on"] == "---"
    assert sum(about["split"].values()) == len(POEMS)
    call("train", "--resume", tmp_path / "run", *OPTIONS[:-1], "2")
    call("evaluate", tmp_path / "run", "--json", "-n", "2")
    call("evaluate", tmp_path / "run", "--json", "-n", "2", "--corpus", poems)
    message, _ = refusal("evaluate", tmp_path / "run", "--corpus", poems, "--split-on", "line")
    assert "was begun with split_on '---', not 'line'; leave --split-on out" in message
    moved = tmp_path / "moved.json"
    moved.write_text(json.dumps([{"text": text} for text in POEMS]))
    poems.unlink()
    call("evaluate", tmp_path / "run", "--json", "-n", "2", "--corpus", moved)


OPTIONS = ["--algorithm", "mle", "--tokenizer", "char", "--hidden-dim", "4", "--device", "cpu", "--mle-epochs", "1"]


def test_texts_from_a_pipe_are_stored_in_the_run(poems: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(gzip.compress(poems.read_bytes())))
    writer.start()
    run = seqgan.train(tmp_path / "pipe", split_on="---", run_dir=tmp_path / "run", **MLE)
    writer.join()
    assert sorted([*run.corpus().train, *run.corpus().valid, *run.corpus().test]) == sorted(POEMS)
    (tmp_path / "pipe").unlink()
    assert seqgan.load(tmp_path / "run").corpus().train == run.corpus().train
    seqgan.train(tmp_path / "pipe", split_on="---", run_dir=tmp_path / "run", resume=True, **MLE)
    call("evaluate", tmp_path / "run", "-n", 2, "--json")


def test_the_library_takes_the_same_options(poems: Path, tmp_path: Path) -> None:
    run = seqgan.train(poems, split_on="---", run_dir=tmp_path / "run", **MLE)
    assert sorted([*run.corpus().train, *run.corpus().valid, *run.corpus().test]) == sorted(POEMS)
    assert seqgan.load(tmp_path / "run").corpus().train == run.corpus().train
    with pytest.raises(RunError, match="split_on"):
        seqgan.load(tmp_path / "run", corpus=poems, split_on="line")
    with pytest.raises(UsageError, match=r"split_on.* go with a path"):
        seqgan.train(POEMS, split_on="---", run_dir=tmp_path / "other", **MLE)
    table = tmp_path / "t.csv"
    table.write_text("".join(f"{n};{text}\n" for n, text in enumerate(tiny_lines(40))))
    run = seqgan.train(table, header=False, text_column="2", delimiter=";", run_dir=tmp_path / "table", **MLE)
    assert len(seqgan.load(tmp_path / "table").corpus().train) == len(run.corpus().train)


def test_texts_of_several_lines_in_memory_stay_as_they_are(tmp_path: Path) -> None:
    run = seqgan.train(POEMS, run_dir=tmp_path / "run", **MLE)
    assert (tmp_path / "run" / "corpus" / "train.jsonl").is_file()
    assert sorted([*run.corpus().train, *run.corpus().valid, *run.corpus().test]) == sorted(POEMS)
    assert seqgan.load(tmp_path / "run").corpus().train == run.corpus().train


def test_texts_of_several_lines_can_be_stored_shown_and_exported(poems: Path, tmp_path: Path) -> None:
    call("corpora", "add", poems, "--split-on", "---", "--name", "mine")
    stored = load_corpus("mine")
    texts = [*stored.train, *stored.valid, *stored.test]
    assert {text.replace("\n", "\n  ", 1) for text in texts} <= set(POEMS)  # blanks at the beginning of a line go
    assert len(stored.train) > 30
    shown = "\n".join(f"  {line}" for line in stored.train[0].split("\n"))
    assert shown in call("corpora", "show", "mine").stdout
    call("corpora", "export", "mine", tmp_path / "out")
    again = load_corpus(tmp_path / "out")
    assert (again.train, again.valid, again.test) == (stored.train, stored.valid, stored.test)
    call("corpora", "remove", "mine")


@pytest.mark.parametrize(
    ("place", "options", "message"),
    [
        ("stored", {"split_on": "line"}, "the stored corpus 'stored', .* takes no --split-on; leave that out"),
        ("hf:a/b", {"header": True}, "a dataset of the hub, hf:a/b, takes no --header"),
        ("poems", {"delimiter": ";", "text_column": "9"}, "there is no column '9'"),
        ("poems", {"split_on": 3}, "split_on is 3, but a text in UTF-8"),
        ("poems", {"header": "no"}, "header is 'no', but true or false"),
    ],
)
def test_an_option_that_a_corpus_does_not_have_is_refused(
    place: str, options: dict[str, Any], message: str, corpus_file: Path
) -> None:
    if place == "stored":
        call("corpora", "add", corpus_file, "--name", place, "--overwrite")
    with pytest.raises(UsageError, match=message):
        load_corpus(place, **options)


def test_given_splits_may_be_of_another_kind(poems: Path, tmp_path: Path) -> None:
    (tmp_path / "valid.json").write_text(json.dumps({"data": [{"text": text} for text in ("one\ntwo", "three")]}))
    corpus = load_corpus(poems, split_on="---", valid=tmp_path / "valid.json")
    assert corpus.valid == ["one\ntwo", "three"]
    (tmp_path / "train.csv").write_text("id;text\n" + "".join(f"{n};{text}\n" for n, text in enumerate(tiny_lines(40))))
    corpus = load_corpus(tmp_path / "train.csv", split_on="---", delimiter=";", test=poems)
    assert corpus.test == POEMS
