"""Spans of one flat array: N sequences of different lengths, each from its start on. Plain numpy, without torch."""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Overlong = Literal["truncate", "split", "drop", "error"]
Places = NDArray[np.int64]
PART = 2**22  # tokens that are looked at together


def in_parts(flat: NDArray[Any], starts: Places, lengths: Places) -> Iterator[tuple[slice, NDArray[Any], Places]]:
    """The sequences some at a time: their numbers, their tokens end to end, and for each token the place of its
    sequence in the part. Memory does not depend on N."""
    first, ends = 0, np.cumsum(lengths)
    while first < len(lengths):
        begun = int(ends[first] - lengths[first])
        last = max(first + 1, int(np.searchsorted(ends, begun + PART, side="right")))
        of = lengths[first:last]
        owner = np.repeat(np.arange(last - first), of)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(of) - of, of)
        yield slice(first, last), flat[np.repeat(starts[first:last], of) + within], owner
        first = last


def shortened(starts: Places, lengths: Places, max_length: int, overlong: Overlong) -> tuple[Places, Places, Places]:
    """The sequences with at most `max_length` tokens in each: starts, lengths, and the number of the sequence that each
    is, or is a part of. Of one that is split, no part is left with nothing but its end."""
    owners = np.arange(len(lengths))
    if overlong == "drop":
        owners = np.flatnonzero(lengths <= max_length)
        starts, lengths = starts[owners], lengths[owners]
    elif overlong == "split":
        ends_alone = (lengths > 1) & ((lengths - 1) % max_length == 0)
        parts = -(-lengths // max_length) - ends_alone
        owners = np.repeat(owners, parts)
        within = (np.arange(len(owners)) - np.repeat(np.cumsum(parts) - parts, parts)) * max_length
        starts, lengths = starts[owners] + within, lengths[owners] - within
    return starts, np.minimum(lengths, max_length), owners
