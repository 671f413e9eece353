"""From a run to pictures."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from imagegan.data import Images
from imagegan.game import Game
from imagegan.nets import Code, Pictures
from imagegan.pyramid import Pyramid
from imagegan.training import new_model, understood
from seqgan.core import checkpoint
from seqgan.core.run import checkpoints
from seqgan.errors import CheckpointError, RunError, UsageError

AT_A_TIME = 500


def load_model(folder: Path, device: torch.device) -> Game | Pyramid:
    """The newest state of a run.

    Raises:
        RunError: it is no run of this package, or has no state yet.
        CheckpointError: its state is damaged, or belongs to another run."""
    description, config, shape = understood(folder)
    found = list(checkpoints(folder).values())
    if not found:
        raise RunError(f"{folder} has learned nothing yet; go on with imagegan train --resume {folder}")
    saved = checkpoint.load(found[-1])
    if saved.get("run") != description["id"]:
        raise CheckpointError(f"{found[-1]} does not belong to the run {folder}: it was saved by {saved.get('run')}")
    # Not an image of the data is needed, but the networks want to know their shape.
    nothing = torch.zeros(1, shape.channels, shape.size, shape.size)
    model = new_model(
        description["algorithm"],
        config,
        Images(nothing, torch.zeros(1, dtype=torch.long), torch.zeros(1, 5)),
        shape,
        device,
        description["seed"],
    )
    try:
        model.load_state_dict(saved["algorithm"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{found[-1]} does not belong to the run {folder}: {reason}") from error
    return model


def generate(
    model: Game | Pyramid, count: int, seed: int, label: int | None = None, code: Sequence[float] | None = None
) -> Pictures:
    """Pictures that depend on the seed alone: of one class, with one code, or of all in turn.

    Raises:
        UsageError: the model knows no such class or code."""
    rows = _codes(model, count, seed, label, code)
    parts = [
        model.sample(len(part), derived, part).cpu()
        for derived, part in enumerate(rows.split(AT_A_TIME), start=seed * 1_000_003)
    ]
    return torch.cat(parts)


def _codes(model: Game | Pyramid, count: int, seed: int, label: int | None, code: Sequence[float] | None) -> Code:
    known, labelled = model.recipe.code, model.recipe.labelled
    rng = torch.Generator(model.device).manual_seed(seed)
    if label is not None:
        if not labelled:
            raise UsageError("this model was not told classes, so it cannot draw one; leave out --class")
        _among(label, known.categories, "class")
        return known.join(torch.full((count,), label, device=model.device), torch.zeros(count, 0, device=model.device))
    if code is None:
        return known.in_turn(count, model.device, rng)
    if labelled or not known.size:
        raise UsageError("this model has no code; leave out --code" + (", or give --class" if labelled else ""))
    if len(code) != known.continuous + bool(known.categories):
        parts = ["a category"] * bool(known.categories) + [f"{known.continuous} numbers in [-1, 1]"]
        raise UsageError(f"--code has {len(code)} values, but {' and '.join(parts)} were expected")
    category = int(code[0]) if known.categories else 0
    if known.categories:
        if category != code[0]:
            raise UsageError(f"--code begins with {code[0]}, but a category was expected: a whole number")
        _among(category, known.categories, "category")
    numbers = torch.tensor(list(code)[bool(known.categories) :], device=model.device)
    return known.join(torch.full((count,), category, device=model.device), numbers.float().expand(count, -1))


def _among(value: int, count: int, what: str) -> None:
    if not 0 <= value < count:
        raise UsageError(f"there is no {what} {value}; this model knows 0 to {count - 1}")


def npz(pictures: Pictures) -> bytes:
    """Pictures as bytes 0 to 255, N x S x S x C, under the name `images`."""
    buffer = io.BytesIO()
    values = ((pictures.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).contiguous()
    np.savez_compressed(buffer, images=values.numpy())
    return buffer.getvalue()
