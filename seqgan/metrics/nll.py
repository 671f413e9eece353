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
from seqgan.shapes import Labels, Mask, Tokens


class Likelihood(NamedTuple):
    """The NLL of texts, in nats."""

    total: float
    tokens: int  # EOS included

    @property
    def per_token(self) -> float:
        return self.total / self.tokens


@torch.no_grad()
def likelihood(generator: PolicyModule, rows: Sequence[Sequence[int]]) -> Likelihood:
    """The NLL of rows of ids, given their labels if they have any; EOS counts as a token, an unknown token as the one
    token UNK."""
    device = next(generator.parameters()).device
    rows, exact = Ragged.of(rows), sum_dtype(device.type)
    parts = [
        generator.log_probs(batch.tokens, batch.labels).to(exact).sum()
        for numbers in by_length(rows, generator.vocab_size)
        for batch in [rows.take(numbers).to(device)]
    ]
    return Likelihood(-float(torch.stack(parts).sum()), int(rows.lengths.sum()))


@torch.no_grad()
def token_log_probs(
    generator: PolicyModule, rows: Sequence[Sequence[int]], *, drawn: bool = False
) -> list[Float[Tensor, "T"]]:
    """log pi(token | all before it, label) of every token of every row, in nats; `drawn`: of rows the policy drew
    itself."""
    log_probs = generator.log_probs_drawn if drawn else generator.log_probs
    device = next(generator.parameters()).device
    rows, found = Ragged.of(rows), dict[int, Tensor]()
    for numbers in by_length(rows, generator.vocab_size):
        batch = rows.take(numbers).to(device)
        measured = log_probs(batch.tokens, batch.labels).cpu().double()
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
def divergence(
    drawing: PolicyModule, other: PolicyModule, tokens: Tokens, mask: Mask, labels: Labels | None = None
) -> float:
    """KL(drawing || other) per token, from samples of `drawing`.

    At every prefix of the samples the sum over all next tokens is exact, so the estimate is never negative."""
    parts: list[Float[Tensor, ""]] = []
    exact, lengths = sum_dtype(tokens.device.type), mask.sum(dim=1)
    for chosen in lengths.argsort(stable=True).split(rows_together(tokens, drawing.vocab_size)):
        width = int(lengths[chosen].max())  # rows of like lengths together: little is spent on padding
        rows, counts, theirs = tokens[chosen, :width], mask[chosen, :width], None if labels is None else labels[chosen]
        p, q = drawing.distributions(rows, theirs), other.distributions(rows, theirs)
        parts.append((((p - q) * p.exp()).sum(dim=-1) * counts).to(exact).sum())
    return float(torch.stack(parts).sum() / mask.sum())
