"""Labels of texts: what may be one, and how they are numbered."""

from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Any

from seqgan.core.config import nearest
from seqgan.errors import CorpusError, quoted

MOST_LABELS = 1000
TEXTS_PER_LABEL = 2  # on average, at least: a column of ids has a value of its own for every text


def label_of(value: Any, what: str) -> str:
    """The label that a value is: a word or a few, a number, true or false.

    Raises:
        CorpusError: it is nothing, or something else; `what` says which value it is."""
    value = value.item() if hasattr(value, "item") else value  # of numpy's numbers
    if isinstance(value, str):
        value = " ".join(value.split())
    elif isinstance(value, bool | int | float) and value == value:
        value = str(value)
    elif value is not None and value == value:
        raise CorpusError(f"{what} is {str(value)[:40]!r}, which is no label; a word or a number was expected")
    if not isinstance(value, str) or not value:
        raise CorpusError(f"{what} is empty, but every text needs a label; fill it in, or leave the text out")
    return value


def labels_of(values: Iterable[Any]) -> list[str]:
    """The labels in whatever holds them in order, one for each text.

    Raises:
        CorpusError: something in it is no label."""
    if isinstance(values, str | Mapping | set | frozenset) or not hasattr(values, "__iter__"):
        raise CorpusError(f"a list of labels was expected, one for each text, not {quoted(str(values), 40)}")
    return [label_of(value, f"label {number}") for number, value in enumerate(values, start=1)]


def names_of(labels: Mapping[str, Sequence[str]]) -> list[str]:
    """The different labels of all splits, in the order of their numbers."""
    return sorted({label for several in labels.values() for label in several})


def refuse_ids(labels: Mapping[str, Sequence[str]]) -> None:
    """
    Raises:
        CorpusError: there are so many different labels that they are ids rather than labels."""
    names, texts = names_of(labels), sum(map(len, labels.values()))
    if len(names) > MOST_LABELS or len(names) * TEXTS_PER_LABEL > texts:
        raise CorpusError(
            f"there are {len(names)} different labels for {texts} texts ({quoted(names[0], 20)}, "
            f"{quoted(names[-1], 20)} ...), which are ids rather than labels; at most {MOST_LABELS}, and "
            f"{TEXTS_PER_LABEL} texts for each, were expected"
        )


def numbered(labels: Sequence[str], names: Sequence[str], texts: Sized) -> list[int]:
    """The number of the label of each text among `names`.

    Raises:
        CorpusError: the texts have no labels, or one that is not among them."""
    numbers = {name: number for number, name in enumerate(names)}
    if len(labels) != len(texts):
        raise CorpusError(
            f"the policy is conditioned on labels ({', '.join(names)}), and the texts have none; give them by "
            "--label-column or --labels"
        )
    if unknown := sorted(set(labels) - numbers.keys()):
        raise CorpusError(f"the policy has no label {quoted(unknown[0])}{nearest(unknown[0], names)}")
    return [numbers[label] for label in labels]
