"""Images from a dataset of the Hugging Face hub, `hf:owner/name[/config]`; touched only when asked for."""

from contextlib import suppress
from typing import Any

import numpy as np

from imagegan.data.folders import as_square, hold_out
from imagegan.data.images import Images, Sets, from_bytes
from seqgan.errors import DataError

PREFIX = "hf:"
SECONDS = 5.0  # to wait for a sign of life
KNOWN = {
    "mnist": "hf:ylecun/mnist",
    "fashion-mnist": "hf:zalando-datasets/fashion_mnist",
    "cifar10": "hf:uoft-cs/cifar10",
}


def read_hub(name: str, size: int = 32) -> Sets:
    """The train and test split of a dataset of pictures; without a test split a tenth is held out.

    Raises:
        DataError: the hub cannot be reached (within seconds), has no such dataset, or it holds no pictures."""
    parts = name.removeprefix(PREFIX).split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise DataError(f"{name!r} is no address of a dataset; hf:owner/name or hf:owner/name/config was expected")
    import datasets
    from huggingface_hub import HfApi
    from huggingface_hub.errors import OfflineModeIsEnabled

    try:
        datasets.disable_progress_bars()
        datasets.logging.set_verbosity(datasets.logging.CRITICAL)
        with suppress(OfflineModeIsEnabled):  # a copy from an earlier time may still be there
            HfApi().dataset_info("/".join(parts[:2]), timeout=SECONDS)  # a question that does not retry for minutes
        patience = datasets.DownloadConfig(max_retries=1)
        loaded = datasets.load_dataset("/".join(parts[:2]), *parts[2:], download_config=patience)
    except Exception as error:  # the hub, its client and the reader of the data each have errors of their own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        raise DataError(
            f"cannot get {name} from the hub ({reason}); check the address and the connection, or give --data-dir"
        ) from error
    return as_sets(loaded, name, size)


def as_sets(loaded: Any, name: str, size: int) -> Sets:
    train = _read(loaded["train" if "train" in loaded else next(iter(loaded))], name, size)
    return Sets(train, _read(loaded["test"], name, size)) if "test" in loaded else hold_out(train, name)


def _read(rows: Any, name: str, size: int) -> Images:
    """The first column of pictures and, where there is one, the first of class labels."""
    import datasets

    kinds = rows.features
    pictures = [column for column, kind in kinds.items() if isinstance(kind, datasets.Image)]
    labels = [column for column, kind in kinds.items() if isinstance(kind, datasets.ClassLabel)]
    if not pictures:
        raise DataError(f"{name} has the columns {', '.join(kinds)}, and none holds pictures")
    found = [as_square(picture, size) for picture in rows[:][pictures[0]]]
    colour = any(picture.mode != "L" for picture in found)
    array = np.stack([np.asarray(picture.convert("RGB" if colour else "L")) for picture in found])
    return from_bytes(array, rows[:][labels[0]] if labels else None, name)
