"""Copies are found, variety is counted, forms are recognised; each against a count by hand."""

import random

import numpy as np
import pytest

from seqgan.data.pieces import cut
from seqgan.metrics import MetricInput, form, novelty, variety
from seqgan.metrics.diversity import distinct, ngrams_of
from seqgan.metrics.ngrams import extended, in_one_row, present, ranked, vocabulary_of
from seqgan.metrics.novelty import copied


def longest_common_span(sample: list[str], training: list[list[str]]) -> int:
    """By trying all spans."""
    spans = {tuple(t[i:j]) for t in training for i in range(len(t)) for j in range(i + 1, len(t) + 1)}
    own = [(j - i) for i in range(len(sample)) for j in range(i + 1, len(sample) + 1) if tuple(sample[i:j]) in spans]
    return max(own, default=0)


@pytest.mark.parametrize("seed", range(20))
def test_copied_spans_and_ngrams_are_those_found_by_trying_all(seed: int) -> None:
    rng = random.Random(seed)
    training, samples = (
        [[rng.choice("abcd") for _ in range(rng.randrange(0, 9))] for _ in range(count)] for count in (5, 8)
    )
    samples.append(list("xyz"))
    result = copied(samples, cut(map(" ".join, training), "whitespace"), orders=3)
    assert result.span.tolist() == [longest_common_span(sample, training) for sample in samples]
    for order in (1, 2, 3):
        known = {tuple(t[i : i + order]) for t in training for i in range(len(t) - order + 1)}
        counts = [sum(tuple(s[i : i + order]) in known for i in range(len(s) - order + 1)) for s in samples]
        assert result.ngrams[order - 1].tolist() == counts


def test_ngrams_do_not_reach_into_the_next_text() -> None:
    texts = [["a", "b"], ["c"], [], ["a", "b", "c"]]
    vocab_size = vocabulary_of(texts)
    row = in_one_row(texts, vocab_size)
    ranks = np.zeros_like(row.tokens)
    found = []
    for order in (1, 2, 3, 4):
        keys = extended(ranks, row, order, len(vocab_size))
        ranks = ranked(keys, present(keys))
        found.append(int((ranks >= 0).sum()))
    assert found == [6, 3, 1, 0]


def test_novelty_counts_whole_samples_lines_and_ngrams() -> None:
    training = ["春眠不觉晓 处处闻啼鸟", "床前明月光 疑是地上霜"]
    samples = ["床前明月光 疑是地上霜", "床前明月光 处处是天空", "山高水又长 人在画中行", "一二三四五 六七八九十"]
    numbers = {name: number.value for name, number in novelty(MetricInput(samples, (), training, "chars")).items()}
    assert numbers["seen"] == 1 / 4
    assert numbers["seen-lines"] == 3 / 8
    # 10 characters each: all 9 pairs of the first; 4 + 光-处 no, 处处 yes of the second
    assert numbers["seen-2"] == pytest.approx((9 + 4 + 1) / 36)
    assert numbers["copied-longest"] == 10
    assert numbers["copied"] == pytest.approx((10 + 5 + 0 + 0) / 4)


def test_novelty_is_not_reported_without_training_texts_nor_lines_for_words() -> None:
    assert novelty(MetricInput(["a b"])) == {}
    assert "seen-lines" not in novelty(MetricInput(["a b"], (), ["a b"], "words"))


def test_distinct_n_is_different_over_all() -> None:
    assert distinct(ngrams_of([["a", "b", "a", "b"]], 2)) == [2 / 3]
    assert distinct(ngrams_of([["a"], []], 2)) == [0.0]
    numbers = variety(MetricInput(["a b", "a b", "c d", "a b"]))
    assert numbers["distinct"].value == 0.5
    assert numbers["distinct-1"].value == 4 / 8


def test_the_form_is_that_of_most_training_texts() -> None:
    training = ["一二三四五 一二三四五 一二三四五 一二三四五"] * 3 + ["一二三"]
    samples = [
        "五四三二一 五四三二一 五四三二一 五四三二一",
        "五四三二一 五四三二一 五四三二一 五四三二",
        "一二三",
        "一",
    ]
    measured = form(MetricInput(samples, (), training, "chars"))
    assert measured["form"].value == 1 / 4
    assert "form:5-5-5-5" in measured["form"].signature
    assert measured["length"].value == (20 + 19 + 3 + 1) / 4


def test_texts_without_a_common_form_have_none() -> None:
    assert "form" not in form(MetricInput(["一二"], (), ["一", "一二", "一二三"], "chars"))
    assert "form" not in form(MetricInput(["a b"], (), ["a b"], "words"))


def test_distinct_without_a_block_is_that_of_the_other_texts() -> None:
    rng = random.Random(0)
    texts = [[rng.choice("abcdefghijkl") for _ in range(rng.randrange(8))] for _ in range(57)]
    parts = [range(block, 50, 5) for block in range(5)]
    for order in (1, 2, 3):
        value, *without = distinct(ngrams_of(texts, order), parts)
        assert value == distinct(ngrams_of(texts, order))[0]
        for part, found in zip(parts, without, strict=True):
            others = [text for number, text in enumerate(texts) if number not in part]
            assert found == pytest.approx(distinct(ngrams_of(others, order))[0])
