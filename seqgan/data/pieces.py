"""Texts cut into tokens once, as numbers: vocabularies, ids and metrics are made of these.

Each different token has a number, in the order in which they are first met; END follows the last token of a text. The
numbers of all texts are one array, so that the ids of a vocabulary are that array with each number replaced, and an id
has the place that its token has here."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from seqgan.data.growing import Growing, mapped
from seqgan.data.numbered import END, numbered
from seqgan.data.spans import in_parts
from seqgan.data.workers import in_processes

CHARACTERS = 2**20  # of the texts in a batch, about, so that its memory does not depend on how long texts are
NUMBERS, LENGTHS, TYPES = "numbers.npy", "lengths.npy", "types.json"


@dataclass(frozen=True, eq=False)
class Pieces(Sequence[list[str]]):
    """Texts as the numbers of their tokens, each text a span of one array."""

    types: Sequence[str]  # the different tokens, by number
    numbers: NDArray[np.int32]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]  # END included, where the span reaches it

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, which: int) -> list[str]: ...
    @overload
    def __getitem__(self, which: slice) -> "Pieces": ...
    def __getitem__(self, which: int | slice) -> "list[str] | Pieces":
        """The tokens of a text; or some of the texts."""
        if isinstance(which, slice):
            return replace(self, starts=self.starts[which], lengths=self.lengths[which])
        start = int(self.starts[which])
        span = self.numbers[start : start + int(self.lengths[which])].tolist()
        return [self.types[number] for number in span if number != END]

    def counts(self) -> dict[str, int]:
        """How often each token occurs."""
        counts = np.zeros(len(self.types), dtype=np.int64)
        for _, flat, _ in in_parts(self.numbers, self.starts, self.lengths):
            counts += np.bincount(flat, minlength=len(counts))
        return {self.types[number]: int(counts[number]) for number in np.flatnonzero(counts).tolist() if number != END}


def cut(texts: Iterable[str], way: str, folder: Path | None = None, processes: int = 1) -> Pieces:
    """Cut texts into tokens in one of the ways of `SPLIT`; the numbers are kept in a folder where one is given."""
    types: dict[str, int] = {"": END}
    numbers = Growing(folder and folder / NUMBERS, np.int32)
    lengths = Growing(folder and folder / LENGTHS, np.int64)
    batches = in_batches(texts)
    alone = processes == 1
    for batch in (numbered(some, way) for some in batches) if alone else in_processes(batches, way, processes):
        known = np.array([types.setdefault(token, len(types)) for token in batch.types], dtype=np.int32)
        numbers.append(known[batch.numbers])
        lengths.append(batch.lengths)
    if folder:
        (folder / TYPES).write_text(json.dumps(list(types)), encoding="ascii")
    return _end_to_end(list(types), numbers.close(), lengths.close())


def opened(folder: Path) -> Pieces:
    """What `cut` has kept in a folder."""
    types = json.loads((folder / TYPES).read_text(encoding="ascii"))
    return _end_to_end(types, mapped(folder / NUMBERS), mapped(folder / LENGTHS))


def _end_to_end(types: Sequence[str], numbers: NDArray[np.int32], lengths: NDArray[np.int64]) -> Pieces:
    return Pieces(types, numbers, np.cumsum(lengths) - lengths, lengths)


def in_batches(texts: Iterable[str], size: int = CHARACTERS) -> Iterator[list[str]]:
    """As many texts at a time as have so many characters, line breaks counted; a longer text by itself."""
    batch, held = list[str](), 0
    for text in texts:
        if batch and held + len(text) >= size:
            yield batch
            batch, held = [], 0
        batch.append(text)
        held += len(text) + 1
    if batch:
        yield batch
