import math

import pytest
import torch
from torch.testing import assert_close

from seqgan import losses
from seqgan.errors import UsageError
from seqgan.losses import (
    discriminator_loss,
    l2_penalty,
    linear_nll,
    mle_weights,
    policy_gradient_weights,
    weighted_nll,
)

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


def some_rows(rows: int, scale: float) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    features, weight, bias = torch.randn(rows, 8) * scale, torch.randn(50, 8), torch.randn(50)
    targets, weights = torch.randint(50, (rows,)), torch.randn(rows)
    weights[::5] = 0.0
    return features.requires_grad_(), weight.requires_grad_(), bias.requires_grad_(), targets, weights


@pytest.mark.parametrize("scale", [1.0, 100.0], ids=["bounded logits", "logits that need their maximum"])
@pytest.mark.parametrize("rows_at_a_time", [1, 6, 7, 1000])
def test_the_fused_loss_is_that_of_cross_entropy(
    scale: float, rows_at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Value and every gradient against the plain form in double precision, whatever the size of the chunks."""
    monkeypatch.setattr(losses, "cached_rows", lambda *_, **__: rows_at_a_time)
    features, weight, bias, targets, weights = some_rows(40, scale)
    fused = linear_nll(features, weight, bias, targets, weights)
    found = torch.autograd.grad(fused * 1.5, (features, weight, bias))
    exact = [tensor.detach().double().requires_grad_() for tensor in (features, weight, bias)]
    log_probs = torch.nn.functional.linear(*exact).log_softmax(dim=1).gather(1, targets.unsqueeze(1)).squeeze(1)
    plain = -(log_probs * weights).sum()
    expected = torch.autograd.grad(plain * 1.5, exact)
    assert math.isclose(fused.item(), plain.item(), rel_tol=1e-5, abs_tol=1e-5)
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-5 * scale)


def test_the_fused_loss_says_when_a_feature_is_nan() -> None:
    features, *others = some_rows(6, 1.0)
    assert linear_nll(features * float("nan"), *others).isnan()


def test_the_fused_loss_has_a_gradient_for_its_weights() -> None:
    *given, targets, weights = some_rows(12, 1.0)
    weights.requires_grad_()
    (found,) = torch.autograd.grad(linear_nll(*given, targets, weights) * 1.5, weights)
    log_probs = torch.nn.functional.linear(*given).log_softmax(dim=1).gather(1, targets.unsqueeze(1)).squeeze(1)
    assert_close(found, -1.5 * log_probs.detach(), rtol=1e-5, atol=1e-5)


def test_the_fused_loss_refuses_a_second_derivative() -> None:
    """Its gradient is made on the way forward: of that, autograd would take a part for a constant."""
    features, *others = some_rows(6, 1.0)
    with pytest.raises(UsageError, match="linear_nll has no second derivative"):
        torch.autograd.grad(linear_nll(features, *others), features, create_graph=True)


@pytest.mark.parametrize("threads", [1, 8])
def test_the_fused_loss_needs_no_more_memory_on_many_threads(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each thread adds up a gradient of its own, as large as the matrix; what that is beyond, threads share."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr("seqgan.core.device.LARGEST_PARTS", 3 * 50 * 9 * 4)  # three of them
    made, original = [], torch.Tensor.new_zeros

    def new_zeros(tensor: torch.Tensor, *shape: int) -> torch.Tensor:
        made.append(math.prod(shape))
        return original(tensor, *shape)

    monkeypatch.setattr(torch.Tensor, "new_zeros", new_zeros)
    features, matrix, bias, targets, weights = some_rows(40, 1.0)
    loss = linear_nll(features, matrix, bias, targets, weights)
    assert made == [min(threads, 2) * 50 * 9]
    log_probs = torch.nn.functional.linear(features, matrix, bias).log_softmax(dim=1)
    assert_close(loss, -(log_probs.gather(1, targets.unsqueeze(1)).squeeze(1) * weights).sum(), rtol=1e-5, atol=1e-5)
