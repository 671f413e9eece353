"""Kernels: operations that the package computes its own way, each beside its plain twin."""

import torch

from seqgan.errors import UsageError


def refuse_second_derivative(function: str, twin: str) -> None:
    """Called in the backward pass of a function whose gradient autograd cannot differentiate again: it would take a
    part of it for a constant, without a word.

    Raises:
        UsageError: a graph of the gradient is being made (`create_graph=True`)."""
    if torch.is_grad_enabled():
        raise UsageError(f"{function} has no second derivative (create_graph=True); use {twin}, which has")
