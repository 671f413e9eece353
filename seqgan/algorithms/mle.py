"""Maximum likelihood: the policy learns to predict the next token of real texts.

Stopped, where a patience is set, by the NLL of the validation split; then the best weights are kept."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from seqgan.algorithms.components import DEFAULTS, Components
from seqgan.algorithms.configs import MLE_PHASE, MLEConfig
from seqgan.core import distributed
from seqgan.core.checkpoint import check, load_optimizer
from seqgan.core.game import Player, Term, adam, move, update_average
from seqgan.core.phase import Metrics, Phase
from seqgan.core.schema import MAYBE_EMPTY, NUMBER, WHOLE
from seqgan.core.seed import seed_everything
from seqgan.core.weights import Weights, as_safetensors, clone
from seqgan.data.batches import Batches, near
from seqgan.data.dataset import TokenDataset
from seqgan.losses import mle_weights
from seqgan.metrics.nll import likelihood
from seqgan.models.factory import new_policy
from seqgan.models.policy import PolicyModule
from seqgan.models.statistics import context_vectors, unigram_bias, unknown_rates
from seqgan.shapes import Scalar
from seqgan.symbols import UNK

PHASE = MLE_PHASE
SHOWN = 3  # samples at every validation
SVD_STD = 0.2  # of the numbers in an embedding that starts from the contexts of tokens


class MLE:
    """The policy and its training on text. An algorithm by itself, and the first phase of others."""

    def __init__(
        self,
        config: MLEConfig,
        dataset: TokenDataset,
        device: torch.device,
        seed: int,
        components: Components = DEFAULTS,
    ) -> None:
        self.config, self.dataset, self.seed, self.warm = config, dataset, seed, components.start is not None
        rates = unknown_rates(torch.from_numpy(dataset.counts)) if config.calibrate_unknown else None
        self.unknown_rates = None if rates is None else rates.to(device)
        seed_everything(seed, "generator weights")
        sizes, counts = (len(dataset.vocabulary), dataset.max_length), tuple(dataset.labels.values())
        self.generator = new_policy(config, *sizes, components.policy, counts, ends=dataset.ends).to(device)
        if components.start is not None:
            self.generator.load_state_dict(components.start)
        else:
            self.begin()
        self.averaged = self.generator
        if config.ema_decay:
            self.averaged = new_policy(config, *sizes, components.policy, counts, ends=dataset.ends).to(device)
            self.averaged.load_state_dict(self.generator.state_dict())
        optimizer = adam(config.mle_lr, weight_decay=config.weight_decay)
        self.player = Player(("generator",), {"nll": Term(self.loss)}, optimizer, config.max_grad_norm)
        self.optimizer = self.player.new_optimizer({"generator": self.generator})
        self.batches = Batches(near(dataset.train.sequences, device), config.batch_size, seed, config.shuffle, device)
        self.best = Best()
        self.checks_without_improvement = 0

    @torch.no_grad()
    def begin(self) -> None:
        """Start the embedding and the output bias, if there is one, from the training texts."""
        embedding, bias = self.generator.embedding.weight, self.generator.output.bias
        if self.config.embedding_init == "svd":
            vectors = context_vectors(self.dataset.train.sequences, *embedding.shape).to(embedding)
            known = vectors.any(dim=1)
            embedding[known, : vectors.shape[1]] = vectors[known] * (SVD_STD / vectors[known].std())
        if self.config.unigram_bias and bias is not None:
            bias.copy_(unigram_bias(torch.from_numpy(self.dataset.counts)))

    def phases(self) -> Sequence[Phase]:
        return [
            Phase(
                PHASE,
                steps=self.config.mle_epochs * self.batches.per_epoch,
                start=self.validate_start,
                update=self.update,
                check=self.check,
                validate_every=self.batches.per_epoch,
                finished=lambda: 0 < self.config.mle_patience <= self.checks_without_improvement,
                unit="epoch",
                steps_per_unit=self.batches.per_epoch,
            )
        ]

    def update(self, step: int) -> Metrics:
        nll = move(self.player, step, {"generator": self.generator}, self.optimizer)["nll"]
        if self.config.ema_decay:
            update_average(self.averaged, self.generator, self.config.ema_decay, step)
        return {"nll": nll}

    def loss(self, step: int) -> Scalar:
        """The NLL of batch number `step`, with dropout; with some tokens taken for UNK, where it is calibrated, and
        some drawn tokens read in the place of those of the text, where sampling is scheduled."""
        tokens, mask, labels = self.batches.at(step)
        if self.unknown_rates is not None:
            tokens = tokens.masked_fill(
                torch.rand(tokens.shape, device=tokens.device) < self.unknown_rates[tokens], UNK
            )
        epoch = (step - 1) // self.batches.per_epoch
        share = min(1.0, epoch * self.config.scheduled_sampling)
        read = self.generator.partly_drawn(tokens, share, labels) if share else None
        self.generator.train()
        loss = self.generator.nll(tokens, mle_weights(mask), labels, read=read)
        self.generator.eval()
        return loss

    def validate_start(self) -> None:
        """A policy that was trained before may already be the best."""
        if self.warm:
            self.validate(self.averaged, PHASE, 0)

    def check(self, step: int) -> Metrics:
        valid = self.validate(self.averaged, PHASE, step)
        if self.best.step == step:
            self.checks_without_improvement = 0
            return {"valid_nll": valid, "samples": self.samples(self.averaged)}
        self.checks_without_improvement += 1
        return {"valid_nll": valid}

    def validate(self, policy: PolicyModule, phase: str, step: int) -> float:
        """The validation NLL per token of a policy; its weights are copied where it is the lowest so far."""
        nll = distributed.broadcast(likelihood(policy, self.dataset.valid.sequences).per_token)
        if nll < self.best.nll:
            self.best = Best(nll, phase, step, clone(policy))
        return nll

    def samples(self, policy: PolicyModule) -> list[str]:
        return self.dataset.decode(policy.sample(SHOWN).tokens.tolist())

    def chosen(self) -> Weights:
        """The weights that MLE ends with: the best by validation where it may stop early, else the last."""
        return self.best.weights if self.config.mle_patience and self.best.weights else clone(self.averaged)

    def state_dict(self) -> dict[str, Any]:
        chosen = self.chosen()
        return {
            "policies": {"mle": chosen, "final": chosen, "best": self.best.weights or chosen},
            "generator": self.generator.state_dict(),
            "averaged": self.averaged.state_dict() if self.config.ema_decay else {},
            "optimizer": self.optimizer.state_dict(),
            "best": dict(vars(self.best)),
            "checks_without_improvement": self.checks_without_improvement,
        }

    def state_like(self) -> dict[str, Any]:
        """What a saved state must be like."""
        policy = self.generator
        best: dict[str, Any] = {"nll": NUMBER, "phase": MAYBE_EMPTY, "step": WHOLE, "weights": ({}, policy)}
        return {
            "policies": dict.fromkeys(("mle", "final", "best"), policy),
            "generator": policy,
            "averaged": policy if self.config.ema_decay else {},
            "optimizer": self.optimizer,
            "best": best,
            "checks_without_improvement": WHOLE,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        # Policies are made from the rest; an algorithm that begins with MLE may keep others than these.
        like = {name: part for name, part in MLE.state_like(self).items() if name != "policies"}
        check({name: state.get(name) for name in like}, like)
        self.generator.load_state_dict(state["generator"])
        if self.config.ema_decay:
            self.averaged.load_state_dict(state["averaged"])
        load_optimizer(self.optimizer, state["optimizer"])
        self.best, self.checks_without_improvement = Best(**state["best"]), state["checks_without_improvement"]

    def exports(self) -> Mapping[str, bytes]:
        return policy_files(self.state_dict()["policies"])


class Best:
    """The policy with the lowest validation NLL so far, and the phase and step it is of."""

    def __init__(
        self, nll: float = float("inf"), phase: str = "", step: int = 0, weights: Weights | None = None
    ) -> None:
        self.nll, self.phase, self.step, self.weights = nll, phase, step, weights or {}


def policy_files(policies: Mapping[str, Weights]) -> dict[str, bytes]:
    """`generator.safetensors` at the top for the final policy, and in a folder each for the others."""
    return {
        ("" if stage == "final" else f"{stage}/") + "generator.safetensors": as_safetensors(weights)
        for stage, weights in policies.items()
    }
