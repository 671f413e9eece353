"""Text as words, characters, or pieces between whitespace; whitespace itself is never a token.

Metrics count these on decoded text, whatever the tokens of a policy are, so that a policy and a file of its samples get
the same numbers, and so does any other system."""

import re
from collections.abc import Callable, Mapping, Sequence

from nltk.tokenize import NLTKWordTokenizer

LINE_BREAK = "\n"
_TREEBANK = NLTKWordTokenizer()
# What the most of nltk's thirty rules are about: signs but the plainest, and words that it takes apart.
_NOT_PLAIN = re.compile(
    r"[^\w .,:;?!'-]|--|\.\.|[:,]{2}|(?<!\w)'|'(?!\w)|(?i:cannot|gimme|gonna|gotta|lemme|wanna|d'ye|more'n)"
)
_FULL_STOP = re.compile(r"(?<=[^.])\.\s*$")
_CLITICS = _TREEBANK.ENDING_QUOTES[-2:]
_SIGN = re.compile(r"[:,](?!\d)|[;?!]")


def words(text: str) -> list[str]:
    """Words and punctuation marks by nltk's tokenizer, which needs no download; line by line, since a full stop ends a
    word only where it ends the line."""
    return [word for line in text.split(LINE_BREAK) for word in _words_of(line)]


def _words_of(line: str) -> list[str]:
    """A plain line by the few rules that apply to it, in a fifth of the time."""
    if _NOT_PLAIN.search(line):
        return _TREEBANK.tokenize(line)
    parts = _SIGN.sub(r" \g<0> ", _FULL_STOP.sub(" .", line)).split()
    if "'" in line:
        line = " ".join(["", *parts, ""])
        for rule, parted in _CLITICS:
            line = rule.sub(parted, line)
        parts = line.split()
    return parts


def chars(text: str) -> list[str]:
    """Every character but whitespace."""
    return [character for character in text if not character.isspace()]


def by_lines(split: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """A way to split a line made one to split a text, in which a line break is a token of its own."""

    def tokens(text: str) -> list[str]:
        first, *others = text.split(LINE_BREAK)
        return split(first) + [token for line in others for token in (LINE_BREAK, *split(line))]

    return tokens


# How a text is split where that needs no model; blanks between words are lost, else every character is in a token.
SPLIT: Mapping[str, Callable[[str], list[str]]] = {
    "char": list,
    "word": by_lines(words),
    "whitespace": by_lines(str.split),
}
TOKENS: dict[str, Callable[[str], Sequence[str]]] = {"words": words, "chars": chars, "whitespace": str.split}

WAYS = {"words": "word", "chars": "char", "whitespace": "whitespace"}  # the same in `SPLIT`, where whitespace may count


# Scripts written without blanks between words, and Korean, whose words are many and whose characters are syllables.
THAI_LAO_TIBETAN_BURMESE, KHMER, CHINESE_JAPANESE = "\u0e00-\u109f", "\u1780-\u17ff", "\u2e80-\u9fff\uff66-\uff9f"
RARE_CHINESE, KOREAN = "\uf900-\ufaff\U00020000-\U0003ffff", "\uac00-\ud7af"
BY_CHARACTERS = re.compile(f"[{THAI_LAO_TIBETAN_BURMESE}{KHMER}{CHINESE_JAPANESE}{RARE_CHINESE}{KOREAN}]")


def suitable_tokens(texts: Sequence[str]) -> str:
    """Characters where most letters are Chinese, Japanese, Korean, Thai, Lao, Tibetan, Burmese or Khmer, else words."""
    letters = "".join(filter(str.isalpha, "".join(texts[:1000])))
    return "chars" if len(BY_CHARACTERS.findall(letters)) * 2 > len(letters) else "words"


def tokens_of(kind: str, texts: Sequence[str]) -> str:
    """What metrics count as tokens for a policy with this kind of tokenizer and such texts."""
    own = {way: tokens for tokens, way in WAYS.items()}
    return own.get(kind) or suitable_tokens(texts)
