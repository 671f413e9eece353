"""Time what `train` calls, beside its floor and the plain way of doing it.

Ours and the naive reference take turns, so that a machine that slows down slows both; every figure is a median."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import torch

from seqgan.algorithms.adversarial import ADVERSARIAL, View
from seqgan.algorithms.configs import SeqGANConfig
from seqgan.algorithms.seqgan import new_seqgan
from seqgan.bench.counts import PARTS, Ceilings, Sizes, Work, floor
from seqgan.bench.machine import ceilings
from seqgan.bench.naive import NaiveTraining, rewards, rollouts
from seqgan.core.device import peak_memory, timed
from seqgan.core.game import Term, move
from seqgan.data.batches import Texts
from seqgan.data.dataset import TokenDataset
from seqgan.data.vocabulary import Ids
from seqgan.losses import policy_gradient_weights
from seqgan.models.policy import sample
from seqgan.rewards.discriminator import DiscriminatorReward
from seqgan.rollout import complete
from seqgan.shapes import Scalar
from seqgan.symbols import EOS

Job = Callable[[], object]
PAIRS = 5
# Of an epoch, as many updates are timed as these parts of it, and the time is scaled up: all updates cost the same.
SHARE_OF_MLE_EPOCH, SHARE_OF_D_EPOCH, SHARE_OF_NAIVE_SAMPLES = 1 / 3, 1 / 8, 1 / 8


@dataclass
class Figure:
    """One part of the work."""

    seconds: float
    floor_seconds: float
    naive_seconds: float | None = None  # where nobody asked
    spread: float = 0.0  # (largest - smallest) / median of our times
    work: Mapping[str, Work] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """To the floor: 1 is the machine's limit."""
        return self.seconds / self.floor_seconds

    @property
    def gain(self) -> float | None:
        """Over the naive reference."""
        return self.naive_seconds / self.seconds if self.naive_seconds else None

    def as_json(self, machine: Ceilings) -> dict[str, Any]:
        parts = {name: {**work._asdict(), "seconds": work.seconds(machine)} for name, work in self.work.items()}
        return {
            "seconds": self.seconds,
            "floor_seconds": self.floor_seconds,
            "ratio": self.ratio,
            "naive_seconds": self.naive_seconds,
            "gain": self.gain,
            "spread": self.spread,
            "floor_parts": parts,
        }


class Bench:
    """A GAN of some size on made-up texts of full length, and the naive reference for the same."""

    def __init__(self, config: SeqGANConfig, sizes: Sizes, device: torch.device) -> None:
        self.config, self.sizes, self.device = config, sizes, device
        torch.manual_seed(0)
        ids = torch.randint(EOS + 1, sizes.vocab_size, (sizes.texts, sizes.length))
        ids[:, -1] = EOS
        texts = TokenDataset.of(ids, ids, Ids(sizes.vocab_size))
        self.gan = new_seqgan(config, texts, device, 0)

    def jobs(self) -> dict[str, tuple[Job, Job, float, float]]:
        """Name -> ours, the naive way, and what to multiply the time of each with."""
        sizes, gan, generator, critic = self.sizes, self.gan, self.gan.generator, self.gan.critic
        assert critic is not None
        naive = NaiveTraining(sizes, self.device)
        critic.generated(
            ADVERSARIAL, 0
        )  # the texts of a round are drawn once for all its updates, and timed by themselves
        sampled = generator.sample(sizes.batch)
        finished = complete(generator, sampled, sizes.rollouts)
        earned = torch.rand(sampled.mask.shape, device=self.device) * sampled.mask
        naive_tokens = naive.policy.sample(sizes.batch)
        naive_finished = cache(lambda: rollouts(naive.policy, naive_tokens, sizes.rollouts))
        mle_steps, d_steps = sizes.texts // sizes.mle_batch, sizes.texts // (sizes.d_batch // 2)
        mle_share = max(1, round(mle_steps * SHARE_OF_MLE_EPOCH))
        d_share = max(1, round(d_steps * SHARE_OF_D_EPOCH))
        naive_batches = max(1, round(sizes.texts / sizes.batch * SHARE_OF_NAIVE_SAMPLES))
        half, real = sizes.d_batch // 2, critic.batches

        score = DiscriminatorReward(critic.discriminator, self.config.reward_form)

        def policy_gradient(view: View) -> Scalar:
            weights = policy_gradient_weights(earned, sampled.mask, self.config.reduction)
            return generator.nll_drawn(sampled.tokens, weights)

        player = replace(gan.players["generator"], terms={"adversarial": Term(policy_gradient)})

        def update() -> None:
            move(player, View(gan, "generator", ADVERSARIAL, 0), gan.nets, gan.optimizers["generator"])

        def repeated(work: Callable[[int], object], count: int) -> Job:
            def job() -> None:
                for step in range(1, count + 1):
                    work(step)

            return job

        def naive_mle(step: int) -> None:
            naive.mle_update(gan.mle.batches.at(step).tokens)

        def naive_d(step: int) -> None:
            naive.d_update(real.at(step).tokens, real.at(step + 1).tokens[:half])

        return {
            "generator_step": (lambda: gan.policy_update(0), naive.generator_step, 1.0, 1.0),
            "rollouts": (
                lambda: complete(generator, generator.sample(sizes.batch), sizes.rollouts),
                lambda: rollouts(naive.policy, naive.policy.sample(sizes.batch), sizes.rollouts),
                1.0,
                1.0,
            ),
            "scores": (
                lambda: score.of_all(Texts(sampled.tokens), finished),
                lambda: rewards(naive.discriminator, naive_tokens, naive_finished()),
                1.0,
                1.0,
            ),
            "update": (update, lambda: naive.update(naive_tokens, earned), 1.0, 1.0),
            "mle_epoch": (
                repeated(gan.mle.update, mle_share),
                repeated(naive_mle, mle_share),
                mle_steps / mle_share,
                mle_steps / mle_share,
            ),
            "d_epoch": (
                repeated(lambda step: gan.discriminator_update(ADVERSARIAL, step - 1), d_share),
                repeated(naive_d, d_share),
                d_steps / d_share,
                d_steps / d_share,
            ),
            "sampling": (
                lambda: sample(generator, sizes.texts),
                repeated(lambda _: naive.policy.sample(sizes.batch), naive_batches),
                1.0,
                sizes.texts / sizes.batch / naive_batches,
            ),
        }


def sizes_of(config: SeqGANConfig, length: int, vocab_size: int, texts: int) -> Sizes:
    """What a config amounts to, for texts of a length over a vocabulary."""
    return Sizes(
        batch=config.g_batch_size,
        length=length,
        vocab_size=vocab_size,
        rollouts=config.rollouts,
        embedding_dim=config.embedding_dim,
        hidden_dim=config.hidden_dim,
        tie_embeddings=config.tie_embeddings,
        d_embedding_dim=config.d_embedding_dim,
        filter_sizes=config.filter_sizes,
        num_filters=config.num_filters,
        highway=config.highway,
        mle_batch=config.batch_size,
        d_batch=config.d_batch_size,
        texts=texts,
    )


def measure(
    config: SeqGANConfig,
    sizes: Sizes,
    device: torch.device,
    pairs: int = PAIRS,
    only: tuple[str, ...] = (),
    plain: bool = True,
) -> tuple[Ceilings, dict[str, Figure], int | None]:
    """The machine's ceilings, a figure for each part (or for those named), and the peak of memory in bytes, the naive
    reference left out of that; of the figures, too, where `plain` is false."""
    bench = Bench(config, sizes, device)
    bench.gan.policy_update(0)
    memory = peak_memory()
    machine = ceilings(device)
    figures = {}
    for name, (ours, naive, our_scale, naive_scale) in bench.jobs().items():
        if only and name not in only:
            continue
        ours()
        if plain and name == "scores":
            naive()  # makes the completions that it scores
        times = [(timed(ours, device), timed(naive, device) if plain else 0.0) for _ in range(pairs)]
        mine = [own * our_scale for own, _ in times]
        theirs = [other * naive_scale for _, other in times]
        median, work = statistics.median(mine), PARTS[name](sizes)
        spread = (max(mine) - min(mine)) / median
        reference = statistics.median(theirs) if plain else None
        figures[name] = Figure(median, floor(work, machine), reference, spread, work)
    return machine, figures, memory
