"""Files to texts: plain text, csv, json, parquet, any but the last gzipped; by lines, paragraphs or whole files."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from seqgan.core.schema import named
from seqgan.data.decoding import digested, kind_of, read_lines
from seqgan.data.tables import Row, Say, choose_column, csv_rows, json_rows, parquet_rows, value_at
from seqgan.data.texts import as_text, is_sound
from seqgan.errors import CorpusError, quoted

CSV = (".csv", ".tsv")
LINE, BLANK_LINE, FILE = "line", "blank-line", "file"  # values of --split-on; any other is a line that separates texts


class Reading(NamedTuple):
    """How texts are found in a file, where it does not show it. None: not given."""

    text_column: str | None = None  # `message.text` is a nested one
    delimiter: str | None = None  # of csv
    header: bool | None = None  # whether the first line of a csv file names its columns
    split_on: str | None = None  # where a text of a plain file ends: line, blank-line, file, or a mark such as ---

    def over(self, other: "Reading") -> "Reading":
        """These options, and those of another where they are not given."""
        return other._replace(**{name: value for name, value in self._asdict().items() if value is not None})

    def fitting(self, path: Path) -> "Reading":
        """The options that a file of this kind has, of those that were given for one of another kind."""
        if kind_of(path) == ".txt":
            return Reading(split_on=self.split_on)
        if kind_of(path) in CSV:
            return self._replace(split_on=None)
        return Reading(self.text_column)


NOT_GIVEN = Reading()


def nothing(line: str) -> None:
    """Where nobody is to be told."""


def read_texts(
    path: Path,
    how: Reading = NOT_GIVEN,
    *,
    keep_empty: bool = False,
    may_be_empty: bool = False,
    digest: Any = None,
    say: Say = nothing,
) -> Iterator[str]:
    """The texts of a file in their order, without outer blanks; records with an empty text hold none (`keep_empty`:
    but count, as samples do).

    In csv, json and parquet a text is the value of `how.text_column`, or of the only column there is, or of one called
    text, sentence or content; a list of strings is a text of several lines. `digest` takes in the bytes of the file,
    `say` is told what was taken where the file left a choice.

    Raises:
        CorpusError: not UTF-8, malformed (file and line), no such column, a value that is no text, no text at all."""
    kind = ".csv" if how.delimiter and kind_of(path) == ".txt" else kind_of(path)
    belong = ("split_on",) if kind == ".txt" else Reading._fields[:3] if kind in CSV else ("text_column",)
    for name, value in how._asdict().items():
        if value is not None and name not in belong:
            holds = {".txt": "is plain text", ".parquet": "is a parquet file"}.get(kind, f"holds {kind[1:]}")
            raise CorpusError(f"{path} {holds}, which has no --{name.replace('_', '-')}; leave that out")
    if kind == ".txt":
        texts = _plain(path, how.split_on or LINE, keep_empty, digest)
    else:
        texts = _values(path, _rows(path, kind, how, digest, say), how, say)
    found = False
    for text in texts:
        if text or keep_empty:
            found = True
            yield text
    if not found and not may_be_empty:
        place = f" in the column {how.text_column!r}" if how.text_column else ""
        raise CorpusError(f"{path} holds no text{place}; a file of texts was expected")


def read_samples(path: Path, how: Reading = NOT_GIVEN) -> list[str]:
    """The texts of a file to be measured, the empty ones too: a sample may be empty.

    Raises:
        CorpusError: as `read_texts`."""
    return list(read_texts(path, how, keep_empty=True))


def _plain(path: Path, split_on: str, keep_empty: bool, digest: Any) -> Iterator[str]:
    lines = read_lines(path, digest)
    if split_on == LINE:
        yield from map(as_text, lines)
        return
    separator = {FILE: None, BLANK_LINE: ""}.get(split_on, split_on.strip())
    if separator and re.fullmatch("<.+>", separator):  # such as <|endoftext|>, which may stand within a line
        lines = (part for line in lines for part in _around(separator, line))
    text: list[str] = []
    separated = split_on in (FILE, BLANK_LINE)
    for line in lines:
        if line.strip() == separator:
            if text or separator:
                yield as_text("\n".join(text))
            text, separated = [], True
        else:
            text.append(line)
    if not separated:
        raise CorpusError(
            f"{path}: no line is {split_on!r}; --split-on takes line, blank-line, file, or what stands between texts"
        )
    if any(text):
        yield as_text("\n".join(text))


def _around(mark: str, line: str) -> list[str]:
    """A line in parts: the mark, and what is before and after it."""
    return [part for part in re.split(f"({re.escape(mark)})", line) if part] or [""]


def _rows(path: Path, kind: str, how: Reading, digest: Any, say: Say) -> Iterator[Row]:
    if kind == ".parquet":
        if digest:
            digested(path, digest)
        return parquet_rows(path)
    lines = read_lines(path, digest)
    if kind in CSV:
        return csv_rows(path, lines, how.delimiter, how.header, how.text_column, say)
    return json_rows(path, lines, how.text_column, say)


def _values(path: Path, rows: Iterable[Row], how: Reading, say: Say) -> Iterator[str]:
    column = how.text_column
    for place, record in rows:
        value = record
        if isinstance(record, dict):
            if column is None:
                hint = " (if its first line is no header: --no-header --text-column NUMBER)"
                column = choose_column(str(path), record, hint if kind_of(path) in CSV and how.header is None else "")
                if len(record) > 1 or column not in record:
                    say(f"{path}: the texts are in the column {column!r}")
            value = value_at(f"{path}, {place}", record, column)
        elif column is not None or not isinstance(record, str | list):
            came = quoted(record, 40) if isinstance(record, str) else named(record)
            raise CorpusError(f"{path}, {place}: {came} is no record with named values")
        yield text_of(value, f"{path}, {place}: {column or 'the value'}")


def text_of(value: Any, what: str) -> str:
    """The text of a value: a string, a list of lines, or nothing, which is the empty text.

    Raises:
        CorpusError: it is anything else, or holds what no file of texts can hold."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        value = "\n".join(value)
    if value is not None and not isinstance(value, str):
        raise CorpusError(f"{what} is {str(value)[:40]!r}, which is no text")
    text = as_text(value or "")
    if not is_sound(text):
        raise CorpusError(f"{what} holds a zero byte or half a character")
    return text
