"""What an algorithm needs to know of the ids it trains on: how many there are, and how to show some."""

from collections.abc import Sequence
from typing import Protocol

from seqgan.symbols import BOS, EOS, PAD


class Vocabulary(Protocol):
    """A tokenizer is one; so is `Ids`, where there is no text."""

    kind: str  # how its tokens are told apart in a text: char, word, bpe, unigram or whitespace

    def __len__(self) -> int:
        """V, the special ids (`seqgan.symbols`) included."""
        ...

    def decode(self, ids: Sequence[int], /) -> str:
        """The text of ids, up to the first EOS."""
        ...


class Ids:
    """A vocabulary of plain numbers, for sequences that are no text (an oracle's, music): each is shown as it is."""

    kind = "whitespace"

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def decode(self, ids: Sequence[int]) -> str:
        end = ids.index(EOS) if EOS in ids else len(ids)
        return " ".join(str(token) for token in ids[:end] if token not in (PAD, BOS))
