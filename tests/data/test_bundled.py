"""The bundled texts are varied prose and verse, no permutations of templates: counted, with bounds from real texts."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from seqgan.data.corpus import load_corpus


@pytest.fixture(scope="module")
def poems() -> list[str]:
    corpus = load_corpus("poems")
    return corpus.train + corpus.valid + corpus.test


@pytest.fixture(scope="module")
def speeches() -> list[str]:
    corpus = load_corpus("speeches")
    return corpus.train + corpus.valid + corpus.test


def test_poems_are_quatrains_of_five_characters(poems: list[str]) -> None:
    assert len(poems) >= 1200
    assert all(re.fullmatch(r"([\u4e00-\u9fff]{5} ){3}[\u4e00-\u9fff]{5}", poem) for poem in poems)


def test_no_poem_line_stands_twice(poems: list[str]) -> None:
    lines = Counter(line for poem in poems for line in poem.split())
    assert [line for line, count in lines.items() if count > 1] == []


def test_poems_are_varied(poems: list[str]) -> None:
    bigrams = [a + b for poem in poems for line in poem.split() for a, b in pairwise(line)]
    assert len(set(bigrams)) >= 0.7 * len(bigrams)  # 1,200 real quatrains: 86 %
    assert len(set("".join(poems)) - {" "}) >= 1500  # real: 2,900
    [(_, most)] = Counter(poem[:2] for poem in poems).most_common(1)
    assert most <= 0.01 * len(poems)  # real: 0.3 %


def test_no_poem_line_is_a_real_one(poems: list[str], real_data: Path) -> None:
    import gzip

    real = set()
    for path in (real_data / "poems").glob("*.txt.gz"):
        real |= set(gzip.decompress(path.read_bytes()).decode().split())
    assert len(real) > 100_000
    assert {line for poem in poems for line in poem.split()} & real == set()


def words(sentence: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", sentence.lower())


def ngrams(sentences: list[str], n: int) -> Iterator[tuple[str, ...]]:
    for sentence in sentences:
        tokens = words(sentence)
        yield from (tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def test_speeches_are_sentences(speeches: list[str]) -> None:
    assert len(speeches) >= 2500
    assert all(re.fullmatch(r"[\x20-\x7e]+[.?!\"]", sentence) for sentence in speeches)
    assert all(4 <= len(sentence.split()) <= 45 for sentence in speeches)


def test_no_sentence_stands_twice(speeches: list[str]) -> None:
    assert [s for s, count in Counter(" ".join(words(s)) for s in speeches).items() if count > 1] == []


def test_speeches_are_varied(speeches: list[str]) -> None:
    """Bounds a little below 2,500 real sentences of a president: .548, .864, .962, 5,449 words, 2.3 %, 0.8 %."""
    part = speeches[:2500]
    for n, bound in ((2, 0.5), (3, 0.8), (4, 0.93)):
        found = list(ngrams(part, n))
        assert len(set(found)) >= bound * len(found), n
    assert len({word for sentence in part for word in words(sentence)}) >= 4500
    for n, bound in ((2, 0.025), (3, 0.01)):
        [(_, most)] = Counter(tuple(words(sentence)[:n]) for sentence in part).most_common(1)
        assert most <= bound * len(part), n
