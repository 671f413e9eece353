"""The policy's opponent: a discriminator, and how it learns to tell real texts from the policy's.

Yu et al. (2017), equation 5 and algorithm 1: in every round the policy writes new texts, and the discriminator sees
them k times. On top of the paper it may be stopped early, by its cross-entropy on held-out text."""

from collections.abc import Mapping
from typing import Any

import torch

from seqgan.algorithms.components import Components
from seqgan.algorithms.configs import SeqGANConfig
from seqgan.algorithms.mle import Weights, copied, descend
from seqgan.core import distributed
from seqgan.core.checkpoint import load_optimizer
from seqgan.core.device import autocast
from seqgan.core.phase import Metrics
from seqgan.core.schema import NUMBER, WHOLE
from seqgan.core.seed import derive, seed_everything
from seqgan.data.batches import Batches, Ragged, by_length, pad, side_by_side
from seqgan.data.dataset import TokenDataset
from seqgan.losses import discriminator_loss, l2_penalty
from seqgan.metrics import discrimination
from seqgan.models.cnn import CNNDiscriminator
from seqgan.models.factory import new_discriminator
from seqgan.models.policy import PolicyModule, sample
from seqgan.rewards import judging
from seqgan.rollout import in_chunks


class Opponent:
    """A discriminator that learns against a policy, round by round."""

    def __init__(
        self,
        config: SeqGANConfig,
        texts: TokenDataset,
        device: torch.device,
        seed: int,
        policy: PolicyModule,
        parts: Components,
    ) -> None:
        self.config, self.texts, self.device, self.seed, self.policy = config, texts, device, seed, policy
        seed_everything(seed, "discriminator weights")
        self.discriminator = new_discriminator(config, len(texts.vocabulary), texts.max_length, parts.discriminator)
        self.discriminator.to(device)
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), config.d_lr, fused=True)
        self.held, self.unknown = Held(), texts.train.unknown > 0
        self.samples = config.d_samples or len(texts.train.sequences)
        # As many of one kind as of the other, however few there are: the log-odds that are paid hold no prior.
        self.half = min(config.d_batch_size // 2, len(texts.train.sequences), self.samples)
        real = Ragged.of(texts.train.sequences, device)
        self.real = Batches(real, self.half, derive(seed, "real texts for the discriminator"))
        self.per_epoch = self.samples // self.half
        self.per_round = config.d_epochs * self.per_epoch
        self._round: tuple[tuple[str, int], Batches] = (("", -1), self.real)

    def update(self, phase: str, update: int) -> Metrics:
        """One batch, half real and half from this round's generated texts; `update` counts from 0 over the phase."""
        round, within = divmod(update, self.per_round)
        real = self.real.at(update + 1).tokens
        if self.unknown:
            real = self.policy.fill_unknown(real)
        fake = self.generated(phase, round).at(within + 1).tokens
        self.discriminator.train()
        with autocast(self.device, enabled=self.config.d_bf16):
            scores = self.discriminator(side_by_side(real, fake)).float()
        real_scores, fake_scores = scores.split([len(real), len(fake)])
        loss = discriminator_loss(real_scores, fake_scores)
        descend(self.optimizer, loss + self.penalty() / distributed.world_size(), self.discriminator)
        right = (
            distributed.all_reduce_mean((real_scores > 0).float())
            + distributed.all_reduce_mean((fake_scores <= 0).float())
        ) / 2
        return {"bce": distributed.all_reduce_sum(loss.detach()), "accuracy": right}

    def penalty(self) -> torch.Tensor | float:
        """The L2 penalty of the last layer, as the paper's code has it; someone's own module sees to its own."""
        if not isinstance(self.discriminator, CNNDiscriminator):
            return 0.0
        return self.config.d_l2 * l2_penalty(self.discriminator.output.weight, self.discriminator.output.bias)

    def generated(self, phase: str, round: int) -> Batches:
        """The texts the policy wrote for a round: drawn again, the same, when a run resumes in its middle."""
        if self._round[0] != (phase, round):
            rng = torch.Generator(self.device).manual_seed(derive(self.seed, phase, round, *distributed.rank_suffix()))
            drawn = sample(self.policy, distributed.shard_size(self.samples), rng=rng).tokens
            order = derive(self.seed, phase, round, "order")
            self._round = ((phase, round), Batches(Ragged.padded(distributed.all_gather(drawn)), self.half, order))
        return self._round[1]

    # --- looking at held-out text

    def check(self, step: int) -> Metrics:
        """Before the game: the best discriminator on held-out text is remembered, and too many worse ones end it."""
        bce, accuracy = self.judge_held_out(self.discriminator.state_dict())
        if bce < self.held.bce:
            self.held = Held(bce, 0, copied(self.discriminator))
        else:
            self.held.stale += 1
        return {"valid_bce": bce, "valid_accuracy": accuracy}

    def look(self) -> Metrics:
        """In the game: the discriminator goes back to the last held one where that does better now."""
        bce, accuracy = self.judge_held_out(self.discriminator.state_dict())
        if self.config.d_patience and self.held.weights:
            held_bce, held_accuracy = self.judge_held_out(self.held.weights)
            if held_bce < bce:
                bce, accuracy = held_bce, held_accuracy
                self.discriminator.load_state_dict(self.held.weights)
        self.held = Held(bce, 0, copied(self.discriminator))
        return {"valid_bce": bce, "valid_accuracy": accuracy}

    def take_held(self) -> None:
        """Begin the game with the discriminator that did best on held-out text; it plays on from there."""
        if self.config.d_patience and self.held.weights:
            self.discriminator.load_state_dict(self.held.weights)

    def judge_held_out(self, weights: Weights) -> tuple[float, float]:
        """Cross-entropy and accuracy of a discriminator on the validation split against as many new samples."""
        current = copied(self.discriminator)
        self.discriminator.load_state_dict(weights)
        rng = torch.Generator(self.device).manual_seed(derive(self.seed, "held out"))
        with judging(self.discriminator) as discriminator:
            rows = self.texts.valid.sequences
            held_out = [
                pad([rows[number] for number in numbers], self.device).tokens
                for numbers in by_length(rows, self.policy.vocab_size)
            ]
            real = torch.cat([discriminator(self.policy.fill_unknown(some, rng)).cpu() for some in held_out])
            fake = in_chunks(discriminator, sample(self.policy, len(real), rng=rng).tokens).cpu()
        self.discriminator.load_state_dict(current)
        return distributed.broadcast((discrimination.cross_entropy(real, fake), discrimination.accuracy(real, fake)))

    # --- state

    def state_dict(self) -> dict[str, Any]:
        return {
            "discriminator": self.discriminator.state_dict(),
            "d_optimizer": self.optimizer.state_dict(),
            "held": vars(self.held),
        }

    def state_like(self) -> dict[str, Any]:
        """What a saved state must be like."""
        held: dict[str, Any] = {"bce": NUMBER, "stale": WHOLE, "weights": ({}, self.discriminator)}
        return {"discriminator": self.discriminator, "d_optimizer": self.optimizer, "held": held}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.discriminator.load_state_dict(state["discriminator"])
        load_optimizer(self.optimizer, state["d_optimizer"])
        self.held = Held(**state["held"])


class Held:
    """The discriminator that last did best on held-out text."""

    def __init__(self, bce: float = float("inf"), stale: int = 0, weights: Weights | None = None) -> None:
        self.bce, self.stale, self.weights = bce, stale, weights or {}
