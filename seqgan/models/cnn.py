"""The judge: a convolutional text classifier (Kim 2014) with a highway layer (Srivastava et al. 2015).

Yu et al. (2017), section 3.2: windows of several widths, max over time, highway, two classes."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqgan.core.device import on_cpu
from seqgan.data.symbols import PAD
from seqgan.ops.max_window import strongest_window
from seqgan.shapes import Scores, Tokens


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

    def _initialise(self) -> None:
        """As the published code: uniform embeddings, truncated normal weights, biases 0.1. (Its highway layer has
        TensorFlow's defaults; here its weights are as all others, its biases 0.)"""
        nn.init.uniform_(self.embedding.weight, -1.0, 1.0)
        for layer in self.modules():
            if isinstance(layer, nn.Conv1d | nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.1, a=-0.2, b=0.2)
                assert layer.bias is not None
                nn.init.constant_(layer.bias, 0.0 if layer is self.highway else 0.1)

    def forward(self, tokens: Tokens) -> Scores:
        """The logit of "real": log-odds by which the text is real rather than generated."""
        return self.verdict(self.features(tokens))

    def verdict(self, features: Float[Tensor, "B F"]) -> Scores:
        """The logit of "real" of texts whose features are known."""
        scores = self.output(self.dropout(self._through_highway(features)))
        return scores[:, 1] - scores[:, 0]

    def features(self, tokens: Tokens) -> Float[Tensor, "B F"]:
        """The strongest response of every filter among the windows that lie inside the text."""
        lengths = (tokens != PAD).sum(dim=1)
        missing = max(0, self.widest - tokens.shape[1])
        embedded = self.embedding(nn.functional.pad(tokens, (0, missing), value=PAD))
        return torch.cat([strongest_response(c, embedded, lengths) for c in self.convolutions], dim=1)

    def _through_highway(self, features: Float[Tensor, "B F"]) -> Float[Tensor, "B F"]:
        """carry * x + transform * relu(W x + b), with carry = 1 - transform."""
        if self.highway is None:
            return features
        candidate, gate = self.highway(features).to(features.dtype).chunk(2, dim=1)
        return torch.lerp(features, candidate.relu(), gate.sigmoid())


def strongest_response(
    convolution: nn.Module, embedded: Float[Tensor, "B T E"], lengths: Int[Tensor, "B"]
) -> Float[Tensor, "B F"]:
    """What a layer of filters finds in the windows that lie inside each text; 0 where no window fits."""
    assert isinstance(convolution, nn.Conv1d)
    if not on_cpu(embedded):
        return plain_response(convolution, embedded, lengths)
    assert convolution.bias is not None
    return (strongest_window(embedded, convolution.weight, lengths) + convolution.bias).relu()


def plain_response(
    convolution: nn.Conv1d, embedded: Float[Tensor, "B T E"], lengths: Int[Tensor, "B"]
) -> Float[Tensor, "B F"]:
    """The same by `Conv1d`: for GPUs, where multiplying is what is cheap."""
    responses = convolution(embedded.transpose(1, 2))
    starts = torch.arange(responses.shape[2], device=embedded.device)
    outside = starts > lengths.unsqueeze(1) - convolution.kernel_size[0]
    # The maximum of no window is minus infinity, and the ReLU makes that 0, with no gradient.
    return responses.masked_fill(outside.unsqueeze(1), float("-inf")).amax(dim=2).relu()
