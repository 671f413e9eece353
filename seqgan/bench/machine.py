"""What this machine can do at best, measured: the denominators of every floor."""

from collections.abc import Callable

import torch

from seqgan.bench.counts import Ceilings
from seqgan.core.device import timed
from seqgan.ops.chunks import cache_bytes

SIZE = 2048  # rows and columns of the matrices
REPEATS = 7
SECONDS = 2.0  # of tries at most: a processor that emulates bfloat16 takes many seconds for each


def ceilings(device: torch.device) -> Ceilings:
    """The best of several tries each: whatever else runs on the machine only makes it look slower.

    A pass in cache is one of exp2, as drawing and the softmax make it: on a processor it is the function, not the
    cache, that limits it."""
    matrix = torch.randn(SIZE, SIZE, device=device)
    half = matrix.bfloat16()
    large, cached = torch.zeros(64 * 2**20, device=device), torch.zeros(max(1, cache_bytes() // 12), device=device)
    target = torch.empty_like(large)

    def best(work: Callable[[], object]) -> float:
        tries = [timed(work, device)]  # the first one warms up
        while len(tries) < 2 or (len(tries) <= REPEATS and sum(tries) < SECONDS):
            tries.append(timed(work, device))
        return min(tries[1:])

    def passes() -> None:
        for _ in range(20):
            cached.exp2_()  # 0 becomes 1, 2, 4 ... and then infinity, all at the same speed

    product = 2.0 * SIZE**3
    return Ceilings(
        gemm=product / best(lambda: torch.mm(matrix, matrix)),
        gemm_bf16=product / best(lambda: torch.mm(half, half)),
        cache=20 * 8.0 * cached.numel() / best(passes),
        memory=8.0 * large.numel() / best(lambda: target.copy_(large)),
    )
