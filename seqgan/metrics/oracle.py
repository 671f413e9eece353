"""What an oracle knows of a policy: both give every sequence its probability, so quality and coverage are exact.

NLL-oracle alone rewards a policy for saying little: it falls with the temperature. The two divergences do not deceive:
KL(oracle || policy) grows with whatever is missed, KL(policy || oracle) with whatever is wrong."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from seqgan.core.report import Measured
from seqgan.core.stats import mean_influences
from seqgan.models.policy import PolicyModule
from seqgan.ops.chunks import rows_together

Numbers = NDArray[np.float64]
SAMPLES, TEST = "samples", "test sequences"  # the sources of the errors


class Exact(NamedTuple):
    """Of every sample of a policy q, and of every test sequence of the oracle p: nats per token, or of a whole sequence
    (`log_odds`). What is expected of the next token is exact at each prefix, by a sum over the vocabulary."""

    samples: Int[np.ndarray, "N T"]
    nll_oracle: Numbers  # of samples: the expectation under q of -log p
    entropy: Numbers  # of samples: under q of -log q
    sample_log_odds: Numbers  # of samples: log p - log q
    nll_test: Numbers  # of test sequences: under p of -log q
    oracle_entropy: Numbers  # of test sequences: under p of -log p
    test_log_odds: Numbers  # of test sequences: log p - log q


@torch.no_grad()
def measure(policy: PolicyModule, oracle: PolicyModule, samples: Int[Tensor, "N T"], test: Int[Tensor, "M T"]) -> Exact:
    """What policy and oracle say of the policy's samples and of the oracle's sequences, all of one length, in ids.

    With the same prefixes for both terms of a divergence, no estimate of it is negative."""
    nll_oracle, entropy, sample_log_odds = _of(policy, oracle, samples)
    nll_test, oracle_entropy, reverse = _of(oracle, policy, test)
    return Exact(samples.cpu().numpy(), nll_oracle, entropy, sample_log_odds, nll_test, oracle_entropy, -reverse)


def _of(drawing: PolicyModule, other: PolicyModule, rows: Int[Tensor, "N T"]) -> tuple[Numbers, Numbers, Numbers]:
    """Of rows that one model drew: the expected -log of the other and of itself, and log other - log itself."""
    parts: list[Float[Tensor, "3 B"]] = []
    for tokens in rows.split(rows_together(rows, 2 * drawing.vocab_size)):
        own, others = drawing.distributions(tokens), other.distributions(tokens)
        chances, chosen = own.exp(), (tokens - drawing.lowest_drawn).unsqueeze(2)
        cross = -(chances * others).sum(dim=2).mean(dim=1)
        entropy = -(chances * own).sum(dim=2).mean(dim=1)
        log_odds = (others.gather(2, chosen) - own.gather(2, chosen)).squeeze(2).sum(dim=1)
        parts.append(torch.stack([cross, entropy, log_odds]))
    cross, entropy, log_odds = torch.cat(parts, dim=1).double().cpu().numpy()
    return cross, entropy, log_odds


def reweighted(exact: Exact, log_q: Numbers, of_samples: Numbers, of_test: Numbers) -> Exact:
    """The same of what is kept of a policy's draws, from what is measured of the policy: its log-probabilities of the
    sequences that were kept, and the log of the density of what is kept over its own, at these and at test sequences.

    What is kept has no distribution of the next token, so that of the sequences that were kept nothing is summed over
    the vocabulary: nats per token are those of whole sequences."""
    length = exact.samples.shape[1]
    return exact._replace(
        nll_oracle=-(exact.sample_log_odds + log_q) / length,
        entropy=-(log_q + of_samples) / length,
        sample_log_odds=exact.sample_log_odds - of_samples,
        nll_test=exact.nll_test - of_test / length,
        test_log_odds=exact.test_log_odds - of_test,
    )


def row(exact: Exact, about: str) -> dict[str, Measured]:
    """The numbers of a policy: nats per token, the Jensen-Shannon divergence nats per sequence. `about` names the
    oracle in their signatures."""
    signature = f"n:{len(exact.nll_oracle)}|test:{len(exact.nll_test)}|oracle:{about}|err:sequences"

    def mean(source: str, values: Numbers) -> Measured:
        return Measured.of(values.mean(), {source: mean_influences(values, np.arange(len(values)))}, signature)

    # JSD(p, q) = log 2 - (E_p log(1 + q/p) + E_q log(1 + p/q)) / 2
    halves = {
        TEST: -np.logaddexp(0, -exact.test_log_odds) / 2,
        SAMPLES: -np.logaddexp(0, exact.sample_log_odds) / 2,
    }
    influences = {source: mean(source, values).influences[source] for source, values in halves.items()}
    jsd = np.log(2) + sum(values.mean() for values in halves.values())
    distinct = len(np.unique(exact.samples, axis=0)) / len(exact.samples)
    return {
        "nll-oracle": mean(SAMPLES, exact.nll_oracle),
        "nll-test": mean(TEST, exact.nll_test),
        "entropy": mean(SAMPLES, exact.entropy),
        "forward-kl": mean(TEST, exact.nll_test - exact.oracle_entropy),
        "reverse-kl": mean(SAMPLES, exact.nll_oracle - exact.entropy),
        "jsd": Measured.of(float(jsd), influences, signature),
        "distinct": Measured(distinct, float("nan"), signature),
    }
