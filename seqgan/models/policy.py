"""What a policy is: something that tells, after every prefix, how likely each next token is.

Sampling and rollouts need three functions of it (`Policy`). `PolicyModule` makes the rest of what training needs from
the same three, one token at a time: correct for any policy, and slow until it is overridden."""

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqgan.data.symbols import EOS, PAD, UNK
from seqgan.sampling import draw
from seqgan.shapes import Logits, LogProbs, Mask, Token, Tokens

State = tuple[Tensor, ...]  # each "B ...": what the policy knows after a prefix
CACHED_LOGITS = 2_000_000  # as many logits at a time as stay in a processor's cache (8 MB)


class Sampled(NamedTuple):
    """Sequences a policy drew, and what it knew before each token."""

    tokens: Tokens
    mask: Mask  # True up to and with EOS
    # Each "T B ...": states[k][t] belongs to the prefix of length t, and tokens[:, t] was drawn from it. Empty where
    # nobody asked to keep them.
    states: State


@runtime_checkable
class Policy(Protocol):
    """What sampling and rollouts need of a generator."""

    vocabulary: int
    longest: int

    def initial_state(self, count: int) -> State: ...
    def advance(self, token: Token, state: State) -> State: ...
    def logits(self, state: State) -> Logits: ...


class PolicyModule(nn.Module):
    """A policy that can be trained. Subclass it with the three functions of `Policy`, and it trains as it is.

    pi(token | prefix): PAD and BOS have no probability; UNK has one in text (`log_probs`) but is never drawn."""

    def __init__(self, vocabulary: int, longest: int) -> None:
        super().__init__()
        self.vocabulary, self.longest = vocabulary, longest

    def initial_state(self, count: int) -> State:
        """What is known before the first token of `count` sequences: tensors "B ...", on the policy's device."""
        raise NotImplementedError

    def advance(self, token: Token, state: State) -> State:
        """The state after one more token (where a sequence has ended it is PAD, and what comes of it is unused)."""
        raise NotImplementedError

    def logits(self, state: State) -> Logits:
        """Scores of every id as the next token; only those from EOS up may be drawn."""
        raise NotImplementedError

    def teacher_forced(self, tokens: Tokens, lowest: int) -> Float[Tensor, "B T D"]:
        """Scores of the ids from `lowest` up, before every token of whole sequences. Override it where it can be had
        faster than one token at a time."""
        state = self.initial_state(len(tokens))
        scores = [self.logits(state)[:, lowest:]]
        for token in tokens[:, :-1].unbind(dim=1):
            state = self.advance(token, state)
            scores.append(self.logits(state)[:, lowest:])
        return torch.stack(scores, dim=1)

    def log_probs(self, tokens: Tokens) -> LogProbs:
        """log pi(token | all before it) of text, teacher-forced; 0 at padding."""
        return self._log_probs(tokens, lowest=UNK)

    def log_probs_drawn(self, tokens: Tokens) -> LogProbs:
        """The same for tokens drawn from the policy, which never draws UNK: the distribution that REINFORCE follows."""
        return self._log_probs(tokens, lowest=EOS)

    def _log_probs(self, tokens: Tokens, lowest: int) -> LogProbs:
        logits = self.teacher_forced(tokens, lowest)
        # Padding stands in for the lowest id and then counts as certain: it adds nothing to any sum.
        targets = (tokens - lowest).clamp(min=0)
        log_probs = -nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
        return log_probs.view_as(tokens).masked_fill(tokens == PAD, 0.0)

    def distributions(self, tokens: Tokens) -> Float[Tensor, "B T D"]:
        """log pi over all D tokens that can be drawn (EOS and up), after every prefix of the sequences."""
        return self.teacher_forced(tokens, EOS).log_softmax(dim=-1)

    @torch.no_grad()
    def fill_unknown(self, tokens: Tokens, rng: torch.Generator | None = None) -> Tokens:
        """Text in which the policy has written a word of its own in the place of every UNK.

        The policy never writes UNK, so a discriminator that saw it in real text would know real text by it alone."""
        unknown = tokens == UNK
        filled = tokens.clone()
        logits = self.logits_before(tokens, unknown)
        filled[unknown] = draw(logits[:, EOS + 1 :], rng=rng) + EOS + 1  # no end in the middle of a text
        return filled

    def logits_before(self, tokens: Tokens, where: Mask) -> Float[Tensor, "U V"]:
        """Scores of every id in the place of the tokens that are marked."""
        return self.teacher_forced(tokens, 0)[where]

    def sample(self, count: int) -> Sampled:
        """Draw sequences, keeping the state before every token for rollouts."""
        return sample(self, count, keep_states=True)


def draw_next(
    policy: Policy,
    state: State,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    rng: torch.Generator | None = None,
) -> Token:
    """The next token of every row, drawn in chunks whose logits stay in cache."""
    size = max(1, CACHED_LOGITS // policy.vocabulary)
    chunks = [tuple(part[start : start + size] for part in state) for start in range(0, len(state[0]), size)]
    options = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    drawn = [draw(policy.logits(chunk)[:, EOS:], rng=rng, **options) for chunk in chunks]  # type: ignore[arg-type]
    return torch.cat(drawn) + EOS


@torch.no_grad()
def sample(
    policy: Policy,
    count: int,
    *,
    keep_states: bool = False,
    prompt: Int[Tensor, "P"] | None = None,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    rng: torch.Generator | None = None,
) -> Sampled:
    """Draw sequences from a policy, each until EOS or the longest length, perhaps all after the same prompt."""
    state = policy.initial_state(count)
    device = state[0].device
    tokens = torch.full((count, policy.longest), PAD, device=device)
    ended = torch.zeros(count, dtype=torch.bool, device=device)
    states: list[State] = []
    for position in range(policy.longest):
        if keep_states:
            states.append(state)
        if prompt is not None and position < len(prompt):
            token = prompt[position].expand(count)
        else:
            token = draw_next(policy, state, temperature=temperature, top_k=top_k, top_p=top_p, rng=rng)
        token = token.masked_fill(ended, PAD)
        tokens[:, position] = token
        ended |= token == EOS
        if position + 1 < policy.longest:
            state = policy.advance(token, state)
    stacked = tuple(torch.stack(parts) for parts in zip(*states, strict=True))
    return Sampled(tokens, tokens != PAD, stacked)
