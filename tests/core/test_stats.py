"""How sure a number is: standard errors, blocks, and a permutation test."""

import math
from itertools import pairwise

import numpy as np
import pytest

from seqgan.core.stats import (
    BLOCKS,
    blocks,
    jackknife,
    jackknife_error,
    left_out,
    paired_t_test,
    permutation_test,
    sign_flip_test,
    standard_error,
)

# --- the standard error


def test_the_standard_error_is_the_spread_over_the_root_of_the_number() -> None:
    # Deviations -3, -1, 1, 3 from the mean 5: variance 20 / 3, and four of them.
    assert float(standard_error([2.0, 4.0, 6.0, 8.0])) == pytest.approx(math.sqrt(20 / 3) / 2)


def test_each_column_has_a_standard_error_of_its_own() -> None:
    columns = np.array([[2.0, 1.0, 0.0], [4.0, 1.0, 0.0], [6.0, 1.0, 3.0]])
    expected = [2 / math.sqrt(3), 0.0, math.sqrt(3) / math.sqrt(3)]
    assert standard_error(columns) == pytest.approx(expected)
    assert standard_error(columns).shape == (3,)


def test_of_fewer_than_two_values_there_is_no_standard_error() -> None:
    assert math.isnan(float(standard_error([])))
    assert math.isnan(float(standard_error([3.0])))
    assert np.isnan(standard_error([[1.0, 2.0]])).tolist() == [True, True]


def test_the_standard_error_is_how_much_means_differ() -> None:
    draws = np.random.default_rng(0).exponential(size=(4000, 25))
    told = standard_error(draws.T)
    assert math.sqrt((told**2).mean()) == pytest.approx(draws.mean(axis=1).std(), rel=0.05)


# --- blocks


@pytest.mark.parametrize("count", range(4, 60))
def test_blocks_are_disjoint_of_nearly_equal_size_and_part_neighbours(count: int) -> None:
    parts = [places.tolist() for (places,) in blocks(count)]
    assert len(parts) == min(BLOCKS, count // 2)
    assert {len(part) for part in parts} <= {count // len(parts), count // len(parts) + 1}
    assert sorted(item for part in parts for item in part) == list(range(count))
    assert all(later - earlier == len(parts) for part in parts for earlier, later in pairwise(part))


def test_there_are_ten_blocks_where_there_is_enough() -> None:
    assert len(blocks(20)) == len(blocks(10_000)) == BLOCKS == 10


@pytest.mark.parametrize("count", range(4))
def test_of_fewer_than_four_items_there_are_no_blocks(count: int) -> None:
    assert blocks(count) == blocks(100, count) == left_out(count) == []
    assert math.isnan(jackknife(np.mean, np.arange(float(count))))


def test_what_is_left_out_comes_round_once() -> None:
    for counts in ((100, 57), (23, 20), (5, 4)):
        parts = left_out(*counts)
        assert len(parts) == min(BLOCKS, min(counts) // 2)
        for number, count in enumerate(counts):
            missing = [np.setdiff1d(np.arange(count), part[number]) for part in parts]
            assert np.sort(np.concatenate(missing)).tolist() == list(range(count))


def test_the_jackknife_of_a_mean_is_the_standard_error_of_its_blocks() -> None:
    values = np.random.default_rng(0).normal(size=60)
    parts = [values[places] for (places,) in blocks(len(values))]
    without = [np.delete(values, range(start, 60, BLOCKS)).mean() for start in range(BLOCKS)]
    assert jackknife_error(without) == pytest.approx(standard_error([part.mean() for part in parts]))
    assert np.isnan(jackknife_error([1.0]))


# --- the permutation test


def test_the_chance_is_the_share_of_relabellings_that_differ_as_much() -> None:
    # Of the 20 ways to take three of 1 ... 6, two differ as much: 1 2 3 and 4 5 6.
    assert permutation_test([1, 2, 3], [4, 5, 6]) == pytest.approx(2 / 20, abs=0.012)
    # Of the 4 ways to take one of 1, 2, 3, 10, one differs as much as 10 from the mean of the others.
    assert permutation_test([10], [1, 2, 3]) == pytest.approx(1 / 4, abs=0.015)


def test_the_test_is_two_sided_and_symmetric() -> None:
    rng = np.random.default_rng(1)
    low, high = rng.normal(0.0, 1.0, 12).tolist(), rng.normal(0.7, 1.0, 17).tolist()
    chance = permutation_test(low, high)
    assert 0.005 < chance < 0.6
    assert permutation_test(high, low) == pytest.approx(chance, abs=0.02)
    assert permutation_test([-value for value in low], [-value for value in high]) == chance
    assert permutation_test([value + 50 for value in low], [value + 50 for value in high]) == chance
    assert permutation_test(low, high, seed=1) != chance


def test_without_a_difference_every_chance_is_as_frequent_as_it_says() -> None:
    rng = np.random.default_rng(2)
    tests = 600
    chances = np.array([permutation_test(*rng.exponential(size=(2, 9)), rounds=199, seed=k) for k in range(tests)])
    for level in (0.05, 0.2, 0.5, 0.8):
        share = (chances <= level).mean()
        assert abs(share - level) < 4 * math.sqrt(level * (1 - level) / tests)


def test_a_clear_difference_has_a_small_chance_but_never_none() -> None:
    first, second = [0.0, 0.1, 0.2, 0.1, 0.0] * 6, [5.0, 5.1, 5.2, 5.1, 5.0] * 6
    assert permutation_test(first, second) == 1 / 10_001
    assert permutation_test(first, second, rounds=99) == 1 / 100


def test_what_is_all_the_same_differs_by_chance_alone() -> None:
    assert permutation_test([3.0] * 5, [3.0] * 7) == 1.0
    assert permutation_test([0.1, 0.2, 0.3], [0.3, 0.1, 0.2]) == 1.0  # equal means, however they are rounded


# --- paired tests


def test_the_p_value_of_students_t_is_that_of_tables() -> None:
    # Two values d - e and d + e have t = d / e with one degree of freedom, where p = 1 - 2 atan(t) / pi.
    for t in (0.5, 1.0, 12.706):
        assert paired_t_test([t - 1, t + 1]) == pytest.approx(1 - 2 * math.atan(t) / math.pi, rel=1e-9)
    # With two degrees p = 1 - t / sqrt(2 + t^2); values d - s, d, d + s have t = d sqrt(3) / s.
    for t in (0.3, 4.303, 50.0):
        d = t / math.sqrt(3)
        assert paired_t_test([d - 1, d, d + 1]) == pytest.approx(1 - t / math.sqrt(2 + t * t), rel=1e-9)


def test_the_p_value_of_students_t_is_uniform_where_nothing_differs() -> None:
    rng = np.random.default_rng(0)
    values = np.array([paired_t_test(rng.normal(size=8)) for _ in range(2000)])
    for level in (0.05, 0.2, 0.5):
        assert (values < level).mean() == pytest.approx(level, abs=4 * math.sqrt(level * (1 - level) / 2000))


def test_differences_that_are_all_the_same_are_no_accident_and_none_are_none() -> None:
    assert paired_t_test([0.0, 0.0]) == 1.0
    assert paired_t_test([0.2, 0.2]) == 0.0
    assert math.isnan(paired_t_test([0.3]))


def test_of_eight_pairs_of_one_sign_two_of_all_flips_are_as_far_out() -> None:
    assert sign_flip_test([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]) == 2 / 2**8
    assert sign_flip_test([1.0, -1.0]) == 1.0
    assert sign_flip_test([3.0, 1.0]) == 2 / 4  # +4 and -4, of +-4 and +-2
    # Of 20 pairs only some flips are looked at, and those as they are among them.
    assert 1 / 2**16 <= sign_flip_test(list(range(1, 21))) < 1e-3


def test_the_p_values_are_those_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(1)
    for count in (2, 3, 5, 8, 40):
        values = rng.normal(0.5, size=count)
        assert paired_t_test(values) == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=1e-7)
    values = rng.normal(0.5, size=8)
    found = stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip_test(values) == pytest.approx(found.pvalue)
