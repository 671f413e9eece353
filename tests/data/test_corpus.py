import gzip
import hashlib
from itertools import chain
from pathlib import Path

import pytest

from seqgan.data.corpus import bundled, load_corpus
from seqgan.data.encoding import encode_corpus
from seqgan.data.splits import split
from seqgan.data.suitable import suitable_tokenizer
from seqgan.data.tokenizer import Tokenizer
from seqgan.errors import CorpusError
from tests.conftest import tiny_lines


def test_a_text_file_and_its_gzip_are_the_same_corpus(corpus_file: Path) -> None:
    packed = corpus_file.with_name("tiny.txt.gz")
    packed.write_bytes(gzip.compress(corpus_file.read_bytes()))
    plain, zipped = load_corpus(str(corpus_file)), load_corpus(str(packed))
    assert (plain.train, plain.valid, plain.test) == (zipped.train, zipped.valid, zipped.test)
    assert (
        plain.provenance["sha256"]
        == zipped.provenance["sha256"]
        == hashlib.sha256(corpus_file.read_bytes()).hexdigest()
    )
    assert plain.name == zipped.name == "tiny"


def test_the_split_is_80_10_10_and_a_text_stays_where_it_is() -> None:
    texts = [f"text number {i}" for i in range(5000)]
    parts = split(texts)
    assert sorted(chain(*parts.values())) == sorted(texts)
    assert 450 < len(parts["valid"]) < 550
    assert 450 < len(parts["test"]) < 550
    more = split([*texts, "one more"])
    assert all(set(parts[name]) <= set(more[name]) for name in parts)


def test_copies_of_a_text_are_in_one_split() -> None:
    parts = split(["a", "b", "c", "d", "e", "f"] * 3)
    assert all(members.count(text) == 3 for members in parts.values() for text in members)


def test_blank_lines_windows_ends_and_a_byte_order_mark_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n\r\n".join(["  " + line + " " for line in tiny_lines()]).encode())
    corpus = load_corpus(str(path))
    assert sorted(corpus.train + corpus.valid + corpus.test) == sorted(tiny_lines())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no text"),
        (b"\n \n\n", "holds no text"),
        (b"only one line\n", "holds 1 text; at least 20"),
        (b"a\nb\nc\n", "holds 3 texts; at least 20"),
        (b"good\nalso good\nb\xe4d\n", r"line 3: byte 2 is not UTF-8"),
        (b"good\nbin\x00ary\n", "line 2: a zero byte"),
    ],
)
def test_bad_content_is_told_with_its_place(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=message) as error:
        load_corpus(str(path))
    assert "bad.txt" in str(error.value)


def test_a_damaged_gzip_is_told(tmp_path: Path) -> None:
    path = tmp_path / "bad.txt.gz"
    path.write_bytes(gzip.compress(b"text\n" * 1000)[:-20])
    with pytest.raises(CorpusError, match=r"cannot read .*bad\.txt\.gz"):
        load_corpus(str(path))


def test_a_missing_corpus_or_file_names_what_is_near(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no corpus is called 'poem'; did you mean poems"):
        load_corpus("poem")
    (tmp_path / "haiku.txt").write_text("x")
    with pytest.raises(CorpusError, match=r"there is no file .*haiky\.txt; did you mean haiku\.txt"):
        load_corpus(str(tmp_path / "haiky.txt"))
    with pytest.raises(CorpusError, match=r"holds 1 text; at least 20"):
        load_corpus(str(tmp_path))  # a folder is the files in it


def test_the_tokenizer_follows_the_script() -> None:
    assert suitable_tokenizer(load_corpus("poems"))[0] == "char"
    assert suitable_tokenizer(load_corpus("speeches"))[0] == "word"


def test_the_bundled_corpora_are_what_their_manifest_says() -> None:
    for name, entry in bundled().items():
        corpus = load_corpus(name)
        assert corpus.provenance["sha256"] == entry["sha256"]
        assert corpus.provenance["texts"] == entry["count"]
        assert entry["licence"] == "CC0-1.0"


def test_real_quatrains_can_be_encoded(real_data: Path) -> None:
    corpus = load_corpus(str(real_data / "poems" / "jueju5.train.txt.gz"))
    assert suitable_tokenizer(corpus)[0] == "char"
    texts = encode_corpus(corpus, Tokenizer.train(corpus.train, "char"))
    assert texts.max_length == 24
    assert texts.train.overlong == 0
    assert texts.decode(texts.train.sequences[:5]) == corpus.train[:5]
