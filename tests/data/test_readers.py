"""Files to texts: whatever the format, the same texts; whatever is wrong, the file and the place."""

import csv
import gzip
import io
import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from seqgan.data.readers import read_samples, read_texts
from seqgan.data.reading import Reading, kind_of, stem_of
from seqgan.errors import CorpusError

TEXTS = ["plain words", 'she said "no", twice', "naïve 早發白帝城", "one, two; three", "a\u2028b stays one text"]
LOOK_LIKE_VALUES = ["NA", "null", "NaN", "None", "2024-01-05", "10:30", "007", "1e5", "True", "-"]


def as_lines(texts: Sequence[str]) -> bytes:
    return "".join(text + "\n" for text in texts).encode()


def as_table(texts: Sequence[str], delimiter: str = ",", column: str = "text") -> bytes:
    table = io.StringIO()
    writer = csv.writer(table, delimiter=delimiter, lineterminator="\n")
    writer.writerows([["id", column], *([number, text] for number, text in enumerate(texts))])
    return table.getvalue().encode()


def as_records(texts: Sequence[str]) -> list[dict[str, object]]:
    return [{"id": number, "text": text} for number, text in enumerate(texts)]


def as_parquet(texts: Sequence[str | None]) -> bytes:
    import datasets

    datasets.disable_progress_bars()
    content = io.BytesIO()
    datasets.Dataset.from_dict({"id": list(range(len(texts))), "text": list(texts)}).to_parquet(content)
    return content.getvalue()


# the name of a file -> what to put into it
FORMATS: dict[str, Callable[[Sequence[str]], bytes]] = {
    "lines.txt": as_lines,
    "table.csv": as_table,
    "table.tsv": lambda texts: as_table(texts, "\t"),
    "strings.json": lambda texts: json.dumps(texts).encode(),
    "records.json": lambda texts: json.dumps(as_records(texts), indent=1, ensure_ascii=False).encode(),
    "records.jsonl": lambda texts: "".join(json.dumps(record) + "\n" for record in as_records(texts)).encode(),
    "strings.jsonl": lambda texts: "".join(json.dumps(text) + "\n" for text in texts).encode(),
    "records.parquet": as_parquet,
}
UNPACKED = [name for name in FORMATS if name != "records.parquet"]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., list[str]]:
    """Put bytes into a file of this name, and read its texts."""

    def written_and_read(name: str, raw: bytes, column: str | None = None, **options: Any) -> list[str]:
        path = tmp_path / name
        path.write_bytes(raw)
        return list(read_texts(path, Reading(column, **options)))

    return written_and_read


Read = Callable[..., list[str]]


def refused(read: Read, name: str, raw: bytes, column: str | None = None) -> str:
    """What is said of a bad file, which it must name."""
    with pytest.raises(CorpusError) as error:
        read(name, raw, column)
    assert name in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_texts(read: Read, name: str) -> None:
    assert read(name, FORMATS[name](TEXTS)) == TEXTS


@pytest.mark.parametrize("name", UNPACKED)
def test_a_gzipped_file_gives_the_same_texts(read: Read, name: str) -> None:
    assert read(name + ".gz", gzip.compress(FORMATS[name](TEXTS))) == TEXTS
    assert read(name, gzip.compress(FORMATS[name](TEXTS))) == TEXTS  # gzip is known by its first bytes, not by name


@pytest.mark.parametrize("name", FORMATS)
def test_what_looks_like_a_missing_value_a_date_or_a_number_stays_text(read: Read, name: str) -> None:
    assert read(name, FORMATS[name](LOOK_LIKE_VALUES)) == LOOK_LIKE_VALUES


@pytest.mark.parametrize("name", UNPACKED)
def test_a_byte_order_mark_is_no_text_and_windows_lines_end_as_others_do(read: Read, name: str) -> None:
    raw = b"\xef\xbb\xbf" + FORMATS[name](TEXTS).replace(b"\n", b"\r\n")
    assert read(name, raw) == TEXTS


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "lines.txt"])
def test_a_line_break_within_a_value_is_kept(read: Read, name: str) -> None:
    texts = ["first\nsecond", "one \r\n\r\n  two ", "three\rfour\n"]
    assert read(name, FORMATS[name](texts)) == ["first\nsecond", "one\n\n  two", "three\nfour"]


def test_a_quoted_field_may_hold_quotes_delimiters_and_lines(read: Read) -> None:
    raw = b'id,text\n1,"a ""word"", and\n\nmore"\n\n2,"x"\n'
    assert read("t.csv", raw) == ['a "word", and\n\nmore', "x"]


def test_outer_blanks_and_empty_values_are_no_text(read: Read) -> None:
    texts = ["  a  ", "", "   ", "b"]
    assert all(read(name, write(texts)) == ["a", "b"] for name, write in FORMATS.items())


def test_a_missing_value_is_no_text(read: Read) -> None:
    assert read("t.json", b'[{"text": null}, {"text": "a"}]') == ["a"]
    assert read("t.parquet", as_parquet(["a", None, "b"])) == ["a", "b"]


# --- columns


def test_the_only_column_holds_the_texts_whatever_its_name(read: Read) -> None:
    assert read("t.csv", b"verse\na\nb\n") == ["a", "b"]
    assert read("t.jsonl", b'{"verse": "a"}\n{"verse": "b"}\n') == ["a", "b"]


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("id,text,sentence,content", 1),
        ("id,content,sentence,x", 2),
        ("id,x,y,content", 3),
        ("content,y,z,text", 3),
    ],
)
def test_of_several_columns_text_then_sentence_then_content_is_taken(read: Read, header: str, chosen: int) -> None:
    assert read("t.csv", f"{header}\nzero,one,two,three\n".encode()) == [["zero", "one", "two", "three"][chosen]]


def test_a_named_column_goes_before_a_usual_one(read: Read) -> None:
    records = [{"text": "no", "body": "yes"}, {"text": "no", "body": "also"}]
    assert read("t.csv", b"text,body\nno,yes\nno,also\n", "body") == ["yes", "also"]
    assert read("t.json", json.dumps(records).encode(), "body") == ["yes", "also"]
    assert read("t.jsonl", "\n".join(map(json.dumps, records)).encode(), "body") == ["yes", "also"]


def test_several_columns_without_a_usual_name_ask_for_one(read: Read) -> None:
    told = refused(read, "t.csv", b"id,verse\n1,a\n")
    assert "has the columns id, verse; name the one that holds the texts with --text-column" in told


@pytest.mark.parametrize("name", ["table.csv", "table.tsv", "records.json", "records.jsonl", "records.parquet"])
def test_an_unknown_column_is_told_with_the_near_one(read: Read, name: str) -> None:
    told = refused(read, name, FORMATS[name](TEXTS), "txt")
    assert "there is no column 'txt'; did you mean text?" in told


def test_a_record_without_the_column_is_told_by_its_line(read: Read) -> None:
    told = refused(read, "t.jsonl", b'{"text": "a"}\n\n{"txt": "b"}\n')
    assert "line 3: there is no column 'text'; did you mean txt?" in told


def test_plain_lines_have_no_columns(read: Read) -> None:
    assert "is plain text, which has no --text-column" in refused(read, "t.txt", b"a\nb\n", "text")
    assert "'a' is no record with named values" in refused(read, "t.json", b'["a"]', "text")


# --- what is wrong, and where


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [
        ("t.csv", b"", "holds no text; a file of texts"),
        ("t.jsonl", b" \n\n", "holds no text; a file of texts"),
        ("t.txt", b" \n\n", "holds no text; a file of texts"),
        ("t.csv", b"id,text\n1,a\n2\n", "line 3: a row of 1 fields, but the header has 2"),
        ("t.csv", b'id,text\n1,"a\nb"\n2,b,c\n', "line 4: a row of 3 fields, but the header has 2"),
        ("t.csv", b'id,text\n1,"a"b\n', "line 2: malformed CSV"),
        ("t.csv", b'id,text\n1,a\n2,"b\nc\n', "line 4: malformed CSV (unexpected end of data)"),
        ("t.csv", b"id,text\n", "holds no text; a file of texts"),
        ("t.csv", b"id,text,more\n1,,x\n2, ,x\n", "holds no text; a file of texts"),
        ("t.tsv", b"id\ttext\n1\ta\tb\n", "line 2: a row of 3 fields, but the header has 2"),
        ("t.jsonl", b'{"text": "a"}\n\n{"text": \n', "line 3: malformed JSON"),
        ("t.jsonl", b'{"text": "a"}\n{"text": 7}\n', "line 2: text is '7', which is no text"),
        ("t.jsonl", b'{"text": "a"}\n["b"]\n', "line 2: a list is no record"),
        ("t.jsonl", b'{"text": [{"en": "a"}], "id": 1}\n', "line 1: text is \"[{'en': 'a'}]\", which is no text"),
        ("t.jsonl", b"[" * 50_000, "malformed JSON (nested too deeply)"),
        ("t.jsonl", b'{"text": ' + b"9" * 5000 + b"}", "line 1: malformed JSON (a number has too many digits)"),
        ("t.jsonl", b"null\n", "line 1: a null is no record with named values"),
        ("t.json", b'[\n"a",\n"b"\n"c"]', "line 4: malformed JSON"),
        ("t.json", b'{"text": "a"}', "holds a table, but a list of texts or of records was expected"),
        ("t.json", b'"a"', "holds a text, but a list of texts"),
        ("t.json", b"[]", "holds no text; a file of texts"),
        ("t.json", b'["a", 3]', "record 2: a number is no record"),
        ("t.json", b'[{"text": true}]', "record 1: text is 'True', which is no text"),
        ("t.json", b"[" * 50_000, "nested too deeply"),
        ("t.txt", b"a\nb\xff\n", "line 2: byte 2 is not UTF-8"),
        ("t.csv", b"text\na\nb\xff\n", "line 3: byte 2 is not UTF-8"),
        ("t.jsonl", b'"a"\n"\xe9"\n', "line 2: byte 2 is not UTF-8"),
        ("t.json", '["早"]'.encode("utf-16-le"), "iconv -f UTF-16LE -t UTF-8"),
        ("t.txt", "plain".encode("utf-16-be"), "or it is UTF-16 without its mark: iconv -f UTF-16BE -t UTF-8"),
        ("t.txt", "早一".encode("utf-16")[:-1], "begins with the mark of UTF-16-LE, but is truncated or damaged"),
        ("t.csv", b"text,id,text\na,1,b\n", "has two columns called 'text'; give each a name of its own"),
        ("t.tsv", b"id\tid\ttext\n1\t2\tb\n", "has two columns called 'id'"),
        ("t.json", b'[{"text": "a", "text": "b"}]', "malformed JSON (two values are called 'text')"),
        ("t.jsonl", b'{"text": "a"}\n{"text": "a", "text": "b"}\n', "line 2: malformed JSON (two values are called"),
        ("t.txt", b"PK\x03\x04rest", "is a zip file (or a docx, xlsx or epub), not text; unpack or convert it"),
        ("t.csv", b"\xfd7zXZ\0rest", "is an xz file, not text"),
        ("t.txt", b"%PDF-1.7\n", "is a PDF, not text"),
        ("t.txt", b"\x89PNG\r\n", "is an image, not text"),
        ("t.txt", as_parquet(["a"]), "is a parquet file (its name should end in .parquet)"),
        ("t.txt", "café au lait\n".encode("cp1252"), "iconv -f WINDOWS-1252 -t UTF-8"),
        ("t.txt", "早發白帝城\n".encode("gb18030"), "iconv -f GB18030 -t UTF-8"),
        ("t.txt", b"a\nb\0c\n", "line 2: a zero byte; this is not a text file"),
        ("t.parquet", b"no parquet at all", "is not a readable parquet file"),
        ("t.parquet", b"PAR1" + bytes(64) + b"PAR1", "is not a readable parquet file"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(read: Read, name: str, raw: bytes, message: str) -> None:
    assert message in refused(read, name, raw)


def test_a_parquet_column_of_numbers_is_no_text(tmp_path: Path) -> None:
    import datasets

    path = tmp_path / "t.parquet"
    datasets.Dataset.from_dict({"text": [1, 2]}).to_parquet(str(path))
    with pytest.raises(CorpusError, match=r"t\.parquet, record 1: text is '1', which is no text"):
        list(read_texts(path))


def test_a_parquet_file_that_was_cut_short_is_told(read: Read) -> None:
    raw = as_parquet(TEXTS)
    for length in range(4, len(raw), len(raw) // 6):
        assert "is not a readable parquet file" in refused(read, "t.parquet", raw[:length])


def test_a_parquet_file_with_a_damaged_text_is_told(read: Read) -> None:
    raw = as_parquet(["plain words"] * 3)
    assert raw.count(b"plain") >= 1
    assert "t.parquet" in refused(read, "t.parquet", raw.replace(b"plain", b"pla\xffn"))


@pytest.mark.parametrize("name", ["part[1].parquet", "part?.parquet"])
def test_the_name_of_a_parquet_file_is_no_pattern(read: Read, name: str) -> None:
    read("part1.parquet", as_parquet(["of another file"]))
    assert read(name, as_parquet(TEXTS)) == TEXTS


@pytest.mark.parametrize("name", ["t.json", "t.jsonl"])
def test_a_number_of_thousands_of_digits_is_malformed(read: Read, name: str) -> None:
    assert "malformed JSON" in refused(read, name, b"[" + b"1" * 5000 + b"]")


@pytest.mark.parametrize("name", ["t.json", "t.jsonl"])
@pytest.mark.parametrize("escaped", [rb'["half a \ud83d sign"]', rb'["a zero \u0000 sign"]'], ids=["surrogate", "zero"])
def test_a_json_escape_that_is_no_character_is_refused(read: Read, name: str, escaped: bytes) -> None:
    raw = b'["fine",\n' + escaped[1:] if name == "t.json" else b'"fine"\n' + escaped[1:-1]
    assert ("record 2" if name == "t.json" else "line 2") in refused(read, name, raw)


def test_a_damaged_gzip_and_a_folder_cannot_be_read(read: Read, tmp_path: Path) -> None:
    packed = gzip.compress(FORMATS["table.csv"](TEXTS))
    damaged = packed[:12] + bytes([packed[12] ^ 0xFF]) + packed[13:]
    for raw in (packed[:-5], damaged):
        assert refused(read, "t.csv.gz", raw).endswith(
            "the gzip file is truncated or damaged; copy, download or pack it again"
        )
    with pytest.raises(CorpusError, match=r"cannot read .*: it is a folder; a file of texts was expected"):
        list(read_texts(tmp_path))


def test_a_missing_file_names_a_near_one_or_the_missing_folder(tmp_path: Path) -> None:
    (tmp_path / "verses.csv").write_text("x")
    with pytest.raises(CorpusError, match=r"there is no file .*verse\.csv; did you mean verses\.csv"):
        list(read_texts(tmp_path / "verse.csv"))
    with pytest.raises(CorpusError, match=r"there is no file .*, nor a folder .*nowhere"):
        list(read_texts(tmp_path / "nowhere" / "verse.csv"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "utf-32-be", "utf-8-sig"])
@pytest.mark.parametrize("name", UNPACKED)
def test_a_file_whose_mark_names_its_encoding_is_read(read: Read, name: str, encoding: str) -> None:
    content = FORMATS[name](TEXTS).decode()
    mark = "\ufeff" if encoding.endswith("be") else ""
    assert read(name, (mark + content).encode(encoding)) == TEXTS


def test_the_line_that_converts_a_file_can_be_copied(read: Read, tmp_path: Path) -> None:
    told = refused(read, "my texts.txt", "a\nna\xefve\n".encode("cp1252"))
    assert "my texts.txt, line 2: byte 3 is not UTF-8" in told
    command = told[told.index("iconv") :]
    subprocess.run(["bash", "-c", command], check=True, cwd=tmp_path)
    assert list(read_texts(tmp_path / "my texts-utf8.txt")) == ["a", "na\xefve"]


def test_what_only_begins_like_a_packed_file_is_text(read: Read) -> None:
    texts = ["PKO is a bank", "BZh9 is no word", "PAR1 is the first part", "7z", "GIF files", "%PDF"]
    for text in texts:
        assert read("t.txt", text.encode()) == [text]


# --- names


@pytest.mark.parametrize(
    ("name", "kind", "stem"),
    [
        ("a.txt", ".txt", "a"),
        ("a.csv.gz", ".csv", "a"),
        ("a.JSONL", ".jsonl", "a"),
        ("a.v2.tsv", ".tsv", "a.v2"),
        ("notes.md", ".txt", "notes.md"),
        ("plain", ".txt", "plain"),
        (".txt", ".txt", ".txt"),
    ],
)
def test_the_suffix_says_how_to_read_a_file_and_an_unknown_one_means_lines(name: str, kind: str, stem: str) -> None:
    assert kind_of(Path(name)) == kind
    assert stem_of(Path(name)) == stem


def test_samples_keep_their_empty_lines_where_a_corpus_drops_them(tmp_path: Path) -> None:
    path = tmp_path / "samples.txt"
    path.write_text("a\n\n  b \n")
    assert read_samples(path) == ["a", "", "b"]
    assert list(read_texts(path)) == ["a", "b"]


def test_samples_may_have_columns_too(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    path.write_bytes(as_table(TEXTS))
    assert read_samples(path) == TEXTS
