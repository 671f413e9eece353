"""Numbers about texts, policies and discriminators. None of them is ever used to choose a step on the test split.

`METRICS` holds what can be measured on text alone; each entry is a function from a `View` to named numbers."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, get_args

import numpy as np

from seqgan.core.stats import blocks, blocks_of, jackknife_error, standard_error
from seqgan.data.tokens import TOKENS
from seqgan.errors import UsageError
from seqgan.metrics.bleu import ORDERS, Index, Matches, corpus_bleu, sentence_bleu
from seqgan.metrics.diversity import distinct, ngrams_of, texts_of
from seqgan.metrics.ngrams import Texts
from seqgan.metrics.novelty import copied

Aggregation = Literal["sentence", "corpus"]
BLEUS = range(2, ORDERS + 1)


class Measured(NamedTuple):
    """A number, how sure it is (NaN where that cannot be said), and all that it depends on besides the texts."""

    value: float
    stderr: float
    signature: str


@dataclass(frozen=True)
class View:
    """Texts to be measured, beside those they are compared with; `references` and `training` may be empty."""

    samples: Sequence[str]
    references: Sequence[str] = ()
    training: Sequence[str] = ()
    tokens: str = "words"
    aggregation: Aggregation = "sentence"
    too_long: str = ""  # what became of texts that were too long, where there were any: cut@64

    def __post_init__(self) -> None:
        for given, known in ((self.tokens, tuple(TOKENS)), (self.aggregation, get_args(Aggregation))):
            if given not in known:
                raise UsageError(f"{given!r} was given, but one of {', '.join(known)} was expected")

    @cached_property
    def cut(self) -> Texts:
        return [TOKENS[self.tokens](text) for text in self.samples]

    @cached_property
    def cut_references(self) -> Texts:
        return [TOKENS[self.tokens](text) for text in self.references]

    @cached_property
    def cut_training(self) -> Texts:
        return [TOKENS[self.tokens](text) for text in self.training]

    def signed(self, **more: object) -> str:
        """`n:277|refs:276|tok:chars`, and so on."""
        long = {"long": self.too_long} if self.too_long else {}
        if more.get("err") in ("blocks", "jackknife"):
            more["err"] = f"{more['err']}-{blocks_of(len(self.samples))}"
        parts = {"n": len(self.samples), **more, **long, "tok": self.tokens}
        return "|".join(f"{name}:{value}" for name, value in parts.items())

    def aggregated(self, matches: Matches) -> np.ndarray:
        """BLEU-1 ... BLEU-N of many hypotheses in one number each."""
        return sentence_bleu(matches).mean(axis=1) if self.aggregation == "sentence" else corpus_bleu(matches)


def bleu(view: View) -> dict[str, Measured]:
    """The samples as hypotheses, all references at once: how much of a sample is found in real text."""
    if not view.references:
        return {}
    matches = Index(view.cut_references).matches(view.cut)
    by_sentence = view.aggregation == "sentence"
    errors = standard_error(sentence_bleu(matches).T) if by_sentence else _error_over_blocks(view, matches)
    signature = _bleu_signature(view, refs=len(view.references), err="hypotheses" if by_sentence else "blocks")
    return _by_order("bleu", view.aggregated(matches), errors, signature)


def backward_bleu(view: View) -> dict[str, Measured]:
    """The references as hypotheses, the samples as their references: how much of real text the samples cover."""
    if not view.references:
        return {}

    references, index = view.cut_references, Index(view.cut)
    located = index.locate(references)

    def left_out(of_samples: Sequence[int], of_references: Sequence[int]) -> np.ndarray:
        return view.aggregated(_all_but(of_references, index.without(of_samples).matches(located)))

    pairs = zip(blocks(range(len(view.cut))), blocks(range(len(references))), strict=False)
    errors = jackknife_error([left_out(*pair) for pair in pairs])
    signature = _bleu_signature(view, hyps=len(references), refs="samples", err="jackknife")
    return _by_order("backward-bleu", view.aggregated(index.matches(located)), errors, signature)


def self_bleu(view: View) -> dict[str, Measured]:
    """Every sample against all the others: 1 where all are alike. It grows with their number. Undefined for one."""
    if len(view.samples) < 2:
        return {}
    index = Index(view.cut)
    located = index.locate(view.cut)

    def left_out(block: Sequence[int]) -> np.ndarray:
        return view.aggregated(_all_but(block, index.without(block).matches(located, among_them=True)))

    errors = jackknife_error([left_out(block) for block in blocks(range(index.size)) if len(block) < index.size - 1])
    likeness = view.aggregated(index.matches(located, among_them=True))
    return _by_order("self-bleu", likeness, errors, _bleu_signature(view, refs="leave-one-out", err="jackknife"))


def variety(view: View) -> dict[str, Measured]:
    """The share of different samples, and of different n-grams."""
    things = {"distinct": texts_of(view.cut)} | {f"distinct-{n}": ngrams_of(view.cut, n) for n in (1, 2, 3)}
    parts, signature = blocks(range(len(view.cut))), view.signed(err="jackknife")
    measured = {}
    for name, several in things.items():
        value, *without = distinct(several, parts)
        measured[name] = Measured(value, float(jackknife_error(without)), signature)
    return measured


def novelty(view: View) -> dict[str, Measured]:
    """The share of samples, lines and n-grams that stand in a training text, and how long the copied spans are.

    Lines are what stands between blanks where the tokens are characters: the lines of a poem."""
    if not view.training:
        return {}
    cut, against = view.cut, {"training": len(view.training)}
    known = set(map(tuple, view.cut_training))
    measured = {"seen": _mean([tuple(text) in known for text in cut], view, **against)}
    if view.tokens == "chars":
        lines = {line for text in view.training for line in text.split()}
        seen = [line in lines for text in view.samples for line in text.split()]
        measured["seen-lines"] = _mean(seen or [False], view, **against)
    common = copied(cut, view.cut_training, ORDERS)
    length = np.array([len(text) for text in cut])
    for order in BLEUS:
        counts = np.stack([common.ngrams[order - 1], np.maximum(0, length - order + 1)])
        measured[f"seen-{order}"] = _ratio(counts, view, **against)
    measured["copied"] = _mean(common.span, view, **against)
    measured["copied-longest"] = Measured(float(common.span.max()), np.nan, view.signed(**against))
    return measured


def form(view: View) -> dict[str, Measured]:
    """The number of tokens, and the share of samples in the form that most training texts have.

    The form of a text is the number of characters of each of its lines: 5-5-5-5 for a quatrain."""
    measured = {"length": _mean([len(text) for text in view.cut], view)}
    if view.tokens == "chars" and view.training:
        [(usual, count)] = Counter(map(shape, view.training)).most_common(1)
        if count * 2 > len(view.training):
            measured["form"] = _mean([shape(text) == usual for text in view.samples], view, form=usual)
    return measured


def shape(text: str) -> str:
    return "-".join(str(len(line)) for line in text.split())


METRICS: dict[str, Callable[[View], Mapping[str, Measured]]] = {
    "BLEU": bleu,
    "backward BLEU": backward_bleu,
    "Self-BLEU": self_bleu,
    "variety": variety,
    "novelty": novelty,
    "form": form,
}


def _bleu_signature(view: View, **parts: object) -> str:
    aggregation = "sentence-mean" if view.aggregation == "sentence" else "corpus"
    return view.signed(**parts, smooth="method1", agg=aggregation)


def _by_order(name: str, values: np.ndarray, errors: np.ndarray, signature: str) -> dict[str, Measured]:
    errors = np.broadcast_to(errors, values.shape)
    return {
        f"{name}-{order}": Measured(float(values[order - 1]), float(errors[order - 1]), signature) for order in BLEUS
    }


def _error_over_blocks(view: View, matches: Matches) -> np.ndarray:
    parts = blocks(range(len(view.samples)))
    return standard_error([corpus_bleu(Matches(*(part[..., list(block)] for part in matches))) for block in parts])


def _all_but(block: Sequence[int], matches: Matches) -> Matches:
    return Matches(*(np.delete(part, list(block), axis=-1) for part in matches))


def _mean(values: Sequence[float | int] | np.ndarray, view: View, **parts: object) -> Measured:
    error = standard_error([np.mean(block) for block in blocks(list(values))])
    return Measured(float(np.mean(values)), float(error), view.signed(**parts, err="blocks"))


def _ratio(counts: np.ndarray, view: View, **parts: object) -> Measured:
    """The ratio of two sums over the samples, `counts` being "2 B"."""

    def ratio(part: np.ndarray) -> float:
        some, every = part.sum(axis=1)
        return float(some / max(1, every))

    error = standard_error([ratio(counts[:, list(block)]) for block in blocks(range(counts.shape[1]))])
    return Measured(ratio(counts), float(error), view.signed(**parts, err="blocks"))
