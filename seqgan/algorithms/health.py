"""The health of an adversarial training: does the policy still write many different texts, and does the discriminator
have anything to teach it?

A policy that is pushed too hard loses entropy first, while its samples are still all different, and the NLL of real
text rises with it: at the learning rate of the SeqGAN paper a constant reward does that as well. A discriminator is of
no use where it knows all samples, since their rewards are then alike, and where it knows none."""

import math
from collections.abc import Mapping, Sequence

import torch

from seqgan.algorithms.configs import AdversarialConfig, SeqGANConfig
from seqgan.core import distributed
from seqgan.core.phase import Numbers
from seqgan.core.seed import derive
from seqgan.data.batches import Texts
from seqgan.data.ragged import Ragged
from seqgan.metrics.nll import likelihood
from seqgan.models.policy import PolicyModule, sample

SAMPLES = 200  # that a policy is measured on, at least
ENTROPY_LOST, NLL_GAINED = 0.5, 0.3  # nats per token, since MLE
DISTINCT_LEFT = 0.5  # of the share of different samples after MLE
SATURATED = 0.98  # accuracy
FEWEST = 20  # validation texts that say something of a discriminator
GUESSING = math.log(2)  # what a logit of 0 costs
COLLAPSE, SATURATION, NOISE = "collapse", "saturation", "noise"


class Health:
    """What a policy measured after MLE, and the causes that have been warned of. Both belong to the state of a run."""

    def __init__(self, after_mle: Numbers | None = None, warned: Sequence[str] = ()) -> None:
        self.after_mle, self.warned = after_mle or {}, list(warned)

    @property
    def collapsed(self) -> bool:
        return COLLAPSE in self.warned

    def new(self, warnings: Mapping[str, str]) -> list[str]:
        """Those whose cause has not been warned of before."""
        new = {cause: text for cause, text in warnings.items() if cause not in self.warned}
        self.warned += new
        return list(new.values())


def variety(policy: PolicyModule, seed: int, drawn: Texts | None) -> Numbers:
    """The share of different samples ("distinct") and the entropy of the policy in nats per token, the mean of its
    exact -log pi: of samples that are `drawn` already, or, without these or with few, of others."""
    if drawn is None or len(drawn.tokens) < SAMPLES:
        rng = torch.Generator(policy.output.weight.device).manual_seed(derive(seed, "health"))
        sampled = sample(policy, SAMPLES, rng=rng)
        drawn = Texts(sampled.tokens, sampled.labels)
    rows = Ragged.padded(*(part.cpu() for part in drawn.parts))
    distinct, entropy = len({tuple(row) for row in rows}) / len(rows), likelihood(policy, rows, drawn=True).per_token
    return distributed.broadcast({"distinct": distinct, "entropy": entropy})


def about_policy(now: Numbers, after_mle: Numbers, config: AdversarialConfig) -> dict[str, str]:
    """A warning where the policy collapses, by any sign: half as many different samples as after MLE, an entropy half a
    nat per token lower, a validation NLL .3 nats per token higher. A lower entropy is no sign where real text has
    become likelier as well: then the policy learns."""
    signs = {
        "distinct": now["distinct"] < DISTINCT_LEFT * after_mle["distinct"],
        "entropy": now["entropy"] < after_mle["entropy"] - ENTROPY_LOST and now["valid_nll"] > after_mle["valid_nll"],
        "valid_nll": now["valid_nll"] > after_mle["valid_nll"] + NLL_GAINED,
    }
    found = [f"{name} {now[name]:.2f}, after MLE {after_mle[name]:.2f}" for name, holds in signs.items() if holds]
    if not found:
        return {}
    remedies = [f"a --g-lr below {config.g_lr:g}"]
    remedies += ["--mle-weight 1"] if config.mle_weight < 1 else []
    remedies += ["--baseline prefix"] if isinstance(config, SeqGANConfig) and config.baseline != "prefix" else []
    ends = (
        "the phase ends here (--stop-on-collapse); --stage best and mle are policies from before"
        if config.stop_on_collapse
        else "--stop-on-collapse ends such a phase"
    )
    return {COLLAPSE: f"the policy collapses ({'; '.join(found)}): train again with {' or '.join(remedies)}; {ends}"}


def about_discriminator(now: Mapping[str, float], texts: int) -> dict[str, str]:
    """Warnings where a discriminator is always right on validation texts and samples, or worse than guessing. Of fewer
    than 20 `texts` none is given."""
    found = dict[str, str]()
    if texts < FEWEST:
        return found
    if now.get("valid_accuracy", 0.0) > SATURATED:
        found[SATURATION] = (
            f"the discriminator is nearly always right (valid_accuracy {now['valid_accuracy']:.3f}), so that samples "
            "score alike and the policy learns nothing from it: train again with a lower --d-lr or more --d-dropout"
        )
    for loss in ("valid_bce", "valid_d_loss"):
        if now.get(loss, 0.0) > GUESSING:
            found[NOISE] = (
                f"the discriminator is worse than guessing ({loss} {now[loss]:.3f}, guessing {GUESSING:.3f}), so that "
                "what the policy learns from it is mostly noise: train again with more text or more --d-dropout, or "
                "with a discriminator pre-trained for longer (--d-pretrain-rounds) or stopped early (--d-patience)"
            )
    return found
