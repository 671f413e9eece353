"""GANs for images, on the trainer core of seqgan.

    run = imagegan.train("dcgan", data="digits")
    images = run.generate(16)                   # "N C S S" in [-1, 1]
    imagegan.load("runs/digits-dcgan-1").evaluate()
    imagegan.from_pretrained("owner/name").generate(16)

Importing this package imports nothing heavy; the names below are loaded when they are first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagegan.library import TrainedRun, evaluate, load, train
    from imagegan.model import ImageModel
    from imagegan.pretrained import from_pretrained

_HOMES = {
    "ImageModel": "model",
    "TrainedRun": "library",
    "evaluate": "library",
    "from_pretrained": "pretrained",
    "load": "library",
    "train": "library",
}
__all__ = ["ImageModel", "TrainedRun", "evaluate", "from_pretrained", "load", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(import_module(f"imagegan.{_HOMES[name]}"), name)
    return globals()[name]


def __dir__() -> list[str]:
    """What the package offers, without what this file needs for it."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
