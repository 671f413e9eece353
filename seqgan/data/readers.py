"""Files to texts: plain text, csv, json, parquet, any but the last gzipped; by lines, paragraphs or whole files."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from seqgan.core.schema import named
from seqgan.data.decoding import digested, read_lines
from seqgan.data.labels import label_of
from seqgan.data.reading import BLANK_LINE, CSV, FILE, FOLDERS, LINE, NOT_GIVEN, Reading, kind_of
from seqgan.data.tables import Row, Say, choose_column, csv_rows, json_rows, parquet_rows, value_at
from seqgan.data.texts import as_text, is_sound
from seqgan.errors import CorpusError, quoted

Labelled = tuple[str, str | None]  # a text and its label, where it has one


def nothing(line: str) -> None:
    """Where nobody is to be told."""


def read_texts(
    path: Path,
    how: Reading = NOT_GIVEN,
    *,
    keep_empty: bool = False,
    may_be_empty: bool = False,
    digest: Any = None,
    labels: list[str] | None = None,
    say: Say = nothing,
) -> Iterator[str]:
    """The texts of a file in their order, without outer blanks; records with an empty text hold none (`keep_empty`:
    but count, as samples do).

    In csv, json and parquet a text is the value of `how.text_column`, or of the only column there is, or of one called
    text, sentence or content; a list of strings is a text of several lines. `digest` takes in the bytes of the file,
    `labels` the label of each text where `how` names a column or a file of them, `say` is told what was taken where the
    file left a choice.

    Raises:
        CorpusError: not UTF-8, malformed (file and line), no such column, a value that is no text, no text at all."""
    kind = ".csv" if how.delimiter and kind_of(path) == ".txt" else kind_of(path)
    other = {".txt": Reading._fields[:3], **dict.fromkeys(CSV, ("split_on",))}.get(kind, Reading._fields[1:4])
    if kind == ".txt" and how.label_column is not None:
        raise CorpusError(f"{path} is plain text, which has no column of labels; give a file of them with --labels")
    for name, value in how._asdict().items():
        if value is not None and name in other:
            holds = {".txt": "is plain text", ".parquet": "is a parquet file"}.get(kind, f"holds {kind[1:]}")
            raise CorpusError(f"{path} {holds}, which has no --{name.replace('_', '-')}; leave that out")
    if kind == ".txt":
        texts: Iterable[Labelled] = ((text, None) for text in _plain(path, how.split_on or LINE, keep_empty, digest))
    else:
        texts = _values(path, _rows(path, kind, how, digest, say), how, say)
    if how.labels == FOLDERS:
        texts = ((text, path.parent.name) for text, _ in texts)
    elif how.labels:
        texts = _labelled(path, texts, Path(how.labels), digest)
    found = False
    for text, label in texts:
        if text or keep_empty:
            found = True
            if labels is not None and (how.label_column or how.labels):
                labels.append(label or "")
            yield text
    if not found and not may_be_empty:
        place = f" in the column {how.text_column!r}" if how.text_column else ""
        raise CorpusError(f"{path} holds no text{place}; a file of texts was expected")


def read_samples(path: Path, how: Reading = NOT_GIVEN, labels: list[str] | None = None) -> list[str]:
    """The texts of a file to be measured, the empty ones too: a sample may be empty. `labels` as in `read_texts`.

    Raises:
        CorpusError: as `read_texts`."""
    return list(read_texts(path, how, keep_empty=True, labels=labels))


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


def _values(path: Path, rows: Iterable[Row], how: Reading, say: Say) -> Iterator[Labelled]:
    column, columns_differ = how.text_column, kind_of(path) not in (*CSV, ".parquet")
    for place, record in rows:
        value, label = record, None
        if isinstance(record, dict):
            if column is None:
                hint = " (if its first line is no header: --no-header --text-column NUMBER)"
                column = choose_column(str(path), record, hint if kind_of(path) in CSV and how.header is None else "")
                if len(record) > 1 or column not in record:
                    say(f"{path}: the texts are in the column {column!r}")
            value = value_at(f"{path}, {place}" if columns_differ else str(path), record, column)
        elif column is not None or how.label_column is not None or not isinstance(record, str | list):
            came = quoted(record, 40) if isinstance(record, str) else named(record)
            raise CorpusError(f"{path}, {place}: {came} is no record with named values")
        text = text_of(value, f"{path}, {place}: {column or 'the value'}")
        if text and how.label_column:
            value = value_at(f"{path}, {place}" if columns_differ else str(path), record, how.label_column)
            label = label_of(value, f"{path}, {place}: {how.label_column}")
        yield text, label


def _labelled(path: Path, texts: Iterable[Labelled], file: Path, digest: Any) -> Iterator[Labelled]:
    """Texts with the labels of a file: one a line, as many as there are texts, the empty ones before the last too."""
    labels = [line.strip() for line in read_lines(file, digest)]
    while labels and not labels[-1]:
        del labels[-1]
    last = 0
    for number, (text, _) in enumerate(texts):
        last = number + 1 if text else last
        label = labels[number] if number < len(labels) else None
        yield text, label_of(label, f"{file}, line {number + 1},") if text and label is not None else label
    if len(labels) != last:
        raise CorpusError(
            f"{file} holds {len(labels)} labels, but {path} {last} texts (of a text file every line is one, also an "
            "empty one); give one label a line, in the order of the texts"
        )


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
