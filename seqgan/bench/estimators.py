"""Estimators of the same policy gradient, on the same samples and rollouts: how much of each is signal, and whether
their means agree.

The policy learns little, the discriminator is the best there is (the log-odds of oracle and policy), so that nothing
but the estimators is compared."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from seqgan.advantages import Baseline, advantages
from seqgan.algorithms.configs import MLEConfig
from seqgan.algorithms.mle import MLE
from seqgan.bench.arms import Size
from seqgan.core.report import cell
from seqgan.core.seed import derive, seed_everything
from seqgan.data.dataset import TokenDataset
from seqgan.data.vocabulary import Ids
from seqgan.losses import policy_gradient_weights
from seqgan.models.oracle import SHIFT, new_oracle
from seqgan.models.policy import PolicyModule, Sampled
from seqgan.rewards import of_sequence
from seqgan.rollout import Score, rollout_rewards
from seqgan.shapes import Rewards, Scores, Tokens

Gradients = NDArray[np.float64]  # of each batch, all parameters: "N P"
FLIPS = 1000

# Name -> whether prefixes are completed, and the baseline.
ESTIMATORS: dict[str, tuple[bool, Baseline]] = {
    "rollouts, no baseline": (True, "none"),
    "rollouts, leave-one-out": (True, "batch"),
    "rollouts, prefix": (True, "prefix"),
    "whole sequence, no baseline": (False, "none"),
    "whole sequence, leave-one-out": (False, "batch"),
}
FORMS = ("probability", "log-odds")


class Figure(NamedTuple):
    """Of an estimator with a reward."""

    snr: float  # |mean|^2 / trace of the covariance, of the gradient of one batch
    stderr: float
    agreement: float  # p-value of a mean gradient other than that of the first estimator; NaN of that one itself


def setting(seed: int, size: Size, epochs: int) -> tuple[PolicyModule, PolicyModule]:
    """A policy that has learned for some epochs, and the oracle whose sequences it learned from."""
    oracle = new_oracle(size.vocab_size, size.length, seed=seed)

    def drawn(split: str, count: int) -> Tokens:
        return oracle.sample(count, torch.Generator().manual_seed(derive(seed, "estimators", split))) + SHIFT

    ids = Ids(size.vocab_size + SHIFT)
    dataset = TokenDataset.of(drawn("train", size.train), drawn("valid", size.valid), ids, ends=False)
    mle = MLE(MLEConfig(mle_lr=0.003, mle_epochs=epochs), dataset, torch.device("cpu"), seed)
    for step in range(1, epochs * mle.batches.per_epoch + 1):
        seed_everything(seed, "estimators", step)
        mle.update(step)
    return mle.generator, oracle.policy


def best_discriminator(policy: PolicyModule, oracle: PolicyModule, form: str) -> Score:
    """log p(x) - log q(x), or what that makes P(real)."""

    @torch.no_grad()
    def score(tokens: Tokens) -> Scores:
        log_odds = (oracle.log_probs(tokens) - policy.log_probs_drawn(tokens)).sum(dim=1)
        return log_odds.sigmoid() if form == "probability" else log_odds

    return score


def compare(
    policy: PolicyModule, oracle: PolicyModule, batches: int, batch: int, completions: int, seed: int
) -> dict[tuple[str, str], Figure]:
    """Every estimator with every form of the reward, by independent batches."""
    found: dict[tuple[str, str], list[Gradients]] = {}
    for number in range(batches):
        seed_everything(seed, "samples", number)
        sampled = policy.sample(batch)
        for form in FORMS:
            score = best_discriminator(policy, oracle, form)
            seed_everything(seed, "rollouts", number)  # the same for both forms
            rewards = {True: rollout_rewards(policy, score, sampled, completions), False: of_sequence(score)(sampled)}
            for name, (completed, baseline) in ESTIMATORS.items():
                found.setdefault((form, name), []).append(gradient(policy, sampled, rewards[completed], baseline))
    figures = {}
    for (form, name), gradients in found.items():
        first = np.stack(found[form, next(iter(ESTIMATORS))])
        mine = np.stack(gradients)
        figures[form, name] = Figure(*signal_to_noise(mine), disagreement(mine - first, seed))
    return figures


def gradient(policy: PolicyModule, sampled: Sampled, rewards: Rewards, baseline: Baseline) -> Gradients:
    """Of the mean over the tokens, as an update has it, without normalised advantages: those have another mean."""
    advantage = advantages(rewards, sampled.mask, baseline, normalize_advantage=False)
    loss = policy.nll_drawn(sampled.tokens, policy_gradient_weights(advantage, sampled.mask))
    parameters = [parameter for parameter in policy.parameters() if parameter.requires_grad]
    parts = torch.autograd.grad(loss, parameters)
    return torch.cat([part.flatten() for part in parts]).double().numpy()


def signal_to_noise(gradients: Gradients) -> tuple[float, float]:
    """|mean|^2 / trace of the covariance, both without bias, and its standard error by the jackknife."""

    def ratio(total: Gradients, squares: float, count: int) -> float:
        length = float((total**2).sum())
        trace = (squares - length / count) / (count - 1)
        return (length / count**2 - trace / count) / trace

    count, total, each = len(gradients), gradients.sum(axis=0), (gradients**2).sum(axis=1)
    whole = ratio(total, each.sum(), count)
    without = [ratio(total - one, each.sum() - own, count - 1) for one, own in zip(gradients, each, strict=True)]
    return whole, float(np.sqrt((count - 1) * np.var(without)))


def disagreement(differences: Gradients, seed: int) -> float:
    """The p-value of a mean that is not zero: how often the mean is as long where the sign of each batch's difference
    is chosen at random. NaN where nothing differs."""
    if not differences.any():
        return np.nan
    signs = np.random.default_rng(seed).choice([1.0, -1.0], size=(FLIPS, len(differences)))
    signs = np.concatenate([np.ones((1, len(differences))), signs])
    inner = differences @ differences.T  # |sum of s_i d_i|^2 = s' D s
    lengths = np.einsum("fi,ij,fj->f", signs, inner, signs)
    return float((lengths >= lengths[0] * (1 - 1e-12)).mean())


def table(figures: dict[tuple[str, str], Figure]) -> tuple[list[str], list[list[str]]]:
    """Headings, and cells by estimator."""
    headings = ["", *(f"{form}: {what}" for form in FORMS for what in ("signal/noise", "p of another mean"))]
    rows = [[name, *_cells([figures[form, name] for form in FORMS])] for name in ESTIMATORS]
    return headings, rows


def _cells(figures: Sequence[Figure]) -> list[str]:
    return [
        text
        for figure in figures
        for text in (cell(figure.snr, figure.stderr), "" if np.isnan(figure.agreement) else f"{figure.agreement:.2f}")
    ]
