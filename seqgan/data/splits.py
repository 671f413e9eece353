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


def completed(
    splits: Mapping[str, list[str]], labels: Mapping[str, list[str]]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """All three splits, and those of the labels; missing ones are taken from the training texts."""
    missing = {"valid", "test"} - splits.keys()
    if not missing:
        return dict(splits), dict(labels)
    parts = list(map(part_of, splits["train"]))

    def complete(given: Mapping[str, list[str]]) -> dict[str, list[str]]:
        cut: dict[str, list[str]] = {"train": [], **{part: given.get(part, []) for part in ("valid", "test")}}
        for each, part in zip(given["train"], parts, strict=True):
            cut[part if part in missing else "train"].append(each)
        return cut

    return complete(splits), complete(labels) if labels else {}


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
