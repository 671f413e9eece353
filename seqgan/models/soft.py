"""Soft tokens: a distribution over the vocabulary in the place of an id, so that a gradient can flow through it.

What reads tokens reads either; a one-hot distribution gives what its id gives."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from seqgan.shapes import Labels, SoftTokens, Tokens
from seqgan.symbols import PAD


def embed(
    embedding: nn.Embedding,
    tokens: Int[Tensor, "*shape"] | Float[Tensor, "*shape V"],
    label_embedding: nn.Embedding | None = None,
    labels: Labels | None = None,
) -> Float[Tensor, "*shape E"]:
    """The vectors of tokens, "B" or "B T"; of soft tokens, the means of all vectors by their distributions. To each is
    added that of the label of its row, where labels have any."""
    embedded: Tensor = tokens @ embedding.weight if tokens.is_floating_point() else embedding(tokens)
    if label_embedding is None:
        return embedded
    label: Tensor = label_embedding(labels)
    return embedded + (label.unsqueeze(1) if embedded.ndim == 3 else label)


def lengths_of(tokens: Tokens | SoftTokens) -> Int[Tensor, "B"]:
    """How many tokens are no padding; a soft token is padding where most of its mass is on PAD."""
    inside = tokens[..., PAD] < 0.5 if tokens.is_floating_point() else tokens != PAD
    return inside.sum(dim=1)
