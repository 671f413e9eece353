"""What a researcher may put in the place of our own parts, without touching them."""

from dataclasses import dataclass

from torch import Tensor

from seqgan.models.factory import MakeDiscriminator, MakePolicy
from seqgan.rewards import TextReward
from seqgan.rollout import Score


@dataclass(frozen=True)
class Components:
    """Each None stands for our own. Modules are given as functions of `(vocab_size, max_length)`, which are known only
    once the tokenizer is trained; they are called under the run's seed."""

    policy: MakePolicy | None = None
    discriminator: MakeDiscriminator | None = None  # tokens "B T" -> the logit of "real" "B"
    reward: "Score | TextReward | None" = None  # instead of a discriminator's word: tokens "B T" -> reward "B"
    start: dict[str, Tensor] | None = None  # weights of the policy to begin with


DEFAULTS = Components()
