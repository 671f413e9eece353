"""The judge: a convolutional text classifier (Kim 2014) with a highway layer (Srivastava et al. 2015).

Yu et al. (2017), section 3.2: windows of several widths, max over time, highway, two classes."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqgan.data.symbols import PAD
from seqgan.shapes import Scores, Tokens


class Discriminator(nn.Module):
    """Is a text real? Windows that touch padding do not count, and a filter wider than the text yields 0."""

    def __init__(
        self,
        vocabulary: int,
        embedding_dim: int,
        widths: Sequence[int],
        filters: Sequence[int],
        *,
        highway: bool = True,
        dropout: float = 0.25,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding_dim)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(embedding_dim, count, width) for width, count in zip(widths, filters, strict=True)
        )
        self.widest, features = max(widths), sum(filters)
        self.highway = nn.Linear(features, 2 * features) if highway else None
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(features, 2)
        self._initialise()

    def _initialise(self) -> None:
        """As the published code: uniform embeddings, truncated normal weights, biases 0.1 (highway: 0)."""
        nn.init.uniform_(self.embedding.weight, -1.0, 1.0)
        for layer in self.modules():
            if isinstance(layer, nn.Conv1d | nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.1, a=-0.2, b=0.2)
                assert layer.bias is not None
                nn.init.constant_(layer.bias, 0.0 if layer is self.highway else 0.1)

    def forward(self, tokens: Tokens) -> Scores:
        """The logit of "real": log-odds by which the text is real rather than generated."""
        features = self.dropout(self._through_highway(self.features(tokens)))
        scores = self.output(features)
        return scores[:, 1] - scores[:, 0]

    def features(self, tokens: Tokens) -> Float[Tensor, "B F"]:
        """The strongest response of every filter among the windows that lie inside the text."""
        lengths = (tokens != PAD).sum(dim=1, keepdim=True)
        missing = max(0, self.widest - tokens.shape[1])
        embedded = self.embedding(nn.functional.pad(tokens, (0, missing), value=PAD)).transpose(1, 2)
        return torch.cat([self._strongest(c, embedded, lengths) for c in self.convolutions], dim=1)

    @staticmethod
    def _strongest(convolution: nn.Module, embedded: Tensor, lengths: Tensor) -> Tensor:
        responses = convolution(embedded)
        width = embedded.shape[2] - responses.shape[2] + 1
        starts = torch.arange(responses.shape[2], device=embedded.device)
        outside = starts > lengths - width
        # The maximum of no window is minus infinity, and the ReLU makes that 0, with no gradient.
        return responses.masked_fill(outside.unsqueeze(1), float("-inf")).amax(dim=2).relu()

    def _through_highway(self, features: Float[Tensor, "B F"]) -> Float[Tensor, "B F"]:
        """carry * x + transform * relu(W x + b), with carry = 1 - transform."""
        if self.highway is None:
            return features
        candidate, gate = self.highway(features).chunk(2, dim=1)
        return torch.lerp(features, candidate.relu(), gate.sigmoid())
