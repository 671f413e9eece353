"""All that touches the disk: files appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqgan.errors import StorageError


@contextmanager
def _telling(action: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot {action} {path}: {error.strerror or error}; nothing that was saved before is lost"
        ) from error


def write(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, bring it to the disk, then give it its name."""
    partial = path.with_name(path.name + ".partial")
    with _telling("write", path):
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            try:
                _write_all(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(partial, path)
        except OSError:
            partial.unlink(missing_ok=True)  # a full disk gets its space back
            raise
        _sync_folder(path.parent)


def append(path: Path, data: bytes) -> None:
    with _telling("append to", path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            _write_all(descriptor, data)
        finally:
            os.close(descriptor)


def sync(path: Path) -> int:
    """Bring an appended file to the disk; its length in bytes (0 where there is none)."""
    if not path.exists():
        return 0
    with _telling("write", path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return path.stat().st_size


def cut(path: Path, length: int) -> None:
    """Shorten an appended file to the length that a checkpoint remembers."""
    if path.exists() and path.stat().st_size > length:
        with _telling("write", path):
            os.truncate(path, length)


def remove(path: Path) -> None:
    with _telling("remove", path):
        os.unlink(path)


def make_folder(path: Path) -> None:
    with _telling("make the folder", path):
        os.makedirs(path, exist_ok=True)


def rename(path: Path, to: Path) -> None:
    with _telling("make", to):
        os.rename(path, to)
        _sync_folder(to.parent)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:  # a nearly full disk takes a part
        rest = rest[os.write(descriptor, rest) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
