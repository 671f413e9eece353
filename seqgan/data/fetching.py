"""Public corpora by name: downloaded from a known address, accepted only with the right sha256, and stored.

`corpora/SOURCES.toml` lists them. A file is plain lines, tab-separated fields, or members of a zip or tar archive that
are one or the other or JSON."""

import hashlib
import io
import json
import re
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any

from seqgan.core import schema
from seqgan.core.config import nearest
from seqgan.data.corpus import corpora_folder
from seqgan.data.store import add, refuse_name
from seqgan.errors import CorpusError, quoted

SECONDS = 10.0  # without a byte, before an address is given up
LISTED = {
    **dict.fromkeys(("description", "language", "licence", "homepage"), schema.TEXT),
    "file": schema.Field("a list of tables", lambda value: isinstance(value, list) and value != []),
}
Progress = Callable[[int, int], None]  # bytes so far, bytes in all (0: unknown)


def sources(path: Path | None = None) -> dict[str, dict[str, Any]]:
    """What can be fetched: name -> entry."""
    return schema.entries(path or corpora_folder() / "SOURCES.toml", "source", LISTED, CorpusError)


def fetch(
    name: str, progress: Progress, *, overwrite: bool = False, known: Mapping[str, dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Download a public corpus, check it, clean and split it, and store it; returns the report of `store.add`.

    Raises:
        CorpusError: no such source, no connection (within seconds), or a file with another sha256."""
    known = sources() if known is None else known
    if name not in known:
        raise CorpusError(f"there is no public corpus {quoted(name)} to fetch{nearest(name, known)}")
    refuse_name(name, overwrite)
    entry = known[name]
    texts = [text for file in entry["file"] for text in _texts(file, _download(file, progress))]
    facts = {key: entry[key] for key in ("description", "language", "licence", "homepage")}
    return add(name, texts, {**facts, "source": [file["urls"][0] for file in entry["file"]]}, overwrite=overwrite)


def _download(file: Mapping[str, Any], progress: Progress) -> bytes:
    failures = []
    for url in file["urls"]:
        try:
            content = _read(url, file.get("bytes"), progress)
        except (OSError, ValueError, HTTPException) as error:  # urllib's errors, time-outs, a bad address or answer
            reason = " ".join(str(getattr(error, "reason", None) or error).split())
            failures.append(f"{url}: {reason}")
            continue
        found = hashlib.sha256(content).hexdigest()
        if found == file["sha256"]:
            return content
        failures.append(
            f"{url}: its sha256 is {found[:12]}..., not {file['sha256'][:12]}...; it was changed or damaged"
        )
    raise CorpusError(
        f"cannot fetch {' and '.join(failures)}; check the connection, or get the file "
        "by hand and add it with: seqgan corpora add FILE --name NAME"
    )


def _read(url: str, most: int | None, progress: Progress) -> bytes:
    """The content of an address, refused beyond its known size, so that no download is endless."""
    content = bytearray()
    with urllib.request.urlopen(url, timeout=SECONDS) as answer:
        size = int(answer.headers.get("Content-Length") or 0)
        while part := answer.read(1 << 16):
            content += part
            if most is not None and len(content) > most:
                raise ValueError(f"it is larger than {most} bytes")
            progress(len(content), size)
    return bytes(content)


def _texts(file: Mapping[str, Any], content: bytes) -> Iterator[str]:
    for part in _members(content, file.get("members")):
        lines = [line.decode("utf-8") for line in part.splitlines()]  # bytes know no other line ends than \n and \r
        if "values" in file:
            yield from _values(json.loads(part), file["values"].split("."))
        elif "field" in file:
            yield from (line.split("\t")[file["field"]] for line in lines if line)
        else:
            yield from lines


def _members(content: bytes, names: Sequence[str] | None) -> Iterator[bytes]:
    """The named members of a zip or tar archive; the content itself where none is named."""
    if names is None:
        yield content
    elif content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from map(archive.read, names)
    else:
        with tarfile.open(fileobj=io.BytesIO(content)) as packed:
            for name in names:
                member = packed.extractfile(name)
                assert member is not None, name  # its sha256 was checked
                yield member.read()


def _values(content: Any, path: Sequence[str]) -> Iterator[str]:
    """The strings at a path such as `images[split=val].sentences.raw`: keys, lists entered, records filtered."""
    if isinstance(content, list):
        for item in content:
            yield from _values(item, path)
    elif not path:
        yield content
    else:
        step = re.fullmatch(r"(\w+)(?:\[(\w+)=(\w+)\])?", path[0])
        assert step is not None, path[0]
        key, field, wanted = step.groups()
        found = content[key]
        yield from _values([item for item in found if item[field] == wanted] if field else found, path[1:])
