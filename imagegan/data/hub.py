"""Images from a dataset of the Hugging Face hub, `hf:owner/name[/config]`; touched only when asked for."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from imagegan.data.folders import as_square, hold_out
from imagegan.data.images import Images, Sets, from_bytes
from seqgan.core.hub import PREFIX, dataset_of, load_dataset
from seqgan.errors import DataError

KNOWN = {
    "mnist": "hf:ylecun/mnist",
    "fashion-mnist": "hf:zalando-datasets/fashion_mnist",
    "cifar10": "hf:uoft-cs/cifar10",
}


def read_hub(name: str, size: int = 32) -> Sets:
    """The train and test split of a dataset of pictures; without a test split a tenth is held out.

    Raises:
        DataError: the hub cannot be reached (within seconds), has no such dataset, or it holds no pictures."""
    forms = "hf:owner/name or hf:owner/name/config"
    dataset = dataset_of(name.removeprefix(PREFIX), name, forms, DataError)
    loaded = load_dataset(dataset, name, "--data-dir", DataError)
    return as_sets(loaded, name, size)


def as_sets(loaded: Mapping[str, Any], name: str, size: int) -> Sets:
    train = _read(loaded["train" if "train" in loaded else next(iter(loaded))], name, size)
    if "test" in loaded:
        return Sets(train, _read(loaded["test"], name, size))
    # Those of a class may stand together; without this the last tenth would be the last class.
    order = np.random.default_rng(0).permutation(len(train.pictures))
    return hold_out(train.take(torch.from_numpy(order)), name)


def _read(rows: Any, name: str, size: int) -> Images:
    """The first column of pictures and, where there is one, the first of class labels."""
    import datasets

    kinds = rows.features
    pictures = [column for column, kind in kinds.items() if isinstance(kind, datasets.Image)]
    labels = [column for column, kind in kinds.items() if isinstance(kind, datasets.ClassLabel)]
    if not pictures:
        raise DataError(f"{name} has the columns {', '.join(kinds)}, and none holds pictures")
    try:
        found = [as_square(picture, size) for picture in rows[:][pictures[0]]]
    except Exception as error:  # the reader of the data and Pillow each have errors of their own
        raise DataError(
            f"{name}: not every record of the column {pictures[0]} holds a picture that can be read"
        ) from error
    colour = any(picture.mode != "L" for picture in found)
    array = np.stack([np.asarray(picture.convert("RGB" if colour else "L")) for picture in found])
    return from_bytes(array, rows[:][labels[0]] if labels else None, name)
