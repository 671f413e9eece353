"""How much to compute at a time: as many rows as stay in the processor's cache, as many tokens as memory bears."""

import functools
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from seqgan.core.device import on_cpu
from seqgan.shapes import Tokens

CACHE = Path("/sys/devices/system/cpu/cpu0/cache")
USUAL_CACHE = 32 * 2**20


@functools.cache
def cache_bytes() -> int:
    """The size of the processor's last cache; a usual one where it is not known."""
    found = {"K": 2**10, "M": 2**20, "G": 2**30}
    sizes = [path.read_text(encoding="utf-8").strip() for path in CACHE.glob("index*/size")]
    return max((int(size[:-1]) * found[size[-1]] for size in sizes if size[-1:] in found), default=USUAL_CACHE)


def cached_rows(row_bytes: int, device: torch.device, share: float = 1 / 3) -> int:
    """How many rows of a table to work on at a time, so that what is written is still near when it is read again;
    as many for each thread (`by_thread`).

    A third of the last cache leaves room for what else is read and for other processes. On a GPU, where it is launches
    that cost, a chunk is as large as memory bears."""
    budget = cache_bytes() * share if on_cpu(device) else 2**30
    rows, parts = max(1, int(budget / row_bytes)), most_parts(device)
    return max(rows - rows % parts, parts)


def by_thread(rows: Float[Tensor, "R H"], parts: int) -> Float[Tensor, "P Q H"]:
    """Rows in so many parts (`most_parts`), or in one where that does not come out even.

    In a batched product each thread makes a part of the rows, the part that it works on in whatever is done to each
    number after that. A plain product may cut columns, so that half of what a thread reads then is in the cache of
    another: a fifth of an MLE step on cores that share no cache."""
    return rows.unflatten(0, (parts if len(rows) % parts == 0 else 1, -1))


LARGEST_PARTS = 2**28  # bytes, of all parts together


def most_parts(device: torch.device, part_bytes: int = 0) -> int:
    """As many parts as there are threads; a divisor of that where each part needs so much memory that, on a machine of
    many threads, all would not fit."""
    threads = torch.get_num_threads() if on_cpu(device) else 1
    fitting = max(1, LARGEST_PARTS // max(1, part_bytes))
    return max(parts for parts in range(1, threads + 1) if threads % parts == 0 and parts <= fitting)


TOKENS_TOGETHER = 2**13
NUMBERS_TOGETHER = 2**24  # a logit for every id of the vocabulary at every token: 64 MB


def tokens_together(vocab_size: int) -> int:
    """How many tokens of text a policy scores at a time without a gradient, with a logit for every id at each.

    The memory for scoring texts then depends neither on their number nor on their length."""
    return max(1, min(TOKENS_TOGETHER, NUMBERS_TOGETHER // vocab_size))


def rows_together(tokens: Tokens, vocab_size: int) -> int:
    """How many rows of a padded tensor make `tokens_together`."""
    return max(1, tokens_together(vocab_size) // max(1, tokens.shape[1]))
