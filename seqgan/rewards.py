"""From what a discriminator says to what a token earns: scores, controls, baselines."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqgan.core import distributed
from seqgan.errors import UsageError
from seqgan.models.cnn import CNNDiscriminator
from seqgan.ops.table_scores import prefix_scores, tables_pay
from seqgan.rollout import Completions, Score, each_by_itself
from seqgan.shapes import Mask, Rewards, Scores, Tokens

Kind = Literal["probability", "log-odds"]
Baseline = Literal["none", "batch", "prefix"]
Control = Literal["none", "constant", "shuffled"]

LARGEST_LOG_ODDS = 8.0


class TextReward:
    """A reward of texts, before it is known how tokens become texts."""

    def __init__(self, function: Callable[[Sequence[str]], Sequence[float]]) -> None:
        self.function = function

    def on_tokens(self, decode: Callable[[Sequence[Sequence[int]]], list[str]]) -> Score:
        def score(tokens: Tokens) -> Scores:
            texts = decode(tokens.tolist())
            with judged_by(self.function):
                given = self.function(texts)
            try:
                rewards = torch.as_tensor(given, dtype=torch.float32, device="cpu")
            except (TypeError, ValueError, RuntimeError, OverflowError) as error:
                raise UsageError(
                    f"the reward gave {str(given)[:60]!r} for {len(texts)} texts; numbers were expected"
                ) from error
            one_each(rewards, tokens)
            if not rewards.isfinite().all():
                wrong = int(rewards.isfinite().logical_not().nonzero()[0])
                raise UsageError(f"the reward gave {rewards[wrong]:g} for {texts[wrong]!r:.60}; a number was expected")
            return rewards.to(tokens.device)

        return score


def on_text(function: Callable[[Sequence[str]], Sequence[float]]) -> TextReward:
    """Use a function from texts to numbers, one for each text, as the reward of a training.

    It is called on finished texts (samples, and completions of their prefixes), thousands at a time; a token earns the
    mean over the completions of its prefix (Yu et al. 2017, equation 4). Any scale will do where advantages are
    normalised, as in the default preset. What it gives that is not one number a text is a UsageError."""
    return TextReward(function)


def checked(reward: Score) -> Score:
    """Someone else's reward, without a gradient and, if a module gives it, without dropout; refused where it is not one
    number for each sequence.

    Raises:
        UsageError: it gives another shape."""

    def score(tokens: Tokens) -> Scores:
        with judged_by(reward):
            return one_each(reward(tokens), tokens).to(tokens.device, torch.float32)

    return score


def one_each(rewards: Any, tokens: Tokens) -> Tensor:
    """Rewards as they should be.

    Raises:
        UsageError: they are not one number for each sequence."""
    if not isinstance(rewards, Tensor) or rewards.shape != tokens.shape[:1]:
        came = tuple(rewards.shape) if isinstance(rewards, Tensor) else type(rewards).__name__
        raise UsageError(
            f"the reward gave {came} for {len(tokens)} sequences; a tensor of one number each was expected"
        )
    return rewards


@contextmanager
def judging(module: nn.Module) -> Iterator[nn.Module]:
    """A module that only judges: dropout off, no gradient; afterwards it and its parts are as they were."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            yield module
    finally:
        for part, learning in modes:
            part.training = learning


def judged_by(function: Callable[..., object]) -> AbstractContextManager[object]:
    """`judging` for a function that is a module, or a method of one."""
    owner = getattr(function, "__self__", function)
    return judging(owner) if isinstance(owner, nn.Module) else torch.no_grad()


class DiscriminatorReward:
    """A discriminator's word in the form that is paid: P(real), or log P(real) / P(generated) within +-8.

    With an optimal discriminator the log-odds are log p_data / p_policy, so that REINFORCE descends the reverse KL."""

    def __init__(self, discriminator: Callable[[Tokens], Scores], kind: Kind) -> None:
        self.discriminator, self.kind = discriminator, kind

    def __call__(self, tokens: Tokens) -> Scores:
        return self.paid(self.discriminator(tokens))

    def of_all(self, samples: Tokens, finished: Completions) -> tuple[Scores, Float[Tensor, "R"]]:
        """The rewards of samples and of completions of their prefixes, which our own discriminator finds faster."""
        own = self.discriminator
        # A subclass may judge otherwise: it takes the general path, as anyone's own module does.
        if type(own) is CNNDiscriminator and tables_pay(own.embedding.num_embeddings, finished.tokens):
            parts = own.embedding, own.filters, own.classify
            scores = prefix_scores(*parts, samples, finished.tokens, finished.begun, finished.sample)
        else:
            scores = each_by_itself(own, samples, finished)
        return self.paid(scores[0]), self.paid(scores[1])

    def paid(self, logits: Scores) -> Scores:
        if self.kind == "probability":
            return logits.sigmoid()
        return logits.clamp(-LARGEST_LOG_ODDS, LARGEST_LOG_ODDS)


def controlled(rewards: Rewards, mask: Mask, control: Control) -> Rewards:
    """Rewards from which the discriminator's word was taken away, to see what training does without it.

    "constant" pays every token 1. "shuffled" pays each sequence what another one earned, never its own (at least two
    are needed); a donor that is shorter goes on with its last reward."""
    if control == "constant":
        return mask.to(rewards.dtype)
    if control == "shuffled":
        ends = (mask.sum(dim=1, keepdim=True) - 1).clamp(min=0)
        places = torch.arange(mask.shape[1], device=mask.device)
        earned = distributed.all_gather(rewards.gather(1, places.minimum(ends)))
        distance = distributed.broadcast(torch.randint(1, len(earned), (1,), device=rewards.device))
        donors = (torch.arange(len(earned), device=rewards.device) + distance.to(rewards.device)) % len(earned)
        return earned[donors[distributed.shard(len(earned))]] * mask
    return rewards


def advantages(rewards: Rewards, mask: Mask, baseline: Baseline, *, normalize_advantage: bool) -> Rewards:
    """How much better each token was than expected; the expectation must not depend on the token itself.

    "batch" expects the mean of the other samples at the same position. "prefix" expects what the rollouts from the
    prefix before the token gave, Q(x_1..t) - Q(x_1..t-1): they were made anyway and have not seen the token. The first
    token has no prefix and is measured against the batch. Normalised advantages have unit mean square, whatever the
    scale of the rewards; where all are as expected, they are 0."""
    centred = rewards
    if baseline != "none":
        centred = _difference(rewards, leave_one_out(rewards, mask))
    if baseline == "prefix":
        centred = torch.cat([centred[:, :1], _difference(rewards[:, 1:], rewards[:, :-1])], dim=1)
    centred = centred * mask
    if normalize_advantage:
        size = (distributed.all_reduce_sum(centred.square().sum()) / distributed.all_reduce_sum(mask.sum())).sqrt()
        centred = centred / size.clamp(min=torch.finfo(size.dtype).tiny ** 0.5)
    return centred


def _difference(reward: Rewards, expected: Rewards) -> Rewards:
    """What is left of a reward; exactly 0 where equal scores, rounded, could have left as much: divided by its own
    size, rounding would be as large as anything that is learned from."""
    left = reward - expected
    rounding = 4 * torch.finfo(left.dtype).eps * torch.maximum(reward.abs(), expected.abs())
    return left.masked_fill(left.abs() <= rounding, 0.0)


def leave_one_out(rewards: Rewards, mask: Mask) -> Rewards:
    """The mean reward of the other samples that have this position; the sample's own where there is no other."""
    present = distributed.all_reduce_sum(mask.sum(dim=0))
    others = (distributed.all_reduce_sum((rewards * mask).sum(dim=0)) - rewards) / (present - 1).clamp(min=1)
    return torch.where(present > 1, others, rewards)
