"""Sets of images on the disk: idx files, or pictures, those of a class in a folder of its own."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from imagegan.data.idx import read_idx
from imagegan.data.images import Images, Sets, from_bytes
from seqgan.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
MOST_HELD_OUT = 5000
TRAIN, TEST = ("train",), ("t10k", "test")


def read_folder(folder: Path, size: int = 32) -> Sets:
    """What lies in a folder: idx files (`...images-idx3-ubyte`, `...labels-idx1-ubyte`, packed or not), or pictures,
    which become `size` x `size`. Files or folders called test (t10k) are held out; where there are none, the last
    tenth is, at most 5,000.

    Raises:
        DataError: there is no such folder, nothing in it, or what is in it cannot be read."""
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; a folder with idx files or with pictures was expected")
    if any(_idx_files(folder, "images")):
        train, test = (_read_idx_set(folder, names) for names in (TRAIN, TEST))
    else:
        train, test = (_read_pictures(folder, names, size) for names in (TRAIN, TEST))
        train = train or _read_pictures(folder, (), size)
    if train is None:
        raise DataError(f"{folder} has neither images to train on as idx files nor pictures ({', '.join(SUFFIXES)})")
    return Sets(train, test) if test else hold_out(train, str(folder))


def hold_out(images: Images, source: str) -> Sets:
    """The last tenth, at most 5,000, set apart.

    Raises:
        DataError: there are fewer than ten images."""
    count = len(images.pictures)
    if count < 10:
        raise DataError(f"{source} holds {count} images; ten or more are needed, since a tenth is held out")
    held = min(MOST_HELD_OUT, count // 10)
    return Sets(images.take(slice(0, count - held)), images.take(slice(count - held, count)))


def _idx_files(folder: Path, what: str) -> list[Path]:
    return sorted(path for path in folder.iterdir() if what in path.name and "idx" in path.name)


def _read_idx_set(folder: Path, names: tuple[str, ...]) -> Images | None:
    found = [path for path in _idx_files(folder, "images") if path.name.startswith(names)]
    if len(found) > 1:
        raise DataError(f"{folder} has several sets of images ({', '.join(path.name for path in found)}); keep one")
    if not found:
        return None
    prefix = found[0].name.partition("images")[0]
    labels = [path for path in _idx_files(folder, "labels") if path.name.startswith(prefix)]
    return from_bytes(read_idx(found[0]), read_idx(labels[0]) if labels else None, str(found[0]))


def _read_pictures(folder: Path, names: tuple[str, ...], size: int) -> Images | None:
    """The pictures below the folder of one of these names, below the folder itself without names."""
    roots = [folder / name for name in names if (folder / name).is_dir()] if names else [folder]
    if not roots:
        return None
    files = sorted(path for path in roots[0].rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        return None
    classes = sorted({path.parent for path in files})
    labels = None if classes == [roots[0]] else [classes.index(path.parent) for path in files]
    if labels and not names:
        # Those of a class stand together in the files' order; without this the last tenth would be the last class.
        order = np.random.default_rng(0).permutation(len(files))
        files, labels = [files[at] for at in order], [labels[at] for at in order]
    pictures = [_read_picture(path, size) for path in files]
    colour = any(picture.mode != "L" for picture in pictures)
    array = np.stack([np.asarray(picture.convert("RGB" if colour else "L")) for picture in pictures])
    return from_bytes(array, labels, str(roots[0]))


def _read_picture(path: Path, size: int) -> Image.Image:
    """The largest square in the middle, `size` x `size`; grey or RGB."""
    try:
        with Image.open(path) as image:
            picture = image.convert("L" if image.mode in ("1", "L", "LA", "I;16") else "RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"cannot read the picture {path}; remove it, or save it again as PNG") from error
    return as_square(picture, size)


def as_square(picture: Image.Image, size: int) -> Image.Image:
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    if picture.size == (size, size):
        return picture
    return picture.resize((size, size), Image.Resampling.LANCZOS, (left, top, left + side, top + side))
