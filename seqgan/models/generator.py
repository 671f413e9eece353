"""The policy: an LSTM language model that is trained on whole sequences and sampled one token at a time.

Yu et al. (2017), section 3 and appendix: embedding -> LSTM -> logits, weights from N(0, 0.1), start token fed first."""

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqgan.data.symbols import BOS, EOS, PAD, UNK
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


class Generator(nn.Module):
    """pi(token | prefix). PAD and BOS have no probability; UNK has one in text (`log_probs`) but is never drawn."""

    def __init__(
        self,
        vocabulary: int,
        longest: int,
        embedding_dim: int = 32,
        hidden_dim: int = 32,
        *,
        tied: bool = False,
        dropout: float = 0.0,
        init_std: float = 0.1,
    ) -> None:
        super().__init__()
        self.vocabulary, self.longest = vocabulary, longest
        self.embedding = nn.Embedding(vocabulary, embedding_dim)
        self.dropout = nn.Dropout(dropout)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim, batch_first=True)
        # Tied (Press and Wolf 2017): a token is written with the vector it is read with, so few texts teach it faster.
        self.projection = nn.Linear(hidden_dim, embedding_dim) if tied else nn.Identity()
        self.output = nn.Linear(embedding_dim if tied else hidden_dim, vocabulary)
        if tied:
            self.output.weight = self.embedding.weight
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=init_std)
        # torch adds two biases where the paper's cell has one: the second stays zero.
        _, _, _, second_bias = self.lstm.all_weights[0]
        nn.init.zeros_(second_bias)
        second_bias.requires_grad_(False)

    def log_probs(self, tokens: Tokens) -> LogProbs:
        """log pi(token | all before it) of text, teacher-forced; 0 at padding."""
        return self._log_probs(tokens, lowest=UNK)

    def log_probs_drawn(self, tokens: Tokens) -> LogProbs:
        """The same for tokens drawn from the policy, which never draws UNK: the distribution that REINFORCE follows."""
        return self._log_probs(tokens, lowest=EOS)

    def _log_probs(self, tokens: Tokens, lowest: int) -> LogProbs:
        logits = self._teacher_forced(tokens, lowest)
        # Padding stands in for the lowest id and then counts as certain: it adds nothing to any sum.
        targets = (tokens - lowest).clamp(min=0)
        log_probs = -nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
        return log_probs.view_as(tokens).masked_fill(tokens == PAD, 0.0)

    def distributions(self, tokens: Tokens) -> Float[Tensor, "B T D"]:
        """log pi over all D tokens that can be drawn (EOS and up), after every prefix of the sequences."""
        return self._teacher_forced(tokens, EOS).log_softmax(dim=-1)

    def _teacher_forced(self, tokens: Tokens, lowest: int) -> Float[Tensor, "B T D"]:
        features = self.dropout(self.projection(self._hidden(tokens)))
        return nn.functional.linear(features, self.output.weight[lowest:], self.output.bias[lowest:])

    def _hidden(self, tokens: Tokens) -> Float[Tensor, "B T H"]:
        """The LSTM's output before every token, with BOS fed first."""
        fed = torch.cat([torch.full_like(tokens[:, :1], BOS), tokens[:, :-1]], dim=1)
        hidden, _ = self.lstm(self.dropout(self.embedding(fed)))
        return hidden

    @torch.no_grad()
    def fill_unknown(self, tokens: Tokens, rng: torch.Generator | None = None) -> Tokens:
        """Text in which the policy has written a word of its own in the place of every UNK.

        The policy never writes UNK, so a discriminator that saw it in real text would know real text by it alone."""
        unknown = tokens == UNK
        logits = self.output(self.projection(self._hidden(tokens)[unknown]))
        filled = tokens.clone()
        filled[unknown] = draw(logits[:, EOS + 1 :], rng=rng) + EOS + 1  # no end in the middle of a text
        return filled

    def initial_state(self, count: int) -> State:
        """What the policy knows before the first token: it has been fed BOS."""
        zeros = self.output.weight.new_zeros(count, self.lstm.hidden_size)
        return self.advance(torch.full((count,), BOS, device=zeros.device), (zeros, zeros))

    def advance(self, token: Token, state: State) -> State:
        """The state after one more token: the cell of `nn.LSTM`, one step. No dropout: this is for sampling."""
        hidden, cell = state
        input_weight, recurrent_weight, bias, _ = self.lstm.all_weights[0]
        gates = nn.functional.linear(self.embedding(token), input_weight, bias)
        input, forget, candidate, output = torch.addmm(gates, hidden, recurrent_weight.t()).chunk(4, dim=1)
        cell = forget.sigmoid() * cell + input.sigmoid() * candidate.tanh()
        return output.sigmoid() * cell.tanh(), cell

    def logits(self, state: State) -> Logits:
        """Scores of every id as the next token; only those from EOS up may be drawn."""
        return self.output(self.projection(state[0]))

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
