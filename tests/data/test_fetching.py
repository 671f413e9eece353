"""Public corpora, fetched from a server on this machine: each kind of file, and each way in which it can go wrong."""

import hashlib
import io
import json
import re
import socket
import tarfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from seqgan.data import fetching, store
from seqgan.data.corpus import bundled, load_corpus
from seqgan.data.fetching import fetch, sources
from seqgan.errors import CorpusError
from tests.conftest import tiny_lines
from tests.serving import running
from tests.test_cli import call, refusal

TEXTS = [f"text {number} of the {number}th source" for number in range(60)]
SCHEMES = ("http", "https")


@contextmanager
def serving(files: Mapping[str, bytes], asked: list[str]) -> Iterator[str]:
    """The address of a server of these files for as long as the block; it notes what it is asked for."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = files.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *args: Any) -> None:
            """A test is not to chatter."""

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Answer)) as address:
        yield address


@contextmanager
def saying(answer: bytes) -> Iterator[str]:
    """The address of a server that says this to everyone, whatever they ask, and hangs up."""

    def serve() -> None:
        while True:
            connection, _ = server.accept()
            with connection:
                if not connection.recv(1 << 16):
                    return
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/file"
        finally:
            socket.create_connection(server.getsockname()).close()  # asks nothing: the end
            thread.join()


def zipped(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


def tarred(**members: bytes) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, data in members.items():
            schema = tarfile.TarInfo(name)
            schema.size = len(data)
            archive.addfile(schema, io.BytesIO(data))
    return content.getvalue()


PICTURES = json.dumps(
    {
        "images": [
            {"split": "val" if number % 2 else "train", "sentences": [{"raw": text, "tokens": []}]}
            for number, text in enumerate([text for text in TEXTS for _ in range(2)])
        ]
    }
).encode()
HALF, REST = ("".join(text + "\n" for text in texts).encode() for texts in (TEXTS[:30], TEXTS[30:]))
LINES = HALF + REST
FILES = {
    "/lines": LINES,
    "/half": HALF,
    "/rest": REST,
    "/table": "".join(f"{number}\t{text}\tlabel\n" for number, text in enumerate(TEXTS)).encode(),
    "/zip": zipped(pictures=PICTURES, other=b"not this"),
    "/tar": tarred(train=HALF, other=b"not this\n", dev=REST),
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shelf for one test; and no proxy stands between us and ourselves."""
    monkeypatch.setenv("SEQGAN_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "corpora"


@pytest.fixture(scope="module")
def asked() -> list[str]:
    """What the server was asked for."""
    return []


@pytest.fixture(scope="module")
def address(asked: list[str]) -> Iterator[str]:
    with serving(FILES, asked) as address:
        yield address


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def source(*schema: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """A list of sources with one of them, `ours`, made of these files."""
    facts = {"description": "d", "language": "English", "licence": "CC0-1.0", "homepage": "http://h"}
    return {"ours": {"name": "ours", **facts, "file": list(schema)}}


def get(*schema: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    """Fetch a source that is made of these files; the report."""
    return fetch("ours", lambda done, size: None, known=source(*schema), **options)


def refused(home: Path, *schema: Mapping[str, Any]) -> str:
    """What is said of a source that cannot be had; nothing is kept of it."""
    with pytest.raises(CorpusError) as error:
        get(*schema)
    assert not list(home.rglob("*"))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("/lines", {}),
        ("/table", {"field": 1}),
        ("/zip", {"members": ["pictures"], "values": "images[split=val].sentences.raw"}),
        ("/tar", {"members": ["train", "dev"]}),
    ],
)
def test_every_kind_of_file_gives_the_same_corpus(name: str, how: dict[str, Any], address: str) -> None:
    content = FILES[name]
    report = get({"urls": [address + name], "sha256": sha256(content), **how})
    assert report["texts_given"] == 60
    corpus = load_corpus("ours")
    assert corpus.name == "ours"
    assert sorted(corpus.train + corpus.valid + corpus.test) == sorted(TEXTS)


def test_a_source_may_have_several_files(address: str) -> None:
    parts = [{"urls": [address + name], "sha256": sha256(FILES[name])} for name in ("/half", "/rest")]
    assert get(*parts)["texts_given"] == 60
    about = store.about("ours")
    assert about["source"] == [address + "/half", address + "/rest"]
    assert (about["language"], about["licence"], about["homepage"]) == ("English", "CC0-1.0", "http://h")


def test_progress_is_told_in_bytes_so_far_and_in_all(address: str) -> None:
    told: list[tuple[int, int]] = []
    known = source({"urls": [address + "/lines"], "sha256": sha256(LINES)})
    fetch("ours", lambda done, size: told.append((done, size)), known=known)
    assert told[-1] == (len(LINES), len(LINES))
    assert [done for done, _ in told] == sorted(done for done, _ in told)


# --- what is not taken


def test_a_file_with_another_sha256_is_refused_and_nothing_is_kept(address: str, home: Path) -> None:
    told = refused(home, {"urls": [address + "/lines"], "sha256": sha256(LINES + b"more")})
    assert f"{address}/lines: its sha256 is {sha256(LINES)[:12]}..., not" in told
    assert "it was changed or damaged" in told


def test_one_bad_file_of_several_spoils_them_all(address: str, home: Path) -> None:
    good = {"urls": [address + "/half"], "sha256": sha256(FILES["/half"])}
    assert "/rest: its sha256 is" in refused(home, good, {"urls": [address + "/rest"], "sha256": "0" * 64})


@pytest.mark.parametrize("first", ["/missing", "/rest"], ids=["not found", "of another content"])
def test_the_second_address_is_taken_when_the_first_fails(first: str, address: str, asked: list[str]) -> None:
    asked.clear()
    get({"urls": [address + first, address + "/lines"], "sha256": sha256(LINES)})
    assert asked == [first, "/lines"]
    assert load_corpus("ours").provenance["texts"] == sum(store.about("ours")["report"]["split"].values())


def test_the_second_address_is_not_asked_when_the_first_answers(address: str, asked: list[str]) -> None:
    asked.clear()
    get({"urls": [address + "/lines", address + "/rest"], "sha256": sha256(LINES)})
    assert asked == ["/lines"]


def test_when_all_addresses_fail_each_is_told_with_its_reason(address: str, home: Path) -> None:
    urls = [address + "/missing", address + "/rest", "nonsense"]
    told = refused(home, {"urls": urls, "sha256": sha256(LINES)})
    assert f"{urls[0]}: Not Found and {urls[1]}: its sha256 is" in told
    assert "nonsense: unknown url type: 'nonsense'; check the connection, or get the file by hand" in told


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(fetching, "SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts connections, and says nothing
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/lines"
        started = time.monotonic()
        assert f"{url}: timed out" in refused(home, {"urls": [url], "sha256": sha256(LINES)})
    assert time.monotonic() - started < 5


def test_a_server_that_falls_silent_midway_is_given_up(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(fetching, "SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/lines"
        connections = []

        def begin() -> None:
            connections.append(server.accept()[0])
            connections[0].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nthe beginning")

        thread = Thread(target=begin)
        thread.start()
        assert f"{url}: timed out" in refused(home, {"urls": [url], "sha256": sha256(LINES)})
        thread.join()
        connections[0].close()


def test_a_closed_port_is_told(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    told = refused(home, {"urls": [f"http://127.0.0.1:{port}/lines"], "sha256": sha256(LINES)})
    assert "Connection refused" in told


def test_a_file_that_ends_too_early_is_refused(home: Path) -> None:
    with saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + LINES) as url:
        told = refused(home, {"urls": [url], "sha256": sha256(LINES + b"more")})
    assert url in told


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n" + LINES,
        b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 Oh dear\r\nContent-Length: 0\r\n\r\n",
        pytest.param(b"this is no answer\r\n\r\n"),
        pytest.param(b"HTTP/1.1 2x0 OK\r\n\r\n"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X-Y: z\r\n" * 200 + b"\r\n"),
    ],
    ids=["nothing", "length", "redirect to a file", "500", "no HTTP", "status", "chunks", "headers"],
)
def test_an_answer_that_is_no_good_is_told(answer: bytes, home: Path) -> None:
    with saying(answer) as url:
        assert f"cannot fetch {url}: " in refused(home, {"urls": [url], "sha256": sha256(LINES)})


@pytest.mark.parametrize("url", ["http://", "ftp://", "http://[::1/x", pytest.param("http://h/a b")])
def test_a_bad_address_is_told(url: str, home: Path) -> None:
    assert f"cannot fetch {url}: " in refused(home, {"urls": [url], "sha256": sha256(LINES)})


def test_an_unknown_name_points_to_a_near_one() -> None:
    with pytest.raises(CorpusError, match="there is no public corpus 'our' to fetch; did you mean ours"):
        fetch("our", lambda done, size: None, known=source())
    message, code = refusal("corpora", "fetch", "verse")
    assert "there is no public corpus 'verse' to fetch; did you mean verses?" in message
    assert code == 2


def test_what_was_fetched_is_fetched_again_only_when_asked(address: str) -> None:
    file = {"urls": [address + "/lines"], "sha256": sha256(LINES)}
    get(file)
    with pytest.raises(CorpusError, match=r"there is a corpus 'ours' already .* --overwrite"):
        get(file)
    get({"urls": [address + "/table"], "sha256": sha256(FILES["/table"]), "field": 1}, overwrite=True)
    assert store.about("ours")["source"] == [address + "/table"]


def test_a_taken_name_is_refused_before_anything_is_downloaded(address: str, asked: list[str]) -> None:
    store.add("ours", tiny_lines(), {})
    asked.clear()
    with pytest.raises(CorpusError, match="there is a corpus 'ours' already"):
        get({"urls": [address + "/lines"], "sha256": sha256(LINES)})
    assert asked == []


def test_only_an_end_of_line_ends_a_line() -> None:
    texts = [text.replace(" of ", " of\u2028", 1) for text in TEXTS]
    table = "".join(f"{number}\t{text}\n" for number, text in enumerate(texts)).encode()
    with serving({"/table": table}, []) as address:
        report = get({"urls": [address + "/table"], "sha256": sha256(table), "field": 1})
    assert report["texts_given"] == 60


# --- from the command line


def test_a_source_is_fetched_by_name(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = source({"urls": [address + "/lines"], "sha256": sha256(LINES)})
    monkeypatch.setattr(fetching, "sources", lambda: known)
    assert "(seqgan corpora fetch ours)" in call("corpora", "list").stdout
    fetched = call("corpora", "fetch", "ours").stdout
    assert "texts given: 60" in fetched
    assert "train on it with seqgan train --corpus ours" in fetched
    listed = [line for line in call("corpora", "list").stdout.splitlines() if line.startswith("ours ")]
    assert len(listed) == 1
    assert "CC0-1.0" in listed[0]
    assert "fetch" not in listed[0]
    assert "already" in refusal("corpora", "fetch", "ours")[0]


# --- what is shipped


@pytest.mark.parametrize("name", list(sources()))
def test_a_shipped_source_has_what_fetching_it_needs(name: str) -> None:
    entry = sources()[name]
    assert {"name", "description", "language", "licence", "homepage", "file"} == set(entry)
    assert all(isinstance(entry[key], str) and entry[key] for key in entry if key != "file")
    assert re.fullmatch(r"[A-Za-z0-9][\w.-]*", name)
    assert entry["homepage"].split("://")[0] in SCHEMES
    assert entry["file"]
    for file in entry["file"]:
        assert {"urls", "sha256", "bytes"} <= set(file) <= {"urls", "sha256", "bytes", "field", "members", "values"}
        assert re.fullmatch("[0-9a-f]{64}", file["sha256"])
        assert file["urls"]
        assert all(url.split("://")[0] in SCHEMES for url in file["urls"])
        assert isinstance(file.get("field", 0), int)
        assert all(isinstance(member, str) for member in file.get("members", []))
        assert all(re.fullmatch(r"\w+(\[\w+=\w+\])?", step) for step in file.get("values", "raw").split("."))


def test_no_shipped_source_has_the_name_of_a_bundled_corpus_or_of_another() -> None:
    listed = (fetching.corpora_folder() / "SOURCES.toml").read_text()
    assert listed.count("[[source]]") == len(sources()) > 0
    assert not set(sources()) & set(bundled())


def test_no_file_is_listed_twice() -> None:
    sums = [file["sha256"] for entry in sources().values() for file in entry["file"]]
    assert len(set(sums)) == len(sums)
