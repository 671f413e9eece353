"""The LSTM policy.

Yu et al. (2017), section 3 and appendix: embedding -> LSTM -> logits, weights from N(0, 0.1), start token fed first."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqgan.losses import Weights
from seqgan.models.policy import PolicyModule, Sampler, State, targets_of
from seqgan.ops.chunks import tokens_together
from seqgan.ops.fused_nll import linear_nll
from seqgan.ops.inverse_cdf import Head
from seqgan.shapes import Logits, LogProbs, Mask, Scalar, Token, Tokens
from seqgan.symbols import BOS, EOS, PAD


class LSTMPolicy(PolicyModule):
    """The LSTM policy: `nn.LSTM` over whole sequences while learning, the same weights step by step while drawing."""

    def __init__(
        self,
        vocab_size: int,
        max_length: int,
        embedding_dim: int = 32,
        hidden_dim: int = 32,
        *,
        tie_embeddings: bool = False,
        dropout: float = 0.0,
        init_std: float = 0.1,
    ) -> None:
        super().__init__(vocab_size, max_length)
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.dropout = nn.Dropout(dropout)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim, batch_first=True)
        # Tied (Press and Wolf 2017): a token is written with the vector it is read with, so few texts teach it faster.
        self.projection = nn.Linear(hidden_dim, embedding_dim) if tie_embeddings else nn.Identity()
        self.output = nn.Linear(embedding_dim if tie_embeddings else hidden_dim, vocab_size)
        if tie_embeddings:
            self.output.weight = self.embedding.weight
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=init_std)
        # torch adds two biases where the paper's cell has one: the second is zero, unless weights come from elsewhere.
        _, _, _, second_bias = self.lstm.all_weights[0]
        nn.init.zeros_(second_bias)
        second_bias.requires_grad_(False)

    def teacher_forced(self, tokens: Tokens, lowest: int) -> Float[Tensor, "B T D"]:
        return nn.functional.linear(self._features(tokens), self.output.weight[lowest:], self.output.bias[lowest:])

    def _log_probs(self, tokens: Tokens, lowest: int) -> LogProbs:
        features, targets = self._features(tokens).flatten(0, 1), targets_of(tokens, lowest).flatten()
        weight, bias, size = self.output.weight[lowest:], self.output.bias[lowest:], tokens_together(self.vocab_size)
        parts = zip(features.split(size), targets.split(size), strict=True)
        losses = [
            nn.functional.cross_entropy(nn.functional.linear(some, weight, bias), wanted, reduction="none")
            for some, wanted in parts
        ]
        return -torch.cat(losses).view_as(tokens).masked_fill(tokens == PAD, 0.0)

    def _nll(self, tokens: Tokens, weights: Weights, lowest: int) -> Scalar:
        features, targets = self._features(tokens).flatten(0, 1), targets_of(tokens, lowest).flatten()
        return linear_nll(features, self.output.weight[lowest:], self.output.bias[lowest:], targets, weights.flatten())

    def _features(self, tokens: Tokens) -> Float[Tensor, "B T E"]:
        return self.dropout(self.projection(self._hidden(tokens)))

    def _hidden(self, tokens: Tokens) -> Float[Tensor, "B T H"]:
        """The LSTM's output before every token, with BOS fed first."""
        fed = torch.cat([torch.full_like(tokens[:, :1], BOS), tokens[:, :-1]], dim=1)
        hidden, _ = self.lstm(self.dropout(self.embedding(fed)))
        return hidden

    def logits_before(self, tokens: Tokens, where: Mask | None = None) -> Float[Tensor, "U V"]:
        hidden = self._hidden(tokens)
        return self.output(self.projection(hidden.flatten(0, 1) if where is None else hidden[where]))

    def initial_state(self, count: int) -> State:
        """What the policy knows before the first token: it has been fed BOS."""
        zeros = self.output.weight.new_zeros(count, self.lstm.hidden_size)
        return self.advance(torch.full((count,), BOS, device=zeros.device), (zeros, zeros))

    def advance(self, token: Token, state: State) -> State:
        """The state after one more token: the cell of `nn.LSTM`, one step. No dropout: this is for sampling."""
        hidden, cell = state
        input_weight, recurrent_weight, bias, second_bias = self.lstm.all_weights[0]
        gates = nn.functional.linear(self.embedding(token), input_weight, bias + second_bias)
        input, forget, candidate, output = torch.addmm(gates, hidden, recurrent_weight.t()).chunk(4, dim=1)
        cell = forget.sigmoid() * cell + input.sigmoid() * candidate.tanh()
        return output.sigmoid() * cell.tanh(), cell

    def logits(self, state: State) -> Logits:
        """Scores of every id as the next token; only those from EOS up may be drawn."""
        return self.output(self.projection(state[0]))

    def sampler(self, *, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Sampler:
        if top_k or top_p < 1.0:
            return Sampler(self, temperature, top_k, top_p)
        return LSTMSampler(self, temperature)


class LSTMSampler(Sampler):
    """Draws from the LSTM policy with its weights packed for that.

    The input half of a step is the same for the same token, so it is a row of a table; the softmax is a `Head`."""

    policy: LSTMPolicy

    @torch.no_grad()
    def __init__(self, policy: LSTMPolicy, temperature: float = 1.0) -> None:
        super().__init__(policy, temperature)
        input_weight, recurrent_weight, bias, second_bias = policy.lstm.all_weights[0]
        self.gates = torch.addmm(bias + second_bias, policy.embedding.weight, input_weight.t())  # "V 4H"
        self.recurrent = recurrent_weight.t().contiguous()
        ones = policy.output.weight.new_ones(policy.lstm.hidden_size)  # an LSTM's output lies within +-1
        match policy.projection:
            case nn.Linear(weight=weight, bias=offset):
                ones = torch.addmv(offset.abs(), weight.abs(), ones)
        self.head = Head(policy.output.weight[EOS:], policy.output.bias[EOS:], ones, temperature)
        self.buffer = policy.output.weight.new_empty(0)

    def advance(self, token: Token, state: State) -> State:
        hidden, cell = state
        gates = self.gates.index_select(0, token).addmm_(hidden, self.recurrent)
        input, forget, candidate, output = gates.chunk(4, dim=1)
        cell = forget.sigmoid().mul_(cell).addcmul_(input.sigmoid(), candidate.tanh())
        return output.sigmoid().mul_(cell.tanh()), cell

    def weights(self, state: State) -> Float[Tensor, "B W"]:
        features = self.policy.projection(state[0])
        if len(features) * self.head.padded > self.buffer.numel():  # the first chunk is the largest
            self.buffer = features.new_empty(len(features) * self.head.padded)
        room = self.buffer[: len(features) * self.head.padded].view(len(features), self.head.padded)
        return self.head.weights(features, out=room)
