"""A policy whose every next token a discriminator of prefixes reweights: a locally normalised model.

    r(t | prefix) = q(t | prefix) e^(a g(t | prefix)) / Z(prefix),    Z(prefix) = sum over t of q(t | prefix) e^(a g)

g is what the token t would add to the discriminator's logit of the text, and a its slope. r is a policy like any other:
texts are drawn from it token by token, and each has an exact log-probability. For a ratio of likelihoods, where g is
log p - log q, r is q^(1 - a) p^a up to its factor, and p itself where a is 1. It is no residual energy model
(`seqgan.choice`): that has one factor Z for all texts, and here a prefix is worth nothing more where what can follow it
is good."""

import itertools
from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqgan.models.policy import PolicyModule, State
from seqgan.shapes import Labels


@runtime_checkable
class Reader(Protocol):
    """What reads tokens one at a time, with the functions of a policy for it (`PolicyModule`)."""

    embedding: nn.Embedding

    def embed(self, tokens: Int[Tensor, "*shape"], labels: Labels | None = None) -> Float[Tensor, "*shape E"]: ...
    def initial_state(self, count: int) -> State: ...
    def step(self, embedded: Float[Tensor, "B E"], state: State) -> State: ...
    def features(self, state: State) -> Float[Tensor, "B H"]: ...
    def features_of_labels(self) -> Float[Tensor, "L H"]: ...


@runtime_checkable
class PrefixJudge(Protocol):
    """A discriminator whose logit of a text is a sum over its tokens, each given those before it."""

    @property
    @abstractmethod
    def readers(self) -> Sequence[Reader]:
        """What reads the prefix."""

    @abstractmethod
    def next_logits(self, features: Sequence[Float[Tensor, "*shape H"]], lowest: int) -> Float[Tensor, "*shape D"]:
        """What each id from `lowest` up (EOS, or more) would add to the logit as the next token, from the features of
        the readers; up to a constant for each prefix."""


class ReweightedPolicy(PolicyModule):
    """The policy r of q, a judge of prefixes and a slope a.

    What may be drawn is reweighted; UNK, which no discriminator of policies has seen, keeps the probability in text
    that q gives it. Temperature, top-k and top-p are those of a draw from r: they come after the reweighting."""

    linear = False

    def __init__(self, policy: PolicyModule, judge: PrefixJudge, slope: float) -> None:
        super().__init__(policy.vocab_size, policy.max_length)
        self.policy, self.judge, self.slope, self.ends = policy, judge, slope, policy.ends
        self.embedding, self.output, self.label_embedding = policy.embedding, policy.output, policy.label_embedding
        self.readers: tuple[Reader, ...] = (policy, *judge.readers)
        states = [reader.initial_state(1) for reader in self.readers]
        pairs = zip(self.readers, states, strict=True)
        self.sizes = [reader.features(state).shape[1] for reader, state in pairs]
        self.state_sizes = [len(state) for state in states]
        if self.label_embedding is not None:
            weights = [reader.features_of_labels().detach() for reader in self.readers]
            self.label_features = nn.Embedding.from_pretrained(torch.cat(weights, dim=1))
        self.eval()

    def draw_labels(self, count: int, rng: torch.Generator | None = None) -> Labels | None:
        return self.policy.draw_labels(count, rng)

    def embed(
        self, tokens: Int[Tensor, "*shape"] | Float[Tensor, "*shape V"], labels: Labels | None = None
    ) -> Float[Tensor, "*shape E"]:
        """The vectors of all readers, side by side."""
        return torch.cat([reader.embed(tokens, labels) for reader in self.readers], dim=-1)

    def initial_state(self, count: int) -> State:
        return tuple(itertools.chain.from_iterable(reader.initial_state(count) for reader in self.readers))

    def step(self, embedded: Float[Tensor, "B E"], state: State) -> State:
        vectors = embedded.split([reader.embedding.embedding_dim for reader in self.readers], dim=1)
        parts = zip(self.readers, vectors, self._states(state), strict=True)
        return tuple(itertools.chain.from_iterable(reader.step(vector, own) for reader, vector, own in parts))

    def features(self, state: State) -> Float[Tensor, "B H"]:
        parts = zip(self.readers, self._states(state), strict=True)
        return torch.cat([reader.features(own) for reader, own in parts], dim=1)

    def _states(self, state: State) -> list[State]:
        parts = iter(state)
        return [tuple(itertools.islice(parts, size)) for size in self.state_sizes]

    def logits(self, features: Float[Tensor, "*shape H"], lowest: int | None = None) -> Float[Tensor, "*shape D"]:
        """Scores of the ids from `lowest` up as the next token; by default those that may be drawn."""
        lowest = self.lowest_drawn if lowest is None else lowest
        plain, added = self.both(features, max(lowest, self.lowest_drawn))
        reweighted = plain + self.slope * added
        if lowest >= self.lowest_drawn:
            return reweighted
        own, *_ = features.split(self.sizes, dim=-1)
        unknown = self.policy.logits(own, lowest)[..., : self.lowest_drawn - lowest]
        known = reweighted.log_softmax(dim=-1) + plain.logsumexp(dim=-1, keepdim=True)
        return torch.cat([unknown, known], dim=-1)

    def both(
        self, features: Float[Tensor, "*shape H"], lowest: int
    ) -> tuple[Float[Tensor, "*shape D"], Float[Tensor, "*shape D"]]:
        """The logits of q, and g: of the ids from `lowest` up, none below those that may be drawn."""
        own, *judged = features.split(self.sizes, dim=-1)
        return self.policy.logits(own, lowest), self.judge.next_logits(judged, lowest)
