"""The weights of a network, apart from it."""

from collections.abc import Mapping

from safetensors.torch import save
from torch import Tensor, nn

Weights = dict[str, Tensor]


def clone(net: nn.Module) -> Weights:
    return {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}


def as_safetensors(weights: Mapping[str, Tensor]) -> bytes:
    return save({name: tensor.cpu().clone().contiguous() for name, tensor in weights.items()})


def policy_files(policies: Mapping[str, Weights]) -> dict[str, bytes]:
    """`generator.safetensors` at the top for the final policy, and in a folder each for the others."""
    return {
        ("" if stage == "final" else f"{stage}/") + "generator.safetensors": as_safetensors(weights)
        for stage, weights in policies.items()
    }
