"""Images to learn from: drawn by the program, from idx files or folders, from the hub when asked, or toy points."""

from pathlib import Path

from imagegan.data.digits import FACTORS, SIZES, digits
from imagegan.data.folders import read_folder
from imagegan.data.hub import KNOWN, PREFIX, read_hub
from imagegan.data.images import UNLABELLED, Images, Sets, need_labels
from imagegan.data.toys import TOYS, toy
from seqgan.core.config import nearest
from seqgan.core.seed import derive
from seqgan.errors import DataError

__all__ = ["FACTORS", "SIZES", "TOYS", "UNLABELLED", "Images", "Sets", "digits", "load", "need_labels", "toy"]

NATIVE = {"digits": 28, "mnist": 28, "fashion-mnist": 28, "cifar10": 32}


def load(
    name: str,
    *,
    count: int = 10_000,
    held_out: int = 2000,
    seed: int = 0,
    size: int | None = None,
    folder: Path | None = None,
) -> Sets:
    """Images by name: `digits`, `ring`, `grid`, `swissroll` are made here, `count` to train on and `held_out` to test
    on; `mnist`, `fashion-mnist`, `cifar10` and `folder` are read from `folder`, `hf:owner/name` from the hub, as many
    as there are.

    Raises:
        DataError: there is no such set, it cannot be read, or it does not come in this size."""
    sets = _load(name, count, held_out, seed, size, folder)
    shapes = [tuple(images.pixels.shape[1:]) for images in sets]
    if shapes[0] != shapes[1]:
        raise DataError(f"{name}: the test images are of shape {shapes[1]}, those to train on of {shapes[0]}")
    if size and name not in TOYS and shapes[0][-1] != size:
        raise DataError(f"{name} comes with {shapes[0][-1]} x {shapes[0][-1]} pixels, not {size}; leave out --size")
    return sets


def _load(name: str, count: int, held_out: int, seed: int, size: int | None, folder: Path | None) -> Sets:
    made = name in ("digits", *TOYS)
    if made and folder:
        raise DataError(f"{name} is made by the program; leave out --data-dir, or choose --data folder")
    if name == "digits":
        pixels = size or NATIVE[name]
        return Sets(
            digits(count, derive(seed, "training images"), pixels),
            digits(held_out, derive(seed, "test images"), pixels),
        )
    if name in TOYS:
        return Sets(toy(name, count, derive(seed, "training images")), toy(name, held_out, derive(seed, "test images")))
    if name.startswith(PREFIX):
        return read_hub(name, size or 32)
    if name in KNOWN or name == "folder":
        if folder is None:
            hub = f", or take it from the hub by --data {KNOWN[name]}" if name in KNOWN else ""
            raise DataError(f"--data {name} is read from a folder; name it by --data-dir{hub}")
        return read_folder(folder, size or NATIVE.get(name, 32))
    raise DataError(f"there is no set of images {name!r}{nearest(name, ['digits', *TOYS, *KNOWN, 'folder'])}")
