"""Texts from a dataset of the Hugging Face hub, `hf:owner/name[/config][:column]`; used only where it is named."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from seqgan.core.config import nearest
from seqgan.core.hub import PREFIX, Dataset, dataset_of, load_dataset
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


def read_hub(name: str, text_column: str | None) -> dict[str, list[str]]:
    """The texts of a dataset, by its own splits where it has them: train, valid and test, those it lacks left out.

    Raises:
        CorpusError: the hub cannot be reached (within seconds), or has no such dataset, config or column."""
    address = parse(name)
    loaded = load_dataset(Dataset(address.dataset, address.config), name, "a file", CorpusError)
    found = {split: loaded[theirs] for split, names in NAMES.items() for theirs in names if theirs in loaded}
    if "train" not in found:
        found = {"train": next(iter(loaded.values()))}
    rows = found["train"]
    column = address.column or text_column or choose_column(name, rows.features)
    top = column if column in rows.column_names else column.partition(".")[0]
    return {split: list(_texts(name, column, top, rows)) for split, rows in found.items()}


def _texts(name: str, column: str, top: str, rows: Any) -> Iterator[str]:
    """The texts in a column, perhaps nested in the column `top` of the dataset."""
    if top not in rows.column_names:
        raise CorpusError(f"{name}: there is no column {column!r}{nearest(column, rows.column_names)}")
    for number, value in enumerate(rows.select_columns([top])[:][top], start=1):
        place = f"{name}, record {number}"
        if text := text_of(value_at(place, {top: value}, column), f"{place}: {column}"):
            yield text
