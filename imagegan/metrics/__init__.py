"""Numbers about generated images; nothing here is downloaded. FID is what only Inception's features may be called."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqgan.core.stats import BLOCKS, jackknife_error


class Measured(NamedTuple):
    """A number, how sure it is (NaN where that cannot be said), and all that it depends on besides the samples.

    The value is NaN where it is not defined, and the signature then says why."""

    value: float
    stderr: float
    signature: str

    def as_json(self) -> dict[str, Any]:
        """Null for what is not defined."""
        return {"value": null(self.value), "stderr": null(self.stderr), "signature": self.signature}


def null(value: int | float) -> int | float | None:
    return value if math.isfinite(value) else None


def undefined(reason: str) -> Measured:
    """A number that there is not."""
    return Measured(math.nan, math.nan, reason)


def left_out(*counts: int) -> list[tuple[NDArray[np.int64], ...]]:
    """Of sets of so many things, the places that are kept where one of ten disjoint blocks of each (every tenth thing)
    is left out: for each block, those of each set. Fewer blocks where one would hold less than two things, and none for
    a single block."""
    parts = min(BLOCKS, min(counts) // 2)
    if parts < 2:
        return []
    return [tuple(np.flatnonzero(np.arange(count) % parts != part) for count in counts) for part in range(parts)]


def jackknife(measure: Callable[..., ArrayLike], *sets: Any) -> NDArray[np.float64]:
    """The standard error of a measure of several independent sets (arrays or tensors): a block of each is left out at
    a time. Right for what depends on how many things there are, as a Frechet distance does, where the spread of blocks
    of a tenth is not: for a measure that is biased by 1/N a block is ten times as biased."""
    kept = left_out(*map(len, sets))
    without = [measure(*(some[at] for some, at in zip(sets, places, strict=True))) for places in kept]
    return jackknife_error(np.asarray(without, dtype=np.float64))
