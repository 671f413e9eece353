"""Exact draws from many tokens: one uniform number a draw, and the softmax packed for drawing again and again."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqgan.core.device import on_cpu

LOG2_E = math.log2(math.e)
LARGEST_EXPONENT = 126.0  # of a float: 2^126 has not overflowed, 2^-126 is not yet subnormal


def group_size(vocab_size: int) -> int:
    """How many tokens `inverse_cdf` sums together: about the square root of them all, a multiple of 16."""
    return 16 * max(1, round(math.sqrt(vocab_size) / 16))


def inverse_cdf(weights: Float[Tensor, "B V"], uniform: Float[Tensor, "B K"]) -> Int[Tensor, "B K"]:
    """The tokens in which uniform numbers in [0, 1) fall, each token as wide as its weight.

    One uniform number a draw, where `torch.multinomial` makes one for every weight. In two levels, since a sum of a
    group costs a tenth of a running sum: first the group in which the number falls, then the token in the group."""
    vocab_size, group = weights.shape[1], group_size(weights.shape[1])
    missing = -vocab_size % group
    if missing:
        weights = torch.nn.functional.pad(weights, (0, missing))
    grouped = weights.unflatten(1, (-1, group))
    sums = grouped.sum(dim=2)
    chosen, rest = _find(sums, uniform * sums.sum(dim=1, keepdim=True))
    row = torch.arange(len(weights), device=weights.device).unsqueeze(1) * sums.shape[1]
    inside = grouped.flatten(0, 1).index_select(0, (row + chosen).flatten())
    token, _ = _find(inside, rest.reshape(-1, 1))
    # Weights that are NaN find no place at all; the clamp leaves it to the loss to say that training diverged.
    return (chosen * group + token.view_as(chosen)).clamp(max=vocab_size - 1)


def _find(
    weights: Float[Tensor, "B W"], height: Float[Tensor, "B K"]
) -> tuple[Int[Tensor, "B K"], Float[Tensor, "B K"]]:
    """Where heights fall in the running sum of weights, and how far into that place.

    A place without weight is never found: `right=True` steps over it, and a height that rounding lifts past the end
    falls to the last place with weight."""
    running = weights.cumsum(dim=-1)
    last_with_weight = torch.searchsorted(running, running[:, -1:].contiguous())
    place = torch.searchsorted(running, height.contiguous(), right=True).minimum(last_with_weight)
    place = place.clamp(max=weights.shape[1] - 1)
    below = running.gather(1, place) - weights.gather(1, place)
    return place, (height - below).clamp(min=0.0)


def plain_inverse_cdf(weights: Float[Tensor, "B V"], uniform: Float[Tensor, "B K"]) -> Int[Tensor, "B K"]:
    """The plain twin: one running sum over all tokens."""
    running = weights.cumsum(dim=1)
    found = torch.searchsorted(running, uniform * running[:, -1:], right=True)
    return found.clamp(max=weights.shape[1] - 1)


class Head:
    """A linear layer and a softmax, packed for drawing many times from the same weights.

    log2(e) and the temperature are multiplied into the weights, so that 2^logit is a token's weight at once, and the
    vocabulary is padded with tokens of weight zero to whole groups of `inverse_cdf`."""

    def __init__(
        self,
        weight: Float[Tensor, "V H"],
        bias: Float[Tensor, "V"],
        largest_feature: Float[Tensor, "H"] | None = None,
        temperature: float = 1.0,
    ) -> None:
        scale = LOG2_E / temperature
        self.vocab_size = len(weight)
        group = group_size(self.vocab_size)
        self.padded = -(-self.vocab_size // group) * group
        self.weight = weight.new_zeros(weight.shape[1], self.padded)
        torch.mul(weight.t(), scale, out=self.weight[:, : self.vocab_size])
        self.bias = bias.new_full((self.padded,), float("-inf"))
        torch.mul(bias, scale, out=self.bias[: self.vocab_size])
        self.bounded = False
        # On an accelerator the answer would have to be waited for, and the pass it saves costs little.
        if largest_feature is not None and on_cpu(weight):
            self.bounded = is_bounded(weight * scale, bias * scale, largest_feature)

    def weights(self, features: Float[Tensor, "B H"], out: Float[Tensor, "B W"] | None = None) -> Float[Tensor, "B W"]:
        """What each token weighs in a draw, up to a factor for each row."""
        weights = torch.addmm(self.bias, features, self.weight, out=out)
        if not self.bounded:
            weights.sub_(weights.amax(dim=1, keepdim=True))
        return weights.exp2_()


def is_bounded(weight: Float[Tensor, "V H"], bias: Float[Tensor, "V"], largest_feature: Float[Tensor, "H"]) -> bool:
    """Whether no logit in base 2 can be so large that the sum of all 2^logit overflows, nor so small that 2^logit
    loses digits: then the pass that looks for the largest one is not needed.

    Each feature lies within +-`largest_feature`, so a logit lies within |bias| + sum of |weight| * that."""
    largest = torch.addmv(bias.abs(), weight.abs(), largest_feature).amax()
    return bool(largest + math.log2(len(weight)) < LARGEST_EXPONENT)
