from pathlib import Path

import pytest

from seqgan.data.corpus import load_corpus
from seqgan.data.symbols import BOS, EOS, PAD, UNK
from seqgan.data.tokenizer import Tokenizer
from seqgan.errors import CheckpointError, ConfigError
from tests.conftest import tiny_lines


@pytest.mark.parametrize("kind", ["char", "bpe", "unigram", "whitespace"])
def test_speeches_come_back_exactly(kind: str) -> None:
    corpus = load_corpus("speeches")
    tokenizer = Tokenizer.train(corpus.train, kind, 100_000 if kind == "whitespace" else 1500)
    assert [text for text in corpus.train if tokenizer.decode(tokenizer.encode(text)) != text] == []


def test_poems_come_back_exactly() -> None:
    corpus = load_corpus("poems")
    tokenizer = Tokenizer.train(corpus.train, "char")
    assert [text for text in corpus.train if tokenizer.decode(tokenizer.encode(text)) != text] == []
    assert len(tokenizer.encode(corpus.train[0])) == 23


def test_words_come_back_for_99_percent_of_the_speeches() -> None:
    corpus = load_corpus("speeches")
    texts = corpus.train + corpus.valid + corpus.test
    tokenizer = Tokenizer.train(texts, "word", 100_000)
    different = [(text, back) for text in texts if (back := tokenizer.decode(tokenizer.encode(text))) != text]
    for text, back in different:
        print(f"- {text}\n+ {back}")
    assert any(" -- " in text for text in texts)
    assert len(different) <= 0.01 * len(texts)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("char", "全角，标点！「也」要；原样\u3000保留 Ａ１"),  # the default normalisation would narrow these
        ("char", "two  blanks and ä ö é"),
        ("bpe", "naïve  café №5 ﬁ"),
        ("unigram", "x² and x2 are not the same"),
        ("whitespace", "C4 E4 G4 rest C5"),
    ],
)
def test_nothing_is_rewritten_on_the_way(kind: str, text: str) -> None:
    tokenizer = Tokenizer.train([text, *tiny_lines()], kind, 120)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_line_longer_than_sentencepiece_likes_is_not_lost() -> None:
    long = "ab" * 5000 + "z"
    tokenizer = Tokenizer.train([*tiny_lines(), long], "char")
    assert tokenizer.decode(tokenizer.encode(long)) == long


def test_unknown_characters_and_words_become_unk() -> None:
    chars = Tokenizer.train(tiny_lines(), "char")
    assert chars.encode("Ω") == [UNK]
    assert chars.unknown("hi Ω") == ["Ω"]
    words = Tokenizer.train(tiny_lines(), "word", 12)
    assert len(words) == 12
    assert UNK in words.encode(" ".join(tiny_lines()))


def test_decoding_stops_at_eos_and_skips_what_is_no_text() -> None:
    tokenizer = Tokenizer.train(tiny_lines(), "char")
    ids = tokenizer.encode("hi bo")
    assert tokenizer.decode([BOS, *ids, EOS, *ids, PAD]) == "hi bo"


def test_training_twice_gives_the_same_model() -> None:
    first, second = (Tokenizer.train(tiny_lines(), "unigram", 60) for _ in range(2))
    assert first.model == second.model


def test_a_vocabulary_that_cannot_be_made_is_told() -> None:
    with pytest.raises(ConfigError, match="sentencepiece cannot make a bpe vocabulary of 8 from 60 texts"):
        Tokenizer.train(tiny_lines(), "bpe", 8)


@pytest.mark.parametrize("model", [b"", b"rubbish" * 100, None])
def test_a_damaged_or_foreign_model_is_told(model: bytes | None, tmp_path: Path) -> None:
    if model is None:  # made by sentencepiece with its own special ids
        import io

        import sentencepiece

        buffer = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(tiny_lines()),
            model_writer=buffer,
            model_type="char",
            vocab_size=30,
            hard_vocab_limit=False,
            minloglevel=2,
        )
        model = buffer.getvalue()
    with pytest.raises(CheckpointError, match="tokenizer model"):
        Tokenizer("char", model)
