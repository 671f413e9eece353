"""The pretend device refuses what a GPU would refuse or wait for, and nothing else."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException

from seqgan.core.device import resolve
from seqgan.core.seed import seed_everything
from tests import pretend

Act = Callable[[Tensor], object]


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda x: x.sum().item(), DataDependentOutputException),
        (lambda x: x.tolist(), DataDependentOutputException),
        (lambda x: float(x[0, 0]), DataDependentOutputException),
        (lambda x: bool((x > 0).any()), DataDependentOutputException),
        (lambda x: x[x > 0], DynamicOutputShapeException),
        (lambda x: x.nonzero(), DynamicOutputShapeException),
        (lambda x: x.unique(), DynamicOutputShapeException),
        (lambda x: x + torch.zeros(2, 3), RuntimeError),
        (lambda x: x[torch.tensor([1])], pretend.Crossing),
        (lambda x: x[:, torch.tensor([1])], pretend.Crossing),
        (lambda x: x.__setitem__(torch.tensor([1]), 0.0), pretend.Crossing),
        (lambda x: x.masked_fill_(torch.tensor([[True]]), 0.0), RuntimeError),
        (lambda x: x.cpu(), pretend.Crossing),
        (lambda x: x.to("cpu"), pretend.Crossing),
        (lambda x: torch.zeros(2, 3, device="cpu").to(x), pretend.Crossing),
        (lambda x: torch.zeros(2, 3, device="cpu").copy_(x), pretend.Crossing),
        (lambda x: torch.tensor([1, 2], device=x.device), pretend.Crossing),
        (lambda x: torch.as_tensor([1, 2], device=x.device), pretend.Crossing),
        (lambda x: torch.rand(2, generator=torch.Generator(), device=x.device), pretend.Crossing),
        (lambda x: torch.rand(2, generator=torch.Generator(x.device), device="cpu"), pretend.Crossing),
    ],
)
def test_what_waits_for_a_device_or_mixes_two_raises(act: Act, error: type[Exception]) -> None:
    with pretend.device() as device, pytest.raises(error):
        act(torch.ones(2, 3, device=device))


def test_a_network_learns_on_it() -> None:
    with pretend.device() as device:
        with pretend.setting_up():
            model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 1)).to(device)
        optimizer = torch.optim.Adam(model.parameters(), fused=True)
        loss = model(torch.rand(5, 3, generator=torch.Generator(device), device=device)).square().mean()
        with torch.autocast(device.type, torch.bfloat16):
            loss = loss + model(torch.rand(5, 3, device=device)).float().mean()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        assert {parameter.device for parameter in model.parameters()} == {device}


def test_while_setting_up_tensors_may_be_copied() -> None:
    class Host:
        def batch(self) -> Tensor:
            return torch.zeros(2, device="cpu").to(torch.device("pretend:0"))

    with pretend.device() as device:
        with pretend.setting_up():
            assert torch.tensor([[1, 2], [3, 4]], device=device).shape == (2, 2)
            assert torch.zeros(2, device="cpu").to(device).device == torch.zeros(2).device == device
        with pytest.raises(pretend.Crossing):
            Host().batch()
        with pretend.allowed(Host, "batch"):
            assert Host().batch().device == device
    assert torch.ones(2).tolist() == [1.0, 1.0]


def test_afterwards_no_accelerator_is_found() -> None:
    with pretend.device():
        pass
    assert not torch.accelerator.is_available()
    assert resolve("auto") == torch.device("cpu")
    seed_everything(1)
