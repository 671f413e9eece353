"""The record of a run, `metrics.jsonl`: one line of JSON for each step that measured something."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from seqgan.core import files, schema
from seqgan.errors import RunError, why

FIELDS = {"phase": schema.TEXT, "step": schema.WHOLE}  # every other is a number or a list of texts


class Record:
    """The record of a run that is being trained. A checkpoint remembers its length and sha256, to cut it on resume."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "metrics.jsonl"
        self._summed = hashlib.sha256()

    def append(self, lines: Iterable[Mapping[str, Any]]) -> None:
        if data := "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode():
            files.append(self.path, data)
            self._summed.update(data)

    def mark(self) -> dict[str, Any]:
        """What a checkpoint remembers of the record, which is brought to the disk."""
        return {"record_bytes": files.sync(self.path), "record_sha256": self._summed.hexdigest()}

    def cut(self, length: int, sha256: str, newest: Path) -> None:
        """Cut the record to what the newest checkpoint remembers.

        Raises:
            RunError: the record is shorter, or another."""
        kept = _read(self.path)[:length]
        self._summed = hashlib.sha256(kept)
        if len(kept) < length or sha256 != self._summed.hexdigest():
            read_record(self.path.parent)  # may name the line
            raise RunError(
                f"{self.path} is not the record that was written: its first {length} bytes were expected as they were "
                f"when {newest.name} was saved; restore it from a copy, or remove {newest} to go on from the one "
                "before it"
            )
        files.cut(self.path, length)

    def clear(self) -> None:
        files.cut(self.path, 0)


def read_record(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's `metrics.jsonl`.

    Raises:
        RunError: one of them is damaged (names the line)."""
    return list(_lines(folder))


def intact(folder: Path) -> tuple[list[dict[str, Any]], str]:
    """The lines before the first that is damaged, and what is wrong with that one; empty where none is."""
    lines: list[dict[str, Any]] = []
    try:
        lines.extend(_lines(folder))
    except RunError as error:
        return lines, str(error)
    return lines, ""


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    path, advice = folder / "metrics.jsonl", "remove the lines from there on"
    for number, line in enumerate(_read(path).splitlines(), start=1):
        content = schema.table(line, f"{path}, line {number}", RunError, advice)
        measured = dict.fromkeys(content.keys() - FIELDS.keys(), schema.MEASURED)
        schema.check(path, content, {**FIELDS, **measured}, RunError, f"line {number}: ", advice)
        yield content


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise RunError(
            f"{path} cannot be read: {why(error)}; make it a readable file, or restore it from a copy"
        ) from error
