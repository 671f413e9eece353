"""Split and order images that were read. All datasets that are not generated come through `arrange`.

The order is that of a hash of the pixels: the same for every layout of the same images, so that the first N are a fair
sample, however the source was sorted. Equal images are neighbours, so that hardly any is in both splits."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from imagegan.data.dataset import UNLABELLED, ImageDataset, Splits, counted, listed
from seqgan.errors import DataError

FEWEST, MOST_HELD_OUT = 10, 5000
MEASURABLE = 20  # held-out images, for a distance
MOST_CLASSES = 65_536

Order = NDArray[np.intp]
Hashes = NDArray[np.uint64]  # of each image


def part_of(images: NDArray[Any], labels: Sequence[int] | NDArray[Any] | None, source: str) -> ImageDataset:
    """Images of unsigned bytes, N x S x S or N x S x S x C, as a split; their memory is reused.

    Raises:
        DataError: another type or shape, no image at all, or labels that do not match."""
    if images.dtype != np.uint8:
        raise DataError(f"{source} holds {images.dtype} values; images of unsigned bytes (0 to 255) were expected")
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] not in (1, 3) or not images.size:
        shape = " x ".join(map(str, images.shape))
        raise DataError(f"{source} is an array of {shape}; N x S x S grey or N x S x S x 3 images were expected")
    count, height, width, channels = images.shape
    if height != width:
        raise DataError(f"{source} holds images of {height} x {width}; square ones are needed")
    first = images.reshape(count, channels, height, width)  # the same memory, in which the channels go first
    for at in range(count if channels > 1 else 0):
        first[at] = images[at].transpose(2, 0, 1).copy()
    return ImageDataset.of(torch.from_numpy(first), torch.from_numpy(_numbers(labels, count, source)))


def _numbers(labels: Sequence[int] | NDArray[Any] | None, count: int, source: str) -> NDArray[np.int64]:
    if labels is None:
        return np.full(count, UNLABELLED)
    numbers = np.asarray(labels)
    if numbers.ndim != 1 or len(numbers) != count:
        raise DataError(f"{source} holds {count} images but {len(numbers)} labels; one for each was expected")
    if not np.issubdtype(numbers.dtype, np.integer):
        raise DataError(f"{source}: the labels are of type {numbers.dtype}; whole numbers were expected")
    if not UNLABELLED <= numbers.min() <= numbers.max() < MOST_CLASSES:
        extreme = numbers.min() if numbers.min() < UNLABELLED else numbers.max()
        raise DataError(f"{source} has the label {extreme}; numbers from 0 to {MOST_CLASSES - 1} were expected")
    return numbers.astype(np.int64)


def arrange(train: ImageDataset, test: ImageDataset | None, source: str, notes: Sequence[str] = ()) -> Splits:
    """Both splits, each put in place, without a second copy in memory, in the order of the hash of its pixels. Without
    a `test` split a tenth of each class is held out (one image at least, 5,000 in all at most). `notes` are of the
    reader.

    Raises:
        DataError: there are too few images, or classes to test on that none of those to train on is of."""
    count, labels = len(train.labels), train.labels.numpy()
    if test is None and count < FEWEST:
        raise DataError(
            f"{source} holds {counted(count, 'image')}; {FEWEST} or more are needed, since a tenth is held out"
        )
    if test is not None and test.images.shape[1:] != train.images.shape[1:]:
        one, other = (" x ".join(map(str, part.images.shape[1:])) for part in (train, test))
        raise DataError(f"{source}: the images to train on are of {one}, those held out of {other}; make them alike")
    if not train.names:
        largest = max(int(part.labels.numpy().max(initial=UNLABELLED)) for part in (train, test) if part is not None)
        train = train._replace(names=tuple(map(str, range(largest + 1))))
    if test is None:
        hashes = _hashes(train)
        order = _order(train, hashes)
        held = _held_out(labels[order], hashes[order])
        # Those held out were chosen by the first bytes of the hash, class by class: in the order of its last ones, the
        # first of them are of all classes.
        last = np.lexsort((labels[order[held]], hashes[order[held]].byteswap()))
        order = np.concatenate([order[~held], order[held][last]])
        _reorder(train, order)
        hashes, split = hashes[order], count - int(held.sum())
        train, test = train.take(slice(split)), train.take(slice(split, None))
        hashes, test_hashes = hashes[:split], hashes[split:]
    else:
        hashes, test_hashes = _hashes(train), _hashes(test)
        for part, some in ((train, hashes), (test, test_hashes)):
            _reorder(part, _order(part, some))
        _refuse_foreign(train, test, source)
    notes = [*notes, *_notes(train, test, hashes, test_hashes)]
    return Splits(train, test._replace(names=train.names), tuple(notes))


def _hashes(part: ImageDataset) -> Hashes:
    digests = [blake2b(np.ascontiguousarray(image).data, digest_size=8).digest() for image in part.images.numpy()]
    return np.frombuffer(b"".join(digests), "<u8")


def _order(part: ImageDataset, hashes: Hashes) -> Order:
    """By hash, equal images by label."""
    return np.lexsort((part.labels.numpy(), hashes))


def _held_out(labels: NDArray[np.int64], hashes: Hashes) -> NDArray[np.bool_]:
    """Which of the ordered images are held out: the last of each class; equal images stay together where possible."""
    held = np.zeros(len(labels), bool)
    share = min(MOST_HELD_OUT, len(labels) // 10) / len(labels)
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        start = len(places) - max(1, round(share * len(places))) if len(places) > 1 else 1
        ahead = hashes[places[1:]] == hashes[places[:-1]]  # is an image the one before it?
        apart = np.flatnonzero(~ahead[start - 1 :])
        held[places[start + (apart[0] if len(apart) else 0) :]] = True
    if not held.any():  # no class has two
        held[-max(1, len(labels) // 10) :] = True
    return held


def _reorder(part: ImageDataset, order: Order) -> None:
    """In place, cycle by cycle of the permutation, with a copy of one image."""
    labels, images = part.labels.numpy(), part.images.numpy()
    labels[:] = labels[order]
    waiting = np.ones(len(order), bool)
    for first in range(len(order)):
        if not waiting[first] or order[first] == first:
            continue
        hand, at = images[first].copy(), first
        while order[at] != first:
            images[at], waiting[at] = images[order[at]], False
            at = order[at]
        images[at], waiting[at] = hand, False


def _refuse_foreign(train: ImageDataset, test: ImageDataset, source: str) -> None:
    known = set(train.labels.tolist()) - {UNLABELLED}
    foreign = sorted(set(test.labels.tolist()) - known - {UNLABELLED})
    if known and foreign:
        there, more = (listed([train.names[label] for label in labels]) for labels in (sorted(known), foreign))
        raise DataError(
            f"{source}: {counted(len(foreign), 'class', 'classes')} to test on ({more}) that none of the images to "
            f"train on is of; those have {counted(len(known), 'class', 'classes')} ({there}); name the folders alike, "
            "or remove these"
        )


def _notes(train: ImageDataset, test: ImageDataset, hashes: Hashes, test_hashes: Hashes) -> list[str]:
    """What is odd about the splits: classes without a held-out image, copies."""
    notes = []
    there = set(test.labels.tolist())
    missing = [train.names[label] for label in sorted(set(train.labels.tolist()) - there - {UNLABELLED})]
    if missing and there != {UNLABELLED}:
        notes.append(f"no image of {counted(len(missing), 'class', 'classes')} is held out ({listed(missing)})")
    if more := len(hashes) - len(np.unique(hashes)):
        notes.append(f"{counted(more, 'image')} to train on equal to others of them")
    if shared := int(np.isin(test_hashes, hashes).sum()):
        notes.append(f"{shared} of {len(test_hashes)} held-out images equal to some to train on")
    if len(test.labels) < MEASURABLE:
        notes.append(f"with fewer than {MEASURABLE} held out, no distance can be measured")
    return notes
