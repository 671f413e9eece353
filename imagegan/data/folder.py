"""Read a folder of images, as files or in the idx format, in any layout that `imagegan.data.layout` knows."""

import re
from pathlib import Path

import torch

from imagegan.data.dataset import UNLABELLED, ImageDataset, Splits, counted
from imagegan.data.idx import read_idx
from imagegan.data.image_files import SUFFIXES, read_images
from imagegan.data.layout import SPLITS, class_names, descended, idx_files, layout
from imagegan.data.splits import arrange, part_of
from seqgan.errors import DataError


def read_folder(folder: Path, size: int = 32) -> Splits:
    """The dataset in a folder; images become `size` x `size`. Those of a test split are held out, without
    one those of a validation split, without either a tenth.

    Raises:
        DataError: there is no such folder, nothing in it, or what is in it cannot be read."""
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; a folder with idx files or with images was expected")
    root = descended(folder)
    if idx_files(root, "images"):
        return _read_idx_files(root)
    found = layout(root)
    if not found.train:
        there = "" if found.test is None else "; there is a split to test on alone"
        raise DataError(
            f"{folder} has neither images to train on as idx files nor images ({', '.join(sorted(SUFFIXES))}){there}"
        )
    names = class_names(found.train)
    foreign = [name for name in class_names(found.test or []) if name not in names]
    every = [*names, *foreign]  # what only those to test on are of, `arrange` refuses
    files = [*found.train, *(found.test or [])]
    images, image_notes = read_images([file.path for file in files], size, str(folder))
    numbers: dict[str | None, int] = {name: number for number, name in enumerate(every)}
    labels = torch.tensor([numbers.get(file.name, UNLABELLED) for file in files])
    whole, split = ImageDataset.of(torch.from_numpy(images), labels, every), len(found.train)
    train, test = whole.take(slice(split)), whole.take(slice(split, None))
    notes = [*found.notes, *image_notes]
    if every and (loose := int((labels == UNLABELLED).sum())):
        notes.append(f"{counted(loose, 'image')} in no class folder")
    return arrange(train, test if found.test else None, str(folder), notes)


def _read_idx_files(root: Path) -> Splits:
    splits: dict[str, list[Path]] = {}
    for path in idx_files(root, "images"):
        words = re.findall("t10k|[a-z]+", path.name.lower().partition("images")[0])
        splits.setdefault(next((SPLITS[word] for word in words if word in SPLITS), "train"), []).append(path)
    for several in splits.values():
        if len(several) > 1:
            raise DataError(f"{root} has several sets of images ({', '.join(p.name for p in several)}); keep one")
    if "train" not in splits:
        there = ", ".join(path.name for several in splits.values() for path in several)
        raise DataError(f"{root} has no images to train on: {there}, where train-images... was expected; rename it")
    notes = []
    if "test" in splits and "val" in splits:
        notes.append(f"left out: {splits['val'][0].name}, since {splits['test'][0].name} is held out")
    train = _read_idx_split(splits["train"][0])
    held = splits.get("test") or splits.get("val")
    return arrange(train, _read_idx_split(held[0]) if held else None, str(root), notes)


def _read_idx_split(path: Path) -> ImageDataset:
    prefix = path.name.lower().partition("images")[0]
    labels = [file for file in idx_files(path.parent, "labels") if file.name.lower().startswith(prefix)]
    return part_of(read_idx(path), read_idx(labels[0]) if labels else None, str(path))
