"""Models to hand on: a folder, or a repository of the Hugging Face hub, with weights, tokenizer and a model card.

config.json, generator.safetensors, tokenizer.model, perhaps discriminator.safetensors, and README.md. Nothing in it is
executed when it is loaded."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from seqgan import __version__
from seqgan.algorithms.components import Components, MakeDiscriminator, MakePolicy
from seqgan.algorithms.configs import SeqGANConfig
from seqgan.algorithms.mle import new_policy
from seqgan.algorithms.opponent import new_discriminator
from seqgan.core import checkpoint, files, outputs, schema
from seqgan.core.bounds import MAKER, PLACE_NAME, checked
from seqgan.core.report import Row, as_cell, markdown, metrics_of
from seqgan.errors import CheckpointError, RunError, UsageError, quoted, why
from seqgan.model import TextModel
from seqgan.runs import MODEL_FIELDS, load_tokenizer, model_json, own_parts_given, run_config

FILES = ["config.json", "tokenizer.model", "*.safetensors"]
POLICY, DISCRIMINATOR = "generator.safetensors", "discriminator.safetensors"


def save_pretrained(
    model: TextModel, folder: Path, facts: Mapping[str, Any] | None = None, *, overwrite: bool = False
) -> Path:
    """Write a model and its card into a folder; `facts` are what the card tells of its training (`card`).

    Raises:
        UsageError: the folder holds something already; `overwrite` replaces a saved model, and nothing else.
        StorageError: the folder cannot be written."""
    refuse_taken(folder, overwrite)
    files.make_folder(folder)
    weights = {POLICY: _weights(model.policy)}
    if model.discriminator is not None:
        weights[DISCRIMINATOR] = _weights(model.discriminator)
    contents = {
        "config.json": model_json(model.about, weights),
        "tokenizer.model": model.tokenizer.model,
        "README.md": card(model, facts or {}).encode(),
        **weights,
    }
    for name, data in contents.items():
        outputs.writer(folder / name, overwrite=overwrite)(data)
    if DISCRIMINATOR not in weights and (folder / DISCRIMINATOR).exists():
        files.remove(folder / DISCRIMINATOR)  # of a model that was saved here before
    return folder


def refuse_taken(folder: Path, overwrite: bool) -> None:
    """Tell before any work is done that a model cannot be saved in a folder.

    Raises:
        UsageError: it holds something already, or is no folder."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder, but one for the model was expected; name another")
    if (folder / "run.json").exists():
        raise UsageError(f"{folder} is a run directory, which would be damaged; name another folder")
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / POLICY).exists():
            raise UsageError(f"{folder} exists and is no saved model; name another folder")
        if not overwrite:
            raise UsageError(
                f"{folder} holds a saved model already; give --overwrite (overwrite=True), or name another folder"
            )


@checked
def from_pretrained(
    name: Annotated[str | Path, PLACE_NAME],
    *,
    device: torch.device | str = "cpu",
    policy: Annotated[MakePolicy | None, MAKER] = None,
    discriminator: Annotated[MakeDiscriminator | None, MAKER] = None,
) -> TextModel:
    """A model from a folder that `save_pretrained` wrote, or from the hub (`owner/name`).

    `policy` and `discriminator` are functions of (vocabulary, longest) that make the modules it was trained with,
    where they were someone's own.

    Raises:
        RunError: neither a folder nor to be had from the hub, or trained with a module that is not given.
        CheckpointError: a file is missing, damaged, or does not belong to the others."""
    folder, parts = Path(name) if Path(name).is_dir() else _from_hub(str(name)), Components(policy, discriminator)
    path = folder / "config.json"
    try:
        about = schema.read(path, CheckpointError, "is this a saved model?")
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing; is this a saved model?") from error
    if about.get("package") != "seqgan" or about.get("format") != schema.FORMAT:
        raise CheckpointError(f"{path} is not of a seqgan model of format {schema.FORMAT}")
    schema.check(path, about, MODEL_FIELDS, CheckpointError)
    own_parts_given(folder, about, parts, ["policy", "discriminator"])
    tokenizer, config = load_tokenizer(folder, about), run_config(path, about)
    sizes = (len(tokenizer), about["max_length"])
    made, judge = new_policy(config, *sizes, parts.policy), None
    if (folder / DISCRIMINATOR).exists():
        if parts.discriminator is None and not isinstance(config, SeqGANConfig):
            raise CheckpointError(
                f"{path}: algorithm {quoted(about['algorithm'])} has no discriminator, but one lies beside it"
            )
        judge = new_discriminator(config, *sizes, parts)  # type: ignore[arg-type]
    _fill(made, folder / POLICY, about)
    if judge is not None:
        _fill(judge, folder / DISCRIMINATOR, about)
        judge.to(device).eval()
    return TextModel(made.to(device), tokenizer, judge, about)


def _weights(module: torch.nn.Module) -> bytes:
    return save({name: tensor.cpu().clone().contiguous() for name, tensor in module.state_dict().items()})


def _fill(module: torch.nn.Module, path: Path, about: Mapping[str, Any]) -> None:
    """Load weights into a module, if they are those that the model was saved with, and fit."""
    try:
        data = path.read_bytes()
        weights = load(data)
        checkpoint.check(weights, module)
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(
            f"{path} is missing, damaged, or of another model ({why(error)}); restore it from a copy"
        ) from error
    known = (about.get("files") or {}).get(path.name)  # models of the first version have none
    if known not in (None, hashlib.sha256(data).hexdigest()):
        raise CheckpointError(f"{path} is not what the model was saved with (another sha256); restore it from a copy")
    if broken := checkpoint.first_broken(weights):
        raise CheckpointError(
            f"{path}: the tensor {broken} holds NaN or infinite values, but finite ones were expected; restore it from "
            "a copy"
        )
    module.load_state_dict(weights)


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, HTTPError  # type: ignore[attr-defined]

    try:
        return Path(snapshot_download(name, etag_timeout=5, allow_patterns=FILES))
    except (HFValidationError, HTTPError, OSError) as error:
        reason = why(error)
        raise RunError(
            f"{name} is no folder, and cannot be had from the hub either ({reason}); "
            "give the folder of a saved model, or check the name and the connection"
        ) from None


def card(model: TextModel, facts: Mapping[str, Any]) -> str:
    """The model card: what the model is, what it was trained on, its numbers with their signatures, how to use it.

    `facts` may hold `corpus` (the provenance), `rows` (an evaluation), `notes` (lines of text), `samples` (texts) and
    `license` (the hub's identifier)."""
    corpus, algorithm = facts.get("corpus", {}), model.about.get("algorithm", "seqgan")
    split = ", ".join(f"{count} {part}" for part, count in corpus.get("split", {}).items())
    trained_on = (
        f"{corpus.get('name')} ({split} texts; sha256 {corpus.get('sha256', '')[:16]}...)." if corpus else "Not told."
    )
    return CARD.format(
        tags=", ".join(dict.fromkeys(["seqgan", algorithm, "text-gan"])),
        algorithm=algorithm,
        version=__version__,
        kind=type(model.policy).__name__,
        vocab_size=len(model.tokenizer),
        tokenizer=model.tokenizer.kind,
        max_length=model.policy.max_length,
        trained_on=trained_on,
        numbers=_as_markdown(facts.get("rows", {})),
        notes="\n".join(facts.get("notes", [])),
        license=json.dumps(facts.get("license", "unknown"), ensure_ascii=False),
        samples="\n".join(f"    {' '.join(text.split())}" for text in facts.get("samples", [])) or "None.",
    )


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

Made with seqgan {version}: a policy ({kind}) over a vocabulary of {vocab_size} ({tokenizer}), which writes texts of at
most {max_length} tokens.

```python
import seqgan

model = seqgan.from_pretrained("this folder, or its name on the hub")
print(model.generate(10, temperature=0.8))
```

Texts of it, as they come:

{samples}

## Trained on

{trained_on}

## Measured

{numbers}

{notes}

It writes what resembles its training texts. What it says is nobody's opinion, and need not be true.
"""
