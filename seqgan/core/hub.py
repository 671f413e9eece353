"""Datasets of the Hugging Face hub, `hf:owner/name[/config]`; reached only where such a name is given."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from seqgan.errors import SeqGANError, quoted

PREFIX = "hf:"
SECONDS = 5.0  # to wait for an answer


class Dataset(NamedTuple):
    """Where a dataset is on the hub."""

    name: str  # owner/name
    config: str | None


def dataset_of(path: str, name: str, forms: str, error: type[SeqGANError]) -> Dataset:
    """Take `owner/name[/config]` apart; `name` is the whole address as given, `forms` the forms it may have.

    Raises:
        error: it has another form."""
    parts = path.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise error(f"{quoted(name)} is no address of a dataset; {forms} was expected")
    return Dataset("/".join(parts[:2]), parts[2] if len(parts) == 3 else None)


def load_dataset(dataset: Dataset, name: str, instead: str, error: type[SeqGANError]) -> Mapping[str, Any]:
    """Every split of a dataset; `instead` is the alternative that the message offers.

    Raises:
        error: the hub cannot be reached (within seconds), or has no such dataset or config."""
    import datasets
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import OfflineModeIsEnabled, RepositoryNotFoundError

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    try:
        with suppress(OfflineModeIsEnabled):  # a copy from an earlier time may still be there
            HfApi().dataset_info(dataset.name, timeout=SECONDS)  # does not retry for minutes
        patience = datasets.DownloadConfig(max_retries=1)
        loaded: Mapping[str, Any] = datasets.load_dataset(dataset.name, dataset.config, download_config=patience)
    except (RepositoryNotFoundError, DatasetNotFoundError) as reason:
        raise error(f"the hub has no public dataset for {name}; look for it on huggingface.co/datasets") from reason
    except Exception as reason:  # the hub, its client and the reader of the data each have errors of their own
        first = (str(reason).strip().splitlines() or [type(reason).__name__])[0][:120]
        raise error(
            f"cannot get {name} from the hub ({first}); check the address and the connection, or give {instead}"
        ) from reason
    return loaded
