"""Which files of a folder are of which split and class: idx files, or images in a folder for each class.

    train/<class>/ test/<class>/       or val, valid, validation; in any case of letters
    seg_train/<class>/ seg_test/...    splits whose names have a common part
    <class>/ test/<class>/             what lies beside a test split is training data
    <class>/                           a tenth is held out
    train/ test/, or images alone    without labels
    train-images-idx3-ubyte ...        with or without labels, with or without t10k (test, val) files

Classes are the first level below the split, numbered once, by name and numbers in their own order; all that lies deeper
belongs to them. Names that begin with a dot, and those that systems leave behind, are skipped."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from imagegan.data.dataset import counted, listed
from imagegan.data.image_files import SUFFIXES, printable
from seqgan.errors import DataError

SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing", "t10k"), "test"),
}
INSIDE = re.compile("(.*?)(training|train|testing|test|validation|valid|val|t10k)(.*)", re.DOTALL)
LEFT_BEHIND = {"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "lost+found", "@eadir"}
FIRST = 5  # kinds of other files


class Found(NamedTuple):
    """An image file and the class folder it lies in, if any."""

    path: Path
    name: str | None


class Layout(NamedTuple):
    train: list[Found]
    test: list[Found] | None
    notes: list[str]


def found_in(folder: Path) -> tuple[list[Found], list[str]]:
    """All images of a folder, those in its subfolders with the class of that name; and a note on other files.

    Raises:
        DataError: it cannot be read."""
    others: Counter[str] = Counter()
    return list(_found(_visible(folder), others)), _left_out(others)


def folder_names(names: Sequence[str]) -> list[str]:
    """Folder names for these classes: their names where every file system allows them, else their numbers."""
    plain = [re.sub(r'[<>:"/\\|?*]', "-", name).strip(" .") for name in names]
    if len({name.casefold() for name in plain} - {""}) < len(names):
        return list(map(str, range(len(names))))
    return plain


def class_names(files: Sequence[Found]) -> list[str]:
    """Sorted, numbers in them by their value."""

    def key(name: str) -> tuple[list[tuple[int, str]], str]:
        parts = re.split("([0-9]+)", name)
        return [(int(part), "") if at % 2 else (-1, part) for at, part in enumerate(parts)], name

    return sorted({file.name for file in files if file.name is not None}, key=key)


def descended(folder: Path) -> Path:
    """Into a lone folder inside the folder, as archives unpack."""
    while True:
        visible = _visible(folder)
        folders = [path for path in visible if path.is_dir()]
        if len(folders) != 1 or _split_of(folders[0]) or any(map(_is_image, visible)) or idx_files(folder, "images"):
            return folder
        if not any(path.is_dir() for path in _visible(folders[0])) and not idx_files(folders[0], "images"):
            return folder
        folder = folders[0]


def layout(root: Path) -> Layout:
    splits: dict[str, Path] = {}
    beside: list[Path] = []
    visible = _visible(root)
    alike = _alike(visible)
    for path in visible:
        if not (split := _split_of(path) or alike.get(path)):
            beside.append(path)
        elif split in splits:
            raise DataError(f"{root} has two folders of one split, {splits[split].name} and {path.name}; keep one")
        else:
            splits[split] = path
    notes: list[str] = []
    others: Counter[str] = Counter()

    def below(paths: Sequence[Path]) -> list[Found]:
        return list(_found(paths, others))

    plain = {}
    for split, path in splits.items():  # `train/train` is `train`
        first, *more = _visible(path) or [path]
        same = not more and first.is_dir() and first.name.casefold() == path.name.casefold()
        plain[split] = first if same else path
    inner = {split: descended(path) for split, path in plain.items()}
    if any(inner[split] == path for split, path in plain.items()):
        inner = plain
    train = below(_visible(inner["train"]) if "train" in splits else beside)
    held = splits.get("test") or splits.get("val")
    test = below(_visible(inner["test" if "test" in splits else "val"])) if held else None
    if "train" in splits and (aside := below(beside)):
        names = class_names(aside)
        if names and not class_names(train) and (not test or class_names(test)):
            raise DataError(
                f"{splits['train']} can be a class beside {names[0]}, or a split; name that class otherwise, or put "
                f"all classes into a folder of the split (train/{names[0]})"
            )
        where = f" ({listed(names)})" if names else ""
        notes.append(f"left out: {counted(len(aside), 'image')} beside {splits['train'].name}/{where}")
    if "test" in splits and "val" in splits:
        aside = below(_visible(inner["val"]))
        notes.append(f"left out: {splits['val'].name}/ ({counted(len(aside), 'image')}), since {held} is held out")
    if held and not test:
        notes.append(f"{held.name}/ holds no images, so a tenth is held out")
    return Layout(train, test or None, notes + _left_out(others))


def _left_out(others: Counter[str]) -> list[str]:
    if not others:
        return []
    kinds = ", ".join(f"{printable(kind) or 'no ending'} {number}" for kind, number in others.most_common(FIRST))
    number = sum(others.values())
    return [f"left out: {counted(number, 'file')} that {'is no image' if number == 1 else 'are no images'} ({kinds})"]


def _found(paths: Sequence[Path], others: Counter[str]) -> Iterator[Found]:
    """The images among these paths and, as those of a class, in each folder; other files are counted."""
    for path in paths:
        name = unicodedata.normalize("NFC", printable(path.name)) if path.is_dir() else None
        if name and (split := next(filter(_split_of, _visible(path)), None)):
            raise DataError(
                f"{split} is a split inside of a class; put splits first ({split.name}/{path.name}), or name "
                "one of the folders otherwise"
            )
        for file in _walked(path) if name else [path]:
            if _is_image(file):
                yield Found(file, name)
            else:
                others[file.suffix.lower()] += 1


def _walked(folder: Path) -> Iterator[Path]:
    """All files below, links followed but not in circles."""
    seen, waiting = set(), [folder]
    while waiting:
        here = waiting.pop()
        found = here.stat()
        if (found.st_dev, found.st_ino) in seen:
            continue
        seen.add((found.st_dev, found.st_ino))
        for path in _visible(here):
            if path.is_dir():
                waiting.append(path)
            else:
                yield path


def _visible(folder: Path) -> list[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"the folder {folder} cannot be read ({error.strerror}); make it readable") from error
    return [path for path in paths if not path.name.startswith(".") and path.name.casefold() not in LEFT_BEHIND]


def _split_of(path: Path) -> str | None:
    split = SPLITS.get(path.name.casefold())
    return split if split and path.is_dir() else None


def _alike(paths: Sequence[Path]) -> dict[Path, str]:
    """Folders whose names differ by the name of a split alone, as `training_set` and `test_set`."""
    groups: dict[tuple[str, str], dict[Path, str]] = {}
    for path in paths:
        if (found := INSIDE.fullmatch(path.name.casefold())) and not _split_of(path) and path.is_dir():
            groups.setdefault((found[1], found[3]), {})[path] = SPLITS[found[2]]
    alike = [group for group in groups.values() if "train" in group.values() and len(group) > 1]
    return {path: split for group in alike for path, split in group.items()}


def _is_image(path: Path) -> bool:
    """By its name; neither a folder nor a pipe is one."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def idx_files(folder: Path, what: str) -> list[Path]:
    """Those of images or labels; of a file and its packed copy the file."""
    found = [path for path in _visible(folder) if what in path.name.lower() and "idx" in path.name.lower()]
    plain = {path.name for path in found}
    return [path for path in found if path.is_file() and not (path.suffix in (".gz", ".xz") and path.stem in plain)]
