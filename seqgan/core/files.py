"""Files that appear whole or not at all; a refusal of the disk is a StorageError."""

import errno
import os
import re
import secrets
import shlex
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import portalocker

from seqgan.errors import StorageError

LONGEST_NAME = 150  # bytes: file systems take 255, and temporary names beside a file or folder are longer
BINARY = getattr(os, "O_BINARY", 0)  # Windows writes line breaks of its own without it


def in_shell(path: Path) -> str:
    """A path as a word of a shell, for the commands that messages give: blanks and quotes are no ends of it."""
    return shlex.quote(str(path))


def as_name(words: str) -> str:
    """The end of some words, without what a file's name must not hold."""
    return re.sub(r"[/\\\0-\x1f\x7f]+", "-", words.encode()[-LONGEST_NAME:].decode(errors="ignore"))


@contextmanager
def storage_errors(action: str, path: Path) -> Iterator[None]:
    """Turn an OSError into a StorageError that says what could not be done."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot {action} {path}: {error.strerror or error}; nothing that was saved before is lost"
        ) from error


def write(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, bring it to the disk, then give it its name. A file that is replaced leaves
    its permissions."""
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")  # of no other process, and never too long
    with storage_errors("write", path):
        try:
            write_through(partial, data, os.O_CREAT | os.O_EXCL, sync=True)
            if path.exists():
                partial.chmod(stat.S_IMODE(path.stat().st_mode))
            os.replace(partial, path)
        except OSError:
            partial.unlink(missing_ok=True)  # a full disk gets its space back
            raise
        sync_folder(path.parent)


def append(path: Path, data: bytes) -> None:
    with storage_errors("append to", path):
        write_through(path, data, os.O_CREAT | os.O_APPEND)


def write_through(path: Path, data: bytes, flags: int = 0, *, sync: bool = False) -> None:
    """Open a file, write to it as it is, and close it; `sync` brings it to the disk.

    Raises:
        OSError: the disk refuses."""
    descriptor = os.open(path, os.O_WRONLY | flags | BINARY, 0o666)
    try:
        write_all(descriptor, data)
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync(path: Path) -> int:
    """Bring an appended file to the disk; its length in bytes (0 where there is none)."""
    if not path.exists():
        return 0
    with storage_errors("write", path):
        descriptor = os.open(path, os.O_RDWR | BINARY)  # Windows brings only what may be written to the disk
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return path.stat().st_size


def cut(path: Path, length: int) -> None:
    """Shorten an appended file to the length that a checkpoint remembers."""
    if path.exists() and path.stat().st_size > length:
        with storage_errors("write", path):
            os.truncate(path, length)


def remove(path: Path) -> None:
    with storage_errors("remove", path):
        os.unlink(path)


def make_folder(path: Path) -> None:
    with storage_errors("make the folder", path):
        os.makedirs(path, exist_ok=True)


def remove_empty(folder: Path) -> None:
    with storage_errors("remove", folder):
        os.rmdir(folder)


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it, if there is one."""
    with storage_errors("remove", folder), suppress(FileNotFoundError):
        shutil.rmtree(folder)


def rename(path: Path, to: Path) -> None:
    with storage_errors("make", to):
        os.rename(path, to)
        sync_folder(to.parent)


def write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:  # a nearly full disk takes a part
        rest = rest[os.write(descriptor, rest) :]


def lock(path: Path) -> IO[bytes] | None:
    """Hold a file for this process alone, until it is closed; None where another process holds it.

    Raises:
        StorageError: the file may not be written, or its disk knows no locks."""
    with storage_errors("lock", path):
        handle = open(path, "ab")  # noqa: SIM115
        try:
            portalocker.lock(handle, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
        except portalocker.AlreadyLocked:
            handle.close()
            return None
        except portalocker.LockException as error:
            handle.close()
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)) from error
    return handle


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk, where a system can: Windows opens no folders, some disks refuse."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise
    finally:
        os.close(descriptor)
