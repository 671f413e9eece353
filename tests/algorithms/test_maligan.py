"""MaliGAN against what can be computed in full: a policy over five atoms."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from seqgan.algorithms.components import Components
from seqgan.algorithms.maligan import importance_weights, new_maligan
from seqgan.data.dataset import TokenDataset
from seqgan.errors import UsageError
from seqgan.rewards import dense

P = torch.tensor([0.35, 0.25, 0.20, 0.12, 0.08], dtype=torch.float64)  # the data
Q = torch.tensor([0.02, 0.05, 0.13, 0.30, 0.50], dtype=torch.float64)  # the policy
LOGITS = (P / Q).log()  # of the optimal discriminator: D / (1 - D) = p / q
CPU = torch.device("cpu")


def expected_gradient(weights: torch.Tensor) -> torch.Tensor:
    """Of -E_q[weights * log q] with respect to the policy's logits: sum over atoms of q w (q - one-hot)."""
    return torch.stack([Q[atom] * weights[atom] * (Q - torch.eye(5, dtype=Q.dtype)[atom]) for atom in range(5)]).sum(0)


def test_raw_weights_of_the_optimal_discriminator_descend_the_forward_kl() -> None:
    """The gradient of KL(p, q) with respect to the logits of q is q - p."""
    assert_close(expected_gradient(LOGITS.exp()), Q - P, atol=1e-15, rtol=0.0)


@pytest.mark.parametrize(("m", "share"), [(2, 0.287), (4, 0.518), (64, 0.944)])
def test_self_normalised_weights_are_biased_as_they_must_be(m: int, share: float) -> None:
    """The size of the expected gradient over the exact one, from many batches of m samples."""
    drawn = torch.multinomial(Q, 200_000 // m * m, True, generator=torch.Generator().manual_seed(1)).view(-1, m)
    weights = torch.stack([importance_weights(row, uniform_baseline=True) for row in LOGITS[drawn][:100]])
    assert_close(weights, LOGITS[drawn][:100].softmax(dim=1) - 1 / m)
    weights = LOGITS[drawn].softmax(dim=1) - 1 / m
    moved = torch.zeros(5, dtype=Q.dtype).index_add(0, drawn.flatten(), weights.flatten()) / len(drawn)
    # -sum w_i grad log q(x_i), and the weights of a batch sum to 0.
    assert float(moved.norm() / (Q - P).norm()) == pytest.approx(share, abs=0.02)


def test_weights_do_not_depend_on_the_level_of_the_logits_and_never_overflow() -> None:
    logits = torch.tensor([0.5, -1.0, 2.0, 90.0])
    weights = importance_weights(logits, uniform_baseline=False)
    assert_close(weights, importance_weights(logits + 37.0, uniform_baseline=False))
    assert_close(weights[3], torch.tensor(1.0))
    assert weights.isfinite().all()


def test_equal_scores_teach_nothing() -> None:
    assert importance_weights(torch.full((4,), 1.7), uniform_baseline=True).eq(0).all()
    assert_close(importance_weights(torch.full((4,), 1.7), uniform_baseline=False), torch.full((4,), 0.25))


def test_an_update_is_weighted_likelihood_of_its_own_samples(
    texts: TokenDataset, tiny_config: Callable[..., Any]
) -> None:
    """Every token of a sequence has the sequence's weight, and the discriminator scores in eval mode."""
    gan = new_maligan(tiny_config("maligan", mle_weight=0.0, d_dropout=0.9), texts, CPU, 3)
    torch.manual_seed(1)
    tokens = gan.generator.sample(8).tokens
    logits = gan.discriminator.eval()(tokens)
    gan.discriminator.train()
    weights = (logits - logits.logsumexp(dim=0)).exp() - 1 / 8
    loss = -((gan.generator.log_probs_drawn(tokens).sum(dim=1)) * weights).sum()
    torch.manual_seed(1)
    measured = gan.policy_update(0)
    assert_close(measured["loss"], loss.detach(), atol=1e-5, rtol=1e-4)
    assert_close(measured["effective_samples"], 1 / (weights + 1 / 8).square().sum().detach(), atol=1e-3, rtol=1e-3)


def test_a_dense_reward_is_refused(texts: TokenDataset, tiny_config: Callable[..., Any]) -> None:
    components = Components(reward=dense(lambda tokens: tokens.float()))
    with pytest.raises(UsageError, match="maligan weights whole sequences"):
        new_maligan(tiny_config("maligan"), texts, CPU, 0, components)
