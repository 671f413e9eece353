"""Texts as people have them: read as they are, tokenised by what suits them, and written back without a loss."""

import json
from pathlib import Path
from typing import Any

import pytest

import seqgan
from seqgan.data.checks import corpus_checks
from seqgan.data.corpus import Corpus, load_corpus
from seqgan.data.encoding import encoded
from seqgan.data.readers import read_samples
from seqgan.data.reading import Reading
from seqgan.data.suitable import suitable_tokenizer
from seqgan.data.texts import as_text
from seqgan.data.tokenizer import Tokenizer
from seqgan.errors import ConfigError
from seqgan.symbols import EOS, UNK
from tests.conftest import TINY
from tests.data.kinds import CHINESE, HAIKU, KINDS, LYRICS, MARKUP, PASSWORDS, RECIPES
from tests.test_cli import call

SIZES = {"bpe": 300, "unigram": 300}
MLE: dict[str, Any] = {**TINY, "algorithm": "mle", "mle_epochs": 1, "threads": 1, "device": "cpu"}


def all_texts(corpus: Corpus) -> list[str]:
    return sorted([*corpus.train, *corpus.valid, *corpus.test])


@pytest.fixture(params=KINDS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_kind_is_read_as_it_is_and_gets_the_tokenizer_that_is_right(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    corpus = load_corpus(kind.write(tmp_path, kind.texts), **kind.options)
    assert all_texts(corpus) == sorted(kind.texts)
    chosen, reason = suitable_tokenizer(corpus)
    assert (chosen, "\n" in reason) == (kind.tokenizer, False)
    tokenizer: Any = Tokenizer.train(kind.texts, chosen, SIZES.get(chosen, 5000))  # type: ignore[arg-type]
    for text in kind.texts:
        assert tokenizer.decode(tokenizer.encode(text)) == text
        assert not tokenizer.unknown(text)


@pytest.mark.parametrize("kind", ["char", "bpe", "unigram", "whitespace", "word"])
@pytest.mark.parametrize("texts", [MARKUP, HAIKU, LYRICS, RECIPES], ids=["marks", "haiku", "lyrics", "recipes"])
def test_line_breaks_and_what_looks_like_a_special_piece_are_text_in_every_tokenizer(
    texts: list[str], kind: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    tokenizer = Tokenizer.train(texts, kind, SIZES.get(kind, 5000))
    for text in texts:
        ids = tokenizer.encode(text)
        assert min(ids) > EOS
        assert len(ids) == len(tokenizer._tokens(text))
        assert tokenizer.decode(ids) == (tokenizer.round_trip(text) if kind == "word" else text)
        assert text.count("\n") == tokenizer.decode(ids).count("\n")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", ["bpe", "unigram", "word", "whitespace", "char"])
@pytest.mark.parametrize("texts", [["\ufdd0"], ["\u2002", "\u2003"], [""], ["a\n\x01"] * 2])
def test_what_sentencepiece_says_of_too_little_text_is_not_shown(
    texts: list[str], kind: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    message = "give more texts, or choose --tokenizer char"
    try:
        Tokenizer.train(texts, kind, 12)
    except ConfigError as error:
        message = str(error)
    assert message.endswith("give more texts, or choose --tokenizer char")
    assert ".cc" not in message
    assert capfd.readouterr().err == ""


def test_an_unknown_line_break_is_one_unknown_token() -> None:
    for kind in ("char", "word", "whitespace"):
        tokenizer = Tokenizer.train(["a b", "b a"], kind)  # type: ignore[arg-type]
        assert tokenizer.unknown("a\nb") == ["\n"]
        assert tokenizer.encode("a\nb").count(UNK) == 1


# --- trained for two steps, written, and read again


def trained_on(name: str, folder: Path, **more: Any) -> Path:
    kind = KINDS[name]
    options = {**MLE, "tokenizer": "auto", "vocab_size": SIZES.get(kind.tokenizer, 500), **more}
    seqgan.train(kind.write(folder, kind.texts), run_dir=folder / "run", **kind.options, **options)
    return folder / "run"


@pytest.mark.parametrize("name", ["haiku", "lyrics", "recipes", "code", "Thai", "SMILES", "pitches", "meta symbols"])
def test_what_is_written_is_read_again(name: str, tmp_path: Path) -> None:
    run = trained_on(name, tmp_path, max_length=60)
    several = any("\n" in text for text in KINDS[name].texts)
    plain = call("generate", run, "-n", 20, "--seed", 3, "--temperature", "0.5", "--output", tmp_path / "plain.txt")
    call("generate", run, "-n", 20, "--seed", 3, "--temperature", "0.5", "--json", "--output", tmp_path / "t.jsonl")
    split_on = plain.stderr.partition("--split-on ")[2].partition(",")[0] or "line"
    assert (split_on != "line") == several
    exact = [json.loads(line)["text"] for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert exact == seqgan.load(run).generate(20, seed=3, temperature=0.5)
    tidy = [as_text(text) for text in exact]
    assert read_samples(tmp_path / "t.jsonl") == tidy
    assert read_samples(tmp_path / "plain.txt", Reading(split_on=split_on)) == tidy
    call("evaluate", "--samples", tmp_path / "plain.txt", "--split-on", split_on, "--json")
    call("score", run, tmp_path / "plain.txt", "--split-on", split_on)


def test_a_text_of_several_lines_is_continued_from_its_lines(tmp_path: Path) -> None:
    run = trained_on("haiku", tmp_path)
    begun = HAIKU[0].split("\n")[0] + "\n"
    assert all(text.startswith(begun) for text in seqgan.load(run).generate(5, prompt=begun))


def test_a_model_card_and_a_rating_sheet_keep_the_lines(tmp_path: Path) -> None:
    run = trained_on("haiku", tmp_path)
    card = seqgan.load(run).save_pretrained(tmp_path / "model") / "README.md"
    written = seqgan.load(run).generate(5, seed=0)
    assert any("\n" in as_text(text) for text in written)
    shown = card.read_text().partition("not selected:")[2]
    assert all(f"    {line}" in shown for text in written for line in text.split("\n") if line)
    call("evaluate", run, "--blind", tmp_path / "sheet.csv", "-n", 2)
    texts = read_samples(tmp_path / "sheet.csv", Reading("text"))
    assert sum(text.count("\n") == 2 for text in texts) >= 2  # the real ones, at least


def test_greedy_decoding_on_the_command_line_writes_the_likeliest_text(tmp_path: Path) -> None:
    run = trained_on("names", tmp_path)
    first = call("generate", run, "-n", 3, "--temperature", "0", "--seed", 1).stdout
    again = call("generate", run, "-n", 3, "--temperature", "0")
    assert (again.stdout, "--seed" in again.stderr) == (first, False)
    assert len(set(first.splitlines())) == 1
    assert seqgan.load(run).generate(1, top_k=1, seed=9) == first.splitlines()[:1]


def test_the_choice_of_the_tokenizer_and_the_shape_of_the_file_are_told(tmp_path: Path) -> None:
    kind = KINDS["csv of semicolons"]
    path = kind.write(tmp_path, kind.texts)
    options = ["--algorithm", "mle", "--mle-epochs", "0", "--run-dir", tmp_path / "run"]
    told = call("train", "--corpus", path, *options).stderr
    assert "fields are separated by ';'" in told
    assert "the texts are in the column 'text'" in told
    assert "--tokenizer auto takes word: words restore most texts as they were" in told


def test_the_checks_do_not_advise_the_tokenizer_that_is_in_use(tmp_path: Path) -> None:
    for name, kind in KINDS.items():
        folder = tmp_path / name
        folder.mkdir()
        corpus = load_corpus(kind.write(folder, kind.texts), **kind.options)
        tokenizer = Tokenizer.train(corpus.train, kind.tokenizer, SIZES.get(kind.tokenizer, 5000))  # type: ignore[arg-type]
        ids = encoded(corpus, tokenizer)
        lines = corpus_checks(corpus, ids, ids.dataset(), 5000, "", automatic=True)
        advised = " ".join(line for line in lines if line.startswith("advice"))
        assert kind.tokenizer not in advised.replace("--tokenizer " + kind.tokenizer + " with", "").split(), name


@pytest.mark.parametrize(
    ("texts", "kind"),
    [(CHINESE, "word"), (PASSWORDS, "char"), (["x" * 3000 + str(n) for n in range(30)], "char")],
)
def test_a_tokenizer_that_is_asked_for_is_taken(texts: list[str], kind: str, tmp_path: Path) -> None:
    run = seqgan.train(texts, run_dir=tmp_path / "run", **{**MLE, "tokenizer": kind, "mle_epochs": 0})
    assert run.description["tokenizer"] == kind
