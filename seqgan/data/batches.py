"""Texts as padded tensors, and batches that are a function of the step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

from seqgan.core.seed import private_generator
from seqgan.core.world import share
from seqgan.data.symbols import EOS, PAD, UNK
from seqgan.data.tokenizer import Tokenizer
from seqgan.errors import CorpusError
from seqgan.shapes import Mask, Tokens

Long = Literal["cut", "split", "drop", "error"]


class Batch(NamedTuple):
    tokens: Tokens  # padded on the right
    mask: Mask  # True where a token counts


class Encoded(NamedTuple):
    """A split of a corpus as ids, with what the encoding did to it."""

    rows: list[list[int]]  # each ends with EOS, unless it was cut
    characters: int  # of the texts these rows stand for
    unknown: float  # share of tokens outside the vocabulary
    too_long: int  # texts longer than the limit
    lost: int = 0  # tokens of theirs that no row holds


def encode(texts: Sequence[str], tokenizer: Tokenizer, longest: int, long: Long = "cut") -> Encoded:
    """Ids of texts, each at most `longest` tokens with its EOS.

    A longer text is cut (and then has no EOS), split into several rows, dropped, or an error.

    Raises:
        CorpusError: a text is too long and `long` is "error", or none is left."""
    rows: list[list[int]] = []
    characters = too_long = lost = 0
    for text, ids in zip(texts, tokenizer.encode_all(texts), strict=True):
        row = [*ids, EOS]
        if len(row) > longest:
            too_long += 1
            if long == "error":
                raise CorpusError(
                    f"a text has {len(row)} tokens, more than --max-length {longest}: {text[:60]!r}; "
                    "raise the limit, or choose --long cut, split or drop"
                )
            if long == "drop":
                lost += len(row)
                continue
        pieces = [row[start : start + longest] for start in range(0, len(row), longest)]
        kept = [piece for piece in pieces if piece != [EOS]] or pieces if long == "split" else pieces[:1]
        rows += kept
        whole = long == "split" or len(pieces) == 1
        characters += len(text) if whole else len(tokenizer.cut(text, longest)[0])
        lost += 0 if whole else len(row) - longest
    if not rows:
        raise CorpusError(
            f"no text is left: all {len(texts)} are longer than --max-length {longest}; "
            "raise it, or choose --long cut or split"
        )
    tokens = sum(map(len, rows))
    return Encoded(rows, characters, sum(row.count(UNK) for row in rows) / tokens, too_long, lost)


def pad(rows: Sequence[Sequence[int]], device: torch.device | str = "cpu") -> Batch:
    """Rows of ids as one tensor."""
    width = max(map(len, rows))
    tokens = torch.tensor([[*row, *[PAD] * (width - len(row))] for row in rows], device=device)
    return Batch(tokens, tokens != PAD)


def side_by_side(first: Tokens, second: Int[Tensor, "N S"]) -> Int[Tensor, "M W"]:
    """Two batches as one, padded to the longer of the two."""
    width = max(first.shape[1], second.shape[1])
    return torch.cat([F.pad(tokens, (0, width - tokens.shape[1]), value=PAD) for tokens in (first, second)])


@dataclass
class Batches:
    """Batch number `step` of an endless sequence of shuffled epochs, as a function of `(seed, step)`.

    There is no iterator to save: a resumed run asks for the step it is at. An epoch leaves out an incomplete batch.
    Of several processes, each gets its share of the batch."""

    rows: Sequence[Sequence[int]]
    size: int
    seed: int
    device: torch.device | str = "cpu"
    shuffle: bool = True

    def __post_init__(self) -> None:
        self.size = min(self.size, len(self.rows))
        self._share = share(self.size)
        self._order: tuple[int, list[int]] = (-1, [])

    @property
    def per_epoch(self) -> int:
        return len(self.rows) // self.size

    def at(self, step: int) -> Batch:
        """The batch of update `step`, counted from 1; padded to its own longest row."""
        epoch, index = divmod(step - 1, self.per_epoch)
        if self._order[0] != epoch:
            generator = private_generator(self.seed, "epoch", epoch)
            order = (
                torch.randperm(len(self.rows), generator=generator).tolist()
                if self.shuffle
                else list(range(len(self.rows)))
            )
            self._order = (epoch, order)
        chosen = self._order[1][index * self.size : (index + 1) * self.size][self._share]
        return pad([self.rows[i] for i in chosen], self.device)
