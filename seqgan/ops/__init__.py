"""Kernels: operations that the package computes its own way, each beside its plain twin."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

from seqgan.errors import UsageError

_PLAIN = ContextVar("_PLAIN", default=False)


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """Within it what a discriminator computes has a second derivative: plain twins take the place of functions that
    have none (`plain_wanted`), and torch's own recurrent layers that of cuDNN."""
    token = _PLAIN.set(True)
    try:
        with torch.backends.cudnn.flags(enabled=False):
            yield
    finally:
        _PLAIN.reset(token)


def plain_wanted() -> bool:
    """Whether the plain twin has to be used, since a second derivative will be asked for."""
    return _PLAIN.get()


def refuse_second_derivative(function: str, twin: str) -> None:
    """Called in the backward pass of a function whose gradient autograd cannot differentiate again: it would take a
    part of it for a constant, without a word.

    Raises:
        UsageError: a graph of the gradient is being made (`create_graph=True`)."""
    if torch.is_grad_enabled():
        raise UsageError(f"{function} has no second derivative (create_graph=True); use {twin}, which has")
