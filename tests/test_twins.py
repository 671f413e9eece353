"""Every fast function has a plain twin; a training comes out the same whichever is used."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from seqgan.algorithms.adversarial import ADVERSARIAL
from seqgan.algorithms.configs import MLEConfig
from seqgan.algorithms.seqgan import new_seqgan
from seqgan.data.dataset import TokenDataset
from seqgan.models.lstm import LSTMPolicy
from seqgan.models.policy import PolicyModule, Sampler, State
from seqgan.ops.fused_nll import plain_linear_nll
from seqgan.ops.inverse_cdf import plain_inverse_cdf
from seqgan.ops.max_window import plain_max_over_windows
from seqgan.rewards.discriminator import DiscriminatorReward
from seqgan.rollout import each_by_itself
from seqgan.sampling import weights_of


def weights_of_logits(sampler: Sampler, state: State) -> Tensor:
    policy = sampler.policy
    return weights_of(policy.logits(policy.features(state)))


TWINS: dict[str, Any] = {
    "a packed LSTM": (LSTMPolicy, "sampler", PolicyModule.sampler),
    "a packed output layer": ("seqgan.models.policy.Sampler.weights", None, weights_of_logits),
    "two levels of the inverse CDF": ("seqgan.models.policy.inverse_cdf", None, plain_inverse_cdf),
    "bounded logits": ("seqgan.ops.inverse_cdf.is_bounded", None, lambda *_: False),
    "the fused loss": ("seqgan.models.policy.linear_nll", None, plain_linear_nll),
    "bounded logits of the fused loss": ("seqgan.ops.fused_nll.is_bounded", None, lambda *_: False),
    "scores by tables": (DiscriminatorReward, "of_all", each_by_itself),
    "the gradient of the maximum over windows": ("seqgan.models.cnn.max_over_windows", None, plain_max_over_windows),
    "rows that a thread keeps": ("seqgan.ops.fused_nll.by_thread", None, lambda rows, _: rows.unsqueeze(0)),
    "chunks": ("seqgan.models.policy.cached_rows", None, lambda *_: 3),
}


def replaced(where: Any, name: str | None, twin: Callable[..., Any]) -> Any:
    return mock.patch.object(where, name, twin) if name else mock.patch(where, twin)


def trained(texts: TokenDataset, config: MLEConfig) -> dict[str, Tensor]:
    """The weights of both players after MLE, the discriminator's learning, and policy updates."""
    game = new_seqgan(config, texts, torch.device("cpu"), 0)
    for step in range(1, 4):
        torch.manual_seed(step)
        game.mle.update(step)
        game.discriminator_update(ADVERSARIAL, step - 1)
        game.policy_update(step)
    players = {"policy": game.generator, "discriminator": game.discriminator}
    return {f"{who}.{name}": w.clone() for who, module in players.items() for name, w in module.state_dict().items()}


@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_a_training_with_the_plain_twin_comes_out_the_same(
    twin: tuple[Any, str | None, Callable[..., Any]], texts: TokenDataset, tiny_config: Callable[..., MLEConfig]
) -> None:
    config = tiny_config("seqgan", mle_weight=1.0, highway=True)
    fast = trained(texts, config)
    with replaced(*twin):
        plain = trained(texts, config)
    assert_close(plain, fast, atol=2e-5, rtol=1e-4)
