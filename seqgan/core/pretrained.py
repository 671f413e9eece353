"""Saved models of both packages: a folder, or a repository of the Hugging Face hub, with config.json, weights as
safetensors, and a model card. Loading executes nothing of it."""

import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from seqgan.core import checkpoint, files, outputs, schema
from seqgan.core.bounds import TEXT, YES_NO, checked
from seqgan.core.report import Rows, as_cell, markdown, metrics_of
from seqgan.errors import CheckpointError, RunError, UsageError, quoted, why


def refuse_taken(folder: Path, weights: str, *, overwrite: bool) -> None:
    """Refuse a folder before any work is done; `weights` is a file that every saved model has.

    Raises:
        UsageError: it holds something already (`overwrite` replaces a saved model, and nothing else), or is a file."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file, but a folder for the model was expected; name another")
    if (folder / "run.json").exists():
        raise UsageError(f"{folder} is a run directory, which would be damaged; name another folder")
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / weights).exists():
            raise UsageError(f"{folder} exists and holds no saved model; name another folder")
        if not overwrite:
            raise UsageError(
                f"{folder} holds a saved model already; give --overwrite (overwrite=True), or name another folder"
            )


def write_model(folder: Path, contents: Mapping[str, bytes], *, overwrite: bool) -> Path:
    """Write a model's files into a folder; no weights of a model that it replaces stay.

    Raises:
        UsageError: a file exists already.
        StorageError: the folder cannot be written."""
    before: Any = {}
    with suppress(FileNotFoundError, CheckpointError):
        before = schema.read(folder / "config.json", CheckpointError, "").get("files")
    for name, data in contents.items():
        files.make_folder((folder / name).parent)
        outputs.writer(folder / name, overwrite=overwrite)(data)
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*.safetensors")}  # whatever config.json says
    for name in sorted(there & set(before if schema.WORDS.holds(before) else ()) - set(contents)):
        files.remove(folder / name)
    return folder


def folder_of(name: str, patterns: Sequence[str]) -> Path:
    """The folder of this name, or one with these files of a repository of the hub.

    Raises:
        RunError: there is neither."""
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, HTTPError  # type: ignore[attr-defined]

    try:
        return Path(snapshot_download(name, etag_timeout=5, allow_patterns=list(patterns)))
    except (HFValidationError, HTTPError, OSError) as error:
        raise RunError(
            f"{name} is no folder, and the hub does not give it either ({why(error)}); "
            "give the folder of a saved model, or check the name and the connection"
        ) from None


def push(name: str, save: Callable[[Path], Path], *, private: bool = False) -> str:
    """Upload a saved model to a repository of the hub, in one commit that removes the weights of a model before it.

    `save` writes it into a folder and returns where it is; it is called once the repository is there, so that a wrong
    name or a missing login is known before anything is measured. The address of the repository is returned.

    Raises:
        UsageError: the name is not owner/name.
        RunError: the hub refuses the login or the model, or cannot be reached."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, HTTPError  # type: ignore[attr-defined]
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if name.count("/") != 1:
        raise UsageError(f"{quoted(name)} is no repository of the hub; a name as owner/name was expected")
    if not sys.stderr.isatty():
        disable_progress_bars()
    api = HfApi()
    try:
        address = api.create_repo(name, private=private, exist_ok=True)
        with TemporaryDirectory() as place:
            api.upload_folder(
                repo_id=name,
                folder_path=save(Path(place) / "model"),
                commit_message="Upload model",
                allow_patterns=["*.json", "*.safetensors", "*.model", "*.md", "*.png"],
                delete_patterns=["*.safetensors"],
            )
    except HFValidationError as error:
        raise UsageError(f"{quoted(name)} is no repository of the hub ({why(error)})") from None
    except (HTTPError, OSError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        advice = "log in by `hf auth login`, or set HF_TOKEN to a token that may write there"
        instead = advice if status in (401, 403) else "check the name" if status else "check the connection"
        refused = f"the hub does not take {name}" if status else f"the hub cannot be reached, so {name} is not uploaded"
        raise RunError(f"{refused} ({why(error)}); {instead}") from None
    return str(address)


class Shareable:
    """A run whose model can be handed on."""

    model: Callable[..., Any]
    save_pretrained: Callable[..., Path]

    @checked
    def push_to_hub(
        self,
        name: Annotated[str, TEXT],
        *,
        stage: str | int = "final",
        license: Annotated[str, TEXT] = "unknown",
        private: Annotated[bool, YES_NO] = False,
    ) -> str:
        """Save the model of a stage as `save_pretrained` does, in the repository owner/name of the Hugging Face hub,
        and return its address. The repository is made where there is none; `private` makes it a private one.

        Raises:
            UsageError: the name is not owner/name.
            RunError: there is no such stage, the hub refuses the login or the model, or it cannot be reached."""
        self.model(stage)  # refused before a repository is made
        return push(name, partial(self.save_pretrained, stage=stage, license=license), private=private)


def read_description(path: Path, package: str, fields: Mapping[str, schema.Field]) -> dict[str, Any]:
    """What config.json says of a model.

    Raises:
        CheckpointError: it is missing, damaged, or of another package or format."""
    try:
        about = schema.read(path, CheckpointError, "is this a saved model?")
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing; is this a saved model?") from error
    if about.get("package") != package or about.get("format") != schema.FORMAT:
        raise CheckpointError(
            f"{path} is of {quoted(about.get('package'))}, format {quoted(about.get('format'))}; a model of {package} "
            f"of format {schema.FORMAT} was expected: train and save it again"
        )
    schema.check(path, about, {**fields, "files": schema.WORDS}, CheckpointError)
    return about


def description_json(about: Mapping[str, Any], weights: Mapping[str, bytes]) -> bytes:
    """config.json: what is needed to build a model again, and the sha256 of each file of weights; with a checksum."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in weights.items()}
    return schema.json_bytes(schema.with_checksum({"format": schema.FORMAT, **about, "files": hashes}))


def read_weights(path: Path, sha256: str | None, module: torch.nn.Module | None = None) -> dict[str, torch.Tensor]:
    """
    Raises:
        CheckpointError: they are not those that were saved, or do not fit the module."""
    try:
        data = path.read_bytes()
        weights = load(data)
        if module is not None:
            checkpoint.check(weights, module)
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(
            f"{path} is missing, damaged, or of another model ({why(error)}); restore it from a copy"
        ) from error
    if sha256 != hashlib.sha256(data).hexdigest():
        raise CheckpointError(f"{path} is not what was saved there (another sha256); restore it from a copy")
    if broken := checkpoint.first_broken(weights):
        raise CheckpointError(
            f"{path}: the tensor {broken} holds NaN or infinite values, but finite ones were expected; restore it from "
            "a copy"
        )
    return weights


def data_licence(what: str, licence: str | None) -> str:
    """For a model card: under which licence its training data are."""
    if licence:
        return f"Licence of the {what}: {licence}."
    return f"The licence of the {what} is not recorded; look it up before you share the model."


def numbers(rows: Rows) -> str:
    """For a model card: a line for each number, a column for each row, and the signature (of the first row that has
    the number)."""
    if not rows:
        return "Nothing was measured."
    lines = []
    for name in metrics_of(rows):
        found = [row.get(name) for row in rows.values()]
        signature = next(number.signature for number in found if number)
        lines.append([name, *map(as_cell, found), f"`{signature.replace('|', ' ')}`"])
    return markdown(["", *rows, "signature"], lines)
