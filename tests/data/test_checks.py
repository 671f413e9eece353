"""What `seqgan train` says of a corpus before it starts, and which tokenizer it takes."""

import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seqgan.data.checks import corpus_checks
from seqgan.data.corpus import Corpus, corpus_in_memory, load_corpus
from seqgan.data.encoding import encode_corpus, prepare
from seqgan.data.suitable import suitable_tokenizer
from seqgan.data.tokenizer import Kind, Tokenizer
from seqgan.data.tokens import words
from seqgan.errors import CorpusError
from tests.conftest import tiny_lines
from tests.test_cli import call, refusal

SPEECHES = load_corpus("speeches").train[:300]
NAMES = [
    "".join(pair) for pair in itertools.product(["an", "bo", "cle", "da", "fi"], ["na", "rik", "o", "niel", "gus"])
]
POEMS = load_corpus("poems").train[:100]


def smiles() -> list[str]:
    rng = random.Random(0)
    return [
        "".join(rng.choice(["C", "(F)", "N", "O", "=C", "c1ccccc1", "[nH]", "Br"]) for _ in range(9)) for _ in range(60)
    ]


def as_corpus(texts: list[str]) -> Corpus:
    return Corpus("mine", texts, texts[:5], texts[5:10])


def tweets() -> list[str]:
    lines = tiny_lines(80)
    return [f'@user{n} {text}, see https://t.co/{n}?a=b :) "so"...' for n, text in enumerate(lines)]


def cut_beforehand(text: str) -> str:
    return " ".join(words(text))


SHOWN: dict[str, tuple[Callable[[], list[str]], str, str]] = {
    "names": (lambda: [*NAMES, *(name.title() for name in NAMES)], "char", "one or two words"),
    "SMILES": (smiles, "char", "one or two words"),
    "English": (lambda: SPEECHES, "word", "restore most texts"),
    "English, cut by the Penn Treebank's rules": (
        lambda: [cut_beforehand(f'{text} They don\'t say "no".') for text in SPEECHES[:60]],
        "whitespace",
        "by blanks already",
    ),
    "tweets": (tweets, "bpe", "other spacing"),
    "Chinese": (lambda: POEMS, "char", "Chinese"),
    "Chinese with a blank after every character": (
        lambda: [" ".join(text.replace(" ", "")) for text in POEMS],
        "whitespace",
        "a blank follows every character",
    ),
    "Chinese in single words": (lambda: [text.replace(" ", "") for text in POEMS], "char", "Chinese"),
    "notes": (lambda: [f"C{i % 8} E4 G{i % 5} rest" for i in range(80)], "whitespace", "numbers or symbols"),
}


@pytest.mark.parametrize("case", SHOWN)
def test_the_tokenizer_is_what_the_texts_show(case: str) -> None:
    texts, kind, reason = SHOWN[case]
    corpus = as_corpus(texts())
    taken, why = suitable_tokenizer(corpus)
    assert (taken, reason in why) == (kind, True)
    tokenizer = Tokenizer.train(corpus.train, taken)  # type: ignore[arg-type]
    same = sum(tokenizer.decode(tokenizer.encode(text)) == text for text in corpus.train)
    assert same >= 0.9 * len(corpus.train)


def test_words_too_long_for_a_vocabulary_of_words_are_no_words() -> None:
    corpus = as_corpus([*SPEECHES, "x" * 9000])
    taken, why = suitable_tokenizer(corpus)
    assert (taken, why) == ("bpe", "a word of 9000 characters is too long for a vocabulary of words")
    Tokenizer.train(corpus.train, "bpe", 300)


def said(corpus: Corpus, kind: Any = "word", vocab_size: int = 5000, max_length: int = 0, **options: Any) -> list[str]:
    encoded = prepare(corpus, kind, vocab_size)
    texts = encoded.dataset(max_length, options.get("overlong", "truncate"))
    return corpus_checks(corpus, encoded, texts, vocab_size, "preset default", **options)


def test_the_choice_of_a_tokenizer_is_told_with_its_reason_where_nobody_chose() -> None:
    corpus = corpus_in_memory([f"{name}{end}" for name in NAMES for end in ("", "s")])
    line = "--tokenizer auto takes char: most texts hold one or two words"
    assert line in said(corpus, "char", automatic=True)
    assert line not in said(corpus, "char")
    assert line not in said(corpus, "bpe", 80, automatic=True)


def test_copies_are_told_of_every_split() -> None:
    texts = [f"text number {i}" for i in range(25)] * 40
    corpus = corpus_in_memory(texts)
    [line] = [line for line in said(corpus) if "copies" in line]
    counts = {
        part: (len(t) - len(set(t)), len(t)) for part in ("train", "valid", "test") if (t := getattr(corpus, part))
    }
    told = ", ".join(f"{copies} of the {count} {part}" for part, (copies, count) in counts.items())
    assert line == f"warning: {told} texts are copies of another in their split, learned as often as they occur"
    assert not any("copies" in line for line in said(corpus_in_memory(tiny_lines())))


@pytest.mark.parametrize(
    ("overlong", "became"), [("truncate", "truncated there"), ("drop", "left out"), ("split", "several rows")]
)
def test_what_is_cut_is_told_of_every_split_with_its_share_of_texts_and_tokens(overlong: Any, became: str) -> None:
    short, lengthy = [f"a b c{i}" for i in range(9)], ["a b c d e f g h i"]
    corpus = Corpus("mine", short + lengthy, short[:3] + lengthy, [*short[:2], "a b c d e f g"], provenance={})
    [line] = [line for line in said(corpus, max_length=5, overlong=overlong) if "longer than" in line]
    assert line.startswith(f"longer than --max-length 5, and {became}")
    # 9 texts of 4 tokens with their end, and one of 10, of which 5 (or all) are lost.
    lost = {"truncate": (5 / 46, 5 / 22, 3 / 16), "drop": (10 / 46, 10 / 22, 8 / 16), "split": ()}[overlong]
    shares = [f", {share:.2%} of the tokens" for share in lost] or ["", "", ""]
    texts = (f"train {1 / 10:.2%}", f"valid {1 / 4:.2%}", f"test {1 / 3:.2%}")
    told = "; ".join(f"{count} of the texts{share}" for count, share in zip(texts, shares, strict=True))
    remedy = "" if overlong == "split" else " (a larger --max-length or --overlong split keeps them whole)"
    assert line.endswith(told + remedy)
    assert not any("longer than" in line for line in said(corpus, max_length=20, overlong=overlong))


def test_a_tokenizer_that_changes_texts_is_told_with_an_example() -> None:
    corpus = as_corpus(smiles())
    [line] = [line for line in said(corpus, "word") if "are decoded by" in line]
    assert "whitespace, bpe and char keep them as they are" in line
    for kind in ("whitespace", "bpe", "char"):
        assert not any("are decoded by" in line for line in said(corpus, kind, 200))
    assert not any("are decoded by" in line for line in said(as_corpus(SPEECHES)))


@pytest.mark.parametrize("kind", ["char", "bpe", "unigram", "whitespace", "word"])
def test_what_is_in_use_is_never_advised(kind: str) -> None:
    corpus = corpus_in_memory([f"{a}q{b} x{b}y{a}" for a, b in itertools.product(NAMES[:12], range(9))] + POEMS[:30])
    lines = [line for line in said(corpus, kind, 900 if kind in ("bpe", "unigram") else 5000) if "advice" in line]
    assert lines
    assert not any(f"--tokenizer {kind} " in line.replace(f"from --tokenizer {kind} with", "") for line in lines)
    assert not any("bpe" in line for line in lines) or kind in ("word", "whitespace")


def test_a_text_of_the_test_split_that_is_too_long_is_refused_before_training(tmp_path: Path) -> None:
    parts = {"corpus": tiny_lines(), "valid": ["hi anna"], "test": ["hi bo", "hi " * 50 + "eve"]}
    for name, texts in parts.items():
        (tmp_path / f"{name}.txt").write_text("\n".join(texts))
    files = [word for name in parts for word in (f"--{name}", str(tmp_path / f"{name}.txt"))]
    options = ["--tokenizer", "word", "--max-length", "20", "--run-dir", tmp_path / "run"]
    message, code = refusal("train", *files, *options, "--overlong", "error")
    assert "a text has 52 tokens, more than --max-length 20" in message
    assert code == 2
    assert not (tmp_path / "run").exists()


def test_before_training_it_is_told_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\n".join([*NAMES, *NAMES[:5]]))
    typed = ["--algorithm", "mle", "--mle-epochs", "1", "--hidden-dim", "8", "--embedding-dim", "8"]
    told = call("train", "--corpus", tmp_path / "names.txt", *typed, "--run-dir", tmp_path / "run")
    assert "--tokenizer auto takes char: most texts hold one or two words" in told.stderr
    assert "copies of another in their split" in told.stderr


def test_the_end_of_a_split_of_nothing_but_long_texts_is_told() -> None:
    corpus = Corpus("mine", tiny_lines(), ["hi anna"], ["hi " * 50], provenance={})
    with pytest.raises(CorpusError, match="no text is left"):
        encode_corpus(corpus, Tokenizer.train(corpus.train, "word"), 20, "drop")


# --- messages of a run that begins


def begun(corpus: Corpus, kind: Kind = "word", vocab_size: int = 5000, source: str = "preset default") -> list[str]:
    """What is said of a corpus when a run with this tokenizer is begun."""
    encoded = prepare(corpus, kind, vocab_size)
    return corpus_checks(corpus, encoded, encoded.dataset(), vocab_size, source)


def plenty() -> Corpus:
    """Few words, each of them often."""
    texts = dict.fromkeys(text.replace("!", "") for text in tiny_lines(400))
    return replace(corpus_in_memory(texts.keys()), name="plenty")


def test_where_nothing_is_wrong_only_the_sizes_are_told() -> None:
    corpus = plenty()
    [line] = begun(corpus)
    assert line.startswith(
        f"plenty: {len(corpus.train)} train, {len(corpus.valid)} valid, {len(corpus.test)} test texts;"
    )
    assert "tokens in the vocabulary, at most 5 in a text" in line


def test_held_out_texts_that_were_learned_from_are_told(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("\n".join([*tiny_lines(200), "hi anna"]) + "\n")
    (tmp_path / "valid.txt").write_text("hi anna\nnever seen\noh bo\n")
    lines = begun(load_corpus(str(tmp_path / "train.txt"), valid=str(tmp_path / "valid.txt")))
    warnings = [line for line in lines if line.startswith("warning")]
    assert len(warnings) == 1
    assert warnings[0].startswith("warning: 1 of the 3 valid texts are in an earlier split as well")


@pytest.mark.parametrize("source", ["command line", "config mine.toml", "arguments"])
def test_a_vocabulary_that_was_asked_for_and_is_not_there_is_told(source: str) -> None:
    corpus = plenty()
    [told] = [line for line in begun(corpus, vocab_size=300, source=source) if "was asked for" in line]
    words = len({word for text in corpus.train for word in text.split()})
    assert told == f"--vocab-size 300 was asked for; the training text has no more than {words + 4} tokens"
    for others in (
        begun(corpus, vocab_size=300),  # nobody asked for it
        begun(corpus, vocab_size=15, source=source),  # it is there
        begun(corpus, "char", vocab_size=300, source=source),  # of characters all are kept
    ):
        assert not any("was asked for" in line for line in others)


def test_a_text_that_is_small_for_its_vocabulary_is_told() -> None:
    distinct = corpus_in_memory([f"word{number} name{number} thing{number}" for number in range(60)])
    [told] = [line for line in begun(distinct) if "small for its vocabulary" in line]
    # Three words and an end in each text, and three words that no other text has.
    assert "(1.3 tokens for each of" in told
    assert "100% of which occur less than three times" in told
    assert "--tokenizer bpe" in told
    [by_characters] = [line for line in begun(plenty_of_characters(), "char") if "small for its" in line]
    assert "--tokenizer" not in by_characters


def plenty_of_characters() -> Corpus:
    return corpus_in_memory([chr(0x4E00 + number) + chr(0x5E00 + number) for number in range(60)])


def test_much_that_is_unknown_is_told() -> None:
    corpus = plenty()
    strange = replace(corpus, valid=["hi zebra", "hi yak", "hi anna"])
    [told] = [line for line in begun(strange) if "unknown" in line]
    # Two words that nobody knows, of six words and three ends.
    assert told.startswith("advice: 22% of the validation tokens are unknown")
    little = replace(corpus, valid=[*corpus.valid[:20], "hi zebra"])
    assert not any("unknown" in line for line in begun(little))
