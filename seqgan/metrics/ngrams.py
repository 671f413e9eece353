"""The n-grams of many texts at once, as numbers: all texts are one row, and an n-gram is identified by where it begins.

The number of an n-gram is made of the rank of the (n-1)-gram it begins with and of its last token, so that no n-gram is
ever written out, and long ones cost no more than short ones."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from seqgan.data.pieces import Pieces
from seqgan.data.spans import in_parts

Texts = Sequence[Sequence[str]]
ABSENT = -1


class Row(NamedTuple):
    """Texts one after another."""

    tokens: Int[np.ndarray, "T"]  # the number of every token, ABSENT where the vocabulary lacks it
    owner: Int[np.ndarray, "T"]  # which text it belongs to


def vocabulary_of(texts: Texts) -> dict[str, int]:
    return {token: number for number, token in enumerate(dict.fromkeys(token for text in texts for token in text))}


def in_one_row(texts: Texts, vocabulary: Mapping[str, int]) -> Row:
    tokens = [vocabulary.get(token, ABSENT) for text in texts for token in text]
    lengths = [len(text) for text in texts]
    return Row(np.array(tokens, dtype=np.int64), np.repeat(np.arange(len(texts)), lengths))


def rows_of(pieces: Pieces, vocabulary: Mapping[str, int]) -> Iterator[Row]:
    """Texts that are cut already, some at a time; whitespace, which is a token of a policy, is none here."""
    numbers = np.array([vocabulary.get(token, ABSENT) for token in pieces.types], dtype=np.int64)
    counts = np.array([bool(token.strip()) for token in pieces.types])
    for _, flat, owner in in_parts(pieces.numbers, pieces.starts, pieces.lengths):
        there = counts[flat]
        yield Row(numbers[flat[there]], owner[there])


def extended(ranks: Int[np.ndarray, "T"], row: Row, order: int, types: int) -> Int[np.ndarray, "T"]:
    """The key of the n-gram that begins at every place, from the ranks of the (n-1)-grams there (n = `order`).

    ABSENT where the n-gram would reach into the next text, or holds what was absent before. `types` is the size of the
    vocabulary; for n = 1 all ranks are 0, that of the empty n-gram."""
    keys = np.full_like(row.tokens, ABSENT)
    begin = len(keys) - order + 1
    if begin > 0:
        last = row.tokens[order - 1 :]
        there = (ranks[:begin] >= 0) & (last >= 0) & (row.owner[:begin] == row.owner[order - 1 :])
        keys[:begin] = np.where(there, ranks[:begin] * types + last, ABSENT)
    return keys


def ranked(keys: Int[np.ndarray, "T"], known: Int[np.ndarray, "G"]) -> Int[np.ndarray, "T"]:
    """The place of every key among the sorted known ones, ABSENT where it is none of them."""
    if not len(known):
        return np.full_like(keys, ABSENT)
    places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[places] == keys, places, ABSENT)


def present(keys: Int[np.ndarray, "T"]) -> Int[np.ndarray, "G"]:
    """The different keys, sorted."""
    return np.unique(keys[keys >= 0])
