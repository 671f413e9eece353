"""Samples to evaluate: arrays, those of an npz file, or a folder of images."""

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from imagegan.data.dataset import ImageDataset, Labels, as_floats, counted
from imagegan.data.image_files import read_images
from imagegan.data.layout import class_names, folder_names, found_in
from imagegan.grids import POINT
from imagegan.metrics.distances import read_arrays
from imagegan.metrics.predictors import Images
from seqgan.core.bounds import PATH, checked
from seqgan.core.files import in_shell
from seqgan.core.seed import private_generator
from seqgan.errors import DataError

ROUNDING = 1e-3  # beyond a range, as float16 and resizing leave it


class Samples(NamedTuple):
    pixels: Images
    labels: Labels | None = None  # what they were to be, where that was description
    categories: Labels | None = None  # the category of a code that is not a label
    numbers: Float[Tensor, "N U"] | None = None  # and its continuous numbers
    description: str = ""  # of how they were read

    def some(self, count: int, seed: int) -> "Samples":
        """`count` of them at random: a file may be sorted."""
        there = len(self.pixels)
        if there <= count:
            return self
        order = torch.randperm(there, generator=private_generator(seed, "some samples"))[:count]
        description = f"{self.description}; {count} of them are measured, taken at random with --seed {seed}"
        return self.take(order)._replace(description=description)

    def take(self, chosen: slice | Tensor) -> "Samples":
        labels, categories, numbers = (None if part is None else part[chosen] for part in self[1:4])
        return Samples(self.pixels[chosen], labels, categories, numbers, self.description)


@checked
def read_samples(path: Annotated[Path, PATH], like: ImageDataset) -> Samples:
    """An npz file with `samples` (or `images`, or a single array) and perhaps `labels`, or a folder of images,
    perhaps in folders named by class; to be compared with images `like` these.

    Arrays are N x S x S, N x C x S x S or N x S x S x C; of points, N x 2. Their type and range say what is black and
    white: whole numbers 0 to 255; floats from 0 on 0 to 1, or 0 to 255 where one is above 2; all other floats -1 to 1.
    Grey images stored as RGB are converted to grey where the data are grey, and the other way round.

    Raises:
        DataError: it cannot be read, or is none of these."""
    if (path / "run.json").is_file():
        raise DataError(
            f"{path} is a run, whose images are not single samples; measure it by imagegan evaluate {in_shell(path)}"
        )
    return _coloured(_from_folder(path, like) if path.is_dir() else _from_file(path), like.images.shape[1])


def samples_of(images: ArrayLike | Tensor, labels: ArrayLike | Tensor | None, like: ImageDataset) -> Samples:
    """Arrays or tensors, as those of an npz file (`read_samples`).

    Raises:
        DataError: they are no such images, or there is not a label for each."""
    given = None if labels is None else _array(labels)
    return _coloured(_of_arrays(_array(images), given, "the array"), like.images.shape[1])


def _array(values: ArrayLike | Tensor) -> NDArray[np.generic]:
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        return (values.float() if values.is_floating_point() else values).numpy()
    try:
        return np.asarray(values)
    except ValueError as error:
        raise DataError("the array has parts of different shapes; images of one size were expected") from error


def _coloured(samples: Samples, channels: int) -> Samples:
    pixels = samples.pixels
    if pixels.shape[1] == 3 and channels == 1 and bool((pixels[:, :1] == pixels).all()):
        pixels, how = pixels[:, :1], "RGB without colours, taken as grey"
    elif pixels.shape[1] == 1 and channels == 3:
        pixels, how = pixels.expand(-1, 3, -1, -1), "grey, taken as RGB"
    else:
        return samples
    return samples._replace(pixels=pixels, description=f"{samples.description}; {how}")


def _from_folder(folder: Path, like: ImageDataset) -> Samples:
    files, notes = found_in(folder)
    if not files:
        raise DataError(f"{folder} holds no images, neither itself nor in folders named by class; name another")
    channels, size = like.images.shape[1:3]
    if channels not in (1, 3):
        raise DataError(f"{folder} holds images, but the data are points; give an npz file of samples")
    images, image_notes = read_images([file.path for file in files], size, str(folder))
    names = [file.name for file in files]
    labels = None
    if like.names and set(names) != {None}:
        known = folder_names(like.names)
        foreign = [name for name in class_names(files) if name not in known]
        if loose := names.count(None):
            foreign.append(f"{counted(loose, 'image')} in no folder")
        if foreign and len(set(names)) > 1:
            raise DataError(
                f"{folder} holds what is of no class of the data ({', '.join(known[:5])}): {', '.join(foreign[:5])}; "
                "name the folders by classes, or put the images into one"
            )
        labels = None if foreign else torch.tensor([known.index(str(name)) for name in names])
    kind = f"{counted(len(files), 'image')}{'' if labels is None else ' in folders by class'}"
    return Samples(as_floats(torch.from_numpy(images)), labels, description="; ".join([kind, *notes, *image_notes]))


def _from_file(path: Path) -> Samples:
    found = read_arrays(path)
    given = found.pop("labels", None)
    usual = [name for name in ("samples", "images") if name in found]
    if not usual and len(found) != 1:
        there = ", ".join(found) or ("nothing" if given is None else "labels alone")
        raise DataError(f"{path} holds {there}; an array called samples was expected")
    return _of_arrays(found[usual[0] if usual else next(iter(found))], given, str(path))


def _of_arrays(images: NDArray[np.generic], given: NDArray[np.generic] | None, where: str) -> Samples:
    pixels, scale = _scaled(_channels_first(images, where), where)
    labels = None
    if given is not None:
        if given.shape != (len(pixels),) or given.dtype.kind not in "iu" or (given < 0).any():  # type: ignore[operator]
            raise DataError(f"{where}: a whole number from 0 as a label was expected for each of {len(pixels)} samples")
        labels = torch.from_numpy(given.astype(np.int64))
    return Samples(pixels, labels, description=f"{counted(len(pixels), 'sample')}, {scale}")


def _channels_first(array: NDArray[np.generic], where: str) -> NDArray[np.generic]:
    shape = " x ".join(map(str, array.shape)) or "a single number"
    if array.ndim == 2 and array.shape[1:] == POINT[:1]:
        array = array[:, :, None, None]
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim == 4 and array.shape[1] not in (1, 2, 3) and array.shape[3] in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    if array.ndim != 4 or array.shape[1] not in (1, 2, 3) or array.shape[2] != array.shape[3] or not array.size:
        raise DataError(
            f"{where} holds {array.dtype} values of {shape}; square images N x S x S, N x C x S x S or N x S x S x C "
            "were expected"
        )
    return array


def _scaled(array: NDArray[np.generic], where: str) -> tuple[Images, str]:
    """In [-1, 1], and which scale they were taken to have."""
    kind = array.dtype.kind
    if kind not in "buif":
        raise DataError(f"{where} holds {array.dtype} values; bytes or floats were expected")
    if wrong := int((~np.isfinite(array.reshape(len(array), -1))).any(axis=1).sum()):
        raise DataError(f"{where} holds NaN or infinity in {wrong} of {len(array)} samples; leave those out")
    low, high = float(array.min()), float(array.max())
    if array.shape[1:] == POINT:
        ranges = {"points in the plane": (-1.0, 1.0, kind == "f" and low >= -ROUNDING - 1 and high <= 1 + ROUNDING)}
    else:
        ranges = {
            "true and false": (0.0, 1.0, kind == "b"),
            "whole numbers 0 to 255": (0.0, 255.0, kind in "ui" and low >= 0 and high <= 255 and high != 1),
            "floats from 0 to 1": (0.0, 1.0, kind == "f" and low >= -ROUNDING and high <= 1 + ROUNDING),
            "floats from 0 to 255": (0.0, 255.0, kind == "f" and low >= 0 and 2 < high <= 255),
            "floats from -1 to 1": (-1.0, 1.0, kind == "f" and low >= -ROUNDING - 1 and high <= 1 + ROUNDING),
        }
    for scale, (black, white, fits) in ranges.items():
        if fits:
            values = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
            if (black, white) != (-1, 1):
                values.div_((white - black) / 2).sub_(1)
            return values.clamp_(-1, 1), f"taken as {scale}"
    given = f"{array.dtype} values from {low:.4g} to {high:.4g}"
    if array.shape[1:] == POINT:
        raise DataError(f"{where} holds points of {given}; floats within [-1, 1] were expected")
    raise DataError(
        f"{where} holds {given}, of which nothing says what is black and white; bytes, or floats within [0, 1], "
        "[-1, 1] or [0, 255] were expected"
    )
