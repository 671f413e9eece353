from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from seqgan.advantages import advantages, leave_one_out
from seqgan.core.game import inference
from seqgan.errors import UsageError
from seqgan.rewards import on_text
from seqgan.rewards.controls import controlled
from seqgan.rewards.custom import validated
from seqgan.rewards.discriminator import DiscriminatorReward

MASK = torch.tensor([[True, True, True], [True, True, False], [True, True, True]])
REWARDS = torch.tensor([[1.0, 2.0, 4.0], [3.0, 5.0, 0.0], [5.0, 2.0, 1.0]])


def test_leave_one_out_is_the_mean_of_the_others_that_are_still_there() -> None:
    expected = torch.tensor([[4.0, 3.5, 1.0], [3.0, 2.0, 2.5], [2.0, 3.5, 4.0]])
    assert_close(leave_one_out(REWARDS, MASK)[MASK], expected[MASK])


def test_a_lone_sample_is_its_own_expectation() -> None:
    assert_close(advantages(REWARDS[:1], MASK[:1], "batch", normalize_advantage=False), torch.zeros(1, 3))


def test_the_prefix_baseline_is_the_value_one_token_before() -> None:
    expected = torch.tensor([[-3.0, 1.0, 2.0], [0.0, 2.0, 0.0], [3.0, -3.0, -1.0]])
    assert_close(advantages(REWARDS, MASK, "prefix", normalize_advantage=False), expected)


def test_normalised_advantages_have_unit_mean_square() -> None:
    unit = advantages(REWARDS, MASK, "prefix", normalize_advantage=True)
    assert float(unit.square().sum() / MASK.sum()) == pytest.approx(1.0, abs=1e-4)


def test_without_a_baseline_rewards_are_paid_as_they_are() -> None:
    assert_close(advantages(REWARDS, MASK, "none", normalize_advantage=False), REWARDS * MASK)


@pytest.mark.parametrize("baseline", ["batch", "prefix"])
def test_a_constant_reward_teaches_nothing_once_there_is_a_baseline(baseline: str) -> None:
    full = torch.ones_like(MASK)
    constant = controlled(REWARDS, full, "constant")
    assert_close(advantages(constant, full, baseline, normalize_advantage=False), torch.zeros(3, 3))


def test_shuffled_rewards_keep_rows_together() -> None:
    torch.manual_seed(1)
    full = torch.ones_like(MASK)
    shuffled = controlled(REWARDS, full, "shuffled").tolist()
    assert sorted(shuffled) == sorted(REWARDS.tolist())
    assert shuffled != REWARDS.tolist()


def test_log_odds_are_clamped_and_probability_is_their_sigmoid() -> None:
    class Fixed(nn.Module):
        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return torch.tensor([-50.0, 0.0, 2.0])

    logits = Fixed()
    tokens = torch.zeros(3, 2, dtype=torch.long)
    assert_close(DiscriminatorReward(logits, "log-odds")(tokens), torch.tensor([-8.0, 0.0, 2.0]))
    assert_close(DiscriminatorReward(logits, "probability")(tokens), torch.tensor([-50.0, 0.0, 2.0]).sigmoid())


@pytest.mark.parametrize("training", [True, False])
def test_a_judge_has_no_dropout_and_is_left_as_it_was(training: bool) -> None:
    module = nn.Sequential(nn.Dropout(0.9), nn.Linear(4, 1)).train(training)
    with inference(module) as judge:
        assert not judge[0].training
        assert not judge(torch.ones(1, 4)).requires_grad
    assert module.training == module[0].training == training


def test_a_judge_is_left_as_it_was_after_an_error() -> None:
    module = nn.Dropout(0.5).train()
    with pytest.raises(ZeroDivisionError), inference(module):
        raise ZeroDivisionError
    assert module.training


# --- rewards of others


@pytest.mark.parametrize("count", [2, 3, 8])
def test_shuffled_rewards_are_never_ones_own(count: int) -> None:
    mask, own = torch.ones(count, 3, dtype=torch.bool), torch.arange(3.0 * count).view(count, 3)
    donors = set()
    for seed in range(40):
        torch.manual_seed(seed)
        shuffled = controlled(own, mask, "shuffled")
        assert not (shuffled == own).any()
        assert sorted(shuffled.tolist()) == own.tolist()  # each is paid once
        donors.add(float(shuffled[0, 0]))
    assert len(donors) == count - 1  # and each other one may be the donor


def test_noise_is_a_draw_of_its_own_for_every_token() -> None:
    mask = torch.ones(500, 4, dtype=torch.bool)
    mask[:, 3] = False
    torch.manual_seed(3)
    noise = controlled(REWARDS[0, 0].expand(500, 4), mask, "noise")
    assert (noise[:, 3] == 0).all()
    drawn = noise[mask]
    assert len(drawn.unique()) == len(drawn) == 1500
    assert 0 <= drawn.min() < 0.01 < 0.99 < drawn.max() < 1
    assert float(drawn.mean()) == pytest.approx(0.5, abs=4 / (12 * 1500) ** 0.5)  # four standard errors
    torch.manual_seed(3)
    assert controlled(torch.zeros(500, 4), mask, "noise").equal(noise)  # whatever the rewards are


def test_a_donor_that_is_shorter_goes_on_with_its_last_reward() -> None:
    mask = torch.tensor([[True, True, True, True], [True, True, False, False]])
    rewards = torch.tensor([[1.0, 2.0, 3.0, 4.0], [7.0, 8.0, 0.0, 0.0]])
    assert controlled(rewards, mask, "shuffled").tolist() == [[7.0, 8.0, 8.0, 8.0], [1.0, 2.0, 0.0, 0.0]]


# --- what rounding leaves


@pytest.mark.parametrize("baseline", ["batch", "prefix"])
@pytest.mark.parametrize("value", [0.1, 0.3, 7.9999, 100.1, -5.709278, 1e-9, 3e6])
@pytest.mark.parametrize("count", [2, 7, 64, 128])
def test_equal_rewards_are_advantages_of_exactly_zero(baseline: str, value: float, count: int) -> None:
    """Their mean is not always their value, to the last bit; divided by its own size, that bit would count fully."""
    rewards, mask = torch.full((count, 20), value), torch.rand(count, 20).cumsum(dim=1) < 8
    mask[:, 0] = True
    rewards[::3, ::2] = torch.nextafter(rewards[::3, ::2], torch.tensor(float("inf")))  # scores differ by as little
    assert (advantages(rewards * mask, mask, baseline, normalize_advantage=True)[:, 1:][mask[:, 1:]] == 0).all()
    assert (advantages(rewards * mask, mask, baseline, normalize_advantage=True)[:, 0] == 0).all()


def test_small_differences_between_large_rewards_are_still_told() -> None:
    rewards = 1e6 + torch.tensor([[0.0], [1.0], [2.0]])
    unit = advantages(rewards, torch.ones(3, 1, dtype=torch.bool), "batch", normalize_advantage=True)
    assert_close(unit, torch.tensor([[-1.5], [0.0], [1.5]]) / 1.5**0.5)


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e9])
def test_normalised_advantages_do_not_depend_on_the_scale_of_rewards(scale: float) -> None:
    unit = advantages(REWARDS, MASK, "prefix", normalize_advantage=True)
    assert_close(advantages(REWARDS * scale, MASK, "prefix", normalize_advantage=True), unit)


# --- modules of others


def test_a_judge_s_parts_are_left_as_each_was() -> None:
    module = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(3)).train()
    module[1].eval()  # frozen, as a pretrained part is
    with inference(module):
        assert not module[0].training
    assert [part.training for part in module.modules()] == [True, True, False]


@pytest.mark.parametrize(
    "reward",
    [
        lambda module: module,
        lambda module: module.forward,
        lambda module: on_text(module.of_texts).on_tokens(lambda rows: [str(row[0]) for row in rows]),
    ],
    ids=["a module", "a method of one", "a method of texts"],
)
def test_a_module_that_pays_has_no_dropout_meanwhile(reward: Callable[[Any], Any]) -> None:
    class Judge(nn.Sequential):
        def of_texts(self, texts: list[str]) -> torch.Tensor:
            return self(torch.tensor([[int(text)] for text in texts]))

    module = Judge(nn.Embedding(9, 1), nn.Dropout(0.5), nn.Flatten(0)).train()
    paid = validated(reward(module))(torch.arange(8).unsqueeze(1))
    assert_close(paid, module[0].weight[:8, 0].detach())
    assert not paid.requires_grad
    assert module[1].training


def test_a_reward_of_another_type_comes_to_where_the_tokens_are() -> None:
    tokens = torch.ones(2, 3, dtype=torch.long)
    assert validated(lambda tokens: tokens.sum(dim=1).double())(tokens).dtype == torch.float32


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_reward_of_text_that_is_no_number_names_the_text(bad: float) -> None:
    score = on_text(lambda texts: [1.0, bad, 2.0]).on_tokens(lambda rows: ["good", "the culprit", "fine"])
    with pytest.raises(UsageError, match=r"the reward gave -?(nan|inf) for 'the culprit'"):
        score(torch.ones(3, 2, dtype=torch.long))
