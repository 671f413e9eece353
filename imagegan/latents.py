"""The inputs of a generator: noise and a code."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot
from torch.special import ndtr, ndtri

from seqgan.core.seed import private_generator
from seqgan.errors import UsageError

Noise = Float[Tensor, "B Z"]
Codes = Float[Tensor, "B K"]

CPU = torch.device("cpu")
FAR = 8.0  # beyond it lies one normal number in 10^15


class CodeSpec(NamedTuple):
    """A code, beside noise: one of some categories (one-hot), and numbers in [-1, 1]."""

    categories: int = 0
    continuous: int = 0

    @property
    def size(self) -> int:
        return self.categories + self.continuous

    def join(self, category: Int[Tensor, "B"], numbers: Float[Tensor, "B U"]) -> Codes:
        chosen = one_hot(category, self.categories).float() if self.categories else numbers[:, :0]
        return torch.cat([chosen, numbers], dim=1)

    def draw(self, count: int, device: torch.device, rng: torch.Generator | None = None) -> Codes:
        category = torch.randint(max(1, self.categories), (count,), device=device, generator=rng)
        return self.join(category, 2 * torch.rand(count, self.continuous, device=device, generator=rng) - 1)

    def in_turn(self, count: int, device: torch.device, rng: torch.Generator | None = None) -> Codes:
        """The categories one after the other, as the columns of a grid show them."""
        category = torch.arange(count, device=device) % max(1, self.categories)
        return self.join(category, 2 * torch.rand(count, self.continuous, device=device, generator=rng) - 1)


NO_CODE = CodeSpec()


class Latents(NamedTuple):
    """Of some images: the noise (of a pyramid that of all levels, concatenated) and the codes."""

    noise: Noise
    codes: Codes

    def take(self, chosen: slice | Tensor) -> "Latents":
        return Latents(self.noise[chosen], self.codes[chosen])


class Prior(NamedTuple):
    """The distribution of the latents of a model."""

    noise: int  # how many numbers
    code: CodeSpec

    def draw(self, count: int, seed: int, codes: Codes | None = None, truncation: float = math.inf) -> Latents:
        """Latents that depend on the seed alone: those of a smaller count are the first of a larger one.

        Without `codes`, each category in turn."""
        noise = normal(count, self.noise, private_generator(seed, "noise"), truncation)
        if codes is None:
            codes = self.code.in_turn(count, CPU, private_generator(seed, "code"))
        return Latents(noise, codes)


def normal(
    count: int, size: int, rng: torch.Generator, truncation: float = math.inf
) -> Float[Tensor, "{count} {size}"]:
    """Normal numbers truncated to |z| <= `truncation` (Brock et al. 2019): less varied images, and more typical ones.

    Uniform numbers through the inverse of the distribution function, so that a smaller truncation draws the same
    images, each nearer to the middle.

    Raises:
        UsageError: the truncation is not above 0."""
    if not truncation > 0:
        raise UsageError(f"a truncation of {truncation:g} leaves no noise; give a number above 0, such as 0.7")
    bound = min(truncation, FAR)
    below = ndtr(torch.tensor(-bound, dtype=torch.float64))
    share = below + (1 - 2 * below) * torch.rand(count, size, generator=rng, dtype=torch.float64)
    return ndtri(share).clamp(-bound, bound).float()
