"""The logits of a CNN discriminator for many texts that share their beginnings, with less work than the module does.

A convolution over tokens is a sum of rows of a table, one row for each token and place in the window: looking rows up
costs a hundredth of multiplying. Windows that lie wholly in a prefix are looked at once for all its completions."""

import itertools
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seqgan.core.device import on_cpu
from seqgan.ops.chunks import cached_rows
from seqgan.shapes import Labels, Scores, Tokens
from seqgan.symbols import PAD

Table = Float[Tensor, "V W F"]


def tables_pay(vocab_size: int, finished: Int[Tensor, "R T"]) -> bool:
    """Whether there is enough to look up: a table costs as much as the windows of one text with the whole vocabulary.

    On an accelerator, where multiplying is cheap and looking up is not, tables never pay."""
    return on_cpu(finished) and finished.numel() > vocab_size


@torch.no_grad()
def prefix_scores(
    embedding: nn.Embedding,
    convolutions: Sequence[nn.Conv1d],
    logits_of: Callable[..., Scores],
    samples: Tokens,
    finished: Int[Tensor, "R T"],
    begun: Sequence[int],
    owner: Int[Tensor, "R"],
    labels: Labels | None = None,
) -> tuple[Scores, Float[Tensor, "R"]]:
    """The logits of samples, and of completions of their prefixes: what the module gives in eval mode, to rounding.

    `logits_of` is what the module makes of its features, the maxima over time after their ReLU.

    Completions stand by the length of their prefix, the shortest first: those that keep `g` tokens of `samples[owner]`
    are the rows `begun[g-1] .. begun[g] - 1`."""
    count = len(samples)
    size = sum(convolution.out_channels for convolution in convolutions)
    features = torch.zeros(count + len(finished), size, device=samples.device)
    column = 0
    for convolution in convolutions:
        width, filters = convolution.kernel_size[0], convolution.out_channels
        if width <= samples.shape[1]:  # a filter wider than the text yields 0
            table = filter_table(embedding, convolution)
            own, shared = features[:, column : column + filters].split([count, len(finished)])
            so_far = _max_so_far(table, samples)
            own.copy_(so_far[:, -1])
            for g, (begin, end) in enumerate(itertools.pairwise(begun), start=1):
                _max_of_each(table, finished[begin:end], g, so_far, owner[begin:end], shared[begin:end])
        column += filters
    rows = cached_rows(3 * 4 * size, features.device)  # features, candidates and gates
    given = [] if labels is None else [torch.cat([labels, labels[owner]]).split(rows)]
    logits = torch.cat(
        [logits_of(some.relu_(), *theirs) for some, *theirs in zip(features.split(rows), *given, strict=True)]
    )
    return logits[:count], logits[count:]


def filter_table(embedding: nn.Embedding, convolution: nn.Conv1d) -> Table:
    """What every token adds to every filter at every place of its window; the bias is in the first place.

    PAD adds minus infinity, so that a window which touches padding is never the maximum."""
    filters, dim, width = convolution.weight.shape
    weight = convolution.weight.permute(1, 2, 0).reshape(dim, width * filters)
    table = torch.mm(embedding.weight, weight).view(-1, width, filters)
    assert convolution.bias is not None
    table[:, 0] += convolution.bias
    table[PAD] = float("-inf")
    return table


def responses(table: Table, windows: Int[Tensor, "R L W"]) -> Float[Tensor, "R L F"]:
    """The responses of all filters to windows of tokens."""
    _, width, filters = table.shape
    rows = table.view(-1, filters)
    if width == 1:
        return rows.index_select(0, windows.flatten()).view(*windows.shape[:2], filters)
    places = windows * width + torch.arange(width, device=windows.device)
    return F.embedding_bag(places.flatten(0, 1), rows, mode="sum").view(*windows.shape[:2], filters)


def _max_so_far(table: Table, samples: Tokens) -> Float[Tensor, "B L F"]:
    """The largest response of every filter among the first 1, 2, ... windows of each sample."""
    return responses(table, samples.unfold(1, table.shape[1], 1)).cummax(dim=1).values


def _max_of_each(
    table: Table,
    finished: Int[Tensor, "R T"],
    given: int,
    so_far: Float[Tensor, "B L F"],
    owner: Int[Tensor, "R"],
    out: Float[Tensor, "R F"],
) -> None:
    """The largest response to each completion: among the windows that reach past its `given` first tokens, which are
    looked up here, and among the earlier ones, which are the sample's."""
    width, filters = table.shape[1:]
    first = max(0, given - width + 1)
    windows = finished[:, first:].unfold(1, width, 1)
    size = cached_rows(windows.shape[1] * (4 * filters + 8 * width), finished.device)
    for rows, owners, room in zip(windows.split(size), owner.split(size), out.split(size), strict=True):
        torch.amax(responses(table, rows), dim=1, out=room)
        if first:
            torch.maximum(room, so_far[owners, first - 1], out=room)
