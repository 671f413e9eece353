"""The files that a path means: one file, those of a folder, or those of a pattern such as `poems/*.txt`."""

import glob
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from seqgan.data.decoding import what_it_is
from seqgan.data.reading import kind_of
from seqgan.data.tables import Say
from seqgan.errors import CorpusError, quoted, why

# Where every file is named after a split, that is what it holds: `wiki.train.txt`, `validation/1.txt`.
SPLIT_NAMES = {"train": "train", "training": "train", "test": "test"} | dict.fromkeys(
    ("valid", "validation", "val", "dev"), "valid"
)
SHOWN = 5  # names in a message


def is_pattern(place: str) -> bool:
    return any(sign in place for sign in "*?[") and not os.path.exists(place)


def files_of(place: str, say: Say) -> dict[str, list[Path]]:
    """Split -> files, by their names; all of them in "train" where they are not named after splits.

    A folder is read with all folders in it, without hidden files and what is no text, which `say` is told of.

    Raises:
        CorpusError: a folder or pattern without files of texts, or a pattern that means a file of another kind."""
    if is_pattern(place):
        named = sorted(Path(name) for name in glob.glob(place, recursive=True) if os.path.isfile(name))
        if not named:
            raise CorpusError(
                f"no file is like {quoted(place)}; a path, or a pattern such as 'poems/*.txt', was expected"
            )
        root = Path(re.split(r"[*?[]", place)[0] + "x").parent
        found = _texts_among(named, root, say)
    elif os.path.isdir(place):
        root = Path(place)
        found = _texts_among(_in_folder(root, say), root, say)
    else:
        return {"train": [Path(place)]}
    kinds = Counter(kind_of(path) for path in found)
    say(f"{place}: {len(found)} file{'s' * (len(found) > 1)} ({', '.join(f'{n} {kind}' for kind, n in kinds.items())})")
    splits = [_split_of(path.relative_to(root)) for path in found]
    if "train" not in splits or None in splits:
        return {"train": found}
    by_split: dict[str, list[Path]] = {}
    for path, split in zip(found, splits, strict=True):
        by_split.setdefault(str(split), []).append(path)
    return by_split


def _in_folder(root: Path, say: Say) -> list[Path]:
    """All files, those in folders within too, without the hidden ones."""

    def refused(error: OSError) -> None:
        raise CorpusError(f"cannot read the folder {error.filename}: {why(error)}") from error

    found: list[Path] = []
    hidden: list[str] = []
    for folder, folders, names in os.walk(root, onerror=refused):
        hidden += [name for name in (*folders, *names) if name.startswith(".")]
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(folder, name) for name in sorted(names) if not name.startswith(".")]
    _skip(root, "hidden", hidden, say)
    return found


def _texts_among(files: Sequence[Path], root: Path, say: Say) -> list[Path]:
    """The files that hold text.

    Raises:
        CorpusError: none of them does."""
    found: list[Path] = []
    others: dict[str, list[str]] = {}
    for path in files:
        if kind := _what_it_is(path):
            others.setdefault(kind, []).append(path.name)
        else:
            found.append(path)
    for kind, names in others.items():
        _skip(root, kind, names, say)
    if not found:
        came = "; ".join(f"{names[0]} is {kind}" for kind, names in others.items())
        raise CorpusError(f"{root} holds no file of texts{f' ({came})' if came else ''}")
    return found


def _skip(root: Path, kind: str, names: Sequence[str], say: Say) -> None:
    if names:
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        say(f"{root}: skipped {', '.join(names[:SHOWN])}{more} ({kind})")


def _what_it_is(path: Path) -> str:
    """What a file is where it cannot be read as texts; empty where it is text, or empty itself."""
    if not path.is_file():
        return "no file"
    if path.suffix == ".labels":
        return "labels, see --labels"
    if kind_of(path) == ".parquet":
        return ""
    return what_it_is(path) or ("empty" if not path.stat().st_size else "")


def _split_of(path: Path) -> str | None:
    """The split that a file is named after, or the folder it lies in."""
    for part in (path.name, *reversed(path.parent.parts)):
        for word in re.split(r"[-_.]", part.lower()):
            if word in SPLIT_NAMES:
                return SPLIT_NAMES[word]
    return None
