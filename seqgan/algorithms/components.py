"""What a researcher may put in the place of the components that are there, without touching them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from seqgan.models.factory import MakeDiscriminator, MakePolicy
from seqgan.rewards.builtin import LanguageModel
from seqgan.rewards.custom import DenseReward, TextReward
from seqgan.rollout import Score


@dataclass(frozen=True)
class Components:
    """None stands for what the config names. Modules are given as functions of `(vocab_size, max_length)`, which are
    known only once the tokenizer is trained; they are called under the run's seed."""

    policy: MakePolicy | None = None
    discriminator: MakeDiscriminator | None = None  # tokens "B T" -> the logit of "real" "B"
    # In the place of the rewards of the config: a function of tokens "B T" -> "B", one of texts, or one of every token.
    reward: "Score | TextReward | DenseReward | None" = None
    start: dict[str, Tensor] | None = None  # weights of the policy to begin with
    models: Mapping[str, LanguageModel] = field(default_factory=dict)  # of the rewards lm:RUN, by the run


DEFAULTS = Components()
