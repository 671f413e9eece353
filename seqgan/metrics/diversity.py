"""How different texts are from one another."""

from seqgan.metrics.ngrams import Texts


def distinct(texts: Texts) -> float:
    """The share of texts that differ from all before them: 1 where none is repeated."""
    return len(set(map(tuple, texts))) / len(texts)


def distinct_ngrams(texts: Texts, order: int) -> float:
    """Distinct-n (Li et al. 2016): different n-grams over all n-grams; 0 where there is none."""
    ngrams = [tuple(text[i : i + order]) for text in texts for i in range(len(text) - order + 1)]
    return len(set(ngrams)) / max(1, len(ngrams))
