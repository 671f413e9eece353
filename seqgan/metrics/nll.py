"""How probable a policy finds texts: negative log-likelihood, entropy, and the KL between two policies. All in nats."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from seqgan.core.device import sum_dtype
from seqgan.data.batches import by_length
from seqgan.data.ragged import Ragged
from seqgan.models.policy import PolicyModule
from seqgan.ops.chunks import rows_together
from seqgan.shapes import Mask, Tokens


class Likelihood(NamedTuple):
    """The NLL of texts, in nats."""

    total: float
    tokens: int  # EOS included

    @property
    def per_token(self) -> float:
        return self.total / self.tokens


@torch.no_grad()
def likelihood(generator: PolicyModule, rows: Sequence[Sequence[int]]) -> Likelihood:
    """The NLL of rows of ids; EOS counts as a token, an unknown token as the one token UNK."""
    device = next(generator.parameters()).device
    rows, exact = Ragged.of(rows), sum_dtype(device.type)
    parts = [
        generator.log_probs(rows.take(numbers).tokens.to(device)).to(exact).sum()
        for numbers in by_length(rows, generator.vocab_size)
    ]
    return Likelihood(-float(torch.stack(parts).sum()), int(rows.lengths.sum()))


@torch.no_grad()
def token_log_probs(
    generator: PolicyModule, rows: Sequence[Sequence[int]], *, drawn: bool = False
) -> list[Float[Tensor, "T"]]:
    """log pi(token | all before it) of every token of every row, in nats; `drawn`: of rows the policy drew itself."""
    log_probs = generator.log_probs_drawn if drawn else generator.log_probs
    device = next(generator.parameters()).device
    rows, found = Ragged.of(rows), dict[int, Tensor]()
    for numbers in by_length(rows, generator.vocab_size):
        measured = log_probs(rows.take(numbers).tokens.to(device)).cpu().double()
        lengths = rows.lengths[numbers].tolist()
        found.update({n: row[:length] for n, row, length in zip(numbers.tolist(), measured, lengths, strict=True)})
    return [found[number] for number in range(len(rows))]


def text_log_probs(
    generator: PolicyModule, rows: Sequence[Sequence[int]], *, drawn: bool = False
) -> Float[Tensor, "B"]:
    """log pi(text) of every row of ids, in nats: the sums of `token_log_probs`."""
    parts = [row.sum() for row in token_log_probs(generator, rows, drawn=drawn)]
    return torch.stack(parts) if parts else torch.zeros(0, dtype=torch.float64)


@torch.no_grad()
def divergence(drawing: PolicyModule, other: PolicyModule, tokens: Tokens, mask: Mask) -> float:
    """KL(drawing || other) per token, from samples of `drawing`.

    At every prefix of the samples the sum over all next tokens is exact, so the estimate is never negative."""
    parts: list[Float[Tensor, ""]] = []
    exact = sum_dtype(tokens.device.type)
    size = rows_together(tokens, drawing.vocab_size)
    for rows, counts in zip(tokens.split(size), mask.split(size), strict=True):
        p, q = drawing.distributions(rows), other.distributions(rows)
        parts.append((((p - q) * p.exp()).sum(dim=-1) * counts).to(exact).sum())
    return float(torch.stack(parts).sum() / mask.sum())
