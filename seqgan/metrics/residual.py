"""What a discriminator knows that its policy does not, in nats: the residual energy model q(x) e^(a f(x)) / Z.

q is the policy, f the discriminator's logit and -a f the energy (Deng et al. 2020). The slope a calibrates the logit
by logistic regression on validation text (Platt 1999). On texts of distribution p the model gains over the policy, per
text,

    E_p[a f] - log E_q[e^(a f)] = KL(p || q) - KL(p || model),

which is at most KL(p || q), and that where a f is log p/q up to a constant. A constant added to f changes nothing.

The log of a mean over n samples is on average below log Z, to first order by Var(e^(a f)) / (2 n Z^2), so the estimate
is too high by as much. The upper bound on log Z of Deng et al. holds for n large enough alone, and is wrong where a few
samples have most of the weight; it is not used. The effective sample size tells how few they are."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from seqgan.core.stats import Units, jackknife_influences, mean_influences, unit_blocks
from seqgan.metrics.discrimination import FakeScores, RealScores


class Gain(NamedTuple):
    """What the residual energy model gains on real texts, in nats per text."""

    value: float
    bias: float  # by which the value is too high, to first order
    effective: float  # effective sample size: so many samples of equal weight would be as sure
    influences: Mapping[str, Float[np.ndarray, "units"]]  # of "test" texts, and of ten blocks of "samples"


def slope(real: RealScores, fake: FakeScores) -> float:
    """The slope by which a logit is to be multiplied: that of P(real) = sigmoid(a f + b), fitted to validation texts
    and samples. b, which their numbers decide, is of no use here. 0 where nothing is known: where all logits are alike,
    or real texts have the lower ones.

    The targets are those of Platt (1999), which keep the slope finite where the two kinds do not overlap."""
    logits = torch.cat([real, fake]).double().cpu()
    spread = float(logits.std()) if len(logits) > 1 else 0.0
    if not spread > 0:
        return 0.0
    counts = torch.tensor([len(real), len(fake)])
    of_kind = torch.stack([(counts[0] + 1) / (counts[0] + 2), 1 / (counts[1] + 2)]).double()
    targets, weights = of_kind.repeat_interleave(counts), (1 / counts.double()).repeat_interleave(counts)
    scaled = (logits - logits.mean()) / spread
    line = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([line], max_iter=200, tolerance_grad=1e-10, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        cost = F.binary_cross_entropy_with_logits(line[0] * scaled + line[1], targets, weights, reduction="sum")
        cost.backward()
        return cost

    with torch.enable_grad():
        optimizer.step(loss)
    return max(0.0, line[0].item() / spread)


def token_slope(
    log_probs: Float[Tensor, "N V"], added: Float[Tensor, "N V"], chosen: Int[Tensor, "N"], most: float = 100.0
) -> float:
    """The slope a, from 0 to `most`, under which the tokens that real texts go on with are the likeliest:

        max_a  mean of  log q(t) + a g(t) - log sum over s of q(s) e^(a g(s))

    with the rows log q and g of all tokens that might follow, and the index t of the one that does. The function is
    concave: its derivative is g(t) less the mean of g under the model, its second one less the variance. The root is
    found by Newton's method, within bounds that each step narrows."""
    observed = added.gather(1, chosen.unsqueeze(1)).double().mean()

    def derivatives(slope: float) -> tuple[float, float]:
        weights = (log_probs + slope * added).softmax(dim=1)
        mean = (weights * added).sum(dim=1, keepdim=True)
        variance = (weights * (added - mean).square()).sum(dim=1)
        return float(observed - mean.double().mean()), float(variance.double().mean())

    low, high, slope = 0.0, most, 0.0
    for _ in range(40):
        rise, curvature = derivatives(slope)
        if slope == 0.0 and not rise > 0:
            return 0.0
        low, high = (slope, high) if rise > 0 else (low, slope)
        newton = slope + rise / max(curvature, 1e-12)
        last, slope = slope, newton if low < newton < high else (low + high) / 2
        if abs(slope - last) < 1e-5 * slope:
            break
    return slope


def gain(real: RealScores, fake: FakeScores, units: Units) -> Gain:
    """Of calibrated logits a f of held-out texts, whose copies are one unit, and of samples of the policy."""
    x, y = real.double().cpu().numpy(), fake.double().cpu().numpy()
    weights = np.exp(y - y.max())
    blocks = unit_blocks(np.arange(len(y)))
    without = [-np.log(np.delete(weights, block).mean()) for block in blocks]
    effective = effective_size(fake)
    return Gain(
        float(x.mean() - y.max() - np.log(weights.mean())),
        (1 / effective - 1 / len(y)) / 2,
        effective,
        {"test": mean_influences(x, units), "samples": jackknife_influences(without)},
    )


def effective_size(logits: Float[Tensor, "*groups K"]) -> float:
    """The effective number of samples with weights e^logit, (sum w)^2 / sum w^2 (Kish 1965); the mean over groups."""
    weights = logits.double().softmax(dim=-1)
    return float((1 / weights.square().sum(dim=-1)).mean())
