"""How much features say of the class: the accuracy of a linear classifier of them."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

RIDGE = 1.0  # of standardised features, whose variance is 1: as good as any for pixels, whether 600 images or 10,000


def linearly_right(
    train: Float[Tensor, "N F"], labels: Int[Tensor, "N"], test: Float[Tensor, "M F"], test_labels: Int[Tensor, "M"]
) -> Bool[Tensor, "M"]:
    """Which of the test features a linear classifier of the training features gets right: ridge regression of the
    one-hot labels, in closed form, so that nothing of it is random."""
    mean, deviation = train.double().mean(dim=0), train.double().std(dim=0)
    deviation = torch.where(deviation > 1e-6 * deviation.max(), deviation, torch.inf)  # constant features say nothing

    def standardised(features: Tensor) -> Tensor:
        return (features.double() - mean) / deviation

    inputs, targets = standardised(train), one_hot(labels).double()
    targets = targets - (middle := targets.mean(dim=0))
    ridge = RIDGE * torch.eye(inputs.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(inputs.t() @ inputs / len(inputs) + ridge, inputs.t() @ targets / len(inputs))
    return (standardised(test) @ weights + middle).argmax(dim=1) == test_labels
