import pytest
import torch
from torch import nn
from torch.testing import assert_close

from seqgan.rewards import DiscriminatorReward, advantages, controlled, judging, leave_one_out

MASK = torch.tensor([[True, True, True], [True, True, False], [True, True, True]])
REWARDS = torch.tensor([[1.0, 2.0, 4.0], [3.0, 5.0, 0.0], [5.0, 2.0, 1.0]])


def test_leave_one_out_is_the_mean_of_the_others_that_are_still_there() -> None:
    expected = torch.tensor([[4.0, 3.5, 1.0], [3.0, 2.0, 2.5], [2.0, 3.5, 4.0]])
    assert_close(leave_one_out(REWARDS, MASK)[MASK], expected[MASK])


def test_a_lone_sample_is_its_own_expectation() -> None:
    assert_close(advantages(REWARDS[:1], MASK[:1], "batch", normalise=False), torch.zeros(1, 3))


def test_the_prefix_baseline_is_the_value_one_token_before() -> None:
    expected = torch.tensor([[-3.0, 1.0, 2.0], [0.0, 2.0, 0.0], [3.0, -3.0, -1.0]])
    assert_close(advantages(REWARDS, MASK, "prefix", normalise=False), expected)


def test_normalised_advantages_have_unit_mean_square() -> None:
    unit = advantages(REWARDS, MASK, "prefix", normalise=True)
    assert float(unit.square().sum() / MASK.sum()) == pytest.approx(1.0, abs=1e-4)


def test_without_a_baseline_rewards_are_paid_as_they_are() -> None:
    assert_close(advantages(REWARDS, MASK, "none", normalise=False), REWARDS * MASK)


@pytest.mark.parametrize("baseline", ["batch", "prefix"])
def test_a_constant_reward_teaches_nothing_once_there_is_a_baseline(baseline: str) -> None:
    full = torch.ones_like(MASK)
    constant = controlled(REWARDS, full, "constant")
    assert_close(advantages(constant, full, baseline, normalise=False), torch.zeros(3, 3))


def test_shuffled_rewards_keep_rows_together() -> None:
    torch.manual_seed(1)
    full = torch.ones_like(MASK)
    shuffled = controlled(REWARDS, full, "shuffled").tolist()
    assert sorted(shuffled) == sorted(REWARDS.tolist())
    assert shuffled != REWARDS.tolist()


def test_log_odds_are_clamped_and_probability_is_their_sigmoid() -> None:
    def logits(tokens: torch.Tensor) -> torch.Tensor:
        return torch.tensor([-50.0, 0.0, 2.0])

    tokens = torch.zeros(3, 2, dtype=torch.long)
    assert_close(DiscriminatorReward(logits, "log-odds")(tokens), torch.tensor([-8.0, 0.0, 2.0]))
    assert_close(DiscriminatorReward(logits, "probability")(tokens), torch.tensor([-50.0, 0.0, 2.0]).sigmoid())


@pytest.mark.parametrize("training", [True, False])
def test_a_judge_has_no_dropout_and_is_left_as_it_was(training: bool) -> None:
    module = nn.Sequential(nn.Dropout(0.9), nn.Linear(4, 1)).train(training)
    with judging(module) as judge:
        assert not judge[0].training
        assert not judge(torch.ones(1, 4)).requires_grad
    assert module.training == module[0].training == training


def test_a_judge_is_left_as_it_was_after_an_error() -> None:
    module = nn.Dropout(0.5).train()
    with pytest.raises(ZeroDivisionError), judging(module):
        raise ZeroDivisionError
    assert module.training
