"""What a policy is: something that tells, after every prefix, how likely each next token is.

Sampling and rollouts need three functions of it (`Policy`). `PolicyModule` makes the rest of what training needs from
the same three, one token at a time: correct for any policy, and slow until it is overridden."""

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqgan.core.device import on_cpu
from seqgan.losses import Weights, weighted_nll
from seqgan.ops.chunks import cached_rows, rows_together
from seqgan.ops.inverse_cdf import inverse_cdf
from seqgan.sampling import draw, weights_of
from seqgan.shapes import Logits, LogProbs, Mask, Scalar, Token, Tokens
from seqgan.symbols import EOS, PAD, UNK

State = tuple[Tensor, ...]  # each "B ...": what the policy knows after a prefix


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

    vocab_size: int
    max_length: int

    def initial_state(self, count: int) -> State: ...
    def advance(self, token: Token, state: State) -> State: ...
    def logits(self, state: State) -> Logits: ...


DRAWN_TOGETHER = 1000  # sequences


class PolicyModule(nn.Module):
    """A policy that can be trained. Subclass it with the three functions of `Policy`, and it trains as it is.

    pi(token | prefix): PAD and BOS have no probability; UNK has one in text (`log_probs`) but is never drawn."""

    def __init__(self, vocab_size: int, max_length: int) -> None:
        super().__init__()
        self.vocab_size, self.max_length = vocab_size, max_length

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
        targets = targets_of(tokens, lowest)
        log_probs = -nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
        return log_probs.view_as(tokens).masked_fill(tokens == PAD, 0.0)

    def nll(self, tokens: Tokens, weights: Weights) -> Scalar:
        """The sum of `weights` * -log pi(token | all before it) over the tokens of text: a loss."""
        return self._nll(tokens, weights, lowest=UNK)

    def nll_drawn(self, tokens: Tokens, weights: Weights) -> Scalar:
        """The same for tokens drawn from the policy."""
        return self._nll(tokens, weights, lowest=EOS)

    def _nll(self, tokens: Tokens, weights: Weights, lowest: int) -> Scalar:
        return weighted_nll(self._log_probs(tokens, lowest), weights)

    def distributions(self, tokens: Tokens) -> Float[Tensor, "B T D"]:
        """log pi over all D tokens that can be drawn (EOS and up), after every prefix of the sequences."""
        return self.teacher_forced(tokens, EOS).log_softmax(dim=-1)

    @torch.no_grad()
    def fill_unknown(self, tokens: Tokens, rng: torch.Generator | None = None) -> Tokens:
        """Text in which the policy has written a word of its own in the place of every UNK.

        The policy never writes UNK, so a discriminator that saw it in real text would know real text by it alone."""
        return torch.cat([self._filled(some, rng) for some in tokens.split(rows_together(tokens, self.vocab_size))])

    def _filled(self, tokens: Tokens, rng: torch.Generator | None) -> Tokens:
        unknown = tokens == UNK
        if on_cpu(tokens):  # where they are is asked for there alone; elsewhere a word is drawn for every place
            written = _words(self.logits_before(tokens, unknown), rng) if bool(unknown.any()) else tokens
            return tokens.masked_scatter(unknown, written)
        return torch.where(unknown, _words(self.logits_before(tokens), rng).view_as(tokens), tokens)

    def logits_before(self, tokens: Tokens, where: Mask | None = None) -> Float[Tensor, "U V"]:
        """Scores of every id in the place of the tokens that are marked; if none are, in that of all."""
        scores = self.teacher_forced(tokens, 0)
        return scores.flatten(0, 1) if where is None else scores[where]

    def sampler(self, *, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> "Sampler":
        """What draws tokens with the weights as they are now. Override it where drawing can be made faster."""
        return Sampler(self, temperature, top_k, top_p)

    def sample(self, count: int) -> Sampled:
        """Draw sequences, keeping the state before every token for rollouts."""
        return sample(self, count, keep_states=True)


def _words(logits: Logits, rng: torch.Generator | None) -> Token:
    """Drawn tokens that end no text: one that is unknown stands in the middle of it."""
    return draw(logits[:, EOS + 1 :], rng=rng) + EOS + 1


def targets_of(tokens: Tokens, lowest: int) -> Tokens:
    """The classes of tokens where the ids from `lowest` up are told apart. Padding stands in for the lowest one: it
    counts for nothing in any sum."""
    return (tokens - lowest).clamp(min=0)


class Sampler:
    """Draws tokens from a policy whose weights stay as they are. This one asks any policy for its logits."""

    def __init__(self, policy: Policy, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> None:
        self.policy, self.temperature, self.top_k, self.top_p = policy, temperature, top_k, top_p

    def initial_state(self, count: int) -> State:
        return self.policy.initial_state(count)

    def advance(self, token: Token, state: State) -> State:
        return self.policy.advance(token, state)

    def weights(self, state: State) -> Float[Tensor, "B W"]:
        """What each id from EOS up weighs in the draw of the next token, up to a factor for each row."""
        return weights_of(self.policy.logits(state)[:, EOS:], self.temperature, self.top_k, self.top_p)

    def draw(self, state: State, each: int = 1, rng: torch.Generator | None = None) -> Int[Tensor, "B K"]:
        """The next token of every row, drawn `each` times; in chunks of rows whose weights stay in cache."""
        device = state[0].device
        uniform = torch.rand(len(state[0]), each, generator=rng, device=device)
        size = cached_rows(4 * self.policy.vocab_size, device)
        parts = (part.split(size) for part in (uniform, *state))
        chunks = [inverse_cdf(self.weights(tuple(some)), heights) for heights, *some in zip(*parts, strict=True)]
        # Weights may be padded, and NaN falls anywhere: no id beyond the vocabulary.
        return (torch.cat(chunks) + EOS).clamp(max=self.policy.vocab_size - 1)


@torch.no_grad()
def sample(
    policy: PolicyModule,
    count: int,
    *,
    keep_states: bool = False,
    prompt: Int[Tensor, "P"] | None = None,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    rng: torch.Generator | None = None,
) -> Sampled:
    """Draw sequences from a policy, each until EOS or the longest length, perhaps all after the same prompt.

    They are drawn some hundred at a time, so that memory is only needed for their tokens; where states are kept, which
    need far more, all together."""
    sampler = policy.sampler(temperature=temperature, top_k=top_k, top_p=top_p)
    counts = [count] if keep_states else [min(DRAWN_TOGETHER, count - done) for done in range(0, count, DRAWN_TOGETHER)]
    parts = [_drawn(sampler, each, policy.max_length, keep_states, prompt, rng) for each in counts]
    tokens, states = torch.cat([tokens for tokens, _ in parts]), parts[0][1]
    stacked = tuple(torch.stack(several) for several in zip(*states, strict=True))
    return Sampled(tokens, tokens != PAD, stacked)


def _drawn(
    sampler: Sampler,
    count: int,
    max_length: int,
    keep_states: bool,
    prompt: Int[Tensor, "P"] | None,
    rng: torch.Generator | None,
) -> tuple[Tokens, list[State]]:
    state = sampler.initial_state(count)
    device = state[0].device
    tokens = torch.full((count, max_length), PAD, device=device)
    ended = torch.zeros(count, dtype=torch.bool, device=device)
    states: list[State] = []
    for position in range(max_length):
        if keep_states:
            states.append(state)
        if prompt is not None and position < len(prompt):
            token = prompt[position].expand(count)
        else:
            token = sampler.draw(state, rng=rng).squeeze(1)
        token = token.masked_fill(ended, PAD)
        tokens[:, position] = token
        ended |= token == EOS
        if position + 1 < max_length:
            state = sampler.advance(token, state)
    return tokens, states
