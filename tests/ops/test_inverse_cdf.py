import pytest
import torch
from torch.testing import assert_close

from seqgan.ops.inverse_cdf import Head, inverse_cdf, is_bounded, plain_inverse_cdf
from tests.test_sampling import chi_square


@pytest.mark.parametrize("uniform", [0.0, 0.5, 1 - 2**-24, 1.0])
def test_a_token_without_weight_is_never_drawn_even_at_the_edges(uniform: float) -> None:
    """1 - 2^-24 is the largest uniform float; times the total it can round to the total, which is past the end."""
    weights = torch.tensor([[0.0, 0.1, 0.0, 0.7, 0.2, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.3, 0.0]])
    drawn = inverse_cdf(weights, torch.full((2, 1), uniform))
    assert (weights.gather(1, drawn) > 0).all()


@pytest.mark.parametrize("vocab_size", [97, 1000])
@pytest.mark.parametrize("draws", [300_000, pytest.param(100_000_000, marks=pytest.mark.torture)])
def test_millions_of_draws_hit_no_token_of_probability_zero(draws: int, vocab_size: int) -> None:
    torch.manual_seed(0)
    weights = torch.rand(vocab_size)
    weights[::3] = 0.0
    weights[-5:] = 0.0
    weights[64 : 64 + vocab_size // 8] = 0.0
    hits = torch.zeros(vocab_size, dtype=torch.long)
    for _ in range(draws // 100_000):
        drawn = inverse_cdf(weights.expand(100_000, vocab_size), torch.rand(100_000, 1)).squeeze(1)
        hits += drawn.bincount(minlength=vocab_size)
    assert hits[weights == 0].sum() == 0
    assert abs(chi_square(hits[weights > 0].double(), (weights[weights > 0] / weights.sum()).double())) < 5


@pytest.mark.parametrize("vocab_size", [1, 5, 63, 64, 65, 128, 1000, 4999])
def test_two_levels_find_what_one_running_sum_finds(vocab_size: int) -> None:
    """Against a running sum in double precision; only a number within rounding of an edge may fall to its neighbour."""
    torch.manual_seed(0)
    weights, uniform = torch.rand(4000, vocab_size) ** 8, torch.rand(4000, 1)
    running = weights.double().cumsum(dim=1)
    heights = uniform.double() * running[:, -1:]
    exact = plain_inverse_cdf(weights.double(), uniform.double()).squeeze(1)
    drawn = inverse_cdf(weights, uniform).squeeze(1)
    off = drawn != exact
    assert off.float().mean() < 2e-3
    distance = (running - heights).abs().amin(dim=1) / running[:, -1]
    assert (distance[off] < 1e-5).all()


def test_weights_that_are_nan_give_an_index_that_exists() -> None:
    assert inverse_cdf(torch.full((3, 100), float("nan")), torch.rand(3, 1)).max() < 100


def packed(scale: float, temperature: float = 1.0) -> tuple[Head, torch.Tensor, torch.Tensor]:
    """A head over 997 tokens, features for it, and the probabilities that the plain layer gives them."""
    torch.manual_seed(0)
    weight, bias, features = torch.randn(997, 8) * scale, torch.randn(997), torch.rand(8) * 2 - 1
    probabilities = ((weight.double() @ features.double() + bias) / temperature).softmax(dim=0)
    return Head(weight, bias, torch.ones(8), temperature), features, probabilities


@pytest.mark.parametrize(("scale", "bounded"), [(0.5, True), (30.0, False)])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_a_packed_head_weighs_tokens_as_the_softmax_does(scale: float, bounded: bool, temperature: float) -> None:
    head, features, probabilities = packed(scale, temperature)
    assert head.bounded == bounded
    weights = head.weights(features.unsqueeze(0))[0].double()
    assert_close(weights[:997] / weights.sum(), probabilities, rtol=1e-4, atol=1e-9)
    assert (weights[997:] == 0).all()


@pytest.mark.parametrize("each", [1, 500])
def test_draws_from_a_packed_head_follow_the_softmax(each: int) -> None:
    """One draw from many rows, and many draws from few: chi-square, two-sided."""
    head, features, probabilities = packed(0.5)
    weights = head.weights(features.expand(300_000 // each, 8))
    drawn = inverse_cdf(weights, torch.rand(len(weights), each)).flatten()
    assert drawn.max() < 997
    counts = drawn.bincount(minlength=997).double()
    likely = probabilities * len(drawn) >= 5
    observed = torch.cat([counts[likely], counts[~likely].sum().unsqueeze(0)])
    expected = torch.cat([probabilities[likely], probabilities[~likely].sum().unsqueeze(0)])
    assert abs(chi_square(observed, expected)) < 5


def test_the_bound_counts_the_vocabulary_and_the_temperature() -> None:
    """2^126 is the limit for the sum of all weights: what fits for one token need not fit for a thousand."""
    ones = torch.ones(1)
    assert is_bounded(torch.full((1, 1), 125.0), torch.zeros(1), ones)
    assert not is_bounded(torch.full((1000, 1), 125.0), torch.zeros(1000), ones)
    assert not is_bounded(torch.full((1, 1), -127.0), torch.zeros(1), ones)
    assert not is_bounded(torch.zeros(1, 1), torch.full((1,), float("nan")), ones)
    weight = torch.full((4, 1), 50.0)
    assert Head(weight, torch.zeros(4), ones).bounded
    assert not Head(weight, torch.zeros(4), ones, temperature=0.5).bounded
