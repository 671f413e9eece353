"""Sequences of ids as an algorithm sees them, and how a corpus becomes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Int
from torch import Tensor

from seqgan.data.corpus import Corpus
from seqgan.data.ragged import Ragged
from seqgan.data.tokenizer import Tokenizer
from seqgan.data.vocabulary import Vocabulary
from seqgan.errors import CorpusError
from seqgan.symbols import EOS, PAD, UNK

Overlong = Literal["truncate", "split", "drop", "error"]
Sequences = Tensor | Sequence[Sequence[int]]
LONGEST_BY_DEFAULT = 64


@dataclass(frozen=True, eq=False)
class EncodedSplit:
    """A split as ids, with what the encoding did to its texts."""

    sequences: Ragged  # each ends with EOS, unless it was truncated
    texts: Int[np.ndarray, "N"]  # the number of the text that each sequence is of, or a part of
    characters: int = 0  # of the texts that these sequences stand for; 0 where there is no text
    overlong: int = 0  # texts longer than the limit
    lost: int = 0  # tokens of theirs that no sequence holds

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], labels: Sequence[int] | None = None) -> "EncodedSplit":
        """Of ids alone."""
        return cls(Ragged.of(rows).labelled(labels), np.arange(len(rows)))

    @cached_property
    def unknown(self) -> float:
        """The share of tokens outside the vocabulary."""
        return int(self.sequences.counted(UNK).sum()) / int(self.sequences.lengths.sum())


@dataclass(frozen=True)
class TokenDataset:
    """What training may look at: the test split is not here."""

    train: EncodedSplit
    valid: EncodedSplit
    vocabulary: Vocabulary
    max_length: int  # tokens, EOS included
    labels: Mapping[str, int] = field(default_factory=dict)  # each, in the order of its number: training texts with it

    @classmethod
    def of(cls, train: Sequences, valid: Sequences, vocabulary: Vocabulary) -> "TokenDataset":
        """A dataset from ids alone: rows padded with PAD, in a tensor or in lists; each should end with EOS.

        Raises:
            CorpusError: a split is empty, or an id is not of the vocabulary."""
        splits = [_unpadded(rows, len(vocabulary)) for rows in (train, valid)]
        max_length = max(len(ids) for sequences in splits for ids in sequences)
        return cls(EncodedSplit.of(splits[0]), EncodedSplit.of(splits[1]), vocabulary, max_length)

    @cached_property
    def counts(self) -> Int[np.ndarray, "V"]:
        """How often each token stands in the training texts."""
        return self.train.sequences.occurrences(len(self.vocabulary))

    def decode(self, sequences: Sequence[Sequence[int]]) -> list[str]:
        """What is shown of samples: nothing else in a training needs text."""
        return [self.vocabulary.decode(ids) for ids in sequences]


def _unpadded(rows: Sequences, vocab_size: int) -> list[list[int]]:
    as_lists = rows.tolist() if isinstance(rows, Tensor) else rows
    sequences = [[token for token in row if token != PAD] for row in as_lists]
    if not sequences or not all(sequences):
        raise CorpusError("a split of the token dataset holds no sequence, or an empty one; give at least one id each")
    if strange := [token for row in sequences for token in row if not UNK <= token < vocab_size]:
        raise CorpusError(
            f"the token dataset holds the id {strange[0]}, but ids from {UNK} to {vocab_size - 1} were expected"
        )
    return sequences


def encode(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    max_length: int,
    overlong: Overlong = "truncate",
    whole: Ragged | None = None,
) -> EncodedSplit:
    """Ids of texts, each at most `max_length` tokens with its EOS.

    A longer text is truncated (and then has no EOS), split into several rows, dropped, or an error. `whole` are the ids
    of the texts, each with EOS and of any length, if they are known already.

    Raises:
        CorpusError: a text is too long and `overlong` is "error", or none is left."""
    whole = with_ends(tokenizer.encode_all(texts)) if whole is None else whole
    lengths = whole.lengths.numpy()
    long = np.flatnonzero(lengths > max_length).tolist()
    if long and overlong == "error":
        text = texts[long[0]]
        raise CorpusError(
            f"a text has {lengths[long[0]]} tokens, more than --max-length {max_length}: {text[:60]!r}; "
            "raise the limit, or choose --overlong truncate, split or drop"
        )
    if overlong == "drop" and len(long) == len(lengths):
        raise CorpusError(
            f"no text is left: all {len(texts)} are longer than --max-length {max_length}; "
            "raise it, or choose --overlong truncate or split"
        )
    sequences, owners = shortened(whole, max_length, overlong)
    lost = 0 if overlong == "split" else int(lengths.sum() - sequences.lengths.sum())
    characters = sum(map(len, texts))
    if overlong != "split":
        characters -= sum(len(texts[number]) for number in long)
    if overlong == "truncate":
        characters += sum(len(tokenizer.pieces(texts[number], max_length)[0]) for number in long)
    return EncodedSplit(sequences, owners, characters, len(long), lost)


def shortened(whole: Ragged, max_length: int, overlong: Overlong) -> tuple[Ragged, Int[np.ndarray, "N"]]:
    """Sequences of at most `max_length` ids, as spans of the same ids, and the number of the text each is of."""
    starts, lengths = whole.starts.numpy(), whole.lengths.numpy()
    owners = np.arange(len(lengths))
    if overlong == "drop":
        owners = np.flatnonzero(lengths <= max_length)
        starts, lengths = starts[owners], lengths[owners]
    elif overlong == "split":
        ends_alone = (lengths > 1) & ((lengths - 1) % max_length == 0)  # a last part of nothing but EOS
        parts = -(-lengths // max_length) - ends_alone
        owners = np.repeat(owners, parts)
        within = (np.arange(len(owners)) - np.repeat(np.cumsum(parts) - parts, parts)) * max_length
        starts, lengths = starts[owners] + within, lengths[owners] - within
    return Ragged.spans(whole.ids, starts, np.minimum(lengths, max_length)), owners


def with_ends(encoded: Sequence[Sequence[int]]) -> Ragged:
    return Ragged.of([[*ids, EOS] for ids in encoded])


def encode_corpus(
    corpus: Corpus, tokenizer: Tokenizer, max_length: int = 0, overlong: Overlong = "truncate"
) -> TokenDataset:
    """The training and validation splits as ids; `max_length` 0 takes the longest training text, within reason.

    Raises:
        CorpusError: a text of any split is too long and `overlong` is "error", or none is left of one."""
    train = with_ends(tokenizer.encode_all(corpus.train))
    max_length = max_length or min(LONGEST_BY_DEFAULT, train.max_length)
    if overlong in ("error", "drop"):  # refused now rather than when training is over
        encode(corpus.test, tokenizer, max_length, overlong)
    return TokenDataset(
        encode(corpus.train, tokenizer, max_length, overlong, train),
        encode(corpus.valid, tokenizer, max_length, overlong),
        tokenizer,
        max_length,
    )


def as_learned(corpus: Corpus, tokenizer: Tokenizer, max_length: int, overlong: Overlong) -> Corpus:
    """The corpus with its texts as a policy sees them: those over `max_length` tokens truncated, split or dropped.

    It is the corpus itself where no text is too long."""

    def fitting(texts: Sequence[str]) -> list[str]:
        kept: list[str] = []
        for text, ids in zip(texts, tokenizer.encode_all(texts), strict=True):
            if len(ids) < max_length:  # its end is a token, too
                kept.append(text)
            elif overlong != "drop":
                pieces = tokenizer.pieces(text, max_length)
                kept += pieces if overlong == "split" else pieces[:1]
        return kept

    fitted = replace(corpus, train=fitting(corpus.train), valid=fitting(corpus.valid), test=fitting(corpus.test))
    return corpus if fitted == corpus else fitted
