"""Policies that are conditioned on labels, and discriminators that judge pairs of text and label."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from seqgan.algorithms import ALGORITHMS
from seqgan.algorithms.components import DEFAULTS, Components
from seqgan.algorithms.configs import CONFIGS
from seqgan.algorithms.critic import labels_at
from seqgan.core.game import inference
from seqgan.data.batches import Texts
from seqgan.data.dataset import EncodedSplit, TokenDataset
from seqgan.data.vocabulary import Ids
from seqgan.errors import UsageError
from seqgan.metrics.nll import likelihood
from seqgan.models.cnn import CNNDiscriminator
from seqgan.models.factory import new_discriminator
from seqgan.models.gru import GRUPolicy
from seqgan.models.lstm import LSTMPolicy
from seqgan.models.policy import PolicyModule, Sampler, State, sample
from seqgan.rewards.discriminator import DiscriminatorReward
from seqgan.rollout import complete, each_by_itself, rollout_rewards
from seqgan.symbols import EOS
from tests.conftest import TINY_CONFIGS

CPU = torch.device("cpu")
A, B, C, D = range(4, 8)


class Plain(PolicyModule):
    """A policy of someone who has never heard of labels."""

    def __init__(self, vocab_size: int, max_length: int) -> None:
        super().__init__(vocab_size, max_length)
        self.embedding, self.cell, self.output = nn.Embedding(vocab_size, 8), nn.GRUCell(8, 8), nn.Linear(8, vocab_size)

    def initial_state(self, count: int) -> State:
        return (self.output.weight.new_zeros(count, 8),)

    def step(self, embedded: Tensor, state: State) -> State:
        (hidden,) = state  # and nothing else
        return (self.cell(embedded, hidden),)

    def features(self, state: State) -> Tensor:
        (hidden,) = state
        return hidden


class Pairs(nn.Module):
    """A discriminator of someone who has."""

    def __init__(self, vocab_size: int, max_length: int) -> None:
        super().__init__()
        self.words, self.of_labels = nn.EmbeddingBag(vocab_size, 8, padding_idx=0), nn.Embedding(2, 8)

    def forward(self, tokens: Tensor, labels: Tensor) -> Tensor:
        words = tokens @ self.words.weight if tokens.is_floating_point() else self.words.weight[tokens]
        return (words.sum(dim=1) * self.of_labels(labels)).sum(dim=1)


POLICIES: list[type[Any]] = [LSTMPolicy, GRUPolicy, Plain]


@pytest.fixture(params=POLICIES)
def conditional(request: pytest.FixtureRequest) -> PolicyModule:
    """Over EOS and four letters, three quarters of the training texts with the second of two labels."""
    torch.manual_seed(1)
    policy = request.param(8, 5)
    assert isinstance(policy, PolicyModule)
    policy.condition_on([25, 75])
    assert policy.label_embedding
    nn.init.normal_(policy.label_embedding.weight, std=2.0)
    nn.init.normal_(policy.label_features.weight)
    return policy.eval()


def letters_of_two_kinds(count: int = 40) -> TokenDataset:
    """Texts of the first label are of A and B, those of the second, twice as many, of C and D."""
    rng = torch.Generator().manual_seed(0)
    labels = [int(number % 3 > 0) for number in range(count)]
    rows = [[*(torch.randint(2, (3,), generator=rng) + (C if label else A)).tolist(), EOS] for label in labels]
    counts = {"first": labels.count(0), "second": labels.count(1)}
    return TokenDataset(EncodedSplit.of(rows, labels), EncodedSplit.of(rows[:9], labels[:9]), Ids(8), 4, labels=counts)


def share_that_follows(policy: PolicyModule, count: int = 400) -> float:
    drawn = sample(policy, count, rng=torch.Generator().manual_seed(0))
    assert drawn.labels is not None
    letters = drawn.tokens > EOS
    right = (drawn.tokens >= C) == drawn.labels.bool().unsqueeze(1)
    return float((right & letters).sum() / letters.sum())


# --- the policy


def test_a_label_that_was_not_learned_says_nothing() -> None:
    torch.manual_seed(1)
    policy = LSTMPolicy(8, 5).eval()
    tokens = policy.sample(20).tokens
    before = policy.log_probs(tokens)
    policy.condition_on([1, 1, 1])
    assert_close(policy.log_probs(tokens, torch.arange(20) % 3), before)


@torch.no_grad()
def test_drawing_follows_the_probabilities_of_teacher_forcing_under_each_label(conditional: PolicyModule) -> None:
    """The first token of 40,000 texts a label, by the packed sampler and by the plain one."""
    for label in (0, 1):
        labels = torch.full((40_000,), label)
        expected = conditional.distributions(torch.full((1, 1), A), labels[:1])[0, 0].exp()
        for sampler in (conditional.sampler(), Sampler(conditional)):
            drawn = sampler.draw(sampler.begin(len(labels), labels)).flatten()
            found = drawn.bincount(minlength=8)[EOS:] / len(labels)
            assert_close(found, expected, atol=0.012, rtol=0.0)


@torch.no_grad()
def test_the_state_that_is_kept_is_that_of_teacher_forcing(conditional: PolicyModule) -> None:
    drawn = conditional.sample(30)
    assert drawn.labels is not None
    features = conditional.features_before(drawn.tokens, drawn.labels)
    for position in range(drawn.tokens.shape[1]):
        state = tuple(part[position] for part in drawn.states)
        kept = conditional.features_of(state)
        assert_close(kept[drawn.mask[:, position]], features[drawn.mask[:, position], position], atol=1e-5, rtol=1e-4)
        assert state[-1].equal(drawn.labels)


def test_without_given_labels_samples_have_them_as_often_as_the_training_texts(conditional: PolicyModule) -> None:
    labels = sample(conditional, 10_000, rng=torch.Generator().manual_seed(0)).labels
    assert labels is not None
    assert float(labels.float().mean()) == pytest.approx(0.75, abs=0.015)


def test_a_label_without_training_texts_is_never_drawn() -> None:
    policy = LSTMPolicy(8, 5)
    policy.condition_on([0, 3, 0, 1, 0])
    labels = policy.draw_labels(1000)
    assert labels is not None
    assert labels.unique().tolist() == [1, 3]


def test_given_labels_stay_with_their_texts_however_many_are_drawn_at_a_time(
    conditional: PolicyModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = torch.arange(50) % 2
    whole = sample(conditional, 50, labels=labels)
    monkeypatch.setattr("seqgan.models.policy.DRAWN_TOGETHER", 7)
    parts = sample(conditional, 50, labels=labels)
    for drawn in (whole, parts):
        assert drawn.labels is not None
        assert drawn.labels.equal(labels)
    assert parts.tokens.shape == whole.tokens.shape


def test_the_completions_of_a_prefix_are_under_its_label(conditional: PolicyModule) -> None:
    sampled = conditional.sample(40)
    assert sampled.labels is not None
    for drop_ended in (True, False):
        finished = complete(conditional, sampled, 3, drop_ended=drop_ended)
        assert finished.labels is not None
        assert finished.labels.equal(sampled.labels[finished.sample])


@torch.no_grad()
def test_rewards_are_those_of_pairs(conditional: PolicyModule) -> None:
    """A reward that sees the label alone: every token earns that of its own row."""
    sampled = conditional.sample(30)
    assert sampled.labels is not None
    rewards = rollout_rewards(conditional, lambda tokens, labels: labels.float() + 1, sampled, 2)
    assert rewards.equal((sampled.labels + 1.0).unsqueeze(1) * sampled.mask)


def test_relaxed_samples_are_drawn_under_their_labels() -> None:
    policy = trained("mle").generator
    labels = torch.arange(200) % 2
    drawn = policy.relaxed_sample(200, 5.0, labels=labels).tokens
    letters = drawn > EOS
    right = ((drawn >= C) == labels.bool().unsqueeze(1)) & letters
    assert right.sum() > 0.95 * letters.sum()


def test_labels_that_are_missing_or_out_of_place_are_refused(conditional: PolicyModule) -> None:
    tokens = conditional.sample(3).tokens
    with pytest.raises(UsageError, match="conditioned on labels, but none were given"):
        conditional.log_probs(tokens)
    with pytest.raises(UsageError, match="labels were given, but the policy is not conditioned"):
        LSTMPolicy(8, 5).log_probs(tokens, torch.zeros(3, dtype=torch.long))


# --- the discriminator


@pytest.mark.parametrize("highway", [True, False])
@torch.no_grad()
def test_the_logit_of_a_pair_is_that_of_the_text_and_a_projection_of_its_label(highway: bool) -> None:
    torch.manual_seed(0)
    judge = CNNDiscriminator(8, 5, (1, 2), (3, 4), highway=highway, labels=2).eval()
    tokens, labels = torch.randint(3, 8, (6, 4)), torch.arange(6) % 2
    assert judge.projection
    without = judge(tokens, labels)  # the projection begins at zero
    nn.init.normal_(judge.projection.weight)
    features = judge._through_highway(judge.features(tokens))
    expected = without + torch.stack([features[row] @ judge.projection.weight[row % 2] for row in range(6)])
    assert_close(judge(tokens, labels), expected)


@torch.no_grad()
def test_completions_are_scored_by_tables_as_by_the_module(conditional: PolicyModule) -> None:
    torch.manual_seed(0)
    judge = CNNDiscriminator(8, 5, (1, 2, 9), (3, 4, 2), labels=2)
    assert judge.projection
    nn.init.normal_(judge.projection.weight)
    sampled = conditional.sample(30)
    finished, texts = complete(conditional, sampled, 3), Texts(sampled.tokens, sampled.labels)
    reward = DiscriminatorReward(judge, "log-odds")
    assert_close(reward.of_all(texts, finished), each_by_itself(reward, texts, finished), atol=1e-5, rtol=0.0)


def test_a_discriminator_that_takes_tokens_alone_is_refused_where_texts_have_labels() -> None:
    class Bag(nn.Module):
        def forward(self, tokens: Tensor) -> Tensor:
            return tokens.float().sum(dim=1)

    config = CONFIGS["seqgan"]()
    policy = LSTMPolicy(8, 4)
    new_discriminator(config, policy, lambda *sizes: Bag())
    policy.condition_on([3, 1])
    with pytest.raises(UsageError, match="made a Bag whose forward takes tokens alone, but the texts have 2 labels"):
        new_discriminator(config, policy, lambda *sizes: Bag())


# --- training


def trained(name: str, dataset: TokenDataset | None = None, components: Components = DEFAULTS, **changes: Any) -> Any:
    config = {**TINY_CONFIGS[name], "mle_epochs": 12, "mle_patience": 0, "dropout": 0.0, "mle_lr": 0.05, **changes}
    made = ALGORITHMS[name](CONFIGS[name](**config), dataset or letters_of_two_kinds(), CPU, 1, components)
    for phase in made.phases():
        torch.manual_seed(0)
        if phase.start:
            phase.start()
        for step in range(1, phase.steps + 1):
            phase.update(step)
    return made


@pytest.mark.parametrize("name", ["mle", "seqgan", "maligan", "relgan"])
def test_samples_follow_the_label(name: str) -> None:
    """The texts of the two labels have no letter in common."""
    assert share_that_follows(trained(name).generator) > 0.95


@pytest.mark.parametrize("policy", [None, Plain])
@pytest.mark.parametrize("discriminator", [None, Pairs])
@pytest.mark.parametrize("name", ["seqgan", "relgan"])
def test_own_modules_are_conditioned_as_well(name: str, policy: Any, discriminator: Any) -> None:
    game = trained(name, components=Components(policy, discriminator))
    assert share_that_follows(game.generator) > 0.9


def test_the_nll_of_text_under_its_label_is_lower_than_under_the_other() -> None:
    generator, dataset = trained("mle").generator, letters_of_two_kinds()
    right, labels = dataset.valid.sequences, dataset.valid.sequences.labels
    assert labels is not None
    wrong = right.labelled((1 - labels).tolist())
    assert likelihood(generator, right).per_token + 1.0 < likelihood(generator, wrong).per_token


@pytest.mark.parametrize(
    ("name", "discriminator"),
    [
        *itertools.product(["seqgan", "maligan", "relgan"], ["cnn"]),
        *itertools.product(["seqgan"], ["lstm", "likelihood-ratio"]),
    ],
)
def test_the_discriminator_sees_a_wrong_label(name: str, discriminator: str) -> None:
    """Against a policy that writes either kind of text under either label, a label is all that gives a sample away."""
    dataset = letters_of_two_kinds(120)
    mixed = EncodedSplit.of(dataset.train.sequences, torch.randint(2, (120,)).tolist())
    start = trained("mle", replace(dataset, train=mixed)).generator.state_dict()
    start["label_embedding.weight"].zero_()
    start["label_features.weight"].zero_()
    learning = {"iterations": 60, "d_steps": 3} if name == "relgan" else {"iterations": 1, "d_pretrain_rounds": 60}
    changes = {"mle_epochs": 0, "mle_weight": 0.0, "g_lr": 1e-9, "d_lr": 0.02, "d_patience": 0, **learning}
    changes["discriminator"] = discriminator
    known = CONFIGS[name].__dataclass_fields__
    game = trained(name, dataset, Components(start=start), **{key: of for key, of in changes.items() if key in known})
    rows, _, labels = dataset.train.sequences.take(torch.arange(120))
    with inference(game.discriminator) as judge:
        better = judge(rows, labels) > judge(rows, 1 - labels)
    assert better.float().mean() > 0.95


def test_the_labels_of_samples_depend_on_the_place_in_the_run_alone() -> None:
    policy = LSTMPolicy(8, 5)
    policy.condition_on([25, 75])
    first, second, other = (labels_at(policy, 100, 7, "adversarial", place) for place in (3, 3, 4))
    torch.manual_seed(5)
    assert first is not None
    assert second is not None
    assert first.equal(second)
    assert other is not None
    assert not first.equal(other)
