"""Rhyme and tone of Chinese verse, by the modern readings of its characters.

A poem is lines with blanks or line breaks between them. Finals rhyme as in the thirteen rhymes of Mandarin opera
(shisan zhe), of a character in any of its readings. Level tones are the first and the second, oblique ones the third
and the fourth, of its most usual reading: many characters have a rare one of the other kind. pypinyin knows the
readings; it comes with the extra `verse`."""

from functools import cache
from itertools import pairwise
from typing import NamedTuple

from seqgan.errors import UsageError

# Finals that rhyme with one another, as pypinyin writes them (v is u with two dots).
RHYMES = (
    "a ia ua", "o e uo", "ie ve ê", "i v er", "u", "ai uai", "ei uei", "ao iao", "ou iou", "an ian uan van",
    "en in uen vn", "ang iang uang", "eng ing ueng ong iong",
)  # fmt: skip
RHYME_OF = {final: rhyme for rhyme, finals in enumerate(RHYMES) for final in finals.split()}
IS_LEVEL = {"1": True, "2": True, "3": False, "4": False}


class Reading(NamedTuple):
    rhymes: frozenset[int]  # the numbers of `RHYMES`; empty where it is no Chinese character
    level: bool | None  # or oblique; None where it has no tone


def rhyme(poem: str) -> float:
    """The share of the even lines after the second that rhyme with the second: of a quatrain 0 or 1. Without a fourth
    line it is 0."""
    first, *others = [reading(line[-1]).rhymes for line in poem.split()[1::2]] or [frozenset[int]()]
    return sum(bool(first & other) for other in others) / max(1, len(others))


def tone(poem: str) -> float:
    """The share of what regulated verse asks of the second and fourth characters that holds.

    They are of unlike tones within a line, the second of both lines of a couplet are unlike, and those where two
    couplets meet alike. Without two lines, each of four characters at least, it is 0."""
    lines = poem.split()
    if len(lines) < 2 or any(len(line) < 4 for line in lines):
        return 0.0
    second, fourth = ([reading(line[place]).level for line in lines] for place in (1, 3))
    wanted = [(one, other, False) for one, other in zip(second, fourth, strict=True)]
    wanted += [(one, other, number % 2 == 1) for number, (one, other) in enumerate(pairwise(second))]
    return sum(None not in (one, other) and (one == other) == alike for one, other, alike in wanted) / len(wanted)


@cache
def reading(character: str) -> Reading:
    """
    Raises:
        UsageError: pypinyin is not installed."""
    try:
        from pypinyin import Style, pinyin
    except ImportError as error:
        raise UsageError(
            "the rewards rhyme and tone read Chinese by pypinyin, which is not installed; pip install 'seqgan[verse]'"
        ) from error
    read = pinyin(character, Style.FINALS_TONE3, heteronym=True, errors="ignore")  # the most usual one first
    finals = [final for several in read for final in several]
    rhymes = {RHYME_OF[name] for final in finals if (name := final.rstrip("1234")) in RHYME_OF}
    return Reading(frozenset(rhymes), IS_LEVEL.get(finals[0][-1:]) if finals else None)
