"""Checkpoints: one `torch.save` of tensors and plain Python, read back without executing anything."""

import io
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seqgan.core import files
from seqgan.errors import CheckpointError

FORMAT = 1


def save(path: Path, state: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    files.write(path, buffer.getvalue())


def load(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint strictly: every byte checked, `weights_only`, no allow-list.

    Raises:
        CheckpointError: the file is missing, truncated, damaged, or was not written by this package."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch does not verify every checksum
        if damaged:
            raise zipfile.BadZipFile(f"{damaged} fails its checksum")
        state = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no checkpoint {path}") from error
    except (pickle.UnpicklingError, zipfile.BadZipFile, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"{path} is damaged or is not a checkpoint ({reason[:120]}); remove it to go on from the one before it"
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        found = state.get("format", "no format number") if isinstance(state, dict) else type(state).__name__
        raise CheckpointError(f"{path} is not a checkpoint of format {FORMAT} (found: {found})")
    return state


def tensors(state: object, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor of a nested state, with the path that leads to it."""
    if isinstance(state, Tensor):
        yield name, state
    elif isinstance(state, dict):
        for key, value in state.items():
            yield from tensors(value, f"{name}/{key}" if name else str(key))
    elif isinstance(state, list | tuple):
        for index, value in enumerate(state):
            yield from tensors(value, f"{name}/{index}")


def first_broken(state: object) -> str | None:
    """The name of a tensor that holds a NaN or an infinity, if any does."""
    return next((name for name, t in tensors(state) if t.is_floating_point() and not bool(t.isfinite().all())), None)
