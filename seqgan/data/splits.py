"""Train, valid and test splits by a hash of each text, and a check for texts that are in two of them."""

import hashlib
import random
from collections.abc import Mapping, Sequence

FEWEST_TEXTS = 20  # to train, validate and test with


def part_of(text: str) -> str:
    """The split a text belongs to, by its hash alone."""
    digit = int.from_bytes(hashlib.sha256(b"seqgan split 1|" + text.encode()).digest()[:8], "big") % 10
    return "valid" if digit == 8 else "test" if digit == 9 else "train"


def split(texts: Sequence[str]) -> dict[str, list[str]]:
    """80 % train, 10 % valid, 10 % test, by a hash of the text: adding a text moves no other."""
    parts: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for text in texts:
        parts[part_of(text)].append(text)
    return parts


def completed(splits: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """All three splits; missing ones are taken from the training texts."""
    cut = split(splits["train"])
    missing = {"valid", "test"} - splits.keys()
    train = [text for text in splits["train"] if part_of(text) not in missing] if missing else splits["train"]
    return {"train": train, **{part: splits.get(part, cut[part]) for part in ("valid", "test")}}


def overlap(splits: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How many validation and test texts are in an earlier split as well: none where texts are split by hash."""
    train, valid = set(splits["train"]), set(splits["valid"])
    return {
        "valid": sum(text in train for text in splits["valid"]),
        "test": sum(text in train or text in valid for text in splits["test"]),
    }


def some_of(texts: Sequence[str], count: int) -> Sequence[str]:
    """At most so many of the texts: all, or a random choice that is always the same."""
    return texts if len(texts) <= count else random.Random(0).sample(texts, count)
