import math
from unittest import mock

import pytest
import torch
from torch.testing import assert_close

from seqgan.errors import UsageError
from seqgan.ops.fused_nll import linear_nll, plain_linear_nll


def some_rows(rows: int, scale: float) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    features, weight, bias = torch.randn(rows, 8) * scale, torch.randn(50, 8), torch.randn(50)
    targets, weights = torch.randint(50, (rows,)), torch.randn(rows)
    weights[::5] = 0.0
    return features.requires_grad_(), weight.requires_grad_(), bias.requires_grad_(), targets, weights


@pytest.mark.parametrize("scale", [1.0, 100.0], ids=["bounded logits", "logits that need their maximum"])
@pytest.mark.parametrize("rows_at_a_time", [1, 6, 7, 1000])
def test_the_fused_loss_is_that_of_cross_entropy(
    scale: float, rows_at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Value and every gradient against the plain form in double precision, whatever the size of the chunks."""
    monkeypatch.setattr("seqgan.ops.fused_nll.cached_rows", lambda *_, **__: rows_at_a_time)
    features, weight, bias, targets, weights = some_rows(40, scale)
    fused = linear_nll(features, weight, bias, targets, weights)
    found = torch.autograd.grad(fused * 1.5, (features, weight, bias))
    exact = [tensor.detach().double().requires_grad_() for tensor in (features, weight, bias)]
    plain = plain_linear_nll(*exact, targets, weights.double())
    expected = torch.autograd.grad(plain * 1.5, exact)
    assert math.isclose(fused.item(), plain.item(), rel_tol=1e-5, abs_tol=1e-5)
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-5 * scale)


def test_the_fused_loss_says_when_a_feature_is_nan() -> None:
    features, *others = some_rows(6, 1.0)
    assert linear_nll(features * float("nan"), *others).isnan()


def test_the_fused_loss_has_a_gradient_for_its_weights() -> None:
    *given, targets, weights = some_rows(12, 1.0)
    weights.requires_grad_()
    (found,) = torch.autograd.grad(linear_nll(*given, targets, weights) * 1.5, weights)
    log_probs = torch.nn.functional.linear(*given).log_softmax(dim=1).gather(1, targets.unsqueeze(1)).squeeze(1)
    assert_close(found, -1.5 * log_probs.detach(), rtol=1e-5, atol=1e-5)


def test_the_fused_loss_refuses_a_second_derivative() -> None:
    """Its gradient is made on the way forward: of that, autograd would take a part for a constant."""
    features, *others = some_rows(6, 1.0)
    with pytest.raises(UsageError, match=r"linear_nll has no second derivative .* use plain_linear_nll"):
        torch.autograd.grad(linear_nll(features, *others), features, create_graph=True)


@pytest.mark.parametrize("threads", [1, 8])
def test_the_fused_loss_needs_no_more_memory_on_many_threads(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each thread adds up a gradient of its own, as large as the matrix; what that is beyond, threads share."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr("seqgan.ops.chunks.LARGEST_PARTS", 3 * 50 * 9 * 4)  # three of them
    made, original = [], torch.Tensor.new_zeros

    def new_zeros(tensor: torch.Tensor, *shape: int) -> torch.Tensor:
        made.append(math.prod(shape))
        return original(tensor, *shape)

    monkeypatch.setattr(torch.Tensor, "new_zeros", new_zeros)
    features, matrix, bias, targets, weights = some_rows(40, 1.0)
    loss = linear_nll(features, matrix, bias, targets, weights)
    assert made == [min(threads, 2) * 50 * 9]
    log_probs = torch.nn.functional.linear(features, matrix, bias).log_softmax(dim=1)
    assert_close(loss, -(log_probs.gather(1, targets.unsqueeze(1)).squeeze(1) * weights).sum(), rtol=1e-5, atol=1e-5)


def test_a_loss_is_summed_in_what_the_device_bears() -> None:
    kinds: list[torch.dtype | None] = []
    zeros = torch.zeros
    arguments = [torch.randn(5, 3), torch.randn(7, 3), torch.randn(7), torch.arange(5), torch.ones(5)]
    exact = linear_nll(*arguments)

    def watched(*sizes: object, dtype: torch.dtype | None = None, **others: object) -> torch.Tensor:
        kinds.append(dtype)
        return zeros(*sizes, dtype=dtype, **others)  # type: ignore[call-overload]

    with mock.patch("seqgan.ops.fused_nll.sum_dtype", return_value=torch.float32), mock.patch("torch.zeros", watched):
        coarse = linear_nll(*arguments)
    assert torch.float64 not in kinds
    torch.testing.assert_close(coarse, exact)
