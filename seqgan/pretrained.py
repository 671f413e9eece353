"""Saved models: a folder, or a repository of the Hugging Face hub, with weights, tokenizer and a model card.

config.json, generator.safetensors, tokenizer.model, perhaps discriminator.safetensors, and README.md. Loading
executes nothing of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any

import torch

from seqgan import __version__
from seqgan.algorithms.components import Components
from seqgan.algorithms.configs import AdversarialConfig
from seqgan.core.bounds import MAKER, PATH_NAME, checked
from seqgan.core.pretrained import (
    data_licence,
    description_json,
    folder_of,
    numbers,
    read_description,
    read_weights,
    refuse_taken,
    write_model,
)
from seqgan.core.weights import as_safetensors
from seqgan.data.texts import printed
from seqgan.errors import CheckpointError, quoted
from seqgan.model import TextModel
from seqgan.models.factory import MakeDiscriminator, MakePolicy, new_discriminator, new_policy
from seqgan.runs import MODEL_FIELDS, load_tokenizer, refuse_missing, run_config

FILES = ["config.json", "tokenizer.model", "*.safetensors"]
WEIGHTS = POLICY, DISCRIMINATOR = "generator.safetensors", "discriminator.safetensors"


def save_pretrained(
    model: TextModel, folder: Path, facts: Mapping[str, Any] | None = None, *, overwrite: bool = False
) -> Path:
    """Write a model and its card into a folder; `facts` are what the card reports of its training (`card`).

    Raises:
        UsageError: the folder holds something already; `overwrite` replaces a saved model, and nothing else.
        StorageError: the folder cannot be written."""
    refuse_taken(folder, POLICY, overwrite=overwrite)
    weights = {POLICY: as_safetensors(model.policy.state_dict())}
    if model.discriminator is not None:
        weights[DISCRIMINATOR] = as_safetensors(model.discriminator.state_dict())
    contents = {
        "config.json": model_json(model.about, weights),
        "tokenizer.model": model.tokenizer.model,
        "README.md": card(model, facts or {}).encode(),
        **weights,
    }
    return write_model(folder, contents, overwrite=overwrite)


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
    folder = folder_of(str(name), FILES)
    components, path = Components(policy, discriminator), folder / "config.json"
    about = read_description(path, "seqgan", MODEL_FIELDS)
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
        made[DISCRIMINATOR] = new_discriminator(config, made[POLICY], discriminator)
    for file, module in made.items():
        module.load_state_dict(read_weights(folder / file, about["files"].get(file), module))
        module.to(device)
    if DISCRIMINATOR in made:
        made[DISCRIMINATOR].eval()
    return TextModel(made[POLICY], tokenizer, made.get(DISCRIMINATOR), about)


def model_json(about: Mapping[str, Any], weights: Mapping[str, bytes]) -> bytes:
    """config.json of a model with these weights."""
    return description_json({name: about[name] for name in ("package", "vocab_size", *MODEL_FIELDS)}, weights)


def card(model: TextModel, facts: Mapping[str, Any]) -> str:
    """The model card: what the model is, what it was trained on, its numbers with their signatures, how to use it.

    `facts` may hold `corpus` (the provenance), `corpus_licence`, `rows` (an evaluation), `notes` (lines of text),
    `samples` (texts) and `license` (the hub's identifier)."""
    corpus, algorithm = facts.get("corpus", {}), model.about.get("algorithm", "seqgan")
    split = ", ".join(f"{count} {part}" for part, count in corpus.get("split", {}).items())
    trained_on = (
        f"{corpus.get('name')} ({split} texts; sha256 {corpus.get('sha256', '')[:16]}...). "
        + data_licence("texts", facts.get("corpus_licence"))
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
        numbers=numbers(facts.get("rows", {})),
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
