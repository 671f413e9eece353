"""Checkpoints: one `torch.save` of tensors and plain Python, read back without executing anything.

A checkpoint holds the sha256 of its content, so that any change in it is found. A state that is loaded is also checked
against the module or optimiser it is for (`check`)."""

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from seqgan.core import files
from seqgan.core.schema import FORMAT, Field
from seqgan.errors import CheckpointError, quoted, why


def save(path: Path, state: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    content = {"format": FORMAT, **state}
    torch.save({**content, "sha256": digest(content)}, buffer)
    files.write(path, buffer.getvalue())


def load(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint strictly: every byte checked, `weights_only`, no allow-list.

    Raises:
        CheckpointError: the file is missing, cannot be read, is truncated or damaged, or was not written by this
            package."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no checkpoint {path}") from error
    except OSError as error:
        raise CheckpointError(
            f"the checkpoint {path} cannot be read: {why(error)}; a file that may be read was expected"
        ) from error
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            damaged = archive.testzip()  # torch does not verify every checksum
        state = None if damaged else torch.load(io.BytesIO(data), map_location=device, weights_only=True)
    except Exception as error:  # damaged bytes make zipfile, zlib, pickle and torch raise anything
        raise _damaged(path, "a whole file that seqgan has saved") from error
    if damaged:
        raise _damaged(path, f"a part of it, {quoted(damaged, 40)}, fails its checksum")
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        found = state.get("format", "no format number") if isinstance(state, dict) else type(state).__name__
        raise CheckpointError(f"{path} is not a checkpoint of format {FORMAT} (found: {quoted(found, 40)})")
    if state.pop("sha256", None) != digest(state):
        raise _damaged(path, "what it holds is not what was saved")
    return state


def _damaged(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is damaged or is not a checkpoint ({reason}); remove it to go on from the one before it"
    )


def digest(state: object) -> str:
    """The sha256 of a nested state: of its keys, and of type, shape and bytes of every value."""
    summed = hashlib.sha256()

    def add(value: object) -> None:
        if isinstance(value, Tensor):
            summed.update(f"tensor {value.dtype} {tuple(value.shape)} ".encode())
            summed.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        elif isinstance(value, Mapping):
            summed.update(f"{{{len(value)} ".encode())
            for key, item in value.items():
                summed.update(f"{key!r} ".encode())
                add(item)
        elif isinstance(value, list | tuple):
            summed.update(f"{'[' if isinstance(value, list) else '('}{len(value)} ".encode())
            for item in value:
                add(item)
        else:
            summed.update(f"{value!r} ".encode())

    add(state)
    return summed.hexdigest()


# --- whether a state fits


def check(state: object, like: object, name: str = "it") -> None:
    """Check that a state fits what is to be filled with it.

    `like` is a module or an optimiser, whose state it must match; a tensor, whose shape and type it must have; a table
    of these, whose keys it must have; a tuple of several, one of which it must match; or a `Field`.

    Raises:
        ValueError: it does not fit, with the name of the first part that does not."""
    if isinstance(like, Field):
        if not like.holds(state):
            raise ValueError(f"{name} is {_shown(state)}, but {like.name} was expected")
    elif isinstance(like, tuple):
        if not any(_fits(state, one) for one in like[:-1]):
            check(state, like[-1], name)
    elif isinstance(like, Optimizer):
        _check_optimizer(state, like, name)
    elif isinstance(like, nn.Module):
        check(state, like.state_dict(), name)
    elif isinstance(like, Tensor):
        if not isinstance(state, Tensor) or (state.shape, state.dtype) != (like.shape, like.dtype):
            raise ValueError(f"{name} is {_shown(state)}, but {_shown(like)} was expected")
    else:
        assert isinstance(like, Mapping)
        if not isinstance(state, Mapping):
            raise ValueError(f"{name} is {_shown(state)}, but a table was expected")
        if missing := [key for key in like if key not in state]:
            raise ValueError(f"{name} lacks {quoted(missing[0], 60)}")
        if extra := [key for key in state if key not in like]:
            raise ValueError(f"{name} has {quoted(extra[0], 60)}, which was not expected")
        for key, part in like.items():
            check(state[key], part, f"{name}/{key}" if name != "it" else str(key))


def _check_optimizer(state: object, optimizer: Optimizer, name: str) -> None:
    """Each parameter has the state that such an optimiser keeps of a parameter, or none where it has not moved yet."""
    groups = optimizer.state_dict()["param_groups"]
    check(state, {"state": ANYTHING, "param_groups": ANYTHING}, name)
    assert isinstance(state, Mapping)
    saved = state["param_groups"]
    if not isinstance(saved, list) or not all(isinstance(group, Mapping) for group in saved):
        raise ValueError(f"{name}/param_groups is {_shown(saved)}, but a list of tables was expected")
    if [group.get("params") for group in saved] != [group["params"] for group in groups]:
        raise ValueError(f"{name}/param_groups is of other parameters")
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    kept = _kept_by(optimizer)
    moved = state["state"]
    if not isinstance(moved, Mapping) or not moved.keys() <= set(range(len(parameters))):
        raise ValueError(f"{name}/state is {_shown(moved)}, but a table of {len(parameters)} parameters was expected")
    for number, values in moved.items():
        like = {key: torch.empty_like(parameters[number]) if whole else one for key, (whole, one) in kept.items()}
        check(values, like, f"{name}/state/{number}")


def _kept_by(optimizer: Optimizer) -> dict[str, tuple[bool, Tensor]]:
    """The state that an optimiser of this kind keeps of a parameter: by name, whether it has the parameter's shape."""
    probe = torch.zeros(2, requires_grad=True)
    probe.grad = torch.zeros(2)
    trial = type(optimizer)([probe])  # type: ignore[call-arg]
    trial.param_groups[0].update({**optimizer.param_groups[0], "params": [probe]})
    trial.step()
    return {key: (value.shape == probe.shape, value) for key, value in trial.state[probe].items()}


def load_optimizer(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Load the state of an optimiser's parameters; its learning rates stay those of its config.

    Raises:
        ValueError: the state is of another optimiser."""
    check(state, optimizer, "optimizer")
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state["state"]})


def _fits(state: object, like: object) -> bool:
    try:
        check(state, like)
    except ValueError:
        return False
    return True


def _shown(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of {' x '.join(map(str, value.shape)) or 'one number'} ({str(value.dtype)[6:]})"
    return quoted(value, 40)


ANYTHING = Field("anything", lambda _: True)


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
