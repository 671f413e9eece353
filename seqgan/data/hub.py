"""Texts from a dataset of the Hugging Face hub, `hf:owner/name[/config][:column]`; used only where it is named."""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

from seqgan.core.config import nearest
from seqgan.core.hub import PREFIX, Dataset, dataset_of, load_dataset
from seqgan.data.labels import label_of
from seqgan.data.readers import text_of
from seqgan.data.tables import choose_column, value_at
from seqgan.errors import CorpusError

__all__ = ["PREFIX", "parse", "read_hub"]

NAMES = {"train": ("train",), "valid": ("validation", "valid", "dev"), "test": ("test",)}


class Address(NamedTuple):
    dataset: str  # owner/name
    config: str | None
    column: str | None


def parse(name: str) -> Address:
    """Parse `hf:owner/name[/config][:column]`.

    Raises:
        CorpusError: it has another form."""
    path, _, column = name.removeprefix(PREFIX).partition(":")
    forms = "hf:owner/name, hf:owner/name:column"
    return Address(*dataset_of(path, name, forms, CorpusError), column or None)


def read_hub(
    name: str, text_column: str | None, label_column: str | None = None
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The texts of a dataset and, where a column of them is named, their labels; each by its own splits where it has
    them: train, valid and test, those it lacks left out.

    Raises:
        CorpusError: the hub cannot be reached (within seconds), or has no such dataset, config or column."""
    address = parse(name)
    loaded = load_dataset(Dataset(address.dataset, address.config), name, "a file", CorpusError)
    found = {split: loaded[theirs] for split, names in NAMES.items() for theirs in names if theirs in loaded}
    if "train" not in found:
        found = {"train": next(iter(loaded.values()))}
    rows = found["train"]
    column = address.column or text_column or choose_column(name, rows.features)
    splits, labels = {split: list[str]() for split in found}, {split: list[str]() for split in found}
    for split, rows in found.items():
        of_labels = itertools.repeat(None) if label_column is None else _values(name, label_column, rows)
        for number, (value, label) in enumerate(zip(_values(name, column, rows), of_labels, strict=False), start=1):
            place = f"{name}, record {number}: "
            if text := text_of(value, place + column):
                splits[split].append(text)
                labels[split] += [] if label_column is None else [label_of(label, place + label_column)]
    return splits, labels if label_column is not None else {}


def _values(name: str, column: str, rows: Any) -> Iterator[Any]:
    """The values of a column, which may be nested: `message.text`; of classes, their names."""
    top = column if column in rows.column_names else column.partition(".")[0]
    if top not in rows.column_names:
        raise CorpusError(f"{name}: there is no column {column!r}{nearest(column, rows.column_names)}")
    classes = getattr(rows.features[top], "names", None)
    for number, value in enumerate(rows.select_columns([top])[:][top], start=1):
        if classes and isinstance(value, int):
            yield classes[value] if value >= 0 else None  # -1 stands for no class
        else:
            yield value_at(f"{name}, record {number}", {top: value}, column)
