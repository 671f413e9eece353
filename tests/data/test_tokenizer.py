import random
from pathlib import Path

import pytest

from seqgan.data.corpus import load_corpus
from seqgan.data.tokenizer import NONCHARACTERS, SPLIT, Tokenizer
from seqgan.errors import CheckpointError, ConfigError
from seqgan.symbols import BOS, EOS, PAD, UNK
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
    texts = load_corpus("speeches").train[::4]
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
    overlong = "ab" * 5000 + "z"
    tokenizer = Tokenizer.train([*tiny_lines(), overlong], "char")
    assert tokenizer.decode(tokenizer.encode(overlong)) == overlong


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
    alphabet = len(set("".join(tiny_lines())))
    for kind in ("bpe", "unigram"):
        with pytest.raises(ConfigError, match=rf"a {kind} vocabulary of 8 has no room for the {alphabet} characters"):
            Tokenizer.train(tiny_lines(), kind, 8)
        assert len(Tokenizer.train(tiny_lines(), kind, alphabet + EOS + 1)) == alphabet + EOS + 1


@pytest.mark.parametrize("kind", ["word", "whitespace"])
def test_a_word_that_sentencepiece_cannot_hold_is_told_as_such(kind: str) -> None:
    with pytest.raises(ConfigError, match=r"the longest word of the texts, of 70000 characters \('x{20}'...\)"):
        Tokenizer.train([*tiny_lines(), "x" * 70_000], kind)
    Tokenizer.train([*tiny_lines(), "x" * 70_000], "char")


# --- every token is one id, and no text is taken for a mark

KINDS = ("char", "word", "bpe", "unigram", "whitespace")
MARKS = ["<s>", "</s>", "<unk>", "<pad>", "\u2581", "\u2585", "\x1f", "\ufdd0<unk>", "\ufdd1", "\u2047", "<0x41>"]
SCRIPTS = [
    (0x20, 0x7E),
    (0xA0, 0x24F),
    (0x370, 0x52F),
    (0x5D0, 0x6FF),
    (0x900, 0x97F),
    (0x3041, 0x30FF),
    (0x4E00, 0x9FFF),
]
ALL_SCRIPTS = [*SCRIPTS, (0xAC00, 0xD7A3), (0x1F300, 0x1FAFF), (0x1, 0xD7FF), (0xE000, 0x10FFFF)]


def random_texts(rng: random.Random, count: int) -> list[str]:
    """Words of one script or several, with marks of sentencepiece among them, and blanks of all kinds between."""

    def word() -> str:
        if rng.random() < 0.2:
            return rng.choice(MARKS)
        low, high = rng.choice(ALL_SCRIPTS)
        return "".join(chr(rng.randint(low, min(high, low + 40))) for _ in range(rng.randint(1, 8)))

    return [
        "".join(word() + rng.choice([" ", " ", " ", "  ", "", "\u3000", "\t"]) for _ in range(9)) for _ in range(count)
    ]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_token_is_one_unk_whatever_the_text(kind: str, seed: int) -> None:
    rng = random.Random(seed)
    known, others = random_texts(rng, 30), random_texts(rng, 200)
    size = 12 if kind in ("word", "whitespace", "char") else len(set("".join(known))) + 60
    tokenizer = Tokenizer.train(known, kind, size)
    encoded = tokenizer.encode_all(others)
    assert encoded == [tokenizer.encode(text) for text in others]
    assert any(row.count(UNK) > 2 for row in encoded)
    for text, row in zip(others, encoded, strict=True):
        assert not {PAD, BOS, EOS} & {*row}
        if kind in SPLIT:
            assert len(row) == len(SPLIT[kind](text))
        else:  # known subwords make up what the text holds besides unknown characters
            characters = {*"".join(known)} - {*NONCHARACTERS}
            assert row.count(UNK) == sum(character not in characters for character in text)
            assert sum(len(tokenizer.decode([token])) for token in row) == len(text)


def test_the_number_of_ids_is_the_number_of_words_and_characters() -> None:
    words = Tokenizer.train(["a b"] * 30, "word", 12)
    assert words.encode("a zzz yyy xxx b") == [words.encode("a")[0], UNK, UNK, UNK, words.encode("b")[0]]
    for kind in ("char", "bpe", "unigram"):
        tokenizer = Tokenizer.train(["ab", "ba"] * 30, kind, 8)
        assert tokenizer.encode("aWXYZb").count(UNK) == 4
        assert tokenizer.pieces("WXYZ", 2) == ["WX", "YZ"]
        assert tokenizer.unknown("aWXWb") == ["W", "X"]


def test_as_many_words_of_held_out_speeches_are_unknown_as_are_not_in_the_vocabulary() -> None:
    corpus = load_corpus("speeches")
    train = corpus.train[:300]
    tokenizer = Tokenizer.train(train, "word", 100_000)
    known = {word for text in train for word in SPLIT["word"](text)}
    cut = [SPLIT["word"](text) for text in corpus.valid[:100]]
    encoded = tokenizer.encode_all(corpus.valid[:100])
    assert [[token == UNK for token in row] for row in encoded] == [
        [word not in known for word in text] for text in cut
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_the_marks_of_sentencepiece_are_text_like_any_other(kind: str) -> None:
    texts = [f"<s> the {mark} of {name} </s>" for mark in MARKS[:7] + MARKS[9:] for name in ("anna", "bo", "cleo")]
    if kind in ("word", "whitespace"):
        texts = [text for text in texts if "\x1f" not in text]  # which is a blank to Python
    tokenizer = Tokenizer.train(texts, kind, 200)
    assert [tokenizer.decode(row) for row in tokenizer.encode_all(texts)] == texts
    assert not any({PAD, BOS, UNK, EOS} & {*row} for row in tokenizer.encode_all(texts))
    assert tokenizer.pieces(texts[0], 1000) == texts[:1]


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
