"""Training on text obeys the rules of a GPU: a step mixes no devices, copies nothing and waits for nothing."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from seqgan.algorithms.adversarial import ADVERSARIAL, TextGAN
from seqgan.algorithms.components import DEFAULTS, Components
from seqgan.algorithms.configs import MLEConfig
from seqgan.algorithms.seqgan import new_seqgan
from seqgan.data.batches import Batches, pad
from seqgan.data.corpus import Corpus
from seqgan.data.dataset import EncodedSplit, TokenDataset
from seqgan.data.encoding import encode_corpus
from seqgan.data.splits import split
from seqgan.data.tokenizer import Tokenizer
from seqgan.models.gru import GRUPolicy
from seqgan.models.policy import PolicyModule, sample
from seqgan.rewards.discriminator import DiscriminatorReward
from seqgan.rollout import rollout_rewards
from seqgan.symbols import PAD
from tests import pretend
from tests.conftest import tiny_lines
from tests.test_own_parts import Bag

Make = Callable[..., MLEConfig]


@pytest.fixture(scope="module")
def words() -> TokenDataset:
    """Texts with words that the tokenizer does not know."""
    corpus = Corpus("tiny", **split(tiny_lines()))
    texts = encode_corpus(corpus, Tokenizer.train(corpus.train, "word", 10))
    assert texts.train.unknown
    assert texts.counts.any()  # counted now, where tensors have numbers
    return texts


class Plain(PolicyModule):
    """A policy of three functions (the GRU of the other tests has no kernel on the pretend device)."""

    def __init__(self, vocab_size: int, max_length: int) -> None:
        super().__init__(vocab_size, max_length)
        self.embedding, self.cell, self.output = nn.Embedding(vocab_size, 8), nn.Linear(8, 8), nn.Linear(8, vocab_size)

    def initial_state(self, count: int) -> tuple[Tensor, ...]:
        return (self.output.weight.new_zeros(count, 8),)

    def step(self, embedded: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return ((self.cell(state[0]) + embedded).tanh(),)

    def features(self, state: tuple[Tensor, ...]) -> Tensor:
        return state[0]


@contextlib.contextmanager
def on_pretend(texts: TokenDataset, config: Any, parts: Components = DEFAULTS) -> Iterator[TextGAN]:
    """A game on the pretend device. Once an epoch, the order of its texts is copied there."""
    with pretend.device() as device, pretend.allowed(Batches, "order"):
        with pretend.setting_up():
            game = new_seqgan(config, texts, device, 0, parts)
        yield game


POLICIES: dict[str, Any] = {"LSTM": None, "custom": Plain}
# nn.GRU has no kernel on the pretend device; its steps, by which it draws, are plain operations.
DRAWING = {**POLICIES, "GRU": lambda *sizes: GRUPolicy(*sizes, 8, 8)}


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("tie_embeddings", [False, True])
def test_an_mle_update(policy: Any, tie_embeddings: bool, words: TokenDataset, tiny_config: Make) -> None:
    with on_pretend(words, tiny_config("seqgan", tie_embeddings=tie_embeddings), Components(policy=policy)) as game:
        for step in range(1, game.mle.batches.per_epoch + 2):
            nll = game.mle.update(step)["nll"]
        assert nll.device.type == pretend.NAME  # it is read where it is written to the record


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize(
    ("form", "baseline", "control"),
    [
        *itertools.product(["probability", "log-odds"], ["none", "batch", "prefix"], ["none"]),
        ("log-odds", "prefix", "constant"),
        ("log-odds", "prefix", "noise"),
        ("log-odds", "prefix", "shuffled"),
    ],
)
def test_a_policy_update(
    policy: Any, form: str, baseline: str, control: str, words: TokenDataset, tiny_config: Make
) -> None:
    config = tiny_config("seqgan", reward_form=form, baseline=baseline, control=control, highway=True)
    with on_pretend(words, config, Components(policy=policy)) as game:
        measured = game.policy_update(0)
        assert {measured[name].device.type for name in ("loss", "reward", "reward_std", "nll")} == {pretend.NAME}


@pytest.mark.parametrize("own", [None, Bag], ids=["CNN", "custom"])
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("bf16", [False, True])
def test_a_discriminator_update(policy: Any, own: Any, bf16: bool, words: TokenDataset, tiny_config: Make) -> None:
    config = tiny_config("seqgan", d_bf16=bf16, highway=True, d_samples=24)
    with on_pretend(words, config, Components(policy=policy, discriminator=own)) as game:
        for update in range(2 * game.critic.per_round):
            bce = game.discriminator_update(ADVERSARIAL, update)["bce"]
        assert bce.device.type == pretend.NAME


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_updates_of_both_players_on_texts_with_labels(policy: Any, words: TokenDataset, tiny_config: Make) -> None:
    def labelled(part: EncodedSplit) -> EncodedSplit:
        return replace(part, sequences=part.sequences.labelled([row[0] % 2 for row in part.sequences]))

    texts = replace(words, train=labelled(words.train), valid=labelled(words.valid), labels={"odd": 20, "even": 30})
    assert texts.train.unknown
    assert texts.counts.any()  # counted now, where tensors have numbers
    with on_pretend(texts, tiny_config("seqgan", d_samples=24), Components(policy=policy)) as game:
        game.mle.update(1)
        assert game.policy_update(0)["loss"].device.type == pretend.NAME
        for update in range(2 * game.critic.per_round):
            bce = game.discriminator_update(ADVERSARIAL, update)["bce"]
        assert bce.device.type == pretend.NAME


def test_a_policy_update_with_a_reward_and_a_discriminator_of_one_s_own(words: TokenDataset, tiny_config: Make) -> None:
    def length(tokens: Tensor) -> Tensor:
        return (tokens != PAD).sum(dim=1)

    for parts in (Components(reward=length), Components(discriminator=Bag)):
        with on_pretend(words, tiny_config("seqgan"), parts) as game:
            game.policy_update(0)


@pytest.mark.parametrize("policy", DRAWING.values(), ids=DRAWING)
@pytest.mark.parametrize("options", [{}, {"temperature": 0.7, "top_k": 5, "top_p": 0.9}], ids=["plain", "truncated"])
def test_sampling(policy: Any, options: dict[str, Any], words: TokenDataset, tiny_config: Make) -> None:
    with on_pretend(words, tiny_config("seqgan"), Components(policy=policy)) as game:
        device = game.critic.device
        with pretend.setting_up():
            prompts = torch.tensor([[7, 8]] * 5, device=device)
        drawn = sample(game.generator, 5, prompts=prompts, rng=torch.Generator(device), **options)
        assert drawn.tokens.shape == (5, game.generator.max_length)


@pytest.mark.parametrize("policy", DRAWING.values(), ids=DRAWING)
@pytest.mark.parametrize("straight_through", [False, True])
def test_relaxed_samples(policy: Any, straight_through: bool, words: TokenDataset, tiny_config: Make) -> None:
    with on_pretend(words, tiny_config("seqgan"), Components(policy=policy)) as game:
        drawn = game.generator.relaxed_sample(5, 2.0, straight_through=straight_through)
        game.discriminator(drawn.soft).sum().backward()
        assert game.generator.output.weight.grad.device.type == pretend.NAME


@pytest.mark.parametrize("own", [None, Bag], ids=["CNN", "custom"])
def test_scoring(own: Any, words: TokenDataset, tiny_config: Make) -> None:
    rows = list(words.valid.sequences)
    with on_pretend(words, tiny_config("seqgan"), Components(discriminator=own)) as game:
        with pretend.setting_up():
            tokens = pad(rows, game.critic.device).tokens
        assert game.generator.log_probs(tokens).shape == tokens.shape
        assert game.generator.log_probs_drawn(tokens).shape == tokens.shape
        assert game.generator.distributions(tokens).shape[:2] == tokens.shape
        filled = game.generator.fill_unknown(tokens, torch.Generator(game.critic.device))
        assert filled.shape == tokens.shape
        assert DiscriminatorReward(game.discriminator, "log-odds")(filled).shape == (len(tokens),)


def test_what_is_ours_was_made_for_the_device_and_not_moved_there_in_a_step(
    words: TokenDataset, tiny_config: Make
) -> None:
    with on_pretend(words, tiny_config("seqgan")) as game:
        game.mle.update(1)
        game.policy_update(0)
        game.discriminator_update(ADVERSARIAL, 0)
        for module in (game.generator, game.discriminator):
            assert {tensor.device.type for tensor in module.state_dict().values()} == {pretend.NAME}


# --- the same numbers

KERNELS = ["ops.fused_nll", "ops.inverse_cdf", "ops.max_window", "ops.table_scores"]
ASKED = ["data.batches", *KERNELS, "models.policy", "rollout"]


def test_what_an_accelerator_does_gives_what_a_processor_gives(
    texts: TokenDataset, tiny_config: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fixed shapes, plain convolutions, logits that need their maximum: the same updates, to rounding."""
    config = tiny_config("seqgan", dropout=0.0, d_dropout=0.0, highway=True)

    def weights() -> dict[str, Tensor]:
        game = new_seqgan(config, texts, torch.device("cpu"), 0)
        for step in (1, 2, 3):
            game.mle.update(step)
            game.discriminator_update(ADVERSARIAL, step - 1)
        players = {"policy": game.generator, "discriminator": game.discriminator}
        return {f"{who}.{key}": w.clone() for who, player in players.items() for key, w in player.state_dict().items()}

    expected = weights()
    for module in ASKED:
        monkeypatch.setattr(f"seqgan.{module}.on_cpu", lambda _: False)
    assert_close(weights(), expected, atol=2e-5, rtol=1e-4)


# --- no loop in Python over the batch or the completions


class Counting(TorchDispatchMode):
    """Counts the operations that are given to the device."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("policy", DRAWING.values(), ids=DRAWING)
def test_a_rollout_takes_as_many_operations_whatever_the_batch_and_the_completions(
    policy: Any, words: TokenDataset, tiny_config: Make
) -> None:
    counts = []
    for drawn, rollouts in ((4, 1), (4, 7), (23, 2)):
        with on_pretend(words, tiny_config("seqgan", mle_weight=0.0), Components(policy=policy)) as game:
            sampled = game.generator.sample(drawn)
            score = DiscriminatorReward(game.discriminator, "log-odds")
            with Counting() as operations:
                rollout_rewards(game.generator, score, sampled, rollouts)
            counts.append(operations.count)
    assert max(counts) - min(counts) < 5  # room for drawing may be made anew
