"""Train, valid and test splits by a hash of each text, and a check for texts that are in two of them."""

import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from seqgan.core.log import tracked
from seqgan.data.stored import chosen

T = TypeVar("T")
Splits = Mapping[str, Sequence[str]]

PARTS = ("train", "valid", "test")
FEWEST_TEXTS = 20  # to train, validate and test with


def part_of(text: str) -> str:
    """The split a text belongs to, by its hash alone."""
    digit = int.from_bytes(hashlib.sha256(b"seqgan split 1|" + text.encode()).digest()[:8], "big") % 10
    return "valid" if digit == 8 else "test" if digit == 9 else "train"


def split(texts: Sequence[str]) -> dict[str, Sequence[str]]:
    """80% train, 10% valid, 10% test, by a hash of the text: adding a text moves no other."""
    parts = parts_of(texts)
    return {part: chosen(texts, np.flatnonzero(parts == number)) for number, part in enumerate(PARTS)}


def parts_of(texts: Sequence[str]) -> NDArray[np.int8]:
    """The number in `PARTS` of the split of each text."""
    numbers = (PARTS.index(part_of(text)) for text in tracked(texts, "splitting the corpus", len(texts)))
    return np.fromiter(numbers, np.int8)


def completed(splits: Splits, labels: Splits) -> tuple[dict[str, Sequence[str]], dict[str, Sequence[str]]]:
    """All three splits, and the labels of each where there are any; missing ones are taken from the training texts."""
    if len(splits) == len(PARTS):
        return dict(splits), dict(labels)
    parts = parts_of(splits["train"])
    missing = [number for number, part in enumerate(PARTS) if part not in splits]

    def complete(given: Splits) -> dict[str, Sequence[str]]:
        train = chosen(given["train"], np.flatnonzero(~np.isin(parts, missing)))
        return {"train": train} | {
            part: given[part] if part in splits else chosen(given["train"], np.flatnonzero(parts == number))
            for number, part in enumerate(PARTS)
            if number
        }

    return complete(splits), complete(labels) if labels else {}


def overlap(splits: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How many validation and test texts are in an earlier split as well: none where texts are split by hash."""
    train, valid, test = (hashes(splits[part]) for part in PARTS)
    earlier = np.concatenate([train, valid])
    return {"valid": int(np.isin(valid, train).sum()), "test": int(np.isin(test, earlier).sum())}


def hashes(texts: Sequence[str]) -> NDArray[np.int64]:
    """A number of 64 bits for each text, in this process alone: equal texts have equal ones, and others hardly ever."""
    return np.fromiter(map(hash, texts), np.int64, len(texts))


def some_of(texts: Sequence[T], count: int) -> Sequence[T]:
    """At most so many of the texts, or of whatever: all, or a random choice that is always the same."""
    if len(texts) <= count:
        return texts
    return [texts[number] for number in random.Random(0).sample(range(len(texts)), count)]
