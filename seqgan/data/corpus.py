"""A corpus is a list of texts, one a line, split into train, valid and test by a hash of each text."""

import gzip
import hashlib
import tomllib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from seqgan.core.config import nearest
from seqgan.errors import CorpusError

FEWEST_TEXTS = 20


@dataclass(frozen=True)
class Corpus:
    """Texts in three splits, and where they come from. A text that stands twice has both copies in one split."""

    name: str
    train: list[str]
    valid: list[str]
    test: list[str]
    tokenizer: str | None = None  # the kind that suits it, where that is known
    provenance: Mapping[str, Any] = field(default_factory=dict)


def load_corpus(name: str) -> Corpus:
    """A bundled corpus by name, or a UTF-8 text file (`.txt`, `.gz`) with one text a line.

    Raises:
        CorpusError: no such corpus or file, not UTF-8 (names the line), or too few texts to split."""
    manifest = bundled()
    if name in manifest:
        entry = manifest[name]
        path, kind = _bundled_folder() / entry["file"], entry["tokenizer"]
    elif _looks_like_a_path(name):
        path, kind = Path(name), None
        entry = {"name": path.name.removesuffix(".gz").removesuffix(".txt")}
    else:
        raise CorpusError(
            f"no bundled corpus is called {name!r}{nearest(name, manifest)} "
            "(a text file of your own is named by its path)"
        )
    raw = _read(path)
    texts = [text for _, text in _lines(path, raw)]
    splits = split(texts)
    if len(texts) < FEWEST_TEXTS or not all(splits.values()):
        count = f"{len(texts)} text{'' if len(texts) == 1 else 's'}"
        raise CorpusError(
            f"{path} holds {count}; at least {FEWEST_TEXTS}, one a line, are needed to train, validate and test"
        )
    provenance = {
        "path": name if name in manifest else str(path.resolve()),
        "sha256": hashlib.sha256(raw).hexdigest(),
        "texts": len(texts),
        "split": {part: len(members) for part, members in splits.items()},
    }
    return Corpus(entry["name"], **splits, tokenizer=kind, provenance=provenance)


def split(texts: list[str]) -> dict[str, list[str]]:
    """80 % train, 10 % valid, 10 % test, by a hash of the text: adding a text moves no other."""
    parts: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for text in texts:
        digit = int.from_bytes(hashlib.sha256(b"seqgan split 1|" + text.encode()).digest()[:8], "big") % 10
        parts["valid" if digit == 8 else "test" if digit == 9 else "train"].append(text)
    return parts


def bundled() -> dict[str, dict[str, Any]]:
    """The manifest of the corpora that come with the package: name -> entry."""
    entries = tomllib.loads((_bundled_folder() / "MANIFEST.toml").read_text(encoding="utf-8"))["corpus"]
    return {entry["name"]: entry for entry in entries}


def _bundled_folder() -> Path:
    """In an installed package the corpora lie inside it, in a checkout beside it."""
    installed = Path(str(resources("seqgan") / "_corpora"))
    return installed if installed.is_dir() else Path(str(resources("seqgan"))).parent / "corpora"


def _looks_like_a_path(name: str) -> bool:
    return Path(name).exists() or "/" in name or Path(name).suffix in {".txt", ".gz"}


def _read(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except FileNotFoundError as error:
        beside = [file.name for file in path.parent.glob("*") if file.is_file()] if path.parent.is_dir() else []
        hint = nearest(path.name, beside[:1000]) if beside else f"; the folder {path.parent} is empty or missing"
        raise CorpusError(f"there is no file {path}{hint if len(hint) < 200 else ''}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise CorpusError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def _lines(path: Path, raw: bytes) -> Iterator[tuple[int, str]]:
    """The texts with their line numbers; blank lines hold none, and outer blanks are no part of a text."""
    if not raw.strip():
        raise CorpusError(f"{path} is empty; one text a line was expected")
    for number, line in enumerate(raw.removeprefix(b"\xef\xbb\xbf").splitlines(), start=1):
        try:
            text = line.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise CorpusError(
                f"{path}, line {number}: byte {error.start + 1} is not UTF-8 ({error.reason}); "
                "convert the file, for example with iconv -t UTF-8"
            ) from error
        if "\0" in text:
            raise CorpusError(f"{path}, line {number}: a zero byte; this is not a text file")
        if text:
            yield number, text
