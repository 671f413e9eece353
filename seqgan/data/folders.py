"""The files that a path means: one file, those of a folder, or those of a pattern such as `poems/*.txt`."""

import glob
import os
import re
from collections import Counter
from pathlib import Path

from seqgan.data.decoding import kind_of, what_it_is
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
        found = sorted(Path(name) for name in glob.glob(place, recursive=True) if os.path.isfile(name))
        if not found:
            raise CorpusError(
                f"no file is like {quoted(place)}; a path, or a pattern such as 'poems/*.txt', was expected"
            )
        root = Path(re.split(r"[*?[]", place)[0]).parent
    elif os.path.isdir(place):
        root = Path(place)
        found = _in_folder(root, say)
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
    def refused(error: OSError) -> None:
        raise CorpusError(f"cannot read the folder {error.filename}: {why(error)}") from error

    found: list[Path] = []
    skipped: dict[str, list[str]] = {}
    for folder, folders, names in os.walk(root, onerror=refused):
        skipped.setdefault("hidden", []).extend(f"{name}/" for name in folders if name.startswith("."))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            is_file = path.is_file()
            kind = "hidden" if name.startswith(".") else _what_it_is(path) if is_file else "no file"
            skipped.setdefault(kind, []).append(name) if kind else found.append(path)
    for kind, several in skipped.items():
        if several:
            more = f" and {len(several) - SHOWN} more" if len(several) > SHOWN else ""
            say(f"{root}: skipped {', '.join(several[:SHOWN])}{more} ({kind})")
    if not found:
        raise CorpusError(f"the folder {root} holds no file of texts")
    return found


def _what_it_is(path: Path) -> str:
    """What a file is where it cannot be read as texts; empty where it is text, or empty itself."""
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
