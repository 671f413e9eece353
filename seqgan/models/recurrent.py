"""What the recurrent policies share: embedding -> recurrent layer -> logits, perhaps with tied embeddings."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from seqgan.models.policy import PolicyModule, State


class RecurrentPolicy(PolicyModule):
    """A policy of one recurrent layer, whose hidden units lie within +-1 and are the first tensor of the state."""

    def __init__(
        self,
        vocab_size: int,
        max_length: int,
        embedding_dim: int = 32,
        hidden_dim: int = 32,
        *,
        tie_embeddings: bool = False,
        dropout: float = 0.0,
        weight_drop: float = 0.0,
        init_std: float = 0.1,
    ) -> None:
        super().__init__(vocab_size, max_length)
        self.hidden_dim, self.weight_drop = hidden_dim, weight_drop
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.dropout = nn.Dropout(dropout)
        self.add_layer(embedding_dim, hidden_dim)
        # Tied (Press and Wolf 2017): a token has one vector for input and output, so few texts suffice.
        self.projection = nn.Linear(hidden_dim, embedding_dim) if tie_embeddings else nn.Identity()
        self.output = nn.Linear(embedding_dim if tie_embeddings else hidden_dim, vocab_size)
        if tie_embeddings:
            self.output.weight = self.embedding.weight
        self.initialise(init_std)

    @abstractmethod
    def add_layer(self, embedding_dim: int, hidden_dim: int) -> None:
        """Make the recurrent layer."""

    @abstractmethod
    def hidden(self, embedded: Float[Tensor, "B T E"]) -> Float[Tensor, "B T H"]:
        """The hidden units after each token of whole sequences."""

    def dropped(self, weights: Sequence[Tensor]) -> list[Tensor]:
        """The weights of the recurrent layer while learning: of those from hidden units to hidden units some are zero,
        the same ones at every step (weight drop, Merity et al. 2018)."""
        from_input, from_hidden, *biases = weights
        return [from_input, F.dropout(from_hidden, self.weight_drop, self.training), *biases]

    def initialise(self, std: float) -> None:
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=std)

    def teacher_forced(self, embedded: Float[Tensor, "B T E"]) -> Float[Tensor, "B T D"]:
        """The features after each token. Dropout (of what is read, of the features and of recurrent weights) is here
        alone, where texts are learned from: there is none in drawing."""
        features: Tensor = self.dropout(self.projection(self.hidden(self.dropout(embedded))))
        return features

    def features(self, state: State) -> Float[Tensor, "B D"]:
        features: Tensor = self.projection(state[0])
        return features

    def feature_bound(self) -> Float[Tensor, "D"]:
        ones = self.output.weight.new_ones(self.hidden_dim)
        match self.projection:
            case nn.Linear(weight=weight, bias=offset):
                return torch.addmv(offset.abs(), weight.abs(), ones)
        return ones
