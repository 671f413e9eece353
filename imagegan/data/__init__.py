"""Datasets: digits and points that are generated, idx files, folders, and the hub."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

from imagegan.data.dataset import UNLABELLED, ImageDataset, Splits
from imagegan.data.digits import digits
from imagegan.data.folder import read_folder
from imagegan.data.hub import KNOWN, read_hub
from imagegan.data.splits import MEASURABLE
from imagegan.data.toys import TOYS, toy
from imagegan.data.triangles import triangles
from seqgan.core.bounds import PATH, SEED, TEXT, Whole, checked
from seqgan.core.config import nearest
from seqgan.core.hub import PREFIX
from seqgan.core.seed import derive
from seqgan.errors import DataError, quoted

__all__ = ["TOYS", "UNLABELLED", "ImageDataset", "Splits", "digits", "load", "toy", "triangles"]

DRAWN = ("digits", "digits-wide")
MADE = (*DRAWN, "triangles", *TOYS)
NATIVE = {
    **dict.fromkeys((*DRAWN, "triangles", "mnist", "fashion-mnist"), 28),
    "cifar10": 32,
    **dict.fromkeys(TOYS, 1),
}
NAMES = {
    "fashion-mnist": ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"),
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
}  # of idx files, which have only numbers
USUAL = 10_000  # images to generate
MOST_VALIDATING = 1000  # images
MANY = Whole(0, 10**7)
SIDE = Whole(0, 2**14)


@checked
def load(
    name: Annotated[str, TEXT],
    *,
    count: Annotated[int, MANY] = 0,
    held_out: Annotated[int, MANY] = 2000,
    seed: Annotated[int, SEED] = 0,
    size: Annotated[int, SIDE] = 0,
    folder: Annotated[Path | None, PATH] = None,
) -> Splits:
    """Images by name: `digits`, `digits-wide` (of any size and position), `triangles`, `ring`, `grid`, `swissroll` are
    made here, `count` (0: 10,000) to train on and `held_out` to test on; `mnist`, `fashion-mnist`, `cifar10` and
    `folder` are read from `folder`, `hf:owner/name` from the hub: `count` of those to train on (0: all), and all that
    are held out. Their order is random, so that the first of them are a fair sample (see `arrange`). Without a `size`
    they have that of the data, images of a folder or of the hub 32. A tenth as many as the training images (1,000 at
    most, 20 at least or none) are for validation: made beside them, or taken off those that are read.

    Raises:
        DataError: there is no such set, it cannot be read, or it does not come in this size.
        UsageError: an argument is out of its bounds."""
    splits = _load(name, count, held_out, seed, size, folder)
    found = splits.train.images.shape[-1]
    if size and found != size:
        if size == NATIVE.get(name) and folder:
            raise DataError(
                f"{folder} holds images of {found} x {found} pixels, and those of {name} have {size} x {size}; "
                "choose --data folder, or another --data-dir"
            )
        raise DataError(f"{name} comes with {found} x {found} pixels, not {size}; leave out --size")
    if name in MADE:
        return splits
    names = NAMES.get(name, ())
    if splits.train.names == tuple(map(str, range(len(names)))):  # numbers alone
        splits = replace(splits, train=splits.train._replace(names=names), test=splits.test._replace(names=names))
    train, valid = splits.train, _validating(len(splits.train.labels))
    known = len(train.labels) - valid
    held = train.take(slice(known, None)) if valid else None
    return replace(splits, train=train.take(slice(min(count or known, known))), valid=held)


def _validating(count: int) -> int:
    """How many images beside or among so many training images are for validation: a tenth, where it can be measured."""
    share = min(MOST_VALIDATING, count // 10)
    return share if share >= MEASURABLE else 0


def _load(name: str, count: int, held_out: int, seed: int, size: int, folder: Path | None) -> Splits:
    if name in MADE:
        if folder:
            raise DataError(f"{name} is generated, not read; leave out --data-dir, or choose --data folder")
        make: Callable[[int, int], ImageDataset] = triangles if name == "triangles" else partial(toy, name)
        if name in DRAWN:
            make = partial(digits, size=size or NATIVE[name], wide=name == "digits-wide")
        train, test = make(count or USUAL, derive(seed, "training images")), make(held_out, derive(seed, "test images"))
        validating = _validating(len(train.labels))
        return Splits(train, test, (), make(validating, derive(seed, "validation images")) if validating else None)
    if name.startswith(PREFIX):
        if folder:
            raise DataError(f"{name} comes from the hub; leave out --data-dir, or choose --data folder")
        return read_hub(name, size or 32)
    if name in KNOWN or name == "folder":
        if folder is None:
            hub = f", or take it from the hub by --data {KNOWN[name]}" if name in KNOWN else ""
            raise DataError(f"--data {name} is read from a folder; give it by --data-dir{hub}")
        return read_folder(folder, size or NATIVE.get(name, 32))
    raise DataError(f"there is no set of images {quoted(name)}{nearest(name, [*MADE, *KNOWN, 'folder'])}")
