"""Text as words, characters, or pieces between whitespace; whitespace itself is never a token.

Metrics count these on decoded text, whatever the tokens of a policy are, so that a policy and a file of its samples get
the same numbers, and so does any other system."""

from collections.abc import Callable, Sequence

from nltk.tokenize import NLTKWordTokenizer

_TREEBANK = NLTKWordTokenizer()


def words(text: str) -> list[str]:
    """Words and punctuation marks by nltk's tokenizer, which needs no download; line by line, since a full stop ends a
    word only where it ends the line."""
    return [word for line in text.split("\n") for word in _TREEBANK.tokenize(line)]


def chars(text: str) -> list[str]:
    """Every character but whitespace."""
    return [character for character in text if not character.isspace()]


TOKENS: dict[str, Callable[[str], Sequence[str]]] = {"words": words, "chars": chars, "whitespace": str.split}


def suitable_tokens(texts: Sequence[str]) -> str:
    """Characters where most letters are Chinese, Japanese or Korean, else words."""
    letters = [character for text in texts[:1000] for character in text if character.isalpha()]
    wide = sum("\u2e80" <= character <= "\u9fff" or "\uac00" <= character <= "\ud7af" for character in letters)
    return "chars" if wide * 2 > len(letters) else "words"
