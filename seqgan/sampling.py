"""From logits to a token: temperature, top-k, top-p, and an exact draw."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqgan.core.device import on_cpu
from seqgan.shapes import Logits, Token

LOG2_E = math.log2(math.e)
LARGEST_EXPONENT = 126.0  # of a float: 2^126 has not overflowed, 2^-126 is not yet subnormal


def draw(
    logits: Logits,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    rng: torch.Generator | None = None,
) -> Token:
    """One token a row from softmax(logits / temperature), perhaps only from the likeliest.

    `top_k` keeps the k likeliest tokens (0: all), `top_p` the fewest that hold a mass of p. The result indexes the
    logits given."""
    uniform = torch.rand(len(logits), 1, generator=rng, device=logits.device)
    return inverse_cdf(weights_of(logits, temperature, top_k, top_p), uniform).squeeze(1)


def weights_of(logits: Logits, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Float[Tensor, "B V"]:
    """What each token weighs in a draw; the largest weight of a row is 1, so nothing overflows."""
    if top_k or top_p < 1.0:
        logits = keep_likeliest(logits / temperature, top_k, top_p) * temperature
    # In base 2, which costs a processor half of what base e does.
    weights = logits * (LOG2_E / temperature)
    return weights.sub_(weights.amax(dim=-1, keepdim=True)).exp2_()


class Head:
    """A linear layer and a softmax, packed for drawing many times from the same weights.

    log2(e) and the temperature are multiplied into the weights, so that 2^logit is a token's weight at once, and the
    vocabulary is padded with tokens of weight zero to whole groups of `inverse_cdf`."""

    def __init__(
        self,
        weight: Float[Tensor, "V H"],
        bias: Float[Tensor, "V"],
        largest_feature: Float[Tensor, "H"],
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
        # On an accelerator the answer would have to be waited for, and the pass it saves costs little.
        self.bounded = on_cpu(weight) and is_bounded(weight * scale, bias * scale, largest_feature)

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


def group_size(vocab_size: int) -> int:
    """How many tokens `inverse_cdf` looks at together: about the square root of them all, a multiple of 16."""
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


def keep_likeliest(logits: Logits, top_k: int, top_p: float) -> Logits:
    """Logits in which all but the k likeliest, and all beyond a mass of p, are minus infinity.

    Top-p keeps the token that crosses p (Holtzman et al. 2020), so at least one stays. Ties fall to the lower id."""
    ordered, order = logits.sort(dim=-1, descending=True, stable=True)
    dropped = torch.zeros_like(ordered, dtype=torch.bool)
    if top_k:
        dropped[:, top_k:] = True
    if top_p < 1.0:
        mass = ordered.softmax(dim=-1).cumsum(dim=-1)
        dropped[:, 1:] |= mass[:, :-1] >= top_p
    return logits.masked_fill(dropped.gather(1, order.argsort(dim=-1)), float("-inf"))
