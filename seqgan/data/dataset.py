"""Sequences of ids as an algorithm sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from seqgan.data.ragged import Ragged
from seqgan.data.vocabulary import Vocabulary
from seqgan.errors import CorpusError
from seqgan.symbols import PAD, UNK

Sequences = Tensor | Sequence[Sequence[int]]


@dataclass(frozen=True, eq=False)
class EncodedSplit:
    """A split as ids, with what the encoding did to its texts."""

    sequences: Ragged  # each ends with EOS, unless it was truncated
    texts: Int[np.ndarray, "N"]  # the number of the text that each sequence is of, or a part of
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
    ends: bool = True  # False: all sequences have the longest length, and no EOS

    @classmethod
    def of(cls, train: Sequences, valid: Sequences, vocabulary: Vocabulary, *, ends: bool = True) -> "TokenDataset":
        """A dataset from ids alone: rows padded with PAD, in a tensor or in lists; each should end with EOS, or without
        `ends` all should have one length.

        Raises:
            CorpusError: a split is empty, or an id is not of the vocabulary; or lengths differ that should not."""
        splits = [_unpadded(rows, len(vocabulary)) for rows in (train, valid)]
        lengths = {len(ids) for sequences in splits for ids in sequences}
        if not ends and len(lengths) > 1:
            raise CorpusError(
                f"the token dataset holds sequences of {min(lengths)} to {max(lengths)} ids without an end; give "
                "sequences of one length"
            )
        return cls(EncodedSplit.of(splits[0]), EncodedSplit.of(splits[1]), vocabulary, max(lengths), ends=ends)

    @cached_property
    def counts(self) -> Int[np.ndarray, "V"]:
        """How often each token stands in the training texts."""
        return self.train.sequences.occurrences(len(self.vocabulary))

    def halves(self) -> tuple["TokenDataset", "TokenDataset"]:
        """Two datasets with every second training text each, beside the same validation split.

        Raises:
            CorpusError: there is a single training text."""
        numbers = self.train.texts % 2
        if len(set(numbers.tolist())) < 2:
            raise CorpusError("the training split holds a single text, and cross-fitting halves it; give at least two")
        parts = (np.flatnonzero(numbers == half) for half in (0, 1))
        first, second = (
            EncodedSplit(self.train.sequences.part(torch.from_numpy(part)), self.train.texts[part]) for part in parts
        )
        return replace(self, train=first), replace(self, train=second)

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
