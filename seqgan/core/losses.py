"""The losses that texts and images share."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import softplus

from seqgan.core.distributed import mean_weight


def pairwise_loss(better: Float[Tensor, "B"], worse: Float[Tensor, "B"]) -> Float[Tensor, ""]:
    """-log sigma(better - worse), the mean over pairs: pushes the logits of one kind above those of the other.

    The model of Bradley and Terry (1952); of a GAN that of Jolicoeur-Martineau (2018, RSGAN). Only differences of
    logits count: the best ones are log p / q up to a shift. Of several processes each computes its part of the mean."""
    return softplus(worse - better).mean() * mean_weight(len(better))


def r1_penalty(
    scores: Float[Tensor, "B"], at: Float[Tensor, "B *shape"], counted: Bool[Tensor, "B *part"] | None = None
) -> Float[Tensor, ""]:
    """E |grad D(x)|^2 over real samples, of which gamma / 2 is added: Mescheder et al. (2018), equation 9.

    `scores` are D at `at`, each of which depends on its own sample alone; `counted` says which parts of a sample count,
    where some are padding. Gradients flow on to the weights of D, whose operations must have a second derivative. Of
    several processes each computes its part of the mean."""
    (gradient,) = torch.autograd.grad(scores.sum(), at, create_graph=True)
    if counted is not None:
        gradient = gradient * counted.view(*counted.shape, *[1] * (gradient.ndim - counted.ndim))
    return gradient.flatten(1).square().sum(dim=1).mean() * mean_weight(len(scores))
