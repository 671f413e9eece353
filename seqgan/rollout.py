"""Monte Carlo rollouts: a prefix is worth the mean score of its completions.

Yu et al. (2017), equation 4. All completions of all prefixes of all samples grow in one batch. They start from the
states that were kept while sampling, so no prefix is run twice, and there are T-1 sequential steps in all."""

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor

from seqgan.data.symbols import EOS, PAD
from seqgan.models.generator import Policy, Sampled, draw_next
from seqgan.shapes import Rewards, Scores, Tokens

Score = Callable[[Tokens], Scores]
SCORED_TOKENS = 20_000  # as many tokens at a time as keep a discriminator's activations within some 100 MB


@torch.no_grad()
def rollout_rewards(policy: Policy, score: Score, sampled: Sampled, completions: int) -> Rewards:
    """Q(prefix, token): the expected score of the finished sequence, for every token of every sample.

    `rewards[b, t]` belongs to `tokens[b, :t+1]`. The token that ends a sequence (EOS, or the last at T) gets the
    score of the sequence itself, which needs no completion; what comes after it gets 0."""
    tokens, mask, _ = sampled
    rewards = torch.zeros(mask.shape, device=tokens.device)
    whole = in_chunks(score, tokens)
    if completions and tokens.shape[1] > 1:
        finished, prefix, row = complete(policy, sampled, completions)
        scores = in_chunks(score, finished)
        rewards.index_put_((row, prefix - 1), scores.to(rewards.dtype) / completions, accumulate=True)
    last = mask.sum(dim=1) - 1
    rewards[torch.arange(len(tokens), device=tokens.device), last] = whole.to(rewards.dtype)
    return rewards * mask


@torch.no_grad()
def complete(
    policy: Policy, sampled: Sampled, completions: int, *, drop_ended: bool | None = None
) -> tuple[Int[Tensor, "R T"], Int[Tensor, "R"], Int[Tensor, "R"]]:
    """Finish every prefix `completions` times: the finished sequences, and of each its prefix length and its sample.

    On a CPU, prefixes and completions that have ended leave the batch (`drop_ended`). On a GPU all shapes stay fixed,
    since asking which have ended would wait for the device; what follows an end is then drawn and thrown away."""
    tokens, mask, states = sampled
    count, longest = tokens.shape
    drop_ended = not tokens.is_cuda if drop_ended is None else drop_ended
    # Prefixes of 1 .. T-1 tokens, shorter ones first, so that those under way are always the first rows.
    goes_on = mask[:, 1:].t() if drop_ended else torch.ones_like(mask[:, 1:].t())
    prefix, row = (index.repeat_interleave(completions) for index in goes_on.nonzero(as_tuple=True))
    prefix = prefix + 1
    finished = tokens[row].masked_fill(torch.arange(longest, device=tokens.device) >= prefix.unsqueeze(1), PAD)
    begun = (
        [0, *(goes_on.sum(dim=1).cumsum(dim=0) * completions).tolist()]
        if drop_ended
        else [t * count * completions for t in range(longest)]
    )
    live = torch.arange(0, device=tokens.device)
    last = tokens[:0, 0]
    state = tuple(part[0, :0] for part in states)
    for position in range(1, longest):
        # Those under way take in their last token; the prefixes of this length join with the state they were left in.
        fresh = torch.arange(begun[position - 1], begun[position], device=tokens.device)
        state = policy.advance(last, state) if len(live) else state
        state = tuple(torch.cat([old, part[position, row[fresh]]]) for old, part in zip(state, states, strict=True))
        live = torch.cat([live, fresh])
        if not len(live):
            continue
        ended_before = finished[live, position - 1]
        ended = (ended_before == EOS) | (ended_before == PAD)
        last = draw_next(policy, state).masked_fill(ended, PAD)
        finished[live, position] = last
        if drop_ended:
            goes = last != EOS
            live, last, state = live[goes], last[goes], tuple(part[goes] for part in state)
    return finished, prefix, row


def in_chunks(score: Score, tokens: Tokens) -> Scores:
    """The scores of many sequences, some thousand tokens at a time, so that memory does not grow with the batch."""
    return torch.cat([score(chunk) for chunk in tokens.split(max(1, SCORED_TOKENS // tokens.shape[1]))])
