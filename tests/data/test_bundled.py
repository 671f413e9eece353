"""The bundled texts are varied prose and verse, no permutations of templates: counted, with bounds from real texts."""

import gzip
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from seqgan.data.corpus import load_corpus

SUBSAMPLES = pytest.mark.parametrize("seed", range(3))


@pytest.fixture(scope="module")
def poems() -> list[str]:
    corpus = load_corpus("poems")
    return [*corpus.train, *corpus.valid, *corpus.test]


@pytest.fixture(scope="module")
def speeches() -> list[str]:
    corpus = load_corpus("speeches")
    return [*corpus.train, *corpus.valid, *corpus.test]


def test_poems_are_quatrains_of_five_characters(poems: list[str]) -> None:
    assert len(poems) >= 10_000
    assert all(re.fullmatch(r"([\u4e00-\u9fff]{5} ){3}[\u4e00-\u9fff]{5}", poem) for poem in poems)


def test_no_poem_line_stands_twice(poems: list[str]) -> None:
    lines = Counter(line for poem in poems for line in poem.split())
    assert [line for line, count in lines.items() if count > 1] == []


def test_no_two_poem_lines_share_four_of_their_five_characters(poems: list[str]) -> None:
    found: dict[tuple[int, str], str] = {}
    near = []
    for line in (line for poem in poems for line in poem.split()):
        for place in range(5):
            other = found.setdefault((place, line[:place] + line[place + 1 :]), line)
            near += [(other, line)] if other != line else []
    assert near == []


def test_no_two_poems_share_two_half_lines(poems: list[str]) -> None:
    owners = defaultdict(set)
    for number, poem in enumerate(poems):
        for line in poem.split():
            owners[line[2:]].add(number)
    shared = Counter(pair for several in owners.values() for pair in pairs(several))
    assert [(poems[a], poems[b]) for (a, b), count in shared.items() if count > 1] == []


def pairs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    ordered = sorted(numbers)
    yield from ((a, b) for place, a in enumerate(ordered) for b in ordered[place + 1 :])


@SUBSAMPLES
def test_poems_are_varied(poems: list[str], seed: int) -> None:
    part = random.Random(seed).sample(poems, 1200)
    bigrams = [a + b for poem in part for line in poem.split() for a, b in pairwise(line)]
    assert len(set(bigrams)) >= 0.7 * len(bigrams)  # 1,200 real quatrains: 86%
    assert len(set("".join(part)) - {" "}) >= 1500  # real: 2,900
    [(_, most)] = Counter(poem[:2] for poem in part).most_common(1)
    assert most <= 0.01 * len(part)  # real: 0.3%


def test_the_commonest_characters_carry_the_poems_as_they_carry_real_verse(poems: list[str], real_data: Path) -> None:
    real = gzip.decompress((real_data / "poems" / "jueju5.train.txt.gz").read_bytes()).decode()
    counts = Counter(character for character in real if not character.isspace())
    common = {character for character, _ in counts.most_common(1000)}
    share = sum(counts[character] for character in common) / sum(counts.values())
    ours = [character for poem in poems for character in poem if character != " "]
    assert share == pytest.approx(0.83, abs=0.01)
    assert sum(character in common for character in ours) / len(ours) == pytest.approx(share, abs=0.06)


def test_no_poem_line_is_a_real_one(poems: list[str], real_data: Path) -> None:
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
    assert len(speeches) >= 15_000
    assert all(re.fullmatch(r"[\x20-\x7e]+[.?!\"]", sentence) for sentence in speeches)
    assert all(4 <= len(sentence.split()) <= 45 for sentence in speeches)


def test_no_sentence_stands_twice(speeches: list[str]) -> None:
    assert [s for s, count in Counter(" ".join(words(s)) for s in speeches).items() if count > 1] == []


def test_no_two_sentences_share_half_of_their_word_triples(speeches: list[str]) -> None:
    owners = defaultdict(set)
    for number, sentence in enumerate(speeches):
        for triple in ngrams([sentence], 3):
            owners[triple].add(number)
    near = []
    for number, sentence in enumerate(speeches):
        triples = set(ngrams([sentence], 3))
        earlier = Counter(other for triple in triples for other in owners[triple] if other < number)
        near += [(speeches[other], sentence) for other, n in earlier.items() if n >= max(3, 0.6 * len(triples))]
    assert near == []


def test_every_sentence_has_the_label_of_its_speech() -> None:
    corpus = load_corpus("speeches", label_column="occasion")
    counts = Counter(label for labels in corpus.labels.values() for label in labels)
    assert sum(counts.values()) == len(corpus.train) + len(corpus.valid) + len(corpus.test)
    assert len(counts) == 12
    assert min(counts.values()) >= 1000


def test_no_sentence_is_a_real_one(speeches: list[str], real_data: Path) -> None:
    real = set()
    for path in (real_data / "speeches").glob("*_sentences.*.txt.gz"):
        real |= {" ".join(words(line)) for line in gzip.decompress(path.read_bytes()).decode().splitlines()}
    assert len(real) > 100_000
    assert [s for s in speeches if len(words(s)) > 4 and " ".join(words(s)) in real] == []


@SUBSAMPLES
def test_speeches_are_varied(speeches: list[str], seed: int) -> None:
    """Bounds a little below 2,500 real sentences of a president: .548, .864, .962, 5,449 words, 2.3%, 0.8%."""
    part = random.Random(seed).sample(speeches, 3000)  # as many words
    for n, bound in ((2, 0.5), (3, 0.8), (4, 0.93)):
        found = list(ngrams(part, n))
        assert len(set(found)) >= bound * len(found), n
    assert len({word for sentence in part for word in words(sentence)}) >= 4500
    for n, bound in ((2, 0.025), (3, 0.01)):
        [(_, most)] = Counter(tuple(words(sentence)[:n]) for sentence in part).most_common(1)
        assert most <= bound * len(part), n
