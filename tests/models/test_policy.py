"""What `PolicyModule` gives every policy, whatever the subclass."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from seqgan.models.beam_search import beam_search
from seqgan.models.gru import GRUPolicy
from seqgan.models.lstm import LSTMPolicy
from seqgan.models.policy import PolicyModule
from seqgan.models.recurrent import RecurrentPolicy
from seqgan.symbols import EOS, PAD, UNK


class Elman(PolicyModule):
    """A plain recurrent network, whose output layer has no bias."""

    def __init__(self, vocab_size: int, max_length: int, embedding_dim: int = 4, hidden_dim: int = 4) -> None:
        super().__init__(vocab_size, max_length)
        self.embedding, self.cell = nn.Embedding(vocab_size, embedding_dim), nn.RNNCell(embedding_dim, hidden_dim)
        self.output = nn.Linear(hidden_dim, vocab_size, bias=False)

    def initial_state(self, count: int) -> tuple[Tensor, ...]:
        return (self.output.weight.new_zeros(count, self.cell.hidden_size),)

    def step(self, embedded: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (self.cell(embedded, state[0]),)

    def features(self, state: tuple[Tensor, ...]) -> Tensor:
        return state[0] * 3


@pytest.fixture(params=[LSTMPolicy, GRUPolicy, Elman])
def policy(request: pytest.FixtureRequest) -> PolicyModule:
    torch.manual_seed(1)
    made: PolicyModule = request.param(30, 6, 5, 7).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(4.0)
    return made


def test_one_hot_tokens_have_the_vectors_of_their_ids(policy: PolicyModule) -> None:
    tokens = torch.randint(30, (4, 6))
    assert_close(policy.embed(F.one_hot(tokens, 30).float()), policy.embed(tokens))
    assert_close(policy.embed(F.one_hot(tokens[:, 0], 30).float()), policy.embed(tokens[:, 0]))


def test_whole_sequences_and_steps_have_the_same_features(policy: PolicyModule) -> None:
    tokens = torch.randint(EOS, 30, (5, 6))
    features, state = policy.features_before(tokens), policy.begin(5)
    for t in range(6):
        assert_close(policy.features(state), features[:, t], atol=1e-6, rtol=1e-5)
        state = policy.step(policy.embed(tokens[:, t]), state)


def test_the_loss_and_the_log_probs_are_those_of_the_logits(policy: PolicyModule) -> None:
    tokens, weights = torch.randint(EOS, 30, (5, 6)), torch.rand(5, 6)
    logits = policy.output(policy.features_before(tokens))
    for lowest, log_probs, nll in (
        (UNK, policy.log_probs, policy.nll),
        (EOS, policy.log_probs_drawn, policy.nll_drawn),
    ):
        expected = logits[..., lowest:].log_softmax(dim=-1).gather(2, tokens.unsqueeze(2) - lowest).squeeze(2)
        assert_close(log_probs(tokens), expected, atol=1e-5, rtol=1e-5)
        assert_close(nll(tokens, weights), -(expected * weights).sum(), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"temperature": 0.7}, {"temperature": 0.7, "top_k": 9}])
@torch.no_grad()
def test_a_sampler_weighs_tokens_as_the_logits_do(policy: PolicyModule, options: dict[str, float]) -> None:
    sampler, tokens = policy.sampler(**options), torch.randint(EOS, 30, (5, 6))
    state, features = sampler.begin(5), policy.features_before(tokens)
    for t in range(6):
        weights = sampler.weights(state)[:, : 30 - EOS]
        logits = policy.logits(features[:, t]) / options.get("temperature", 1.0)
        if "top_k" in options:
            logits = logits.masked_fill(logits < logits.topk(9).values[:, -1:], float("-inf"))
        assert_close(weights / weights.sum(dim=1, keepdim=True), logits.softmax(dim=1), atol=1e-6, rtol=1e-4)
        state = sampler.step(tokens[:, t], state)


@torch.no_grad()
def test_no_feature_is_beyond_its_bound(policy: PolicyModule) -> None:
    bound = policy.feature_bound()
    if isinstance(policy, Elman):
        assert bound is None
        return
    assert (policy.features_before(torch.randint(EOS, 30, (50, 6))).abs() <= bound).all()


@pytest.mark.parametrize("kind", [LSTMPolicy, GRUPolicy])
def test_recurrent_weights_are_dropped_while_learning_and_only_then(kind: type[RecurrentPolicy]) -> None:
    torch.manual_seed(0)
    policy, plain = kind(20, 5, 6, 7, weight_drop=0.4, init_std=0.5), kind(20, 5, 6, 7)
    plain.load_state_dict(policy.state_dict())
    tokens = torch.randint(4, 20, (6, 5))
    assert policy.eval().log_probs(tokens).equal(plain.eval().log_probs(tokens))
    torch.manual_seed(1)
    learning = policy.train().log_probs(tokens)
    torch.manual_seed(1)
    recurrent = next(weight for name, weight in plain.named_parameters() if "weight_hh" in name)
    recurrent.data = F.dropout(recurrent.data, 0.4)
    assert 0.2 < (recurrent == 0).float().mean() < 0.6
    assert_close(learning, plain.log_probs(tokens))
    torch.manual_seed(2)
    drawn = policy.sample(50).tokens
    torch.manual_seed(2)
    assert drawn.equal(policy.eval().sample(50).tokens)


def test_what_scheduled_sampling_reads_is_text_or_drawn(policy: PolicyModule) -> None:
    torch.manual_seed(0)
    tokens = torch.randint(EOS + 1, 30, (200, 6))
    tokens[:, 4] = EOS
    tokens[:, 5] = PAD
    assert policy.partly_drawn(tokens, 0.0).equal(tokens)
    half, all_drawn = policy.partly_drawn(tokens, 0.5), policy.partly_drawn(tokens, 1.0)
    assert half[:, 5].eq(PAD).all()
    assert all_drawn[:, 5].eq(PAD).all()  # padding stays
    assert all_drawn[:, :5].gt(EOS).all()  # a text does not end before its end
    kept = (half[:, :5] == tokens[:, :5]).float().mean()
    same = (all_drawn[:, :5] == tokens[:, :5]).float().mean()  # by chance
    assert abs(float(kept - (0.5 + 0.5 * same))) < 4 * 0.5 / 1000**0.5


def test_what_is_drawn_follows_what_was_drawn_before(policy: PolicyModule) -> None:
    """All drawn, these are samples of the policy without EOS: the second token depends on the first one that was drawn,
    and not on the text's."""
    torch.manual_seed(0)
    count = 40_000
    drawn = policy.partly_drawn(torch.full((count, 2), 7), 1.0)
    first = drawn[:, 0].mode().values
    followers = drawn[drawn[:, 0] == first, 1]
    logits = policy.distributions(torch.stack([first, first]).unsqueeze(0))[0, 1, 1:].detach()
    expected = logits.softmax(dim=0) * len(followers)
    got = (followers - EOS - 1).bincount(minlength=len(expected))
    likely = expected > 5
    chi_squared = float(((got - expected) ** 2 / expected)[likely].sum())
    freedom = int(likely.sum())
    assert chi_squared < freedom + 5 * (2 * freedom) ** 0.5


def test_the_loss_of_scheduled_sampling_predicts_the_text_from_what_is_read(policy: PolicyModule) -> None:
    tokens, read = torch.randint(EOS + 1, 30, (2, 8, 6)).unbind()
    weights = torch.rand(8, 6)
    log_probs = policy.logits(policy.features_before(read), UNK).log_softmax(dim=-1)
    chosen = log_probs.gather(2, (tokens - UNK).unsqueeze(2)).squeeze(2)
    assert_close(policy.nll(tokens, weights, read=read), -(weights * chosen).sum())


def test_a_policy_without_an_end_fills_every_sequence(policy: PolicyModule) -> None:
    torch.manual_seed(0)
    policy.ends = False
    sampled = policy.sample(400)
    assert sampled.tokens.gt(EOS).all()
    assert sampled.mask.all()
    distributions = policy.distributions(sampled.tokens)
    assert distributions.shape == (400, 6, 30 - EOS - 1)
    chosen = distributions.gather(2, (sampled.tokens - EOS - 1).unsqueeze(2)).squeeze(2)
    assert_close(policy.log_probs(sampled.tokens), chosen)
    assert_close(policy.log_probs_drawn(sampled.tokens), chosen)
    assert_close(policy.nll(sampled.tokens, torch.ones(400, 6)), -chosen.sum(), rtol=1e-5, atol=1e-3)
    relaxed = policy.relaxed_sample(50, 2.0)
    assert relaxed.tokens.gt(EOS).all()
    assert relaxed.soft.shape == (50, 6, 30)
    assert relaxed.soft[..., : EOS + 1].eq(0).all()
    assert beam_search(policy, 3)[0].ids[0] > EOS
