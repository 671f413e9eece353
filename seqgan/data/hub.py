"""Texts from a dataset of the Hugging Face hub, `hf:owner/name[/config][:column]`; touched only when asked for."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from seqgan.core.config import nearest
from seqgan.data.readers import choose_column, one_line
from seqgan.errors import CorpusError

PREFIX = "hf:"
SECONDS = 5.0  # to wait for a sign of life
NAMES = {"train": ("train",), "valid": ("validation", "valid", "dev"), "test": ("test",)}


class Address(NamedTuple):
    dataset: str  # owner/name
    config: str | None
    column: str | None


def parse(name: str) -> Address:
    """Take `hf:owner/name[/config][:column]` apart.

    Raises:
        CorpusError: it does not look like that."""
    path, _, column = name.removeprefix(PREFIX).partition(":")
    parts = path.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise CorpusError(f"{name!r} is no address of a dataset; hf:owner/name, hf:owner/name:column was expected")
    return Address("/".join(parts[:2]), parts[2] if len(parts) == 3 else None, column or None)


def read_hub(name: str, text_column: str | None) -> dict[str, list[str]]:
    """The texts of a dataset, by its own splits where it has them: train, valid and test, those it lacks left out.

    Raises:
        CorpusError: the hub cannot be reached (within seconds), or has no such dataset, config or column."""
    address = parse(name)
    with _offline_is_told(name):
        import datasets
        from huggingface_hub import HfApi
        from huggingface_hub.errors import OfflineModeIsEnabled

        datasets.disable_progress_bars()
        datasets.logging.set_verbosity(datasets.logging.CRITICAL)
        with suppress(OfflineModeIsEnabled):  # a copy from an earlier time may still be there
            HfApi().dataset_info(address.dataset, timeout=SECONDS)  # a question that does not retry for minutes
        patience = datasets.DownloadConfig(max_retries=1)
        loaded = datasets.load_dataset(address.dataset, address.config, download_config=patience)
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


@contextmanager
def _offline_is_told(name: str) -> Iterator[None]:
    from datasets.exceptions import DatasetNotFoundError, DatasetsError
    from huggingface_hub.errors import HTTPError, RepositoryNotFoundError  # type: ignore[attr-defined]

    try:
        yield
    except (RepositoryNotFoundError, DatasetNotFoundError) as error:
        raise CorpusError(
            f"the hub has no public dataset for {name}; look for it on huggingface.co/datasets"
        ) from error
    except (HTTPError, DatasetsError, OSError, ValueError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        raise CorpusError(
            f"cannot get {name} from the hub ({reason}); check the address and the connection, or give a file"
        ) from error
