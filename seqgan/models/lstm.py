"""The LSTM policy.

Yu et al. (2017), section 3 and appendix: embedding -> LSTM -> logits, weights from N(0, 0.1), start token fed first."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqgan.models.policy import Sampler, State
from seqgan.models.recurrent import RecurrentPolicy
from seqgan.shapes import Token


class LSTMPolicy(RecurrentPolicy):
    """The LSTM policy: `nn.LSTM` over whole sequences while learning, the same weights step by step while drawing."""

    def add_layer(self, embedding_dim: int, hidden_dim: int) -> None:
        self.lstm = nn.LSTM(embedding_dim, hidden_dim, batch_first=True)

    def initialise(self, std: float) -> None:
        super().initialise(std)
        # torch adds two biases where the paper's cell has one: the second is zero, unless weights come from elsewhere.
        _, _, _, second_bias = self.lstm.all_weights[0]
        nn.init.zeros_(second_bias)
        second_bias.requires_grad_(False)

    def hidden(self, embedded: Float[Tensor, "B T E"]) -> Float[Tensor, "B T H"]:
        weights, state = (
            self.dropped(self.lstm.all_weights[0]),
            [part[None] for part in self.initial_state(len(embedded))],
        )
        hidden, _, _ = torch.lstm(embedded, state, weights, True, 1, 0.0, self.training, False, True)
        return hidden

    def initial_state(self, count: int) -> State:
        zeros = self.output.weight.new_zeros(count, self.hidden_dim)
        return zeros, zeros

    def step(self, embedded: Float[Tensor, "B E"], state: State) -> State:
        """The cell of `nn.LSTM`, one step."""
        hidden, cell = state
        input_weight, recurrent_weight, bias, second_bias = self.lstm.all_weights[0]
        gates = nn.functional.linear(embedded, input_weight, bias + second_bias)
        input, forget, candidate, output = torch.addmm(gates, hidden, recurrent_weight.t()).chunk(4, dim=1)
        cell = forget.sigmoid() * cell + input.sigmoid() * candidate.tanh()
        return output.sigmoid() * cell.tanh(), cell

    def sampler(self, *, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> "LSTMSampler":
        return LSTMSampler(self, temperature, top_k, top_p)


class LSTMSampler(Sampler):
    """Draws from the LSTM policy with its recurrent layer packed as well: the input half of a step is the same for the
    same token, so it is a row of a table."""

    @torch.no_grad()
    def __init__(self, policy: LSTMPolicy, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> None:
        super().__init__(policy, temperature, top_k, top_p)
        input_weight, recurrent_weight, bias, second_bias = policy.lstm.all_weights[0]
        self.gates = torch.addmm(bias + second_bias, policy.embedding.weight, input_weight.t())  # "V 4H"
        self.recurrent = recurrent_weight.t().contiguous()
        labels = policy.label_embedding
        self.label_gates = None if labels is None else labels.weight @ input_weight.t()  # "L 4H"

    def step(self, token: Token, state: State) -> State:
        hidden, cell, *labels = state
        gates = self.gates.index_select(0, token).addmm_(hidden, self.recurrent)
        if self.label_gates is not None:
            gates += self.label_gates.index_select(0, *labels)
        input, forget, candidate, output = gates.chunk(4, dim=1)
        cell = forget.sigmoid().mul_(cell).addcmul_(input.sigmoid(), candidate.tanh())
        return output.sigmoid().mul_(cell.tanh()), cell, *labels
