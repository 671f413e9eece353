"""Custom rewards: a function of texts, or of tokens, in the place of a discriminator."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from seqgan.core.game import inference
from seqgan.errors import UsageError
from seqgan.models.policy import Sampled
from seqgan.rollout import Score
from seqgan.shapes import Labels, Rewards, Scores, Tokens


class TextReward:
    """A reward of texts, before it is known how tokens become texts."""

    def __init__(self, function: Callable[[Sequence[str]], Sequence[float]]) -> None:
        self.function = function

    def on_tokens(self, decode: Callable[[Sequence[Sequence[int]]], list[str]]) -> Score:
        def score(tokens: Tokens, labels: Labels | None = None) -> Scores:
            texts = decode(tokens.tolist())
            with _inference_of(self.function):
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


def score_of(reward: "Score | TextReward", decode: Callable[[Sequence[Sequence[int]]], list[str]]) -> Score:
    """A reward of finished sequences as a score of their tokens."""
    return validated(reward.on_tokens(decode) if isinstance(reward, TextReward) else reward)


def validated(reward: Score) -> Score:
    """A custom reward without a gradient and, if it is a module, in eval mode; refused where it is not one number for
    each sequence.

    Raises:
        UsageError: it gives another shape."""

    def score(tokens: Tokens, labels: Labels | None = None) -> Scores:
        with _inference_of(reward):
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


class DenseReward:
    """A custom reward of every token: it needs no rollouts."""

    def __init__(self, function: Callable[[Tokens], Rewards]) -> None:
        self.function = function

    def __call__(self, sampled: Sampled) -> Rewards:
        with _inference_of(self.function):
            rewards = self.function(sampled.tokens)
        if not isinstance(rewards, Tensor) or rewards.shape != sampled.tokens.shape:
            came = tuple(rewards.shape) if isinstance(rewards, Tensor) else type(rewards).__name__
            raise UsageError(f"the reward gave {came}; a number for each of {tuple(sampled.tokens.shape)} was expected")
        return rewards.to(sampled.tokens.device, torch.float32) * sampled.mask


def dense(function: Callable[[Tokens], Rewards]) -> DenseReward:
    """Use a function from tokens "B T" to a number for each as the reward: what the token earns, and all that comes of
    it. Padding earns nothing. No prefix is completed."""
    return DenseReward(function)


def _inference_of(function: Callable[..., object]) -> AbstractContextManager[object]:
    """`inference` for a function that is a module, or a method of one."""
    owner = getattr(function, "__self__", function)
    return inference(owner) if isinstance(owner, nn.Module) else torch.no_grad()
