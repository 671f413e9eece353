"""A look at texts needs as much memory for twenty thousand of them as for two, and for long ones as for short."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from seqgan.algorithms.components import Components
from seqgan.algorithms.configs import SeqGANConfig
from seqgan.algorithms.critic import Critic
from seqgan.data.batches import by_length, pad
from seqgan.data.dataset import EncodedSplit, TokenDataset
from seqgan.data.ragged import Ragged
from seqgan.metrics.nll import divergence, likelihood, text_log_probs, token_log_probs
from seqgan.models.lstm import LSTMPolicy
from seqgan.models.policy import PolicyModule, sample
from seqgan.ops.chunks import NUMBERS_TOGETHER, TOKENS_TOGETHER, tokens_together
from seqgan.symbols import EOS, UNK

V, T = 1000, 6
FEW, MANY = 500, 4000


class Bigram(PolicyModule):
    """A custom policy: the next token depends on the last one."""

    def __init__(self, vocab_size: int, max_length: int) -> None:
        super().__init__(vocab_size, max_length)
        self.embedding, self.output = nn.Embedding(vocab_size, 4), nn.Linear(4, vocab_size)

    def initial_state(self, count: int) -> tuple[Tensor, ...]:
        return (self.output.weight.new_zeros(count, 4),)

    def step(self, embedded: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (embedded,)

    def features(self, state: tuple[Tensor, ...]) -> Tensor:
        return state[0]


class Judge(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(V, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.embedding(tokens).mean(dim=(1, 2))


class Largest(TorchDispatchMode):
    """Notes how many bytes the largest tensor has that is made."""

    bytes = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self.bytes = max(self.bytes, tensor.untyped_storage().nbytes())
        return made


def rows_of(count: int, vocab_size: int = V) -> list[list[int]]:
    """Texts of two to six tokens, every tenth with an unknown one."""
    return [
        [UNK if i % 10 == 0 else EOS + 1 + i % 30, *[EOS + 1 + (i * k) % (vocab_size - 4) for k in range(i % 5)], EOS]
        for i in range(count)
    ]


LOOKS: dict[str, Callable[[PolicyModule, list[list[int]]], object]] = {
    "likelihood": likelihood,
    "log-probabilities": text_log_probs,
    "words for unknown ones": lambda policy, rows: policy.fill_unknown(pad(rows).tokens),
    "divergence": lambda policy, rows: divergence(policy, policy, rows),
    "samples": lambda policy, rows: sample(policy, len(rows)),
}


@pytest.mark.parametrize("policy", [Bigram, lambda *sizes: LSTMPolicy(*sizes, 4, 4)], ids=["custom", "LSTM"])
@pytest.mark.parametrize("look", LOOKS)
def test_the_largest_tensor_of_a_look_does_not_grow_with_the_texts(
    look: str, policy: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqgan.ops.chunks.NUMBERS_TOGETHER", 2**20)  # so that few texts are many
    monkeypatch.setattr("seqgan.models.policy.DRAWN_TOGETHER", 100)
    made, bytes = policy(V, T).eval(), []
    for count in (FEW, MANY):
        with Largest() as noted:
            LOOKS[look](made, rows_of(count))
        bytes.append(noted.bytes)
    # The ids themselves grow; a score for every word at every token of all texts would have 96 MB.
    assert bytes[1] <= max(4 * 2**20, 8 * T * MANY)
    assert bytes[1] <= max(1.1 * bytes[0], 8 * T * MANY)


def test_a_look_of_the_discriminator_at_twenty_thousand_texts_is_bounded() -> None:
    encoded = EncodedSplit.of(rows_of(20_000))
    texts = TokenDataset(encoded, encoded, list(range(V)), T)  # type: ignore[arg-type]
    config, parts = SeqGANConfig(d_batch_size=8, d_samples=8), Components(discriminator=lambda *sizes: Judge())
    policy = Bigram(V, T).eval()
    critic = Critic(config, texts, torch.device("cpu"), 1, policy, parts, samples=config.d_samples)
    with Largest() as noted:
        critic.validate(critic.discriminator.state_dict(), critic.pairs())
    assert noted.bytes <= 4 * NUMBERS_TOGETHER


@pytest.mark.parametrize("policy", [Bigram, lambda *sizes: LSTMPolicy(*sizes, 4, 4)], ids=["custom", "LSTM"])
def test_long_texts_are_scored_a_few_at_a_time(policy: Callable[..., Any]) -> None:
    rows = [[EOS + 1] * 500 + [EOS] for _ in range(40)]
    with Largest() as noted:
        token_log_probs(policy(V, 600).eval(), rows)
    assert noted.bytes <= 4 * NUMBERS_TOGETHER


def test_a_single_long_text_is_no_more_than_what_is_looked_at_together() -> None:
    with Largest() as noted:
        token_log_probs(LSTMPolicy(V, 600, 4, 4).eval(), [[EOS + 1] * 20_000])
    assert noted.bytes <= 4 * NUMBERS_TOGETHER


@pytest.mark.parametrize("policy", [Bigram, lambda *sizes: LSTMPolicy(*sizes, 4, 4)], ids=["custom", "LSTM"])
def test_a_loss_never_holds_a_score_for_every_word_at_every_token(
    policy: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqgan.ops.chunks.cache_bytes", lambda: 2**20)
    made, tokens = policy(V, 50), torch.randint(EOS, V, (64, 50))
    with Largest() as noted:
        made.nll(tokens, torch.ones(64, 50)).backward()
    assert noted.bytes < 4 * 64 * 50 * V / 5


def test_rows_are_looked_at_once_each_within_the_bound() -> None:
    rows = rows_of(5000) + [[EOS] * 3000] * 3 + [[EOS] * 9000]
    groups = [group.tolist() for group in by_length(Ragged.of(rows), 10)]
    assert len(groups) < 10
    assert sorted(number for group in groups for number in group) == list(range(len(rows)))
    for group in groups:
        assert len(group) == 1 or len(group) * max(len(rows[number]) for number in group) <= TOKENS_TOGETHER
    assert tokens_together(10**9) == 1
    assert list(by_length(Ragged.of([]), 10)) == []


def test_looked_at_together_or_apart_the_numbers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    policy, rows = LSTMPolicy(40, 8, 4, 6, init_std=1.0).eval(), rows_of(200, 40)
    together = text_log_probs(policy, rows)
    total = likelihood(policy, rows).total
    filled = policy.fill_unknown(pad(rows).tokens, torch.Generator().manual_seed(1))
    monkeypatch.setattr("seqgan.ops.chunks.TOKENS_TOGETHER", 12)
    torch.testing.assert_close(text_log_probs(policy, rows), together)
    assert likelihood(policy, rows).total == pytest.approx(total)
    torch.testing.assert_close(policy.fill_unknown(pad(rows).tokens, torch.Generator().manual_seed(1)), filled)
