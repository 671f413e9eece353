"""Maximum likelihood: the policy learns to predict the next token of real texts.

Stopped, where a patience is set, by the NLL of the validation split; then the best weights are kept."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from seqgan.algorithms.components import DEFAULTS, Components
from seqgan.algorithms.configs import MLEConfig
from seqgan.core import distributed
from seqgan.core.checkpoint import check, load_optimizer
from seqgan.core.phase import Metrics, Phase
from seqgan.core.schema import MAYBE_EMPTY, NUMBER, WHOLE
from seqgan.core.seed import seed_everything
from seqgan.data.batches import Batches, Ragged
from seqgan.data.dataset import TokenDataset
from seqgan.losses import mle_weights
from seqgan.metrics.nll import likelihood
from seqgan.models.factory import new_policy
from seqgan.shapes import Scalar

Weights = dict[str, Tensor]
PHASE = "pretrain generator"
SHOWN = 3  # samples at every check


class MLE:
    """The policy and its training on text. An algorithm by itself, and the first phase of others."""

    def __init__(
        self, config: MLEConfig, texts: TokenDataset, device: torch.device, seed: int, parts: Components = DEFAULTS
    ) -> None:
        self.config, self.texts, self.started = config, texts, parts.start is not None
        seed_everything(seed, "generator weights")
        self.generator = new_policy(config, len(texts.vocabulary), texts.max_length, parts.policy)
        if parts.start is not None:
            self.generator.load_state_dict(parts.start)
        self.generator.to(device)
        learned = [parameter for parameter in self.generator.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(learned, config.mle_lr, weight_decay=config.weight_decay, fused=True)
        self.batches = Batches(Ragged.of(texts.train.sequences, device), config.batch_size, seed, config.shuffle)
        self.best = Best()
        self.stale = 0  # checks since the best one

    def phases(self) -> Sequence[Phase]:
        return [
            Phase(
                PHASE,
                steps=self.config.mle_epochs * self.batches.per_epoch,
                start=self.consider_start,
                update=self.update,
                check=self.check,
                validate_every=self.batches.per_epoch,
                finished=lambda: 0 < self.config.mle_patience <= self.stale,
                unit="epoch",
                steps_per_unit=self.batches.per_epoch,
            )
        ]

    def update(self, step: int) -> Metrics:
        loss = self.loss(step)
        descend(self.optimizer, loss, self.generator, self.config.max_grad_norm)
        return {"nll": distributed.all_reduce_sum(loss.detach())}

    def loss(self, step: int) -> Scalar:
        """The NLL of batch number `step`, with dropout."""
        batch = self.batches.at(step)
        self.generator.train()
        loss = self.generator.nll(batch.tokens, mle_weights(batch.mask))
        self.generator.eval()
        return loss

    def consider_start(self) -> None:
        """A policy that was trained before may already be the best."""
        if self.started:
            self.consider(PHASE, 0)

    def check(self, step: int) -> Metrics:
        valid = self.consider(PHASE, step)
        if self.best.step == step:
            self.stale = 0
            return {"valid_nll": valid, "samples": self.samples()}
        self.stale += 1
        return {"valid_nll": valid}

    def consider(self, phase: str, step: int) -> float:
        """The validation NLL per token; the policy is remembered where it is the best so far."""
        nll = distributed.broadcast(likelihood(self.generator, self.texts.valid.sequences).per_token)
        if nll < self.best.nll:
            self.best = Best(nll, phase, step, copied(self.generator))
        return nll

    def samples(self) -> list[str]:
        return self.texts.decode(self.generator.sample(SHOWN).tokens.tolist())

    def chosen(self) -> Weights:
        """The weights that MLE ends with: the best by validation where it may stop early, else the last."""
        return self.best.weights if self.config.mle_patience and self.best.weights else copied(self.generator)

    def state_dict(self) -> dict[str, Any]:
        chosen = self.chosen()
        return {
            "policies": {"mle": chosen, "final": chosen, "best": self.best.weights or chosen},
            "generator": self.generator.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best.state_dict(),
            "stale": self.stale,
        }

    def state_like(self) -> dict[str, Any]:
        """What a saved state must be like."""
        policy = self.generator
        snapshot: dict[str, Any] = {"nll": NUMBER, "phase": MAYBE_EMPTY, "step": WHOLE, "weights": ({}, policy)}
        return {
            "policies": dict.fromkeys(("mle", "final", "best"), policy),
            "generator": policy,
            "optimizer": self.optimizer,
            "best": snapshot,
            "stale": WHOLE,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        # Policies are made from the rest; an algorithm that begins with MLE may keep others than these.
        like = {name: part for name, part in MLE.state_like(self).items() if name != "policies"}
        check({name: state.get(name) for name in like}, like)
        self.generator.load_state_dict(state["generator"])
        load_optimizer(self.optimizer, state["optimizer"])
        self.best, self.stale = Best(**state["best"]), state["stale"]

    def exports(self) -> Mapping[str, bytes]:
        return export_policies(self.state_dict()["policies"])


class Best:
    """The policy with the lowest validation NLL so far, and where it was met."""

    def __init__(
        self, nll: float = float("inf"), phase: str = "", step: int = 0, weights: Weights | None = None
    ) -> None:
        self.nll, self.phase, self.step, self.weights = nll, phase, step, weights or {}

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))


def descend(
    optimizer: torch.optim.Optimizer, loss: Scalar, module: nn.Module, max_grad_norm: float = float("inf")
) -> None:
    """One step down a loss, the gradient's norm at most `max_grad_norm`; each process brings its part of the loss."""
    optimizer.zero_grad()
    loss.backward()
    distributed.all_reduce_gradients(module.parameters())
    distributed.average_buffers(module)
    if math.isfinite(max_grad_norm):
        nn.utils.clip_grad_norm_(module.parameters(), max_grad_norm)
    optimizer.step()


def copied(module: nn.Module) -> Weights:
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def export_policies(policies: Mapping[str, Weights]) -> dict[str, bytes]:
    """`generator.safetensors` at the top for the final policy, and in a folder each for the others."""
    return {
        ("" if stage == "final" else f"{stage}/") + "generator.safetensors": save(
            {k: t.cpu().contiguous() for k, t in weights.items()}
        )
        for stage, weights in policies.items()
    }
