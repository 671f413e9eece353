"""Sequences of ids as an algorithm sees them, and how a corpus becomes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from torch import Tensor

from seqgan.data.corpus import Corpus
from seqgan.data.tokenizer import Tokenizer
from seqgan.data.vocabulary import Vocabulary
from seqgan.errors import CorpusError
from seqgan.symbols import EOS, PAD, UNK

Overlong = Literal["truncate", "split", "drop", "error"]
Sequences = Tensor | Sequence[Sequence[int]]
LONGEST_BY_DEFAULT = 64


class EncodedSplit(NamedTuple):
    """A split as ids, with what the encoding did to its texts."""

    sequences: list[list[int]]  # each ends with EOS, unless it was truncated
    characters: int = 0  # of the texts that these sequences stand for; 0 where there is no text
    overlong: int = 0  # texts longer than the limit
    lost: int = 0  # tokens of theirs that no sequence holds
    labels: list[int] | None = None  # the number of each sequence's label, where texts have labels

    @property
    def unknown(self) -> float:
        """The share of tokens outside the vocabulary."""
        return sum(ids.count(UNK) for ids in self.sequences) / sum(map(len, self.sequences))


@dataclass(frozen=True)
class TokenDataset:
    """What training may look at: the test split is not here."""

    train: EncodedSplit
    valid: EncodedSplit
    vocabulary: Vocabulary
    max_length: int  # tokens, EOS included
    labels: Mapping[str, int] = field(default_factory=dict)  # each, in the order of its number: training texts with it

    @classmethod
    def of(cls, train: Sequences, valid: Sequences, vocabulary: Vocabulary) -> "TokenDataset":
        """A dataset from ids alone: rows padded with PAD, in a tensor or in lists; each should end with EOS.

        Raises:
            CorpusError: a split is empty, or an id is not of the vocabulary."""
        splits = [_unpadded(rows, len(vocabulary)) for rows in (train, valid)]
        max_length = max(len(ids) for sequences in splits for ids in sequences)
        return cls(EncodedSplit(splits[0]), EncodedSplit(splits[1]), vocabulary, max_length)

    def decode(self, sequences: Sequence[Sequence[int]]) -> list[str]:
        """What is shown of samples: nothing else in a training needs text."""
        return [self.vocabulary.decode(ids) for ids in sequences]


def _unpadded(rows: Sequences, vocab_size: int) -> list[list[int]]:
    as_lists = rows.tolist() if isinstance(rows, Tensor) else rows
    sequences = [[token for token in row if token != PAD] for row in as_lists]
    if not sequences or not all(sequences):
        raise CorpusError("a split of the token dataset holds no sequence, or an empty one; give at least one id each")
    if strange := [token for row in sequences for token in row if not UNK <= token < vocab_size]:
        raise CorpusError(
            f"the token dataset holds the id {strange[0]}, but ids from {UNK} to {vocab_size - 1} were expected"
        )
    return sequences


def encode(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    max_length: int,
    overlong: Overlong = "truncate",
    encoded: Sequence[list[int]] | None = None,
) -> EncodedSplit:
    """Ids of texts, each at most `max_length` tokens with its EOS.

    A longer text is truncated (and then has no EOS), split into several rows, dropped, or an error. `encoded` are the
    ids of the texts, if they are known already.

    Raises:
        CorpusError: a text is too long and `overlong` is "error", or none is left."""
    rows: list[list[int]] = []
    characters = too_many = lost = 0
    for text, ids in zip(texts, encoded or tokenizer.encode_all(texts), strict=True):
        row = [*ids, EOS]
        if len(row) > max_length:
            too_many += 1
            if overlong == "error":
                raise CorpusError(
                    f"a text has {len(row)} tokens, more than --max-length {max_length}: {text[:60]!r}; "
                    "raise the limit, or choose --overlong truncate, split or drop"
                )
            if overlong == "drop":
                lost += len(row)
                continue
        pieces = [row[start : start + max_length] for start in range(0, len(row), max_length)]
        kept = [piece for piece in pieces if piece != [EOS]] or pieces if overlong == "split" else pieces[:1]
        rows += kept
        whole = overlong == "split" or len(pieces) == 1
        characters += len(text) if whole else len(tokenizer.pieces(text, max_length)[0])
        lost += 0 if whole else len(row) - max_length
    if not rows:
        raise CorpusError(
            f"no text is left: all {len(texts)} are longer than --max-length {max_length}; "
            "raise it, or choose --overlong truncate or split"
        )
    return EncodedSplit(rows, characters, too_many, lost)


def encode_corpus(
    corpus: Corpus, tokenizer: Tokenizer, max_length: int = 0, overlong: Overlong = "truncate"
) -> TokenDataset:
    """The training and validation splits as ids; `max_length` 0 takes the longest training text, within reason.

    Raises:
        CorpusError: a text of any split is too long and `overlong` is "error", or none is left of one."""
    train = tokenizer.encode_all(corpus.train)
    max_length = max_length or min(LONGEST_BY_DEFAULT, max(map(len, train)) + 1)
    if overlong in ("error", "drop"):  # refused now rather than when training is over
        encode(corpus.test, tokenizer, max_length, overlong)
    return TokenDataset(
        encode(corpus.train, tokenizer, max_length, overlong, train),
        encode(corpus.valid, tokenizer, max_length, overlong),
        tokenizer,
        max_length,
    )


def as_learned(corpus: Corpus, tokenizer: Tokenizer, max_length: int, overlong: Overlong) -> Corpus:
    """The corpus with its texts as a policy sees them: those over `max_length` tokens truncated, split or dropped.

    It is the corpus itself where no text is too long."""

    def fitting(texts: Sequence[str]) -> list[str]:
        kept: list[str] = []
        for text, ids in zip(texts, tokenizer.encode_all(texts), strict=True):
            if len(ids) < max_length:  # its end is a token, too
                kept.append(text)
            elif overlong != "drop":
                pieces = tokenizer.pieces(text, max_length)
                kept += pieces if overlong == "split" else pieces[:1]
        return kept

    fitted = replace(corpus, train=fitting(corpus.train), valid=fitting(corpus.valid), test=fitting(corpus.test))
    return corpus if fitted == corpus else fitted
