"""Decoding with a discriminator, the policy untouched: of the texts that a policy draws, those are kept that look real.

Both ways draw from a model near the residual energy model q(x) e^(a f(x)) / Z of a policy q and a calibrated logit a f
(`metrics.residual`):

- Resampling draws K texts and keeps one, with weight e^(a f) (Deng et al. 2020; Rubin 1987). The density of what is
  kept is at most K q(x), so that it gains no more than log K nats per text.
- Rejection keeps a text with probability e^(a f) / M, at most 1 (Azadi et al. 2019). The density of what is kept is
  q(x) min(e^(a f(x)), M) / Z. M is the largest weight that is seen in a thousand draws, but no more than e^3 times
  their mean, so that about one draw of twenty is kept at least.

A discriminator of prefixes can also reweight every token as it is drawn (`models.reweighted`)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from seqgan.data.ragged import Ragged
from seqgan.metrics.residual import effective_size
from seqgan.sampling import draw
from seqgan.shapes import Scores

DRAWN_TOGETHER = 10_000
PILOT = 1000  # draws by which the bound of rejection is found
HEAVIEST = 3.0  # log of the bound over the mean weight, at most
GROUPS = 4096  # random groups that a density is a mean over

Draw = Callable[[int], Ragged]


@dataclass
class Chooser:
    """Keeps some of what a policy draws, by a discriminator's logits f of texts and their slope a; and counts."""

    logits: Callable[[Ragged], Scores]
    slope: float = 1.0
    of: int = 0  # one text of so many draws; 0: by rejection
    kept: int = 0
    drawn: int = 0
    effective: float = 0.0  # the effective sample sizes of all groups together

    def __call__(self, draws: Draw, count: int, rng: torch.Generator) -> Ragged:
        """So many texts, chosen among what `draws` draws."""
        return (self._resampled if self.of else self._accepted)(draws, count, rng)

    def weights(self, rows: Ragged) -> Scores:
        """The logarithms of the weights of texts, a f."""
        return self.slope * self.logits(rows)

    def _resampled(self, draws: Draw, count: int, rng: torch.Generator) -> Ragged:
        parts, together = list[Ragged](), max(1, DRAWN_TOGETHER // self.of)
        for done in range(0, count, together):
            groups = min(together, count - done)
            rows = draws(groups * self.of)
            weights = self.weights(rows).view(groups, self.of).to(rng.device)
            chosen = torch.arange(groups) * self.of + draw(weights, rng=rng).cpu()
            parts.append(rows.part(chosen))
            self.effective += groups * effective_size(weights)
            self.drawn, self.kept = self.drawn + len(rows), self.kept + groups
        return joined(parts)

    def _accepted(self, draws: Draw, count: int, rng: torch.Generator) -> Ragged:
        bound = log_bound(self.weights(draws(PILOT)))
        parts, found, together = list[Ragged](), 0, max(100, count)
        while found < count:
            rows = draws(together)
            heights = torch.rand(len(rows), generator=rng, device=rng.device).cpu()
            accepted = (heights.log() < self.weights(rows) - bound).nonzero().squeeze(1)
            parts.append(rows.part(accepted))
            found += len(accepted)
            self.drawn, self.kept = self.drawn + len(rows), self.kept + len(accepted)
            together = min(DRAWN_TOGETHER, 2 * together)
        return joined(parts).part(slice(count))

    def told(self) -> str:
        """What came of it, in words."""
        if not self.of:
            return f"{self.kept} of {self.drawn} draws were kept ({self.kept / self.drawn:.1%}); slope {self.slope:.3f}"
        return (
            f"one of {self.of} draws was kept: effective sample size {self.effective / max(1, self.kept):.1f} of "
            f"{self.of}, at most log {self.of} = {math.log(self.of):.2f} nats per text gained; slope {self.slope:.3f}"
        )

    def log_ratio(
        self, weights: Float[Tensor, "N"], pool: Float[Tensor, "M"], rng: torch.Generator | None = None
    ) -> Float[Tensor, "N"]:
        """The log of the density of what is kept over that of the policy, at texts of such log weights, from those of a
        `pool` of the policy's samples.

        Of one of K it is K E[w / (w + S)], with S the sum of the weights of K - 1 others."""
        weights, pool = weights.double(), pool.double()
        if not self.of:
            bound = log_bound(pool)
            return weights.clamp(max=bound) - log_mean(pool.clamp(max=bound))
        if self.of == 1:
            return torch.zeros_like(weights)
        others = pool[torch.randint(len(pool), (GROUPS, self.of - 1), generator=rng)].logsumexp(dim=1)
        shares = [log_mean(F.logsigmoid(some.unsqueeze(1) - others)) for some in weights.split(1000)]
        return math.log(self.of) + torch.cat(shares)


def log_mean(logs: Float[Tensor, "*shape M"]) -> Float[Tensor, "*shape"]:
    """The log of the mean of what these are the logs of."""
    return logs.logsumexp(dim=-1) - math.log(logs.shape[-1])


def log_bound(weights: Float[Tensor, "M"]) -> float:
    """The log of the weight that rejection takes for the largest."""
    return min(float(weights.max()), float(log_mean(weights.double())) + HEAVIEST)


def joined(parts: Sequence[Ragged]) -> Ragged:
    """The sequences of all parts, one after the other."""
    rows = Ragged.of([row for part in parts for row in part])
    labels = [part.labels for part in parts if part.labels is not None]
    return rows.labelled(torch.cat(labels).tolist() if labels else None)
