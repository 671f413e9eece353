"""Texts from a dataset of the Hugging Face hub, `hf:owner/name[/config][:column]`; used only where it is named."""

from typing import NamedTuple

from seqgan.core.config import nearest
from seqgan.core.hub import PREFIX, Dataset, dataset_of, load_dataset
from seqgan.data.readers import choose_column, one_line
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
    column = address.column or text_column or choose_column(name, found["train"].column_names)
    for rows in found.values():
        if column not in rows.column_names:
            raise CorpusError(f"{name}: there is no column {column!r}{nearest(column, rows.column_names)}")
    return {split: _texts(name, column, rows.select_columns([column])[:][column]) for split, rows in found.items()}


def _texts(name: str, column: str, values: list[object]) -> list[str]:
    for number, value in enumerate(values, start=1):
        if value is not None and not isinstance(value, str):
            raise CorpusError(f"{name}, record {number}: {column} is {str(value)[:40]!r}, which is no text")
    return [one_line(value) for value in values if isinstance(value, str) and value.strip()]
