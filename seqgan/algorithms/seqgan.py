"""SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient (Yu et al., AAAI 2017), algorithm 1.

The policy writes texts; every token earns what its completions score with the discriminator; REINFORCE raises what
paid more. The discriminator learns to tell real texts from the policy's."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from safetensors.torch import save

from seqgan.algorithms.configs import SeqGANConfig
from seqgan.algorithms.mle import MLE, Weights, copied, descend, export_policies
from seqgan.core.log import Metrics
from seqgan.core.loop import Phase
from seqgan.core.seed import derive, seed_everything
from seqgan.data.batches import Batches, pad
from seqgan.data.symbols import PAD
from seqgan.data.texts import Texts
from seqgan.losses import discriminator_loss, l2_penalty, policy_gradient_loss
from seqgan.metrics import discrimination
from seqgan.models.discriminator import Discriminator
from seqgan.models.generator import sample
from seqgan.rewards import advantages, controlled, judging, reward_of
from seqgan.rollout import in_chunks, rollout_rewards
from seqgan.shapes import Mask, Rewards

PRETRAIN, GAME = "pretrain discriminator", "adversarial"


class SeqGAN:
    """Three phases: the policy by MLE, the discriminator against it, then the game between them."""

    def __init__(self, config: SeqGANConfig, texts: Texts, device: torch.device, seed: int) -> None:
        self.config, self.texts, self.device, self.seed = config, texts, device, seed
        self.mle = MLE(config, texts, device, seed)
        self.generator = self.mle.generator
        seed_everything(seed, "discriminator weights")
        self.discriminator = Discriminator(
            len(texts.tokenizer),
            config.d_embedding_dim,
            config.widths,
            config.filters,
            highway=config.highway,
            dropout=config.d_dropout,
        ).to(device)
        learned = [parameter for parameter in self.generator.parameters() if parameter.requires_grad]
        self.policy_optimizer = torch.optim.Adam(learned, config.policy_rate, fused=True)
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), config.d_rate, fused=True)
        self.after_mle: Weights = {}
        self.held = Held()
        half = config.d_batch_size // 2
        self.real = Batches(texts.train.rows, half, derive(seed, "real texts for the discriminator"), device)
        self.d_samples = config.d_samples or len(texts.train.rows)
        self.fake_size = min(half, self.d_samples)
        self.per_epoch = self.d_samples // self.fake_size
        self.per_round = config.d_epochs * self.per_epoch
        self.per_iteration = config.g_steps + config.d_steps * self.per_round
        self._round: tuple[tuple[str, int], Batches] = (("", -1), self.real)

    def phases(self) -> Sequence[Phase]:
        config = self.config
        pretrain = Phase(
            PRETRAIN,
            steps=config.d_rounds * self.per_round,
            start=self.keep_mle,
            update=lambda step: self.discriminator_update(PRETRAIN, step - 1),
            check=self.check_discriminator,
            check_every=self.per_round,
            finished=lambda: 0 < config.d_patience <= self.held.stale,
        )
        game = Phase(
            GAME,
            steps=config.iterations * self.per_iteration,
            start=self.take_held_discriminator,
            update=self.move,
            check=self.check_game,
            check_every=config.check_every * self.per_iteration,
        )
        return [*self.mle.phases(), pretrain, game]

    # --- what happens between the phases

    def keep_mle(self) -> None:
        self.after_mle = self.mle.chosen()
        self.generator.load_state_dict(self.after_mle)

    def take_held_discriminator(self) -> None:
        """Begin the game with the discriminator that did best on held-out text; it plays on from there."""
        if self.config.d_patience and self.held.weights:
            self.discriminator.load_state_dict(self.held.weights)

    # --- the two moves

    def move(self, step: int) -> Metrics:
        """Algorithm 1: g policy updates, then d rounds of the discriminator, over and over."""
        iteration, position = divmod(step - 1, self.per_iteration)
        if position < self.config.g_steps:
            return self.policy_update(iteration * self.config.g_steps + position + 1)
        updates_before = iteration * self.config.d_steps * self.per_round
        metrics = self.discriminator_update(GAME, updates_before + position - self.config.g_steps)
        ends_an_epoch = (position - self.config.g_steps + 1) % self.per_epoch == 0
        return metrics if ends_an_epoch else {}

    def policy_update(self, count: int) -> Metrics:
        """Sample, reward, loss, step; perhaps with an MLE term that keeps the policy near real text."""
        config = self.config
        sampled = self.generator.sample(config.policy_batch)
        with judging(self.discriminator) as discriminator:
            rewards = rollout_rewards(self.generator, reward_of(discriminator, config.reward), sampled, config.rollouts)
        rewards = controlled(rewards, sampled.mask, config.control)
        paid = advantages(rewards, sampled.mask, config.baseline, normalise=config.normalise)
        loss = policy_gradient_loss(
            self.generator.log_probs_drawn(sampled.tokens), paid, sampled.mask, config.reduction
        )
        metrics: dict[str, Any] = {"loss": loss, **_spread(rewards, sampled.mask)}
        if config.mle_weight:
            metrics["nll"] = self.mle.loss(count)
            loss = loss + config.mle_weight * metrics["nll"]
        descend(self.policy_optimizer, loss, self.generator, config.clip)
        return metrics

    def discriminator_update(self, phase: str, update: int) -> Metrics:
        """One batch, half real and half from this round's generated texts; `update` counts from 0 over the phase."""
        round, within = divmod(update, self.per_round)
        real = self.generator.fill_unknown(self.real.at(update + 1).tokens)
        fake = self.generated(phase, round).at(within + 1).tokens
        self.discriminator.train()
        real_scores, fake_scores = self.discriminator(real), self.discriminator(fake)
        loss = discriminator_loss(real_scores, fake_scores)
        penalty = l2_penalty(self.discriminator.output.weight, self.discriminator.output.bias)
        descend(self.d_optimizer, loss + self.config.d_l2 * penalty, self.discriminator)
        right = ((real_scores > 0).float().mean() + (fake_scores <= 0).float().mean()) / 2
        return {"bce": loss, "accuracy": right}

    def generated(self, phase: str, round: int) -> Batches:
        """The texts the policy wrote for a round: drawn again, the same, when a run resumes in its middle."""
        if self._round[0] != (phase, round):
            rng = torch.Generator(self.device).manual_seed(derive(self.seed, phase, round))
            tokens = sample(self.generator, self.d_samples, rng=rng).tokens.tolist()
            rows = [[token for token in row if token != PAD] for row in tokens]
            order = derive(self.seed, phase, round, "order")
            self._round = ((phase, round), Batches(rows, self.fake_size, order, self.device))
        return self._round[1]

    # --- looking at held-out text

    def check_discriminator(self, step: int) -> Metrics:
        """Held-out cross-entropy: the best discriminator is remembered, and too many worse ones end the phase."""
        bce, accuracy = self.judge_held_out(self.discriminator.state_dict())
        if bce < self.held.bce:
            self.held = Held(bce, 0, copied(self.discriminator))
        else:
            self.held.stale += 1
        return {"valid_bce": bce, "valid_accuracy": accuracy}

    def check_game(self, step: int) -> Metrics:
        """Validation NLL and samples; the discriminator goes back to the last held one where that does better now."""
        bce, accuracy = self.judge_held_out(self.discriminator.state_dict())
        if self.config.d_patience and self.held.weights:
            held_bce, held_accuracy = self.judge_held_out(self.held.weights)
            if held_bce < bce:
                bce, accuracy = held_bce, held_accuracy
                self.discriminator.load_state_dict(self.held.weights)
        self.held = Held(bce, 0, copied(self.discriminator))
        return {
            "valid_nll": self.mle.consider(GAME, step),
            "valid_bce": bce,
            "valid_accuracy": accuracy,
            "samples": self.mle.samples(),
        }

    def judge_held_out(self, weights: Weights) -> tuple[float, float]:
        """Cross-entropy and accuracy of a discriminator on the validation split against as many new samples."""
        current = copied(self.discriminator)
        self.discriminator.load_state_dict(weights)
        rng = torch.Generator(self.device).manual_seed(derive(self.seed, "held out"))
        with judging(self.discriminator) as discriminator:
            held_out = self.generator.fill_unknown(pad(self.texts.valid.rows, self.device).tokens, rng)
            real = in_chunks(discriminator, held_out)
            fake = in_chunks(discriminator, sample(self.generator, len(real), rng=rng).tokens)
        self.discriminator.load_state_dict(current)
        return discrimination.cross_entropy(real, fake), discrimination.accuracy(real, fake)

    # --- state

    def state_dict(self) -> dict[str, Any]:
        state = self.mle.state_dict()
        if self.after_mle:
            best = self.mle.best.weights or self.after_mle
            state["policies"] = {"mle": self.after_mle, "final": copied(self.generator), "best": best}
        return {
            **state,
            "after_mle": self.after_mle,
            "policy_optimizer": self.policy_optimizer.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "d_optimizer": self.d_optimizer.state_dict(),
            "held": vars(self.held),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.mle.load_state_dict(state)
        self.after_mle, self.held = state["after_mle"], Held(**state["held"])
        self.policy_optimizer.load_state_dict(state["policy_optimizer"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.d_optimizer.load_state_dict(state["d_optimizer"])

    def exports(self) -> Mapping[str, bytes]:
        weights = {name: tensor.cpu().contiguous() for name, tensor in self.discriminator.state_dict().items()}
        return {**export_policies(self.state_dict()["policies"]), "discriminator.safetensors": save(weights)}


class Held:
    """The discriminator that last did best on held-out text."""

    def __init__(self, bce: float = float("inf"), stale: int = 0, weights: Weights | None = None) -> None:
        self.bce, self.stale, self.weights = bce, stale, weights or {}


def _spread(rewards: Rewards, mask: Mask) -> Metrics:
    """The mean reward of a token, and how much whole sequences differ in theirs."""
    whole = (rewards * mask).sum(dim=1) / mask.sum(dim=1)
    return {"reward": (rewards * mask).sum() / mask.sum(), "spread": whole.std()}
