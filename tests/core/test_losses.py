"""The loss that texts and images share."""

import math

import pytest
import torch
from torch.testing import assert_close

from seqgan.core.losses import pairwise_loss

P = torch.tensor([0.35, 0.25, 0.20, 0.12, 0.08], dtype=torch.float64)
Q = torch.tensor([0.02, 0.05, 0.13, 0.30, 0.50], dtype=torch.float64)


def over_all_pairs(logits: torch.Tensor) -> torch.Tensor:
    """The expected loss where real things are drawn from P and generated ones from Q: a hundred of each, paired."""
    real, fake = ((100 * p).round().long() for p in (P, Q))
    better, worse = (logits.repeat_interleave(count) for count in (real, fake))
    return pairwise_loss(better.repeat_interleave(100), worse.repeat(100))


def test_the_best_logits_are_log_odds_whose_loss_is_known() -> None:
    best = (P / Q).log().requires_grad_()
    loss = over_all_pairs(best)
    assert math.log(2) - loss.item() == pytest.approx(0.376890, abs=1e-6)
    loss.backward()
    assert best.grad is not None
    assert_close(best.grad, torch.zeros(5, dtype=torch.float64), atol=1e-12, rtol=0.0)
    with torch.no_grad():
        assert_close(over_all_pairs(best + 3.0), loss)  # only differences count
        for at in range(5):
            for off in (-0.2, 0.2):
                assert over_all_pairs(best + off * torch.eye(5)[at]) > loss + 1e-5


def test_equal_logits_cost_log_2_and_push_the_one_kind_up_and_the_other_down() -> None:
    real, fake = torch.zeros(4, requires_grad=True), torch.zeros(4, requires_grad=True)
    loss = pairwise_loss(real, fake)
    assert loss.item() == pytest.approx(math.log(2))
    loss.backward()
    assert_close(real.grad, torch.full((4,), -1 / 8))
    assert_close(fake.grad, torch.full((4,), 1 / 8))


def test_pairs_one_with_one_and_all_with_all_agree_in_the_mean() -> None:
    real, fake = torch.randn(2, 6, generator=torch.Generator().manual_seed(0))
    shifted = [pairwise_loss(real, fake.roll(by)) for by in range(6)]
    assert_close(torch.stack(shifted).mean(), pairwise_loss(real.repeat_interleave(6), fake.repeat(6)))
