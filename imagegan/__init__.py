"""GANs for images, on the trainer core of seqgan.

    run = imagegan.train("dcgan", data="digits")
    images = run.generate(16)                   # "N C S S" in [-1, 1]
    imagegan.load("runs/digits-dcgan-1").evaluate()

Importing this package imports nothing heavy; the names below are loaded when they are first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagegan.library import TrainedRun, load, train

__all__ = ["TrainedRun", "load", "train"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(import_module("imagegan.library"), name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
