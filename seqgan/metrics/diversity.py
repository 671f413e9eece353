"""How different generated texts are from one another."""

from collections.abc import Sequence


def distinct(texts: Sequence[str]) -> float:
    """The share of texts that differ from all before them: 1 where none is repeated."""
    return len(set(texts)) / len(texts)
