"""What all text GANs share: what a player sees, and three phases.

    pretrain generator       the policy learns from text (MLE)
    pretrain discriminator   the discriminator learns against that policy; absent where it takes no rounds
    adversarial              g updates of the policy, then d rounds of the discriminator, over and over

A paper is two players with terms on a `View`, in a file of its own."""

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import nn

from seqgan.algorithms.configs import AdversarialConfig, PolicyGradientConfig
from seqgan.algorithms.critic import Critic, labels_at, with_vectors
from seqgan.algorithms.health import Health, about_discriminator, about_policy, variety
from seqgan.algorithms.mle import MLE, policy_files
from seqgan.core import distributed
from seqgan.core.checkpoint import check, load_optimizer
from seqgan.core.device import autocast
from seqgan.core.game import Player, Term, adam, eval_mode, move, watched
from seqgan.core.losses import pairwise_loss, r1_penalty
from seqgan.core.phase import WARNINGS, Metrics, Numbers, Phase
from seqgan.core.schema import FINITE, TEXTS
from seqgan.core.weights import Weights, as_safetensors, clone
from seqgan.data.batches import Texts, side_by_side
from seqgan.losses import discriminator_loss, kl_loss, l2_penalty
from seqgan.metrics.nll import likelihood
from seqgan.models.cnn import CNNDiscriminator
from seqgan.models.from_policy import LANGUAGE_MODEL, FromPolicy, LikelihoodRatio
from seqgan.models.policy import PolicyModule, Sampled
from seqgan.ops import twice_differentiable
from seqgan.rewards.controls import under
from seqgan.rewards.per_token import TokenReward
from seqgan.shapes import Rewards, Scalar, Scores
from seqgan.symbols import PAD

PRETRAIN, ADVERSARIAL = "pretrain discriminator", "adversarial"
UNSHOWN = ("valid_auc", "valid_ece", "grad_norm", "clipped")


class View:
    """What a player sees in one move: each part is computed when a term first asks for it, and only once."""

    def __init__(self, gan: "TextGAN", player: str, phase: str, update: int) -> None:
        """Of update number `update`, from 0, of this player in this phase."""
        self.gan, self.player, self.phase, self.update = gan, player, phase, update
        self.policy = gan.generator

    @property
    def critic(self) -> Critic:
        assert self.gan.critic is not None
        return self.gan.critic

    @cached_property
    def nll(self) -> Scalar:
        """The NLL of the next batch of real texts."""
        return self.gan.mle.loss(self.update + 1)

    @cached_property
    def sampled(self) -> Sampled:
        """This process's share of the samples of an update, with the states that rollouts start from."""
        count = self.gan.samples
        labels = labels_at(self.policy, count, self.gan.mle.seed, self.phase, self.update)
        share = None if labels is None else labels[distributed.shard(count)]
        return self.policy.sample(distributed.shard_size(count), share)

    @cached_property
    def rewards(self) -> Rewards:
        """What each token of `sampled` earns."""
        assert self.gan.reward is not None
        return self.gan.reward(self)

    @cached_property
    def reward_of_samples(self) -> Scores:
        """The mean reward of the tokens of each sample, of all processes."""
        rewards, mask = self.rewards, self.sampled.mask
        return distributed.all_gather((rewards * mask).sum(dim=1) / mask.sum(dim=1))

    @cached_property
    def real(self) -> Texts:
        return self.critic.real(self.update)

    @cached_property
    def reference(self) -> Texts:
        """A second batch of real texts, for what compares a text with real ones."""
        return self.critic.reference(self.update)

    @cached_property
    def fake(self) -> Texts:
        """As many samples as there are real texts."""
        return self.gan.fake(self)

    @cached_property
    def logits(self) -> tuple[Scores, Scores]:
        """The discriminator's of `real` and of `fake`; of ids, from one pass."""
        real, fake = self.real, self.fake
        if fake.tokens.is_floating_point():
            return self.discriminate(real), self.discriminate(fake)
        first, second = self.discriminate(side_by_side(real, fake)).split([len(real.tokens), len(fake.tokens)])
        return first, second

    def discriminate(self, texts: Texts) -> Scores:
        """Logits, with dropout where the discriminator is the one that learns; gradients flow to soft tokens."""
        discriminator = self.critic.discriminator.train()
        if self.player != "discriminator":
            with eval_mode(discriminator):
                logits: Scores = discriminator(*texts.parts)
            return logits
        with autocast(self.critic.device, enabled=self.gan.config.d_bf16):
            logits = discriminator(*texts.parts)
        return logits.float()

    @property
    def iteration(self) -> int:
        """From 0, of the adversarial phase."""
        return self.update // (self.gan.config.g_steps if self.player == "generator" else self.gan.d_updates)


def samples_of_round(view: View) -> Texts:
    """A batch of the sequences that were drawn once for all updates of a discriminator's round."""
    return view.critic.fake(view.phase, view.update)


# --- terms and players that several papers share


def mle_term(config: AdversarialConfig) -> dict[str, Term[View]]:
    """It keeps the policy near real text, where it has a weight."""
    return {"nll": Term(lambda view: view.nll, config.mle_weight)} if config.mle_weight else {}


def kl_term(config: PolicyGradientConfig) -> dict[str, Term[View]]:
    """It keeps the policy near the one after MLE, where it has a weight."""
    return {"kl": Term(kl_from_mle, config.kl_weight)} if config.kl_weight else {}


def kl_from_mle(view: View) -> Scalar:
    """KL(policy || policy after MLE) of the next token, in nats: the mean over the prefixes of the samples, at each of
    which it is a sum over the vocabulary. The gradient takes the prefixes as they are drawn (Jaques et al. 2017)."""
    tokens, mask, _, labels = view.sampled
    with torch.no_grad():
        after_mle = view.gan.policy_after_mle().distributions(tokens, labels)
    return kl_loss(view.policy.distributions(tokens, labels), after_mle, mask)


def classifier(config: PolicyGradientConfig) -> Player[View]:
    """A discriminator that learns to tell real from generated by cross-entropy (Yu et al. 2017, equation 5), or to rank
    a real text above a generated one."""

    def cross_entropy(view: View) -> Scalar:
        return discriminator_loss(*view.logits, config.d_label_smoothing)

    compares = config.d_loss == "pairwise"
    loss = {"d_loss": Term(ranking)} if compares else {"bce": Term(cross_entropy)}
    terms = {**loss, "l2": Term(output_penalty, config.d_l2), **r1_term(config)}
    watch = {"accuracy": right_pairs if compares else accuracy}
    return Player(("discriminator",), terms, adam(config.d_lr), watch=watch)


def ranking(view: View) -> Scalar:
    """Real texts above generated ones, row by row: a relativistic discriminator (Jolicoeur-Martineau 2018)."""
    real, fake = view.logits
    return pairwise_loss(real, fake)


def right_pairs(view: View) -> Scalar:
    """The share of pairs in which the real text has the higher logit."""
    real, fake = view.logits
    return distributed.all_reduce_mean((real > fake).float())


def output_penalty(view: View) -> Scalar:
    """The L2 penalty of the last layer, as the paper's code has it; a custom discriminator sees to its own."""
    discriminator = view.critic.discriminator
    if not isinstance(discriminator, CNNDiscriminator):
        return view.logits[0].new_zeros(())
    last = [discriminator.output, *([discriminator.projection] if discriminator.projection else [])]
    return l2_penalty(*(p for layer in last for p in layer.parameters())) / distributed.world_size()


def r1_term(config: AdversarialConfig) -> dict[str, Term[View]]:
    """It keeps the discriminator flat around real texts, where it has a weight."""
    return {"r1": Term(gradient_at_real, config.d_r1_weight / 2)} if config.d_r1_weight else {}


def gradient_at_real(view: View) -> Scalar:
    """The squared gradient of the logit with respect to the vectors of the tokens of a real text, padding left out; the
    mean over texts (R1). It is of the discriminator that scores: without dropout, and in full precision."""
    discriminator, texts = view.critic.discriminator, view.real
    with eval_mode(discriminator), autocast(view.critic.device, enabled=False), twice_differentiable():
        logits, vectors = with_vectors(discriminator, texts)
        return r1_penalty(logits, vectors, texts.tokens != PAD)


def accuracy(view: View) -> Scalar:
    """The mean of the share of real texts called real and of generated ones called generated."""
    real, fake = view.logits
    right = distributed.all_reduce_mean((real > 0).float()) + distributed.all_reduce_mean((fake <= 0).float())
    return right / 2


def reward_mean(view: View) -> Scalar:
    """The mean reward of a token."""
    rewards, mask = view.rewards, view.sampled.mask
    return distributed.all_reduce_sum((rewards * mask).sum()) / distributed.all_reduce_sum(mask.sum())


def reward_std(view: View) -> Scalar:
    """How much whole sequences differ in their mean reward."""
    return view.reward_of_samples.std()


def reward_of_samples(view: View) -> Scores:
    """The rewards themselves, for the histograms of loggers."""
    return view.reward_of_samples


# --- the algorithm


class TextGAN:
    """A policy against a critic; without one, where no reward asks for it, the policy is the only player."""

    def __init__(
        self,
        config: AdversarialConfig,
        mle: MLE,
        critic: Critic | None,
        players: Mapping[str, Player[View]],
        *,
        reward: Callable[[View], Rewards] | None = None,
        samples: int = 0,
        fake: Callable[[View], Texts] = samples_of_round,
        pretrain_rounds: int = 0,
    ) -> None:
        """`players` are called "generator" and "discriminator", and so are the networks that they move.

        Where its terms ask for them, a policy update draws `samples` sequences, each token of which gets a `reward`;
        `fake` is what the discriminator is shown."""
        self.config, self.mle, self.critic, self.fake = config, mle, critic, fake
        self.reward, self.samples, self.pretrain_rounds = reward, samples, pretrain_rounds
        self.generator = mle.generator
        self.players = {name: players[name] for name in self.nets}
        self.optimizers = {name: player.new_optimizer(self.nets) for name, player in self.players.items()}
        self.after_mle: Weights = {}
        self.reference: PolicyModule | None = None  # the policy after MLE, once a term asks for it
        self.health = Health()
        self.d_updates = config.d_steps * critic.per_round if critic else 0  # in an iteration
        self.per_iteration = config.g_steps + self.d_updates

    @property
    def discriminator(self) -> nn.Module | None:
        return self.critic.discriminator if self.critic else None

    @property
    def nets(self) -> dict[str, nn.Module]:
        critic = {"discriminator": self.critic.discriminator} if self.critic else {}
        return {"generator": self.generator, **critic}

    # --- phases

    def phases(self) -> Sequence[Phase]:
        adversarial = Phase(
            ADVERSARIAL,
            steps=self.config.iterations * self.per_iteration,
            start=self.begin_adversarial,
            update=self.adversarial_update,
            check=self.check,
            validate_every=self.config.validate_every * self.per_iteration,
            finished=lambda: self.config.stop_on_collapse and self.health.collapsed,
            unit="iteration",
            steps_per_unit=self.per_iteration,
            unshown=UNSHOWN,
        )
        return [*self.mle.phases(), *self.pretraining(), adversarial]

    def pretraining(self) -> list[Phase]:
        critic = self.critic
        if critic is None or not self.pretrain_rounds:
            return []
        return [
            Phase(
                PRETRAIN,
                steps=self.pretrain_rounds * critic.per_round,
                start=self.finish_mle,
                update=lambda step: self.discriminator_update(PRETRAIN, step - 1),
                check=critic.check,
                validate_every=critic.per_round,
                finished=lambda: 0 < critic.patience <= critic.snapshot.checks_without_improvement,
                unit="round",
                steps_per_unit=critic.per_round,
                unshown=UNSHOWN,
            )
        ]

    def finish_mle(self) -> None:
        self.after_mle = self.mle.chosen()
        self.generator.load_state_dict(self.after_mle)
        if isinstance(self.discriminator, FromPolicy) and self.config.d_init == "policy":
            self.discriminator.begin_as(self.generator)

    def policy_after_mle(self) -> PolicyModule:
        """A policy with the weights that it had after MLE."""
        if self.reference is None:
            self.reference = copy.deepcopy(self.generator).requires_grad_(False)
            self.reference.load_state_dict(self.after_mle)
        return self.reference

    def begin_adversarial(self) -> None:
        if not self.after_mle:
            self.finish_mle()
        if self.critic:
            self.critic.restore_best()

    # --- updates

    def adversarial_update(self, step: int) -> Metrics:
        """g policy updates, then d rounds of the discriminator, whose metrics are those of the ends of its epochs."""
        iteration, position = divmod(step - 1, self.per_iteration)
        within = position - self.config.g_steps
        if within < 0 or self.critic is None:
            return self.policy_update(iteration * self.config.g_steps + position)
        metrics = self.discriminator_update(ADVERSARIAL, iteration * self.d_updates + within)
        return {} if (within + 1) % self.critic.per_epoch else metrics

    def policy_update(self, update: int) -> Metrics:
        """Update number `update`, from 0."""
        metrics = self._move(View(self, "generator", ADVERSARIAL, update))
        return {"loss": metrics.pop("adversarial"), **metrics}

    def discriminator_update(self, phase: str, update: int) -> Metrics:
        """Update number `update` of a phase, from 0."""
        return self._move(View(self, "discriminator", phase, update))

    def _move(self, view: View) -> dict[str, Any]:
        """One update of a player: its terms, without their sum, whether it was clipped, and what it watches."""
        player = self.players[view.player]
        metrics = move(player, view, self.nets, self.optimizers[view.player])
        del metrics["loss"]
        if "grad_norm" in metrics:
            metrics["clipped"] = (metrics["grad_norm"] > player.max_grad_norm).float()
        return {**metrics, **watched(player, view)}

    def check(self, step: int) -> Metrics:
        """Validation of both players, samples, and warnings."""
        nll = self.mle.validate(self.generator, ADVERSARIAL, step)
        pairs = self.critic.pairs() if self.critic else None
        critic = self.critic.validate_and_restore(pairs) if self.critic and pairs else {}
        policy = {"valid_nll": nll, **variety(self.generator, self.mle.seed, pairs and pairs.fake)}
        self.health.after_mle = self.health.after_mle or self._measured_after_mle()
        texts = len(self.critic.held_out) if self.critic else 0
        found = about_policy(policy, self.health.after_mle, self.config) | about_discriminator(critic, texts)
        warnings = self.health.new(found)
        told = {WARNINGS: warnings} if warnings else {}
        return {**policy, **critic, "samples": self.mle.samples(self.generator), **told}

    def _measured_after_mle(self) -> Numbers:
        """What the policy measures with the weights that it had after MLE."""
        current = clone(self.generator)
        self.generator.load_state_dict(self.after_mle)
        nll = distributed.broadcast(likelihood(self.generator, self.mle.dataset.valid.sequences).per_token)
        drawn = self.critic.pairs().fake if self.critic else None
        measured = {"valid_nll": nll, **variety(self.generator, self.mle.seed, drawn)}
        self.generator.load_state_dict(current)
        return measured

    # --- state

    def state_dict(self) -> dict[str, Any]:
        state = self.mle.state_dict()
        if self.after_mle:
            best = self.mle.best.weights or self.after_mle
            others = {name: clone(policy) for name, policy in self._of_discriminator().items()}
            state["policies"] = {"mle": self.after_mle, "final": clone(self.generator), "best": best, **others}
        critic = self.critic.state_dict() if self.critic else {}
        optimizers = {f"{name}_optimizer": optimizer.state_dict() for name, optimizer in self.optimizers.items()}
        return {**state, "after_mle": self.after_mle, "health": dict(vars(self.health)), **optimizers, **critic}

    def _of_discriminator(self) -> dict[str, PolicyModule]:
        """The policies, by their stage, that the discriminator holds."""
        match self.discriminator:
            case LikelihoodRatio(model=model):
                return {LANGUAGE_MODEL: model}
        return {}

    def state_like(self) -> dict[str, Any]:
        """What a saved state must be like."""
        mle = self.mle.state_like()
        policies = {**mle["policies"], **self._of_discriminator()}
        critic = self.critic.state_like() if self.critic else {}
        optimizers = {f"{name}_optimizer": optimizer for name, optimizer in self.optimizers.items()}
        measured: dict[str, Any] = dict.fromkeys(("valid_nll", "distinct", "entropy"), FINITE)
        health = {"after_mle": ({}, measured), "warned": TEXTS}
        own = {"policies": policies, "after_mle": ({}, self.generator), "health": health}
        return {**mle, **own, **optimizers, **critic}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        state = {"health": vars(Health()), **state}  # the first runs of format 2 have none
        check(state, self.state_like())
        self.mle.load_state_dict(state)
        self.after_mle, self.health = state["after_mle"], Health(**state["health"])
        self.reference = None
        for name, optimizer in self.optimizers.items():
            load_optimizer(optimizer, state[f"{name}_optimizer"])
        if self.critic:
            self.critic.load_state_dict(state)

    def exports(self) -> Mapping[str, bytes]:
        files = policy_files(self.state_dict()["policies"])
        if self.discriminator is not None:
            files["discriminator.safetensors"] = as_safetensors(self.discriminator.state_dict())
        return files


def learning_from_rewards(
    config: PolicyGradientConfig,
    mle: MLE,
    critic: Critic | None,
    loss: Callable[[View], Scalar],
    reward: TokenReward,
    watch: Mapping[str, Callable[[View], Scalar]] | None = None,
) -> TextGAN:
    """A policy that minimises `loss`, a function of its samples and their rewards, against a classifier."""
    controlled = under(config.control, reward)
    terms = {"adversarial": Term(loss), **mle_term(config), **kl_term(config)}
    watched = {"reward": reward_mean, "reward_std": reward_std, "rewards": reward_of_samples, **(watch or {})}
    policy = Player(("generator",), terms, adam(config.g_lr), config.max_grad_norm, watch=watched)
    return TextGAN(
        config,
        mle,
        critic,
        {"generator": policy, "discriminator": classifier(config)},
        reward=lambda view: controlled(view.sampled),
        samples=config.g_batch_size,
        pretrain_rounds=config.d_pretrain_rounds,
    )
