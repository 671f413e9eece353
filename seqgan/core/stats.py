"""How sure a number is, and the difference of two: influences of independent units, disjoint blocks (by their spread or
left out in turn), and permutation tests.

A bootstrap draws with replacement, and copies are just what Self-BLEU and its like react to; blocks hold none."""

import functools
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqgan.errors import UsageError

BLOCKS = 10
Units = NDArray[np.int64]  # the number of the unit that each item belongs to
Places = NDArray[np.int64]
Influences = Mapping[str, NDArray[np.float64]]  # source of units -> how each unit moves an estimate


def standard_error_of(influences: Influences) -> float:
    """The root of the sum of squared influences; NaN where there is none. Sources are independent of one another."""
    squares = [float((values**2).sum()) for values in influences.values()]
    return float(np.sqrt(sum(squares))) if squares else np.nan


def paired(first: Influences, second: Influences) -> Influences:
    """The influences on `first - second`. What both take from one source is subtracted unit by unit: what moves both
    alike is no part of the error of their difference.

    Where the units are pairs by their numbers alone (two sets of samples), this is still right if they are independent:
    the products of their influences then average to nothing.

    Raises:
        UsageError: one has more units of a source than the other."""
    nothing = np.zeros(())
    sources = dict.fromkeys([*first, *second])
    for source in first.keys() & second.keys():
        if len(first[source]) != len(second[source]):
            raise UsageError(
                f"{len(first[source])} and {len(second[source])} {source} were measured, but as many of both were "
                "expected, since they are subtracted in pairs; measure as many texts in each"
            )
    return {source: first.get(source, nothing) - second.get(source, nothing) for source in sources}


def units_of(items: Iterable[Hashable]) -> Units:
    """Equal items are one unit: a copy in a corpus is no second text, and belongs to the same side of every split."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(item, len(numbers)) for item in items], dtype=np.int64)


def ratio_influences(totals: ArrayLike, sizes: ArrayLike, units: Units) -> NDArray[np.float64]:
    """Those of the units on sum(totals) / sum(sizes); NaN for fewer than two units. With sizes of 1 it is a mean, and
    the error that of independent values.

    By linearisation (Cochran 1977, 6.8), summed within units (clusters): what a ratio of sums over whole units varies
    by, where an item's own deviation would count its copies as evidence."""
    total, size = np.asarray(totals, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    count = int(units.max(initial=-1)) + 1
    if count < 2:
        return np.full(1, np.nan)
    deviations = (total - size * (total.sum() / size.sum())) / size.sum()
    return np.asarray(np.bincount(units, deviations, count) * np.sqrt(count / (count - 1)))


def mean_influences(values: ArrayLike, units: Units) -> NDArray[np.float64]:
    """Those of the units on the mean of the values."""
    return ratio_influences(values, np.ones(len(units)), units)


def unit_blocks(units: Units) -> list[list[int]]:
    """The items in ten blocks of nearly equal size, all of a unit in one block; fewer blocks where there are fewer than
    twenty units, none where there would be one. Where no items share a unit, every tenth is of the same block."""
    sizes = np.bincount(units) if len(units) else np.zeros(0, dtype=np.int64)
    count = min(BLOCKS, len(sizes) // 2)
    if count < 2:
        return []
    filled, block_of = np.zeros(count, dtype=np.int64), np.zeros_like(sizes)
    for unit in np.argsort(-sizes, kind="stable").tolist():  # the largest first, each to the emptiest block
        block_of[unit] = filled.argmin()
        filled[block_of[unit]] += sizes[unit]
    blocks_of_items = block_of[units]
    return [np.flatnonzero(blocks_of_items == block).tolist() for block in range(count)]


def jackknife_influences(without: ArrayLike, shares: ArrayLike | None = None) -> NDArray[np.float64]:
    """Those of blocks on a measure, from its values with one block left out each ("G ..."); NaN for fewer than two.

    `shares` of all items are in each block; left out, the blocks are of equal size. The root of the sum of squares is
    the error of the delete-a-block jackknife (Quenouille 1956, Tukey 1958): sqrt((G - 1) / G * sum of squared
    deviations)."""
    values = np.asarray(without, dtype=np.float64)
    if len(values) < 2:
        return np.full((1, *values.shape[1:]), np.nan)
    equal = np.full(len(values), 1 / len(values))
    rest = 1 - (equal if shares is None else np.asarray(shares, dtype=np.float64))
    rest = rest.reshape(-1, *(1 for _ in values.shape[1:]))
    deviations = rest * ((rest * values).sum(axis=0) / rest.sum() - values)
    return np.asarray(deviations * np.sqrt(len(values) / (len(values) - 1)))


def standard_error(values: ArrayLike) -> NDArray[np.float64]:
    """Of the mean over the first axis, the values being independent; NaN for fewer than two."""
    array = np.asarray(values, dtype=np.float64)
    if len(array) < 2:
        return np.full(array.shape[1:], np.nan)
    return np.asarray(array.std(axis=0, ddof=1) / np.sqrt(len(array)))


def blocks(*counts: int) -> list[tuple[Places, ...]]:
    """The places of ten disjoint blocks in sets of so many items: for each block, every tenth item of each set, so that
    neighbours in a file part. Fewer blocks where one would hold less than two items, and none for a single block."""
    parts = min(BLOCKS, min(counts) // 2)
    return [tuple(np.arange(part, count, parts) for count in counts) for part in range(parts)] if parts > 1 else []


def left_out(*counts: int) -> list[tuple[Places, ...]]:
    """The places that are kept where one of the `blocks` of each set is left out."""
    return [
        tuple(np.delete(np.arange(count), block) for count, block in zip(counts, places, strict=True))
        for places in blocks(*counts)
    ]


def jackknife_error(without: ArrayLike) -> NDArray[np.float64]:
    """The standard error of a measure, from its values with one block left out each; NaN for fewer than two.

    For measures that depend on the number of items, as Self-BLEU does: nine tenths of the items stand for all of them,
    where a block of a tenth by itself may vary three times too little."""
    return np.asarray(np.sqrt((jackknife_influences(without) ** 2).sum(axis=0)))


def jackknife(measure: Callable[..., ArrayLike], *sets: Any) -> NDArray[np.float64]:
    """The standard error of a measure of several independent sets (arrays or tensors): a block of each is left out at
    a time. Right for what depends on how many things there are, as a Frechet distance does, where the spread of blocks
    of a tenth is not: for a measure that is biased by 1/N a block is ten times as biased."""
    kept = left_out(*map(len, sets))
    without = [measure(*(some[at] for some, at in zip(sets, places, strict=True))) for places in kept]
    return jackknife_error(np.asarray(without, dtype=np.float64))


def permutation_test(first: Sequence[float], second: Sequence[float], *, rounds: int = 10_000, seed: int = 0) -> float:
    """The chance of a difference of means at least this large if the labels "first" and "second" meant nothing.

    Two-sided, by relabelling at random; never 0, since the labels as they are count as one of the relabellings."""
    values, count = np.concatenate([first, second]), len(first)
    observed = abs(np.mean(first) - np.mean(second))
    shuffled = np.random.default_rng(seed).permuted(np.tile(values, (rounds, 1)), axis=1)
    differences = np.abs(shuffled[:, :count].mean(axis=1) - shuffled[:, count:].mean(axis=1))
    return float((1 + (differences >= observed - 1e-12).sum()) / (1 + rounds))


def paired_t_test(differences: ArrayLike) -> float:
    """The two-sided p-value of Student's t for the mean of paired differences; NaN for fewer than two of them."""
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2:
        return np.nan
    error, freedom = float(standard_error(values)), len(values) - 1
    if error == 0:
        return float(values.mean() == 0)
    # With t = sqrt(f) tan(a), Student's density is that of cos(a)^(f - 1) on an interval: a smooth integral.
    nodes, weights = _gauss()

    def area(low: float) -> float:
        half = (np.pi / 2 - low) / 2
        return float(half * (weights * np.cos(low + half * (nodes + 1)) ** (freedom - 1)).sum())

    return area(float(np.arctan(abs(values.mean()) / error / np.sqrt(freedom)))) / area(0.0)


@functools.cache
def _gauss() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights of a Gauss-Legendre quadrature, which take longer to find than to use."""
    return np.polynomial.legendre.leggauss(200)


def sign_flip_test(differences: ArrayLike) -> float:
    """The two-sided p-value of paired differences if which of a pair is which meant nothing: the share of all ways to
    flip their signs (of 2^16 random ones for more than 16 pairs) whose mean is at least as large."""
    values = np.asarray(differences, dtype=np.float64)
    count = len(values)
    if count <= 16:
        signs = 1 - 2 * (np.arange(2**count)[:, None] >> np.arange(count) & 1)
    else:
        signs = np.random.default_rng(0).choice([1, -1], size=(2**16, count))
        signs[0] = 1  # as they are
    means = np.abs((signs * values).mean(axis=1))
    return float((means >= abs(values.mean()) - 1e-12).mean())
