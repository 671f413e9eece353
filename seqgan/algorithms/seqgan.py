"""SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient (Yu et al., AAAI 2017), algorithm 1.

The policy writes texts; every token earns what its completions score with the discriminator; REINFORCE raises what
paid more. The discriminator learns to tell real texts from the policy's."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from safetensors.torch import save

from seqgan.algorithms.components import DEFAULTS, Components
from seqgan.algorithms.configs import SeqGANConfig
from seqgan.algorithms.mle import MLE, Weights, copied, descend, export_policies
from seqgan.algorithms.opponent import Opponent
from seqgan.core import distributed
from seqgan.core.checkpoint import check, load_optimizer
from seqgan.core.phase import Metrics, Phase
from seqgan.data.dataset import TokenDataset
from seqgan.losses import policy_gradient_weights
from seqgan.rewards import DiscriminatorReward, TextReward, advantages, checked, controlled, judging
from seqgan.rollout import Score, rollout_rewards
from seqgan.shapes import Mask, Rewards

PRETRAIN, GAME = "pretrain discriminator", "adversarial"


class SeqGAN:
    """Three phases: the policy by MLE, the discriminator against it, then the game between them.

    With someone's own reward (`Components.reward`) there is no discriminator: MLE, then REINFORCE with that reward."""

    def __init__(
        self, config: SeqGANConfig, texts: TokenDataset, device: torch.device, seed: int, parts: Components = DEFAULTS
    ) -> None:
        self.config = config
        self.mle = MLE(config, texts, device, seed, parts)
        self.generator = self.mle.generator
        self.reward = _own_reward(parts, texts)
        self.opponent = None if self.reward else Opponent(config, texts, device, seed, self.generator, parts)
        learned = [parameter for parameter in self.generator.parameters() if parameter.requires_grad]
        self.policy_optimizer = torch.optim.Adam(learned, config.g_lr, fused=True)
        self.after_mle: Weights = {}
        self.drawn = distributed.shard_size(config.g_batch_size)  # of a batch, in this process
        self.d_updates = config.d_steps * self.opponent.per_round if self.opponent else 0  # in an iteration
        self.per_iteration = config.g_steps + self.d_updates

    @property
    def discriminator(self) -> torch.nn.Module | None:
        return self.opponent.discriminator if self.opponent else None

    def phases(self) -> Sequence[Phase]:
        config, opponent = self.config, self.opponent
        game = Phase(
            GAME,
            steps=config.iterations * self.per_iteration,
            start=opponent.take_held if opponent else self.keep_mle,
            update=self.move,
            check=self.check,
            validate_every=config.validate_every * self.per_iteration,
            unit="iteration",
            steps_per_unit=self.per_iteration,
        )
        if opponent is None:
            return [*self.mle.phases(), game]
        pretrain = Phase(
            PRETRAIN,
            steps=config.d_pretrain_rounds * opponent.per_round,
            start=self.keep_mle,
            update=lambda step: opponent.update(PRETRAIN, step - 1),
            check=opponent.check,
            validate_every=opponent.per_round,
            finished=lambda: 0 < config.d_patience <= opponent.held.stale,
            unit="round",
            steps_per_unit=opponent.per_round,
        )
        return [*self.mle.phases(), pretrain, game]

    def keep_mle(self) -> None:
        self.after_mle = self.mle.chosen()
        self.generator.load_state_dict(self.after_mle)

    def move(self, step: int) -> Metrics:
        """Algorithm 1: g policy updates, then d rounds of the discriminator, over and over."""
        iteration, position = divmod(step - 1, self.per_iteration)
        within = position - self.config.g_steps
        if within < 0 or self.opponent is None:
            return self.policy_update(iteration * self.config.g_steps + position + 1)
        metrics = self.opponent.update(GAME, iteration * self.d_updates + within)
        ends_an_epoch = (within + 1) % self.opponent.per_epoch == 0
        return metrics if ends_an_epoch else {}

    def policy_update(self, count: int) -> Metrics:
        """Sample, reward, loss, step; perhaps with an MLE term that keeps the policy near real text."""
        config = self.config
        sampled = self.generator.sample(self.drawn)
        with self.score() as score:
            rewards = rollout_rewards(self.generator, score, sampled, config.rollouts)
        rewards = controlled(rewards, sampled.mask, config.control)
        paid = advantages(rewards, sampled.mask, config.baseline, normalize_advantage=config.normalize_advantage)
        loss = self.generator.nll_drawn(sampled.tokens, policy_gradient_weights(paid, sampled.mask, config.reduction))
        metrics: dict[str, Any] = {"loss": distributed.all_reduce_sum(loss.detach()), **_spread(rewards, sampled.mask)}
        if config.mle_weight:
            nll = self.mle.loss(count)
            metrics["nll"] = distributed.all_reduce_sum(nll.detach())
            loss = loss + config.mle_weight * nll
        descend(self.policy_optimizer, loss, self.generator, config.max_grad_norm)
        return metrics

    @contextmanager
    def score(self) -> Iterator[Score]:
        """What a finished text earns: the discriminator's word, or someone's own reward."""
        if self.reward is not None:
            yield self.reward
        else:
            assert self.opponent is not None
            with judging(self.opponent.discriminator) as discriminator:
                yield DiscriminatorReward(discriminator, self.config.reward)

    def check(self, step: int) -> Metrics:
        """Validation NLL, samples, and how the discriminator does on held-out text."""
        nll = self.mle.consider(GAME, step)
        held_out = self.opponent.look() if self.opponent else {}
        return {"valid_nll": nll, **held_out, "samples": self.mle.samples()}

    # --- state

    def state_dict(self) -> dict[str, Any]:
        state = self.mle.state_dict()
        if self.after_mle:
            best = self.mle.best.weights or self.after_mle
            state["policies"] = {"mle": self.after_mle, "final": copied(self.generator), "best": best}
        opponent = self.opponent.state_dict() if self.opponent else {}
        return {
            **state,
            "after_mle": self.after_mle,
            "policy_optimizer": self.policy_optimizer.state_dict(),
            **opponent,
        }

    def state_like(self) -> dict[str, Any]:
        """What a saved state must be like."""
        opponent = self.opponent.state_like() if self.opponent else {}
        own = {"after_mle": ({}, self.generator), "policy_optimizer": self.policy_optimizer}
        return {**self.mle.state_like(), **own, **opponent}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        check(state, self.state_like())
        self.mle.load_state_dict(state)
        self.after_mle = state["after_mle"]
        load_optimizer(self.policy_optimizer, state["policy_optimizer"])
        if self.opponent:
            self.opponent.load_state_dict(state)

    def exports(self) -> Mapping[str, bytes]:
        policies = export_policies(self.state_dict()["policies"])
        if self.discriminator is None:
            return policies
        weights = {name: tensor.cpu().clone() for name, tensor in self.discriminator.state_dict().items()}
        return {**policies, "discriminator.safetensors": save(weights)}


def _own_reward(parts: Components, texts: TokenDataset) -> Score | None:
    reward = parts.reward
    if isinstance(reward, TextReward):
        reward = reward.on_tokens(texts.decode)
    return checked(reward) if reward is not None else None


def _spread(rewards: Rewards, mask: Mask) -> Metrics:
    """The mean reward of a token, and how much whole sequences differ in theirs."""
    whole = (rewards * mask).sum(dim=1) / mask.sum(dim=1)
    reward = distributed.all_reduce_sum((rewards * mask).sum()) / distributed.all_reduce_sum(mask.sum())
    return {"reward": reward, "spread": distributed.all_gather(whole).std()}
