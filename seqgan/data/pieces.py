"""Texts cut into tokens once, as numbers: vocabularies, ids and metrics are made of these.

Each different token has a number, in the order in which they are first met; END follows the last token of a text. The
numbers of all texts are one array, so that the ids of a vocabulary are that array with each number replaced, and an id
has the place that its token has here."""

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from seqgan.data.growing import Growing, mapped
from seqgan.data.ragged import Ragged
from seqgan.data.tokens import SPLIT

END = 0
TOGETHER = 10_000  # texts in a batch
NUMBERS, LENGTHS, TYPES = "numbers.npy", "lengths.npy", "types.json"


class Numbered(NamedTuple):
    """A batch of texts as numbers of its own tokens."""

    types: list[str]
    numbers: NDArray[np.int32]
    lengths: NDArray[np.int32]  # END included


def numbered(texts: Sequence[str], way: str) -> Numbered:
    split, types, numbers, lengths = SPLIT[way], {"": END}, list[int](), list[int]()
    for text in texts:
        begun = len(numbers)
        numbers += [types.setdefault(token, len(types)) for token in split(text)]
        numbers.append(END)
        lengths.append(len(numbers) - begun)
    return Numbered(list(types), np.array(numbers, dtype=np.int32), np.array(lengths, dtype=np.int32))


@dataclass(frozen=True, eq=False)
class Pieces(Sequence[list[str]]):
    """Texts as numbers of their tokens."""

    types: Sequence[str]
    rows: Ragged

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, number: int) -> list[str]: ...
    @overload
    def __getitem__(self, number: slice) -> list[list[str]]: ...
    def __getitem__(self, number: int | slice) -> list[str] | list[list[str]]:
        """The tokens of a text."""
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        return [self.types[piece] for piece in self.rows[number] if piece != END]

    def counts(self) -> dict[str, int]:
        """How often each token occurs."""
        counts = self.rows.occurrences(len(self.types)).tolist()
        return {piece: count for piece, count in zip(self.types[END + 1 :], counts[END + 1 :], strict=True) if count}


def cut(texts: Iterable[str], way: str, folder: Path | None = None) -> Pieces:
    """Cut texts into tokens in one of the ways of `SPLIT`; the numbers are kept in a folder where one is given."""
    types: dict[str, int] = {"": END}
    numbers = Growing(folder and folder / NUMBERS, np.int32)
    lengths = Growing(folder and folder / LENGTHS, np.int64)
    for batch in (numbered(some, way) for some in in_batches(texts)):
        known = np.array([types.setdefault(token, len(types)) for token in batch.types], dtype=np.int32)
        numbers.append(known[batch.numbers])
        lengths.append(batch.lengths)
    if folder:
        (folder / TYPES).write_text(json.dumps(list(types)), encoding="ascii")
    return Pieces(list(types), Ragged.end_to_end(numbers.close(), lengths.close()))


def opened(folder: Path) -> Pieces:
    """What `cut` has kept in a folder."""
    types = json.loads((folder / TYPES).read_text(encoding="ascii"))
    return Pieces(types, Ragged.end_to_end(mapped(folder / NUMBERS), mapped(folder / LENGTHS)))


def in_batches(texts: Iterable[str], size: int = TOGETHER) -> Iterator[list[str]]:
    rest = iter(texts)
    while batch := list(itertools.islice(rest, size)):
        yield batch
