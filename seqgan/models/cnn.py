"""The CNN discriminator: a convolutional text classifier (Kim 2014) with a highway layer (Srivastava et al. 2015).

Yu et al. (2017), section 3.2: windows of several widths, max over time, highway, two classes. With labels it judges
pairs of text and label, by a projection (Miyato and Koyama 2018)."""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from seqgan.models import soft
from seqgan.ops.max_window import max_over_windows
from seqgan.shapes import Labels, Scores, SoftTokens, Tokens


class CNNDiscriminator(nn.Module):
    """Is a text real? Windows that touch padding do not count, and a filter wider than the text yields 0."""

    def __init__(
        self,
        vocab_size: int,
        embedding_dim: int,
        filter_sizes: Sequence[int],
        num_filters: Sequence[int],
        *,
        highway: bool = True,
        dropout: float = 0.25,
        labels: int = 0,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(embedding_dim, count, width) for width, count in zip(filter_sizes, num_filters, strict=True)
        )
        self.widest, features = max(filter_sizes), sum(num_filters)
        self.highway = nn.Linear(features, 2 * features) if highway else None
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(features, 2)
        self._initialise()
        # It begins at zero, where the label says nothing.
        self.projection = nn.Embedding(labels, features, _weight=torch.zeros(labels, features)) if labels else None

    def _initialise(self) -> None:
        """As the published code: uniform embeddings, truncated normal weights, biases 0.1. (Its highway layer has
        TensorFlow's defaults; here its weights are as all others, its biases 0.)"""
        nn.init.uniform_(self.embedding.weight, -1.0, 1.0)
        for layer in self.modules():
            if isinstance(layer, nn.Conv1d | nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.1, a=-0.2, b=0.2)
                assert layer.bias is not None
                nn.init.constant_(layer.bias, 0.0 if layer is self.highway else 0.1)

    def forward(self, tokens: Tokens | SoftTokens, labels: Labels | None = None) -> Scores:
        """The logit of "real": log-odds by which the text, under its label, is real rather than generated."""
        return self.classify(self.features(tokens), labels)

    def classify(self, features: Float[Tensor, "B F"], labels: Labels | None = None) -> Scores:
        """The logit of "real" from the features: with labels, psi(phi(x)) + <V y, phi(x)>."""
        carried = self.dropout(self._through_highway(features))
        scores = self.output(carried)
        logits: Tensor = scores[:, 1] - scores[:, 0]
        if self.projection is None:
            return logits
        assert labels is not None, "this discriminator judges pairs of text and label"
        return logits + (self.projection(labels) * carried).sum(dim=1)

    def features(self, tokens: Tokens | SoftTokens) -> Float[Tensor, "B F"]:
        """The largest response of every filter among the windows that lie inside the text; 0 where none fits."""
        lengths, missing = soft.lengths_of(tokens), max(0, self.widest - tokens.shape[1])
        embedded = F.pad(soft.embed(self.embedding, tokens), (0, 0, 0, missing))
        # The maximum of no window is minus infinity, and the ReLU makes that 0, with no gradient.
        maxima = [max_over_windows(embedded, c.weight, lengths) + c.bias for c in self.filters]  # type: ignore[operator]
        return torch.cat(maxima, dim=1).relu()

    @property
    def filters(self) -> list[nn.Conv1d]:
        """The convolutions, with the type that a ModuleList does not keep."""
        return cast("list[nn.Conv1d]", list(self.convolutions))

    def _through_highway(self, features: Float[Tensor, "B F"]) -> Float[Tensor, "B F"]:
        """carry * x + transform * relu(W x + b), with carry = 1 - transform."""
        if self.highway is None:
            return features
        candidate, gate = self.highway(features).to(features.dtype).chunk(2, dim=1)
        return torch.lerp(features, candidate.relu(), gate.sigmoid())
