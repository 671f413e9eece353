"""Errors of numbers and of differences between rows, against the truth: their spread over many new sets of texts."""

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch

from seqgan.core.report import Measured
from seqgan.core.stats import (
    BLOCKS,
    blocks,
    jackknife_error,
    jackknife_influences,
    mean_influences,
    paired,
    ratio_influences,
    standard_error,
    standard_error_of,
    unit_blocks,
    units_of,
)
from seqgan.metrics import (
    METRICS,
    MetricInput,
    backward_bleu,
    bleu,
    discrimination,
    form,
    novelty,
    over_blocks,
    over_texts,
    variety,
)
from seqgan.reporting import differences, differences_as_json, tables

SETS = 40


def truth_and_error(told: list[Measured]) -> tuple[float, float]:
    """The spread of a number over new sets, and the root mean square of the errors that came with it."""
    values, errors = np.array([(number.value, number.stderr) for number in told]).T
    return float(values.std(ddof=1)), float(np.sqrt((errors**2).mean()))


# --- influences


def test_the_influences_of_a_mean_amount_to_its_standard_error() -> None:
    values = np.random.default_rng(0).normal(size=57)
    influences = mean_influences(values, np.arange(57))
    assert standard_error_of({"texts": influences}) == pytest.approx(float(standard_error(values)))
    assert influences.sum() == pytest.approx(0.0)


def test_copies_are_one_unit() -> None:
    values = np.random.default_rng(0).normal(size=20)
    once = standard_error_of({"texts": mean_influences(values, np.arange(20))})
    thrice = standard_error_of({"texts": mean_influences(np.tile(values, 3), units_of(np.tile(values, 3).tolist()))})
    assert thrice == pytest.approx(once)
    assert (over_texts(units_of("abab")), over_texts(units_of("abcd"))) == ("texts/2", "texts")


def test_of_a_single_unit_there_is_no_error() -> None:
    assert np.isnan(standard_error_of({"texts": mean_influences([1.0, 1.0], units_of("aa"))}))
    assert np.isnan(standard_error_of({}))


def test_the_error_of_a_ratio_is_its_spread_over_new_texts() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 30, size=(2000, 40))
    totals = sizes * rng.gamma(5.0, 1.0, size=sizes.shape)
    ratios = totals.sum(axis=1) / sizes.sum(axis=1)
    told = [standard_error_of({"t": ratio_influences(t, s, np.arange(40))}) for t, s in zip(totals, sizes, strict=True)]
    assert np.sqrt(np.mean(np.square(told))) == pytest.approx(ratios.std(), rel=0.05)


def test_what_moves_both_alike_is_no_part_of_the_error_of_their_difference() -> None:
    first, second = np.random.default_rng(0).normal(size=(2, 50))
    assert standard_error_of(paired({"a": first}, {"a": first})) == 0.0
    assert standard_error_of(paired({"a": first}, {"b": second})) == pytest.approx(
        np.hypot(*map(np.linalg.norm, (first, second)))
    )
    assert standard_error_of(paired({"a": first, "b": second}, {"a": first})) == pytest.approx(np.linalg.norm(second))


@pytest.mark.parametrize("count", [4, 19, 20, 57, 100])
def test_blocks_of_different_texts_are_every_tenth(count: int) -> None:
    parts = unit_blocks(np.arange(count))
    assert parts == [places.tolist() for (places,) in blocks(count)]


def test_copies_stand_in_one_block_and_blocks_are_of_like_size() -> None:
    rng = random.Random(0)
    units = units_of([rng.choice("abcdefghijklmnopqrstuvwxy") for _ in range(1000)])
    parts = unit_blocks(units)
    assert len(parts) == BLOCKS
    assert sum(len({int(units[item]) for item in part}) for part in parts) == 25
    assert max(map(len, parts)) < 1.6 * min(map(len, parts))
    assert over_blocks(units) == f"jackknife-10x{min(map(len, parts))}/25"
    assert unit_blocks(units_of("aaabbb")) == []


def test_blocks_of_equal_shares_give_the_plain_jackknife_and_others_are_weighed() -> None:
    values = np.random.default_rng(0).normal(size=60)
    parts = unit_blocks(np.arange(60))
    without = [np.delete(values, part).mean() for part in parts]
    assert standard_error_of({"b": jackknife_influences(without)}) == pytest.approx(float(jackknife_error(without)))
    parts = [[*range(30)], [*range(30, 45)], [*range(45, 60)]]
    without = [np.delete(values, part).mean() for part in parts]
    weighed = standard_error_of({"b": jackknife_influences(without, [len(part) / 60 for part in parts])})
    exact = mean_influences(values, np.repeat([0, 1, 2], [30, 15, 15]))
    assert weighed == pytest.approx(standard_error_of({"b": exact}))


# --- differences


def test_a_difference_has_its_own_value_signature_and_error() -> None:
    texts = np.arange(50)
    hard = np.random.default_rng(0).normal(5.0, 2.0, size=50)
    better = hard - 0.01
    rows = {
        name: {
            "nll": Measured.of(losses.mean(), {"test": mean_influences(losses, texts)}, "rows:50|err:texts|tok:char/9"),
            "other": Measured(1.0, 0.1, f"n:{number}"),
        }
        for number, (name, losses) in enumerate({"mle": hard, "final": better}.items())
    }
    [(name, row)] = differences(rows).items()
    assert (name, list(row)) == ("final - mle", ["nll"])  # what is measured otherwise is not compared
    assert row["nll"].value == pytest.approx(-0.01)
    assert row["nll"].stderr < 1e-12 < rows["mle"]["nll"].stderr
    assert row["nll"].signature == "rows:50|err:paired texts|tok:char/9"
    assert row["nll"].differs
    assert not (rows["mle"]["nll"] - rows["mle"]["nll"]).differs


def test_the_difference_of_numbers_that_know_no_influences_has_no_error() -> None:
    difference = Measured(2.0, 0.1, "n:5") - Measured(1.0, 0.1, "n:5")
    assert difference.value == 1.0
    assert np.isnan(difference.stderr)
    assert not difference.differs
    assert differences_as_json({"x": difference})["x"] == {
        "value": 1.0,
        "stderr": None,
        "signature": "n:5",
        "t": None,
        "differs": False,
    }


def test_of_few_units_a_difference_must_be_larger_to_be_called_one() -> None:
    """Student's t at 5%: 4.30 of three seeds, 2.26 of ten blocks, two of many texts."""

    def told(times: float, units: int) -> bool:
        influences = np.full(units, 1 / units**0.5)  # an error of 1
        return Measured.of(times, {"seeds": influences}, "").differs

    assert [told(4.2, 3), told(4.4, 3)] == [False, True]
    assert [told(2.2, 10), told(2.3, 10)] == [False, True]
    assert [told(1.9, 200), told(2.1, 200)] == [False, True]
    assert not Measured.of(1.0, {"seeds": np.zeros(3)}, "").differs  # three seeds that happen to agree
    assert Measured.of(1.0, {"test": np.zeros(200)}, "").differs
    assert not Measured.of(0.0, {"test": np.zeros(200)}, "").differs


def test_the_paired_error_is_that_of_the_difference_on_new_held_out_texts() -> None:
    """Two policies on the same texts: what is hard for one is hard for the other, and one is better by .004."""
    rng = np.random.default_rng(0)
    told = []
    for _ in range(300):
        length = rng.integers(5, 25, size=200)
        hard = length * (5 + rng.normal(0, 0.8, size=200))
        better = hard - length * (0.004 + rng.normal(0, 0.01, size=200))
        rows = [
            Measured.of(losses.sum() / length.sum(), {"test": ratio_influences(losses, length, np.arange(200))}, "")
            for losses in (better, hard)
        ]
        told.append(rows[0] - rows[1])
    truth, error = truth_and_error(told)
    assert error == pytest.approx(truth, rel=0.1)
    assert error < 0.02 * rows[0].stderr
    assert np.mean([number.value for number in told]) == pytest.approx(-0.004, abs=0.0002)
    covered = np.mean([abs(number.value + 0.004) < 2 * number.stderr for number in told])
    assert 0.92 < covered < 0.98


WORDS = 60


def transitions(seed: int, mixed: float) -> np.ndarray:
    """Which word follows which: some are frequent, after each word others."""
    usual = 1 / np.arange(1, WORDS + 1)
    usual /= usual.sum()
    rng = np.random.default_rng(seed)
    return (1 - mixed) * np.stack([rng.permutation(usual) for _ in range(WORDS)]) + mixed * usual


def written(following: np.ndarray, uniform: np.ndarray) -> list[str]:
    """Texts of 4 to 9 words as functions of uniform numbers: what two policies draw with one seed is alike."""
    cumulative, words, last = following.cumsum(axis=1), [], np.zeros(len(uniform), dtype=int)
    for column in uniform[:, :-1].T:
        last = np.minimum((cumulative[last] < column[:, None]).sum(axis=1), WORDS - 1)
        words.append(last)
    lengths = 4 + (uniform[:, -1] * 6).astype(int)
    return [" ".join(map(str, row[:length])) for row, length in zip(np.stack(words, axis=1), lengths, strict=True)]


@pytest.fixture(scope="module")
def compared() -> dict[str, dict[str, list[Measured]]]:
    """Differences on many sets of new references, held-out texts and draws; two policies share theirs in each."""
    rng, count = np.random.default_rng(0), 100
    real, before = transitions(1, 0.2), transitions(1, 0.6)
    after = 0.9 * before + 0.1 * transitions(2, 0.3)
    training = written(real, rng.random((300, 10)))
    told: dict[str, dict[str, list[Measured]]] = {}
    for _ in range(SETS):
        references, held_out, drawn = rng.random((3, count, 10))
        texts = {"mle": written(before, drawn), "final": written(after, drawn), "real": written(real, held_out)}
        rows = {}
        for name, samples in texts.items():
            inputs = MetricInput(samples, written(real, references), training, "whitespace", held_out=name == "real")
            rows[name] = {name: number for family in METRICS.values() for name, number in family(inputs).items()}
        for pair, row in differences(rows).items():
            for name, number in row.items():
                told.setdefault(pair, {}).setdefault(name, []).append(number)
    return told


@pytest.mark.parametrize("pair", ["final - mle", "mle - real"])
@pytest.mark.parametrize("name", ["bleu-2", "bleu-3", "seen-2", "copied"])
def test_the_error_of_a_difference_of_means_is_its_spread_over_new_sets(
    name: str, pair: str, compared: dict[str, dict[str, list[Measured]]]
) -> None:
    truth, error = truth_and_error(compared[pair][name])
    assert 0.75 * truth < error < 1.3 * truth


@pytest.mark.parametrize("pair", ["final - mle", "mle - real"])
@pytest.mark.parametrize("name", ["backward-bleu-2", "backward-bleu-3", "self-bleu-2", "self-bleu-3", "distinct-2"])
def test_the_error_of_a_difference_of_set_measures_is_not_below_its_spread_over_new_sets(
    name: str, pair: str, compared: dict[str, dict[str, list[Measured]]]
) -> None:
    """The jackknife of such measures errs on the safe side."""
    truth, error = truth_and_error(compared[pair][name])
    assert 0.85 * truth < error < 1.9 * truth


def test_backward_bleu_varies_with_the_samples_and_with_the_references() -> None:
    rng = np.random.default_rng(0)
    samples, references = (written(transitions(1, 0.2), part) for part in rng.random((2, 60, 10)))
    number = backward_bleu(MetricInput(samples, references))["backward-bleu-2"]
    assert list(number.influences) == ["samples", "references"]
    assert all(len(of) == 10 and of.std() > 0 for of in number.influences.values())
    alone = [standard_error_of({source: of}) for source, of in number.influences.items()]
    assert number.stderr == pytest.approx(np.hypot(*alone))


# --- copies


def test_copies_in_held_out_text_are_not_taken_for_independent_texts() -> None:
    """1,000 lines of which 25 are different; the truth is the spread over new corpora of that kind."""
    rng = random.Random(0)
    words = [str(word) for word in range(40)]

    def lines(count: int) -> list[str]:
        return [" ".join(rng.choices(words[: rng.randint(1, 40)], k=rng.randint(3, 9))) for _ in range(count)]

    references, training = lines(30), lines(60)
    measures = {"length": form, "bleu-2": bleu, "seen-2": novelty, "distinct-1": variety}
    told: dict[str, list[Measured]] = {name: [] for name in measures}
    as_if: dict[str, list[Measured]] = {name: [] for name in measures}
    for number in range(SETS):
        corpus = rng.choices(lines(25), k=1000)
        for name, measure in measures.items():
            told[name].append(measure(MetricInput(corpus, references, training, "whitespace", held_out=True))[name])
            if number < 5:
                as_if[name].append(measure(MetricInput(corpus, references, training, "whitespace"))[name])
    for name in measures:
        truth, error = truth_and_error(told[name])
        assert 0.7 * truth < error < 1.6 * truth, name
        assert truth_and_error(as_if[name])[1] < 0.5 * truth, name
        assert "/25|" in told[name][0].signature, name


def test_pieces_of_one_text_are_one_unit() -> None:
    pieces = {f"{letter} {number}": letter * 9 for letter in "abcdefgh" for number in range(10)}
    inputs = MetricInput(list(pieces), list(pieces), list(pieces), held_out=True, part_of=pieces)
    alone = MetricInput(list(pieces), list(pieces), list(pieces), held_out=True)
    assert (inputs.units.max(), alone.units.max()) == (7, 79)
    assert inputs.reference_units.tolist() == inputs.units.tolist()
    assert "err:texts/8|" in form(inputs)["length"].signature
    assert "err:jackknife-4x20/8|" in variety(inputs)["distinct-1"].signature


# --- the discriminator


@pytest.mark.parametrize("name", ["d-accuracy", "d-auc", "d-bce", "d-logit-std"])
def test_the_errors_of_verdicts_are_their_spread_over_new_texts(name: str) -> None:
    rng = np.random.default_rng(0)
    told: list[Measured] = []
    apart: list[Measured] = []
    for _ in range(400):
        real, fake = rng.normal(0.6, 1.0, size=60), rng.normal(0.0, 1.3, size=80)
        near = fake + rng.normal(0.05, 0.1, size=80)
        rows = []
        for scores in (fake, near):
            tensors = [torch.tensor(part, dtype=torch.float32) for part in (real, scores)]
            value, of_real, of_fake = discrimination.measures(*tensors)[name]
            influences = {
                "test": mean_influences(of_real, np.arange(60)),
                "samples": mean_influences(of_fake, np.arange(80)),
            }
            rows.append(Measured.of(value, influences, ""))
        told.append(rows[0])
        apart.append(rows[1] - rows[0])
    for numbers, tolerance in ((told, 0.1), (apart, 0.25)):
        truth, error = truth_and_error(numbers)
        assert error == pytest.approx(truth, rel=tolerance)
    assert truth_and_error(apart)[1] < 0.4 * truth_and_error(told)[1]


# --- what is undefined is not shown

UNDEFINED: dict[str, tuple[Callable[[], MetricInput], set[str]]] = {
    "of two words": (
        lambda: MetricInput(["a b"] * 5, ["a b c"], ["a b"]),
        {"distinct-3", "seen-3", "seen-4", "seen-5"},
    ),
    "of one word": (
        lambda: MetricInput(["a"] * 5, ["a b c"], ["a b"]),
        {"distinct-2", "distinct-3", "seen-2", "seen-3", "seen-4", "seen-5"},
    ),
    "empty": (
        lambda: MetricInput([""] * 5, ["a b c"], ["a b"]),
        {"distinct-1", "distinct-2", "distinct-3", "seen-2", "seen-3", "seen-4", "seen-5"},
    ),
    "empty verse": (
        lambda: MetricInput([""] * 5, ["春 眠"], ["春 眠"], "chars"),
        {"distinct-1", "distinct-2", "distinct-3", "seen-2", "seen-3", "seen-4", "seen-5", "seen-lines"},
    ),
    "a single one": (
        lambda: MetricInput(["a b c d e f"], ["a b c"], ["a b"]),
        {f"self-bleu-{n}" for n in (2, 3, 4, 5)},
    ),
}


@pytest.mark.parametrize("kind", list(UNDEFINED))
def test_of_what_no_text_has_there_is_no_share(kind: str) -> None:
    inputs, missing = UNDEFINED[kind]
    whole = MetricInput(["春 眠 不 觉 晓 啼"] * 5, ["春 眠"], ["春 眠"], inputs().tokens)
    possible, found = (
        {name: number for family in METRICS.values() for name, number in family(some).items()}
        for some in (whole, inputs())
    )
    assert set(possible) - set(found) == missing
    assert all(np.isfinite(number.value) for number in found.values())


@pytest.mark.parametrize("samples", [["a b c"], ["a b c", "b c d"], ["a b c"] * 30, ["", "a", "a b"], [""] * 30, ["a"]])
@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("aggregation", ["sentence", "corpus"])
def test_every_metric_of_odd_texts_is_a_number_or_missing(samples: list[str], held_out: bool, aggregation: str) -> None:
    for references in (["x y z"], ["a b c"] * 20, ["", "a b"]):
        inputs = MetricInput(samples, references, references, "words", aggregation, held_out=held_out)  # type: ignore[arg-type]
        row = {name: number for family in METRICS.values() for name, number in family(inputs).items()}
        assert all(np.isfinite(number.value) and not number.stderr < 0 for number in row.values())
        both = {"first": row, "second": dict(row)}
        assert all(number.value == 0 and not number.differs for number in differences(both)["second - first"].values())
        assert list(tables(both))
