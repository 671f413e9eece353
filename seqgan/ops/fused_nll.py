"""The cross-entropy of a linear layer in one function, which never holds all of its logits."""

import math
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from seqgan.core.device import on_cpu, sum_dtype
from seqgan.ops import refuse_second_derivative
from seqgan.ops.chunks import by_thread, cached_rows, most_parts
from seqgan.ops.inverse_cdf import LOG2_E, is_bounded
from seqgan.shapes import Scalar


def linear_nll(
    features: Float[Tensor, "R H"],
    matrix: Float[Tensor, "V H"],
    bias: Float[Tensor, "V"],
    targets: Int[Tensor, "R"],
    weights: Float[Tensor, "R"],
) -> Scalar:
    """The sum over rows of `weights` * -log softmax(features @ matrix.T + bias)[targets], without ever holding all
    logits: gradients are made on the way forward, chunk by chunk, while the logits of a chunk are in cache. It has no
    second derivative."""
    loss: Scalar = _LinearNLL.apply(features, matrix, bias, targets, weights)  # type: ignore[no-untyped-call]
    return loss


def plain_linear_nll(
    features: Float[Tensor, "R H"],
    matrix: Float[Tensor, "V H"],
    bias: Float[Tensor, "V"],
    targets: Int[Tensor, "R"],
    weights: Float[Tensor, "R"],
) -> Scalar:
    """The plain twin, with all logits at once; it has every derivative."""
    return (F.cross_entropy(F.linear(features, matrix, bias), targets, reduction="none") * weights).sum()


class _LinearNLL(torch.autograd.Function):
    """d loss / d logit = row weight * (softmax - one-hot). The softmax is never divided out: 2^logit goes into the
    matrix products as it is, and the row's factor onto their smaller side."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, matrix: Tensor, bias: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        d_features = torch.empty_like(features)
        scaled, offsets = features * LOG2_E, bias * LOG2_E
        bounded = on_cpu(features) and is_bounded(matrix, offsets, scaled.abs().amax(dim=0))
        # An eighth of the cache: beside the logits, three matrix products pass through it.
        rows = cached_rows(4 * len(matrix), features.device, share=1 / 8)
        room = features.new_empty(min(rows, len(features)), len(matrix))
        with_one = F.pad(features, (0, 1), value=1.0)  # so that a product makes d_bias beside d_matrix
        affine = (len(matrix), matrix.shape[1] + 1)
        most = most_parts(features.device, 4 * math.prod(affine))
        d_affine, d_weights = features.new_zeros(most, *affine), torch.empty_like(weights)
        exact = sum_dtype(features.device.type)
        loss = torch.zeros((), dtype=exact, device=features.device)
        for start in range(0, len(features), rows):
            chunk = slice(start, start + rows)
            parts, target, row_weight = by_thread(scaled[chunk], most), targets[chunk], weights[chunk]
            matrices = matrix.expand(len(parts), -1, -1)
            out = room[: len(target)].view(*parts.shape[:2], -1)
            logits = torch.baddbmm(offsets, parts, matrices.mT, out=out).flatten(0, 1)
            highest = 0.0 if bounded else logits.amax(dim=1, keepdim=True)
            likelihood = logits.gather(1, target.unsqueeze(1)) - highest
            exponentials = logits.exp2_() if bounded else logits.sub_(highest).exp2_()
            sums = exponentials.sum(dim=1, keepdim=True)
            nll = (sums.log2() - likelihood).squeeze(1)
            loss += (nll * row_weight).sum(dtype=exact) / LOG2_E
            d_weights[chunk] = nll / LOG2_E
            factor = row_weight.unsqueeze(1) / sums
            d_features[chunk] = torch.bmm(out, matrices).flatten(0, 1).mul_(factor)
            d_affine[: len(parts)].baddbmm_(out.mT, by_thread(with_one[chunk] * factor, most))
        d_matrix, d_bias = d_affine.sum(dim=0).tensor_split([matrix.shape[1]], dim=1)
        d_features.sub_(matrix[targets] * weights.unsqueeze(1))
        d_matrix = d_matrix.index_add(0, targets, features * -weights.unsqueeze(1))
        d_bias = d_bias.squeeze(1).index_add(0, targets, -weights)
        ctx.save_for_backward(d_features, d_matrix, d_bias, d_weights)
        return loss.to(features.dtype)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_derivative("linear_nll", "plain_linear_nll")
        d_features, d_matrix, d_bias, d_weights = (gradient * outer[0] for gradient in ctx.saved_tensors)
        return d_features, d_matrix, d_bias, None, d_weights
