"""A corpus as an algorithm sees it: rows of ids, and the way back to text."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from seqgan.data.batches import Encoded, Overlong, encode
from seqgan.data.corpus import Corpus
from seqgan.data.tokenizer import Tokenizer, words_round_trip
from seqgan.data.tokens import suitable_tokens

LONGEST_BY_DEFAULT = 64
LOOKED_AT = 1000  # training texts, to choose a tokenizer by
MOST = 0.8
LONGEST_WORD = 2000  # characters; sentencepiece holds some 8,000 bytes


@dataclass(frozen=True)
class TokenDataset:
    """What training may look at: the test split is not here."""

    train: Encoded
    valid: Encoded
    tokenizer: Tokenizer
    max_length: int  # tokens, EOS included

    def decode(self, rows: Sequence[Sequence[int]]) -> list[str]:
        return [self.tokenizer.decode(row) for row in rows]


def encode_corpus(
    corpus: Corpus, tokenizer: Tokenizer, max_length: int = 0, overlong: Overlong = "truncate"
) -> TokenDataset:
    """The training and validation splits as ids; `max_length` 0 takes the longest training text, within reason.

    Raises:
        CorpusError: a text of any split is too long and `overlong` is "error", or none is left of one."""
    if not max_length:
        max_length = min(LONGEST_BY_DEFAULT, max(map(len, tokenizer.encode_all(corpus.train))) + 1)
    if overlong in ("error", "drop"):  # refused now rather than when training is over
        encode(corpus.test, tokenizer, max_length, overlong)
    return TokenDataset(
        encode(corpus.train, tokenizer, max_length, overlong),
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


def suitable_tokenizer(corpus: Corpus) -> tuple[str, str]:
    """The kind of tokenizer that suits a corpus, and why: what the corpus names, or what its texts show.

    Words where they bring most texts back as they were; else what is lossless."""
    if corpus.tokenizer:
        return corpus.tokenizer, "the corpus names it"
    texts = some_of(corpus.train, LOOKED_AT)
    pieces = [piece for text in texts for piece in text.split()]
    if suitable_tokens(texts) == "chars":
        if sum(len(piece) == 1 for piece in pieces) > MOST * len(pieces) > MOST * 2 * len(texts):
            return "whitespace", "a blank stands after every character"
        return "char", "most letters are Chinese, Japanese or Korean"
    if sum(len(text.split()) <= 2 for text in texts) * 2 > len(texts):
        return "char", "most texts hold one or two words"
    max_length = max(
        (len(piece) for text in corpus.train if len(text) > LONGEST_WORD for piece in text.split()), default=0
    )
    if max_length > LONGEST_WORD:
        return "bpe", f"a word of {max_length} characters is too long for a vocabulary of words"
    unlike = sum(words_round_trip(text) != text for text in texts)
    if unlike * 2 <= len(texts):
        return "word", "its words bring most texts back as they were"
    apart = sum(not any(map(str.isalnum, piece)) for piece in pieces)
    attached = sum(piece[-1] in ".,;:!?" and len(piece) > 1 for piece in pieces)
    if apart > attached and all(" ".join(text.split()) == text for text in texts):
        return "whitespace", "the texts are cut into tokens by blanks already"
    return "bpe", "words would bring most texts back with other spacing or signs"


def some_of(texts: Sequence[str], count: int) -> Sequence[str]:
    """At most so many of the texts: all, or a random choice that is always the same."""
    return texts if len(texts) <= count else random.Random(0).sample(texts, count)
