"""Novelty: how much of the samples is copied from the training texts."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int
from numpy.typing import NDArray

from seqgan.data.pieces import Pieces
from seqgan.metrics.ngrams import Row, Texts, extended, in_one_row, present, ranked, rows_of, vocabulary_of


class Copied(NamedTuple):
    """What each sample has in common with the training texts."""

    ngrams: Int[np.ndarray, "N B"]  # of order n = 1 ... N: those that are in a training text, each occurrence
    span: Int[np.ndarray, "B"]  # tokens of the longest span that is in one
    seen: Bool[np.ndarray, "B"]  # whether it is one


def copied(samples: Texts, training: Pieces, orders: int) -> Copied:
    """Look up the n-grams of the training texts among those of the samples: a longer one wherever the shorter one is
    found. The training texts are read some at a time, and their n-grams are not held."""
    vocabulary = vocabulary_of(samples)
    own = in_one_row(samples, vocabulary)
    longest = max(map(len, samples), default=0)
    ranks = [np.zeros_like(own.tokens)]  # of the samples' n-grams of each order, where they begin
    grams, found = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=bool)]  # the different ones; those in training
    whole = {bytes(text): False for text in _whole(own, len(samples))}
    for row in rows_of(training, vocabulary):
        places = np.flatnonzero(row.tokens >= 0)
        prefixes = np.zeros_like(places)
        for order in range(1, longest + 1):
            if order == len(grams):
                keys = extended(ranks[-1], own, order, len(vocabulary))
                grams.append(present(keys))
                ranks.append(ranked(keys, grams[-1]))
                found.append(np.zeros(len(grams[-1]), dtype=bool))
            last = places + order - 1
            inside = last < len(row.tokens)
            places, prefixes, last = places[inside], prefixes[inside], last[inside]
            inside = (row.owner[last] == row.owner[places]) & (row.tokens[last] >= 0)
            places = places[inside]
            prefixes = ranked(prefixes[inside] * len(vocabulary) + row.tokens[last[inside]], grams[order])
            places, prefixes = places[prefixes >= 0], prefixes[prefixes >= 0]
            if not len(places):
                break
            found[order][prefixes] = True
        whole.update((text, True) for text in map(bytes, _whole(row)) if text in whole)
    seen = np.array([whole[bytes(text)] for text in _whole(own, len(samples))], dtype=bool)
    result = Copied(np.zeros((orders, len(samples)), dtype=np.int64), np.zeros(len(samples), dtype=np.int64), seen)
    for order in range(1, len(grams)):
        begun = np.flatnonzero(ranks[order] >= 0)
        owners = own.owner[begun[found[order][ranks[order][begun]]]]
        result.span[owners] = order
        if order <= orders:
            result.ngrams[order - 1] = np.bincount(owners, minlength=len(samples))
    return result


def _whole(row: Row, count: int | None = None) -> Iterator[NDArray[np.int64]]:
    """The tokens of each of so many texts; left out, of all up to the last that has any."""
    sizes = np.bincount(row.owner, minlength=count or 0)
    return iter(np.split(row.tokens, np.cumsum(sizes)[:-1])) if len(sizes) else iter(())


class Known:
    """Texts to compare a sample with, whatever its blanks: a detokenizer may set others than a text has."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = sorted(set(map(_without_blanks, texts)))

    def __bool__(self) -> bool:
        return bool(self._texts)

    def holds(self, text: str, *, ended: bool = True) -> bool:
        """Whether a text is one of them, or the beginning of one where it has not ended."""
        text = _without_blanks(text)
        place = bisect_left(self._texts, text)
        if place == len(self._texts):
            return False
        return self._texts[place] == text or (not ended and self._texts[place].startswith(text))


def _without_blanks(text: str) -> str:
    return "".join(text.split())
