"""Convolution and maximum over time in one function, which learns with less work than the two."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from seqgan.core.device import on_cpu
from seqgan.ops import plain_wanted, refuse_second_derivative


def max_over_windows(
    embedded: Float[Tensor, "B T E"], weight: Float[Tensor, "F E W"], lengths: Int[Tensor, "B"]
) -> Float[Tensor, "B F"]:
    """The largest response of every filter among the windows inside each text; minus infinity where none fits.

    Of a filter's windows only the one with the maximum has a gradient: the filters' own gradient is a sum of as many
    windows as there are texts, looked up, where `Conv1d` multiplies with all of them. It has no second derivative.
    Where one is wanted (`twice_differentiable`), and on an accelerator, where multiplying is what is cheap, it is the
    plain twin."""
    if plain_wanted() or not on_cpu(embedded):
        return plain_max_over_windows(embedded, weight, lengths)
    filters, _, width = weight.shape
    matrix = weight.permute(2, 1, 0).reshape(-1, filters)
    highest: Tensor = _MaxOverWindows.apply(embedded, matrix, lengths, width)  # type: ignore[no-untyped-call]
    return highest


def plain_max_over_windows(
    embedded: Float[Tensor, "B T E"], weight: Float[Tensor, "F E W"], lengths: Int[Tensor, "B"]
) -> Float[Tensor, "B F"]:
    """The plain twin: a convolution and its maximum. It has every derivative."""
    responses = F.conv1d(embedded.transpose(1, 2), weight)
    starts = torch.arange(responses.shape[2], device=embedded.device)
    outside = starts > (lengths - weight.shape[2]).unsqueeze(1)
    return responses.masked_fill(outside.unsqueeze(1), float("-inf")).amax(dim=2)


class _MaxOverWindows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, embedded: Tensor, matrix: Tensor, lengths: Tensor, width: int) -> Tensor:
        ctx.kind = embedded.dtype
        if torch.is_autocast_enabled(embedded.device.type):
            kind = torch.get_autocast_dtype(embedded.device.type)
            embedded, matrix = embedded.to(kind), matrix.to(kind)
        windows = embedded.unfold(1, width, 1).transpose(2, 3).flatten(2)  # "B L WE"
        texts, starts, _ = windows.shape
        responses = torch.mm(windows.flatten(0, 1), matrix).view(texts, starts, -1)
        outside = torch.arange(starts, device=lengths.device) > (lengths - width).unsqueeze(1)
        highest, where = responses.masked_fill_(outside.unsqueeze(2), float("-inf")).max(dim=1)
        ctx.save_for_backward(windows, matrix, where)
        ctx.width = width
        return highest.to(ctx.kind)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_derivative("max_over_windows", "plain_max_over_windows")
        windows, matrix, where = ctx.saved_tensors
        texts, starts, _ = windows.shape
        gradient = outer[0].to(windows.dtype)
        spread = gradient.new_zeros(texts, starts, gradient.shape[1]).scatter_(1, where.unsqueeze(1), gradient[:, None])
        if windows.dtype == torch.float32:
            chosen = (where + torch.arange(0, texts * starts, starts, device=where.device).unsqueeze(1)).t()
            d_matrix = F.embedding_bag(
                chosen.contiguous(), windows.flatten(0, 1), mode="sum", per_sample_weights=gradient.t().contiguous()
            ).t()
        else:  # sums of bfloat16 belong into a matrix product, which adds in full precision
            d_matrix = torch.mm(windows.flatten(0, 1).t(), spread.flatten(0, 1))
        d_windows = torch.mm(spread.flatten(0, 1), matrix.t()).view(texts, starts, ctx.width, -1)
        d_embedded = gradient.new_zeros(texts, starts + ctx.width - 1, d_windows.shape[3], dtype=ctx.kind)
        for place in range(ctx.width):
            d_embedded[:, place : place + starts] += d_windows[:, :, place]
        return d_embedded, d_matrix.to(ctx.kind), None, None
