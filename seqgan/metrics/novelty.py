"""Novelty: how much of the samples is copied from the training texts."""

from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from seqgan.metrics.ngrams import Texts, extended, in_one_row, present, ranked, vocabulary_of


class Copied(NamedTuple):
    """What each sample has in common with the training texts."""

    ngrams: Int[np.ndarray, "N B"]  # of order n = 1 ... N: those that are in a training text, each occurrence
    span: Int[np.ndarray, "B"]  # tokens of the longest span that is in one


def copied(samples: Texts, training: Texts, orders: int) -> Copied:
    """Compare longer and longer n-grams, until none is left that is in both."""
    vocabulary = vocabulary_of(training)
    own, learned = in_one_row(samples, vocabulary), in_one_row(training, vocabulary)
    own_ranks, learned_ranks = np.zeros_like(own.tokens), np.zeros_like(learned.tokens)
    result = Copied(np.zeros((orders, len(samples)), dtype=np.int64), np.zeros(len(samples), dtype=np.int64))
    for order in range(1, max(map(len, samples), default=0) + 1):
        own_keys = extended(own_ranks, own, order, len(vocabulary))
        learned_keys = extended(learned_ranks, learned, order, len(vocabulary))
        shared = np.intersect1d(present(own_keys), present(learned_keys), assume_unique=True)
        if not len(shared):
            break
        # What is not shared cannot be the beginning of anything longer that is: it is absent from here on.
        own_ranks, learned_ranks = ranked(own_keys, shared), ranked(learned_keys, shared)
        owners = own.owner[own_ranks >= 0]
        result.span[owners] = order
        if order <= orders:
            result.ngrams[order - 1] = np.bincount(owners, minlength=len(samples))
    return result


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
