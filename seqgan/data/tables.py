"""Files with fields: csv in its dialects, json in the shapes that people have, parquet. Each gives records, one by one.

csv and json are read by the standard library: the readers of `datasets` take the text "NA" for a missing value and
one that looks like a date for a date."""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

from seqgan.core.config import nearest
from seqgan.core.schema import named
from seqgan.errors import CorpusError, quoted, why

COLUMNS = ("text", "sentence", "content")  # taken where --text-column is not given
# Names that the only column of a file may have; any other first line is told to the user, header or not.
LONE_COLUMNS = (
    *(*COLUMNS, "texts", "sentences", "line", "lines", "name", "names", "title", "titles", "poem", "poems", "verse"),
    *("quote", "quotes", "tweet", "tweets", "review", "reviews", "message", "messages", "comment", "comments"),
    *("smiles", "sequence", "sequences", "word", "words", "password", "passwords", "url", "urls", "lyrics", "caption"),
)
DELIMITERS = ",\t;|"
SAMPLE = 1000  # lines that a dialect is found by
SEVERAL_WORDS = 3  # blanks tell a text from the name of its column
Row = tuple[str, Any]  # its place in the file, and its value
Say = Callable[[str], None]  # is told what was taken where a file left a choice


# --- csv


class Dialect(NamedTuple):
    delimiter: str
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL

    def rows(self, lines: Iterable[str]) -> Iterator[list[str]]:
        return csv.reader(
            (line + "\n" for line in lines),
            delimiter=self.delimiter,
            quoting=self.quoting,
            strict=True,
            skipinitialspace=self.delimiter != "\t",
        )


def csv_rows(
    path: Path, lines: Iterable[str], delimiter: str | None, header: bool | None, column: str | None, say: Say
) -> Iterator[Row]:
    """Records of a csv file; without a header its columns are called 1, 2, 3 ...

    Raises:
        CorpusError: malformed (line), two columns of one name, rows of different lengths."""
    csv.field_size_limit(2**31 - 1)  # a C long has 32 bits on some systems
    delimiter = {"tab": "\t", "\\t": "\t"}.get(delimiter or "", delimiter)
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise CorpusError(f"--delimiter {quoted(delimiter)} is no single character (or tab); give one such as ';'")
    lines = iter(lines)
    sample = list(islice(lines, SAMPLE))
    if not any(map(str.strip, sample)):
        return
    if excel := re.fullmatch("sep=(.)", sample[0].strip()):
        delimiter, sample = delimiter or excel[1], ["", *sample[1:]]
    whole = len(sample) < SAMPLE
    usual = "\t" if path.name.lower().removesuffix(".gz").endswith(".tsv") else ","
    dialect = Dialect(delimiter) if delimiter else _dialect(sample, whole, usual)
    if dialect.quoting == csv.QUOTE_NONE:
        say(f"{path}: quotation marks are part of the texts")
    if dialect.delimiter != usual:
        say(f"{path}: fields are separated by {dialect.delimiter!r}")
    reader = dialect.rows(chain(sample, lines))
    columns: list[str] = []
    try:
        for fields in reader:
            place = f"line {reader.line_num}"  # type: ignore[attr-defined]
            if not fields:
                continue
            if not columns:
                some = [row[0] for row in _parsed(dialect, sample, whole)[1:] if row]
                if _is_header(path, fields, some, header, column, say):
                    columns = [name.strip() for name in fields]
                    if twice := [name for name, count in Counter(columns).items() if name and count > 1]:
                        raise CorpusError(f"{path} has two columns called {twice[0]!r}; give each a name of its own")
                    continue
                columns = [str(number) for number in range(1, len(fields) + 1)]
            if len(fields) != len(columns):
                raise CorpusError(
                    f"{path}, {place}: a row of {len(fields)} fields, but the "
                    f"{'first row' if columns[0] == '1' else 'header'} has {len(columns)}; fields are separated by "
                    f"{dialect.delimiter!r} (--delimiter), and a text that holds one stands in quotation marks; "
                    "with nothing but a text in each line, let its name end in .txt"
                )
            yield place, dict(zip(columns, fields, strict=True))
    except csv.Error as error:
        raise CorpusError(
            f"{path}, line {reader.line_num}: malformed CSV ({error}); "  # type: ignore[attr-defined]
            "within quotation marks, one is written twice"
        ) from error


def _dialect(sample: Sequence[str], whole: bool, usual: str) -> Dialect:
    """The first dialect in which all sampled rows have the same number of fields, several; else the usual one. Between
    tabs, quotation marks may be characters as others are."""
    dialects = [Dialect(delimiter) for delimiter in (usual, *DELIMITERS.replace(usual, ""))]
    for dialect in (*dialects, Dialect("\t", csv.QUOTE_NONE)):
        widths = {len(row) for row in _parsed(dialect, sample, whole) if row}
        if len(widths) == 1 and widths.pop() > 1:
            return dialect
    return Dialect(usual)


def _parsed(dialect: Dialect, sample: Sequence[str], whole: bool) -> list[list[str]]:
    """The sampled rows; none where they are malformed. The last one may be cut short where there are more lines."""
    reader, rows, read = dialect.rows(sample), [], 0
    try:
        for row in reader:
            rows.append(row)
            read = reader.line_num  # type: ignore[attr-defined]
    except csv.Error as error:
        if whole or "unexpected end" not in str(error) or read * 2 < len(sample):
            return []
    return rows


def _is_header(
    path: Path, first: Sequence[str], others: Sequence[str], asked: bool | None, column: str | None, say: Say
) -> bool:
    """Whether the first row names the columns: not where the column of texts was given by its number. Where there is
    but one, and its name is no usual one, it is a name if it is one word and the texts are longer."""
    if asked is not None:
        return asked
    if column and column.isdecimal() and column not in first:
        say(f"{path}: the first line is taken as a text, since --text-column {column} is a number")
        return False
    if len(first) > 1 or column in first or first[0].strip().lower() in LONE_COLUMNS:
        return True
    several = sum(len(text.split()) >= SEVERAL_WORDS for text in others)
    header = bool(re.fullmatch(r"[^\W\d][\w-]*", first[0])) and several * 2 > len(others)
    if header:
        say(f"{path}: the first line, {quoted(first[0])}, is taken as a header; if it is a text, give --no-header")
    else:
        say(f"{path}: the first line, {quoted(first[0])}, is taken as a text; if it is a header, give --header")
    return header


# --- json


def json_rows(path: Path, lines: Iterable[str], column: str | None, say: Say) -> Iterator[Row]:
    """Records of a file of JSON: one a line, a list of them, or an object that holds such a list.

    Raises:
        CorpusError: malformed (line), or of another shape."""
    lines = iter(lines)
    head: list[str] = []
    while sum(map(bool, map(str.strip, head))) < 2 and (line := next(lines, None)) is not None:
        head.append(line)
    begun = [line.lstrip() for line in head if line.strip()]
    if not begun:
        return
    by_name = not path.name.lower().removesuffix(".gz").endswith(".json")
    if (len(begun) == 2 and _is_json(begun[0])) or (by_name and not "".join(begun).startswith("[")):
        if not by_name:
            say(f"{path}: JSON lines, a record each")
        for number, line in enumerate(chain(head, lines), start=1):
            if line.strip():
                try:
                    yield f"line {number}", json.loads(line, object_pairs_hook=_record)
                except (ValueError, RecursionError) as error:  # also a number of thousands of digits
                    raise CorpusError(
                        f"{path}, line {number}: malformed JSON ({_wrong_json(error)}); correct it"
                    ) from error
        return
    try:
        content = json.loads("\n".join(chain(head, lines)), object_pairs_hook=_record)
    except json.JSONDecodeError as error:
        raise CorpusError(f"{path}, line {error.lineno}: malformed JSON ({error.msg})") from error
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{path}: malformed JSON ({_wrong_json(error)}); correct it") from error
    yield from ((f"record {number}", record) for number, record in enumerate(_list_in(path, content, column, say), 1))


def _list_in(path: Path, content: Any, column: str | None, say: Say) -> Sequence[Any]:
    """The list of texts or records in a JSON value: itself, the only one in an object, or what pandas writes.

    Raises:
        CorpusError: there is none, or several."""
    if isinstance(content, list):
        return content
    names = [column] if column else [*COLUMNS]
    if isinstance(content, dict) and content:
        values = list(content.values())
        header, rows = content.get("columns"), content.get("data")
        if isinstance(header, list) and isinstance(rows, list) and all(isinstance(row, list) for row in rows):
            return [dict(zip(map(str, header), row, strict=False)) for row in rows]  # the orient "split" of pandas
        name = next((name for name in names if name in content), None)
        if all(isinstance(value, dict) for value in values):
            columns = {key: list(value.values()) for key, value in content.items()}
        else:
            columns = content if all(isinstance(value, list) for value in values) else {}
        texts = columns.get(name, [])
        if texts and not isinstance(texts[0], dict):
            say(f"{path}: an object of columns, of which {name!r} holds the texts")
            alike = {key: column for key, column in columns.items() if len(column) == len(texts)}
            return [dict(zip(alike, row, strict=True)) for row in zip(*alike.values(), strict=True)]
        kind = dict if isinstance(values[0], dict) else str
        if not name and len(values) > 1 and all(isinstance(value, kind) for value in values):
            say(f"{path}: an object of {len(values)} {'texts' if kind is str else 'records'}")
            return values
        lists = {key: value for key, value in content.items() if isinstance(value, list) and value}
        records = {key: value for key, value in lists.items() if isinstance(value[0], dict)}
        for found in (records, lists):
            if len(found) == 1:
                [(key, several)] = found.items()
                say(f"{path}: the list {key!r} in an object")
                return several
        if lists:
            raise CorpusError(f"{path} holds the lists {', '.join(map(repr, lists))}; give a file with one of them")
    raise CorpusError(f"{path} holds {named(content)}, but a list of texts or of records was expected")


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _wrong_json(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return "a number has too many digits" if "set_int_max_str_digits" in str(error) else str(error)


def _record(fields: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, in which json would silently take the last of two values of one name."""
    record = dict(fields)
    if len(record) < len(fields):
        [(twice, _)] = Counter(name for name, _ in fields).most_common(1)
        raise ValueError(f"two values are called {twice[:40]!r}")
    return record


# --- parquet


def parquet_rows(path: Path) -> Iterator[Row]:
    """Records of a parquet file, a batch in memory at a time.

    Raises:
        CorpusError: it is none, or a damaged one."""
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                for record in batch.to_pylist():
                    number += 1
                    yield f"record {number}", record
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise CorpusError(f"{path} is not a readable parquet file ({why(error)})") from error


# --- values


def choose_column(source: str, record: Mapping[str, Any], hint: str = "") -> str:
    """The column that holds the texts where none is named.

    Raises:
        CorpusError: there are several, and none has a usual name."""
    columns = list(_names(record))
    if len(columns) == 1:
        return columns[0]
    for name in COLUMNS:
        for column in columns:
            if column.lower() == name:
                return column
    nested = [column for column in columns if column.rpartition(".")[2].lower() in COLUMNS]
    if len(nested) == 1:
        return nested[0]
    shown = [f"{name} ({quoted(value, 20)})" if name.isdecimal() else name for name, value in record.items()]
    listed = ", ".join(shown if all(name.isdecimal() for name in record) else columns)
    raise CorpusError(f"{source} has the columns {listed}; name the one that holds the texts with --text-column{hint}")


def _names(record: Mapping[str, Any]) -> Iterator[str]:
    """The columns of a record, those of a nested one by their path: `message.text`."""
    for name, value in record.items():
        yield from (f"{name}.{inner}" for inner in _names(value)) if isinstance(value, dict) and value else [name]


def value_at(place: str, record: Mapping[str, Any], column: str) -> Any:
    """The value of a column, which may be nested: `message.text`; in a list of records, the list of their values.

    Raises:
        CorpusError: there is no such column."""
    if column in record:
        return record[column]
    first, dot, rest = column.partition(".")
    inner = record.get(first)
    if dot and isinstance(inner, dict):
        return value_at(place, inner, rest)
    if dot and isinstance(inner, list) and all(isinstance(item, dict) for item in inner):
        return [value_at(place, item, rest) for item in inner]
    raise CorpusError(f"{place}: there is no column {column!r}{nearest(column, list(_names(record)))}")
