"""Batches that are a function of the step, and sequences grouped by length to be scored."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from seqgan.core.device import on_cpu
from seqgan.core.distributed import shard
from seqgan.core.seed import private_generator
from seqgan.data.ragged import Batch, Ragged
from seqgan.ops.chunks import tokens_together
from seqgan.shapes import Labels, SoftTokens, Tokens
from seqgan.symbols import PAD

RESIDENT = 2**30  # bytes of ids that are copied to an accelerator; of more, each batch is


class Texts(NamedTuple):
    """What a discriminator is shown: texts, or relaxed ones, and their labels where they have any."""

    tokens: Tokens | SoftTokens
    labels: Labels | None = None

    @property
    def parts(self) -> tuple[Tensor, ...]:
        """The arguments of a discriminator."""
        return (self.tokens,) if self.labels is None else (self.tokens, self.labels)


def pad(rows: Sequence[Sequence[int]], device: torch.device | str = "cpu") -> Batch:
    """Rows of ids as one tensor."""
    width = max(map(len, rows))
    tokens = torch.tensor([[*row, *[PAD] * (width - len(row))] for row in rows], device=device)
    return Batch(tokens, tokens != PAD)


def by_length(rows: Ragged, vocab_size: int) -> Iterator[Int[Tensor, "M"]]:
    """The numbers of rows, like lengths together so that little is spent on padding, `tokens_together` at a time."""
    most = tokens_together(vocab_size)
    order = rows.lengths.argsort(stable=True)
    lengths = rows.lengths[order].numpy()
    first = 0
    while first < len(order):
        some = lengths[first : first + most // max(1, int(lengths[first])) + 1]
        fitting = int(np.searchsorted(some * np.arange(1, len(some) + 1), most, side="right"))
        yield order[first : first + max(1, fitting)]
        first += max(1, fitting)


def map_by_length(
    function: Callable[[Batch], Float[Tensor, "M"]], rows: Ragged, vocab_size: int, device: torch.device
) -> Float[Tensor, "N"]:
    """A number for each row, computed for rows of like lengths together; on the CPU, in the order of the rows."""
    results = torch.zeros(len(rows))
    for numbers in by_length(rows, vocab_size):
        results[numbers] = function(rows.take(numbers).to(device)).float().cpu()
    return results


def side_by_side(first: Texts, second: Texts) -> Texts:
    """Two batches as one, padded to the longer of the two."""
    width = max(first.tokens.shape[1], second.tokens.shape[1])
    tokens = [F.pad(some.tokens, (0, width - some.tokens.shape[1]), value=PAD) for some in (first, second)]
    labels = None if first.labels is None or second.labels is None else torch.cat([first.labels, second.labels])
    return Texts(torch.cat(tokens), labels)


@dataclass
class Batches:
    """Batch number `step` of an endless sequence of shuffled epochs, as a function of `(seed, step)`.

    There is no iterator to save: a resumed run asks for the step it is at. An epoch leaves out an incomplete batch.
    Of several processes, each gets its share of the batch. Rows that do not lie on the device of the training go there
    batch by batch, the same ones."""

    rows: Ragged
    size: int
    seed: int
    shuffle: bool = True
    device: torch.device | None = None  # None: that of the rows

    def __post_init__(self) -> None:
        self.count = len(self.rows)
        self.size = min(self.size, self.count)
        self._share = shard(self.size)
        self._epoch, self._order = -1, self.rows.starts
        self.device = self.device or self.rows.starts.device
        self._width = 0 if on_cpu(self.device) else self.rows.max_length

    @property
    def per_epoch(self) -> int:
        return self.count // self.size

    def at(self, step: int) -> Batch:
        """The batch of update `step`, counted from 1."""
        epoch, index = divmod(step - 1, self.per_epoch)
        if self._epoch != epoch:
            self._epoch, self._order = epoch, self.order(epoch)
        chosen = self._order[index * self.size : (index + 1) * self.size][self._share]
        return self.rows.take(chosen, self._width).to(self.device)

    def order(self, epoch: int) -> Int[Tensor, "N"]:
        """The numbers of the rows as they come in an epoch; drawn on the CPU, so that every device sees the same."""
        if not self.shuffle:
            return torch.arange(self.count, device=self.rows.starts.device)
        drawn = torch.randperm(self.count, generator=private_generator(self.seed, "epoch", epoch))
        return drawn.to(self.rows.starts.device)


def near(rows: Ragged, device: torch.device) -> Ragged:
    """Rows where batches of them are taken from: a copy on the accelerator where that has room for it, else where they
    are, in memory or in a memory-mapped file."""
    fits = rows.ids.numel() * rows.ids.element_size() <= RESIDENT
    return rows.to(device) if fits and not on_cpu(device) else rows
