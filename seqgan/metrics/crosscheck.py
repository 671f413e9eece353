"""Our BLEU against those of nltk and sacrebleu, on some of the very texts it is printed for.

Both take the references anew for every hypothesis, which is why only some hypotheses are checked."""

from collections.abc import Iterator, Sequence
from importlib.metadata import version

import numpy as np

from seqgan.data.tokens import TOKENS
from seqgan.metrics import BLEUS
from seqgan.metrics.bleu import EPSILON, Index, corpus_bleu, sentence_bleu
from seqgan.metrics.ngrams import Texts

PAIRS = 30_000  # of hypothesis and reference, that the other libraries compare: some ten seconds


def check_bleu(samples: Sequence[str], references: Sequence[str], tokens: str) -> list[str]:
    """The largest difference of sentence BLEU and Self-BLEU to either library, in words, for so many samples; and that
    of the corpus BLEU of those samples to nltk's."""
    hypotheses, real = ([TOKENS[tokens](text) for text in texts] for texts in (samples, references))
    index = Index(real)
    ours = {"BLEU": sentence_bleu(index.matches(hypotheses))}
    if len(hypotheses) > 1:
        ours["Self-BLEU"] = sentence_bleu(Index(hypotheses).matches(hypotheses, among_them=True))
    lines = []
    for name, scores in ours.items():
        chosen = _spread_out(len(hypotheses), max(3, PAIRS // len(real if name == "BLEU" else hypotheses)))
        for library, recomputed in (("nltk", _nltk), ("sacrebleu", _sacrebleu)):
            differences = []
            for number in chosen:
                others = real if name == "BLEU" else [*hypotheses[:number], *hypotheses[number + 1 :]]
                for order, score in recomputed(hypotheses[number], others):
                    differences.append(abs(scores[order - 1, number] - score))
            lines.append(_in_words(name, len(chosen), library, differences))
    chosen = _spread_out(len(hypotheses), max(3, PAIRS // len(real)))
    some = [hypotheses[number] for number in chosen]
    together = corpus_bleu(index.matches(some))
    differences = [abs(together[order - 1] - score) for order, score in _nltk_corpus(some, real)]
    return [*lines, _in_words("corpus BLEU", len(chosen), "nltk", differences)]


def _in_words(name: str, samples: int, library: str, differences: Sequence[float]) -> str:
    return (
        f"{name}-2..5 of {samples} samples against {library} {version(library)}: "
        f"largest difference {max(differences, default=0.0):.1e} in {len(differences)} numbers"
    )


def _nltk_corpus(hypotheses: Texts, references: Texts) -> Iterator[tuple[int, float]]:
    from nltk.translate.bleu_score import SmoothingFunction, corpus_bleu

    smoothing = SmoothingFunction(epsilon=EPSILON).method1
    for order in BLEUS:
        yield order, corpus_bleu([references] * len(hypotheses), hypotheses, (1 / order,) * order, smoothing)


def _spread_out(total: int, count: int) -> list[int]:
    return sorted(set(np.linspace(0, total - 1, min(total, count)).astype(int).tolist()))


def _nltk(hypothesis: Sequence[str], references: Texts) -> Iterator[tuple[int, float]]:
    from nltk.translate.bleu_score import SmoothingFunction
    from nltk.translate.bleu_score import sentence_bleu as theirs

    smoothing = SmoothingFunction(epsilon=EPSILON).method1
    weights = [(1 / order,) * order for order in BLEUS]
    scores = theirs(references, hypothesis, weights, smoothing) if hypothesis else [0.0] * len(BLEUS)
    yield from zip(BLEUS, scores if isinstance(scores, list) else [scores] * len(BLEUS), strict=True)


def _sacrebleu(hypothesis: Sequence[str], references: Texts) -> Iterator[tuple[int, float]]:
    """Smoothing `floor` is nltk's method1; orders that the hypothesis is too short for are no part of it there."""
    from sacrebleu import BLEU

    line, lines = " ".join(hypothesis), [" ".join(text) for text in references]
    for order in BLEUS:
        if len(hypothesis) >= order:
            scorer = BLEU(
                smooth_method="floor",
                smooth_value=EPSILON,
                tokenize="none",
                max_ngram_order=order,
                effective_order=False,
            )
            yield order, scorer.corpus_score([line], [[text] for text in lines]).score / 100
