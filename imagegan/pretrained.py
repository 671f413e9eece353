"""Saved models: a folder, or a repository of the Hugging Face hub, with config.json, weights and a model card."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch

from imagegan.data import MADE
from imagegan.grids import POINTS, drawn
from imagegan.history import SHOWN
from imagegan.model import ImageModel, load_model, untrained
from imagegan.runs import FIELDS, described, read_run
from imagegan.summary import summary
from seqgan import __version__
from seqgan.core import pretrained as saved
from seqgan.core.bounds import PATH_NAME, checked
from seqgan.core.folder import is_saved_model
from seqgan.core.plots import png
from seqgan.core.report import Rows
from seqgan.core.weights import as_safetensors
from seqgan.errors import CheckpointError, UsageError

CONFIG = "config.json"
FILES = [CONFIG, "*.safetensors"]


def opened(folder: Path, stage: str, device: torch.device) -> ImageModel:
    """The model of a stage of a run, or of a folder that `save_pretrained` wrote, which has one.

    Raises:
        UsageError: another stage of a saved model."""
    if not is_saved_model(folder):
        return ImageModel(load_model(folder, device, stage), read_run(folder))
    if stage != "final":
        raise UsageError(f"{folder} is a saved model, which has one stage; leave out --stage {stage}")
    return from_pretrained(folder, device=device)


@checked
def from_pretrained(name: Annotated[str | Path, PATH_NAME], *, device: torch.device | str = "cpu") -> ImageModel:
    """A model from a folder that `save_pretrained` wrote, or from the hub (`owner/name`).

    Raises:
        RunError: neither a folder nor on the hub.
        CheckpointError: a file is missing, damaged, or does not belong to the others."""
    folder = saved.folder_of(str(name), FILES)
    path = folder / CONFIG
    about = described(path, saved.read_description(path, "imagegan", FIELDS), CheckpointError)
    model = untrained(about, torch.device(device))
    for file, net in model.files().items():
        net.load_state_dict(saved.read_weights(folder / file, about.description["files"].get(file), net))
    return ImageModel(model, about)


def save_pretrained(
    model: ImageModel, folder: Path, rows: Rows, *, licence: str = "unknown", overwrite: bool = False
) -> Path:
    """Write a model into a folder, with a card of its numbers and a grid of samples.

    Raises:
        UsageError: the folder holds something already; `overwrite` replaces a saved model, and nothing else.
        StorageError: the folder cannot be written."""
    saved.refuse_taken(folder, CONFIG, overwrite=overwrite)
    about = model.about.description
    data = {**about["data"], "folder": None}  # which is of no use elsewhere
    description = {"package": about["package"], **{name: about[name] for name in FIELDS}, "data": data}
    weights = {name: as_safetensors(net.state_dict()) for name, net in model.model.files().items()}
    points = data["size"] == 1
    samples = drawn(model.generate(POINTS if points else SHOWN), real=model.model.images)
    contents = {
        CONFIG: saved.description_json(description, weights),
        "README.md": card(about, rows, licence).encode(),
        "samples.png": png(samples),
        **weights,
    }
    return saved.write_model(folder, contents, overwrite=overwrite)


def card(about: Mapping[str, Any], rows: Rows, licence: str) -> str:
    """The model card: what the model is, what it was trained on, its numbers with their signatures, how to use it."""
    data = about["data"]
    return CARD.format(
        algorithm=about["algorithm"],
        version=__version__,
        data=f"{data['name']}: {data['count']} images of {data['channels']} x {data['size']} x {data['size']}",
        sha256=data["sha256"][:16],
        origin="Drawn by the program." if data["name"] in MADE else saved.data_licence("images", None),
        numbers=saved.numbers(rows),
        notes="\n".join(summary(rows)),
        license=json.dumps(licence, ensure_ascii=False),
    )


CARD = """---
library_name: imagegan
pipeline_tag: unconditional-image-generation
tags: [imagegan, {algorithm}, gan]
license: {license}
---

# An image generator trained by {algorithm}

Made with imagegan {version}.

```python
import imagegan

model = imagegan.from_pretrained("this folder, or its name on the hub")
images = model.generate(16)  # "N C S S" in [-1, 1]
```

Samples, not selected:

![samples](samples.png)

## Trained on

{data} (sha256 {sha256}...). {origin}

## Measured

{numbers}

{notes}
"""
