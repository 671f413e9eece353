"""Sequences of ids as padded tensors, and batches that are a function of the step."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from seqgan.core.device import on_cpu
from seqgan.core.distributed import shard
from seqgan.core.seed import private_generator
from seqgan.ops.chunks import tokens_together
from seqgan.shapes import Labels, Mask, SoftTokens, Tokens
from seqgan.symbols import PAD


class Batch(NamedTuple):
    tokens: Tokens  # padded on the right
    mask: Mask  # True where a token counts
    labels: Labels | None = None  # where texts have labels


class Texts(NamedTuple):
    """What a discriminator is shown: texts, or relaxed ones, and their labels where they have any."""

    tokens: Tokens | SoftTokens
    labels: Labels | None = None

    @property
    def parts(self) -> tuple[Tensor, ...]:
        """The arguments of a discriminator."""
        return (self.tokens,) if self.labels is None else (self.tokens, self.labels)


def pad(
    rows: Sequence[Sequence[int]], device: torch.device | str = "cpu", labels: Sequence[int] | None = None
) -> Batch:
    """Rows of ids as one tensor."""
    width = max(map(len, rows))
    tokens = torch.tensor([[*row, *[PAD] * (width - len(row))] for row in rows], device=device)
    return Batch(tokens, tokens != PAD, None if labels is None else torch.tensor(labels, device=device))


def batches_by_length(
    rows: Sequence[Sequence[int]], vocab_size: int, device: torch.device, labels: Sequence[int] | None = None
) -> Iterator[tuple[list[int], Batch]]:
    """The numbers of some rows and the rows, like lengths together (`by_length`)."""
    for numbers in by_length(rows, vocab_size):
        theirs = None if labels is None else [labels[number] for number in numbers]
        yield numbers, pad([rows[number] for number in numbers], device, theirs)


def by_length(rows: Sequence[Sequence[int]], vocab_size: int) -> Iterator[list[int]]:
    """The numbers of rows, like lengths together so that little is spent on padding, `tokens_together` at a time."""
    most, together = tokens_together(vocab_size), list[int]()
    for number in sorted(range(len(rows)), key=lambda number: len(rows[number])):
        if together and (len(together) + 1) * len(rows[number]) > most:
            yield together
            together = []
        together.append(number)
    if together:
        yield together


def map_by_length(
    function: Callable[[Batch], Float[Tensor, "M"]],
    rows: Sequence[Sequence[int]],
    vocab_size: int,
    device: torch.device,
    labels: Sequence[int] | None = None,
) -> Float[Tensor, "N"]:
    """A number for each row, computed for rows of like lengths together; on the CPU, in the order of the rows."""
    results = torch.zeros(len(rows))
    for numbers, batch in batches_by_length(rows, vocab_size, device, labels):
        results[numbers] = function(batch).float().cpu()
    return results


def side_by_side(first: Texts, second: Texts) -> Texts:
    """Two batches as one, padded to the longer of the two."""
    width = max(first.tokens.shape[1], second.tokens.shape[1])
    tokens = [F.pad(some.tokens, (0, width - some.tokens.shape[1]), value=PAD) for some in (first, second)]
    labels = None if first.labels is None or second.labels is None else torch.cat([first.labels, second.labels])
    return Texts(torch.cat(tokens), labels)


class Ragged(NamedTuple):
    """Rows of ids of different lengths, end to end on a device: as much memory as they have tokens, and batches of
    them are made there."""

    ids: Int[Tensor, "S"]
    starts: Int[Tensor, "N"]
    lengths: Int[Tensor, "N"]
    max_length: int  # known here, where `lengths` would have to be waited for
    labels: Int[Tensor, "N"] | None = None

    @classmethod
    def of(
        cls, rows: Sequence[Sequence[int]], device: torch.device | str = "cpu", labels: Sequence[int] | None = None
    ) -> "Ragged":
        lengths = torch.tensor([len(row) for row in rows])
        ids = torch.tensor(list(itertools.chain.from_iterable(rows)), dtype=torch.int32)
        starts = lengths.cumsum(0) - lengths
        theirs = None if labels is None else torch.tensor(labels, device=device)
        return cls(ids.to(device), starts.to(device), lengths.to(device), max(map(len, rows)), theirs)

    @classmethod
    def padded(cls, tokens: Tokens, labels: Labels | None = None) -> "Ragged":
        """Rows that stand in a tensor already."""
        count, width = tokens.shape
        starts = torch.arange(0, count * width, width, device=tokens.device)
        return cls(tokens.flatten(), starts, (tokens != PAD).sum(dim=1), width, labels)

    def take(self, chosen: Int[Tensor, "M"]) -> Batch:
        """Some rows, padded to the longest among them; on an accelerator, which would have to be asked for it, to the
        longest of all."""
        starts, lengths = self.starts[chosen].unsqueeze(1), self.lengths[chosen].unsqueeze(1)
        places = torch.arange(int(lengths.max()) if on_cpu(lengths) else self.max_length, device=lengths.device)
        mask = places < lengths
        tokens = self.ids[(starts + places).clamp(max=len(self.ids) - 1)].long()
        labels = None if self.labels is None else self.labels[chosen]
        return Batch(tokens.masked_fill(~mask, PAD), mask, labels)


@dataclass
class Batches:
    """Batch number `step` of an endless sequence of shuffled epochs, as a function of `(seed, step)`.

    There is no iterator to save: a resumed run asks for the step it is at. An epoch leaves out an incomplete batch.
    Of several processes, each gets its share of the batch."""

    rows: Ragged
    size: int
    seed: int
    shuffle: bool = True

    def __post_init__(self) -> None:
        self.count = len(self.rows.starts)
        self.size = min(self.size, self.count)
        self._share = shard(self.size)
        self._epoch, self._order = -1, self.rows.starts

    @property
    def per_epoch(self) -> int:
        return self.count // self.size

    def at(self, step: int) -> Batch:
        """The batch of update `step`, counted from 1."""
        epoch, index = divmod(step - 1, self.per_epoch)
        if self._epoch != epoch:
            self._epoch, self._order = epoch, self.order(epoch)
        return self.rows.take(self._order[index * self.size : (index + 1) * self.size][self._share])

    def order(self, epoch: int) -> Int[Tensor, "N"]:
        """The numbers of the rows as they come in an epoch; drawn on the CPU, so that every device sees the same."""
        if not self.shuffle:
            return torch.arange(self.count, device=self.rows.starts.device)
        drawn = torch.randperm(self.count, generator=private_generator(self.seed, "epoch", epoch))
        return drawn.to(self.rows.starts.device)
