"""Monte Carlo rollouts: a prefix is worth the mean score of its completions.

Yu et al. (2017), equation 4. All completions of all prefixes of all samples grow in one batch. They start from the
states that were kept while sampling, so no prefix is run twice, and there are T-1 sequential steps in all."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from seqgan.data.symbols import EOS, PAD
from seqgan.models.policy import Policy, Sampled, draw_next
from seqgan.shapes import Rewards, Scores, Tokens

Score = Callable[[Tokens], Scores]
SCORED_TOKENS = 20_000  # as many tokens at a time as keep a discriminator's activations within some 100 MB


class Completions(NamedTuple):
    """Finished sequences; those of one prefix stand together."""

    tokens: Int[Tensor, "R T"]
    prefix: Int[Tensor, "R"]  # how many tokens were given
    sample: Int[Tensor, "R"]  # whose they were


@torch.no_grad()
def rollout_rewards(policy: Policy, score: Score, sampled: Sampled, completions: int) -> Rewards:
    """Q(prefix, token): the expected score of the finished sequence, for every token of every sample.

    `rewards[b, t]` belongs to `tokens[b, :t+1]`. The token that ends a sequence (EOS, or the last at T) gets the
    score of the sequence itself, which needs no completion; what comes after it gets 0."""
    tokens, mask, _ = sampled
    rewards = torch.zeros(mask.shape, device=tokens.device)
    if tokens.shape[1] > 1:
        finished = complete(policy, sampled, completions)
        values = in_chunks(score, finished.tokens).view(-1, completions).mean(dim=1)
        rewards[finished.sample[::completions], finished.prefix[::completions] - 1] = values
    last = mask.sum(dim=1) - 1
    rewards[torch.arange(len(tokens), device=tokens.device), last] = in_chunks(score, tokens)
    return rewards * mask


@torch.no_grad()
def complete(policy: Policy, sampled: Sampled, completions: int, *, drop_ended: bool | None = None) -> Completions:
    """Finish every prefix `completions` times.

    On a CPU, prefixes and completions that have ended leave the batch (`drop_ended`). On a GPU all shapes stay fixed,
    since asking which have ended would wait for the device; what follows an end is then drawn and thrown away."""
    tokens, mask, states = sampled
    device, longest = tokens.device, tokens.shape[1]
    drop_ended = not tokens.is_cuda if drop_ended is None else drop_ended
    # Shorter prefixes first: those of length t are the rows begun[t-1] .. begun[t] - 1.
    prefix, sample = torch.cartesian_prod(torch.arange(1, longest), torch.arange(len(tokens))).to(device).unbind(1)
    counts = [len(tokens)] * (longest - 1)
    if drop_ended:
        going_on = mask[sample, prefix]
        prefix, sample, counts = prefix[going_on], sample[going_on], mask[:, 1:].sum(dim=0).tolist()
    begun = [0, *(completions * total for total in itertools.accumulate(counts))]
    prefix, sample = prefix.repeat_interleave(completions), sample.repeat_interleave(completions)
    finished = tokens[sample].masked_fill(torch.arange(longest, device=device) >= prefix.unsqueeze(1), PAD)

    under_way = torch.arange(0, device=device)  # rows, with the last token and the state of each
    token, state = tokens[:0, 0], tuple(part[0, :0] for part in states)
    for position in range(1, longest):
        # Those under way take in their last token; the prefixes of this length join with the state they were left in.
        joining = torch.arange(begun[position - 1], begun[position], device=device)
        state = policy.advance(token, state) if len(under_way) else state
        state = tuple(torch.cat([old, new[position, sample[joining]]]) for old, new in zip(state, states, strict=True))
        under_way = torch.cat([under_way, joining])
        if not len(under_way):
            continue
        before = finished[under_way, position - 1]
        token = draw_next(policy, state).masked_fill((before == EOS) | (before == PAD), PAD)
        finished[under_way, position] = token
        if drop_ended:
            goes_on = token != EOS
            under_way, token, state = under_way[goes_on], token[goes_on], tuple(part[goes_on] for part in state)
    return Completions(finished, prefix, sample)


def in_chunks(score: Score, tokens: Tokens) -> Scores:
    """The scores of many sequences, some thousand tokens at a time, so that memory does not grow with the batch."""
    return torch.cat([score(chunk) for chunk in tokens.split(max(1, SCORED_TOKENS // tokens.shape[1]))])
