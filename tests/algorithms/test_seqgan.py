"""The game: who moves when, what the discriminator may do while it judges, and whether the estimator is right."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor

from seqgan.advantages import advantages
from seqgan.algorithms.adversarial import ADVERSARIAL, PRETRAIN, TextGAN, View, kl_from_mle
from seqgan.algorithms.configs import MLEConfig
from seqgan.algorithms.seqgan import new_seqgan
from seqgan.bench.estimators import disagreement
from seqgan.core.game import Term, move
from seqgan.core.loop import train
from seqgan.core.record import read_record
from seqgan.core.run import Run, create
from seqgan.core.weights import clone
from seqgan.data.batches import pad
from seqgan.data.corpus import Corpus
from seqgan.data.dataset import TokenDataset
from seqgan.data.encoding import encode_corpus, encoded
from seqgan.data.ragged import Ragged
from seqgan.data.splits import split
from seqgan.data.tokenizer import Tokenizer
from seqgan.evaluation import evaluate_models
from seqgan.losses import discriminator_loss, policy_gradient_weights
from seqgan.metrics.nll import divergence
from seqgan.model import TextModel
from seqgan.models.lstm import LSTMPolicy
from seqgan.models.policy import Sampled, sample
from seqgan.rewards import by_rollouts
from seqgan.rewards.controls import controlled
from seqgan.rewards.discriminator import DiscriminatorReward
from seqgan.rollout import rollout_rewards
from seqgan.symbols import EOS, UNK
from tests.conftest import tiny_lines

CPU = torch.device("cpu")
Make = Callable[..., MLEConfig]


def made(texts: TokenDataset, config: Any) -> TextGAN:
    return new_seqgan(config, texts, CPU, 0)


def test_an_iteration_is_g_policy_updates_and_d_rounds(texts: TokenDataset, tiny_config: Make) -> None:
    game = made(texts, tiny_config("seqgan", g_steps=2, d_steps=3, d_epochs=2, d_samples=24, iterations=4))
    assert game.critic.per_round == 2 * 3  # 24 texts in halves of 8, twice
    assert game.per_iteration == 2 + 3 * 6
    moves = []
    with (
        mock.patch.object(game, "policy_update", side_effect=lambda n: moves.append(("g", n)) or {}),
        mock.patch.object(
            game, "discriminator_update", side_effect=lambda p, n: moves.append(("d", n)) or {"bce": 0.0}
        ),
    ):
        recorded = [game.adversarial_update(step) for step in range(1, 2 * game.per_iteration + 1)]
    assert moves[:3] == [("g", 0), ("g", 1), ("d", 0)]
    assert [n for who, n in moves if who == "g"] == [0, 1, 2, 3]
    assert [n for who, n in moves if who == "d"] == list(range(36))
    assert sum(bool(metrics) for metrics in recorded) == 2 * 3 * 2  # one line an epoch of the discriminator


def test_a_discriminator_is_validated_on_a_choice_of_many_texts(texts: TokenDataset, tiny_config: Make) -> None:
    with mock.patch("seqgan.algorithms.critic.MOST_VALIDATED", 3):
        critic = made(texts, tiny_config("seqgan")).critic
    seen = []
    critic.measures = {"bce": lambda real, fake: seen.append((len(real), len(fake))) or 0.5}
    assert critic.validate(critic.discriminator.state_dict(), critic.pairs()) == {"valid_bce": 0.5}
    assert seen == [(3, 3)]
    rows = list(texts.valid.sequences)
    assert len(rows) > 3
    assert all(row in rows for row in critic.held_out)


def test_the_discriminator_judges_without_dropout_and_learns_with_it(texts: TokenDataset, tiny_config: Make) -> None:
    game = made(texts, tiny_config("seqgan", d_dropout=0.5))
    modes: dict[str, set[bool]] = {"scoring": set(), "learning": set()}
    game.discriminator.train()
    hook = game.discriminator.register_forward_hook(
        lambda module, _, scores: modes["learning" if scores.requires_grad else "scoring"].add(module.training)
    )
    game.policy_update(0)
    game.discriminator_update(ADVERSARIAL, 0)
    game.critic.validate(game.discriminator.state_dict(), game.critic.pairs())
    hook.remove()
    assert modes == {"scoring": {False}, "learning": {True}}
    assert game.discriminator.training


@pytest.mark.parametrize(
    ("batch", "samples", "half"),
    [(16, 16, 8), (200, 0, 43), (200, 30, 30), (40, 500, 20), (1000, 384, 43)],
    ids=["as asked for", "few texts", "fewer samples", "many samples", "few texts and many samples"],
)
def test_half_of_a_discriminator_s_batch_is_real(
    batch: int, samples: int, half: int, texts: TokenDataset, tiny_config: Make
) -> None:
    """Else the prior is part of the log-odds, and is paid: log(50 / 128) = -.94 for every token."""
    assert len(texts.train.sequences) == 43
    game = made(texts, tiny_config("seqgan", d_batch_size=batch, d_samples=samples))
    seen = []
    with mock.patch(
        "seqgan.algorithms.adversarial.discriminator_loss",
        side_effect=lambda *both: seen.append((len(both[0]), len(both[1]))) or discriminator_loss(*both),
    ):
        for update in range(game.critic.per_round + 1):
            game.discriminator_update(PRETRAIN, update)
    assert set(seen) == {(half, half)}
    assert game.critic.per_epoch == (samples or 43) // half


def test_a_reference_batch_is_real_and_not_the_batch_that_is_shown(texts: TokenDataset, tiny_config: Make) -> None:
    gan = new_seqgan(tiny_config("seqgan"), texts, CPU, 1)
    view = View(gan, "discriminator", ADVERSARIAL, 0)
    known = {tuple(row) for row in texts.train.sequences}
    rows = {tuple(token for token in row if token) for row in view.reference.tokens.tolist()}
    assert rows <= known
    assert len(view.reference.tokens) == len(view.real.tokens)
    assert not torch.equal(gan.critic.batches.order(0), gan.critic.references.order(0))


def test_the_discriminator_never_sees_an_unknown_token(tiny_config: Make) -> None:
    """The policy cannot write UNK, so a discriminator that saw it in real text would know real text by it."""
    corpus = Corpus("tiny", **split(tiny_lines()))
    known = encode_corpus(corpus, Tokenizer.train(corpus.train, "word", 10))
    assert known.train.unknown > 0.1
    assert known.valid.unknown > 0.1
    game = made(known, tiny_config("seqgan"))
    seen: set[int] = set()
    game.discriminator.register_forward_pre_hook(lambda _, tokens: seen.update(tokens[0].unique().tolist()))
    for update in range(6):
        game.discriminator_update(ADVERSARIAL, update)
    game.policy_update(0)
    game.critic.check(1)
    model = TextModel(game.generator, known.vocabulary, game.discriminator)
    evaluate_models({"final": model}, encoded(corpus, known.vocabulary))
    model.score(corpus.test)
    assert UNK not in seen
    assert EOS in seen


def test_the_rollout_policy_is_the_current_generator(texts: TokenDataset, tiny_config: Make) -> None:
    game = made(texts, tiny_config("seqgan"))
    seen = []
    with mock.patch(
        "seqgan.rewards.per_token.rollout_rewards",
        side_effect=lambda policy, *a: seen.append(policy) or rollout_rewards(policy, *a),
    ):
        game.policy_update(0)
        weights = clone(game.generator)
        game.policy_update(1)
    assert seen == [game.generator, game.generator]
    assert any(not weights[name].equal(tensor) for name, tensor in game.generator.state_dict().items())


def test_dropout_of_the_policy_is_off_in_the_game_but_for_the_mle_term(texts: TokenDataset, tiny_config: Make) -> None:
    game = made(texts, tiny_config("seqgan", mle_weight=0.0))
    with mock.patch.object(
        LSTMPolicy, "train", side_effect=AssertionError("the policy must not train with dropout here")
    ):
        game.policy_update(0)
    assert not game.generator.training


def test_a_round_s_texts_are_drawn_again_the_same(texts: TokenDataset, tiny_config: Make) -> None:
    game = made(texts, tiny_config("seqgan"))
    first = game.critic.generated(ADVERSARIAL, 3)
    game.critic.generated(ADVERSARIAL, 4)
    torch.rand(17)
    again = game.critic.generated(ADVERSARIAL, 3)
    assert again is not first
    assert again.rows.ids.equal(first.rows.ids)
    assert again.at(1).tokens.equal(first.at(1).tokens)
    assert not game.critic.generated(PRETRAIN, 3).rows.ids.equal(first.rows.ids)


def test_the_game_begins_from_the_best_mle_and_the_held_discriminator(
    texts: TokenDataset, tiny_config: Make, tmp_path: Path
) -> None:
    config = tiny_config("seqgan", iterations=0, mle_epochs=30, mle_lr=0.05, hidden_dim=32, dropout=0.0)
    game = made(texts, config)
    create(tmp_path / "run", {"seed": 1, "threads": 2}, {})
    with Run(tmp_path / "run") as run:
        train(game, run)
    record = read_record(tmp_path / "run")
    best = min(line["valid_nll"] for line in record if "valid_nll" in line)
    assert game.mle.best.nll == best
    assert all(game.after_mle[name].equal(tensor) for name, tensor in game.generator.state_dict().items())
    assert game.critic.snapshot.loss == min(line["valid_bce"] for line in record if "valid_bce" in line)
    assert all(
        game.critic.snapshot.weights[name].equal(tensor) for name, tensor in game.discriminator.state_dict().items()
    )


def test_a_discriminator_that_got_worse_goes_back(texts: TokenDataset, tiny_config: Make) -> None:
    game = made(texts, tiny_config("seqgan"))
    game.critic.check(1)
    game.begin_adversarial()
    good = clone(game.discriminator)
    with torch.no_grad():
        game.discriminator.output.bias += torch.tensor([-20.0, 20.0])  # calls everything real
    game.check(1)
    assert all(good[name].equal(tensor) for name, tensor in game.discriminator.state_dict().items())


def test_the_adversarial_phase_moves_the_policy(texts: TokenDataset, tiny_config: Make, tmp_path: Path) -> None:
    game = made(texts, tiny_config("seqgan", g_lr=1e-2))
    create(tmp_path / "run", {"seed": 1, "threads": 2}, {})
    with Run(tmp_path / "run") as run:
        train(game, run)
    before = made(texts, game.config).generator
    before.load_state_dict(game.after_mle)
    drawn = sample(game.generator, 300)
    assert divergence(game.generator, before, Ragged.padded(drawn.tokens)) > 1e-4


def test_stored_trajectories_guard_refactorings(texts: TokenDataset, tiny_config: Make) -> None:
    """Losses of both players on given texts and rewards, without dropout: only arithmetic decides them."""
    game = made(texts, tiny_config("seqgan", dropout=0.0, d_dropout=0.0))
    rows = texts.train.sequences[:16]
    real, mask, _ = pad(rows)
    fake = pad([row[::-1] for row in rows]).tokens
    rewards = torch.linspace(-1, 1, real.numel()).view(real.shape)
    judged, paid = [], []
    terms = {
        "discriminator": lambda _: discriminator_loss(game.discriminator(real), game.discriminator(fake)),
        "generator": lambda _: game.generator.nll(real, policy_gradient_weights(rewards, mask)),
    }
    for _ in range(5):
        for name, losses in (("discriminator", judged), ("generator", paid)):
            player = replace(game.players[name], terms={"given": Term(terms[name])})
            losses.append(move(player, None, game.nets, game.optimizers[name])["given"].item())
    assert judged == pytest.approx([0.690451, 0.685344, 0.680797, 0.674456, 0.66577], rel=1e-3)
    assert paid == pytest.approx([-0.062746, -0.062886, -0.063024, -0.063162, -0.0633], rel=1e-3)


# --- the estimator, against the exact gradient on a language that can be enumerated


def exact_gradient(
    policy: LSTMPolicy, rewards: Callable[[torch.Tensor], torch.Tensor], language: torch.Tensor
) -> torch.Tensor:
    """d/d theta of the expected reward, by summing over every sequence there is."""
    policy.zero_grad()
    (policy.log_probs_drawn(language).sum(dim=1).exp() * rewards(language)).sum().backward()
    return torch.cat([p.grad.flatten().clone() for p in policy.parameters() if p.grad is not None])


def language_of(policy: LSTMPolicy) -> torch.Tensor:
    from tests.test_rollout import every_sample

    return every_sample(policy).tokens


@pytest.mark.parametrize("baseline", ["none", "batch", "prefix"])
def test_the_policy_gradient_is_unbiased_with_every_baseline(policy: LSTMPolicy, baseline: str) -> None:
    """The mean of many estimates agrees with the exact gradient, coordinate by coordinate."""
    from tests.test_rollout import some_score

    exact = exact_gradient(policy, some_score, language_of(policy))
    torch.manual_seed(0)
    estimates = []
    for _ in range(400):
        sampled = policy.sample(32)
        rewards = rollout_rewards(policy, some_score, sampled, 2)
        paid = advantages(rewards, sampled.mask, baseline, normalize_advantage=False)
        policy.zero_grad()
        (-policy.nll_drawn(sampled.tokens, policy_gradient_weights(paid, sampled.mask, "sum")) / 32).backward()
        estimates.append(torch.cat([p.grad.flatten().clone() for p in policy.parameters() if p.grad is not None]))
    stacked = torch.stack(estimates)
    error = stacked.std(dim=0) / math.sqrt(len(stacked))
    z = ((stacked.mean(dim=0) - exact) / error.clamp(min=1e-8))[exact.abs() > 1e-6]
    assert len(z) > 50
    assert (z.square().mean().sqrt()).item() < 1.6
    assert z.abs().max() < 6


@pytest.mark.parametrize("baseline", ["none", "batch", "prefix"])
def test_noise_as_a_reward_has_a_mean_gradient_of_zero(policy: LSTMPolicy, baseline: str) -> None:
    """It moves the policy nowhere but at random: the mean of many gradients is no longer than with random signs, and a
    reward that says something of the token has a longer one."""

    def gradients(reward: Callable[[Sampled], Tensor]) -> Tensor:
        estimates = []
        for _ in range(200):
            sampled = policy.sample(16)
            paid = advantages(reward(sampled), sampled.mask, baseline, normalize_advantage=False)
            policy.zero_grad()
            policy.nll_drawn(sampled.tokens, policy_gradient_weights(paid, sampled.mask, "sum")).backward()
            estimates.append(torch.cat([p.grad.flatten().clone() for p in policy.parameters() if p.grad is not None]))
        return torch.stack(estimates).double()

    torch.manual_seed(0)
    noise = gradients(lambda sampled: controlled(torch.zeros(sampled.mask.shape), sampled.mask, "noise"))
    assert disagreement(noise.numpy(), seed=0) > 0.002
    of_tokens = gradients(lambda sampled: (sampled.tokens == 4).float())
    assert disagreement(of_tokens.numpy(), seed=0) < 0.002


def test_the_prefix_baseline_has_far_less_noise_than_none(policy: LSTMPolicy) -> None:
    from tests.test_rollout import some_score

    noise = {}
    for baseline in ("none", "prefix"):
        torch.manual_seed(0)
        estimates = []
        for _ in range(150):
            sampled = policy.sample(32)
            rewards = rollout_rewards(policy, lambda tokens: some_score(tokens) + 1.0, sampled, 8)
            paid = advantages(rewards, sampled.mask, baseline, normalize_advantage=False)
            policy.zero_grad()
            policy.nll_drawn(sampled.tokens, policy_gradient_weights(paid, sampled.mask, "sum")).backward()
            estimates.append(torch.cat([p.grad.flatten().clone() for p in policy.parameters() if p.grad is not None]))
        noise[baseline] = float(torch.stack(estimates).var(dim=0).sum())
    assert noise["prefix"] < noise["none"] / 5


def test_a_reward_that_can_be_learned_is_learned(texts: TokenDataset, tiny_config: Make) -> None:
    """With a judge that loves one token, REINFORCE makes the policy write it."""
    config = replace(tiny_config("seqgan"), mle_weight=0.0, g_lr=0.02, g_batch_size=32)
    game = made(texts, config)
    loved = texts.vocabulary.encode("a")[0]

    class Loving(torch.nn.Module):
        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return 4.0 * (tokens == loved).float().sum(dim=1) - 2.0

    loving = by_rollouts(game.generator, DiscriminatorReward(Loving(), "log-odds"), config.rollouts)
    game.reward = lambda view: loving(view.sampled)
    before = (sample(game.generator, 400).tokens == loved).float().mean()
    for step in range(1, 41):
        torch.manual_seed(step)
        game.policy_update(step)
    after = (sample(game.generator, 400).tokens == loved).float().mean()
    assert after > before + 0.1


def test_a_kl_weight_keeps_the_policy_near_the_one_after_mle(texts: TokenDataset, tiny_config: Make) -> None:
    """The logged KL is that of `evaluate` on the same rows; with a weight the policy earns, but stays nearer."""

    def learned(weight: float) -> tuple[float, float]:
        changes = {"mle_weight": 0.0, "kl_weight": weight, "g_lr": 0.02, "g_batch_size": 32}
        game = made(texts, replace(tiny_config("seqgan"), **changes, reward=("length:1-2",)))
        game.begin_adversarial()
        for step in range(30):
            torch.manual_seed(step)
            game.policy_update(step)
        torch.manual_seed(0)
        view = View(game, "generator", ADVERSARIAL, 30)
        start, rows = game.policy_after_mle(), Ragged.padded(view.sampled.tokens)
        kl = float(kl_from_mle(view).detach())
        assert kl == pytest.approx(divergence(game.generator, start, list(rows)), rel=1e-4)
        assert all(start.state_dict()[name].equal(tensor) for name, tensor in game.after_mle.items())
        return kl, float(rows.lengths.float().mean())

    (free, short), (near, longer) = learned(0.0), learned(5.0)
    assert near < free / 3
    assert short < longer
