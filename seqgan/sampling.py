"""From logits to a token: temperature, top-k, top-p, and an exact draw."""

import torch
from jaxtyping import Float
from torch import Tensor

from seqgan.ops.inverse_cdf import LOG2_E, inverse_cdf
from seqgan.shapes import Logits, Token

GREEDY = 1e-6  # a temperature below it is 0: every draw is the likeliest token, and logits would overflow once divided


def draw(
    logits: Logits,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    rng: torch.Generator | None = None,
) -> Token:
    """One token a row from softmax(logits / temperature), perhaps only from the likeliest.

    At temperature 0 it is the likeliest (greedy decoding). `top_k` keeps the k likeliest tokens (0: all), `top_p` the
    fewest that hold a mass of p. The result indexes the logits given."""
    uniform = torch.rand(len(logits), 1, generator=rng, device=logits.device)
    return inverse_cdf(weights_of(logits, temperature, top_k, top_p), uniform).squeeze(1)


def weights_of(logits: Logits, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Float[Tensor, "B V"]:
    """What each token weighs in a draw; the largest weight of a row is 1, so nothing overflows."""
    if temperature < GREEDY:
        temperature, top_k = 1.0, 1
    if top_k or top_p < 1.0:
        logits = keep_likeliest(logits / temperature, top_k, top_p) * temperature
    # In base 2, which costs a processor half of what base e does.
    weights = logits * (LOG2_E / temperature)
    return weights.sub_(weights.amax(dim=-1, keepdim=True)).exp2_()


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
