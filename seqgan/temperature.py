"""The temperature at which a policy writes best, searched on the validation split."""

import random
from collections.abc import Sequence

from seqgan.data.tokens import TOKENS
from seqgan.metrics.bleu import Index, sentence_bleu
from seqgan.model import TextModel

TEMPERATURES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
MOST_TEXTS = 250  # drawn at each temperature, and as many validation texts
ORDER = 3


def by_temperature(model: TextModel, valid: Sequence[str], tokens: str, seed: int = 0) -> dict[float, float]:
    """Temperature -> the harmonic mean of BLEU-3 and backward BLEU-3 of samples against validation texts.

    A low temperature raises the one and lowers the other: the samples are more like real text, and cover less of it
    (Caccia et al. 2020 compare models along this curve). All are drawn with the same seed."""
    count = min(len(valid), MOST_TEXTS)
    real = [TOKENS[tokens](valid[number]) for number in random.Random(seed).sample(range(len(valid)), count)]
    against_real = Index(real)
    scores = {}
    for temperature in TEMPERATURES:
        texts = map(TOKENS[tokens], model.generate(count, temperature=temperature, seed=seed))
        samples = [*texts]
        forward = sentence_bleu(against_real.matches(samples))[ORDER - 1].mean()
        backward = sentence_bleu(Index(samples).matches(real))[ORDER - 1].mean()
        scores[temperature] = float(2 * forward * backward / (forward + backward)) if forward and backward else 0.0
    return scores


def best_of(scores: dict[float, float]) -> float:
    """The temperature with the highest score; of equal ones the highest, which changes the policy least."""
    return max(scores, key=lambda temperature: (scores[temperature], temperature))
