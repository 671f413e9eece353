"""Whether texts are recognised as of their label: by a linear classifier of bags of tokens.

It learns from the training split and is stopped by the validation split, so its accuracy on the test split is that of
unseen text; samples that follow their label are recognised as often. It reads the ids of a policy's vocabulary but UNK,
which no policy writes."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from seqgan.core.game import adam
from seqgan.core.weights import clone
from seqgan.data.batches import Batches, map_by_length, near
from seqgan.data.ragged import Batch, Ragged
from seqgan.shapes import Tokens
from seqgan.symbols import EOS, PAD

BATCH, RATE, DECAY = 256, 0.02, 0.01
UPDATES, EVERY, PATIENCE = 4000, 50, 4  # at most; between two looks at the validation split; looks without a better one


class BagOfTokens(nn.Module):
    """The logits of labels: a bias, and a weight for every token and label, summed over the tokens of a text."""

    def __init__(self, vocab_size: int, labels: int) -> None:
        super().__init__()
        self.weights = nn.EmbeddingBag(vocab_size, labels, mode="sum", padding_idx=PAD)
        self.bias = nn.Parameter(torch.zeros(labels))
        nn.init.zeros_(self.weights.weight)

    def forward(self, tokens: Tokens) -> Float[Tensor, "B L"]:
        logits: Tensor = self.weights(tokens.masked_fill(tokens <= EOS, PAD)) + self.bias
        return logits


def classifier(
    train: Ragged, valid: Ragged, vocab_size: int, labels: int, device: torch.device, seed: int = 0
) -> BagOfTokens:
    """A classifier of labelled texts, with the lowest cross-entropy on validation text."""
    bags = BagOfTokens(vocab_size, labels).to(device)
    optimizer = adam(RATE, weight_decay=DECAY)(bags.parameters())
    batches = Batches(near(train, device), BATCH, seed, device=device)
    best, weights, waited = float("inf"), clone(bags), 0
    for update in range(1, UPDATES + 1):
        optimizer.zero_grad()
        _cross_entropy(bags, batches.at(update)).mean().backward()
        optimizer.step()
        if update % EVERY == 0:
            with torch.no_grad():
                losses = map_by_length(lambda batch: _cross_entropy(bags, batch), valid, vocab_size, device)
            loss = float(losses.mean())
            waited = 0 if loss < best else waited + 1
            if loss < best:
                best, weights = loss, clone(bags)
            if waited == PATIENCE:
                break
    bags.load_state_dict(weights)
    return bags


def _cross_entropy(bags: BagOfTokens, batch: Batch) -> Float[Tensor, "M"]:
    assert batch.labels is not None
    return F.cross_entropy(bags(batch.tokens), batch.labels, reduction="none")


@torch.no_grad()
def recognised(bags: BagOfTokens, rows: Ragged, device: torch.device) -> Bool[Tensor, "N"]:
    """Whether each text is taken for one of its label."""

    def right(batch: Batch) -> Float[Tensor, "M"]:
        return (bags(batch.tokens).argmax(dim=1) == batch.labels).float()

    return map_by_length(right, rows, bags.weights.num_embeddings, device) > 0
