"""Text as words, characters, or pieces between whitespace; whitespace itself is never a token.

Metrics count these on decoded text, whatever the tokens of a policy are, so that a policy and a file of its samples get
the same numbers, and so does any other system."""

from collections.abc import Callable, Mapping, Sequence

from nltk.tokenize import NLTKWordTokenizer

_TREEBANK = NLTKWordTokenizer()


def words(text: str) -> list[str]:
    """Words and punctuation marks by nltk's tokenizer, which needs no download."""
    return _TREEBANK.tokenize(text)


def chars(text: str) -> list[str]:
    """Every character but whitespace."""
    return [character for character in text if not character.isspace()]


# How a text is split where that needs no model; whitespace between words is lost, else every character is in a token.
SPLIT: Mapping[str, Callable[[str], Sequence[str]]] = {"char": list, "word": words, "whitespace": str.split}
TOKENS: dict[str, Callable[[str], Sequence[str]]] = {"words": words, "chars": chars, "whitespace": str.split}


def suitable_tokens(texts: Sequence[str]) -> str:
    """Characters where most letters are Chinese, Japanese or Korean, else words."""
    letters = [character for text in texts[:1000] for character in text if character.isalpha()]
    wide = sum("\u2e80" <= character <= "\u9fff" or "\uac00" <= character <= "\ud7af" for character in letters)
    return "chars" if wide * 2 > len(letters) else "words"
