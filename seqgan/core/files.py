"""All that touches the disk: files appear whole or not at all."""

import errno
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

import portalocker

from seqgan.errors import StorageError, UsageError, why

# What a run directory holds that is not to be replaced by something else, of whatever package.
OF_A_RUN = {"run.json", "config.json", "metrics.jsonl", "tokenizer.model", "samples.txt", "samples.png", "result.json"}
OF_A_RUN |= {"checkpoints", "evaluations", "corpus", "mle", "best"}
WEIGHTS = ".safetensors"

BINARY = getattr(os, "O_BINARY", 0)  # Windows writes line breaks of its own without it


@contextmanager
def telling(action: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot {action} {path}: {error.strerror or error}; nothing that was saved before is lost"
        ) from error


def write(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, bring it to the disk, then give it its name."""
    partial = path.with_name(path.name + ".partial")
    with telling("write", path):
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | BINARY, 0o644)
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


def output(path: Path, *, overwrite: bool = False) -> Callable[[bytes], None]:
    """What writes to a place that someone named, which is refused before any work is done where that would do harm.

    A file that exists is replaced only where one `overwrite`s it, and keeps its links and permissions; a pipe, a
    terminal or a device is written to as it is; what a run is made of stays as it is.

    Raises:
        UsageError: the file exists, belongs to a run, or cannot be where it should be.
        StorageError (of what is returned): the disk refuses."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        found = None
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write to {path}: {why(error)}; name another file") from error
    if found and not stat.S_ISREG(found.st_mode):
        if stat.S_ISDIR(found.st_mode) or stat.S_ISBLK(found.st_mode):
            what = "folder" if stat.S_ISDIR(found.st_mode) else "disk"
            raise UsageError(f"{path} is a {what}, but the name of a file was expected; name another")
        return partial(_write_through, path)
    if found and _is_stdout(found):
        return partial(_write_through, path)
    place = Path(os.path.realpath(path))
    if run := _run_that_made(place):
        raise UsageError(f"{path} is a part of the run in {run}, which would be damaged; name another file")
    if os.path.lexists(path) and not overwrite:
        raise UsageError(f"{path} exists already; replace it with --overwrite, or name another file")
    if not place.parent.is_dir():
        raise UsageError(f"cannot write to {path}: there is no folder {place.parent}; make it, or name another file")
    return partial(_replace, place)


def _run_that_made(place: Path) -> Path | None:
    """The run directory that a file is a part of."""
    for folder in place.parents:
        inside = place.relative_to(folder)
        if (inside.parts[0] in OF_A_RUN or inside.suffix == WEIGHTS) and (folder / "run.json").is_file():
            return folder
    return None


def _is_stdout(found: os.stat_result) -> bool:
    try:
        return os.path.samestat(found, os.fstat(1))
    except OSError:  # it is closed
        return False


def _write_through(path: Path, data: bytes) -> None:
    with telling("write to", path):
        sys.stdout.flush()
        descriptor = os.dup(1) if _is_stdout(os.stat(path)) else os.open(path, os.O_WRONLY | BINARY)
        try:
            _write_all(descriptor, data)
        finally:
            os.close(descriptor)


def _replace(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")  # nobody's, and never too long
    with telling("write", path):
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, 0o666)
        try:
            try:
                _write_all(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if path.exists():
                partial.chmod(stat.S_IMODE(path.stat().st_mode))
            os.replace(partial, path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def append(path: Path, data: bytes) -> None:
    with telling("append to", path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | BINARY, 0o644)
        try:
            _write_all(descriptor, data)
        finally:
            os.close(descriptor)


def sync(path: Path) -> int:
    """Bring an appended file to the disk; its length in bytes (0 where there is none)."""
    if not path.exists():
        return 0
    with telling("write", path):
        descriptor = os.open(path, os.O_RDWR | BINARY)  # Windows brings only what may be written to the disk
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return path.stat().st_size


def cut(path: Path, length: int) -> None:
    """Shorten an appended file to the length that a checkpoint remembers."""
    if path.exists() and path.stat().st_size > length:
        with telling("write", path):
            os.truncate(path, length)


def remove(path: Path) -> None:
    with telling("remove", path):
        os.unlink(path)


def make_folder(path: Path) -> None:
    with telling("make the folder", path):
        os.makedirs(path, exist_ok=True)


def remove_empty(folder: Path) -> None:
    with telling("remove", folder):
        os.rmdir(folder)


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it, if there is one."""
    with telling("remove", folder), suppress(FileNotFoundError):
        shutil.rmtree(folder)


def rename(path: Path, to: Path) -> None:
    with telling("make", to):
        os.rename(path, to)
        _sync_folder(to.parent)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:  # a nearly full disk takes a part
        rest = rest[os.write(descriptor, rest) :]


def lock(path: Path) -> IO[bytes] | None:
    """Hold a file for this process alone, until it is closed; None where another process holds it.

    Raises:
        StorageError: the file may not be written, or its disk knows no locks."""
    with telling("lock", path):
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


def _sync_folder(folder: Path) -> None:
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
