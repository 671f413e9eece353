"""Soft tokens: a distribution over the vocabulary in the place of an id, so that a gradient can flow through it.

What reads tokens reads either; a one-hot distribution gives what its id gives."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from seqgan.shapes import SoftTokens, Tokens
from seqgan.symbols import PAD


def embed(
    embedding: nn.Embedding, tokens: Int[Tensor, "*shape"] | Float[Tensor, "*shape V"]
) -> Float[Tensor, "*shape E"]:
    """The vectors of tokens; of soft tokens, the means of all vectors by their distributions."""
    embedded: Tensor = tokens @ embedding.weight if tokens.is_floating_point() else embedding(tokens)
    return embedded


def lengths_of(tokens: Tokens | SoftTokens) -> Int[Tensor, "B"]:
    """How many tokens are no padding; a soft token is padding where most of its mass is on PAD."""
    inside = tokens[..., PAD] < 0.5 if tokens.is_floating_point() else tokens != PAD
    return inside.sum(dim=1)
