"""Texts in memory, or of a large corpus in a temporary file that is memory-mapped: both are a sequence of texts.

The file has no name and goes with the process. A text is decoded when it is asked for, so that memory holds the place
of each and no more."""

import mmap
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import overload

import numpy as np
from numpy.typing import NDArray

from seqgan.core import files
from seqgan.data import cache

IN_MEMORY = 2**24  # characters; texts of more are written to a file


class Stored(Sequence[str]):
    """Texts in a memory-mapped file, all or some of them."""

    def __init__(self, content: mmap.mmap, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
        self._content, self._starts, self._ends = content, starts, ends

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, which: int) -> str: ...
    @overload
    def __getitem__(self, which: slice) -> "Stored": ...
    def __getitem__(self, which: int | slice) -> "str | Stored":
        if isinstance(which, slice):
            return self.chosen(which)
        return self._content[self._starts[which] : self._ends[which]].decode()

    def __iter__(self) -> Iterator[str]:
        content = self._content
        for start, end in zip(self._starts.tolist(), self._ends.tolist(), strict=True):
            yield content[start:end].decode()

    def chosen(self, which: slice | NDArray[np.int64]) -> "Stored":
        """Some of the texts, which are not copied."""
        return Stored(self._content, self._starts[which], self._ends[which])

    @property
    def size(self) -> int:
        """Bytes."""
        return int((self._ends - self._starts).sum())


def gathered(texts: Iterable[str]) -> Sequence[str]:
    """Texts that come one by one: a list, or `Stored` where there is more of them than memory is to hold.

    Raises:
        StorageError: the disk is full."""
    rest, held, size = iter(texts), list[str](), 0
    for text in rest:
        held.append(text)
        size += len(text)
        if size > IN_MEMORY:
            return _written(chain(held, rest))
    return held


def _written(texts: Iterable[str]) -> Stored:
    folder, ends = cache.folder(), array("q")
    with files.storage_errors("write texts to", folder), tempfile.TemporaryFile(dir=folder) as file:
        end = 0
        for text in texts:
            end += file.write(text.encode())
            ends.append(end)
        file.flush()
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # which keeps the file
    places = np.frombuffer(ends, dtype=np.int64)
    return Stored(content, np.concatenate([[0], places[:-1]]), places)


def chosen(texts: Sequence[str], which: NDArray[np.int64]) -> Sequence[str]:
    """Some of the texts, by number."""
    return texts.chosen(which) if isinstance(texts, Stored) else [texts[number] for number in which.tolist()]


def size_of(texts: Sequence[str]) -> int:
    """About how much text there is: in characters, or in bytes of a file."""
    return texts.size if isinstance(texts, Stored) else sum(map(len, texts))
