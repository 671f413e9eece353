"""Output files and folders that the user names: one rule for all commands.

Nothing that exists is replaced without --overwrite, and what is not a regular file is never replaced by one."""

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

LEFT = ("generated.png", "walk.png", "report.html")  # by commands, in the folder of a run


def writer(path: Path, *, overwrite: bool = False) -> Callable[[bytes], None]:
    """A function that writes to a path. The path is checked now, before any work is done.

    A file that exists is replaced only with `overwrite`, and keeps its links and permissions; a pipe, a terminal or a
    device is written to as it is; files of a run are never replaced.

    Raises:
        UsageError: the file exists, belongs to a run, or cannot be where it should be.
        StorageError (by the function): the disk refuses."""
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
    return partial(files.write, place)


def folder_writer(folder: Path) -> Callable[[Iterable[tuple[str, bytes]]], None]:
    """A function that writes files, by their paths in it, into a folder that is new or empty; it appears whole or not
    at all.

    Raises:
        UsageError: there is something already, or the folder cannot be where it should be.
        StorageError (by the function): the disk refuses."""
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
    with files.storage_errors("write", folder):
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
    """The run directory that a file is part of; what commands leave in one does not count."""
    for folder in place.parents:
        inside = place.relative_to(folder).as_posix()
        if MADE.fullmatch(inside) and inside not in LEFT and (folder / "run.json").is_file():
            return folder
    return None


def _is_stdout(found: os.stat_result) -> bool:
    try:
        return os.path.samestat(found, os.fstat(1))
    except OSError:  # it is closed
        return False


def _write_through(path: Path, data: bytes) -> None:
    with files.storage_errors("write to", path):
        if _is_stdout(os.stat(path)):
            sys.stdout.flush()
            files.write_all(1, data)
        else:
            files.write_through(path, data)
