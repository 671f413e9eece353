"""The GRU policy (Cho et al. 2014): three quarters of the LSTM's weights, and no cell beside the hidden units."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from seqgan.models.policy import State
from seqgan.models.recurrent import RecurrentPolicy


class GRUPolicy(RecurrentPolicy):
    """The GRU policy: `nn.GRU` over whole sequences while learning, the same weights step by step while drawing."""

    def add_layer(self, embedding_dim: int, hidden_dim: int) -> None:
        self.gru = nn.GRU(embedding_dim, hidden_dim, batch_first=True)

    def hidden(self, embedded: Float[Tensor, "B T E"]) -> Float[Tensor, "B T H"]:
        weights, (state,) = self.dropped(self.gru.all_weights[0]), self.initial_state(len(embedded))
        hidden, _ = torch.gru(embedded, state[None], weights, True, 1, 0.0, self.training, False, True)
        return hidden

    def initial_state(self, count: int) -> State:
        return (self.output.weight.new_zeros(count, self.hidden_dim),)

    def step(self, embedded: Float[Tensor, "B E"], state: State) -> State:
        """The cell of `nn.GRU`, one step; the reset gate acts on the product with the hidden units."""
        (hidden,) = state
        input_weight, recurrent_weight, input_bias, recurrent_bias = self.gru.all_weights[0]
        from_input = F.linear(embedded, input_weight, input_bias).chunk(3, dim=1)
        from_hidden = F.linear(hidden, recurrent_weight, recurrent_bias).chunk(3, dim=1)
        reset, update = ((one + other).sigmoid() for one, other in zip(from_input[:2], from_hidden[:2], strict=True))
        candidate = (from_input[2] + reset * from_hidden[2]).tanh()
        return (torch.lerp(candidate, hidden, update),)
