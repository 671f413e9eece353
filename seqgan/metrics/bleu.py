"""BLEU against many references, exactly and fast (Papineni et al. 2002), and Self-BLEU (Zhu et al. 2018).

All hypotheses share one set of references, so the clip of an n-gram, its largest count in any one reference, is the
same for all of them: an index holds it once. The second largest count is what is left when the reference with the
largest is taken away, which makes leave-one-out Self-BLEU as cheap, and as exact."""

from collections import Counter
from collections.abc import Sequence
from copy import copy
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


class Counts(NamedTuple):
    """How often each n-gram occurs in each text."""

    text: Int[np.ndarray, "C"]
    gram: Int[np.ndarray, "C"]
    times: Int[np.ndarray, "C"]


class Located(NamedTuple):
    """Hypotheses, cut into the n-grams of an index once, to be compared with it and with parts of it."""

    counts: list[Counts]  # of each order
    length: Int[np.ndarray, "H"]


class Index:
    """The n-grams of a set of texts, with the largest and the second largest count of each in a single text."""

    def __init__(self, texts: Texts, orders: int = ORDERS) -> None:
        self.size, self.vocabulary = len(texts), vocabulary_of(texts)
        self._lengths = np.array([len(text) for text in texts], dtype=np.int64)
        self._grams: list[np.ndarray] = []  # of each order: the different keys, sorted
        self._counts: list[Counts] = []  # of each order: n-gram by n-gram, the largest count first
        row = in_one_row(texts, self.vocabulary)
        ranks = np.zeros_like(row.tokens)
        for order in range(1, orders + 1):
            keys = extended(ranks, row, order, len(self.vocabulary))
            self._grams.append(present(keys))
            ranks = ranked(keys, self._grams[-1])
            counts = _counted(ranks, row)
            by_gram = np.lexsort((-counts.times, counts.gram))
            self._counts.append(Counts(*(part[by_gram] for part in counts)))
        self._take(self._counts, self._lengths)

    def _take(self, counts: Sequence[Counts], lengths: Int[np.ndarray, "H"]) -> None:
        self.lengths = Counter(lengths.tolist())
        pairs = zip(counts, self._grams, strict=True)
        self._two_largest = [_two_largest(several, len(grams)) for several, grams in pairs]  # for every n-gram

    def without(self, texts: Sequence[int]) -> "Index":
        """The index of all but some of the texts, by number. Cheap: nothing is cut or sorted again."""
        stays = np.ones(self.size, dtype=bool)
        stays[list(texts)] = False
        part = copy(self)
        part._take(
            [Counts(*(of[stays[counts.text]] for of in counts)) for counts in self._counts], self._lengths[stays]
        )
        return part

    def locate(self, hypotheses: Texts) -> Located:
        """The n-grams of hypotheses that the index knows."""
        row = in_one_row(hypotheses, self.vocabulary)
        ranks = np.zeros_like(row.tokens)
        counts = []
        for order, grams in enumerate(self._grams, start=1):
            ranks = ranked(extended(ranks, row, order, len(self.vocabulary)), grams)
            counts.append(_counted(ranks, row))
        return Located(counts, np.array([len(text) for text in hypotheses], dtype=np.int64))

    def matches(self, hypotheses: Texts | Located, *, among_them: bool = False) -> Matches:
        """Compare hypotheses with the texts of the index; `among_them`: they are these texts, each without itself."""
        counts, length = hypotheses if isinstance(hypotheses, Located) else self.locate(hypotheses)
        matched = []
        for (texts, found, count), (largest, second) in zip(counts, self._two_largest, strict=True):
            limits = largest[found]
            if among_them:
                limits = np.where(count == limits, second[found], limits)
            matched.append(np.bincount(texts, np.minimum(count, limits), minlength=len(length)).astype(np.int64))
        possible = np.maximum(1, length - np.arange(len(matched))[:, None])
        return Matches(np.stack(matched), possible, length, self._closest(length, among_them))

    def _closest(self, length: Int[np.ndarray, "H"], among_them: bool) -> Int[np.ndarray, "H"]:
        nearest = {}
        for own in set(length.tolist()):
            others = [other for other in self.lengths if not (among_them and other == own and self.lengths[own] == 1)]
            nearest[own] = min(others, key=lambda other: (abs(other - own), other))
        return np.array([nearest[own] for own in length.tolist()], dtype=np.int64)


def _counted(ranks: Int[np.ndarray, "T"], row: Row) -> Counts:
    there = ranks >= 0
    kinds = int(ranks.max(initial=0)) + 1
    pairs, counts = np.unique(row.owner[there] * kinds + ranks[there], return_counts=True)
    return Counts(pairs // kinds, pairs % kinds, counts)


def _two_largest(counts: Counts, grams: int) -> tuple[Int[np.ndarray, "G"], Int[np.ndarray, "G"]]:
    """For every n-gram its largest count, and its largest in another text (0 where there is none)."""
    largest, second = np.zeros(grams, dtype=np.int64), np.zeros(grams, dtype=np.int64)
    first = np.flatnonzero(np.diff(counts.gram, prepend=-1))
    largest[counts.gram[first]] = counts.times[first]
    following = np.minimum(first + 1, max(0, len(counts.gram) - 1))
    again = (following != first) & (counts.gram[following] == counts.gram[first])
    second[counts.gram[first[again]]] = counts.times[following[again]]
    return largest, second


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
