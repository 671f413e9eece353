"""Relaxed samples (Nie et al. 2019): exact draws, and soft tokens of a known law through which a gradient flows."""

from unittest import mock

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from seqgan.models.cnn import CNNDiscriminator
from seqgan.models.gru import GRUPolicy
from seqgan.models.lstm import LSTMPolicy
from seqgan.models.policy import PolicyModule
from seqgan.symbols import EOS, PAD


class Constant(PolicyModule):
    """Two tokens that may be drawn, EOS and 4, with logits that do not depend on what was read."""

    def __init__(self, logits: tuple[float, float] = (0.0, 0.0), max_length: int = 1) -> None:
        super().__init__(5, max_length)
        self.embedding, self.output = nn.Embedding(5, 2), nn.Linear(2, 5)
        nn.init.zeros_(self.output.weight)
        self.output.bias.data = torch.tensor([9.0, 9.0, 9.0, *logits])  # the first three may not be drawn

    def initial_state(self, count: int) -> tuple[Tensor, ...]:
        return (torch.zeros(count, 2),)

    def step(self, embedded: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (embedded,)

    def features(self, state: tuple[Tensor, ...]) -> Tensor:
        return state[0]


@pytest.fixture(params=[LSTMPolicy, GRUPolicy])
def policy(request: pytest.FixtureRequest) -> PolicyModule:
    torch.manual_seed(1)
    made: PolicyModule = request.param(6, 4, 5, 6, init_std=1.0).eval()
    return made


@pytest.mark.parametrize("beta", [0.3, 1.0, 50.0])
@torch.no_grad()
def test_the_tokens_have_the_law_of_the_policy_whatever_beta(policy: PolicyModule, beta: float) -> None:
    """Whole sequences against their exact probabilities: chi-square, two-sided."""
    torch.manual_seed(0)
    rows, counts = policy.relaxed_sample(50_000, beta).tokens.unique(dim=0, return_counts=True)
    expected = policy.log_probs_drawn(rows).sum(dim=1).exp() * 50_000
    z = (counts - expected) / expected.sqrt()
    assert z[expected > 5].abs().max() < 5
    assert (z[expected > 5] ** 2).mean() == pytest.approx(1.0, abs=0.6)


@torch.no_grad()
def test_of_two_equal_tokens_a_soft_one_is_uniform_at_beta_1() -> None:
    """softmax(g1, g2) = sigmoid(g1 - g2), and a difference of Gumbel variables is logistic: its CDF is that sigmoid."""
    torch.manual_seed(0)
    soft = Constant().relaxed_sample(100_000, 1.0).soft[:, 0, EOS]
    assert soft.mean() == pytest.approx(1 / 2, abs=0.005)
    assert soft.var() == pytest.approx(1 / 12, abs=0.001)
    deciles = (soft * 10).long().bincount(minlength=10) / 100_000
    assert_close(deciles, torch.full((10,), 0.1), atol=0.005, rtol=0.0)


@pytest.mark.parametrize(("beta", "mean"), [(1.0, 0.717), (2.0, 0.769), (100.0, 0.800)])
@torch.no_grad()
def test_the_mean_of_soft_tokens_goes_to_the_probability_as_beta_grows(beta: float, mean: float) -> None:
    """p = .8: at a small beta the relaxation is biased (values by numerical integration)."""
    torch.manual_seed(0)
    soft = Constant((torch.tensor(4.0).log().item(), 0.0)).relaxed_sample(200_000, beta).soft[:, 0, EOS]
    assert soft.mean() == pytest.approx(mean, abs=0.004)


def test_a_soft_token_is_a_distribution_over_what_may_be_drawn_and_its_largest_entry_is_the_token(
    policy: PolicyModule,
) -> None:
    torch.manual_seed(0)
    tokens, mask, soft = policy.relaxed_sample(500, 2.0)
    assert tokens.shape == mask.shape == (500, 4)
    assert_close(soft.sum(dim=2), torch.ones(500, 4))
    assert soft.argmax(dim=2).equal(tokens)
    assert (soft[mask][:, :EOS] == 0).all()
    assert (~mask).any()
    assert (soft[~mask] == torch.eye(6)[PAD]).all()
    assert (tokens[~mask] == PAD).all()
    assert mask.equal((tokens == EOS).cumsum(dim=1) - (tokens == EOS).long() == 0)


def test_for_an_infinite_beta_soft_tokens_are_one_hot_and_have_no_gradient(policy: PolicyModule) -> None:
    torch.manual_seed(0)
    tokens, _, soft = policy.relaxed_sample(50, 1e7)
    assert_close(soft, nn.functional.one_hot(tokens, 6).float())
    (soft * torch.randn(6)).sum().backward()
    assert all(p.grad is None or (p.grad.abs() < 1e-6).all() for p in policy.parameters())


def test_straight_through_has_one_hot_values_and_the_gradient_of_the_softmax(policy: PolicyModule) -> None:
    toward, gradients = torch.randn(6), []
    for straight_through in (False, True):
        torch.manual_seed(0)
        tokens, _, soft = policy.relaxed_sample(20, 1.5, straight_through=straight_through)
        assert soft.equal(nn.functional.one_hot(tokens, 6).float()) == straight_through
        learned = [parameter for parameter in policy.parameters() if parameter.requires_grad]
        gradients.append(torch.autograd.grad((soft * toward).sum(), learned, allow_unused=True))
    assert_close(gradients[1], gradients[0])


def test_the_gradient_reaches_what_was_read_first_and_does_not_pass_through_a_choice(policy: PolicyModule) -> None:
    """The second token is drawn after the first as it stands: its gradient is that of teacher forcing with the same
    noise, and the first soft token has none from the vector of the token that was chosen there."""
    read: list[Tensor] = []

    def embed(tokens: Tensor) -> Tensor:
        read.append(policy.embedding(tokens).detach().requires_grad_())
        return read[-1]

    with mock.patch.object(policy, "embed", embed):
        torch.manual_seed(0)
        tokens, _, soft = policy.relaxed_sample(8, 1.5)
    bos, chosen = read[:2]
    assert chosen.equal(policy.embedding(tokens[:, 0]))
    (first, of_choice) = torch.autograd.grad(soft[:, 0, EOS].sum(), (bos, chosen), retain_graph=True)
    assert (first.abs().sum(dim=1) > 0).all()
    assert (of_choice == 0).all()

    torch.manual_seed(0)
    _, noise = (-torch.empty(8, 6 - EOS).exponential_().log() for _ in range(2))
    state = policy.step(chosen.detach(), policy.step(bos, policy.initial_state(8)))
    by_hand = (1.5 * (policy.logits(policy.features(state)) + noise)).softmax(dim=1)[tokens[:, 0] != EOS, 1]
    (expected,) = torch.autograd.grad(by_hand.sum(), bos)
    (found,) = torch.autograd.grad(soft[tokens[:, 0] != EOS, 1, EOS + 1].sum(), bos)
    assert_close(found, expected)
    assert found.abs().sum() > 0


def test_the_same_generator_gives_the_same_samples(policy: PolicyModule) -> None:
    first, second = (policy.relaxed_sample(9, 1.0, rng=torch.Generator().manual_seed(3)) for _ in range(2))
    assert first.tokens.equal(second.tokens)
    assert first.soft.equal(second.soft)


def test_a_discriminator_moves_a_policy_through_relaxed_samples(policy: PolicyModule) -> None:
    discriminator = CNNDiscriminator(6, 3, (1, 2), (4, 4), dropout=0.0)
    discriminator(policy.relaxed_sample(16, 1.0).soft).sum().backward()
    assert policy.output.weight.grad[EOS:].abs().sum() > 0
    assert (policy.output.weight.grad[:EOS] == 0).all()  # what may not be drawn has no part in it
    assert policy.embedding.weight.grad[1].abs().sum() > 0  # BOS, which was read first
