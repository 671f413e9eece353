"""What a discriminator knows, held to sums over everything: KL(p || q) for the best, 0 for one that knows nothing."""

import itertools
import math

import numpy as np
import pytest
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from seqgan.core.stats import standard_error_of
from seqgan.metrics import residual
from seqgan.models.lstm import LSTMPolicy
from seqgan.models.oracle import SHIFT, Oracle, new_oracle
from seqgan.models.policy import sample

V, T, COUNT = 4, 3, 10_000
EVERY = torch.tensor(list(itertools.product(range(V), repeat=T))) + SHIFT
# Three atoms of a policy and their weights e^f: light ones, and ones of which the rarest has nearly all of the mass.
LIGHT = ((0.5, 0.3, 0.2), (0.5, 1.5, 3.0))
HEAVY = ((0.6, 0.38, 0.02), (0.05, 1.0, 20.0))


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return new_oracle(V, T, hidden_dim=5, seed=2)


@pytest.fixture(scope="module")
def policy() -> LSTMPolicy:
    torch.manual_seed(0)
    made = LSTMPolicy(V + SHIFT, T, 5, 5, init_std=0.7).eval()
    made.ends = False
    return made


@torch.no_grad()
def log_odds(oracle: Oracle, policy: LSTMPolicy, tokens: Tensor) -> Float[Tensor, "B"]:
    """The logit of the best discriminator."""
    return (oracle.policy.log_probs(tokens) - policy.log_probs(tokens)).sum(dim=1)


@torch.no_grad()
def kl(oracle: Oracle, policy: LSTMPolicy) -> float:
    """KL(oracle || policy), a sum over all sequences."""
    log_p, log_q = (model.log_probs(EVERY).sum(dim=1).double() for model in (oracle.policy, policy))
    return float((log_p.exp() * (log_p - log_q)).sum())


def drawn(oracle: Oracle, policy: LSTMPolicy, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Sequences of the oracle and of the policy."""
    rng = torch.Generator().manual_seed(seed)
    real, fake = (sample(model, COUNT, rng=rng).tokens for model in (oracle.policy, policy))
    return real, fake


def gain(real: Tensor, fake: Tensor) -> residual.Gain:
    return residual.gain(real, fake, np.arange(len(real)))


# --- on an oracle


@pytest.mark.parametrize("scale", [1.0, 0.25, 3.0])
@pytest.mark.parametrize("shift", [0.0, 5.0])
def test_the_exact_log_odds_recover_the_divergence_whatever_their_scale(
    oracle: Oracle, policy: LSTMPolicy, scale: float, shift: float
) -> None:
    (valid, other), (real, fake) = drawn(oracle, policy, seed=1), drawn(oracle, policy)
    logits = [scale * log_odds(oracle, policy, tokens) + shift for tokens in (valid, other, real, fake)]
    slope = residual.slope(logits[0], logits[1])
    found = gain(slope * logits[2], slope * logits[3])
    truth, error = kl(oracle, policy), standard_error_of(found.influences)
    assert truth > 0.5
    assert slope == pytest.approx(1 / scale, rel=0.05)
    assert 0 < error < 0.05
    assert abs(found.value - truth) < 4 * error + found.bias


def test_whatever_is_not_the_log_odds_gains_less_than_the_divergence(oracle: Oracle, policy: LSTMPolicy) -> None:
    real, fake = drawn(oracle, policy)
    noise = torch.Generator().manual_seed(3)
    of_real, of_fake = (
        log_odds(oracle, policy, tokens) + 2 * torch.randn(len(tokens), generator=noise) for tokens in (real, fake)
    )
    slope = residual.slope(of_real, of_fake)
    assert 0.05 < slope < 0.7  # noise makes the logit too steep
    assert gain(of_real, of_fake).value < gain(slope * of_real, slope * of_fake).value < 0.8 * kl(oracle, policy)


def test_a_policy_that_is_the_oracle_leaves_nothing_to_know(oracle: Oracle) -> None:
    real, fake = drawn(oracle, oracle.policy)
    logits = [tokens[:, 0].float() for tokens in (real, fake)]  # the first token, of which both have the same
    slope = residual.slope(*logits)
    found = gain(slope * logits[0], slope * logits[1])
    assert abs(found.value) < 4 * standard_error_of(found.influences) + 1e-4


# --- nothing is known


@pytest.mark.parametrize("logit", [0.0, -3.0, 700.0])
def test_a_constant_discriminator_gains_nothing(logit: float) -> None:
    real, fake = torch.full((50,), logit), torch.full((400,), logit)
    assert residual.slope(real, fake) == 0
    found = gain(real, fake)
    assert found.value == pytest.approx(0, abs=1e-12)
    assert (found.bias, found.effective) == pytest.approx((0, 400))
    assert standard_error_of(found.influences) == 0


def test_a_logit_that_is_upside_down_on_validation_texts_is_not_used() -> None:
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.randn(500, generator=generator) - 1, torch.randn(500, generator=generator)
    assert residual.slope(real, fake) == 0
    assert residual.slope(fake, real) > 0.5


def test_the_slope_is_finite_where_the_two_kinds_do_not_overlap() -> None:
    slope = residual.slope(torch.tensor([2.0, 3.0, 2.5]), torch.tensor([-2.0, -1.0, -1.5, -3.0]))
    assert 0.3 < slope < 5


def test_the_slope_is_that_of_a_logistic_regression_whatever_the_numbers_of_both_kinds() -> None:
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.randn(200_000, generator=generator) + 1, torch.randn(20_000, generator=generator)
    # log N(x; 1, 1) / N(x; 0, 1) = x - 1/2
    assert residual.slope(real, fake) == pytest.approx(1, abs=0.03)
    assert residual.slope(3 * real, 3 * fake) == pytest.approx(1 / 3, abs=0.01)


# --- three atoms


def counts(chances: tuple[float, ...], size: int) -> list[tuple[float, NDArray[np.int64]]]:
    """Every way that so many draws can fall on the atoms, with its chance."""
    found = []
    for of_first in range(size + 1):
        for of_second in range(size + 1 - of_first):
            fall = np.array([of_first, of_second, size - of_first - of_second])
            ways = math.factorial(size) / math.prod(map(math.factorial, fall.tolist()))
            found.append((ways * float(np.prod(np.array(chances) ** fall)), fall))
    return found


def log_mean(chances: tuple[float, ...], weights: tuple[float, ...], size: int) -> float:
    """The expectation of the log of the mean weight of so many draws, exactly, as `gain` computes it."""
    total = 0.0
    for chance, fall in counts(chances, size):
        logits = torch.tensor(weights).double().log().repeat_interleave(torch.from_numpy(fall))
        total -= chance * gain(torch.zeros(2, dtype=torch.float64), logits).value
    return total


@pytest.mark.parametrize(("case", "ten"), [(LIGHT, 0.2344), (HEAVY, -0.6045)])
def test_the_log_of_a_mean_rises_to_that_of_the_constant_from_below(
    case: tuple[tuple[float, ...], tuple[float, ...]], ten: float
) -> None:
    log_z = math.log(sum(chance * weight for chance, weight in zip(*case, strict=True)))
    found = [log_mean(*case, size) for size in (1, 2, 10, 20)]
    assert found == sorted(found)
    assert found[-1] < log_z
    assert found[2] == pytest.approx(ten, abs=5e-5)


def test_the_usual_upper_bound_is_below_the_constant_where_weights_are_heavy() -> None:
    """(2n - 1) T_n - 2 (n - 1) T_(n-1) of Deng et al. (2020), for n = 2."""
    bounds = {}
    for case in (LIGHT, HEAVY):
        one, two = (log_mean(*case, size) for size in (1, 2))
        bounds[case] = 3 * two - 2 * one
    log_z = {case: math.log(sum(c * w for c, w in zip(*case, strict=True))) for case in (LIGHT, HEAVY)}
    assert bounds[LIGHT] > log_z[LIGHT] == pytest.approx(0.2624, abs=5e-5)
    assert bounds[HEAVY] == pytest.approx(-0.3650, abs=5e-5)
    assert bounds[HEAVY] < log_z[HEAVY] == pytest.approx(-0.2107, abs=5e-5)


def test_the_bias_that_is_told_is_that_of_the_log_of_a_mean() -> None:
    """Both are expectations over all that 20 draws can be."""
    log_z, told = math.log(sum(chance * weight for chance, weight in zip(*LIGHT, strict=True))), 0.0
    for chance, fall in counts(LIGHT[0], 20):
        logits = torch.tensor(LIGHT[1]).double().log().repeat_interleave(torch.from_numpy(fall))
        told += chance * gain(torch.zeros(2), logits).bias
    assert told > 0.01
    assert log_z - log_mean(*LIGHT, 20) == pytest.approx(told, rel=0.1)


def test_heavy_weights_are_told_by_the_effective_size() -> None:
    chances, weights = (torch.tensor(part).double() for part in HEAVY)
    rng = torch.Generator().manual_seed(0)
    logits = weights.log()[torch.multinomial(chances, 10_000, replacement=True, generator=rng)]
    # (sum c w)^2 / sum c w^2 = .81^2 / 8.3815
    assert gain(torch.zeros(2), logits).effective == pytest.approx(10_000 * 0.81**2 / 8.3815, rel=0.15)
    assert residual.effective_size(torch.zeros(7)) == pytest.approx(7)
    assert residual.effective_size(torch.tensor([[0.0, 0.0], [0.0, -900.0]])) == pytest.approx(1.5)


# --- the error


def test_the_error_is_the_spread_over_new_texts() -> None:
    rng = np.random.default_rng(0)
    values, errors = [], []
    for _ in range(400):
        found = gain(torch.tensor(rng.normal(0.3, 0.7, size=80)), torch.tensor(rng.normal(0.0, 0.6, size=300)))
        values.append(found.value)
        errors.append(standard_error_of(found.influences))
    assert math.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(values), rel=0.1)


def test_copies_of_a_held_out_text_are_one_text() -> None:
    rng = np.random.default_rng(0)
    real, fake = np.repeat(rng.normal(size=30), 5), torch.tensor(rng.normal(size=1000))
    copies, apart = (
        standard_error_of(residual.gain(torch.tensor(real), fake, units).influences)
        for units in (np.repeat(np.arange(30), 5), np.arange(150))
    )
    assert copies > 1.9 * apart
