"""BLEU is that of nltk and sacrebleu, to rounding; and the numbers that others published come out again."""

import gzip
import random
from pathlib import Path

import numpy as np
import pytest
from nltk.translate.bleu_score import SmoothingFunction
from nltk.translate.bleu_score import corpus_bleu as nltk_corpus
from nltk.translate.bleu_score import sentence_bleu as nltk_sentence
from sacrebleu import BLEU

from seqgan.metrics import MetricInput, backward_bleu, bleu, self_bleu, variety
from seqgan.metrics.bleu import EPSILON, Index, corpus_bleu, sentence_bleu

METHOD1 = SmoothingFunction().method1
ORDERS = range(1, 6)
WEIGHTS = [(1 / n,) * n for n in ORDERS]
Texts = list[list[str]]


def random_texts(rng: random.Random, count: int, types: int, lengths: tuple[int, ...]) -> Texts:
    """Texts with duplicates, empty ones, ones shorter than n, and n-grams that stand several times in one text."""
    texts = [[str(rng.randrange(types)) for _ in range(rng.choice(lengths))] for _ in range(count)]
    return [*texts, texts[0]]


@pytest.fixture(params=range(40), ids=lambda number: f"corpus{number}")
def corpora(request: pytest.FixtureRequest) -> tuple[Texts, Texts]:
    """References and hypotheses; one hypothesis is a reference."""
    rng = random.Random(request.param)
    types = rng.choice([1, 2, 5, 30])
    references = random_texts(rng, rng.choice([1, 2, 7]), types, (0, 1, 2, 3, 5, 9))
    return references, [*random_texts(rng, 6, types + 1, (0, 1, 2, 3, 4, 5, 12)), references[0]]


def by_nltk(references: Texts, hypothesis: list[str]) -> list[float]:
    return [nltk_sentence(references, hypothesis, w, METHOD1) if hypothesis else 0.0 for w in WEIGHTS]


def test_sentence_bleu_is_nltks(corpora: tuple[Texts, Texts]) -> None:
    references, hypotheses = corpora
    ours = sentence_bleu(Index(references).matches(hypotheses))
    theirs = np.array([by_nltk(references, hypothesis) for hypothesis in hypotheses]).T
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


def test_corpus_bleu_is_nltks(corpora: tuple[Texts, Texts]) -> None:
    references, hypotheses = corpora
    ours = corpus_bleu(Index(references).matches(hypotheses))
    theirs = [nltk_corpus([references] * len(hypotheses), hypotheses, w, METHOD1) for w in WEIGHTS]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


def test_self_bleu_leaves_the_hypothesis_out_and_only_one_copy_of_it(corpora: tuple[Texts, Texts]) -> None:
    texts, _ = corpora
    ours = sentence_bleu(Index(texts).matches(texts, among_them=True))
    theirs = [by_nltk([*texts[:i], *texts[i + 1 :]], text) for i, text in enumerate(texts)]
    np.testing.assert_allclose(ours, np.array(theirs).T, rtol=0, atol=1e-9)


def test_bleu_is_sacrebleus_where_a_text_is_long_enough(corpora: tuple[Texts, Texts]) -> None:
    references, hypotheses = corpora
    lines = [[" ".join(text)] for text in references]
    ours = sentence_bleu(Index(references).matches(hypotheses))
    options = {"smooth_method": "floor", "smooth_value": EPSILON, "tokenize": "none"}
    for order in range(2, 6):
        scorer = BLEU(max_ngram_order=order, **options)
        for number, hypothesis in enumerate(hypotheses):
            if len(hypothesis) >= order:
                score = scorer.corpus_score([" ".join(hypothesis)], lines).score / 100
                assert ours[order - 1, number] == pytest.approx(score, abs=1e-9)
        overlong = [text for text in hypotheses if len(text) >= order]
        if overlong:
            score = (
                scorer.corpus_score([" ".join(t) for t in overlong], [line * len(overlong) for line in lines]).score
                / 100
            )
            assert corpus_bleu(Index(references).matches(overlong))[order - 1] == pytest.approx(score, abs=1e-9)


def test_the_arithmetic_of_one_example() -> None:
    # "a b b" against "a b c d": 2 of 3 words and 1 of 2 pairs match; shorter by one, so exp(1 - 4/3)
    scores = sentence_bleu(Index([["a", "b", "c", "d"]]).matches([["a", "b", "b"]]))
    assert scores[1, 0] == pytest.approx((2 / 3 * 1 / 2) ** 0.5 * np.exp(-1 / 3))
    # no triple matches: method1 counts a tenth of one
    assert scores[2, 0] == pytest.approx((2 / 3 * 1 / 2 * 0.1 / 1) ** (1 / 3) * np.exp(-1 / 3))


def test_the_closest_length_of_two_is_the_shorter() -> None:
    matches = Index([["a"] * 2, ["a"] * 6]).matches([["a"] * 4, ["a"] * 5])
    assert matches.closest.tolist() == [2, 6]


def test_identical_texts_have_self_bleu_1_and_different_ones_less() -> None:
    assert self_bleu(MetricInput(["the same line", "the same line"]))["self-bleu-2"].value == 1.0
    assert self_bleu(MetricInput(["a b c d", "e f g h"]))["self-bleu-2"].value == 0.0


def test_self_bleu_of_one_text_is_undefined_and_left_out() -> None:
    assert self_bleu(MetricInput(["a single line"])) == {}


def test_self_bleu_does_not_remember_an_earlier_set_of_samples() -> None:
    first, second = MetricInput(["a b c d e f"] * 5), MetricInput([f"{i} {i + 1} {i + 2}" for i in range(0, 50, 10)])
    assert self_bleu(first)["self-bleu-3"].value > self_bleu(second)["self-bleu-3"].value
    assert self_bleu(second) == self_bleu(MetricInput(second.samples))


def test_backward_bleu_swaps_the_roles() -> None:
    samples, references = ["a b c", "d e f g"], ["a b c d", "e f g a", "b c"]
    forward = bleu(MetricInput(references, samples))
    backward = backward_bleu(MetricInput(samples, references))
    for order in range(2, 6):
        assert backward[f"backward-bleu-{order}"].value == forward[f"bleu-{order}"].value


def test_bleu_grows_with_the_number_of_references_and_says_how_many_there_are() -> None:
    rng = random.Random(0)
    lines = [" ".join(rng.choice("abcdefghij") for _ in range(8)) for _ in range(400)]
    few, many = (bleu(MetricInput(lines[:100], lines[100 : 100 + count]))["bleu-3"] for count in (20, 300))
    assert few.value < many.value
    assert "refs:20|" in few.signature
    assert "refs:300|" in many.signature
    assert "n:100|" in many.signature


def test_the_error_of_bleu_is_that_of_a_mean_over_hypotheses() -> None:
    rng = random.Random(1)
    lines = [" ".join(rng.choice("abcdefghij") for _ in range(8)) for _ in range(300)]
    measured = bleu(MetricInput(lines[:200], lines[200:]))["bleu-2"]
    scores = sentence_bleu(Index([line.split() for line in lines[200:]]).matches([ln.split() for ln in lines[:200]]))
    assert measured.value == pytest.approx(scores[1].mean())
    assert measured.stderr == pytest.approx(scores[1].std(ddof=1) / 200**0.5)
    assert "err:hypotheses" in measured.signature


@pytest.mark.parametrize("letters", ["abcdefgh", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"])
@pytest.mark.parametrize("name", ["self-bleu-2", "backward-bleu-2", "distinct-2"])
def test_the_errors_tell_how_numbers_vary_from_set_to_set(name: str, letters: str) -> None:
    """Against the truth: the spread over many new sets of texts from the same source, of few words and of many."""
    rng = random.Random(2)

    def drawn(count: int = 150) -> list[str]:
        words = [max(rng.choice(letters), rng.choice(letters)) for _ in range(200)]  # some are more frequent
        return [" ".join(rng.choice(words) for _ in range(rng.randrange(4, 10))) for _ in range(count)]

    measures = {"self-bleu-2": self_bleu, "backward-bleu-2": backward_bleu, "distinct-2": variety}
    results = [measures[name](MetricInput(drawn(), drawn()))[name] for _ in range(60)]
    truth = np.std([result.value for result in results], ddof=1)
    estimate = np.mean([result.stderr for result in results])
    assert truth * 0.7 < estimate < truth * 1.6
    assert "err:jackknife-10x15" in results[0].signature


def test_an_index_without_some_texts_is_the_index_of_the_others() -> None:
    rng = random.Random(3)
    texts = [[rng.choice("abcde") for _ in range(rng.randrange(9))] for _ in range(40)]
    hypotheses = [[rng.choice("abcdef") for _ in range(rng.randrange(1, 9))] for _ in range(30)]
    left_out = [0, 3, 17, 39]
    others = [text for number, text in enumerate(texts) if number not in left_out]
    whole = Index(texts)
    part, fresh = whole.without(left_out), Index(others)
    for found, expected in zip(part.matches(whole.locate(hypotheses)), fresh.matches(hypotheses), strict=True):
        np.testing.assert_array_equal(found, expected)
    among = part.matches(whole.locate(others), among_them=True)
    for found, expected in zip(among, fresh.matches(others, among_them=True), strict=True):
        np.testing.assert_array_equal(found, expected)


PUBLISHED = {  # Texygen's own tables: Self-BLEU-2..5, then BLEU-2..5 against the 10,000 training captions
    "seq": ([0.950, 0.840, 0.670, 0.489], [0.917, 0.747, 0.530, 0.348]),
    "mle": ([0.916, 0.769, 0.583, 0.408], [0.921, 0.768, 0.570, 0.392]),
    "leakgan": ([0.966, 0.913, 0.848, 0.780], [0.926, 0.816, 0.660, 0.470]),
}


@pytest.mark.parametrize("system", list(PUBLISHED))
def test_the_published_numbers_of_texygen_come_out_of_its_sample_files(system: str, real_data: Path) -> None:
    folder = real_data / "texygen_samples"
    if not folder.is_dir():
        pytest.skip("no sample files of Texygen")

    def lines(*names: str) -> list[str]:
        return [
            line for name in names for line in gzip.open(real_data / name, "rt", encoding="utf-8").read().split("\n")
        ]

    captions = [line for line in lines("captions/coco.train.txt.gz", "captions/coco.valid.txt.gz") if line]
    samples = [line for line in lines(f"texygen_samples/{system}.txt.gz") if line]
    assert (len(captions), len(samples)) == (10_000, 9_984)
    inputs = MetricInput(samples, captions, tokens="words")
    numbers = {**self_bleu(inputs), **bleu(inputs)}
    ours = [[numbers[f"{name}-{order}"].value for order in (2, 3, 4, 5)] for name in ("self-bleu", "bleu")]
    np.testing.assert_allclose(ours, PUBLISHED[system], rtol=0, atol=0.003)
