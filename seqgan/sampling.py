"""From logits to a token: temperature, top-k, top-p, and an exact draw."""

import torch
from jaxtyping import Float
from torch import Tensor

from seqgan.shapes import Logits, Token


def draw(
    logits: Logits, *, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0, rng: torch.Generator | None = None
) -> Token:
    """One token a row from softmax(logits / temperature), perhaps only from the likeliest.

    `top_k` keeps the k likeliest tokens (0: all), `top_p` the fewest that hold a mass of p. The result indexes the
    logits given."""
    if temperature != 1.0:
        logits = logits / temperature
    if top_k or top_p < 1.0:
        logits = keep_likeliest(logits, top_k, top_p)
    return inverse_cdf(logits.softmax(dim=-1), torch.rand(len(logits), 1, generator=rng, device=logits.device))


def inverse_cdf(weights: Float[Tensor, "B V"], uniform: Float[Tensor, "B 1"]) -> Token:
    """The token in which a uniform number in [0, 1) falls, each token as wide as its weight.

    One uniform number a row, where `torch.multinomial` draws one for every weight. A token of weight zero is never
    drawn: `right=True` steps over it, and a product that rounding lifts to the total falls to the last with weight."""
    cumulative = weights.cumsum(dim=-1)
    total = cumulative[:, -1:].contiguous()
    token = torch.searchsorted(cumulative, uniform * total, right=True)
    last_with_weight = torch.searchsorted(cumulative, total)
    # Weights that are NaN find no place at all; the clamp leaves it to the loss to say that training diverged.
    return torch.minimum(token, last_with_weight).squeeze(1).clamp(max=weights.shape[1] - 1)


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
