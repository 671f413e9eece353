"""From logits to a token: temperature, top-k, top-p, and an exact draw."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqgan.shapes import Logits, Token

GROUP = 64  # tokens that are looked at together: about the square root of a vocabulary


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
    if top_k or top_p < 1.0:
        logits = keep_likeliest(logits / temperature, top_k, top_p) * temperature
    # In base 2, which costs a processor half of what base e does. The sum of the weights need not be 1.
    weights = logits * (math.log2(math.e) / temperature)
    weights = weights.sub_(weights.amax(dim=-1, keepdim=True)).exp2_()
    return inverse_cdf(weights, torch.rand(len(logits), 1, generator=rng, device=logits.device))


def inverse_cdf(weights: Float[Tensor, "B V"], uniform: Float[Tensor, "B 1"]) -> Token:
    """The token in which a uniform number in [0, 1) falls, each token as wide as its weight.

    One uniform number a row, where `torch.multinomial` draws one for every weight. In two levels, since a sum of 64
    costs a tenth of a running sum: first the group of tokens in which the number falls, then the token in the group."""
    vocabulary = weights.shape[1]
    whole = vocabulary // GROUP * GROUP
    sums = weights[:, :whole].unflatten(1, (-1, GROUP)).sum(dim=2)
    groups = torch.cat([sums, weights[:, whole:].sum(dim=1, keepdim=True)], dim=1)
    group, rest = _find(groups, uniform * groups.sum(dim=1, keepdim=True))
    members = group * GROUP + torch.arange(GROUP, device=weights.device)
    inside = weights.gather(1, members.clamp(max=vocabulary - 1)).masked_fill(members >= vocabulary, 0.0)
    token, _ = _find(inside, rest)
    # Weights that are NaN find no place at all; the clamp leaves it to the loss to say that training diverged.
    return (group * GROUP + token).squeeze(1).clamp(max=vocabulary - 1)


def _find(
    weights: Float[Tensor, "B W"], height: Float[Tensor, "B 1"]
) -> tuple[Int[Tensor, "B 1"], Float[Tensor, "B 1"]]:
    """Where a height falls in the running sum of weights, and how far into that place.

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
