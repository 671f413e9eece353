import torch
from torch.testing import assert_close

from seqgan.losses import (
    discriminator_loss,
    l2_penalty,
    mle_weights,
    policy_gradient_weights,
)


def weighted_nll(log_probs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return -(log_probs * weights).sum()


LOG_PROBS = torch.tensor([[-1.0, -2.0, -9.0], [-3.0, -1.0, -2.0]])
MASK = torch.tensor([[True, True, False], [True, True, True]])


def test_mle_is_the_mean_over_tokens_that_count() -> None:
    assert_close(weighted_nll(LOG_PROBS, mle_weights(MASK)), torch.tensor((1 + 2 + 3 + 1 + 2) / 5))


def test_policy_gradient_weighs_each_token_by_its_own_reward() -> None:
    rewards = torch.tensor([[1.0, 0.5, 100.0], [0.0, -1.0, 2.0]])
    total = 1 * 1.0 + 2 * 0.5 + 0 - 1 + 2 * 2.0
    assert_close(weighted_nll(LOG_PROBS, policy_gradient_weights(rewards, MASK, "sum")), torch.tensor(total))
    assert_close(weighted_nll(LOG_PROBS, policy_gradient_weights(rewards, MASK)), torch.tensor(total / 5))


def test_no_gradient_flows_into_the_rewards() -> None:
    log_probs, rewards = LOG_PROBS.clone().requires_grad_(), torch.ones(2, 3, requires_grad=True)
    weighted_nll(log_probs, policy_gradient_weights(rewards * 2, MASK)).backward()
    assert rewards.grad is None
    assert log_probs.grad is not None
    assert (log_probs.grad[MASK] < 0).all()  # a positive reward raises the log-probability
    assert (log_probs.grad[~MASK] == 0).all()


def test_an_undecided_discriminator_pays_log_2_and_learns_in_the_right_direction() -> None:
    real, fake = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    loss = discriminator_loss(real, fake)
    assert_close(loss.detach(), torch.tensor(2.0).log())
    loss.backward()
    assert (real.grad < 0).all()
    assert (fake.grad > 0).all()


def test_l2_is_half_the_sum_of_squares() -> None:
    assert_close(l2_penalty(torch.tensor([1.0, 2.0]), torch.tensor([3.0])), torch.tensor(7.0))
