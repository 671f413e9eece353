"""A file as lines of text: unpacked where it is gzipped, decoded from UTF-8 or by its byte order mark, as a stream.

Every error names the file, and the line and byte where there is one."""

import gzip
import hashlib
import io
import re
import shlex
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seqgan.core.config import nearest
from seqgan.data.reading import suffix_of
from seqgan.errors import CorpusError, quoted, why

BUFFER = 1 << 18  # bytes that are read at a time; the first ones show what kind of file it is
NO_TEXT = {  # other kinds of files, by their first bytes
    "a zip file (or a docx, xlsx or epub)": rb"PK[\x03\x05]",
    "an xz file": rb"\xfd7zXZ\0",
    "a bzip2 file": rb"BZh[1-9]1AY&SY",
    "a zstd file": rb"\x28\xb5\x2f\xfd",
    "a 7z file": rb"7z\xbc\xaf",
    "a RAR file": rb"Rar!\x1a",
    "a tar file": rb".{257}ustar",
    "a PDF": rb"%PDF-\d",
    "a PostScript file": rb"%!PS-Adobe",
    "an RTF document": rb"\{\\rtf\d",
    "an old Office document (doc, xls, ppt)": rb"\xd0\xcf\x11\xe0\xa1\xb1",
    "an image": rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP|II\*\0|MM\0\*",
    "a sound or a film": rb"ID3[\x02-\x04]|OggS|fLaC|RIFF....(WAVE|AVI )|....ftyp|MThd\0",
    "a parquet file (its name should end in .parquet)": rb"PAR1[\0-\x08\x0e-\x1f]",
    "an Arrow file": rb"ARROW1",
    "a numpy file": rb"\x93NUMPY",
    "an HDF5 file": rb"\x89HDF\r\n",
    "a pickle": rb"\x80[\x02-\x05][\x95c}\](]",
    "a SQLite database": rb"SQLite format 3\0",
    "a program": rb"\x7fELF|MZ\x90",
}
MARKS = {
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe\0\0": "utf-32-le",  # before that of UTF-16, with which it begins
    b"\0\0\xfe\xff": "utf-32-be",
    b"\xff\xfe": "utf-16-le",
    b"\xfe\xff": "utf-16-be",
}
# Encodings of texts of which at least such a share, of what is not ASCII, are such letters.
LETTERS = {
    "KOI8-R": ("[а-я]", 0.7),
    "WINDOWS-1251": ("[а-я]", 0.7),
    "SHIFT_JIS": ("[ぁ-ん]", 0.25),
    "EUC-JP": ("[ぁ-ん]", 0.25),
}


class _Hashing(io.RawIOBase):
    """A file whose sha256 is computed while it is read: a pipe can be read only once."""

    def __init__(self, file: Any, digest: Any) -> None:
        self.file, self.digest = file, digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self.file.readinto(buffer)
        self.digest.update(memoryview(buffer)[:count])
        return count

    def close(self) -> None:
        self.file.close()
        super().close()


@contextmanager
def opened(path: Path, digest: Any = None) -> Iterator["io.BufferedReader[Any]"]:
    """The bytes of a file, unpacked where it is gzipped; `digest` takes in those that are read.

    Raises:
        CorpusError: it is missing (names what is near), cannot be read, or is a damaged gzip."""
    try:
        with io.BufferedReader(open(path, "rb", buffering=0), BUFFER) as raw:
            packed = raw.peek(2)[:2] == b"\x1f\x8b"
            content = _Hashing(gzip.GzipFile(fileobj=raw) if packed else raw, digest or hashlib.sha256())
            with io.BufferedReader(content, BUFFER) as file:
                yield file
    except FileNotFoundError as error:
        if not path.parent.is_dir():
            raise CorpusError(f"there is no file {path}, nor a folder {path.parent}") from error
        beside = sorted(file.name for file in path.parent.iterdir() if suffix_of(file) and file.is_file())
        hint = nearest(path.name, beside[:1000]) if beside else f"; {path.parent} holds no file of texts"
        raise CorpusError(f"there is no file {path}{hint if len(hint) < 200 else ''}") from error
    except IsADirectoryError as error:
        raise CorpusError(f"cannot read {path}: it is a folder; a file of texts was expected") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CorpusError(
            f"cannot read {path}: the gzip file is truncated or damaged; copy, download or pack it again"
        ) from error
    except (OSError, ValueError) as error:
        raise CorpusError(f"cannot read {quoted(str(path))}: {why(error)}; a file of texts was expected") from error


def digested(path: Path, digest: Any) -> None:
    """Take all bytes of a file into a digest."""
    with opened(path, digest) as file:
        while file.read(BUFFER):
            pass


def what_it_is(path: Path) -> str:
    """What kind of file it is, by its first bytes, where it holds no text: "an image"; empty for text."""
    with opened(path) as file:
        head = file.peek(BUFFER)
    kind = next((kind for kind, first in NO_TEXT.items() if re.match(first, head, re.DOTALL)), "")
    return kind or ("a binary file" if b"\0" in head and not head.startswith(tuple(MARKS)) else "")


def read_lines(path: Path, digest: Any = None) -> Iterator[str]:
    """The lines of a text file, the empty ones too, without their ends: UTF-8, or UTF-16 or -32 with its mark.

    Raises:
        CorpusError: a file of another kind, known by its first bytes, or another encoding (line, byte, what to do)."""
    with opened(path, digest) as file:
        head = file.peek(BUFFER)
        for kind, first in NO_TEXT.items():
            if re.match(first, head, re.DOTALL):
                raise CorpusError(f"{path} is {kind}, not text; unpack or convert it into text, one a line, first")
        mark = next((mark for mark in MARKS if head.startswith(mark)), b"")
        file.read(len(mark))
        yield from _utf8(path, file, head) if MARKS.get(mark, "utf-8") == "utf-8" else _marked(path, file, MARKS[mark])


def _utf8(path: Path, file: "io.BufferedReader[Any]", head: bytes) -> Iterator[str]:
    number = 0
    for part in file:
        for line in part.splitlines():  # a CR alone ends a line, too; bytes know no other line ends
            number += 1
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise CorpusError(
                    f"{path}, line {number}: byte {error.start + 1} is not UTF-8 ({error.reason}); convert the file: "
                    f"{_conversion(path, _likely_encoding(head + line))}"
                ) from error
            if "\0" in text:
                raise CorpusError(
                    f"{path}, line {number}: a zero byte; this is not a text file, or it is UTF-16 without its mark: "
                    f"{_conversion(path, _likely_encoding(head + line))}"
                )
            yield text


def _marked(path: Path, file: "io.BufferedReader[Any]", encoding: str) -> Iterator[str]:
    try:
        for number, line in enumerate(io.TextIOWrapper(file, encoding), start=1):
            if "\0" in line:
                raise CorpusError(f"{path}, line {number}: a zero byte; this is not a text file")
            yield line.removesuffix("\n")
    except UnicodeError as error:
        raise CorpusError(
            f"{path} begins with the mark of {encoding.upper()}, but is truncated or damaged; save it as UTF-8"
        ) from error


def _likely_encoding(some: bytes) -> str:
    """Of a text that is not UTF-8: one of two bytes a character where it holds zeros, the Western one where few bytes
    are not ASCII, else that of Cyrillic or Japanese by which many characters are small letters, else Chinese."""
    if 0 in some:
        return "UTF-16LE" if some[1::2].count(0) >= some[::2].count(0) else "UTF-16BE"
    if sum(byte >= 0x80 for byte in some) * 3 <= len(some):
        return "WINDOWS-1252"
    for encoding, (letters, least) in LETTERS.items():
        text = re.sub(r"[\x00-\x7f]", "", some.decode(encoding, errors="replace"))
        if len(re.findall(letters, text)) > least * len(text):
            return encoding
    return "GB18030"


def _conversion(path: Path, encoding: str) -> str:
    """The command that converts a file; one that is gzipped is unpacked on the way."""
    plain = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    target = shlex.quote(f"{plain.stem}-utf8{plain.suffix}")
    if plain != path:
        return f"gzip -dc {shlex.quote(str(path))} | iconv -f {encoding} -t UTF-8 > {target}"
    return f"iconv -f {encoding} -t UTF-8 {shlex.quote(str(path))} > {target}"
