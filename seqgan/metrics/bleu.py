"""BLEU against many references, exactly and fast (Papineni et al. 2002), and Self-BLEU (Zhu et al. 2018).

All hypotheses share one set of references, so the clip of an n-gram, its largest count in any one reference, is the
same for all of them: an index holds it once. The second largest count is what is left when the reference with the
largest is taken away, which makes leave-one-out Self-BLEU as cheap, and as exact."""

from collections import Counter
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from seqgan.metrics.ngrams import Row, Texts, extended, in_one_row, present, ranked, vocabulary_of

ORDERS = 5
EPSILON = 0.1  # what method1 counts where nothing matches (Chen and Cherry 2014, smoothing 1)


class Matches(NamedTuple):
    """What BLEU is made of, for every hypothesis and every order n = 1 ... N."""

    matched: Int[np.ndarray, "N H"]  # n-grams that a reference has as well, clipped
    possible: Int[np.ndarray, "N H"]  # n-grams there are, but at least 1
    length: Int[np.ndarray, "H"]  # tokens
    closest: Int[np.ndarray, "H"]  # length of the reference nearest in length, the shorter of two


class Index:
    """The n-grams of a set of texts, with the largest and the second largest count of each in a single text."""

    def __init__(self, texts: Texts, orders: int = ORDERS) -> None:
        self.size, self.lengths, self.vocabulary = len(texts), Counter(map(len, texts)), vocabulary_of(texts)
        self._grams: list[np.ndarray] = []  # of each order: the different keys, sorted
        self._two_largest: list[tuple[np.ndarray, np.ndarray]] = []  # of each order: for every key
        row = in_one_row(texts, self.vocabulary)
        ranks = np.zeros_like(row.tokens)
        for order in range(1, orders + 1):
            keys = extended(ranks, row, order, len(self.vocabulary))
            self._grams.append(present(keys))
            ranks = ranked(keys, self._grams[-1])
            self._two_largest.append(_two_largest(*_counts(ranks, row)[1:]))

    def matches(self, hypotheses: Texts, *, among_them: bool = False) -> Matches:
        """Compare hypotheses with the texts of the index; `among_them`: they are these texts, each without itself."""
        row = in_one_row(hypotheses, self.vocabulary)
        ranks = np.zeros_like(row.tokens)
        matched = []
        for order, (grams, (largest, second)) in enumerate(zip(self._grams, self._two_largest, strict=True), start=1):
            ranks = ranked(extended(ranks, row, order, len(self.vocabulary)), grams)
            texts, found, counts = _counts(ranks, row)
            limits = largest[found]
            if among_them:
                limits = np.where(counts == limits, second[found], limits)
            matched.append(np.bincount(texts, np.minimum(counts, limits), minlength=len(hypotheses)).astype(np.int64))
        length = np.array([len(text) for text in hypotheses], dtype=np.int64)
        possible = np.maximum(1, length - np.arange(len(matched))[:, None])
        return Matches(np.stack(matched), possible, length, self._closest(length, among_them))

    def _closest(self, length: Int[np.ndarray, "H"], among_them: bool) -> Int[np.ndarray, "H"]:
        nearest = {}
        for own in set(length.tolist()):
            others = [other for other in self.lengths if not (among_them and other == own and self.lengths[own] == 1)]
            nearest[own] = min(others, key=lambda other: (abs(other - own), other))
        return np.array([nearest[own] for own in length.tolist()], dtype=np.int64)


def _counts(ranks: Int[np.ndarray, "T"], row: Row) -> tuple[Int[np.ndarray, "C"], ...]:
    """How often each n-gram stands in each text: text, rank, count."""
    there = ranks >= 0
    kinds = int(ranks.max(initial=0)) + 1
    pairs, counts = np.unique(row.owner[there] * kinds + ranks[there], return_counts=True)
    return pairs // kinds, pairs % kinds, counts


def _two_largest(
    ranks: Int[np.ndarray, "C"], counts: Int[np.ndarray, "C"]
) -> tuple[Int[np.ndarray, "G"], Int[np.ndarray, "G"]]:
    """For every rank its largest count, and its largest in another text (0 where it stands in one alone)."""
    order = np.lexsort((-counts, ranks))
    ranks, counts = ranks[order], counts[order]
    first = np.flatnonzero(np.diff(ranks, prepend=-1))
    following = np.minimum(first + 1, len(ranks) - 1)
    alone = (following == first) | (ranks[following] != ranks[first])
    return counts[first], np.where(alone, 0, counts[following])


def sentence_bleu(matches: Matches) -> Float[np.ndarray, "N H"]:
    """BLEU-1 ... BLEU-N of every hypothesis, smoothed by method1: what nltk's `sentence_bleu` gives.

    The geometric mean of the precisions of order 1 to n, times exp(1 - closest / length) where the hypothesis is
    shorter than the closest reference; 0 where no token matches."""
    matched, possible, length, closest = matches
    precision = np.where(matched > 0, matched, EPSILON) / possible
    geometric = np.exp(np.log(precision).cumsum(axis=0) / np.arange(1, len(matched) + 1)[:, None])
    brevity = np.exp(np.minimum(0.0, 1 - closest / np.maximum(length, 1)))
    return np.where(matched[0] > 0, geometric * brevity, 0.0)


def corpus_bleu(matches: Matches) -> Float[np.ndarray, "N"]:
    """BLEU-1 ... BLEU-N of all hypotheses together: counts and lengths are summed first."""
    return sentence_bleu(Matches(*(part.sum(axis=-1, keepdims=True) for part in matches)))[:, 0]
