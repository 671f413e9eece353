"""A corpus as an algorithm sees it: rows of ids, and the way back to text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from seqgan.data.batches import Encoded, Long, encode
from seqgan.data.corpus import Corpus
from seqgan.data.tokenizer import Tokenizer
from seqgan.data.tokens import suitable_tokens

LONGEST_BY_DEFAULT = 64


@dataclass(frozen=True)
class Texts:
    """What training may look at: the test split is not here."""

    train: Encoded
    valid: Encoded
    tokenizer: Tokenizer
    longest: int  # tokens, EOS included

    def decode(self, rows: Sequence[Sequence[int]]) -> list[str]:
        return [self.tokenizer.decode(row) for row in rows]


def encode_corpus(corpus: Corpus, tokenizer: Tokenizer, longest: int = 0, long: Long = "cut") -> Texts:
    """The training and validation splits as ids; `longest` 0 takes the longest training text, within reason."""
    if not longest:
        longest = min(LONGEST_BY_DEFAULT, max(map(len, tokenizer.encode_all(corpus.train))) + 1)
    return Texts(
        encode(corpus.train, tokenizer, longest, long),
        encode(corpus.valid, tokenizer, longest, long),
        tokenizer,
        longest,
    )


def as_learned(corpus: Corpus, tokenizer: Tokenizer, longest: int, long: Long) -> Corpus:
    """The corpus with its texts as a policy sees them: those over `longest` tokens cut, split or dropped.

    It is the corpus itself where no text is too long."""

    def fitting(texts: Sequence[str]) -> list[str]:
        kept: list[str] = []
        for text, ids in zip(texts, tokenizer.encode_all(texts), strict=True):
            if len(ids) < longest:  # its end is a token, too
                kept.append(text)
            elif long != "drop":
                pieces = tokenizer.cut(text, longest)
                kept += pieces if long == "split" else pieces[:1]
        return kept

    fitted = replace(corpus, train=fitting(corpus.train), valid=fitting(corpus.valid), test=fitting(corpus.test))
    return corpus if fitted == corpus else fitted


def suitable_tokenizer(corpus: Corpus) -> str:
    """The kind that the corpus names, else characters for Chinese, Japanese and Korean, and words elsewhere."""
    return corpus.tokenizer or {"chars": "char", "words": "word"}[suitable_tokens(corpus.train)]
