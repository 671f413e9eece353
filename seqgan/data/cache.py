"""What is made from a large corpus once and taken from the disk after that: each entry is a folder of files.

They lie in `$SEQGAN_HOME/cache` (else `$XDG_CACHE_HOME/seqgan`, else `~/.cache/seqgan`), named by the sha256 of what
they are made of, so that an entry is never out of date, and the whole folder may be removed at any time. An entry is
written to a temporary folder and renamed, so that it is complete or absent, also where several processes make it at
once; what a killed process has left is removed by the next one. Where nothing can be written, entries are made in a
temporary folder that goes with the process."""

import atexit
import contextlib
import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from seqgan.core import files, schema
from seqgan.errors import CorpusError, StorageError

ABOUT = "about.json"
LOCK = "lock"


def folder() -> Path:
    """Where entries are, or a temporary folder where nothing can be written there."""
    home = os.environ.get("SEQGAN_HOME")
    place = (
        Path(home) / "cache" if home else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seqgan"
    )
    try:
        files.make_folder(place)
        with tempfile.TemporaryFile(dir=place):
            return place
    except (StorageError, OSError):
        return _temporary()


@functools.cache
def _temporary() -> Path:
    made = Path(tempfile.mkdtemp(prefix="seqgan-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def entry(name: str, make: Callable[[Path], object]) -> Path:
    """The folder of an entry. `make` fills it where it is missing or damaged.

    Raises:
        StorageError: the disk is full."""
    parent = folder()
    place = parent / name
    if _is_whole(place):
        return place
    _remove_abandoned(parent)
    with files.storage_errors("write", place), contextlib.ExitStack() as stack:
        partial = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=".partial", dir=parent))
        stack.callback(shutil.rmtree, partial, ignore_errors=True)
        if held := files.lock(partial / LOCK):
            stack.enter_context(held)
        make(partial)
        sums = {path.name: _sum(path) for path in sorted(partial.iterdir()) if path.name != LOCK}
        files.write(partial / ABOUT, schema.json_bytes({"files": sums}))
        aside = partial.with_suffix(".damaged.partial")
        with contextlib.suppress(OSError):  # a damaged one, which others may still have open
            place.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
        with contextlib.suppress(OSError):  # another process was first
            partial.rename(place)
    return place


def _is_whole(place: Path) -> bool:
    """Whether every file of an entry is as it was written."""
    try:
        sums = schema.read(place / ABOUT, CorpusError, "remove it")["files"]
        return bool(sums) and all(_sum(place / name) == known for name, known in sums.items())
    except (OSError, CorpusError, LookupError, AttributeError):
        return False


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove_abandoned(parent: Path) -> None:
    """Remove what killed processes have begun: a living one holds the lock of what it makes."""
    for partial in parent.glob(".*.partial"):
        with contextlib.suppress(OSError, StorageError):
            if (partial / LOCK).exists() and (free := files.lock(partial / LOCK)):
                free.close()
                shutil.rmtree(partial, ignore_errors=True)
