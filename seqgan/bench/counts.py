"""What the work of training consists of, counted: operations, and bytes that must move.

One generator step (Yu et al. 2017, algorithm 1): a batch of B texts of T tokens, N completions of each of their
prefixes, all scored, one update. The counts are those of an algorithm that does nothing twice: every prefix is run
once, the input half of an LSTM step is looked up, filters are looked up where that is less than multiplying, windows in
a shared prefix are scored once. No implementation may raise a count; one with a better idea may beat its floor."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

FLOAT = 4  # bytes
ADAM = 7 * FLOAT  # bytes of a parameter in one step of Adam: weight and two moments read and written, gradient read


class Ceilings(NamedTuple):
    """What a machine can do at best, each a second."""

    gemm: float  # operations in a product of large matrices, float32
    gemm_bf16: float
    cache: float  # bytes read and written in a pass over what lies in cache
    memory: float  # bytes read and written in a copy of what does not


class Work(NamedTuple):
    """A part of the work. Its floor is the time of what takes longest: the rest can go on meanwhile."""

    flops: float = 0.0
    cached: float = 0.0  # bytes of passes over what lies in cache
    moved: float = 0.0  # bytes from and to memory

    def seconds(self, machine: Ceilings) -> float:
        return max(self.flops / machine.gemm, self.cached / machine.cache, self.moved / machine.memory)


@dataclass(frozen=True)
class Sizes:
    """A setting to count for; the defaults are the published one."""

    batch: int = 64
    length: int = 20
    vocab_size: int = 5000
    rollouts: int = 16
    embedding_dim: int = 32
    hidden_dim: int = 32
    tie_embeddings: bool = False
    d_embedding_dim: int = 64
    filter_sizes: Sequence[int] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20)
    num_filters: Sequence[int] = (100, 200, 200, 200, 200, 100, 100, 100, 100, 100, 160, 160)
    highway: bool = True
    mle_batch: int = 64
    d_batch: int = 64
    texts: int = 10_000

    @property
    def output_dim(self) -> int:
        """What the last layer of the policy reads."""
        return self.embedding_dim if self.tie_embeddings else self.hidden_dim

    @property
    def completions(self) -> int:
        return self.batch * self.rollouts * (self.length - 1)

    @property
    def scored(self) -> int:
        """Texts: every completion, and every sample once."""
        return self.completions + self.batch

    @property
    def rows(self) -> int:
        """Softmaxes: one for each token of the batch, which serves the first token of its completions as well, and one
        for each further token of each completion: (T - 1)(T - 2) / 2 for every one of N."""
        return self.batch * self.length + self.batch * self.rollouts * (self.length - 1) * (self.length - 2) // 2

    @property
    def fitting(self) -> list[tuple[int, int]]:
        """Width and number of the filters that are not wider than a text."""
        return [(w, f) for w, f in zip(self.filter_sizes, self.num_filters, strict=True) if w <= self.length]

    @property
    def features(self) -> int:
        return sum(self.num_filters)

    @property
    def policy_parameters(self) -> int:
        cell = 4 * self.hidden_dim * (self.embedding_dim + self.hidden_dim + 1)
        head = self.vocab_size * (1 if self.tie_embeddings else self.hidden_dim + 1)
        projection = self.embedding_dim * (self.hidden_dim + 1) if self.tie_embeddings else 0
        return self.vocab_size * self.embedding_dim + cell + projection + head

    @property
    def d_parameters(self) -> int:
        filters = sum(
            f * (w * self.d_embedding_dim + 1) for w, f in zip(self.filter_sizes, self.num_filters, strict=True)
        )
        highway = 2 * self.features * (self.features + 1) if self.highway else 0
        return self.vocab_size * self.d_embedding_dim + filters + highway + 2 * (self.features + 1)

    @property
    def flops_of_a_token(self) -> int:
        """Forward through the policy."""
        cell = 4 * self.hidden_dim * (self.embedding_dim + self.hidden_dim)
        projection = self.embedding_dim * self.hidden_dim if self.tie_embeddings else 0
        return 2 * (cell + projection + self.output_dim * self.vocab_size)

    @property
    def flops_of_windows(self) -> int:
        """All filters over all windows of one text, as a product of matrices."""
        return sum(2 * (self.length - w + 1) * w * self.d_embedding_dim * f for w, f in self.fitting)

    @property
    def flops_of_highway(self) -> int:
        return 4 * self.features**2 if self.highway else 0


def drawing(sizes: Sizes, rows: int) -> dict[str, Work]:
    """Drawing one token for each of so many rows."""
    logits = rows * sizes.vocab_size
    projection = 2 * sizes.embedding_dim * sizes.hidden_dim if sizes.tie_embeddings else 0
    return {
        "projection": Work(rows * (2 * sizes.output_dim * sizes.vocab_size + projection), cached=FLOAT * logits),
        "exp2": Work(cached=2 * FLOAT * logits),
        "sums of groups": Work(logits, cached=FLOAT * logits),
        # gates looked up, added to, four times through a function, and the state in and out
        "cell": Work(rows * 8 * sizes.hidden_dim**2, cached=rows * 24 * FLOAT * sizes.hidden_dim),
    }


def rollouts(sizes: Sizes) -> dict[str, Work]:
    """Drawing the batch and completing every prefix of it."""
    return drawing(sizes, sizes.rows)


def scores(sizes: Sizes) -> dict[str, Work]:
    """Judging every completion and every sample: filters by table, then the highway."""
    places = sum(w * f for w, f in sizes.fitting)
    looked_up = 0
    for (width, filters), given in itertools.product(sizes.fitting, range(1, sizes.length)):
        reaching = sizes.length - width + 1 - max(0, given - width + 1)  # windows that reach past the prefix
        looked_up += sizes.batch * sizes.rollouts * reaching * width * filters
    tables = Work(2 * sizes.vocab_size * sizes.d_embedding_dim * places, moved=FLOAT * sizes.vocab_size * places)
    return {
        "tables": tables,
        "convolution": Work(looked_up, cached=FLOAT * looked_up),
        "highway": Work(sizes.scored * (sizes.flops_of_highway + 4 * sizes.features)),
    }


def update(sizes: Sizes) -> dict[str, Work]:
    """One REINFORCE step: forward and twice as much backward through the policy, and Adam."""
    tokens = sizes.batch * sizes.length
    return {
        "gradient": Work(3 * tokens * sizes.flops_of_a_token),
        "Adam": Work(moved=ADAM * sizes.policy_parameters),
    }


def mle_epoch(sizes: Sizes) -> dict[str, Work]:
    """All texts once, with cross-entropy in cache: exp2, maximum, sum and scale are passes over the logits."""
    steps = sizes.texts // sizes.mle_batch
    tokens = steps * sizes.mle_batch * sizes.length
    passes = 2 + 1 + 1 + 2
    return {
        "gradient": Work(3 * tokens * sizes.flops_of_a_token),
        "softmax": Work(cached=passes * FLOAT * tokens * sizes.vocab_size),
        "Adam": Work(moved=steps * ADAM * sizes.policy_parameters),
    }


def d_epoch(sizes: Sizes) -> dict[str, Work]:
    """As many real as generated texts once; the filters' gradient is looked up, as one window of each text has one."""
    steps = sizes.texts // (sizes.d_batch // 2)
    scored = steps * sizes.d_batch
    chosen = sum(w * f for w, f in sizes.fitting) * sizes.d_embedding_dim
    return {
        "windows": Work(2 * scored * sizes.flops_of_windows),
        "filters' gradient": Work(2 * scored * chosen, cached=FLOAT * scored * chosen),
        "highway": Work(3 * scored * (sizes.flops_of_highway + 4 * sizes.features)),
        "Adam": Work(moved=steps * ADAM * sizes.d_parameters),
    }


def sampling(sizes: Sizes) -> dict[str, Work]:
    """As many new texts as there are real ones."""
    return drawing(sizes, sizes.texts * sizes.length)


def generator_step(sizes: Sizes) -> dict[str, Work]:
    return {**rollouts(sizes), **scores(sizes), **update(sizes)}


PARTS = {
    "generator_step": generator_step,
    "rollouts": rollouts,
    "scores": scores,
    "update": update,
    "mle_epoch": mle_epoch,
    "d_epoch": d_epoch,
    "sampling": sampling,
}


def floor(parts: Mapping[str, Work], machine: Ceilings) -> float:
    """Seconds below which the work cannot be done on a machine, one part after the other."""
    return sum(work.seconds(machine) for work in parts.values())
