"""Datasets of the hub, from a small hub on this machine that speaks as much of the protocol as `datasets` asks for.

The hub's address and cache are read when huggingface_hub is imported, so every reading is a process of its own."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from seqgan.data.hub import parse
from seqgan.errors import CorpusError
from tests.conftest import tiny_lines
from tests.serving import running

COMMIT = "a" * 40


def records(texts: Sequence[str], column: str = "text") -> bytes:
    return "".join(json.dumps({"id": n, column: text}) + "\n" for n, text in enumerate(texts)).encode()


AUDIO_CARD = b"""---
dataset_info:
  features:
  - name: text
    dtype: string
  - name: sound
    dtype: audio
---
"""

# the name of a dataset -> its files
DATASETS: dict[str, dict[str, bytes]] = {
    "me/plain": {"data.jsonl": records(["one", "two", " ", "NA", "thr\nee"])},
    "me/parts": {
        "train.jsonl": records(["a", "b", "c"]),
        "validation.jsonl": records(["d"]),
        "test.jsonl": records(["e", "f"]),
    },
    "me/half": {"train.jsonl": records(tiny_lines(60)), "test.jsonl": records(["of", "a", "test"])},
    "me/other": {"data.jsonl": b'{"body": "the body", "title": "the title"}\n'},
    "me/numbers": {"data.jsonl": b'{"text": 1}\n{"text": 2}\n'},
    "me/broken": {"data.jsonl": b'{"text": "one"}\n{"text": \n'},
    "me/spoken": {
        "README.md": AUDIO_CARD,
        "data.jsonl": b'{"text": "said", "sound": {"bytes": null, "path": "a.wav"}}\n',
    },
    "me/empty": {"notes.md": b"nothing here"},
}


class Hub(BaseHTTPRequestHandler):
    """Descriptions of datasets, lists of their files, and the files."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].strip("/")
        kind = "RepoNotFound"
        for name, files in DATASETS.items():
            if path == f"api/datasets/{name}" or path.startswith(f"api/datasets/{name}/revision/"):
                return self._answer(self._described(name, files))
            if path == f"api/datasets/{name}/tree/{COMMIT}":
                return self._answer([{"type": "file", "path": n, "size": len(d), "oid": n} for n, d in files.items()])
            if path.startswith(f"datasets/{name}/resolve/") and (file := path.rsplit("/", 1)[1]) in files:
                return self._send(files[file], {"ETag": f'"{name} {file}"', "X-Repo-Commit": COMMIT})
            if f"datasets/{name}/" in path:
                kind = "EntryNotFound"
        return self._send(b"", {"X-Error-Code": kind}, status=404)

    do_HEAD = do_GET  # noqa: N815

    def _described(self, name: str, files: Mapping[str, bytes]) -> dict[str, Any]:
        flags = {"private": False, "gated": False, "disabled": False, "downloads": 0, "likes": 0, "tags": []}
        return {"id": name, "sha": COMMIT, **flags, "siblings": [{"rfilename": file} for file in files]}

    def _answer(self, content: object) -> None:
        self._send(json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _send(self, body: bytes, headers: Mapping[str, str], status: int = 200) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """A test is not to chatter."""


@contextmanager
def serving() -> Iterator[str]:
    """The address of a hub that runs for as long as the block."""
    with running(ThreadingHTTPServer(("127.0.0.1", 0), Hub)) as address:
        yield address


READING = """
import json, sys, time
from seqgan.data.corpus import load_corpus
from seqgan.data.hub import read_hub

def answer(name, column):
    started = time.monotonic()
    try:
        found = vars(load_corpus(name)) if column == "corpus" else read_hub(name, column)[0]
        return {"found": found}
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error), "seconds": time.monotonic() - started}

print(json.dumps([answer(*asked) for asked in json.loads(sys.argv[1])]))
"""


def ask(endpoint: str, home: Path, asked: Sequence[tuple[str, str | None]], **more: str) -> list[dict[str, Any]]:
    """What another process finds at these addresses (and columns), or the error that it gets."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith("HF_") and "proxy" not in key.lower()}
    environment = {**ours, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", **more}
    command = [sys.executable, "-c", READING, json.dumps(asked)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answers


ASKED: list[tuple[str, str | None]] = [
    ("hf:me/plain", None),
    ("hf:me/parts", None),
    ("hf:me/half", "corpus"),
    ("hf:me/other", None),
    ("hf:me/other:body", None),
    ("hf:me/other", "title"),
    ("hf:me/other:body", "title"),
    ("hf:me/other:boddy", None),
    ("hf:me/numbers", None),
    ("hf:me/broken", None),
    ("hf:me/spoken", None),
    ("hf:me/empty", None),
    ("hf:me/nothing", None),
    ("hf:me/plain/french", None),
    ("hf:me/../plain", None),
    ("hf:me/pl ain", None),
]
Answers = Mapping[tuple[str, str | None], dict[str, Any]]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where what is read is kept."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def answers(cache: Path) -> Answers:
    with serving() as endpoint:
        return dict(zip(ASKED, ask(endpoint, cache, ASKED), strict=True))


def refusal(answer: Mapping[str, Any]) -> str:
    assert answer.get("error") == "CorpusError", answer
    assert "\n" not in answer["message"]
    return str(answer["message"])


def test_the_texts_of_a_dataset_arrive_as_lines_without_the_empty_ones(answers: Answers) -> None:
    assert answers["hf:me/plain", None] == {"found": {"train": ["one", "two", "NA", "thr\nee"]}}


def test_a_dataset_keeps_its_own_splits(answers: Answers) -> None:
    assert answers["hf:me/parts", None] == {"found": {"train": ["a", "b", "c"], "valid": ["d"], "test": ["e", "f"]}}


def test_a_corpus_of_the_hub_gets_the_split_it_lacks_from_its_training_texts(answers: Answers) -> None:
    corpus = answers["hf:me/half", "corpus"]["found"]
    assert corpus["name"] == "me-half"
    assert corpus["test"] == ["of", "a", "test"]
    assert sorted(corpus["train"] + corpus["valid"]) == sorted(tiny_lines(60))
    assert corpus["valid"]
    assert corpus["provenance"]["source"] == "hf:me/half"
    assert corpus["provenance"]["path"] == ""  # the run keeps the texts: what the hub has may change
    assert len(corpus["provenance"]["sha256"]) == 64


def test_the_column_is_named_in_the_address_or_beside_it(answers: Answers) -> None:
    assert answers["hf:me/other:body", None] == {"found": {"train": ["the body"]}}
    assert answers["hf:me/other", "title"] == {"found": {"train": ["the title"]}}
    assert answers["hf:me/other:body", "title"] == {"found": {"train": ["the body"]}}


def test_without_a_usual_name_the_columns_are_told(answers: Answers) -> None:
    assert "hf:me/other has the columns body, title" in refusal(answers["hf:me/other", None])


def test_an_unknown_column_names_the_near_one(answers: Answers) -> None:
    assert "there is no column 'boddy'; did you mean body?" in refusal(answers["hf:me/other:boddy", None])


def test_a_column_of_numbers_is_no_text(answers: Answers) -> None:
    assert "hf:me/numbers, record 1: text is '1', which is no text" in refusal(answers["hf:me/numbers", None])


def test_an_unknown_dataset_is_told_with_where_to_look(answers: Answers) -> None:
    told = refusal(answers["hf:me/nothing", None])
    assert "no public dataset for hf:me/nothing" in told
    assert "huggingface.co/datasets" in told


def test_an_unknown_config_names_those_that_there_are(answers: Answers) -> None:
    assert "BuilderConfig 'french' not found. Available: ['default']" in refusal(answers["hf:me/plain/french", None])


def test_a_dataset_without_data_is_told(answers: Answers) -> None:
    assert "cannot get hf:me/empty from the hub" in refusal(answers["hf:me/empty", None])


@pytest.mark.parametrize("name", ["hf:me/../plain", "hf:me/pl ain"])
def test_a_name_that_no_dataset_can_have_is_told(answers: Answers, name: str) -> None:
    assert name in refusal(answers[name, None])


def test_a_dataset_with_a_damaged_file_is_told(answers: Answers) -> None:
    assert "hf:me/broken" in refusal(answers["hf:me/broken", None])


def test_a_column_that_is_not_asked_for_is_not_decoded(answers: Answers) -> None:
    assert answers["hf:me/spoken", None] == {"found": {"train": ["said"]}}


# --- a hub that cannot be reached


def test_a_hub_that_never_answers_is_given_up_within_seconds(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts connections, and says nothing
        answer = ask(f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path, [("hf:me/plain", None)])[0]
    assert "cannot get hf:me/plain from the hub (timed out)" in refusal(answer)
    assert answer["seconds"] < 20


def test_a_closed_port_is_told_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    answer = ask(f"http://127.0.0.1:{port}", tmp_path, [("hf:me/plain", None)])[0]
    told = refusal(answer)
    assert "Connection refused" in told
    assert "check the address and the connection, or give a file" in told
    assert answer["seconds"] < 20


def test_offline_what_was_read_before_is_read_again_and_all_else_is_told(answers: Answers, cache: Path) -> None:
    asked: list[tuple[str, str | None]] = [("hf:me/parts", None), ("hf:me/never", None)]
    again, never = ask("http://127.0.0.1:9", cache, asked, HF_HUB_OFFLINE="1")
    assert again == answers["hf:me/parts", None]
    assert "cannot get hf:me/never from the hub" in refusal(never)
    assert "Offline" in refusal(never)


# --- addresses


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("hf:me/set", ("me/set", None, None)),
        ("hf:me/set:body", ("me/set", None, "body")),
        ("hf:me/set/french", ("me/set", "french", None)),
        ("hf:me/set/french:a:b", ("me/set", "french", "a:b")),
        ("hf:me/set:", ("me/set", None, None)),
    ],
)
def test_an_address_is_taken_apart(name: str, address: tuple[str, str | None, str | None]) -> None:
    assert parse(name) == address


@pytest.mark.parametrize("name", ["hf:", "hf:set", "hf:/set", "hf:me/", "hf:me//set", "hf:me/set/a/b", "hf::body"])
def test_what_is_no_address_is_told_with_what_one_looks_like(name: str) -> None:
    with pytest.raises(CorpusError, match="is no address of a dataset; hf:owner/name, hf:owner/name:column was"):
        parse(name)
