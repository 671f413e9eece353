"""Files to texts: plain lines, csv, json, jsonl, parquet, any of them gzipped. Every error names file and place.

csv and json are read by the standard library: the readers of `datasets` take the text "NA" for a missing value and
one that looks like a date for a date. Parquet, whose columns have types, is read through `datasets`."""

import csv
import glob
import gzip
import json
import re
import reprlib
import shlex
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqgan.core.config import nearest
from seqgan.core.schema import named
from seqgan.errors import CorpusError, quoted, why

SUFFIXES = (".txt", ".csv", ".tsv", ".json", ".jsonl", ".parquet")
COLUMNS = ("text", "sentence", "content")  # taken where --text-column is not given
NO_TEXT = {  # other kinds of files, by their first bytes
    "a zip file (or a docx, xlsx or epub)": rb"PK[\x03\x05]",
    "an xz file": rb"\xfd7zXZ\0",
    "a bzip2 file": rb"BZh[1-9]1AY&SY",
    "a zstd file": rb"\x28\xb5\x2f\xfd",
    "a 7z file": rb"7z\xbc\xaf",
    "a tar file": rb".{257}ustar",
    "a PDF": rb"%PDF-\d",
    "an image": rb"\x89PNG|\xff\xd8\xff|GIF8[79]a",
    "a parquet file (its name should end in .parquet)": rb"PAR1.*PAR1$",
    "an Arrow file": rb"ARROW1",
    "a SQLite database": rb"SQLite format 3\0",
}
MARKS = {
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe\0\0": "utf-32-le",  # before that of UTF-16, with which it begins
    b"\0\0\xfe\xff": "utf-32-be",
    b"\xff\xfe": "utf-16-le",
    b"\xfe\xff": "utf-16-be",
}
Row = tuple[str, Any]  # its place in the file, and its value


def kind_of(path: Path) -> str:
    """The suffix that says how to read a file; `.gz` may follow it, and an unknown one means plain lines."""
    return _suffix(path) or ".txt"


def _suffix(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    return suffixes[-1] if suffixes and suffixes[-1] in SUFFIXES else ""


def stem_of(path: Path) -> str:
    name = re.sub(r"\.gz$", "", path.name, flags=re.IGNORECASE)
    return re.sub(re.escape(kind_of(path)) + "$", "", name, flags=re.IGNORECASE) or name


def read_file(path: Path) -> bytes:
    """The content of a file, unpacked where it is gzipped.

    Raises:
        CorpusError: it is missing (names what is near), cannot be read, or is a damaged gzip."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        if not path.parent.is_dir():
            raise CorpusError(f"there is no file {path}, nor a folder {path.parent}") from error
        beside = sorted(file.name for file in path.parent.iterdir() if _suffix(file) and file.is_file())
        hint = nearest(path.name, beside[:1000]) if beside else f"; {path.parent} holds no file of texts"
        raise CorpusError(f"there is no file {path}{hint if len(hint) < 200 else ''}") from error
    except IsADirectoryError as error:
        raise CorpusError(f"cannot read {path}: it is a folder; give a file of texts, one a line") from error
    except (OSError, ValueError) as error:
        raise CorpusError(f"cannot read {quoted(str(path))}: {why(error)}; a file of texts was expected") from error
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise CorpusError(
            f"cannot read {path}: the gzip file is truncated or damaged; copy, download or pack it again"
        ) from error


def read_texts(path: Path, raw: bytes, column: str | None = None, *, keep_empty: bool = False) -> list[str]:
    """The texts of a file, without outer blanks, in the file's order; records with an empty text hold none
    (`keep_empty`: but count, as samples do).

    In csv, json, jsonl and parquet a text is the value of `column`, or of the only column there is, or of one called
    text, sentence or content. A line break within a value becomes a blank, since a text is one line.

    Raises:
        CorpusError: not UTF-8, malformed (file and line), no such column, a value that is no text, no text at all."""
    kind = kind_of(path)
    if not raw.strip():
        raise CorpusError(f"{path} is empty; one text a line was expected")
    if kind == ".parquet":
        rows = _parquet(path)
    else:
        lines = read_lines(path, raw)
        if kind == ".txt":
            if column:
                raise CorpusError(f"{path} is plain text, which has no column {column!r}; leave out --text-column")
            return [text for line in lines if (text := one_line(line)) or keep_empty]
        rows = {".csv": _csv, ".tsv": _csv, ".json": _json, ".jsonl": _jsonl}[kind](path, lines)
    texts = [text for text in _values(path, rows, column) if keep_empty or text]
    if not texts:
        raise CorpusError(f"{path}: {f'the column {column!r}' if column else 'the column of texts'} is empty")
    return texts


def read_samples(path: Path, column: str | None = None) -> list[str]:
    """The texts of a file to be measured, the empty ones too: a sample may be empty.

    Raises:
        CorpusError: as `read_texts`."""
    return read_texts(path, read_file(path), column, keep_empty=True)


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


def read_lines(path: Path, raw: bytes) -> list[str]:
    """All lines of a text file, the empty ones too, without their ends: UTF-8, or UTF-16 or -32 with its mark.

    Raises:
        CorpusError: a file of another kind, known by its first bytes, or another encoding (line, byte, what to do)."""
    for kind, first in NO_TEXT.items():
        if re.match(first, raw, re.DOTALL):
            raise CorpusError(f"{path} is {kind}, not text; unpack or convert it into text, one a line, first")
    lines = []
    for number, line in enumerate(_as_utf8(path, raw).splitlines(), start=1):
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise CorpusError(
                f"{path}, line {number}: byte {error.start + 1} is not UTF-8 ({error.reason}); convert the file: "
                f"{_conversion(path, _likely_encoding(raw))}"
            ) from error
        if "\0" in text:
            raise CorpusError(
                f"{path}, line {number}: a zero byte; this is not a text file, or it is UTF-16 without its mark: "
                f"{_conversion(path, _likely_encoding(raw))}"
            )
        lines.append(text)
    return lines


def _as_utf8(path: Path, raw: bytes) -> bytes:
    """The bytes of a text without their byte order mark, and in UTF-8 where that mark names another encoding."""
    for mark, encoding in MARKS.items():
        if raw.startswith(mark):
            try:
                return raw.removeprefix(mark).decode(encoding).encode() if encoding != "utf-8" else raw[len(mark) :]
            except UnicodeError as error:
                raise CorpusError(
                    f"{path} begins with the mark of {encoding.upper()}, but is truncated or damaged; save it as UTF-8"
                ) from error
    return raw


def _likely_encoding(raw: bytes) -> str:
    """Of a text that is not UTF-8: one of two bytes a character where it holds zeros, Chinese where a third of the
    bytes could be that, else the Western one."""
    some = raw[:100_000]
    if 0 in some:
        return "UTF-16LE" if some[1::2].count(0) >= some[::2].count(0) else "UTF-16BE"
    return "GB18030" if sum(byte >= 0x80 for byte in some) * 3 > len(some) else "WINDOWS-1252"


def _conversion(path: Path, encoding: str) -> str:
    return f"iconv -f {encoding} -t UTF-8 {shlex.quote(str(path))} > {shlex.quote(path.stem + '-utf8' + path.suffix)}"


def _csv(path: Path, lines: Sequence[str]) -> Iterator[Row]:
    reader = csv.reader(
        (line + "\n" for line in lines), delimiter="\t" if kind_of(path) == ".tsv" else ",", strict=True
    )
    header: list[str] = []
    try:
        for fields in reader:
            if not header:
                header = fields
                if twice := [name for name, count in Counter(header).items() if name and count > 1]:
                    raise CorpusError(f"{path} has two columns called {twice[0]!r}; give each a name of its own")
            elif len(fields) not in (0, len(header)):
                expected = f"the header has {len(header)}"
                raise CorpusError(f"{path}, line {reader.line_num}: a row of {len(fields)} fields, but {expected}")
            elif fields:
                yield f"line {reader.line_num}", dict(zip(header, fields, strict=True))
    except csv.Error as error:
        raise CorpusError(f"{path}, line {reader.line_num}: malformed CSV ({error})") from error


def _jsonl(path: Path, lines: Sequence[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield f"line {number}", json.loads(line, object_pairs_hook=_record)
            except (ValueError, RecursionError) as error:  # also a number of thousands of digits
                raise CorpusError(
                    f"{path}, line {number}: malformed JSON ({_wrong_json(error)}); correct it"
                ) from error


def _json(path: Path, lines: Sequence[str]) -> Iterator[Row]:
    try:
        content = json.loads("\n".join(lines), object_pairs_hook=_record)
    except json.JSONDecodeError as error:
        raise CorpusError(f"{path}, line {error.lineno}: malformed JSON ({error.msg})") from error
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{path}: malformed JSON ({_wrong_json(error)}); correct it") from error
    if not isinstance(content, list):
        raise CorpusError(f"{path} holds {named(content)}, but a list of texts or of records was expected")
    return ((f"record {number}", record) for number, record in enumerate(content, start=1))


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


def _parquet(path: Path) -> Iterator[Row]:
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # the error below reports what went wrong
    try:
        with tempfile.TemporaryDirectory() as cache:
            # The name is escaped: it is one file, not a pattern.
            rows = list(datasets.Dataset.from_parquet(glob.escape(str(path)), cache_dir=cache, keep_in_memory=True))
    except (datasets.exceptions.DatasetsError, OSError, ValueError) as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0][:120]
        raise CorpusError(f"{path} is not a readable parquet file ({reason})") from error
    return ((f"record {number}", record) for number, record in enumerate(rows, start=1))


def _values(path: Path, rows: Iterable[Row], column: str | None) -> Iterator[str]:
    for place, record in rows:
        if isinstance(record, str) and column is None:
            value: Any = record
        elif isinstance(record, dict):
            column = column or choose_column(str(path), list(record))
            if column not in record:
                raise CorpusError(f"{path}, {place}: there is no column {column!r}{nearest(column, list(record))}")
            value = record[column]
        else:
            came = quoted(record, 40) if isinstance(record, str) else named(record)
            raise CorpusError(f"{path}, {place}: {came} is no record with named values")
        if value is not None and not isinstance(value, str):
            raise CorpusError(f"{path}, {place}: {column or 'the value'} is {str(value)[:40]!r}, which is no text")
        text = one_line(value or "")
        if not is_sound(text):
            raise CorpusError(f"{path}, {place}: {column or 'the value'} holds a zero byte or half a character")
        yield text


def is_sound(text: str) -> bool:
    """Whether a text can be written to a file and read again: no zero byte, no half of a character."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def one_line(value: str) -> str:
    """A text as a line of a file: without line breaks, outer blanks, or the byte order mark of a file it began."""
    return re.sub(r"\s*[\r\n]+\s*", " ", value).strip().lstrip("\ufeff").strip()


def choose_column(source: str, columns: Sequence[str]) -> str:
    """The column that holds the texts where none is named.

    Raises:
        CorpusError: there are several, and none has a usual name."""
    if len(columns) == 1:
        return columns[0]
    usual = [column for column in COLUMNS if column in columns]
    if not usual:
        raise CorpusError(
            f"{source} has the columns {', '.join(columns)}; name the one that holds the texts with --text-column"
        )
    return usual[0]
