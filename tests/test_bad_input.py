"""Whatever is damaged, changed or made up by someone else: it works as before, or it is told with file and place.

Each file is taken valid and mutated at every field: the field gone, empty, null, of another type, the file cut there.
What never happens: an error of any other kind, or a pickle being obeyed."""

import csv
import gzip
import io
import json
import os
import pickle
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from seqgan import training
from seqgan.core import checkpoint, schema
from seqgan.core.config import read_config_file
from seqgan.core.record import read_record
from seqgan.core.run import checkpoints, create, describe
from seqgan.core.starting import Machine
from seqgan.data import corpus, fetching, store
from seqgan.data.corpus import load_corpus
from seqgan.data.readers import read_texts
from seqgan.data.tokenizer import Tokenizer
from seqgan.errors import CheckpointError, SeqGANError
from seqgan.library import TrainedRun, load, train
from seqgan.pretrained import from_pretrained
from seqgan.ratings import analyse, read_ratings, read_sheets, write_sheet
from seqgan.runs import NOWHERE, load_model
from tests.conftest import TINY, TINY_GAME, tiny_lines
from tests.test_cli import call, refusal

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    """A run as small as one with a discriminator can be."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "tiny.txt").write_text("\n".join(tiny_lines(30)) + "\n")
    brief = {**TINY_GAME, "mle_epochs": 1, "d_pretrain_rounds": 1, "iterations": 1, "validate_every": 1}
    options: dict[str, Any] = {"run_dir": folder / "run", "threads": 1, "device": "cpu", "progress": False}
    return train(folder / "tiny.txt", **options, **brief)


@pytest.fixture(scope="module")
def saved(trained: TrainedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a model to hand on."""
    return trained.save_pretrained(tmp_path_factory.mktemp("saved"))


@pytest.fixture
def run(trained: TrainedRun, tmp_path: Path) -> Path:
    """A copy of the run, to be spoilt."""
    return Path(shutil.copytree(trained.folder, tmp_path / "run"))


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    """A copy of the saved model, to be spoilt."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


@pytest.fixture
def shelved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A corpus on a shelf."""
    monkeypatch.setenv("SEQGAN_HOME", str(tmp_path / "home"))
    store.add("mine", tiny_lines(), {"source": "a test", "language": "English", "licence": "CC0-1.0"})
    return store.folder_of("mine")


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """A filled rating sheet of ten texts; its key lies beside it."""
    path = tmp_path / "sheet.csv"
    write_sheet(path, {"real": tiny_lines(5), "final": [f'a "quoted", text {n}' for n in range(5)]}, seed=1)
    path.write_text("".join(f"{line}{n}\n" for n, line in zip(["", *"1234512345"], lines_of(path), strict=True)))
    return path


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


def key_of(sheet: Path) -> Path:
    return sheet.with_name(sheet.name + ".key.json")


def outcome(act: Callable[[], Any]) -> tuple[Any, str]:
    """What an act gives, or the one line that it is refused with; no other error passes."""
    try:
        return act(), ""
    except SeqGANError as error:
        message = str(error)
    assert message
    assert "\n" not in message
    return None, message


def told(act: Callable[[], Any]) -> str:
    """What an act that must be refused is refused with."""
    found, message = outcome(act)
    assert message, f"not refused: {found}"
    return message


# --- JSON: a field gone, empty, null, of another type


def gone(content: dict[str, Any], field: str) -> None:
    del content[field]


def empty(content: dict[str, Any], field: str) -> None:
    content[field] = "" if content[field] is None else type(content[field])()


def null(content: dict[str, Any], field: str) -> None:
    content[field] = None


def wrong(content: dict[str, Any], field: str) -> None:
    content[field] = [["?"]] if isinstance(content[field], str | int | float | None) else "?"


MUTATIONS = {mutation.__name__: mutation for mutation in (gone, empty, null, wrong)}


def cases(fields: str) -> list[tuple[str, str]]:
    """Every field with every mutation."""
    return [(field, name) for field in fields.split() for name in MUTATIONS]


def mutate(path: Path, name: str, *fields: str) -> None:
    """Do this to a field of a JSON file; the last of `fields`, within those before it."""
    content = json.loads(path.read_text())
    part = content
    for field in fields[:-1]:
        part = part[field]
    MUTATIONS[name](part, fields[-1])
    path.write_text(json.dumps(content))


def withstands(act: Callable[[], Any], expected: Any, path: Path, mutation: str, field: str) -> None:
    """An act does what it always did, or is refused with the file and the field (or at least with the folder)."""
    found, message = outcome(act)
    if not message:
        assert found == expected
    elif mutation == "empty" or field in COMPARED or "checksum" in message:
        assert str(path.parent) in message
    else:
        assert str(path) in message
        assert field in message


COMPARED = ("format", "id", "package", "sha256", "tokenizer_sha256")  # a difference is told in words of their own
RUN_FIELDS = (
    "format id package algorithm config sources seed threads corpus init_from custom tokenizer tokenizer_sha256 "
    "vocab_size max_length labels versions command world_size checksum"
)
CORPUS_FIELDS = (
    "name path text_column delimiter header split_on label_column labels valid test sha256 texts_sha256 texts split "
    "overlap"
)
MODEL_FIELDS = (
    "format package algorithm tokenizer tokenizer_sha256 vocab_size max_length labels custom config files checksum"
)
ABOUT_FIELDS = "name source language licence report sha256"
REPORT_FIELDS = "texts_given split tokens length vocabulary unknown_held_out"


def use_run(folder: Path) -> list[str]:
    """Load a run, draw from it, and go on with its training, which is at its end."""
    texts = load(folder, device="cpu").generate(20, seed=0)
    training.carry_out(folder, Machine(CPU), training.read_data(folder, NOWHERE))
    return texts


def use_model(folder: Path) -> list[str]:
    return from_pretrained(folder).generate(20, seed=0)


def test_the_fields_that_are_mutated_are_those_that_there_are(run: Path, model: Path, shelved: Path) -> None:
    description = describe(run)
    assert set(description) == set(RUN_FIELDS.split())
    assert set(description["corpus"]) == set(CORPUS_FIELDS.split())
    assert set(json.loads((model / "config.json").read_text())) == set(MODEL_FIELDS.split())
    assert set(store.about("mine")) == set(ABOUT_FIELDS.split())
    assert set(store.about("mine")["report"]) >= set(REPORT_FIELDS.split())


@pytest.mark.parametrize(("field", "mutation"), cases(RUN_FIELDS))
def test_a_run_withstands_a_mutated_field(
    field: str, mutation: str, run: Path, trained: TrainedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        os, "sched_getaffinity", lambda process: {0}
    )  # no number of threads: as many as there are cores
    mutate(run / "run.json", mutation, field)
    expected = trained.generate(20, seed=0)
    withstands(lambda: use_run(run), expected, run / "run.json", mutation, field)


@pytest.mark.parametrize(("field", "mutation"), cases(CORPUS_FIELDS))
def test_a_run_withstands_a_mutated_description_of_its_corpus(
    field: str, mutation: str, run: Path, trained: TrainedRun
) -> None:
    mutate(run / "run.json", mutation, "corpus", field)
    expected = trained.corpus().train
    withstands(lambda: load(run, device="cpu").corpus().train, expected, run / "run.json", mutation, field)


def use_either(path: Path) -> list[str]:
    """The texts of a run or of a saved model, by its description."""
    model = load_model(path.parent) if path.name == "run.json" else from_pretrained(path.parent)
    return model.generate(20, seed=0)


def test_every_hyper_parameter_may_be_gone_or_empty(model: Path) -> None:
    """It works as before, or (as where a size changes) what does not fit is told."""
    path, expected = model / "config.json", use_model(model)
    whole = path.read_text()
    for field in json.loads(whole)["config"]:
        for mutation in ("gone", "empty"):
            mutate(path, mutation, "config", field)
            found, message = outcome(lambda: use_model(model))
            assert message or found == expected
            path.write_text(whole)


def every_hyper_parameter_of_another_type_is_told(path: Path) -> None:
    whole = path.read_text()
    for field in json.loads(whole)["config"]:
        for mutation in ("null", "wrong"):
            mutate(path, mutation, "config", field)
            message = told(lambda: use_either(path))
            assert str(path) in message
            assert field in message
            path.write_text(whole)


def test_a_hyper_parameter_of_another_type_is_told_with_the_run_and_the_field(run: Path) -> None:
    every_hyper_parameter_of_another_type_is_told(run / "run.json")


def test_a_hyper_parameter_of_another_type_is_told_with_the_saved_model_and_the_field(model: Path) -> None:
    every_hyper_parameter_of_another_type_is_told(model / "config.json")


@pytest.mark.parametrize("field", ["vocab_size", "mle_patience"])
def test_a_run_without_a_hyper_parameter_is_refused_unless_it_has_no_checksum(field: str, run: Path) -> None:
    """A run of an earlier version may lack one that was added since: it goes on with the default."""
    expected = use_run(run)
    mutate(run / "run.json", "gone", "config", field)
    assert f"its config lacks {field}" in told(lambda: use_run(run))
    mutate(run / "run.json", "gone", "checksum")
    assert use_run(run) == expected


@pytest.mark.parametrize(("field", "mutation"), cases(MODEL_FIELDS))
def test_a_saved_model_withstands_a_mutated_field(field: str, mutation: str, model: Path, trained: TrainedRun) -> None:
    mutate(model / "config.json", mutation, field)
    expected = trained.generate(20, seed=0)
    withstands(lambda: use_model(model), expected, model / "config.json", mutation, field)


UNTYPED = """
import json, sys
from pathlib import Path
from seqgan import from_pretrained, load

def error_of(folder):
    try:
        model = load(folder, device="cpu") if (folder / "run.json").exists() else from_pretrained(folder)
        return str(model.generate(3, seed=0))
    except Exception as error:
        return f"{[kind.__name__ for kind in type(error).__mro__]} {error}"

print(json.dumps({name: error_of(Path(name)) for name in sys.argv[1:]}))
"""


def test_a_length_that_is_no_number_is_refused_without_the_type_checks_of_tests(
    trained: TrainedRun, saved: Path, tmp_path: Path
) -> None:
    for name, source in (("run.json", trained.folder), ("config.json", saved)):
        for mutation in ("null", "wrong", "empty"):
            copied = shutil.copytree(source, tmp_path / f"{mutation} {name}")
            mutate(copied / name, mutation, "max_length")
    command = [sys.executable, "-c", UNTYPED, *map(str, sorted(tmp_path.iterdir(), reverse=True))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    for folder, error in json.loads(done.stdout).items():
        assert "SeqGANError" in error, error
        assert folder in error


def use_shelf() -> list[str]:
    """List and show all corpora, and load ours."""
    call("corpora", "list")
    call("corpora", "show", "mine")
    return load_corpus("mine").train


@pytest.mark.parametrize(("field", "mutation"), cases(ABOUT_FIELDS))
def test_a_corpus_of_ones_own_withstands_a_mutated_description(field: str, mutation: str, shelved: Path) -> None:
    expected = use_shelf()
    mutate(shelved / "about.json", mutation, field)
    withstands(use_shelf, expected, shelved / "about.json", mutation, field)


@pytest.mark.parametrize(("field", "mutation"), cases(REPORT_FIELDS))
def test_a_corpus_of_ones_own_withstands_a_mutated_report(field: str, mutation: str, shelved: Path) -> None:
    expected = use_shelf()
    mutate(shelved / "about.json", mutation, "report", field)
    withstands(use_shelf, expected, shelved / "about.json", mutation, field)


# --- JSON: cut short, of another kind, nested too deeply


Spoilt = tuple[Path, Callable[[], Any]]  # a JSON file, and what reads it


@pytest.fixture(params=["run.json", "config.json", "about.json", "key"])
def spoilt(request: pytest.FixtureRequest) -> Spoilt:
    """A JSON file that may be written over, and what reads it."""
    if request.param == "run.json":
        run: Path = request.getfixturevalue("run")
        return run / "run.json", lambda: load(run, device="cpu")
    if request.param == "config.json":
        model: Path = request.getfixturevalue("model")
        return model / "config.json", lambda: from_pretrained(model)
    if request.param == "about.json":
        return request.getfixturevalue("shelved") / "about.json", lambda: store.about("mine")
    sheet: Path = request.getfixturevalue("sheet")
    return key_of(sheet), lambda: read_ratings(sheet)


def test_a_description_that_ends_too_early_is_refused_wherever_it_ends(spoilt: Spoilt) -> None:
    path, act = spoilt
    whole = path.read_text().rstrip()
    for length in range(0, len(whole), max(1, len(whole) // 40)):
        path.write_text(whole[:length])
        assert path.name in told(act)


@pytest.mark.parametrize("content", [b"null", b"7", b'"text"', b"[7]", b"\xff\xfe", b"{]"])
def test_a_description_that_is_no_table_is_refused(content: bytes, spoilt: Spoilt) -> None:
    path, act = spoilt
    path.write_bytes(content)
    assert path.name in told(act)


def test_a_description_that_is_nested_too_deeply_is_refused(spoilt: Spoilt) -> None:
    path, act = spoilt
    path.write_text("[" * 100_000)
    assert path.name in told(act)


SHAPES = {
    "empty": b"",
    "blank": b" \n",
    "deep": b'{"a": ' * 20_000,
    "number": b'{"a": ' + b"9" * 5000 + b"}",
    "NaN": b'{"a": NaN}',
    "twice": b'{"a": 1, "a": 2}',
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "zero": b'{"a": "\0"}',
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_description_of_another_shape_is_refused_in_one_line(shape: str, spoilt: Spoilt) -> None:
    path, act = spoilt
    path.write_bytes(SHAPES[shape])
    message = told(act)
    assert str(path) in message
    assert len(message) < 400
    assert "Errno" not in message


def test_a_description_begins_with_a_mark_of_its_encoding_or_not(spoilt: Spoilt) -> None:
    path, act = spoilt
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    act()


def test_a_folder_in_the_place_of_a_description_is_refused(spoilt: Spoilt) -> None:
    path, act = spoilt
    path.unlink()
    path.mkdir()
    assert path.name in told(act)


def test_a_description_that_may_not_be_read_is_told_without_numbers_of_the_system(
    spoilt: Spoilt, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, act = spoilt
    usual = Path.read_bytes

    def refused(self: Path) -> bytes:
        if self == path:
            raise PermissionError(13, "Permission denied", str(self))
        return usual(self)

    monkeypatch.setattr(Path, "read_bytes", refused)
    assert f"{path} cannot be read: permission denied" in told(act)


@pytest.mark.parametrize("suffix", ["json", "toml"])
@pytest.mark.parametrize(
    "content",
    [*SHAPES.values(), b"a = " + b"[" * 20_000, b"a = " + b"9" * 5000, b"a = 1\na = 2", b"[[a]]", b"\xff", b"a = nan"],
)
def test_a_config_file_of_another_shape_is_refused_in_one_line(content: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"c.{suffix}"
    path.write_bytes(content)
    if suffix == "toml" and not content.strip():  # no hyper-parameter at all
        assert read_config_file(path) == {}
        return
    message, code = refusal("train", "--corpus", "poems", "--config", path, "--quiet")
    assert str(path) in message
    assert code == 2
    assert len(message) - len(str(path)) < 360


@pytest.mark.parametrize("algorithm", ["[]", '{"a": 1}', "null", "3", "true", '"\\u0000"', '""'])
def test_a_config_file_for_an_algorithm_that_is_none(algorithm: str, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(f'{{"algorithm": {algorithm}}}')
    if algorithm == "null":
        algorithm = "None"
    message, code = refusal("train", "--corpus", "poems", "--config", path, "--quiet")
    assert ("algorithm" in message, code) == (True, 2)


def test_a_config_file_names_a_value_once(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("mle-lr = 0.1\nmle_lr = 0.2\n")
    assert "'mle-lr' twice" in told(lambda: read_config_file(path))


@pytest.mark.parametrize(
    "line",
    [
        '{"phase": "MLE", "step": 1, "valid_nll": "text"}',
        '{"phase": "MLE", "step": 1, "valid_nll": null}',
        '{"phase": "MLE", "step": 1, "valid_nll": [1]}',
        '{"phase": "MLE", "step": 1, "valid_nll": true}',
        '{"phase": "MLE", "step": 1, "valid_nll": 1e999}',
        '{"phase": "MLE", "step": 1, "valid_nll": NaN}',
        '{"phase": "MLE", "step": 1, "step": 2}',
        '{"phase": [], "step": 1}',
        "[" * 20_000,
        "9" * 5000,
        "\x00",
    ],
)
def test_a_line_of_the_record_of_another_shape_is_named(line: str, run: Path) -> None:
    record = run / "metrics.jsonl"
    record.write_text(record.read_text() + line + "\n")
    message = told(lambda: read_record(run))
    assert str(record) in message
    assert f"line {len(lines_of(record))}" in message
    assert len(message) < 400


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("MANIFEST.toml", "corpus = 3"),
        ("MANIFEST.toml", "[corpus]\nname = 'a'"),
        ("MANIFEST.toml", "[[corpus]]\nfile = 'a'"),
        ("MANIFEST.toml", "[[corpus]]\nname = 3"),
        ("MANIFEST.toml", "x ="),
        ("SOURCES.toml", "[[source]]\nname = 'a'\nfile = 3"),
        ("SOURCES.toml", ""),
    ],
)
def test_a_damaged_list_of_corpora_is_named(name: str, content: str, tmp_path: Path, monkeypatch: Any) -> None:
    for known in ("MANIFEST.toml", "SOURCES.toml"):
        shutil.copy(corpus.corpora_folder() / known, tmp_path)
    (tmp_path / name).write_text(content)
    for module in (corpus, fetching):
        monkeypatch.setattr(module, "corpora_folder", lambda: tmp_path)
    assert str(tmp_path / name) in told(corpus.bundled if name.startswith("M") else fetching.sources)


def test_bytes_that_are_no_text_on_the_command_line_are_kept(tmp_path: Path) -> None:
    create(tmp_path / "run", {"package": "seqgan", "algorithm": "mle", "seed": 0, "command": ["\udcff"]}, {})
    assert describe(tmp_path / "run")["command"] == ["\udcff"]


# --- corpora: a field gone, or empty, or the file cut short


def as_csv(texts: Sequence[str]) -> bytes:
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([["id", "text"], *([n, text] for n, text in enumerate(texts))])
    return table.getvalue().encode()


def as_jsonl(texts: Sequence[str]) -> bytes:
    return "".join(json.dumps({"id": n, "text": text}) + "\n" for n, text in enumerate(texts)).encode()


def as_json(texts: Sequence[str]) -> bytes:
    return json.dumps([{"id": n, "text": text} for n, text in enumerate(texts)], indent=1).encode()


LINES = ['one, "two"', "three", "fo\nur", "早發白帝城", "six"]
TABLES = {"t.csv": as_csv(LINES), "t.jsonl": as_jsonl(LINES), "t.json": as_json(LINES)}


def read(path: Path, raw: bytes) -> list[str]:
    path.write_bytes(raw)
    return list(read_texts(path))


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("t.csv", "1,three", "1,", [*LINES[:1], *LINES[2:]]),
        ("t.csv", "1,three", ",three", LINES),
        ("t.csv", "1,three", "1", "line 3: a row of 1 fields"),
        ("t.csv", "1,three", "1,three,more", "line 3: a row of 3 fields"),
        ("t.csv", "1,three", '1,"three', "malformed CSV"),
        ("t.csv", "1,three\n", "\n", [*LINES[:1], *LINES[2:]]),
        ("t.csv", "id,text", "id,", "has the columns id, ; name the one"),
        ("t.csv", "id,text", "text", "line 2: a row of 2 fields, but the header has 1"),
        ("t.csv", "id,text\n", "", "has the columns 0, one, "),
        ("t.jsonl", ', "text": "three"', "", "line 2: there is no column 'text'"),
        ("t.jsonl", '"three"', '""', [*LINES[:1], *LINES[2:]]),
        ("t.jsonl", '"three"', "null", [*LINES[:1], *LINES[2:]]),
        ("t.jsonl", '"three"', "3", "line 2: text is '3', which is no text"),
        ("t.jsonl", '"three"', '["three"]', LINES),
        ("t.jsonl", '"three"', "[3]", "line 2: text is '[3]', which is no text"),
        ("t.jsonl", '"three"', "", "line 2: malformed JSON"),
        ("t.jsonl", '"id": 1, ', "", LINES),
        ("t.json", ',\n  "text": "three"', "", "record 2: there is no column 'text'"),
        ("t.json", '"three"', '""', [*LINES[:1], *LINES[2:]]),
        ("t.json", '"three"', "{}", "record 2: text is '{}', which is no text"),
        ("t.json", '"three"', "NaN", "record 2: text is 'nan', which is no text"),
        ("t.json", '"three"', "", "line 9: malformed JSON"),
        ("t.json", '"id": 1,', '"id": null,', LINES),
    ],
)
def test_a_corpus_withstands_a_mutated_field(
    name: str, old: str, new: str, expected: str | list[str], tmp_path: Path
) -> None:
    assert read(tmp_path / name, TABLES[name]) == LINES
    raw = TABLES[name].replace(old.encode(), new.encode(), 1)
    assert raw != TABLES[name]
    if isinstance(expected, list):
        assert read(tmp_path / name, raw) == expected
    else:
        message = told(lambda: read(tmp_path / name, raw))
        assert f"{tmp_path / name}" in message
        assert expected in message


@pytest.mark.parametrize("name", TABLES)
def test_a_corpus_that_ends_too_early_gives_its_first_texts_or_is_refused(name: str, tmp_path: Path) -> None:
    outcomes = set()
    for length in range(3 if name == "t.csv" else 0, len(TABLES[name])):  # "id" alone is a text, and no header
        texts, message = outcome(lambda: read(tmp_path / name, TABLES[name][:length]))  # noqa: B023
        outcomes.add("refused" if message else "read")
        if message:
            assert str(tmp_path / name) in message
        else:
            *first, last = texts
            assert first == LINES[: len(first)]
            assert LINES[len(first)].startswith(last)
    assert outcomes == ({"refused"} if name == "t.json" else {"refused", "read"})


@pytest.mark.parametrize("name", [*TABLES, "t.tsv", "t.txt", "t.csv.gz", "t.txt.gz"])
def test_a_corpus_with_any_byte_changed_is_read_or_refused(name: str, tmp_path: Path) -> None:
    whole = TABLES.get(name.removesuffix(".gz"), TABLES["t.csv"])
    raw = gzip.compress(whole, mtime=0) if name.endswith(".gz") else whole
    draw = random.Random(0)
    for place in range(len(raw)):
        spoilt = raw[:place] + bytes([draw.randrange(256)]) + raw[place + 1 :]
        texts, message = outcome(lambda: read(tmp_path / name, spoilt))  # noqa: B023
        if message:
            assert str(tmp_path / name) in message
        else:
            assert all(text == text.strip() != "" for text in texts)


# --- rating sheets


def test_a_filled_sheet_is_read(sheet: Path) -> None:
    rated = read_ratings(sheet)
    assert sorted(len(given) for given in rated.values()) == [5, 5]
    assert sum(rating for given in rated.values() for rating in given.values()) == 30


@pytest.mark.parametrize(
    ("mutation", "message"),
    [
        (lambda number, text, rating: f"{text},{rating}", "line 5: number"),
        (lambda number, text, rating: f",{text},{rating}", "line 5: number '' with rating '4'; numbers were expected"),
        (lambda number, text, rating: f"four,{text},{rating}", "line 5: number 'four' with rating '4'"),
        (lambda number, text, rating: f"0,{text},{rating}", "line 5: number 0 is not the text that --blind wrote"),
        (lambda number, text, rating: f"99,{text},{rating}", "line 5: number 99 is not the text that --blind wrote"),
        (lambda number, text, rating: f"-1,{text},{rating}", "line 5: number -1 is not the text that --blind wrote"),
        (lambda number, text, rating: f"{number},{rating}", "line 5: number 4 is not the text that --blind wrote"),
        (lambda number, text, rating: f"{number},,{rating}", "line 5: number 4 is not the text that --blind wrote"),
        (lambda number, text, rating: f"{number},a better text,{rating}", "line 5: number 4 is not the text"),
        (lambda number, text, rating: f"{number},{text},good", "line 5: number '4' with rating 'good'; numbers were"),
        (lambda number, text, rating: f'{number},{text},"4,5"', "line 5: number '4' with rating '4,5'; numbers were"),
        (lambda number, text, rating: f"{number},{text},1e308", "line 5: number '4' with rating '1e308'; numbers were"),
        (lambda number, text, rating: f"{number},{text},2024-01-05", "line 5: number '4' with rating '2024-01-05'"),
        (lambda number, text, rating: f"{number},{text},1_0", "line 5: number '4' with rating '1_0'"),
        (lambda number, text, rating: f"\u00b2,{text},4", "line 5: number '\u00b2' with rating '4'"),
        (lambda number, text, rating: f"\u0664,{text},4", "line 5: number '\u0664' with rating '4'"),
        (lambda number, text, rating: f"{'9' * 5000},{text},4", "line 5: number '9999"),
        pytest.param(lambda number, text, rating: f"{number},{text},nan", "line 5"),
        pytest.param(lambda number, text, rating: f"{number},{text},inf", "line 5"),
        pytest.param(lambda number, text, rating: f"{number},{text},4,5", "line 5"),
        pytest.param(lambda number, text, rating: f"{number}", "line 5"),
        pytest.param(
            lambda number, text, rating: f"{number},{'x' * 140_000},{rating}",
            "line 5",
        ),
    ],
)
def test_a_sheet_with_a_mutated_field_is_refused_with_its_line(
    mutation: Callable[[str, str, str], str], message: str, sheet: Path
) -> None:
    lines = lines_of(sheet)
    number, text, rating = lines[4][0], lines[4][2:-2], lines[4][-1]
    assert (number, rating) == ("4", "4")
    lines[4] = mutation(number, text, rating)
    sheet.write_text("\n".join(lines) + "\n")
    refused = told(lambda: read_ratings(sheet))
    assert str(sheet) in refused
    assert message in refused


def test_a_sheet_that_is_given_twice_is_not_two_people(sheet: Path) -> None:
    assert "a sheet was given twice" in told(lambda: read_sheets([sheet, sheet.parent / "." / sheet.name]))
    assert len(read_sheets([sheet])) == 1


def test_a_text_without_a_rating_is_left_out(sheet: Path) -> None:
    lines = lines_of(sheet)
    all_rated = read_ratings(sheet)
    for unrated in (lines[4][:-1], lines[4][:-2]):  # "4,text," and "4,text"
        sheet.write_text("\n".join([*lines[:4], unrated, *lines[5:]]) + "\n")
        rated = read_ratings(sheet)
        assert sum(map(len, rated.values())) == 9
        assert all(given.items() <= all_rated[source].items() for source, given in rated.items())


@pytest.mark.parametrize(
    "header", ["", "number,text", "text,number,rating", "number;text;rating", "number,text,rating,who", "1,2,3"]
)
def test_a_sheet_with_other_columns_is_refused(header: str, sheet: Path) -> None:
    sheet.write_text("\n".join([header, *lines_of(sheet)[1:]]) + "\n")
    refused = told(lambda: read_ratings(sheet))
    assert f"{sheet} has the columns" in refused
    assert "number, text, rating were expected" in refused


def test_a_sheet_that_ends_too_early_gives_its_first_ratings_or_is_refused(sheet: Path) -> None:
    whole, all_rated = sheet.read_bytes(), read_ratings(sheet)
    for length in range(len(whole)):
        sheet.write_bytes(whole[:length])
        rated, message = outcome(lambda: read_ratings(sheet))
        if message:
            assert str(sheet) in message
        else:
            assert all(given.items() <= all_rated[source].items() for source, given in rated.items())


@pytest.mark.parametrize("name", ["sheet", "key"])
def test_a_sheet_or_key_that_is_gone_or_unreadable_is_named(name: str, sheet: Path) -> None:
    path = sheet if name == "sheet" else key_of(sheet)
    path.write_bytes(b"\xff\xfe\x00")
    assert str(path) in told(lambda: read_ratings(sheet))
    path.unlink()
    assert str(path) in told(lambda: read_ratings(sheet))


@pytest.mark.parametrize(
    "mutation",
    [
        lambda key: key.pop("sources"),
        lambda key: key.pop("texts"),
        lambda key: key.pop("seed"),
        lambda key: key.update(sources=None),
        lambda key: key.update(texts=7),
        lambda key: key.update(seed="x"),
        pytest.param(lambda key: key.update(sources=[])),
        pytest.param(lambda key: key.update(texts=[])),
        pytest.param(lambda key: key.update(sources="realfinal!")),
        pytest.param(lambda key: key["sources"].pop()),
        pytest.param(lambda key: key["texts"].pop()),
        pytest.param(lambda key: key["sources"].__setitem__(0, 7)),
        pytest.param(lambda key: key["sources"].__setitem__(0, ["real"])),
        pytest.param(lambda key: key["sources"].__setitem__(0, None)),
        pytest.param(lambda key: key["texts"].__setitem__(0, 7)),
    ],
)
def test_a_mutated_key_is_refused_by_its_name_or_does_no_harm(
    mutation: Callable[[dict[str, Any]], Any], sheet: Path
) -> None:
    expected = analyse([read_ratings(sheet)])
    key = json.loads(key_of(sheet).read_text())
    mutation(key)
    key_of(sheet).write_text(json.dumps(key))
    found, message = outcome(lambda: analyse([read_ratings(sheet)]))
    assert str(key_of(sheet)) in message if message else found == expected


# --- what is binary


@pytest.mark.parametrize("name", ["generator.safetensors", "discriminator.safetensors", "tokenizer.model"])
def test_a_part_of_a_saved_model_that_is_gone_cut_or_changed_is_named(name: str, model: Path) -> None:
    path = model / name
    raw = path.read_bytes()
    spoilt = [b"", raw[:7], raw[:-1], b"\xff" * 8 + raw[8:]]
    for content in spoilt:
        path.write_bytes(content)
        assert str(path) in told(lambda: from_pretrained(model))
    path.unlink()
    if name == "discriminator.safetensors":  # which not every model has
        assert from_pretrained(model).discriminator is None
    else:
        assert str(path) in told(lambda: from_pretrained(model))


def test_the_weights_of_another_model_are_refused(model: Path) -> None:
    shutil.copy(model / "discriminator.safetensors", model / "generator.safetensors")
    assert f"{model / 'generator.safetensors'} is missing, damaged, or of another model" in told(
        lambda: from_pretrained(model)
    )


def newest(run: Path) -> Path:
    return next(reversed(checkpoints(run).values()))


@pytest.mark.parametrize(
    ("part", "how"),
    [
        ("format", "gone"),
        ("format", "wrong"),
        ("run", "wrong"),
        ("algorithm", "gone"),
        ("algorithm", "wrong"),
        ("algorithm/policies", "gone"),
        ("algorithm/policies", "wrong"),
        ("algorithm/generator", "gone"),
        ("algorithm/generator", "wrong"),
        pytest.param("run", "gone"),
        pytest.param("steps", "gone"),
        pytest.param("steps", "wrong"),
        pytest.param("seconds", "gone"),
        pytest.param("seconds", "wrong"),
        pytest.param("record_bytes", "gone"),
        pytest.param("record_bytes", "wrong"),
    ],
)
def test_a_checkpoint_with_a_mutated_part_is_told(part: str, how: str, run: Path) -> None:
    path, state = newest(run), checkpoint.load(newest(run))
    *outer, last = part.split("/")
    MUTATIONS[how](state[outer[0]] if outer else state, last)
    torch.save(state, path)
    assert str(run) in told(lambda: use_run(run))


@pytest.mark.parametrize("content", ['{"phase": "MLE", "st', "no JSON\n", "[]\n", '{"step": 1}\n'])
def test_a_damaged_record_is_named_with_its_line(content: str, run: Path) -> None:
    record = run / "metrics.jsonl"
    lines = record.read_text().splitlines(keepends=True)
    record.write_text("".join([lines[0], content]))
    message = told(lambda: use_run(run))
    assert str(record) in message
    assert "line 2" in message


def test_a_tokenizer_of_another_size_is_refused(run: Path, model: Path) -> None:
    other = Tokenizer.train(["one two", "two three"], "word")
    for folder, act in ((run, lambda: load_model(run)), (model, lambda: from_pretrained(model))):
        (folder / "tokenizer.model").write_bytes(other.model)
        assert str(folder / "tokenizer.model") in told(act)


def test_a_tokenizer_with_another_word_is_refused(run: Path, model: Path) -> None:
    for folder, act in ((run, lambda: load_model(run)), (model, lambda: from_pretrained(model))):
        path = folder / "tokenizer.model"
        changed = path.read_bytes().replace(b"anna", b"otto")
        assert len(Tokenizer("word", changed)) == len(Tokenizer("word", path.read_bytes()))
        path.write_bytes(changed)
        assert str(path) in told(act)


def test_a_run_begun_from_another_says_what_is_wrong_with_its_first_weights(
    trained: TrainedRun, tmp_path: Path
) -> None:
    corpus, origin = trained.description["corpus"]["path"], f"{trained.folder}@mle"
    options: dict[str, Any] = {**TINY, "mle_epochs": 1, "threads": 1, "device": "cpu", "progress": False}
    for name in ("embedding_dim", "hidden_dim", "tie_embeddings"):
        options.pop(name)
    begun = train(corpus, algorithm="mle", init_from=origin, run_dir=tmp_path / "begun", **options)
    weights = begun.folder / "init.safetensors"
    for content in (b"", weights.read_bytes()[:-9], b"\xff" * 40):
        weights.write_bytes(content)
        assert str(weights) in told(lambda: use_run(begun.folder))
    weights.unlink()
    assert str(weights) in told(lambda: use_run(begun.folder))


# --- pickles, which could do anything


class Malicious:
    """Makes a folder when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = str(marker)

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, (self.marker,)


def as_pickle(thing: object) -> bytes:
    return pickle.dumps(thing)


def as_old_pickle(thing: object) -> bytes:
    return pickle.dumps(thing, protocol=0)


def as_torch_file(thing: object) -> bytes:
    content = io.BytesIO()
    torch.save(thing, content)
    return content.getvalue()


def as_old_torch_file(thing: object) -> bytes:
    content = io.BytesIO()
    torch.save(thing, content, _use_new_zipfile_serialization=False)
    return content.getvalue()


def as_checkpoint(thing: object) -> bytes:
    return as_torch_file({"format": schema.FORMAT, "run": "x", "algorithm": thing})


DISGUISES = [as_pickle, as_old_pickle, as_torch_file, as_old_torch_file, as_checkpoint]


@pytest.fixture(params=DISGUISES, ids=lambda disguise: disguise.__name__)
def malicious(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[bytes]:
    """A pickle that would leave a mark; afterwards there is none."""
    marker = tmp_path / "marker"
    content: bytes = request.param(Malicious(marker))
    assert b"mkdir" in content
    yield content
    assert not marker.exists()


def test_the_malicious_pickle_would_do_its_work(tmp_path: Path) -> None:
    pickle.loads(as_pickle(Malicious(tmp_path / "one")))
    torch.load(io.BytesIO(as_checkpoint(Malicious(tmp_path / "two"))), weights_only=False)
    assert (tmp_path / "one").is_dir()
    assert (tmp_path / "two").is_dir()


def test_a_pickle_for_a_checkpoint_is_refused(malicious: bytes, run: Path) -> None:
    path = newest(run)
    path.write_bytes(malicious)
    with pytest.raises(CheckpointError, match=r"step-\d+\.pt is damaged or is not a checkpoint"):
        load_model(run)
    for words in (["generate", run], ["train", "--resume", run, "--quiet"], ["evaluate", run]):
        message, code = refusal(*words)
        assert str(path) in message
        assert code == 2


def test_a_pickle_for_a_tokenizer_is_refused(malicious: bytes, run: Path, model: Path) -> None:
    for folder, act in ((run, lambda: use_run(run)), (model, lambda: from_pretrained(model))):
        (folder / "tokenizer.model").write_bytes(malicious)
        assert str(folder / "tokenizer.model") in told(act)


@pytest.mark.parametrize("name", ["generator.safetensors", "discriminator.safetensors"])
def test_a_pickle_for_the_weights_of_a_saved_model_is_refused(name: str, malicious: bytes, model: Path) -> None:
    (model / name).write_bytes(malicious)
    assert f"{model / name} is missing, damaged, or of another model" in told(lambda: from_pretrained(model))


@pytest.mark.parametrize("name", ["t.txt", "t.csv", "t.tsv", "t.json", "t.jsonl", "t.parquet", "t.txt.gz", "t.json.gz"])
def test_a_pickle_for_a_corpus_is_refused(name: str, malicious: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(malicious) if name.endswith(".gz") else malicious)
    message, code = refusal("train", "--corpus", path, "--run-dir", tmp_path / "run", "--quiet")
    assert str(path) in message
    assert code == 2
    assert not (tmp_path / "run").exists()


def test_a_pickle_for_a_description_is_refused(malicious: bytes, spoilt: Spoilt) -> None:
    path, act = spoilt
    path.write_bytes(malicious)
    assert path.name in told(act)


# --- what is well formed, but makes no sense


def written(path: Path, texts: Iterable[str]) -> Path:
    path.write_text("".join(text + "\n" for text in texts), encoding="utf-8")
    return path


LATIN = ["the first text", "the second text", "another one"]
CHINESE = ["白日依山盡", "黃河入海流", "欲窮千里目"]


@pytest.mark.parametrize(
    ("ours", "theirs", "scripts"),
    [
        (LATIN, CHINESE, "in LATIN script and the {} in EAST ASIAN"),
        (CHINESE, LATIN, "in EAST ASIAN script and the {} in LATIN"),
        (LATIN, ["первый текст", "второй"], "in LATIN script and the {} in CYRILLIC"),
    ],
)
@pytest.mark.parametrize(("option", "what"), [("--references", "references"), ("--training", "training texts")])
def test_texts_in_another_script_cannot_be_compared_with(
    ours: list[str], theirs: list[str], scripts: str, option: str, what: str, tmp_path: Path
) -> None:
    samples, others = written(tmp_path / "ours.txt", ours), written(tmp_path / "theirs.txt", theirs)
    message, code = refusal("evaluate", "--samples", samples, option, others)
    assert f"the samples are {scripts.format(what)}, so nothing can match" in message
    assert code == 2
    call("evaluate", "--samples", samples, option, samples)


def test_a_single_sample_has_no_self_bleu_and_that_is_said(tmp_path: Path) -> None:
    one, real = written(tmp_path / "one.txt", LATIN[:1]), written(tmp_path / "real.txt", LATIN)
    result = call("evaluate", "--samples", one, "--references", real, "--json")
    assert f"{one} holds a single text, of which there is no Self-BLEU" in result.stderr
    numbers = json.loads(result.stdout)["rows"]["one.txt"]
    assert "bleu-2" in numbers
    assert not [name for name in numbers if name.startswith("self-bleu")]
    assert numbers["bleu-2"]["stderr"] is None
    two = call("evaluate", "--samples", written(tmp_path / "two.txt", LATIN[:2]), "--references", real, "--json")
    assert "self-bleu-2" in json.loads(two.stdout)["rows"]["two.txt"]
    assert "Self-BLEU" not in two.stderr


def test_a_vocabulary_larger_than_the_text_allows_shrinks_and_that_is_said(
    corpus_file: Path, tiny_options: Callable[[str], list[str]], tmp_path: Path
) -> None:
    options = ["--algorithm", "mle", *tiny_options("mle"), "--tokenizer", "word", "--threads", "1", "--mle-epochs", "1"]
    words = ["train", "--corpus", corpus_file, *options, "--run-dir"]
    result = call(*words, tmp_path / "large", "--vocab-size", "4000")
    found = describe(tmp_path / "large")
    told = f"--vocab-size 4000 was asked for; the training text has no more than {found['vocab_size']} tokens"
    assert told in result.stderr.splitlines()
    assert found["config"]["vocab_size"] == 4000
    learned = {word for text in load_corpus(str(corpus_file)).train for word in text.replace("!", " !").split()}
    assert found["vocab_size"] == len(learned) + 4  # PAD, BOS, UNK, EOS
    fitting = call(*words, tmp_path / "small", "--vocab-size", "12")
    assert "was asked for" not in fitting.stderr
    assert describe(tmp_path / "small")["vocab_size"] == 12
    assert "was asked for" not in call(*words, tmp_path / "default").stderr
