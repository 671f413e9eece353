"""The metrics of texts alone, of any origin. It imports no torch."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, get_args

from seqgan.core.bounds import YES_NO, OneOf, checked
from seqgan.core.report import Measured
from seqgan.data.texts import a_list_of_texts
from seqgan.data.tokens import TOKENS, suitable_tokens
from seqgan.errors import UsageError
from seqgan.metrics import METRICS, Aggregation, MetricInput

NONE = "no"  # script


@checked
def evaluate(
    samples: Iterable[str],
    references: Iterable[str] = (),
    training: Iterable[str] = (),
    *,
    tokens: Annotated[str | None, OneOf(list(TOKENS))] = None,
    aggregation: Annotated[Aggregation, OneOf(get_args(Aggregation))] = "sentence",
    held_out: Annotated[bool, YES_NO] = False,
    lowercase: Annotated[bool, YES_NO] = False,
) -> dict[str, Measured]:
    """Measure texts of any origin: `{"bleu-2": Measured(value, stderr, signature), ...}`.

    `first["bleu-2"] - second["bleu-2"]` is the difference of two sets of as many samples with its own, paired error.
    Samples are taken for independent of one another; of `held_out` real texts, copies count as one text.

    BLEU wants references, novelty the training texts; Self-BLEU and variety need neither. `tokens` are words, chars or
    whitespace (left out: what suits the script), with `lowercase` those of the texts in lower case. BLEU (Papineni et
    al. 2002) is the mean over sentences or that of the corpus, smoothed by method1 of Chen and Cherry (2014); Self-BLEU
    is that of Zhu et al. (2018), distinct-n of Li et al. (2016).

    Raises:
        UsageError: there is no sample, no such tokens, or samples and references are in different scripts."""
    samples, references, training = map(a_list_of_texts, (samples, references, training))
    if not samples:
        raise UsageError("there is no sample to measure")
    for others, what in ((references, "references"), (training, "training texts")):
        if others:
            same_script(samples, others, what)
    tokens = tokens or suitable_tokens(samples)
    options: dict[str, Any] = {"held_out": held_out, "lowercase": lowercase}
    return measure(MetricInput(samples, references, training, tokens, aggregation, **options))


def measure(inputs: MetricInput) -> dict[str, Measured]:
    """All of `METRICS`."""
    return {name: number for family in METRICS.values() for name, number in family(inputs).items()}


def same_script(samples: Sequence[str], others: Sequence[str], what: str) -> None:
    """Refuse to compare texts in different scripts, where nothing could match. Texts without letters are in none.

    Raises:
        UsageError: most letters of one are of another script than most of the other's."""
    script, other = script_of(samples), script_of(others)
    if NONE not in (script, other) and script != other:
        raise UsageError(
            f"the samples are in {script} script and the {what} in {other}, so nothing can match; give {what} like them"
        )


def script_of(texts: Sequence[str]) -> str:
    """The script of most letters, by the first word of their Unicode names: LATIN, EAST ASIAN ...; or none."""
    letters = (character for text in texts[:1000] for character in text if character.isalpha())
    scripts = Counter(unicodedata.name(letter, NONE).split()[0] for letter in letters)
    usual = scripts.most_common(1)[0][0] if scripts else NONE
    return "EAST ASIAN" if usual in ("CJK", "HIRAGANA", "KATAKANA", "HANGUL") else usual
