"""What the report of an image run shows: its record, its numbers, samples, classes, and the nearest training images."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from imagegan import training
from imagegan.data import Splits
from imagegan.data.dataset import as_floats
from imagegan.generation import images_of, latents
from imagegan.grids import POINTS, drawn, is_points
from imagegan.metrics.neighbours import nearest_images
from imagegan.model import load_model
from imagegan.pyramid import Model
from imagegan.runs import RunDescription, load_images, read_run
from imagegan.summary import HELD_OUT
from imagegan.variants.configs import PRESETS
from seqgan.core import page
from seqgan.core.files import in_shell
from seqgan.core.report import Row, by_metric, rows_from_json
from seqgan.core.run import checkpoints
from seqgan.errors import RunError

TEMPLATE = Path(__file__).parent / "report.html"
ACROSS, SHOWN, CLASSES, KNOWN = 10, 50, 20, 10_000  # images in a row, in a grid; classes; images among which to look
MOST_OF_GIF = 700_000  # bytes, of all runs together


def report(folders: Sequence[Path], device: torch.device, splits: Splits | None = None) -> bytes:
    """The page of one run, or of several side by side. `splits` are their images, where those are in memory.

    Raises:
        RunError: a folder is not a run of imagegan, or its run.json is damaged."""
    names, most = page.names_of(folders), MOST_OF_GIF // len(folders)
    told = [_about(folder, name, device, splits, most) for folder, name in zip(folders, names, strict=True)]
    return page.whole(TEMPLATE, told, _tables(told))


def _about(folder: Path, name: str, device: torch.device, splits: Splits | None, most: int) -> dict[str, Any]:
    """What the template is told of a run."""
    about = read_run(folder)
    description, config, _ = about
    data, presets = description["data"], PRESETS[description["algorithm"]]
    words = ["--model", description["algorithm"], "--data", data["name"]]
    words += ["--data-dir", data["folder"]] if data["folder"] else []
    told = page.about(folder, name, description, config, presets, words, "data ")
    notes, found, steps = told["notes"], told["found"], max(checkpoints(folder), default=0)
    if stage := found.get("stage"):  # by `imagegan evaluate`
        notes.append(f"The numbers are those of the stage {stage}, {found.get('seed')} being the seed of its samples.")
    if not steps or (found.get("steps") or steps) != steps:
        notes.append(
            f"Training has not ended: {steps} steps so far; go on with: imagegan train --resume {in_shell(folder)}"
        )
    made = partial(_pictures, folder, about, device, splits, notes)
    pictures = page.attempted(notes, made) if steps else None
    return {
        **told,
        "facts": _facts(description),
        "found": page.attempted(notes, lambda: rows_from_json(found.get("rows", {}), folder / "evaluations")) or {},
        "film": page.attempted(notes, lambda: _film(folder, most)) or [],
        **(pictures or {"stages": {}, "classes": [], "pairs": None}),
    }


def _facts(description: Mapping[str, Any]) -> list[tuple[str, str]]:
    data = description["data"]
    size, colours = data["size"], "grey" if data["channels"] == 1 else f"{data['channels']} channels"
    return [
        ("model", description["algorithm"]),
        ("data", f"{data['name']}: {data['count']:,} training images of {size} x {size}, {colours}"),
        *([("classes", ", ".join(data["class_names"][:CLASSES]))] if data["class_names"] else []),
        ("seed", str(description["seed"])),
    ]


def _tables(told: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """One table: a line for each metric, a column for each row of each run."""
    rows: Mapping[str, Row] = told[0]["found"]
    if len(told) > 1:
        rows = page.side_by_side([run["name"] for run in told], [run["found"] for run in told], HELD_OUT)
    return [("samples beside held-out images", *by_metric(rows))] if rows else []


# --- its pictures


def _film(folder: Path, most: int) -> list[page.Picture]:
    """The course of training, where the run has ended."""
    path = folder / "training.gif"
    try:
        return page.animation(path.read_bytes(), most) if path.is_file() else []
    except OSError as error:
        raise RunError(f"{path} is no picture: {error}; train the run to its end to have it again") from error


def _pictures(
    folder: Path, about: RunDescription, device: torch.device, splits: Splits | None, notes: list[str]
) -> dict[str, Any]:
    """Samples of each stage from the same noise, samples of each class, and samples beside their nearest images."""
    model, seed = load_model(folder, device), about.description["seed"]
    splits = splits or page.attempted(notes, lambda: load_images(folder, training.HELD_OUT))
    models = {"final": model}
    unnoted: list[str] = []  # most runs have no best stage, which is nothing to tell
    if best := page.attempted(unnoted, lambda: load_model(folder, device, "best")):
        models = {"final": model, "best on validation images": best}
    real = splits.train.images if splits else None
    stages = {name: _grid(of, seed, real) for name, of in models.items()}
    classes = []
    if model.recipe.conditional:
        for number, name in enumerate(about.class_names[:CLASSES]):
            drawn_of = images_of(model, latents(model, ACROSS, seed, number))
            classes.append((name, page.picture(drawn(drawn_of, ACROSS), 30_000)))
    pairs = _pairs(model, splits, seed) if splits and real is not None and not is_points(real) else None
    return {"stages": stages, "classes": classes, "pairs": pairs}


def _grid(model: Model, seed: int, real: Any) -> page.Picture:
    points = real is not None and is_points(real)
    images = images_of(model, latents(model, POINTS if points else SHOWN, seed))
    return page.picture(drawn(images, ACROSS, real=real))


def _pairs(model: Model, splits: Splits, seed: int) -> page.Picture:
    """Samples in one row, and below each the training image that is nearest to it in pixels."""
    samples = images_of(model, latents(model, ACROSS, seed))
    known = splits.train.images[:KNOWN]
    return page.picture(drawn(torch.cat([samples, as_floats(known[nearest_images(samples, known)])]), ACROSS), 60_000)
