"""Labels of texts: from a column, a file, folders and memory; numbered once, split with their texts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqgan
from seqgan.data.corpus import Corpus, as_files, corpus_in_memory, load_corpus
from seqgan.data.encoding import encode_corpus
from seqgan.data.reading import Reading
from seqgan.data.tokenizer import Tokenizer
from seqgan.errors import CorpusError, UsageError
from seqgan.runs import Source
from tests.test_cli import call

TEXTS = [f"text {number} of the {('sad', 'happy', 'calm')[number % 3]} kind" for number in range(60)]
LABELS = [("sad", "happy", "calm")[number % 3] for number in range(60)]


def rows() -> list[dict[str, str]]:
    return [{"text": text, "mood": label} for text, label in zip(TEXTS, LABELS, strict=True)]


def file_of(folder: Path, kind: str) -> Path:
    path = folder / f"texts.{kind}"
    if kind == "csv":
        path.write_text("text,mood\n" + "".join(f"{text},{label}\n" for text, label in zip(TEXTS, LABELS, strict=True)))
    elif kind == "json":
        path.write_text(json.dumps(rows()))
    elif kind == "columns.json":
        path.write_text(json.dumps({"text": TEXTS, "mood": LABELS, "of": [1]}))
    elif kind == "jsonl":
        path.write_text("".join(json.dumps({"message": row, "n": 1}) + "\n" for row in rows()))
    else:
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.table({"text": TEXTS, "mood": LABELS}), path)
    return path


def pairs(corpus: Corpus) -> set[tuple[str, str]]:
    assert corpus.labels.keys() == {"train", "valid", "test"}
    return {pair for part, labels in corpus.labels.items() for pair in zip(getattr(corpus, part), labels, strict=True)}


ALL = set(zip(TEXTS, LABELS, strict=True))


@pytest.mark.parametrize("kind", ["csv", "json", "columns.json", "jsonl", "parquet"])
def test_labels_come_from_a_column_and_stay_with_their_texts(kind: str, tmp_path: Path) -> None:
    columns = ("message.text", "message.mood") if kind == "jsonl" else ("text", "mood")
    corpus = load_corpus(file_of(tmp_path, kind), text_column=columns[0], label_column=columns[1])
    assert pairs(corpus) == ALL
    assert corpus.provenance["label_column"] == columns[1]
    assert corpus.texts_sha256 == corpus_in_memory(TEXTS, labels=LABELS).texts_sha256


def test_labels_come_from_a_file_with_a_line_for_each_line(tmp_path: Path) -> None:
    lines, labels = [*TEXTS[:10], "", *TEXTS[10:]], [*LABELS[:10], "nothing to label", *LABELS[10:]]
    (tmp_path / "texts.txt").write_text("\n".join(lines) + "\n\n")
    (tmp_path / "moods").write_text("\n".join(labels) + "\n")
    corpus = load_corpus(tmp_path / "texts.txt", labels=str(tmp_path / "moods"))
    assert pairs(corpus) == ALL
    assert corpus.provenance["labels"] == str(tmp_path / "moods")


def test_a_text_of_several_lines_has_one_label(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("\n\n".join(text.replace(" of ", "\n") for text in TEXTS) + "\n")
    (tmp_path / "moods").write_text("\n".join(LABELS))
    corpus = load_corpus(tmp_path / "texts.txt", split_on="blank-line", labels=str(tmp_path / "moods"))
    assert pairs(corpus) == {(text.replace(" of ", "\n"), label) for text, label in ALL}


def test_the_folders_of_files_are_labels(tmp_path: Path) -> None:
    for part, texts in {"train": TEXTS[:40], "test": TEXTS[40:]}.items():
        for label in set(LABELS):
            (tmp_path / part / label).mkdir(parents=True)
        for number, text in enumerate(texts):
            kind = dict(zip(TEXTS, LABELS, strict=True))[text]
            (tmp_path / part / kind / f"{number}.txt").write_text(text)
    corpus = load_corpus(tmp_path, labels="folders")
    assert pairs(corpus) == ALL
    assert set(corpus.test) == set(TEXTS[40:])


def test_given_splits_have_their_labels_beside_them(tmp_path: Path) -> None:
    for part, texts in {"train": slice(0, 40), "valid": slice(40, 50), "test": slice(50, 60)}.items():
        (tmp_path / f"{part}.txt").write_text("\n".join(TEXTS[texts]) + "\n")
        (tmp_path / f"{part}.labels").write_text("\n".join(LABELS[texts]) + "\n")
    places = {part: tmp_path / f"{part}.txt" for part in ("valid", "test")}
    corpus = load_corpus(tmp_path / "train.txt", labels=str(tmp_path / "train.labels"), **places)  # type: ignore[arg-type]
    assert pairs(corpus) == ALL
    assert corpus.labels["valid"] == LABELS[40:50]
    assert corpus.provenance["sha256"] == corpus.texts_sha256  # what identifies the files identifies the texts


def test_a_corpus_written_as_files_is_read_as_the_same(tmp_path: Path) -> None:
    corpus = corpus_in_memory([f"{text}\nand more" for text in TEXTS], labels=LABELS)
    for name, content in as_files(corpus).items():
        (tmp_path / name).write_bytes(content)
    again = load_corpus(
        tmp_path / "train.jsonl", labels=str(tmp_path / "train.labels"), valid=tmp_path / "valid.jsonl",
        test=tmp_path / "test.jsonl",
    )  # fmt: skip
    assert (again.train, again.labels) == (corpus.train, corpus.labels)
    assert again.provenance["sha256"] == corpus.texts_sha256


def test_labels_are_a_part_of_what_identifies_texts() -> None:
    other = ["calm", *LABELS[1:]]
    corpora = [corpus_in_memory(TEXTS), corpus_in_memory(TEXTS, labels=LABELS), corpus_in_memory(TEXTS, labels=other)]
    assert len({corpus.texts_sha256 for corpus in corpora}) == 3
    assert len({tuple(corpus.train) for corpus in corpora}) == 1


def test_a_text_that_stands_twice_with_two_labels_is_kept_with_both() -> None:
    corpus = corpus_in_memory([*TEXTS, *TEXTS], labels=[*LABELS, *["odd"] * 60])
    assert pairs(corpus) == ALL | {(text, "odd") for text in TEXTS}
    assert not set(corpus.train) & set(corpus.test)


def test_what_is_no_text_of_a_label_is_a_label_all_the_same() -> None:
    given = [np.int64(3), True, 2.5, "  two\twords "] * 15
    corpus = corpus_in_memory(TEXTS, labels=given)
    assert {label for labels in corpus.labels.values() for label in labels} == {"3", "True", "2.5", "two words"}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:59], "59 labels were given for 60 texts"),
        ([*LABELS[:59], None], "label 60 is empty, but every text needs a label"),
        ([*LABELS[:59], float("nan")], "label 60 is empty, but every text needs a label"),
        ([*LABELS[:59], ["a"]], r"label 60 is \"\['a'\]\", which is no label"),
        ([str(number) for number in range(60)], "there are 60 different labels for 60 texts .*ids rather than labels"),
        ("happy", "a list of labels was expected"),
        ({"happy": 1}, "a list of labels was expected"),
        (3, "a list of labels was expected"),
    ],
)
def test_labels_that_are_none_are_refused(labels: Any, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        corpus_in_memory(TEXTS, labels=labels)


def test_a_file_of_other_length_is_refused_with_both_counts(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS) + "\n")
    for labels, count in ((LABELS[:50], 50), ([*LABELS, "sad"], 61)):
        (tmp_path / "moods").write_text("\n".join(labels) + "\n")
        with pytest.raises(CorpusError, match=rf"moods holds {count} labels, but .*texts.txt 60 texts"):
            load_corpus(tmp_path / "texts.txt", labels=str(tmp_path / "moods"))


def test_errors_name_the_place(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS) + "\n")
    (tmp_path / "moods").write_text("\n".join([*LABELS[:7], "", *LABELS[8:]]) + "\n")
    with pytest.raises(CorpusError, match="moods, line 8, is empty, but every text needs a label"):
        load_corpus(tmp_path / "texts.txt", labels=str(tmp_path / "moods"))
    with pytest.raises(CorpusError, match=r"texts.txt is plain text, which has no column of labels.*--labels"):
        load_corpus(tmp_path / "texts.txt", label_column="mood")
    path = file_of(tmp_path, "csv")
    with pytest.raises(CorpusError, match=r"texts.csv: there is no column 'mod'; did you mean mood"):
        load_corpus(path, text_column="text", label_column="mod")
    path.write_text(path.read_text().replace("text 5 of the calm kind,calm", "text 5 of the calm kind,"))
    with pytest.raises(CorpusError, match=r"texts.csv, line 7: mood is empty, but every text needs a label"):
        load_corpus(path, text_column="text", label_column="mood")
    with pytest.raises(CorpusError, match="give one of them"):
        load_corpus(path, label_column="mood", labels="moods")
    with pytest.raises(CorpusError, match=r"there is no file .*nowhere.labels"):
        load_corpus(tmp_path / "texts.txt", labels=str(tmp_path / "nowhere.labels"))
    with pytest.raises(CorpusError, match="the corpus poems has no --label-column 'mood'; it has no labels"):
        load_corpus("poems", label_column="mood")


def test_a_bundled_corpus_has_its_labels_in_a_file_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "moods.txt").write_text("\n".join(TEXTS) + "\n")
    (tmp_path / "moods.labels").write_text("\n".join(LABELS) + "\n")
    entry = {"file": "moods.txt", "tokenizer": "word", "labels": "moods.labels", "label_column": "mood"}
    monkeypatch.setattr("seqgan.data.corpus.corpora_folder", lambda: tmp_path)
    monkeypatch.setattr("seqgan.data.corpus.bundled", lambda: {"moods": entry})
    assert pairs(load_corpus("moods", label_column="mood")) == ALL
    assert not load_corpus("moods").labels
    with pytest.raises(CorpusError, match="no --label-column 'mod'; its labels are called mood"):
        load_corpus("moods", label_column="mod")
    corpus = load_corpus("moods", label_column="mood")
    assert Source("moods", Reading(label_column="mood")).load().texts_sha256 == corpus.texts_sha256


def test_a_stored_corpus_keeps_its_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQGAN_HOME", str(tmp_path / "home"))
    texts = [
        f"{chr(97 + number % 26) * 3} {number} {number * 7} {number * 31} {label}"
        for number, label in enumerate(LABELS)
    ]
    rows = [f"{text},{label}" for text, label in zip(texts, LABELS, strict=True)]
    (tmp_path / "moods.csv").write_text("\n".join(["text,mood", *rows, rows[0].replace(LABELS[0], "again")]))
    call("corpora", "add", tmp_path / "moods.csv", "--text-column", "text", "--label-column", "mood", "--name", "moods")
    corpus = load_corpus("moods", label_column="mood")
    assert pairs(corpus) <= set(zip(texts, LABELS, strict=True)) | {(texts[0].replace(LABELS[0], "again"), "again")}
    assert not load_corpus("moods").labels
    with pytest.raises(CorpusError, match="no --label-column 'mod'; its labels are called mood"):
        load_corpus("moods", label_column="mod")
    with pytest.raises(CorpusError, match="takes no --labels; leave that out"):
        load_corpus("moods", labels="moods.labels")
    call("corpora", "export", "moods", tmp_path / "out", "--label-column", "mood")
    assert (tmp_path / "out" / "train.labels").read_text().splitlines() == list(corpus.labels["train"])
    (tmp_path / "home" / "corpora" / "moods" / "valid.labels").write_text("calm\n")
    with pytest.raises(CorpusError, match="are not as they were stored"):
        load_corpus("moods")
    call("corpora", "remove", "moods")


def test_labels_are_numbered_in_the_order_given_and_counted_in_the_training_texts() -> None:
    corpus = corpus_in_memory(TEXTS, labels=LABELS)
    tokenizer = Tokenizer.train(corpus.train, "word")
    dataset = encode_corpus(corpus, tokenizer)
    assert dataset.labels == {name: list(corpus.labels["train"]).count(name) for name in ("calm", "happy", "sad")}
    for part in ("train", "valid"):
        sequences = getattr(dataset, part).sequences
        names = [list(dataset.labels)[number] for number in sequences.labels.tolist()]
        assert names == list(corpus.labels[part])


@pytest.mark.parametrize("overlong", ["truncate", "split", "drop"])
def test_every_sequence_of_a_text_has_its_label(overlong: Any) -> None:
    long = [text + " and on" * (number % 4) for number, text in enumerate(TEXTS)]
    corpus = corpus_in_memory(long, labels=LABELS)
    dataset = encode_corpus(corpus, Tokenizer.train(corpus.train, "word"), 10, overlong)
    labels, texts = dataset.train.sequences.labels, dataset.train.texts
    assert labels is not None
    assert [list(dataset.labels)[n] for n in labels.tolist()] == [corpus.labels["train"][text] for text in texts]


def test_what_goes_together_is_asked_for_together(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a list of labels goes with a list of texts"):
        seqgan.train("poems", labels=LABELS)
    with pytest.raises(UsageError, match="the labels of texts in memory are a list"):
        seqgan.train(TEXTS, labels="moods.txt")
    with pytest.raises(CorpusError, match=r"a seqgan.Corpus holds its own labels"):
        seqgan.train(Corpus("moods", TEXTS[:40], TEXTS[40:50], TEXTS[50:]), labels=LABELS)
