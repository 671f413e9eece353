"""The LSTM policy.

Yu et al. (2017), section 3 and appendix: embedding -> LSTM -> logits, weights from N(0, 0.1), start token fed first."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqgan.data.symbols import BOS
from seqgan.models.policy import PolicyModule, State
from seqgan.shapes import Logits, Mask, Token, Tokens


class Generator(PolicyModule):
    """The LSTM policy: `nn.LSTM` over whole sequences while learning, the same weights step by step while drawing."""

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
        super().__init__(vocabulary, longest)
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

    def teacher_forced(self, tokens: Tokens, lowest: int) -> Float[Tensor, "B T D"]:
        features = self.dropout(self.projection(self._hidden(tokens)))
        return nn.functional.linear(features, self.output.weight[lowest:], self.output.bias[lowest:])

    def _hidden(self, tokens: Tokens) -> Float[Tensor, "B T H"]:
        """The LSTM's output before every token, with BOS fed first."""
        fed = torch.cat([torch.full_like(tokens[:, :1], BOS), tokens[:, :-1]], dim=1)
        hidden, _ = self.lstm(self.dropout(self.embedding(fed)))
        return hidden

    def logits_before(self, tokens: Tokens, where: Mask) -> Float[Tensor, "U V"]:
        return self.output(self.projection(self._hidden(tokens)[where]))

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
