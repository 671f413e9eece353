import pytest
import torch
from torch import nn
from torch.testing import assert_close

from seqgan.errors import UsageError
from seqgan.ops.max_window import max_over_windows, plain_max_over_windows


@pytest.mark.parametrize("width", [1, 2, 3, 5, 9])
def test_the_maximum_over_windows_and_its_gradients_are_those_of_a_convolution(width: int) -> None:
    """Values and gradients of text and filters, with texts of all lengths, some too short for any window."""
    torch.manual_seed(width)
    convolution = nn.Conv1d(6, 11, width)
    embedded, lengths = torch.randn(40, 9, 6, requires_grad=True), torch.arange(40) % 9 + 1
    towards = torch.randn(40, 11)
    inputs = (embedded, convolution.weight)
    # The ReLU cuts off the gradient where no window fits, and the maximum is minus infinity.
    functions = (max_over_windows, plain_max_over_windows)
    results = [(found(embedded, convolution.weight, lengths) + 0.1).relu() for found in functions]
    assert_close(*results, atol=1e-6, rtol=1e-5)
    assert_close(*(torch.autograd.grad(result, inputs, towards) for result in results), atol=1e-5, rtol=1e-5)


def test_it_refuses_a_second_derivative() -> None:
    """A penalty on the gradient needs one; the plain form has it."""
    torch.manual_seed(0)
    embedded, weight, lengths = torch.randn(1, 6, 4, requires_grad=True), torch.randn(3, 4, 2), torch.tensor([6])
    found = max_over_windows(embedded, weight, lengths).square().sum()
    with pytest.raises(UsageError, match=r"max_over_windows has no second derivative .* use plain_max_over_windows"):
        torch.autograd.grad(found, embedded, create_graph=True)
    found = plain_max_over_windows(embedded, weight, lengths).square().sum()
    assert torch.autograd.grad(found, embedded, create_graph=True)[0].requires_grad
