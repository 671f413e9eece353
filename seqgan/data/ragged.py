"""Sequences of ids of different lengths, end to end in one array, and batches of them as padded tensors."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, overload

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from seqgan.core.device import on_cpu
from seqgan.data.spans import in_parts
from seqgan.shapes import Labels, Mask, Tokens
from seqgan.symbols import PAD


class Batch(NamedTuple):
    tokens: Tokens  # padded on the right
    mask: Mask  # True where a token counts
    labels: Labels | None = None  # the number of each sequence's label, where they have labels

    def to(self, device: torch.device | None) -> "Batch":
        labels = None if self.labels is None else self.labels.to(device)
        return Batch(self.tokens.to(device), self.mask.to(device), labels)


@dataclass(frozen=True, eq=False)
class Ragged(Sequence[list[int]]):
    """N sequences, each a span of `ids`, which may be memory-mapped from a file. Spans may overlap or leave ids out, so
    that a choice of sequences, or a shorter limit for their length, copies no id."""

    ids: Int[Tensor, "S"]  # of any integer type
    starts: Int[Tensor, "N"]
    lengths: Int[Tensor, "N"]
    max_length: int  # known here, where on an accelerator `lengths` would have to be waited for
    labels: Int[Tensor, "N"] | None = None  # the number of each sequence's label, where they have labels

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> "Ragged":
        if isinstance(rows, Ragged):
            return rows
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        return cls.end_to_end(np.array([*itertools.chain.from_iterable(rows)], dtype=np.int32), lengths)

    @classmethod
    def end_to_end(cls, ids: NDArray[np.integer], lengths: NDArray[np.int64]) -> "Ragged":
        """Sequences that follow one another without a gap."""
        return cls.spans(torch.from_numpy(ids), np.cumsum(lengths) - lengths, lengths)

    @classmethod
    def spans(cls, ids: Int[Tensor, "S"], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> "Ragged":
        return cls(ids, torch.from_numpy(starts), torch.from_numpy(lengths), int(lengths.max(initial=0)))

    @classmethod
    def padded(cls, tokens: Tokens, labels: Labels | None = None) -> "Ragged":
        """Rows that stand in a tensor already."""
        count, width = tokens.shape
        starts = torch.arange(0, count * width, width, device=tokens.device)
        return cls(tokens.flatten(), starts, (tokens != PAD).sum(dim=1), width, labels)

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, number: int) -> list[int]: ...
    @overload
    def __getitem__(self, number: slice) -> list[list[int]]: ...
    def __getitem__(self, number: int | slice) -> list[int] | list[list[int]]:
        """Sequences as lists, to be shown or compared; what computes takes `take` or `flat`."""
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        start, length = int(self.starts[number]), int(self.lengths[number])
        return self.ids[start : start + length].tolist()

    def labelled(self, labels: Sequence[int] | NDArray[np.integer] | None) -> "Ragged":
        """The same sequences, each with the number of its label; None: without labels."""
        return replace(self, labels=None if labels is None else torch.as_tensor(labels, dtype=torch.long))

    def to(self, device: torch.device) -> "Ragged":
        labels = None if self.labels is None else self.labels.to(device)
        return Ragged(self.ids.to(device), self.starts.to(device), self.lengths.to(device), self.max_length, labels)

    def take(self, chosen: Int[Tensor, "M"], width: int = 0) -> Batch:
        """Some sequences, padded to the longest among them; on an accelerator, which would have to be asked for it, to
        the longest of all. `width`: to that."""
        starts, lengths = self.starts[chosen].unsqueeze(1), self.lengths[chosen].unsqueeze(1)
        width = width or (int(lengths.max()) if on_cpu(lengths) else self.max_length)
        places = torch.arange(width, device=lengths.device)
        mask = places < lengths
        tokens = self.ids[(starts + places).clamp(max=len(self.ids) - 1)].long()
        labels = None if self.labels is None else self.labels[chosen]
        return Batch(tokens.masked_fill(~mask, PAD), mask, labels)

    def part(self, which: slice | Int[Tensor, "M"]) -> "Ragged":
        """Some of the sequences, in the order given."""
        lengths, labels = self.lengths[which], None if self.labels is None else self.labels[which]
        return Ragged(self.ids, self.starts[which], lengths, int(lengths.max()) if len(lengths) else 0, labels)

    def occurrences(self, size: int) -> Int[np.ndarray, "V"]:
        """How often each of so many ids occurs in all sequences."""
        return sum((np.bincount(flat, minlength=size) for _, flat, _ in self.in_parts()), np.zeros(size, np.int64))

    def counted(self, token: int) -> Int[np.ndarray, "N"]:
        """How often a token occurs in each sequence."""
        counts = np.zeros(len(self), dtype=np.int64)
        for which, flat, owner in self.in_parts():
            counts[which] = np.bincount(owner[flat == token], minlength=which.stop - which.start)
        return counts

    def in_parts(self) -> Iterator[tuple[slice, NDArray[Any], NDArray[np.int64]]]:
        return in_parts(self.ids.numpy(), self.starts.numpy(), self.lengths.numpy())
