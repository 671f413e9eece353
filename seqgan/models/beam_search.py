"""Beam search: the likeliest texts that a policy can write, rather than draws from it."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from seqgan.models.policy import PolicyModule
from seqgan.symbols import EOS


class Hypothesis(NamedTuple):
    """A sequence that the search has found."""

    ids: list[int]
    log_prob: float  # of what follows the prompt, in nats
    per_token: float


@torch.no_grad()
def beam_search(
    policy: PolicyModule, beams: int, prompt: Sequence[int] = (), labels: Int[Tensor, "1"] | None = None
) -> list[Hypothesis]:
    """At most `beams` sequences that continue the prompt, under one label where the policy is conditioned on labels;
    the likeliest per token first.

    In every step the `beams` likeliest prefixes of all one-token continuations are kept (Graves 2012); a prefix that
    ends leaves the beam. Finished sequences are ranked by log-probability per token, since the sum prefers short
    ones. The policy never writes UNK. Deterministic: ties fall to the lower id."""
    state = policy.begin(1, labels)
    for token in prompt:
        state = policy.read(torch.tensor([token], device=state[0].device), state)
    prefixes: list[list[int]] = [[]]
    scores = state[0].new_zeros(1)
    finished: list[Hypothesis] = []
    for position in range(len(prompt), policy.max_length):
        log_probs = policy.logits(policy.features_of(state)).log_softmax(dim=-1)
        totals = scores.unsqueeze(1) + log_probs
        width = totals.shape[1]
        # EOS of every prefix may be among the best, beside as many prefixes that go on.
        order = totals.flatten().sort(descending=True, stable=True).indices[: beams + len(prefixes)].tolist()
        lowest = policy.lowest_drawn
        best = [(totals.flatten()[index].item(), index // width, index % width + lowest) for index in order]
        ended = [(score, row) for score, row, token in best if token == EOS]
        finished += [_hypothesis(prompt, [*prefixes[row], EOS], score) for score, row in ended]
        going = [(score, row, token) for score, row, token in best if token != EOS][:beams]
        if not going:
            break
        prefixes = [[*prefixes[row], token] for _, row, token in going]
        scores = torch.tensor([score for score, _, _ in going], dtype=totals.dtype, device=totals.device)
        if position + 1 == policy.max_length:
            finished += [
                _hypothesis(prompt, prefix, score) for prefix, score in zip(prefixes, scores.tolist(), strict=True)
            ]
            break
        rows = torch.tensor([row for _, row, _ in going], device=totals.device)
        tokens = torch.tensor([token for _, _, token in going], device=totals.device)
        state = policy.read(tokens, tuple(part[rows] for part in state))
    return sorted(finished, key=lambda found: -found.per_token)[:beams]


def _hypothesis(prompt: Sequence[int], ids: list[int], log_prob: float) -> Hypothesis:
    return Hypothesis([*prompt, *ids], log_prob, log_prob / len(ids))
