"""The plain way of doing the same work, as most published code does it: what the speed of ours is compared with.

Nested loops over completions and prefixes, each prefix run again, one step of `nn.LSTMCell` after the other, softmax
and `torch.multinomial`, a discriminator of plain `Conv1d` layers, losses over all logits at once. It stays as it is."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqgan.bench.counts import Sizes
from seqgan.symbols import BOS, EOS


class NaivePolicy(nn.Module):
    """Embedding, LSTM, linear layer. The cell and the whole-sequence LSTM share their weights."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.embedding = nn.Embedding(sizes.vocab_size, sizes.embedding_dim)
        self.lstm = nn.LSTM(sizes.embedding_dim, sizes.hidden_dim, batch_first=True)
        self.cell = nn.LSTMCell(sizes.embedding_dim, sizes.hidden_dim)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            setattr(self.cell, name, getattr(self.lstm, f"{name}_l0"))
        self.projection = nn.Linear(sizes.hidden_dim, sizes.embedding_dim) if sizes.tie_embeddings else nn.Identity()
        self.output = nn.Linear(sizes.output_dim, sizes.vocab_size)
        if sizes.tie_embeddings:
            self.output.weight = self.embedding.weight
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.1)

    @torch.no_grad()
    def complete(self, prefix: Tensor) -> Tensor:
        """Run the given tokens "B g" through the cell, then draw the others: "B T"."""
        count, given = prefix.shape
        hidden = cell = self.output.weight.new_zeros(count, self.sizes.hidden_dim)
        token, written = prefix.new_full((count,), BOS), []
        for position in range(self.sizes.length):
            hidden, cell = self.cell(self.embedding(token), (hidden, cell))
            if position < given:
                token = prefix[:, position]
            else:
                logits = self.output(self.projection(hidden))
                logits[:, :EOS] = float("-inf")
                token = torch.multinomial(logits.softmax(dim=1), 1).squeeze(1)
            written.append(token)
        return torch.stack(written, dim=1)

    def sample(self, count: int) -> Tensor:
        return self.complete(torch.zeros(count, 0, dtype=torch.long, device=self.output.weight.device))

    def losses(self, tokens: Tensor) -> Tensor:
        """-log pi of every token, "B T"."""
        fed = torch.cat([torch.full_like(tokens[:, :1], BOS), tokens[:, :-1]], dim=1)
        logits = self.output(self.projection(self.lstm(self.embedding(fed))[0]))
        return F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none").view_as(tokens)


class NaiveDiscriminator(nn.Module):
    """Convolutions, the maximum over time, a highway, the logit of "real"."""

    def __init__(self, sizes: Sizes, dropout: float = 0.25) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocab_size, sizes.d_embedding_dim)
        self.convolutions = nn.ModuleList(nn.Conv1d(sizes.d_embedding_dim, f, w) for w, f in sizes.fitting)
        features = sum(f for _, f in sizes.fitting)
        self.highway = nn.Linear(features, 2 * features) if sizes.highway else None
        self.dropout, self.output = nn.Dropout(dropout), nn.Linear(features, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        embedded = self.embedding(tokens).transpose(1, 2)
        features = torch.cat([convolution(embedded).relu().amax(dim=2) for convolution in self.convolutions], dim=1)
        if self.highway is not None:
            candidate, gate = self.highway(features).chunk(2, dim=1)
            gate = gate.sigmoid()
            features = gate * candidate.relu() + (1 - gate) * features
        scores: Tensor = self.output(self.dropout(features))
        return scores[:, 1] - scores[:, 0]


def rollouts(policy: NaivePolicy, tokens: Tensor, completions: int) -> list[list[Tensor]]:
    """For every completion number and every length of prefix: the batch, completed from there."""
    return [[policy.complete(tokens[:, :given]) for given in range(1, tokens.shape[1])] for _ in range(completions)]


@torch.no_grad()
def rewards(discriminator: NaiveDiscriminator, tokens: Tensor, finished: list[list[Tensor]]) -> Tensor:
    """The mean score of every prefix's completions, and of the whole texts: "B T"."""
    discriminator.eval()
    means = [torch.stack([discriminator(texts).sigmoid() for texts in one]) for one in finished]
    whole = discriminator(tokens).sigmoid()
    discriminator.train()
    return torch.cat([torch.stack(means).mean(dim=0), whole.unsqueeze(0)]).t()


class NaiveTraining:
    """Both players and their optimisers, as ours have them."""

    def __init__(self, sizes: Sizes, device: torch.device) -> None:
        self.sizes = sizes
        self.policy, self.discriminator = NaivePolicy(sizes).to(device), NaiveDiscriminator(sizes).to(device)
        self.optimizer = torch.optim.Adam(self.policy.parameters(), 0.01, fused=True)
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), 1e-4, fused=True)

    def generator_step(self) -> None:
        tokens = self.policy.sample(self.sizes.batch)
        self.update(tokens, rewards(self.discriminator, tokens, rollouts(self.policy, tokens, self.sizes.rollouts)))

    def update(self, tokens: Tensor, earned: Tensor) -> None:
        self._learn((self.policy.losses(tokens) * earned).sum())

    def mle_update(self, tokens: Tensor) -> None:
        self._learn(self.policy.losses(tokens).mean())

    def _learn(self, loss: Tensor) -> None:
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.policy.parameters(), 5.0)
        self.optimizer.step()

    def d_update(self, real: Tensor, fake: Tensor) -> None:
        scores, last = self.discriminator(torch.cat([real, fake])), self.discriminator.output
        labels = torch.cat([torch.ones(len(real)), torch.zeros(len(fake))]).to(scores.device)
        penalty = 0.1 * (last.weight.square().sum() + last.bias.square().sum())
        self.d_optimizer.zero_grad()
        (F.binary_cross_entropy_with_logits(scores, labels) + penalty).backward()
        self.d_optimizer.step()
