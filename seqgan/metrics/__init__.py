"""Metrics of texts, policies and discriminators. None of them selects a checkpoint on the test split.

`METRICS` holds those of text alone; each is a function of a `MetricInput` that returns numbers by name."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from seqgan.core.report import Measured
from seqgan.core.stats import (
    Units,
    jackknife_influences,
    mean_influences,
    ratio_influences,
    unit_blocks,
    units_of,
)
from seqgan.data.pieces import Pieces, cut
from seqgan.data.tokens import TOKENS, WAYS
from seqgan.errors import UsageError, quoted
from seqgan.metrics.bleu import ORDERS, Index, Matches, corpus_bleu, sentence_bleu
from seqgan.metrics.diversity import distinct, ngrams_of, texts_of
from seqgan.metrics.ngrams import Texts
from seqgan.metrics.novelty import copied

Aggregation = Literal["sentence", "corpus"]
BLEUS = range(2, ORDERS + 1)


@dataclass(frozen=True)
class MetricInput:
    """Texts to be measured, beside those they are compared with; `references` and `training` may be empty.

    Samples are independent, also where two are equal: so the policy draws them. In corpus text, copies are one unit
    (`core.stats.units_of`): in references always, and in the samples where they are `held_out` text."""

    samples: Sequence[str]
    references: Sequence[str] = ()
    training: Sequence[str] = ()
    tokens: str = "words"
    aggregation: Aggregation = "sentence"
    overlong: str = ""  # how overlong texts were treated, where there were any: truncate@64
    held_out: bool = False
    lowercase: bool = False  # count tokens of the texts in lower case
    part_of: Mapping[str, str] = field(default_factory=dict)  # piece of a held-out text that was split -> that text
    chosen: Mapping[str, str] = field(default_factory=dict)  # how many texts of a larger split: 10000/40213
    cut_training: Pieces | None = None  # the tokens of `training`, where they are known already

    def __post_init__(self) -> None:
        for given, known in ((self.tokens, tuple(TOKENS)), (self.aggregation, get_args(Aggregation))):
            if given not in known:
                raise UsageError(f"{quoted(given)} was given, but one of {', '.join(known)} was expected")

    @cached_property
    def tokenised(self) -> Texts:
        return self._tokenised(self.samples)

    @cached_property
    def tokenised_references(self) -> Texts:
        return self._tokenised(self.references)

    @cached_property
    def training_pieces(self) -> Pieces:
        known = None if self.lowercase else self.cut_training
        return known or cut(map(self.cased, self.training), WAYS[self.tokens])

    def of(self, samples: Sequence[str], *, held_out: bool = False) -> "MetricInput":
        """Other samples beside the same texts, which are cut once for all."""
        other = replace(self, samples=samples, held_out=held_out)
        other.__dict__["tokenised_references"] = self.tokenised_references
        other.__dict__["training_pieces"] = self.training_pieces
        return other

    def _tokenised(self, texts: Sequence[str]) -> Texts:
        return [TOKENS[self.tokens](self.cased(text)) for text in texts]

    def cased(self, text: str) -> str:
        return text.lower() if self.lowercase else text

    @property
    def source(self) -> str:
        """Whose units the samples are, in the influences of a number."""
        return "held-out" if self.held_out else "samples"

    @cached_property
    def units(self) -> Units:
        return self._units(self.samples, self.tokenised) if self.held_out else np.arange(len(self.samples))

    @cached_property
    def reference_units(self) -> Units:
        return self._units(self.references, self.tokenised_references)

    def _units(self, texts: Sequence[str], cut: Texts) -> Units:
        """In corpus text copies are one unit, and so are the pieces of one text."""
        return units_of(self.part_of.get(text) or tuple(tokens) for text, tokens in zip(texts, cut, strict=True))

    @cached_property
    def blocks(self) -> list[list[int]]:
        return unit_blocks(self.units)

    def signature(self, **more: object) -> str:
        """`n:277|refs:276|tok:chars`, and so on."""
        overlong = {"overlong": self.overlong} if self.overlong else {}
        case = {"case": "lc"} if self.lowercase else {}
        parts = {"n": len(self.samples), **more, **self.chosen, **overlong, **case, "tok": self.tokens}
        return "|".join(f"{name}:{value}" for name, value in parts.items())

    def aggregated(self, matches: Matches) -> np.ndarray:
        """BLEU-1 ... BLEU-N of many hypotheses in one number each."""
        return sentence_bleu(matches).mean(axis=1) if self.aggregation == "sentence" else corpus_bleu(matches)

    def jackknife(self, without: Sequence[Any]) -> np.ndarray:
        """The influences of the blocks of samples, from what a measure is without each."""
        return jackknife_influences(without, [len(block) / len(self.samples) for block in self.blocks])


def over_texts(units: Units, what: str = "texts") -> str:
    """How an error comes from single texts, for a signature: `texts`, or `texts/25` where only 25 are different."""
    different = int(units.max(initial=-1)) + 1
    return what if different == len(units) else f"{what}/{different}"


def over_blocks(units: Units) -> str:
    """The same for errors by the jackknife: `jackknife-10x27` is ten blocks of 27 texts."""
    blocks = unit_blocks(units)
    size = f"{len(blocks)}x{min(map(len, blocks))}" if blocks else "none"
    return f"jackknife-{size}{over_texts(units).removeprefix('texts')}"


def bleu(inputs: MetricInput) -> dict[str, Measured]:
    """The samples as hypotheses, all references at once: how much of a sample is found in real text."""
    if not inputs.references:
        return {}
    matches = Index(inputs.tokenised_references).matches(inputs.tokenised)
    if inputs.aggregation == "sentence":
        influences, errors = _by_hypothesis(matches, inputs.units), over_texts(inputs.units, "hypotheses")
    else:
        without = [corpus_bleu(_all_but(block, matches)) for block in inputs.blocks]
        influences, errors = inputs.jackknife(without), over_blocks(inputs.units)
    signature = _bleu_signature(inputs, refs=len(inputs.references), err=errors)
    return _by_order("bleu", inputs.aggregated(matches), {inputs.source: influences}, signature)


def backward_bleu(inputs: MetricInput) -> dict[str, Measured]:
    """The references as hypotheses, the samples as their references: how much of real text the samples cover.

    Its error is of both: each block of the samples is left out in turn, and so is each block of the references."""
    if not inputs.references:
        return {}
    references, index = inputs.tokenised_references, Index(inputs.tokenised)
    located = index.locate(references)
    matches, parts = index.matches(located), unit_blocks(inputs.reference_units)
    fewer_samples = [inputs.aggregated(index.without(block).matches(located)) for block in inputs.blocks]
    fewer_references = [inputs.aggregated(_all_but(block, matches)) for block in parts]
    influences = {
        inputs.source: inputs.jackknife(fewer_samples),
        "references": jackknife_influences(fewer_references, [len(block) / len(references) for block in parts]),
    }
    signature = _bleu_signature(inputs, hyps=len(references), refs="samples", err=over_blocks(inputs.units))
    return _by_order("backward-bleu", inputs.aggregated(matches), influences, signature)


def self_bleu(inputs: MetricInput) -> dict[str, Measured]:
    """Every sample against all the others: 1 where all are alike. It grows with their number. Undefined for one."""
    if len(inputs.samples) < 2:
        return {}
    index = Index(inputs.tokenised)
    located = index.locate(inputs.tokenised)

    def left_out(block: Sequence[int]) -> np.ndarray:
        return inputs.aggregated(_all_but(block, index.without(block).matches(located, among_them=True)))

    defined = all(len(block) < index.size - 1 for block in inputs.blocks)  # of a single text that is left it is not
    influences = inputs.jackknife([left_out(block) for block in inputs.blocks] if defined else [])
    likeness = inputs.aggregated(index.matches(located, among_them=True))
    signature = _bleu_signature(inputs, refs="leave-one-out", err=over_blocks(inputs.units))
    return _by_order("self-bleu", likeness, {inputs.source: influences}, signature)


def variety(inputs: MetricInput) -> dict[str, Measured]:
    """The share of different samples, and of different n-grams where there are any."""
    things = {"distinct": texts_of(inputs.tokenised)} | {
        f"distinct-{n}": ngrams_of(inputs.tokenised, n) for n in (1, 2, 3)
    }
    signature = inputs.signature(err=over_blocks(inputs.units))
    measured = {}
    for name, several in things.items():
        if any(several):
            value, *without = distinct(several, inputs.blocks)
            measured[name] = Measured.of(value, {inputs.source: inputs.jackknife(without)}, signature)
    return measured


def novelty(inputs: MetricInput) -> dict[str, Measured]:
    """The share of samples, lines and n-grams that are in a training text, and how long the copied spans are.

    Where tokens are characters, lines are the pieces between blanks: the lines of a poem. A share of nothing (no sample
    has n tokens) is left out."""
    if not inputs.training:
        return {}
    tokens, against = inputs.tokenised, {"training": len(inputs.training)}
    common = copied(tokens, inputs.training_pieces, ORDERS)
    each = np.ones(len(tokens))
    counts: dict[str, tuple[np.ndarray, np.ndarray]] = {"seen": (common.seen, each)}
    if inputs.tokens == "chars":
        lines = [inputs.cased(text).split() for text in inputs.samples]
        own = {line for several in lines for line in several}
        known = own.intersection(line for text in inputs.training for line in inputs.cased(text).split())
        seen = [sum(line in known for line in several) for several in lines]
        counts["seen-lines"] = (np.array(seen), np.array([len(several) for several in lines]))
    length = np.array([len(text) for text in tokens])
    for order in BLEUS:
        counts[f"seen-{order}"] = (common.ngrams[order - 1], np.maximum(0, length - order + 1))
    counts["copied"] = (common.span, each)
    measured = {name: _ratio(some, of, inputs, **against) for name, (some, of) in counts.items() if of.sum()}
    measured["copied-longest"] = Measured(float(common.span.max()), np.nan, inputs.signature(**against))
    return measured


def form(inputs: MetricInput) -> dict[str, Measured]:
    """The number of tokens, how many of them stand earlier in the same text, and the share of samples in the form that
    most training texts have.

    The form of a text is the number of characters of each of its lines: 5-5-5-5 for a quatrain."""
    each = np.ones(len(inputs.tokenised))
    length, repeats = ([measure(text) for text in inputs.tokenised] for measure in (len, repetitions))
    measured = {"length": _ratio(length, each, inputs), "repeats": _ratio(repeats, each, inputs)}
    if inputs.tokens == "chars" and (usual := usual_form(inputs.training)):
        measured["form"] = _ratio([shape(text) == usual for text in inputs.samples], each, inputs, form=usual)
    return measured


def usual_form(training: Iterable[str]) -> str:
    """The form that most texts have; empty where there is none such."""
    forms = Counter(map(shape, training))
    return next((form for form, count in forms.most_common(1) if count * 2 > forms.total()), "")


def repetitions(tokens: Sequence[Hashable]) -> int:
    """How many tokens of a text stand earlier in it."""
    return len(tokens) - len(set(tokens))


def shape(text: str) -> str:
    return "-".join(str(len(line)) for line in text.split())


METRICS: dict[str, Callable[[MetricInput], Mapping[str, Measured]]] = {
    "BLEU": bleu,
    "backward BLEU": backward_bleu,
    "Self-BLEU": self_bleu,
    "variety": variety,
    "novelty": novelty,
    "form": form,
}


def _bleu_signature(inputs: MetricInput, **parts: object) -> str:
    aggregation = "sentence-mean" if inputs.aggregation == "sentence" else "corpus"
    return inputs.signature(**parts, smooth="method1", agg=aggregation)


def _by_order(
    name: str, values: np.ndarray, influences: Mapping[str, np.ndarray], signature: str
) -> dict[str, Measured]:
    """`influences` of each source are "units N", or one NaN for all orders."""
    return {
        f"{name}-{order}": Measured.of(
            values[order - 1], {source: _column(of, order) for source, of in influences.items()}, signature
        )
        for order in BLEUS
    }


def _column(influences: np.ndarray, order: int) -> np.ndarray:
    return influences[:, order - 1] if influences.ndim == 2 else influences


def _by_hypothesis(matches: Matches, units: Units) -> np.ndarray:
    """The influences "units N" on the mean sentence BLEU of every order."""
    return np.stack([mean_influences(of_order, units) for of_order in sentence_bleu(matches)], axis=1)


def _all_but(block: Sequence[int], matches: Matches) -> Matches:
    return Matches(*(np.delete(part, list(block), axis=-1) for part in matches))


def _ratio(totals: ArrayLike, sizes: ArrayLike, inputs: MetricInput, **parts: object) -> Measured:
    """The sum of one over the sum of the other, one of each for every sample."""
    influences = ratio_influences(totals, sizes, inputs.units)
    value = np.sum(totals) / np.sum(sizes)
    return Measured.of(value, {inputs.source: influences}, inputs.signature(**parts, err=over_texts(inputs.units)))
