"""The loss that texts and images share."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from seqgan.core.distributed import mean_weight


def pairwise_loss(better: Float[Tensor, "B"], worse: Float[Tensor, "B"]) -> Float[Tensor, ""]:
    """-log sigma(better - worse), the mean over pairs: pushes the logits of one kind above those of the other.

    The model of Bradley and Terry (1952); of a GAN that of Jolicoeur-Martineau (2018, RSGAN). Only differences of
    logits count: the best ones are log p / q up to a shift. Of several processes each computes its part of the mean."""
    return softplus(worse - better).mean() * mean_weight(len(better))
