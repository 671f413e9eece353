"""A discriminator beside its training: what it is shown, how it is validated, and its best snapshot.

Yu et al. (2017), algorithm 1: in every round the policy draws new sequences, and the discriminator sees them k times.
On top of the paper it may be stopped early, by its loss on the validation split."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqgan.algorithms.components import Components
from seqgan.algorithms.configs import AdversarialConfig, PolicyGradientConfig
from seqgan.core import distributed
from seqgan.core.game import inference
from seqgan.core.phase import Metrics
from seqgan.core.schema import NUMBER, WHOLE
from seqgan.core.seed import derive, seed_everything
from seqgan.core.weights import Weights, clone
from seqgan.data.batches import Batches, Texts, by_length, near
from seqgan.data.dataset import TokenDataset
from seqgan.data.ragged import Batch, Ragged
from seqgan.data.splits import some_of
from seqgan.errors import ConfigError, UsageError
from seqgan.metrics import discrimination
from seqgan.models.factory import new_discriminator
from seqgan.models.policy import PolicyModule, sample
from seqgan.rollout import in_chunks
from seqgan.shapes import Labels, Scores

Measures = Mapping[str, Callable[[Tensor, Tensor], float]]  # of logits of real and of generated texts
MOST_VALIDATED = 1000  # validation texts that a discriminator is measured on, and as many samples
CROSS_ENTROPY: Measures = {
    "bce": discrimination.cross_entropy,
    "accuracy": discrimination.accuracy,
    "auc": discrimination.auc,
    "ece": discrimination.calibration_error,
}


COMPARING: Measures = {
    "d_loss": discrimination.pairwise_loss,
    "accuracy": discrimination.right_pairs,
    "auc": discrimination.auc,
}


class Pairs(NamedTuple):
    """What a discriminator is validated on, as much of the one as of the other."""

    real: list[Texts]
    fake: Texts


class Critic:
    """A discriminator of a policy. `samples` in a round (0: as many as there are real texts) are seen `epochs` times;
    the first of `measures` is the loss that `patience` is about."""

    def __init__(
        self,
        config: AdversarialConfig,
        dataset: TokenDataset,
        device: torch.device,
        seed: int,
        policy: PolicyModule,
        components: Components,
        *,
        samples: int,
        epochs: int = 1,
        patience: int = 0,
        measures: Measures = CROSS_ENTROPY,
    ) -> None:
        self.dataset, self.device, self.seed, self.policy = dataset, device, seed, policy
        self.held_out = dataset.valid.sequences
        if len(self.held_out) > MOST_VALIDATED:
            chosen = some_of(range(len(self.held_out)), MOST_VALIDATED)
            self.held_out = self.held_out.part(torch.tensor(chosen))
        self.patience, self.measures, self.snapshot = patience, measures, Snapshot()
        seed_everything(seed, "discriminator weights")
        self.discriminator = new_discriminator(config, policy, components.discriminator).to(device)
        if config.d_r1_weight and not isinstance(getattr(self.discriminator, "embedding", None), nn.Embedding):
            raise ConfigError(
                f"--d-r1-weight {config.d_r1_weight:g} is of the gradient at the token embeddings, and the "
                f"discriminator {type(self.discriminator).__name__} has no nn.Embedding called embedding; leave the "
                "option out, or give it one, which reads all tokens once"
            )
        train = dataset.train.sequences
        self.samples = samples or len(train)
        # As many of one kind as of the other, however few there are: the logits hold no prior.
        self.half = min(config.d_batch_size // 2, len(train), self.samples)
        rows = near(train, device)
        self.batches = Batches(rows, self.half, derive(seed, "real texts for the discriminator"), device=device)
        self.references = Batches(rows, self.half, derive(seed, "references"), device=device)
        self.unknown = dataset.train.unknown > 0
        self.per_epoch = self.samples // self.half
        self.per_round = epochs * self.per_epoch
        self._round: tuple[tuple[str, int], Batches] = (("", -1), self.batches)
        self._pretraining_pairs: Pairs | None = None  # the policy does not change while these are used

    @classmethod
    def in_rounds(
        cls,
        config: PolicyGradientConfig,
        dataset: TokenDataset,
        device: torch.device,
        seed: int,
        policy: PolicyModule,
        components: Components,
    ) -> "Critic":
        """A critic that learns in rounds of `d_samples`, each seen `d_epochs` times."""
        return cls(
            config,
            dataset,
            device,
            seed,
            policy,
            components,
            samples=config.d_samples,
            epochs=config.d_epochs,
            patience=config.d_patience,
            measures=COMPARING if config.d_loss == "pairwise" else CROSS_ENTROPY,
        )

    # --- what it is shown; `update` counts from 0 over a phase

    def real(self, update: int) -> Texts:
        """A batch of real texts, as the policy could have written them: without UNK."""
        return self._filled(self.batches.at(update + 1))

    def reference(self, update: int) -> Texts:
        """Another batch of real texts, in an order of its own."""
        return self._filled(self.references.at(update + 1))

    def _filled(self, batch: Batch) -> Texts:
        tokens, _, labels = batch
        return Texts(self.policy.fill_unknown(tokens, labels=labels) if self.unknown else tokens, labels)

    def fake(self, phase: str, update: int) -> Texts:
        """A batch of this round's samples."""
        round, within = divmod(update, self.per_round)
        tokens, _, labels = self.generated(phase, round).at(within + 1)
        return Texts(tokens, labels)

    def generated(self, phase: str, round: int) -> Batches:
        """The samples of a round: drawn again, the same, when a run resumes in its middle."""
        if self._round[0] != (phase, round):
            rng = torch.Generator(self.device).manual_seed(derive(self.seed, phase, round, *distributed.rank_suffix()))
            labels = labels_at(self.policy, self.samples, self.seed, phase, round)
            share = None if labels is None else labels[distributed.shard(self.samples)]
            drawn = sample(self.policy, distributed.shard_size(self.samples), labels=share, rng=rng).tokens
            order = derive(self.seed, phase, round, "order")
            samples = Ragged.padded(distributed.all_gather(drawn), labels)
            self._round = ((phase, round), Batches(samples, self.half, order))
        return self._round[1]

    # --- validation

    def check(self, step: int) -> Metrics:
        """During pretraining: keep a snapshot of the best, and count the checks without improvement."""
        self._pretraining_pairs = self._pretraining_pairs or self.pairs()
        measured = self.validate(self.discriminator.state_dict(), self._pretraining_pairs)
        if self._loss(measured) < self.snapshot.loss:
            self.snapshot = Snapshot(self._loss(measured), 0, clone(self.discriminator))
        else:
            self.snapshot.checks_without_improvement += 1
        return measured

    def validate_and_restore(self, pairs: Pairs) -> dict[str, float]:
        """During adversarial training: restore the snapshot where it beats the current weights; then take a new one."""
        self._pretraining_pairs = None
        measured = self.validate(self.discriminator.state_dict(), pairs)
        if self.patience and self.snapshot.weights:
            earlier = self.validate(self.snapshot.weights, pairs)
            if self._loss(earlier) < self._loss(measured):
                measured = earlier
                self.discriminator.load_state_dict(self.snapshot.weights)
        self.snapshot = Snapshot(self._loss(measured), 0, clone(self.discriminator))
        return measured

    def restore_best(self) -> None:
        if self.patience and self.snapshot.weights:
            self.discriminator.load_state_dict(self.snapshot.weights)

    @torch.no_grad()
    def pairs(self) -> Pairs:
        """Validation texts, and as many samples of the policy as it is now."""
        rng = torch.Generator(self.device).manual_seed(derive(self.seed, "held out"))
        real = [
            Texts(self.policy.fill_unknown(some.tokens, rng, some.labels), some.labels)
            for numbers in by_length(self.held_out, self.policy.vocab_size)
            for some in [self.held_out.take(numbers).to(self.device)]
        ]
        drawn = sample(self.policy, len(self.held_out), rng=rng)
        return Pairs(real, Texts(drawn.tokens, drawn.labels))

    def validate(self, weights: Weights, pairs: Pairs) -> dict[str, float]:
        """What a discriminator measures on validation texts against samples."""
        current = clone(self.discriminator)
        self.discriminator.load_state_dict(weights)
        with inference(self.discriminator) as discriminator:
            real = torch.cat([discriminator(*some.parts).cpu() for some in pairs.real])
            fake = in_chunks(discriminator, pairs.fake).cpu()
        self.discriminator.load_state_dict(current)
        measured = {f"valid_{name}": measure(real, fake) for name, measure in self.measures.items()}
        return distributed.broadcast(measured)

    def _loss(self, measured: Mapping[str, float]) -> float:
        return next(iter(measured.values()))

    # --- state

    def state_dict(self) -> dict[str, Any]:
        return {"discriminator": self.discriminator.state_dict(), "snapshot": dict(vars(self.snapshot))}

    def state_like(self) -> dict[str, Any]:
        """What a saved state must be like."""
        weights: Any = ({}, self.discriminator)
        snapshot: dict[str, Any] = {"loss": NUMBER, "checks_without_improvement": WHOLE, "weights": weights}
        return {"discriminator": self.discriminator, "snapshot": snapshot}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.discriminator.load_state_dict(state["discriminator"])
        self.snapshot = Snapshot(**state["snapshot"])


def labels_at(policy: PolicyModule, count: int, seed: int, *place: object) -> Labels | None:
    """The labels of so many samples of all processes together: a function of the place in the run, however many
    processes there are. None where the policy is not conditioned on labels."""
    rng = torch.Generator(policy.output.weight.device).manual_seed(derive(seed, *place, "labels"))
    return policy.draw_labels(count, rng)


def for_both(config: AdversarialConfig, dataset: TokenDataset) -> tuple[TokenDataset, TokenDataset]:
    """What MLE learns from, and what a discriminator does: different halves with cross-fitting (Chernozhukov et al.
    2018), so that the policy has never seen the real texts that its samples are told from."""
    return dataset.halves() if config.cross_fitting else (dataset, dataset)


def with_vectors(discriminator: nn.Module, texts: Texts) -> tuple[Scores, Float[Tensor, "B T E"]]:
    """The logits of texts, and the vectors of their tokens, as `discriminator.embedding` gives them.

    Raises:
        UsageError: it reads not all tokens at once, or several times."""
    seen: list[Tensor] = []
    embedding = discriminator.get_submodule("embedding")
    handle = embedding.register_forward_hook(lambda _, given, vectors: seen.append(vectors.requires_grad_()))
    try:
        logits: Scores = discriminator(*texts.parts)
    finally:
        handle.remove()
    if [vectors.shape[:2] for vectors in seen] != [texts.tokens.shape]:
        raise UsageError(
            f"the embedding of {type(discriminator).__name__} gave {[tuple(vectors.shape) for vectors in seen]} for "
            f"tokens {tuple(texts.tokens.shape)}; --d-r1-weight needs one vector for each token, from one call"
        )
    return logits, seen[0]


class Snapshot:
    """The discriminator with the lowest validation loss."""

    def __init__(
        self, loss: float = float("inf"), checks_without_improvement: int = 0, weights: Weights | None = None
    ) -> None:
        self.loss, self.checks_without_improvement, self.weights = loss, checks_without_improvement, weights or {}
