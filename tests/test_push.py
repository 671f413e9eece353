"""Models on the hub: pushed to, and loaded from, a small hub on this machine that keeps what it is sent.

The hub's address is read when huggingface_hub is imported, so every command is a process of its own."""

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

import imagegan
import seqgan
from tests.conftest import TINY_GAME, tiny_lines
from tests.imagegan.tiny import tiny
from tests.serving import running

NO_HEADERS: Mapping[str, str] = {}
TOKEN = "hf_of_this_test"
BY_COMMIT = {"uploadMode": "regular", "shouldIgnore": False}  # no file goes to another store


def sha1(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


class Hub(ThreadingHTTPServer):
    """Repositories in memory: name -> file -> bytes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0].strip("/")
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._send(b'{"error": "Invalid credentials"}', status=401)
        if path == "api/repos/create":
            return self._create(json.loads(body))
        if path == "api/validate-yaml":
            return self._answer({"warnings": [], "errors": []})
        _, _, owner, name, action, _ = path.split("/")
        if action == "preupload":
            names = [file["path"] for file in json.loads(body)["files"]]
            return self._answer({"files": [{"path": name, **BY_COMMIT} for name in names]})
        assert action == "commit"
        there = self.server.repositories[f"{owner}/{name}"]
        for entry in map(json.loads, body.splitlines()):
            if entry["key"] == "file":
                there[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            if entry["key"] == "deletedFile":
                del there[entry["value"]["path"]]
        return self._answer(
            {
                "commitUrl": f"{self.server.address}/{owner}/{name}/commit/1",
                "commitOid": self._commit(there),
                "success": True,
            }
        )

    def _create(self, asked: dict[str, Any]) -> None:
        name = f"{asked['organization']}/{asked['name']}"
        if name.startswith("others/"):
            return self._send(b'{"error": "You have no right to create a model there"}', status=403)
        if name in self.server.repositories:
            return self._send(json.dumps({"url": f"{self.server.address}/{name}"}).encode(), status=409)
        self.server.repositories[name] = {}
        if asked.get("private") or asked.get("visibility") == "private":
            self.server.private.add(name)
        return self._answer({"url": f"{self.server.address}/{name}", "name": name})

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].strip("/")
        for name, files in self.server.repositories.items():
            if path == f"api/models/{name}" or path.startswith(f"api/models/{name}/revision/"):
                siblings = [{"rfilename": file} for file in files]
                return self._answer({"id": name, "sha": self._commit(files), "siblings": siblings})
            if path.startswith(f"api/models/{name}/tree/"):
                return self._answer([{"type": "file", "path": n, "size": len(d), "oid": n} for n, d in files.items()])
            if path.startswith(f"{name}/resolve/") and (file := path.rsplit("/", 1)[1]) in files:
                return self._send(files[file], {"ETag": f'"{sha1(files[file])}"', "X-Repo-Commit": self._commit(files)})
        return self._send(b"", {"X-Error-Code": "RepoNotFound"}, status=404)

    do_HEAD = do_GET  # noqa: N815

    def _commit(self, files: Mapping[str, bytes]) -> str:
        return sha1(b"".join(name.encode() + data for name, data in sorted(files.items())))

    def _answer(self, content: object) -> None:
        self._send(json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _send(self, body: bytes, headers: Mapping[str, str] = NO_HEADERS, status: int = 200) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """A test is not to chatter."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    with running(server):
        yield server


def told(hub: Hub, tmp_path: Path, *words: str, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
    """A process that knows no other hub."""
    of_hub = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "hf"), "HF_TOKEN": token, "HF_HUB_OFFLINE": "0"}
    environment = {**os.environ, **of_hub, "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment, timeout=120)


LOADING = 'import seqgan; print(*seqgan.from_pretrained("me/mine").generate(5, seed=3), sep="\\n")'


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> seqgan.TrainedRun:
    return seqgan.train(tiny_lines(), run_dir=tmp_path_factory.mktemp("run") / "run", threads=1, **TINY_GAME)


def test_a_model_comes_back_from_the_hub_as_it_was_pushed(run: seqgan.TrainedRun, hub: Hub, tmp_path: Path) -> None:
    pushed = told(hub, tmp_path, "-m", "seqgan", "push", str(run.folder), "me/mine", "--license", "cc0-1.0")
    assert (pushed.returncode, pushed.stdout) == (0, ""), pushed.stderr
    assert pushed.stderr.splitlines()[-1] == f"the model is at {hub.address}/me/mine"
    files = hub.repositories["me/mine"]
    weights = {"generator.safetensors", "discriminator.safetensors"}
    assert set(files) == {"config.json", "tokenizer.model", "README.md", *weights}
    card = files["README.md"].decode()
    assert yaml.safe_load(card.split("---")[1])["license"] == "cc0-1.0"
    assert "The licence of the texts is not recorded; look it up before you share the model." in card
    assert not hub.private
    loaded = told(hub, tmp_path, "-c", LOADING)
    assert loaded.stdout.splitlines() == run.generate(5, seed=3), loaded.stderr

    again = f"import seqgan; print(seqgan.load({str(run.folder)!r}).push_to_hub('me/mine', stage='mle'))"
    assert told(hub, tmp_path, "-c", again).stdout == f"{hub.address}/me/mine\n"
    assert told(hub, tmp_path, "-c", LOADING).stdout.splitlines() == run.generate(5, seed=3, stage="mle")


def test_a_saved_model_is_pushed_as_it_lies_there(run: seqgan.TrainedRun, hub: Hub, tmp_path: Path) -> None:
    folder = run.save_pretrained(tmp_path / "model", license="mit")
    (folder / "notes.txt").write_text("mine alone")
    command = ("-m", "seqgan", "push", str(folder), "me/kept", "--private")
    refused = told(hub, tmp_path, *command, "--license", "mit")
    assert refused.stderr == f"error: {folder} is a saved model, whose card is written; leave out --license\n"
    assert refused.returncode == 2
    hub.repositories["me/kept"] = {"old.safetensors": b"", "mine.txt": b"kept"}  # of a model before it
    assert told(hub, tmp_path, *command).returncode == 0
    expected = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "notes.txt"}
    assert hub.repositories["me/kept"] == {**expected, "mine.txt": b"kept"}

    (folder / "generator.safetensors").write_bytes(b"damaged")
    damaged = told(hub, tmp_path, *command)
    assert "generator.safetensors is missing, damaged, or of another model" in damaged.stderr
    assert hub.repositories["me/kept"] == {**expected, "mine.txt": b"kept"}


def test_images_are_shared_in_the_same_way(hub: Hub, tmp_path: Path) -> None:
    trained = imagegan.train("dcgan", data="digits", run_dir=tmp_path / "run", threads=1, **tiny("dcgan", steps=2))
    pushed = told(hub, tmp_path, "-m", "imagegan", "push", str(trained.folder), "me/digits", "--private")
    assert pushed.stderr.splitlines()[-1] == f"the model is at {hub.address}/me/digits", pushed.stderr
    assert hub.private == {"me/digits"}
    files = hub.repositories["me/digits"]
    assert {"README.md", "config.json", "samples.png"} < set(files)
    assert "Drawn by the program." in files["README.md"].decode()
    loading = "import imagegan; print(imagegan.from_pretrained('me/digits').generate(4, seed=1).double().sum().item())"
    loaded = told(hub, tmp_path, "-c", loading)
    assert float(loaded.stdout) == pytest.approx(trained.generate(4, seed=1).double().sum().item()), loaded.stderr


def test_what_the_hub_refuses_is_one_line_before_anything_is_measured(
    run: seqgan.TrainedRun, hub: Hub, tmp_path: Path
) -> None:
    def refusal(name: str, token: str = TOKEN) -> str:
        ended = told(hub, tmp_path, "-m", "seqgan", "push", str(run.folder), name, token=token)
        assert ended.returncode == 2
        assert ended.stdout == ""
        assert ended.stderr.count("\n") == 1
        return ended.stderr

    assert refusal("mine") == "error: 'mine' is no repository of the hub; a name as owner/name was expected\n"
    assert refusal("me/mi ne").startswith("error: 'me/mi ne' is no repository of the hub (")
    login = "log in by `hf auth login`, or set HF_TOKEN to a token that may write there\n"
    assert refusal("me/mine", token="hf_wrong").endswith(login)
    assert refusal("others/mine").endswith(login)
    hub.server_close()
    gone = refusal("me/mine")
    assert gone.startswith("error: the hub cannot be reached, so me/mine is not uploaded (")
    assert gone.endswith("); check the connection\n")
    assert not hub.repositories
