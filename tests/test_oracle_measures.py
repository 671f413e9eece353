"""Policies measured against an oracle, held to sums over every sequence."""

import itertools

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from seqgan.choice import Chooser
from seqgan.data.ragged import Ragged
from seqgan.metrics.oracle import measure, reweighted, row
from seqgan.models.lstm import LSTMPolicy
from seqgan.models.oracle import SHIFT, Oracle, new_oracle
from seqgan.models.policy import sample

V, T = 4, 3
EVERY = torch.tensor(list(itertools.product(range(V), repeat=T)))


@pytest.fixture
def oracle() -> Oracle:
    return new_oracle(V, T, hidden_dim=5, seed=2)


@pytest.fixture
def policy() -> LSTMPolicy:
    torch.manual_seed(0)
    made = LSTMPolicy(V + SHIFT, T, 5, 5, init_std=0.7).eval()
    made.ends = False
    return made


def every(model: LSTMPolicy) -> Float[Tensor, "S"]:
    """The log-probability of every sequence."""
    return model.log_probs(EVERY + SHIFT).sum(dim=1).double().detach()


def test_all_numbers_are_those_of_the_sums_over_all_sequences(oracle: Oracle, policy: LSTMPolicy) -> None:
    rng, count = torch.Generator().manual_seed(0), 20_000
    samples, test = (sample(model, count, rng=rng).tokens for model in (policy, oracle.policy))
    got = row(measure(policy, oracle.policy, samples, test), "small")
    log_q, log_p = every(policy), every(oracle.policy)
    q, p = log_q.exp(), log_p.exp()
    mixture = ((p + q) / 2).log()
    exact = {
        "nll-oracle": -(q * log_p).sum() / T,
        "nll-test": -(p * log_q).sum() / T,
        "entropy": -(q * log_q).sum() / T,
        "forward-kl": (p * (log_p - log_q)).sum() / T,
        "reverse-kl": (q * (log_q - log_p)).sum() / T,
        "jsd": ((p * (log_p - mixture)).sum() + (q * (log_q - mixture)).sum()) / 2,
    }
    for name, value in exact.items():
        assert abs(got[name].value - float(value)) < 4 * got[name].stderr + 1e-6, name
        assert 0 < got[name].stderr < 0.02, name


@pytest.mark.parametrize("of", [3, 0])
@torch.no_grad()
def test_what_the_best_discriminator_keeps_is_measured_as_by_sums_over_all_sequences(
    oracle: Oracle, policy: LSTMPolicy, of: int
) -> None:
    rng, count = torch.Generator().manual_seed(0), 10_000

    def draws(some: int) -> Ragged:
        return Ragged.padded(sample(policy, some, rng=rng).tokens)

    def judge(rows: Ragged) -> Float[Tensor, "N"]:
        tokens = rows.take(torch.arange(len(rows))).tokens
        return (oracle.policy.log_probs(tokens) - policy.log_probs_drawn(tokens)).sum(dim=1)

    chooser, pool = Chooser(judge, of=of), judge(draws(50_000))
    kept, test = chooser(draws, count, rng), sample(oracle.policy, count, rng=rng).tokens
    samples = kept.take(torch.arange(count)).tokens
    log_q, log_p = every(policy), every(oracle.policy)
    ratios = (chooser.log_ratio(judge(rows), pool, rng).numpy() for rows in (kept, Ragged.padded(test)))
    own = policy.log_probs_drawn(samples).sum(dim=1).double().numpy()
    got = row(reweighted(measure(policy, oracle.policy, samples, test), own, *ratios), "small")
    log_k = log_q + chooser.log_ratio(log_p - log_q, pool, rng)
    k, p = log_k.exp(), log_p.exp()
    assert float(k.sum()) == pytest.approx(1, abs=0.01)
    mixture = ((p + k) / 2).log()
    exact = {
        "nll-oracle": -(k * log_p).sum() / T,
        "nll-test": -(p * log_k).sum() / T,
        "entropy": -(k * log_k).sum() / T,
        "forward-kl": (p * (log_p - log_k)).sum() / T,
        "reverse-kl": (k * (log_k - log_p)).sum() / T,
        "jsd": ((p * (log_p - mixture)).sum() + (k * (log_k - mixture)).sum()) / 2,
    }
    for name, value in exact.items():
        assert abs(got[name].value - float(value)) < 4 * got[name].stderr + 0.004, name
    plain = float((p * (log_p - log_q)).sum()) / T
    assert got["forward-kl"].value < (0.6 if of else 0.2) * plain


def test_the_oracle_itself_is_at_no_distance(oracle: Oracle) -> None:
    samples = oracle.sample(500) + SHIFT
    got = row(measure(oracle.policy, oracle.policy, samples, samples), "small")
    for name in ("forward-kl", "reverse-kl", "jsd"):
        assert abs(got[name].value) < 1e-6
    assert got["nll-oracle"].value == pytest.approx(got["entropy"].value, abs=1e-6)


def test_no_single_prefix_has_a_negative_divergence(oracle: Oracle, policy: LSTMPolicy) -> None:
    samples, test = (sample(model, 300).tokens for model in (policy, oracle.policy))
    exact = measure(policy, oracle.policy, samples, test)
    assert (exact.nll_oracle - exact.entropy).min() >= -1e-6
    assert (exact.nll_test - exact.oracle_entropy).min() >= -1e-6


def test_differences_of_two_policies_are_paired_on_the_test_sequences(oracle: Oracle, policy: LSTMPolicy) -> None:
    torch.manual_seed(1)
    near = LSTMPolicy(V + SHIFT, T, 5, 5).eval()
    near.load_state_dict({name: weights * 1.01 for name, weights in policy.state_dict().items()})
    near.ends, test = False, oracle.sample(2000) + SHIFT
    one, other = (
        row(measure(model, oracle.policy, sample(model, 2000).tokens, test), "small") for model in (policy, near)
    )
    difference = other["nll-test"] - one["nll-test"]
    assert difference.stderr < one["nll-test"].stderr / 10


def test_distinct_counts_different_samples(oracle: Oracle, policy: LSTMPolicy) -> None:
    samples = (EVERY[:8] + SHIFT).repeat(2, 1)
    got = row(measure(policy, oracle.policy, samples, EVERY + SHIFT), "small")
    assert got["distinct"].value == 0.5


def test_long_lists_are_measured_as_short_ones(
    oracle: Oracle, policy: LSTMPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = measure(policy, oracle.policy, EVERY + SHIFT, EVERY + SHIFT)
    monkeypatch.setattr("seqgan.metrics.oracle.rows_together", lambda tokens, size: 7)
    for one, other in zip(whole, measure(policy, oracle.policy, EVERY + SHIFT, EVERY + SHIFT), strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-6)
