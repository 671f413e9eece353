"""Scores by tables against those of the module itself."""

from typing import Any

import pytest
import torch
from torch.testing import assert_close

from seqgan.core.game import inference
from seqgan.data.batches import Texts
from seqgan.models.cnn import CNNDiscriminator
from seqgan.models.lstm import LSTMPolicy
from seqgan.ops.table_scores import filter_table, prefix_scores, responses, tables_pay
from seqgan.rewards.discriminator import DiscriminatorReward
from seqgan.rollout import Completions, complete, in_chunks
from seqgan.symbols import EOS


@pytest.fixture(params=[True, False], ids=["highway", "plain"])
def discriminator(request: pytest.FixtureRequest) -> CNNDiscriminator:
    torch.manual_seed(0)
    filter_sizes = (1, 2, 3, 5, 9, 12)
    return CNNDiscriminator(30, 6, filter_sizes, (4, 8, 5, 3, 7, 2), highway=request.param).eval()


def parts_of(discriminator: CNNDiscriminator) -> tuple[Any, ...]:
    return discriminator.embedding, discriminator.filters, discriminator.classify


@pytest.fixture
def policy() -> LSTMPolicy:
    torch.manual_seed(1)
    return LSTMPolicy(vocab_size=30, max_length=9, embedding_dim=5, hidden_dim=6, init_std=1.0).eval()


@pytest.mark.parametrize("drop_ended", [True, False])
@pytest.mark.parametrize("ends", [-20.0, 0.0, 2.0])  # nothing ends early, some texts do, most do
@torch.no_grad()
def test_scores_are_those_of_the_module(
    discriminator: CNNDiscriminator, policy: LSTMPolicy, ends: float, drop_ended: bool
) -> None:
    """Texts of all lengths, filters wider than a text and than all texts, prefixes of every length."""
    policy.output.bias[EOS] = ends
    sampled = policy.sample(40)
    finished = complete(policy, sampled, 3, drop_ended=drop_ended)
    found = prefix_scores(*parts_of(discriminator), sampled.tokens, finished.tokens, finished.begun, finished.sample)
    assert_close(found, (discriminator(sampled.tokens), discriminator(finished.tokens)), atol=1e-5, rtol=0.0)


@torch.no_grad()
def test_scores_do_not_depend_on_the_size_of_chunks(
    discriminator: CNNDiscriminator, policy: LSTMPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled = policy.sample(10)
    finished = complete(policy, sampled, 4)
    given = (*parts_of(discriminator), sampled.tokens, finished.tokens, finished.begun, finished.sample)
    whole = prefix_scores(*given)
    monkeypatch.setattr("seqgan.ops.table_scores.cached_rows", lambda *_: 3)
    assert_close(prefix_scores(*given), whole, atol=1e-6, rtol=0.0)


@torch.no_grad()
def test_a_table_holds_what_a_convolution_does(discriminator: CNNDiscriminator) -> None:
    tokens = torch.randint(EOS, 30, (7, 9))
    for convolution in discriminator.convolutions[:5]:
        width = convolution.kernel_size[0]
        expected = convolution(discriminator.embedding(tokens).transpose(1, 2)).transpose(1, 2)
        assert_close(
            responses(filter_table(discriminator.embedding, convolution), tokens.unfold(1, width, 1)), expected
        )


@pytest.mark.parametrize("kind", ["probability", "log-odds"])
def test_the_reward_is_the_same_by_tables_and_by_the_module(
    discriminator: CNNDiscriminator, policy: LSTMPolicy, kind: str
) -> None:
    sampled = policy.sample(20)
    finished = complete(policy, sampled, 4)
    assert tables_pay(discriminator.embedding.num_embeddings, finished.tokens)
    with inference(discriminator):
        reward = DiscriminatorReward(discriminator, kind)
        plain = in_chunks(reward, Texts(sampled.tokens)), in_chunks(reward, finished.texts)
        assert_close(reward.of_all(Texts(sampled.tokens), finished), plain, atol=1e-5, rtol=0.0)


def test_a_custom_discriminator_takes_the_general_path(discriminator: CNNDiscriminator, policy: LSTMPolicy) -> None:
    class Own(torch.nn.Module):
        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return tokens.float().mean(dim=1)

    sampled = policy.sample(6)
    finished: Completions = complete(policy, sampled, 2)
    whole, values = DiscriminatorReward(Own(), "log-odds").of_all(Texts(sampled.tokens), finished)
    assert_close(whole, sampled.tokens.float().mean(dim=1).clamp(-8, 8))
    assert_close(values, finished.tokens.float().mean(dim=1).clamp(-8, 8))


def test_a_few_texts_and_a_large_vocabulary_are_not_worth_a_table() -> None:
    assert not tables_pay(30, torch.ones(3, 10, dtype=torch.long))
    assert tables_pay(30, torch.ones(3, 11, dtype=torch.long))
