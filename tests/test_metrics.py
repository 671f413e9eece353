import math

import pytest
import torch

from seqgan.data.ragged import Ragged
from seqgan.metrics import discrimination, diversity, nll
from seqgan.models.lstm import LSTMPolicy
from seqgan.models.policy import sample
from seqgan.symbols import EOS


def test_auc_counts_the_pairs_that_are_ranked_rightly() -> None:
    real, fake = torch.tensor([3.0, 1.0]), torch.tensor([0.0, 1.0, 2.0])
    # 3 beats all three; 1 beats one and ties with one
    assert discrimination.auc(real, fake) == pytest.approx((3 + 1.5) / 6)
    assert discrimination.auc(fake, real) == pytest.approx(1 - 4.5 / 6)


def test_accuracy_gives_both_kinds_half_the_weight() -> None:
    assert discrimination.accuracy(torch.tensor([1.0, -1.0, -1.0, -1.0]), torch.tensor([-1.0])) == pytest.approx(
        (0.25 + 1) / 2
    )


def test_cross_entropy_of_knowing_nothing_is_log_2() -> None:
    assert discrimination.cross_entropy(torch.zeros(3), torch.zeros(5)) == pytest.approx(math.log(2))


def test_calibration_is_the_distance_of_probabilities_from_shares_bin_by_bin() -> None:
    real, fake = torch.tensor([0.95, 0.95, 0.25]).logit(), torch.tensor([0.95, 0.25, 0.25]).logit()
    # Half of the texts in each of two bins, of which 2/3 and 1/3 are real.
    expected = ((0.95 - 2 / 3) + (1 / 3 - 0.25)) / 2
    assert discrimination.calibration_error(real, fake) == pytest.approx(expected)
    assert discrimination.calibration_error(real, fake.repeat(4)) == pytest.approx(expected)
    assert discrimination.calibration_error(torch.zeros(3), torch.zeros(5)) == pytest.approx(0.0)
    sure = torch.full((4,), 100.0)  # P(real) is 1, in the last bin
    assert discrimination.calibration_error(sure, -sure) == pytest.approx(0.0)
    assert discrimination.calibration_error(-sure, sure) == pytest.approx(1.0)


def test_distinct_counts_repeats() -> None:
    assert diversity.distinct(diversity.texts_of(["a", "b", "a", "a"])) == [0.5]


def test_likelihood_sums_over_tokens_whatever_the_order_and_the_padding(policy: LSTMPolicy) -> None:
    rows = [[4, 5, EOS], [5, EOS], [4, 4, 5, 5]]
    one_by_one = sum(-policy.log_probs(torch.tensor([row])).sum().item() for row in rows)
    together = nll.likelihood(policy, rows)
    assert together.total == pytest.approx(one_by_one, abs=1e-4)
    assert together.tokens == 9
    assert together.per_token == pytest.approx(one_by_one / 9, abs=1e-5)


def test_divergence_of_a_policy_from_itself_is_zero_and_from_another_positive(policy: LSTMPolicy) -> None:
    torch.manual_seed(0)
    other = LSTMPolicy(6, 4, 5, 6, init_std=1.0).eval()
    drawn = sample(policy, 2000)
    rows = Ragged.padded(drawn.tokens)
    assert nll.divergence(policy, policy, rows) == pytest.approx(0.0, abs=1e-7)
    exact_steps = nll.divergence(policy, other, rows)
    plain = float(
        ((policy.log_probs_drawn(drawn.tokens) - other.log_probs_drawn(drawn.tokens)).sum() / drawn.mask.sum()).detach()
    )
    assert exact_steps > 0
    assert exact_steps == pytest.approx(plain, rel=0.15)


def test_entropy_of_a_uniform_policy_is_the_log_of_what_it_can_draw() -> None:
    torch.manual_seed(0)
    policy = LSTMPolicy(6, 4, 5, 6, init_std=0.0).eval()
    tokens, mask, *_ = sample(policy, 500)
    rows = [row[:length] for row, length in zip(tokens.tolist(), mask.sum(dim=1).tolist(), strict=True)]
    surprise = -nll.text_log_probs(policy, rows, drawn=True).sum() / sum(map(len, rows))
    assert float(surprise) == pytest.approx(math.log(3), abs=1e-5)
