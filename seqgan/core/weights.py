"""The weights of a network, apart from it."""

from collections.abc import Mapping

from safetensors.torch import save
from torch import Tensor, nn

Weights = dict[str, Tensor]


def clone(net: nn.Module) -> Weights:
    """A copy that later updates of the network leave as it is."""
    return {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}


def as_safetensors(weights: Mapping[str, Tensor]) -> bytes:
    """A safetensors file. The format knows no shared storage: tied weights are written twice."""
    return save({name: tensor.cpu().clone().contiguous() for name, tensor in weights.items()})
