"""What a policy is: features of what has been read so far, and one linear layer from them to the next token.

A subclass reads tokens one at a time; `PolicyModule` makes all else of that, for every policy alike: teacher forcing,
the fused loss, sampling, and relaxed samples. It alone decides which ids may be drawn, and feeds BOS first.

A policy may be conditioned on a label of each text: then pi(token | prefix, label), for every policy alike."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seqgan.core.device import on_cpu
from seqgan.errors import UsageError
from seqgan.losses import Weights
from seqgan.models import soft
from seqgan.ops.chunks import cached_rows, rows_together, tokens_together
from seqgan.ops.fused_nll import linear_nll
from seqgan.ops.inverse_cdf import Head, inverse_cdf
from seqgan.sampling import GREEDY, draw, weights_of
from seqgan.shapes import Labels, LogProbs, Mask, Scalar, SoftTokens, Token, Tokens
from seqgan.symbols import BOS, EOS, PAD, UNK

# Each "B ...": what a policy keeps of a prefix. One that is conditioned on labels has them as its last tensor, so that
# whatever takes a state along takes the label along: rollouts complete a prefix under its own label.
State = tuple[Tensor, ...]


class Sampled(NamedTuple):
    """Sequences drawn from a policy, with the state before each token."""

    tokens: Tokens
    mask: Mask  # True up to and with EOS
    # Each "T B ...": states[k][t] belongs to the prefix of length t, and tokens[:, t] was drawn from it. Empty where
    # they were not kept.
    states: State
    labels: Labels | None = None  # where the policy is conditioned on them


class Relaxed(NamedTuple):
    """Sequences drawn from a policy, with a relaxation of each token through which a gradient flows."""

    tokens: Tokens
    mask: Mask  # True up to and with EOS
    soft: SoftTokens  # softmax(beta * (logits + Gumbel noise)); one-hot PAD after the end


DRAWN_TOGETHER = 1000  # sequences


class PolicyModule(nn.Module, ABC):
    """A policy that can be trained. A subclass sets `embedding` and `output` and implements the three abstract methods.

    pi(token | prefix): PAD and BOS have no probability; UNK has one in text (`log_probs`) but is never drawn. Where
    sequences have no end (`ends` is False), EOS and UNK have none either, and all sequences have the longest length."""

    ends = True  # whether a sequence may end before the longest length
    linear = True  # whether the logits are linear in the features, as `output` says
    embedding: nn.Embedding
    output: nn.Linear  # from features to a logit for every id of the vocabulary
    label_embedding: nn.Embedding | None  # where it is conditioned on labels: added to what is read
    label_features: nn.Embedding  # and to the features
    label_sums: Int[Tensor, "L"]  # how many training texts have this label or one before it

    def __init__(self, vocab_size: int, max_length: int) -> None:
        super().__init__()
        self.vocab_size, self.max_length, self.label_embedding = vocab_size, max_length, None

    # --- what a policy has to implement

    @abstractmethod
    def initial_state(self, count: int) -> State:
        """The state of `count` sequences before anything is read: tensors "B ...", on the policy's device."""

    @abstractmethod
    def step(self, embedded: Float[Tensor, "B E"], state: State) -> State:
        """The state after one more token. (Where a sequence has ended it is PAD, and what comes of it is unused.)"""

    @abstractmethod
    def features(self, state: State) -> Float[Tensor, "B H"]:
        """What the output layer reads."""

    # --- what it may override for speed

    def teacher_forced(self, embedded: Float[Tensor, "B T E"]) -> Float[Tensor, "B T H"]:
        """The features after each token of whole sequences."""
        state, features = self.initial_state(len(embedded)), []
        for one in embedded.unbind(dim=1):
            state = self.step(one, state)
            features.append(self.features(state))
        return torch.stack(features, dim=1)

    def feature_bound(self) -> Float[Tensor, "H"] | None:
        """The largest absolute value that each feature can have, where it is known: it may save a pass in drawing."""
        return None

    def sampler(self, *, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> "Sampler":
        """What draws tokens with the weights as they are now."""
        return Sampler(self, temperature, top_k, top_p)

    # --- what follows from these

    @property
    def lowest_drawn(self) -> int:
        """The ids from here up may be drawn."""
        return EOS if self.ends else EOS + 1

    @property
    def lowest_read(self) -> int:
        """The ids from here up have a probability in text."""
        return UNK if self.ends else EOS + 1

    @property
    def label_count(self) -> int:
        """How many labels it is conditioned on."""
        return 0 if self.label_embedding is None else self.label_embedding.num_embeddings

    def embed(
        self, tokens: Int[Tensor, "*shape"] | Float[Tensor, "*shape V"], labels: Int[Tensor, "B"] | None = None
    ) -> Float[Tensor, "*shape E"]:
        """The vectors of tokens, or the mean vectors of soft tokens; to each is added that of the label of its row.

        Raises:
            UsageError: the policy is conditioned on labels and there are none, or the other way round."""
        if (labels is None) != (self.label_embedding is None):
            raise UsageError(
                "the policy is conditioned on labels, but none were given; give one for each text"
                if labels is None
                else "labels were given, but the policy is not conditioned on any; leave them out"
            )
        return soft.embed(self.embedding, tokens, self.label_embedding, labels)

    def condition_on(self, counts: Sequence[int]) -> None:
        """Condition the policy on labels, numbered from 0, each of which has so many training texts.

        One vector of a label is added to that of every token read, and one to the features, by which each label has a
        bias of its own for every token. All begin at zero: what is not learned says nothing, and weights of a policy
        without labels give the same policy."""
        weight = self.embedding.weight
        self.label_embedding = nn.Embedding(len(counts), self.embedding.embedding_dim).to(weight)
        self.label_features = nn.Embedding(len(counts), self.output.in_features).to(weight)
        nn.init.zeros_(self.label_embedding.weight)
        nn.init.zeros_(self.label_features.weight)
        # Not a weight: the frequencies are those of the corpus at hand.
        self.register_buffer("label_sums", torch.tensor(counts, device=weight.device).cumsum(0), persistent=False)
        self.label_total = sum(counts)

    def draw_labels(self, count: int, rng: torch.Generator | None = None) -> Labels | None:
        """Labels as frequent as in the training texts; None where the policy is not conditioned on any."""
        if self.label_embedding is None:
            return None
        texts = torch.randint(self.label_total, (count,), generator=rng, device=self.label_sums.device)
        return torch.searchsorted(self.label_sums, texts, right=True)

    def begin(self, count: int, labels: Labels | None = None) -> State:
        """The state from which the first token is drawn: BOS has been read."""
        bos = torch.full((count,), BOS, device=self.output.weight.device)
        state = self.initial_state(count)
        return self.read(bos, state if labels is None else (*state, labels))

    def read(self, token: Token, state: State) -> State:
        """The state after one more token."""
        if self.label_embedding is None:
            return self.step(self.embed(token), state)
        *own, labels = state
        return (*self.step(self.embed(token, labels), tuple(own)), labels)

    def features_of(self, state: State) -> Float[Tensor, "B H"]:
        """What the output layer reads, that of the label added."""
        if self.label_embedding is None:
            return self.features(state)
        *own, labels = state
        features: Tensor = self.features(tuple(own)) + self.label_features(labels)
        return features

    def features_of_labels(self) -> Float[Tensor, "L H"]:
        """What each label adds to the features."""
        return self.label_features.weight

    def bound(self) -> Float[Tensor, "H"] | None:
        """The largest absolute value that each of these can have, where it is known."""
        bound = self.feature_bound()
        if bound is None or self.label_embedding is None:
            return bound
        return bound + self.label_features.weight.abs().amax(dim=0)

    def logits(self, features: Float[Tensor, "*shape H"], lowest: int | None = None) -> Float[Tensor, "*shape D"]:
        """Scores of the ids from `lowest` up as the next token; by default those that may be drawn."""
        return F.linear(features, *self._output_from(self.lowest_drawn if lowest is None else lowest))

    def _output_from(self, lowest: int) -> tuple[Float[Tensor, "D H"], Float[Tensor, "D"]]:
        weight, bias = self.output.weight[lowest:], self.output.bias
        return weight, weight.new_zeros(len(weight)) if bias is None else bias[lowest:]

    def features_before(self, tokens: Tokens, labels: Labels | None = None) -> Float[Tensor, "B T H"]:
        """The features from which each token is predicted: those after BOS and all tokens before it."""
        read = torch.cat([torch.full_like(tokens[:, :1], BOS), tokens[:, :-1]], dim=1)
        features = self.teacher_forced(self.embed(read, labels))
        return features if labels is None else features + self.label_features(labels).unsqueeze(1)

    def log_probs(self, tokens: Tokens, labels: Labels | None = None) -> LogProbs:
        """log pi(token | all before it) of text, teacher-forced; 0 at padding."""
        return self._log_probs(tokens, labels, self.lowest_read)

    def log_probs_drawn(self, tokens: Tokens, labels: Labels | None = None) -> LogProbs:
        """The same for tokens drawn from the policy, which never draws UNK: the distribution that REINFORCE follows."""
        return self._log_probs(tokens, labels, self.lowest_drawn)

    def _log_probs(self, tokens: Tokens, labels: Labels | None, lowest: int) -> LogProbs:
        features, targets = self.features_before(tokens, labels).flatten(0, 1), targets_of(tokens, lowest).flatten()
        size = tokens_together(self.vocab_size)
        losses = [
            F.cross_entropy(self.logits(some, lowest), wanted, reduction="none")
            for some, wanted in zip(features.split(size), targets.split(size), strict=True)
        ]
        return -torch.cat(losses).view_as(tokens).masked_fill(tokens == PAD, 0.0)

    def nll(
        self, tokens: Tokens, weights: Weights, labels: Labels | None = None, *, read: Tokens | None = None
    ) -> Scalar:
        """The sum of `weights` * -log pi(token | all before it) over the tokens of text: a loss.

        `read` are what the policy reads in the place of the tokens (`partly_drawn`)."""
        return self._nll(tokens, weights, labels, self.lowest_read, read)

    def nll_drawn(self, tokens: Tokens, weights: Weights, labels: Labels | None = None) -> Scalar:
        """The same for tokens drawn from the policy."""
        return self._nll(tokens, weights, labels, self.lowest_drawn)

    def _nll(
        self, tokens: Tokens, weights: Weights, labels: Labels | None, lowest: int, read: Tokens | None = None
    ) -> Scalar:
        before = self.features_before(tokens if read is None else read, labels)
        features, targets, weights = before.flatten(0, 1), targets_of(tokens, lowest).flatten(), weights.flatten()
        if on_cpu(weights) and not weights.requires_grad:  # padding has no weight, and would cost as much as any token
            counted = weights.nonzero().squeeze(1)
            if 0 < len(counted) < len(weights):
                features, targets, weights = features[counted], targets[counted], weights[counted]
        return linear_nll(features, *self._output_from(lowest), targets, weights)

    def distributions(self, tokens: Tokens, labels: Labels | None = None) -> Float[Tensor, "B T D"]:
        """log pi over all D tokens that can be drawn (`lowest_drawn` and up), after every prefix of the sequences."""
        return self.logits(self.features_before(tokens, labels)).log_softmax(dim=-1)

    @torch.no_grad()
    def partly_drawn(self, tokens: Tokens, share: float, labels: Labels | None = None) -> Tokens:
        """Text in which each token but padding is with probability `share` one that the policy draws after all before
        it, drawn ones included, and never EOS: what scheduled sampling reads (Bengio et al. 2015, section 2.4)."""
        state, found = self.begin(len(tokens), labels), []
        for token in tokens.unbind(dim=1):
            drawn = self._words(self.features_of(state), None)
            chosen = (torch.rand(token.shape, device=token.device) < share) & (token != PAD)
            found.append(torch.where(chosen, drawn, token))
            state = self.read(found[-1], state)
        return torch.stack(found, dim=1)

    @torch.no_grad()
    def fill_unknown(self, tokens: Tokens, rng: torch.Generator | None = None, labels: Labels | None = None) -> Tokens:
        """Text in which the policy has drawn a word in the place of every UNK.

        The policy never draws UNK, so a discriminator that saw it in real text would know real text by it alone."""
        size = rows_together(tokens, self.vocab_size)
        chunks = zip(tokens.split(size), split_rows(labels, size), strict=False)
        return torch.cat([self._filled(some, rng, theirs) for some, theirs in chunks])

    def _filled(self, tokens: Tokens, rng: torch.Generator | None, labels: Labels | None) -> Tokens:
        unknown = tokens == UNK
        if not on_cpu(tokens):  # where they are would have to be waited for: a word is drawn in every place
            words = self._words(self.features_before(tokens, labels).flatten(0, 1), rng)
            return torch.where(unknown, words.view_as(tokens), tokens)
        if not bool(unknown.any()):
            return tokens
        return tokens.masked_scatter(unknown, self._words(self.features_before(tokens, labels)[unknown], rng))

    def _words(self, features: Float[Tensor, "U H"], rng: torch.Generator | None) -> Int[Tensor, "U"]:
        """Drawn tokens other than EOS: an unknown token stands inside a text."""
        return draw(self.logits(features, EOS + 1), rng=rng) + EOS + 1

    def sample(self, count: int, labels: Labels | None = None) -> Sampled:
        """Draw sequences, keeping the state before every token for rollouts."""
        return sample(self, count, labels=labels, keep_states=True)

    def relaxed_sample(
        self,
        count: int,
        beta: float,
        *,
        labels: Labels | None = None,
        straight_through: bool = False,
        rng: torch.Generator | None = None,
    ) -> Relaxed:
        """Draw sequences together with a relaxation of each token (Gumbel-softmax), as RelGAN does.

        Nie et al. (2019), section 3.2. With h = logits + Gumbel noise, the token is argmax h, an exact draw whatever
        the inverse temperature `beta`, and it is what the policy reads next: no gradient passes through the choice.
        The soft token is softmax(beta * h). With `straight_through` its value is one-hot and its gradient that of the
        softmax: then no discriminator can tell it from text by its largest entry."""
        state = self.begin(count, self.draw_labels(count, rng) if labels is None else labels)
        end = self.output.weight.new_zeros(self.vocab_size)
        end[PAD] = 1.0
        ended = torch.zeros(count, dtype=torch.bool, device=end.device)
        tokens, relaxed = [], []
        for position in range(self.max_length):
            logits = self.logits(self.features_of(state))
            noisy = logits - torch.empty_like(logits).exponential_(generator=rng).log()
            token, weights = noisy.argmax(dim=1), (beta * noisy).softmax(dim=1)
            if straight_through:
                one_hot = torch.zeros_like(weights).scatter_(1, token.unsqueeze(1), 1.0)
                weights = one_hot + (weights - weights.detach())
            token = (token + self.lowest_drawn).masked_fill(ended, PAD)
            tokens.append(token)
            relaxed.append(torch.where(ended.unsqueeze(1), end, F.pad(weights, (self.lowest_drawn, 0))))
            ended = ended | (token == EOS)
            if position + 1 < self.max_length:
                state = self.read(token, state)
        drawn = torch.stack(tokens, dim=1)
        return Relaxed(drawn, drawn != PAD, torch.stack(relaxed, dim=1))


def targets_of(tokens: Tokens, lowest: int) -> Tokens:
    """The classes of tokens where the ids from `lowest` up are told apart. Padding stands in for the lowest one: it
    counts for nothing in any sum."""
    return (tokens - lowest).clamp(min=0)


class Sampler:
    """Draws tokens from a policy whose weights stay as they are, with its output layer packed for that."""

    @torch.no_grad()
    def __init__(self, policy: PolicyModule, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> None:
        self.policy, self.temperature, self.top_k, self.top_p = policy, temperature, top_k, top_p
        # Else what is drawn from is another set of tokens for each row, or not what the output layer says.
        whole = policy.linear and not top_k and top_p == 1.0 and temperature >= GREEDY
        self.head = Head(*policy._output_from(policy.lowest_drawn), policy.bound(), temperature) if whole else None
        self.buffer = policy.output.weight.new_empty(0)

    def begin(self, count: int, labels: Labels | None = None) -> State:
        return self.policy.begin(count, labels)

    def step(self, token: Token, state: State) -> State:
        """The state after one more token."""
        return self.policy.read(token, state)

    def weights(self, state: State) -> Float[Tensor, "B W"]:
        """What each id that may be drawn weighs in the draw of the next token, up to a factor for each row."""
        features = self.policy.features_of(state)
        if self.head is None:
            return weights_of(self.policy.logits(features), self.temperature, self.top_k, self.top_p)
        count = len(features) * self.head.padded
        if count > self.buffer.numel():  # the first chunk is the largest
            self.buffer = features.new_empty(count)
        return self.head.weights(features, out=self.buffer[:count].view(len(features), self.head.padded))

    def draw(self, state: State, each: int = 1, rng: torch.Generator | None = None) -> Int[Tensor, "B K"]:
        """The next token of every row, drawn `each` times; in chunks of rows whose weights stay in cache."""
        device = state[0].device
        uniform = torch.rand(len(state[0]), each, generator=rng, device=device)
        size = cached_rows(4 * self.policy.vocab_size, device)
        parts = (part.split(size) for part in (uniform, *state))
        chunks = [inverse_cdf(self.weights(tuple(some)), heights) for heights, *some in zip(*parts, strict=True)]
        # Weights may be padded, and NaN falls anywhere: no id beyond the vocabulary.
        return (torch.cat(chunks) + self.policy.lowest_drawn).clamp(max=self.policy.vocab_size - 1)


@torch.no_grad()
def sample(
    policy: PolicyModule,
    count: int,
    *,
    labels: Labels | None = None,
    keep_states: bool = False,
    prompts: Int[Tensor, "B P"] | None = None,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    rng: torch.Generator | None = None,
) -> Sampled:
    """Draw sequences from a policy, each until EOS or the longest length, perhaps each after its prompt (padded with
    PAD); where it is conditioned on labels, under the given ones or under labels as frequent as in the training texts.

    They are drawn some hundred at a time, so that memory is only needed for their tokens; where states are kept, which
    need far more, all together."""
    labels = policy.draw_labels(count, rng) if labels is None else labels
    sampler = policy.sampler(temperature=temperature, top_k=top_k, top_p=top_p)
    together = count if keep_states else DRAWN_TOGETHER
    counts = [min(together, count - done) for done in range(0, count, together)]
    parts = [
        _drawn(sampler, each, theirs, policy.max_length, keep_states, some, rng)
        for each, theirs, some in zip(counts, split_rows(labels, together), split_rows(prompts, together), strict=False)
    ]
    tokens, states = torch.cat([tokens for tokens, _ in parts]), parts[0][1]
    stacked = tuple(torch.stack(several) for several in zip(*states, strict=True))
    return Sampled(tokens, tokens != PAD, stacked, labels)


def split_rows(rows: Tensor | None, size: int) -> Iterable[Tensor | None]:
    """So many rows at a time; of None, as many times None as may be wanted."""
    return itertools.repeat(None) if rows is None else rows.split(size)


def _drawn(
    sampler: Sampler,
    count: int,
    labels: Labels | None,
    max_length: int,
    keep_states: bool,
    prompts: Int[Tensor, "B P"] | None,
    rng: torch.Generator | None,
) -> tuple[Tokens, list[State]]:
    state = sampler.begin(count, labels)
    device = state[0].device
    tokens = torch.full((count, max_length), PAD, device=device)
    ended = torch.zeros(count, dtype=torch.bool, device=device)
    states: list[State] = []
    for position in range(max_length):
        if keep_states:
            states.append(state)
        token = sampler.draw(state, rng=rng).squeeze(1)
        if prompts is not None and position < prompts.shape[1]:
            token = torch.where(prompts[:, position] == PAD, token, prompts[:, position])
        token = token.masked_fill(ended, PAD)
        tokens[:, position] = token
        ended |= token == EOS
        if position + 1 < max_length:
            state = sampler.step(token, state)
    return tokens, states
