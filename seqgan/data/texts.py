"""What a text is: one line or several, without outer blanks and zero bytes; and how texts are written."""

import json
import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from seqgan.errors import CorpusError


def as_text(value: str) -> str:
    """A value as a text: every line break is one LF, no line ends with blanks, and no blank, empty line or byte order
    mark of a file stands at either end."""
    text = value.strip().lstrip("\ufeff").strip()
    return re.sub(r"[^\S\r\n]*(\r\n|\r|\n)", "\n", text) if "\n" in text or "\r" in text else text


def is_sound(text: str) -> bool:
    """Whether a text can be written to a file and read again: no zero byte, no half of a character."""
    return "\0" not in text and not re.search("[\ud800-\udfff]", text)


def as_file(texts: Iterable[str]) -> tuple[str, bytes]:
    """The suffix and the content of a file that is read as these texts: one a line, as JSON where one has several."""
    texts = list(texts)
    if any("\n" in text for text in texts):
        return ".jsonl", "".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts).encode()
    return ".txt", "".join(text + "\n" for text in texts).encode()


def printed(texts: Sequence[str], *, several_lines: bool) -> tuple[str, str]:
    """Texts as they are printed, and the value of --split-on that reads them again.

    One a line; where they may have several lines, an empty line follows each, or a line of `%` where an empty line
    would not tell them apart."""
    if not several_lines and not any("\n" in text for text in texts):
        return "".join(text + "\n" for text in texts), "line"
    if all(text and "" not in text.split("\n") for text in texts):
        return "".join(text + "\n\n" for text in texts), "blank-line"
    mark = "%"
    while any(mark in text.split("\n") for text in texts):
        mark += "%"
    return "".join(f"{text}\n{mark}\n" for text in texts), mark


def a_list_of_texts(texts: Iterable[str]) -> list[str]:
    """The texts in whatever holds them in order: a list, an array, a column of a table, a generator, a dict's values.

    These are refused: a single string, which would iterate over its characters, a table (the names of its columns), a
    mapping (its keys), and a set, whose order differs between processes.

    Raises:
        CorpusError: it is one of those or no iterable at all, or something in it is no text."""
    remedy = ""
    if isinstance(texts, str | bytes | bytearray):
        remedy = "put a single text into a list"
    elif isinstance(texts, Mapping):
        remedy = "give its values, or one of its columns"
    elif hasattr(texts, "columns") or hasattr(texts, "column_names"):
        remedy = "give one column of the table"
    elif isinstance(texts, set | frozenset):
        remedy = "a set has no order: give sorted(...) of it"
    elif not hasattr(texts, "__iter__") or getattr(texts, "shape", None) == ():
        remedy = "give an iterable of strings"
    if remedy:
        raise CorpusError(f"a list of texts was expected, not {_shown(texts)}; {remedy}")
    found = []
    for number, text in enumerate(texts, start=1):
        if not isinstance(text, str):
            raise CorpusError(
                f"a list of texts was expected, but number {number} is {_shown(text)}, which is no text; leave it out"
            )
        if not is_sound(text):
            raise CorpusError(f"text {number} holds a zero byte or half a character: {text[:40]!a}; leave them out")
        found.append(str(text))  # of numpy's strings, the plain ones
    return found


def _shown(value: Any) -> str:
    """A value in a message: short, and in one line."""
    return " ".join(reprlib.repr(value).split())
