"""Images from a dataset of the Hugging Face hub, `hf:owner/name[/config]`; touched only when asked for."""

from collections.abc import Mapping
from typing import Any

import torch
from PIL.Image import Image

from imagegan.data.dataset import UNLABELLED, ImageDataset, Splits
from imagegan.data.image_files import read_all
from imagegan.data.layout import SPLITS
from imagegan.data.splits import arrange
from seqgan.core.hub import PREFIX, dataset_of, load_dataset
from seqgan.errors import DataError

KNOWN = {
    "mnist": "hf:ylecun/mnist",
    "fashion-mnist": "hf:zalando-datasets/fashion_mnist",
    "cifar10": "hf:uoft-cs/cifar10",
}


def read_hub(name: str, size: int = 32) -> Splits:
    """The train and test (or validation) split of a dataset of images; without either a tenth is held out.

    Raises:
        DataError: the hub cannot be reached (within seconds), has no such dataset, or it holds no images."""
    forms = "hf:owner/name or hf:owner/name/config"
    dataset = dataset_of(name.removeprefix(PREFIX), name, forms, DataError)
    loaded = load_dataset(dataset, name, "--data-dir", DataError)
    return as_sets(loaded, name, size)


def as_sets(loaded: Mapping[str, Any], name: str, size: int) -> Splits:
    """Of the first column of images and, where there is one, the first of class labels."""
    import datasets

    splits = {SPLITS.get(split.casefold(), split): split for split in reversed(list(loaded))}
    train = splits.get("train") or next(iter(loaded))
    held = next((splits[split] for split in ("test", "val") if splits.get(split, train) != train), None)
    rows = [loaded[split] for split in (train, held) if split is not None]
    kinds = rows[0].features
    columns = [column for column, kind in kinds.items() if isinstance(kind, datasets.Image)]
    if not columns:
        raise DataError(f"{name} has the columns {', '.join(kinds)}, and none holds images; choose another dataset")
    label = next((column for column, kind in kinds.items() if isinstance(kind, datasets.ClassLabel)), None)
    views = [(some.select_columns(columns[:1]), at) for some in rows for at in range(len(some))]

    def opened(number: int) -> Image:
        view, at = views[number]
        image: Image = view[at][columns[0]]
        return image

    images, image_notes = read_all(len(views), opened, lambda at: f"record {views[at][1]}", size, name)
    # Of some datasets the test split has -1, or nothing, in the place of labels.
    known = [of for some in rows for of in (some[:][label] if label else [None] * len(some))]
    labels = torch.tensor([UNLABELLED if of is None else of for of in known])
    names = kinds[label].names if label else ()
    whole, split = ImageDataset.of(torch.from_numpy(images), labels, names), len(rows[0])
    test = whole.take(slice(split, None)) if held else None
    notes = [f"left out: the split {split}" for split in loaded if split not in (train, held)]
    return arrange(whole.take(slice(split)), test, name, [*notes, *image_notes])
