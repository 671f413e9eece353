from typing import Any

import pytest
import torch

from seqgan.data.batches import Batches, pad
from seqgan.data.corpus import Corpus
from seqgan.data.dataset import EncodedSplit
from seqgan.data.encoding import Learned, encoded
from seqgan.data.ragged import Ragged
from seqgan.data.spans import Overlong
from seqgan.data.tokenizer import Tokenizer
from seqgan.errors import CorpusError
from seqgan.symbols import EOS, PAD, UNK
from tests.conftest import tiny_lines

ROWS = [[10 + i] * (1 + i % 5) + [EOS] for i in range(23)]


@pytest.fixture(scope="module")
def chars() -> Tokenizer:
    return Tokenizer.train(tiny_lines(), "char")


def learned(texts: list[str], tokenizer: Tokenizer, max_length: int, overlong: Overlong = "truncate") -> Learned:
    return encoded(Corpus("some", texts, texts, texts), tokenizer).learned("train", max_length, overlong)


def in_ids(*words: Any) -> EncodedSplit:
    return learned(*words).split


def test_padding_is_on_the_right_and_masked() -> None:
    batch = pad([[5, 6, EOS], [7, EOS]])
    assert batch.tokens.tolist() == [[5, 6, EOS], [7, EOS, PAD]]
    assert batch.mask.tolist() == [[True, True, True], [True, True, False]]


def test_an_epoch_holds_every_text_once_but_for_an_incomplete_batch() -> None:
    batches = Batches(Ragged.of(ROWS), 5, seed=1)
    assert batches.per_epoch == 4
    seen = [row[0] for step in range(1, 5) for row in batches.at(step).tokens.tolist()]
    assert len(seen) == len(set(seen)) == 20


def test_a_batch_is_a_function_of_seed_and_step() -> None:
    forward, backward = Batches(Ragged.of(ROWS), 5, seed=1), Batches(Ragged.of(ROWS), 5, seed=1)
    steps = [1, 2, 5, 9, 12]
    again = {step: backward.at(step).tokens.tolist() for step in reversed(steps)}
    assert all(forward.at(step).tokens.tolist() == again[step] for step in steps)
    assert Batches(Ragged.of(ROWS), 5, seed=2).at(1).tokens.tolist() != again[1]
    assert forward.at(5).tokens.tolist() != forward.at(1).tokens.tolist()


def test_without_shuffling_the_texts_come_in_their_order() -> None:
    batches = Batches(Ragged.of(ROWS), 5, seed=1, shuffle=False)
    assert [row[0] for row in batches.at(1).tokens.tolist()] == [10, 11, 12, 13, 14]
    assert batches.at(5).tokens.equal(batches.at(1).tokens)


def test_a_batch_is_never_larger_than_the_corpus() -> None:
    assert Batches(Ragged.of(ROWS[:3]), 64, seed=0).at(7).tokens.shape[0] == 3


@pytest.mark.parametrize("made", [Ragged.of(ROWS), Ragged.padded(pad(ROWS).tokens)], ids=["lists", "a tensor"])
def test_rows_are_taken_as_they_are_padded_to_the_longest(made: Ragged) -> None:
    for chosen in ([3, 0, 22], [0], [5, 5]):
        taken, expected = made.take(torch.tensor(chosen)), pad([ROWS[number] for number in chosen])
        assert taken.tokens.equal(expected.tokens)
        assert taken.mask.equal(expected.mask)
        assert taken.tokens.dtype == torch.long


def test_on_an_accelerator_a_batch_is_as_wide_as_the_longest_row_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqgan.data.ragged.on_cpu", lambda _: False)
    taken = Ragged.of(ROWS).take(torch.tensor([0, 1]))
    assert taken.tokens.tolist() == [[10, EOS, *[PAD] * 4], [11, 11, EOS, *[PAD] * 3]]
    assert taken.mask.equal(taken.tokens != PAD)


def test_a_text_ends_with_eos_and_a_long_one_is_cut(chars: Tokenizer) -> None:
    cut = learned(["hi bo", "hm"], chars, 4, "truncate")
    assert list(cut.split.sequences) == [chars.encode("hi b"), [*chars.encode("hm"), EOS]]
    assert cut.split.overlong == 1
    assert cut.characters() == 6


def test_a_long_text_is_split_dropped_or_an_error(chars: Tokenizer) -> None:
    ids = [*chars.encode("hi bo"), EOS]
    assert in_ids(["hi bo", "hm"], chars, 4, "split").sequences[:] == [ids[:4], ids[4:], [*chars.encode("hm"), EOS]]
    assert learned(["hi bo", "hm"], chars, 4, "split").characters() == 7
    assert in_ids(["hi bo", "hm"], chars, 4, "drop").sequences[:] == [[*chars.encode("hm"), EOS]]
    with pytest.raises(CorpusError, match="a text has 6 tokens, more than --max-length 4: 'hi bo'"):
        in_ids(["hi bo", "hm"], chars, 4, "error")
    with pytest.raises(CorpusError, match="no text is left: all 1 are longer"):
        in_ids(["hi bo"], chars, 4, "drop")


def test_the_share_of_unknown_tokens_is_counted(chars: Tokenizer) -> None:
    some = in_ids(["Ωi"], chars, 10)
    assert list(some.sequences) == [[UNK, *chars.encode("i"), EOS]]
    assert some.unknown == pytest.approx(1 / 3)
