"""Monte Carlo rollouts: a prefix is worth the mean score of its completions.

Yu et al. (2017), equation 4. All completions of all prefixes of all samples grow in one batch. They start from the
states that were kept while sampling, so no prefix is run twice, and there are T-1 sequential steps in all."""

import itertools
from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqgan.core.device import on_cpu
from seqgan.data.batches import Texts
from seqgan.models.policy import PolicyModule, Sampled
from seqgan.shapes import Labels, Rewards, Scores, Tokens
from seqgan.symbols import EOS, PAD

Score = Callable[..., Scores]  # of tokens "B T" and, where there are labels, of labels "B"
SCORED_TOKENS = 20_000  # as many tokens at a time as keep a discriminator's activations within some 100 MB


class Completions(NamedTuple):
    """Finished sequences; those of one prefix stand together, shorter prefixes first."""

    tokens: Int[Tensor, "R T"]
    prefix: Int[Tensor, "R"]  # how many tokens were given
    sample: Int[Tensor, "R"]  # whose they were
    begun: list[int]  # those that were given g tokens are the rows begun[g-1] .. begun[g] - 1
    labels: Int[Tensor, "R"] | None = None  # those of their samples

    @property
    def texts(self) -> Texts:
        return Texts(self.tokens, self.labels)


@runtime_checkable
class SharingScore(Protocol):
    """A score that saves work where completions share their beginning with a sample."""

    def __call__(self, tokens: Tokens, labels: Labels | None = None, /) -> Scores: ...
    def of_all(self, samples: Texts, finished: Completions) -> tuple[Scores, Float[Tensor, "R"]]:
        """The scores of the samples, and of the completions of their prefixes."""
        ...


@torch.no_grad()
def rollout_rewards(policy: PolicyModule, score: Score, sampled: Sampled, completions: int) -> Rewards:
    """Q(prefix, token): the expected score of the finished sequence, for every token of every sample.

    `rewards[b, t]` belongs to `tokens[b, :t+1]`. The token that ends a sequence (EOS, or the last at T) gets the
    score of the sequence itself, which needs no completion; what comes after it gets 0."""
    tokens, mask, _, labels = sampled
    rewards = torch.zeros(mask.shape, device=tokens.device)
    finished = complete(policy, sampled, completions)
    whole, values = scored(score, Texts(tokens, labels), finished)
    means = values.view(-1, completions).mean(dim=1)
    rewards[finished.sample[::completions], finished.prefix[::completions] - 1] = means
    rewards[torch.arange(len(tokens), device=tokens.device), mask.sum(dim=1) - 1] = whole
    return rewards * mask


@torch.no_grad()
def complete(
    policy: PolicyModule, sampled: Sampled, completions: int, *, drop_ended: bool | None = None
) -> Completions:
    """Finish every prefix `completions` times.

    On a CPU, prefixes and completions that have ended leave the batch (`drop_ended`). On an accelerator all shapes stay
    fixed, since asking which have ended would wait for the device; what follows an end is drawn and thrown away."""
    tokens, mask, states, labels = sampled
    device, max_length = tokens.device, tokens.shape[1]
    drop_ended = on_cpu(tokens) if drop_ended is None else drop_ended
    # Shorter prefixes first: those of length t are the rows begun[t-1] .. begun[t] - 1.
    lengths, numbers = torch.arange(1, max_length, device=device), torch.arange(len(tokens), device=device)
    prefix, sample = torch.cartesian_prod(lengths, numbers).unbind(1)
    counts = [len(tokens)] * (max_length - 1)
    if drop_ended:
        going_on = mask[sample, prefix]
        prefix, sample, counts = prefix[going_on], sample[going_on], mask[:, 1:].sum(dim=0).tolist()
    begun = [0, *(completions * total for total in itertools.accumulate(counts))]
    prefix, sample = prefix.repeat_interleave(completions), sample.repeat_interleave(completions)
    finished = tokens[sample].masked_fill(torch.arange(max_length, device=device) >= prefix.unsqueeze(1), PAD)

    sampler = policy.sampler()
    under_way = torch.arange(0, device=device)  # rows, with the last token and the state before it
    token, state = tokens[:0, 0], tuple(part[0, :0] for part in states)
    for position in range(1, max_length):
        # Those under way take in their last token and draw the next one.
        if len(under_way):
            state = sampler.step(token, state)
            token = sampler.draw(state).squeeze(1)
        # The prefixes of this length join with the state they were left in: one softmax for all their completions.
        joining = torch.arange(begun[position - 1], begun[position], device=device)
        left = tuple(part[position, sample[joining[::completions]]] for part in states)
        first = sampler.draw(left, completions).flatten()
        under_way, token = torch.cat([under_way, joining]), torch.cat([token, first])
        state = tuple(
            torch.cat([old, new.repeat_interleave(completions, dim=0)]) for old, new in zip(state, left, strict=True)
        )
        before = finished[under_way, position - 1]
        token = token.masked_fill((before == EOS) | (before == PAD), PAD)
        finished[under_way, position] = token
        if drop_ended:
            goes_on = token != EOS
            under_way, token, state = under_way[goes_on], token[goes_on], tuple(part[goes_on] for part in state)
    return Completions(finished, prefix, sample, begun, None if labels is None else labels[sample])


def scored(score: Score, samples: Texts, finished: Completions) -> tuple[Scores, Float[Tensor, "R"]]:
    """The scores of the samples, and of the completions of their prefixes, as the score makes them fastest."""
    if isinstance(score, SharingScore):
        return score.of_all(samples, finished)
    return each_by_itself(score, samples, finished)


def each_by_itself(score: Score, samples: Texts, finished: Completions) -> tuple[Scores, Float[Tensor, "R"]]:
    """The scores of the samples, and of the completions of their prefixes, as of any texts."""
    return in_chunks(score, samples), in_chunks(score, finished.texts)


def in_chunks(score: Score, texts: Texts) -> Scores:
    """The scores of many sequences, some thousand tokens at a time, so that memory does not grow with the batch."""
    if not len(texts.tokens):
        return torch.zeros(0, device=texts.tokens.device)
    size = max(1, SCORED_TOKENS // texts.tokens.shape[1])
    return torch.cat([score(*chunk) for chunk in zip(*(part.split(size) for part in texts.parts), strict=True)])
