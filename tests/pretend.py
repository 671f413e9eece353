"""A device on which nothing is computed, to test the rules of a GPU without one.

Every operator checks that its inputs live on the same device; whatever would wait for the device (`.item()`,
`.tolist()`, `bool(tensor)`, a boolean index, `nonzero`, `unique`) raises, and so does a copy from one device to
another, since a step makes none.

    def test_a_step_never_waits() -> None:
        with pretend.device() as device:
            with pretend.setting_up():        # a model is made on the device, and rows may be copied there
                game = seqgan(config, texts, device, 0)
            game.policy_update(0)             # no copies, and a tensor made without `device=` is one of the CPU

`pretend.allowed(Class, "method")` lets one method copy wherever it is called: what is done once an epoch, or a host
that hands over each batch. Tensors have shapes and types but no values, so a loss cannot be compared; a branch on a
value is an error by itself."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

try:
    from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
    from torch.utils.backend_registration import _setup_privateuseone_for_python_backend
except ImportError:
    FakeTensor = FakeTensorMode = _setup_privateuseone_for_python_backend = None  # type: ignore[assignment, misc]

NAME = "pretend"
_copies_allowed = False


class Crossing(Exception):
    """A tensor was copied to or from the device, or met what belongs to another one."""


@contextlib.contextmanager
def device() -> Iterator[torch.device]:
    """The device, and its rules. A test is skipped where this torch cannot pretend."""
    if FakeTensorMode is None or _setup_privateuseone_for_python_backend is None:
        pytest.skip(
            "this torch cannot pretend: it lacks torch._subclasses.fake_tensor, or "
            "torch.utils.backend_registration._setup_privateuseone_for_python_backend"
        )
    place = torch.device(NAME, 0)
    patches = (
        mock.patch.object(nn.Module, "to", lambda module, *_, **__: module),  # it was made where it belongs
        mock.patch.object(nn.init, "trunc_normal_", lambda weight, *_, **__: weight.data.normal_()),  # asks for values
        mock.patch.object(torch, "Generator", _Generator),
        mock.patch.object(torch, "autocast", return_value=contextlib.nullcontext()),  # it has no other types
    )
    with contextlib.ExitStack() as stack:
        for context in (*patches, FakeTensorMode(allow_non_fake_inputs=True), _Rules()):
            stack.enter_context(context)
        yield place


@contextlib.contextmanager
def setting_up() -> Iterator[None]:
    """Within the block tensors are made on the device, as if each named it, and may be copied to it and from it:
    `nn.Module.to` cannot move what has no values."""
    with torch.device(NAME, 0), _copying():
        yield


@contextlib.contextmanager
def allowed(owner: Any, name: str) -> Iterator[None]:
    """Within the block the function `owner.name` may copy, wherever it is called."""
    original: Callable[..., Any] = getattr(owner, name)

    def copying(*args: Any, **kwargs: Any) -> Any:
        with _copying():
            return original(*args, **kwargs)

    with mock.patch.object(owner, name, copying):
        yield


@contextlib.contextmanager
def _copying() -> Iterator[None]:
    global _copies_allowed
    before, _copies_allowed = _copies_allowed, True
    try:
        yield
    finally:
        _copies_allowed = before


def register() -> None:
    """Let torch know the device; before the first gradient of the process, which counts the devices there are."""
    if _setup_privateuseone_for_python_backend is not None:
        _setup_privateuseone_for_python_backend(NAME)
        # Torch keeps the name for the rest of the process: no other test may take it for an accelerator that is there.
        getattr(torch, NAME).is_available = getattr(torch, NAME).is_initialized = lambda: False


class _Generator(torch.Generator):
    """A generator that remembers which device it was made for, since only the CPU has real ones."""

    place: torch.device

    def __new__(cls, device: torch.device | str = "cpu") -> "_Generator":
        made = super().__new__(cls)
        made.place = torch.device(device)
        return made


class _Rules(TorchFunctionMode):
    """What the pretend tensors do not refuse by themselves."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in (torch.tensor, torch.as_tensor) and torch.device(kwargs.get("device") or "cpu").type == NAME:
            return _entered(func, *args, **kwargs)
        if func is Tensor.to and not isinstance(args[0], FakeTensor):  # made outside the block
            args = (torch.empty(args[0].shape, dtype=args[0].dtype), *args[1:])
        if func in (Tensor.__getitem__, Tensor.__setitem__):  # torch would copy the index
            for index in args[1] if isinstance(args[1], tuple) else args[1:2]:
                if isinstance(index, Tensor):
                    _met(index.device, args[0].device, "an index")
        result = func(*args, **kwargs)
        if isinstance(result, Tensor):
            generator = kwargs.get("generator")
            if isinstance(generator, torch.Generator):
                _met(getattr(generator, "place", generator.device), result.device, "a generator", always=True)
            if func in (Tensor.to, Tensor.cpu, Tensor.type_as, Tensor.copy_):
                source = args[1] if func is Tensor.copy_ else args[0]
                _met(source.device, result.device, "a copy")
        return result


def _entered(make: Callable[..., Tensor], data: Any, **kwargs: Any) -> Tensor:
    """Values given from Python: they would be copied to the device, which waits for it."""
    if isinstance(data, Tensor):
        _met(data.device, torch.device(kwargs["device"]), "a copy")
    elif not _copies_allowed:
        raise Crossing(f"{data!r:.60} is copied to the device")
    made = make(data, **{**kwargs, "device": "cpu"})
    return torch.empty(made.shape, dtype=made.dtype, device=kwargs["device"])


def _met(source: torch.device, target: torch.device, what: str, *, always: bool = False) -> None:
    if source.type != target.type and (always or not _copies_allowed):
        raise Crossing(f"{what} from {source} to {target}")
