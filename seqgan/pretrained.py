"""Saved models: a folder, or a repository of the Hugging Face hub, with weights, tokenizer and a model card.

config.json, generator.safetensors, tokenizer.model, perhaps discriminator.safetensors, and README.md. Loading
executes nothing of it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from seqgan import __version__
from seqgan.algorithms.components import Components
from seqgan.algorithms.configs import AdversarialConfig
from seqgan.core import checkpoint, files, outputs, schema
from seqgan.core.bounds import MAKER, PATH_NAME, checked
from seqgan.core.report import Row, as_cell, markdown, metrics_of
from seqgan.core.weights import as_safetensors
from seqgan.data.texts import printed
from seqgan.errors import CheckpointError, RunError, UsageError, quoted, why
from seqgan.model import TextModel
from seqgan.models.factory import MakeDiscriminator, MakePolicy, new_discriminator, new_policy
from seqgan.runs import MODEL_FIELDS, load_tokenizer, refuse_missing, run_config

FILES = ["config.json", "tokenizer.model", "*.safetensors"]
WEIGHTS = POLICY, DISCRIMINATOR = "generator.safetensors", "discriminator.safetensors"
FIELDS = {**MODEL_FIELDS, "files": schema.WORDS}


def save_pretrained(
    model: TextModel, folder: Path, facts: Mapping[str, Any] | None = None, *, overwrite: bool = False
) -> Path:
    """Write a model and its card into a folder; `facts` are what the card reports of its training (`card`).

    Raises:
        UsageError: the folder holds something already; `overwrite` replaces a saved model, and nothing else.
        StorageError: the folder cannot be written."""
    refuse_taken(folder, overwrite)
    files.make_folder(folder)
    weights = {POLICY: as_safetensors(model.policy.state_dict())}
    if model.discriminator is not None:
        weights[DISCRIMINATOR] = as_safetensors(model.discriminator.state_dict())
    contents = {
        "config.json": model_json(model.about, weights),
        "tokenizer.model": model.tokenizer.model,
        "README.md": card(model, facts or {}).encode(),
        **weights,
    }
    for name, data in contents.items():
        outputs.writer(folder / name, overwrite=overwrite)(data)
    if DISCRIMINATOR not in weights and (folder / DISCRIMINATOR).exists():
        files.remove(folder / DISCRIMINATOR)  # of the replaced model
    return folder


def refuse_taken(folder: Path, overwrite: bool) -> None:
    """Refuse a folder before any work is done.

    Raises:
        UsageError: it holds something already, or is a file."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file, but a folder for the model was expected; name another")
    if (folder / "run.json").exists():
        raise UsageError(f"{folder} is a run directory, which would be damaged; name another folder")
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / POLICY).exists():
            raise UsageError(f"{folder} exists and holds no saved model; name another folder")
        if not overwrite:
            raise UsageError(
                f"{folder} holds a saved model already; give --overwrite (overwrite=True), or name another folder"
            )


@checked
def from_pretrained(
    name: Annotated[str | Path, PATH_NAME],
    *,
    device: torch.device | str = "cpu",
    policy: Annotated[MakePolicy | None, MAKER] = None,
    discriminator: Annotated[MakeDiscriminator | None, MAKER] = None,
) -> TextModel:
    """A model from a folder that `save_pretrained` wrote, or from the hub (`owner/name`).

    `policy` and `discriminator` are functions of (vocab_size, max_length) that make the custom modules it was trained
    with, if any.

    Raises:
        RunError: neither a folder nor on the hub, or trained with a module that is not given.
        CheckpointError: a file is missing, damaged, or does not belong to the others."""
    folder = Path(name) if Path(name).is_dir() else _from_hub(str(name))
    components, path = Components(policy, discriminator), folder / "config.json"
    try:
        about = schema.read(path, CheckpointError, "is this a saved model?")
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing; is this a saved model?") from error
    if about.get("package") != "seqgan" or about.get("format") != schema.FORMAT:
        raise CheckpointError(
            f"{path} is of {quoted(about.get('package'))}, format {quoted(about.get('format'))}; a model of seqgan of "
            f"format {schema.FORMAT} was expected: train and save it again"
        )
    schema.check(path, about, FIELDS, CheckpointError)
    refuse_missing(folder, about, components, ["policy", "discriminator"])
    tokenizer, config = load_tokenizer(folder, about), run_config(path, about)
    sizes, made = (len(tokenizer), about["max_length"]), dict[str, Any]()
    labels = tuple(about["labels"].values())
    made[POLICY] = new_policy(config, *sizes, policy, labels)
    if (folder / DISCRIMINATOR).exists():
        if discriminator is None and not isinstance(config, AdversarialConfig):
            raise CheckpointError(
                f"{path}: algorithm {quoted(about['algorithm'])} has no discriminator, but one lies beside it"
            )
        made[DISCRIMINATOR] = new_discriminator(config, *sizes, components.discriminator, len(labels))
    for file, module in made.items():
        module.load_state_dict(read_weights(folder / file, about["files"].get(file), module))
        module.to(device)
    if DISCRIMINATOR in made:
        made[DISCRIMINATOR].eval()
    return TextModel(made[POLICY], tokenizer, made.get(DISCRIMINATOR), about)


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


def model_json(about: Mapping[str, Any], weights: Mapping[str, bytes]) -> bytes:
    """config.json: what is needed to build a model again, and the sha256 of each file of weights; with a checksum."""
    known = {name: about[name] for name in ("package", "vocab_size", *MODEL_FIELDS)}
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in weights.items()}
    return schema.json_bytes(schema.with_checksum({"format": schema.FORMAT, **known, "files": hashes}))


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, HTTPError  # type: ignore[attr-defined]

    try:
        return Path(snapshot_download(name, etag_timeout=5, allow_patterns=FILES))
    except (HFValidationError, HTTPError, OSError) as error:
        reason = why(error)
        raise RunError(
            f"{name} is no folder, and the hub does not give it either ({reason}); "
            "give the folder of a saved model, or check the name and the connection"
        ) from None


def card(model: TextModel, facts: Mapping[str, Any]) -> str:
    """The model card: what the model is, what it was trained on, its numbers with their signatures, how to use it.

    `facts` may hold `corpus` (the provenance), `rows` (an evaluation), `notes` (lines of text), `samples` (texts) and
    `license` (the hub's identifier)."""
    corpus, algorithm = facts.get("corpus", {}), model.about.get("algorithm", "seqgan")
    split = ", ".join(f"{count} {part}" for part, count in corpus.get("split", {}).items())
    trained_on = (
        f"{corpus.get('name')} ({split} texts; sha256 {corpus.get('sha256', '')[:16]}...)."
        if corpus
        else "Not recorded."
    )
    return CARD.format(
        tags=", ".join(dict.fromkeys(["seqgan", algorithm, "text-gan"])),
        algorithm=algorithm,
        version=__version__,
        kind=type(model.policy).__name__,
        vocab_size=len(model.tokenizer),
        tokenizer=model.tokenizer.kind,
        max_length=model.policy.max_length,
        labels=_labels(model),
        trained_on=trained_on,
        numbers=_as_markdown(facts.get("rows", {})),
        notes="\n".join(facts.get("notes", [])),
        license=json.dumps(facts.get("license", "unknown"), ensure_ascii=False),
        samples=indent(printed(facts.get("samples", []), several_lines=False)[0].strip("\n"), "    ") or "None.",
    )


def _labels(model: TextModel) -> str:
    if not model.labels:
        return ""
    names = ", ".join(f"`{label}`" for label in model.labels)
    example = f"`model.generate(10, label={model.labels[0]!r})`"
    return f"\nIts texts are conditioned on a label, one of {names}: {example}; else labels are drawn by frequency.\n"


def _as_markdown(rows: Mapping[str, Row]) -> str:
    """A line for each number, a column for each row, and the signature (of the first row that has the number)."""
    if not rows:
        return "Nothing was measured."
    lines = []
    for name in metrics_of(rows):
        found = [row.get(name) for row in rows.values()]
        signature = next(number.signature for number in found if number)
        lines.append([name, *map(as_cell, found), f"`{signature.replace('|', ' ')}`"])
    return markdown(["", *rows, "signature"], lines)


CARD = """---
library_name: seqgan
pipeline_tag: text-generation
tags: [{tags}]
license: {license}
---

# A text generator trained by {algorithm}

Made with seqgan {version}: a policy ({kind}) over a vocabulary of {vocab_size} ({tokenizer}), for texts of at
most {max_length} tokens.

```python
import seqgan

model = seqgan.from_pretrained("this folder, or its name on the hub")
print(model.generate(10, temperature=0.8))
```
{labels}
Samples, not selected:

{samples}

## Trained on

{trained_on}

## Measured

{numbers}

{notes}

Its texts resemble the training texts; they are not facts, and nobody's opinion.
"""
