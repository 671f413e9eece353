"""How probable a policy finds texts: negative log-likelihood, entropy, and the KL between two policies. All in nats."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from seqgan.core.device import sum_dtype
from seqgan.data.batches import by_length
from seqgan.data.ragged import Ragged
from seqgan.losses import kl
from seqgan.models.policy import PolicyModule


class Likelihood(NamedTuple):
    """The NLL of texts, in nats."""

    total: float
    tokens: int  # EOS included

    @property
    def per_token(self) -> float:
        return self.total / self.tokens


@torch.no_grad()
def likelihood(generator: PolicyModule, rows: Sequence[Sequence[int]], *, drawn: bool = False) -> Likelihood:
    """The NLL of rows of ids, given their labels if they have any; EOS counts as a token, an unknown token as the one
    token UNK. Of rows that the policy `drawn` itself, it estimates the entropy of the policy."""
    log_probs = generator.log_probs_drawn if drawn else generator.log_probs
    device = next(generator.parameters()).device
    rows, exact = Ragged.of(rows), sum_dtype(device.type)
    parts = [
        log_probs(batch.tokens, batch.labels).to(exact).sum()
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
    drawing: PolicyModule, other: PolicyModule, rows: Sequence[Sequence[int]], given: Sequence[int] | None = None
) -> float:
    """KL(drawing || other) per token, from rows that `drawing` drew, but for the first `given` tokens of each.

    At every prefix of the samples the sum over all next tokens is exact, so the estimate is never negative."""
    device = next(drawing.parameters()).device
    rows, exact, parts = Ragged.of(rows), sum_dtype(device.type), list[Float[Tensor, ""]]()
    begun = torch.zeros_like(rows.lengths) if given is None else torch.tensor(given)
    for numbers in by_length(rows, drawing.vocab_size):
        tokens, mask, labels = rows.take(numbers).to(device)
        p, q = drawing.distributions(tokens, labels), other.distributions(tokens, labels)
        drawn = mask & (torch.arange(mask.shape[1], device=device) >= begun[numbers].to(device).unsqueeze(1))
        parts.append((kl(p, q) * drawn).to(exact).sum())
    return float(torch.stack(parts).sum() / (rows.lengths - begun).sum())
