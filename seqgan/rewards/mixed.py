"""Several scores of the same finished sequences, added up by weight: one rollout serves them all."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from seqgan.data.batches import Texts
from seqgan.rollout import Completions, Score, scored
from seqgan.shapes import Labels, Scores, Tokens


class Mixed:
    """The sum over parts of weight * score: a score itself, which each part may compute in its own way."""

    def __init__(self, parts: Mapping[str, Score], weights: Mapping[str, float]) -> None:
        self.parts, self.weights = dict(parts), dict(weights)

    def __call__(self, tokens: Tokens, labels: Labels | None = None, /) -> Scores:
        text = Texts(tokens, labels).parts
        return self._sum({name: score(*text) for name, score in self.parts.items()})

    def of_all(self, samples: Texts, finished: Completions) -> tuple[Scores, Float[Tensor, "R"]]:
        both = {name: scored(score, samples, finished) for name, score in self.parts.items()}
        whole, values = ({name: pair[which] for name, pair in both.items()} for which in (0, 1))
        return self._sum(whole), self._sum(values)

    def _sum(self, scores: Mapping[str, Float[Tensor, "N"]]) -> Float[Tensor, "N"]:
        return torch.stack([self.weights[name] * score for name, score in scores.items()]).sum(dim=0)
