"""Discriminators that begin as the policy which they judge: they know its language before they see a sample.

The logit of a text is in both the sum of what each of its tokens adds, given those before it."""

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seqgan.models import soft
from seqgan.models.lstm import LSTMPolicy
from seqgan.models.policy import PolicyModule, State
from seqgan.models.reweighted import PrefixJudge, Reader
from seqgan.ops.chunks import cached_rows
from seqgan.shapes import Labels, Scores, SoftTokens, Tokens
from seqgan.symbols import BOS

LANGUAGE_MODEL = "language-model"  # the stage of a run that is p of its likelihood ratio


class FromPolicy(nn.Module, PrefixJudge, ABC):
    """A discriminator with weights of a policy."""

    @abstractmethod
    def begin_as(self, policy: PolicyModule) -> None:
        """Take the weights of a policy as they are now."""


class LSTMDiscriminator(FromPolicy):
    """An LSTM that reads a text as the LSTM policy does: the logit is the sum over its tokens of w h_t + b.

    It begins at 0 for every text, since w and b do."""

    def __init__(
        self, vocab_size: int, embedding_dim: int, hidden_dim: int, *, dropout: float = 0.25, labels: int = 0
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_dim, 1)
        for parameter in self.parameters():  # as in a policy of the paper
            nn.init.normal_(parameter, std=0.1)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)
        zeros = torch.zeros(labels, embedding_dim)
        self.label_embedding = nn.Embedding(labels, embedding_dim, _weight=zeros) if labels else None

    def begin_as(self, policy: PolicyModule) -> None:
        """Take the embeddings and the recurrent layer of an LSTM policy of the same sizes."""
        assert isinstance(policy, LSTMPolicy)
        pairs = [(self.embedding, policy.embedding), (self.lstm, policy.lstm)]
        if self.label_embedding is not None and policy.label_embedding is not None:
            pairs.append((self.label_embedding, policy.label_embedding))
        for own, theirs in pairs:
            own.load_state_dict(theirs.state_dict())

    def forward(self, tokens: Tokens | SoftTokens, labels: Labels | None = None) -> Scores:
        """The logit of "real": log-odds by which the text, under its label, is real rather than generated."""
        logits: Scores = self.token_logits(tokens, labels).sum(dim=1)
        return logits

    def token_logits(self, tokens: Tokens | SoftTokens, labels: Labels | None = None) -> Float[Tensor, "B T"]:
        """What each token adds to the logit, given those before it; 0 at padding."""
        bos = self.embedding.weight[BOS].expand(len(tokens), 1, -1)
        embedded = torch.cat([bos, soft.embed(self.embedding, tokens)], dim=1)
        if self.label_embedding is not None:
            embedded = embedded + self.label_embedding(labels).unsqueeze(1)
        hidden, _ = self.lstm(embedded)
        added = self.output(self.dropout(hidden[:, 1:])).squeeze(2)
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        return added.masked_fill(positions >= soft.lengths_of(tokens).unsqueeze(1), 0.0)

    # --- one token at a time, as a policy reads

    @property
    def readers(self) -> Sequence[Reader]:
        return (self,)

    def embed(self, tokens: Int[Tensor, "*shape"], labels: Labels | None = None) -> Float[Tensor, "*shape E"]:
        """The vectors of tokens, "B" or "B T"; to each is added that of the label of its row."""
        return soft.embed(self.embedding, tokens, self.label_embedding, labels)

    def initial_state(self, count: int) -> State:
        zeros = self.output.weight.new_zeros(count, self.lstm.hidden_size)
        return zeros, zeros

    def step(self, embedded: Float[Tensor, "B E"], state: State) -> State:
        hidden, cell = state
        return torch.lstm_cell(embedded, (hidden, cell), *self.lstm.all_weights[0])

    def features(self, state: State) -> Float[Tensor, "B H"]:
        """What of the next step is the same for every next token: its part of the four gates, and the cell."""
        hidden, cell = state
        _, recurrent_weight, bias, second_bias = self.lstm.all_weights[0]
        return torch.cat([F.linear(hidden, recurrent_weight, bias + second_bias), cell], dim=1)

    def features_of_labels(self) -> Float[Tensor, "L H"]:
        """What each label, which is read with the next token too, adds to these."""
        assert self.label_embedding is not None
        input_weight, *_ = self.lstm.all_weights[0]
        return F.pad(F.linear(self.label_embedding.weight, input_weight), (0, self.lstm.hidden_size))

    @torch.no_grad()
    def next_logits(self, features: Sequence[Float[Tensor, "*shape H"]], lowest: int) -> Float[Tensor, "*shape D"]:
        """By one step of the LSTM for each of the D tokens after each prefix: 4 D H numbers a prefix, where a policy
        needs D. They are computed for as many prefixes and tokens together as stay near. Without a gradient."""
        (prefixes,) = features
        input_weight, *_ = self.lstm.all_weights[0]
        of_tokens = F.linear(self.embedding.weight[lowest:], input_weight)  # "D 4H"
        rows = prefixes.flatten(0, -2)
        pairs = cached_rows(self.lstm.hidden_size * rows.element_size(), rows.device, share=1 / 32)
        together = max(1, min(len(rows), math.isqrt(pairs)))
        gates = [
            gate.contiguous().split(max(1, pairs // together))  # tokens whose gates are computed together
            for gate in of_tokens.chunk(4, dim=1)
        ]
        logits = [
            torch.cat([self._after_one(some, tokens) for tokens in zip(*gates, strict=True)], dim=1)
            for some in rows.split(together)
        ]
        return torch.cat(logits).view(*prefixes.shape[:-1], len(of_tokens))

    def _after_one(
        self, prefixes: Float[Tensor, "R H"], tokens: Sequence[Float[Tensor, "D G"]]
    ) -> Float[Tensor, "R D"]:
        """The logit of the last of one token more, by the parts of its gates that prefixes and tokens add."""
        *of_prefixes, cell = prefixes.unsqueeze(1).chunk(5, dim=2)
        input, forget, candidate, output = (one + other for one, other in zip(of_prefixes, tokens, strict=True))
        cell = input.sigmoid_().mul_(_tanh_(candidate)).addcmul_(forget.sigmoid_(), cell)
        logits: Tensor = self.output(output.sigmoid_().mul_(_tanh_(cell))).squeeze(2)
        return logits


def _tanh_(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """In place, as 2 sigma(2 x) - 1: a processor computes sigma five times as fast as torch's tanh."""
    return values.mul_(2).sigmoid_().mul_(2).sub_(1)


class LikelihoodRatio(FromPolicy):
    """log p(text) - log q(text), where q is the policy as it was and p a language model that begins as q and learns.

    Trained by cross-entropy against samples of q this is noise-contrastive estimation of p (Gutmann and Hyvarinen 2010)
    with the policy as noise. Since p is a distribution, sampling from p is what a user could do in its place."""

    def __init__(self, policy: PolicyModule) -> None:
        super().__init__()
        self.model, self.reference = copy.deepcopy(policy), copy.deepcopy(policy)
        self.reference.requires_grad_(False)

    def begin_as(self, policy: PolicyModule) -> None:
        weights = policy.state_dict()
        self.model.load_state_dict(weights)
        self.reference.load_state_dict(weights)

    def train(self, mode: bool = True) -> "LikelihoodRatio":
        """Neither has dropout: that of p would lower its likelihood of every text, and q has none."""
        super().train(mode=False)
        return self

    def forward(self, tokens: Tokens, labels: Labels | None = None) -> Scores:
        """The logit of "real" of texts without UNK, which no policy draws."""
        ratio: Scores = self.model.log_probs_drawn(tokens, labels) - self.reference.log_probs_drawn(tokens, labels)
        return ratio.sum(dim=1)

    @property
    def readers(self) -> Sequence[Reader]:
        return self.model, self.reference

    def next_logits(self, features: Sequence[Float[Tensor, "*shape H"]], lowest: int) -> Float[Tensor, "*shape D"]:
        """log p - log q of every token."""
        of_model, of_reference = features
        ratios = self.model.logits(of_model).log_softmax(dim=-1) - self.reference.logits(of_reference).log_softmax(
            dim=-1
        )
        return ratios[..., lowest - self.model.lowest_drawn :]
