"""Files that someone named for what a command makes: one rule for all of them.

Nothing that exists is lost unless someone says so, and what is no regular file is never replaced by one."""

import os
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from seqgan.core import files
from seqgan.core.folder import MADE
from seqgan.errors import UsageError, why

PICTURES = ("generated.png", "walk.png")


def writer(path: Path, *, overwrite: bool = False) -> Callable[[bytes], None]:
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


def folder_writer(folder: Path) -> Callable[[Iterable[tuple[str, bytes]]], None]:
    """What writes files, by their paths in it, into a folder that someone named and that is new or empty. It appears
    whole or not at all.

    Raises:
        UsageError: there is something already, or the folder cannot be where it should be.
        StorageError (of what is returned): the disk refuses."""
    place = Path(os.path.realpath(folder))
    try:
        taken = os.path.lexists(place) and (not place.is_dir() or any(place.iterdir()))
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {why(error)}; name another folder") from error
    if taken:
        raise UsageError(f"{folder} exists already and is no empty folder; name another")
    if not place.parent.is_dir():
        raise UsageError(f"cannot write to {folder}: there is no folder {place.parent}; make it, or name another")
    return partial(_fill, place)


def _fill(folder: Path, contents: Iterable[tuple[str, bytes]]) -> None:
    unfinished = folder.with_name(f".{secrets.token_hex(8)}.partial")
    with files.telling("write", folder):
        try:
            unfinished.mkdir()
            for name, data in contents:
                path = unfinished / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            if folder.is_dir():
                folder.rmdir()  # an empty one
            os.rename(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _run_that_made(place: Path) -> Path | None:
    """The run directory that a file is a part of; the pictures that commands leave in one are not."""
    for folder in place.parents:
        inside = place.relative_to(folder).as_posix()
        if MADE.fullmatch(inside) and inside not in PICTURES and (folder / "run.json").is_file():
            return folder
    return None


def _is_stdout(found: os.stat_result) -> bool:
    try:
        return os.path.samestat(found, os.fstat(1))
    except OSError:  # it is closed
        return False


def _write_through(path: Path, data: bytes) -> None:
    with files.telling("write to", path):
        sys.stdout.flush()
        descriptor = os.dup(1) if _is_stdout(os.stat(path)) else os.open(path, os.O_WRONLY | files.BINARY)
        try:
            files.write_all(descriptor, data)
        finally:
            os.close(descriptor)


def _replace(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")  # nobody's, and never too long
    with files.telling("write", path):
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | files.BINARY, 0o666)
        try:
            try:
                files.write_all(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if path.exists():
                partial.chmod(stat.S_IMODE(path.stat().st_mode))
            os.replace(partial, path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        files.sync_folder(path.parent)
