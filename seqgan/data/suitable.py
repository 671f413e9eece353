"""Which kind of tokenizer suits a corpus, by what its texts show."""

import re

from seqgan.data.corpus import Corpus
from seqgan.data.splits import some_of
from seqgan.data.tokenizer import round_trip
from seqgan.data.tokens import suitable_tokens

LOOKED_AT = 1000  # training texts
MOST = 0.8
LONGEST_WORD = 2000  # characters; sentencepiece holds some 8,000 bytes


def suitable_tokenizer(corpus: Corpus) -> tuple[str, str]:
    """The kind of tokenizer that suits a corpus, and why: what the corpus names, or what its texts show.

    Words where they restore most texts as they were; else what is lossless."""
    if corpus.tokenizer:
        return corpus.tokenizer, "it is set for this corpus"
    texts = some_of(corpus.train, LOOKED_AT)
    pieces = [piece for text in texts for piece in text.split()]
    blanks_suffice = all(round_trip("whitespace", text) == text for text in texts)
    if suitable_tokens(texts) == "chars":
        if sum(len(piece) == 1 for piece in pieces) > MOST * len(pieces) > MOST * 2 * len(texts):
            return "whitespace", "a blank follows every character"
        return "char", "most letters are Chinese, Japanese, Korean, or of another script without blanks"
    if sum(len(text.split()) <= 2 for text in texts) * 2 > len(texts):
        return "char", "most texts hold one or two words"
    if blanks_suffice and sum(map(_is_symbol, pieces)) * 2 > len(pieces):
        return "whitespace", "most words are numbers or symbols"
    max_length = max(
        (len(piece) for text in corpus.train if len(text) > LONGEST_WORD for piece in text.split()), default=0
    )
    if max_length > LONGEST_WORD:
        return "bpe", f"a word of {max_length} characters is too long for a vocabulary of words"
    unlike = sum(round_trip("word", text) != text for text in texts)
    if unlike * 2 <= len(texts):
        return "word", "words restore most texts as they were"
    apart = sum(not any(map(str.isalnum, piece)) for piece in pieces)
    attached = sum(piece[-1] in ".,;:!?" and len(piece) > 1 for piece in pieces)
    if blanks_suffice and apart > attached:
        return "whitespace", "the texts are tokenised by blanks already"
    return "bpe", "words would restore most texts with other spacing or signs"


def _is_symbol(piece: str) -> bool:
    """Whether it is a pitch, a chess move, a number, a sign ... rather than a word."""
    return bool(re.fullmatch(r"[\w.+#=-]{1,7}", piece)) and (
        any(map(str.isdigit, piece)) or not any(map(str.isalpha, piece))
    )
