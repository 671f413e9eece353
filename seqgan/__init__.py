"""Text GANs: train, sample and evaluate SeqGAN and its baselines.

    run = seqgan.train("poems")                 # or a path, hf:owner/name, or a list of texts
    run.generate(5)
    seqgan.load("runs/poems-seqgan-1").evaluate()

Importing this package imports nothing heavy; the names below are loaded when they are first used."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqgan import rewards
    from seqgan.core.loggers import Logger, TensorBoard, WandB
    from seqgan.core.report import Measured
    from seqgan.data.corpus import Corpus, load_corpus
    from seqgan.errors import SeqGANError
    from seqgan.library import TrainedRun, load, register, train
    from seqgan.metrics.texts import evaluate
    from seqgan.model import Scored, TextModel
    from seqgan.models.factory import register_discriminator, register_policy
    from seqgan.models.policy import PolicyModule
    from seqgan.pretrained import from_pretrained
    from seqgan.reporting import Evaluation

__version__ = version("seqgan")

_HOMES = {
    "train": "library",
    "load": "library",
    "evaluate": "metrics.texts",
    "register": "library",
    "TrainedRun": "library",
    "from_pretrained": "pretrained",
    "TextModel": "model",
    "Corpus": "data.corpus",
    "load_corpus": "data.corpus",
    "PolicyModule": "models.policy",
    "register_policy": "models.factory",
    "register_discriminator": "models.factory",
    "Evaluation": "reporting",
    "Measured": "core.report",
    "Scored": "model",
    "SeqGANError": "errors",
    "Logger": "core.loggers",
    "TensorBoard": "core.loggers",
    "WandB": "core.loggers",
}
__all__ = [
    "Corpus",
    "Evaluation",
    "Logger",
    "Measured",
    "PolicyModule",
    "Scored",
    "SeqGANError",
    "TensorBoard",
    "TextModel",
    "TrainedRun",
    "WandB",
    "evaluate",
    "from_pretrained",
    "load",
    "load_corpus",
    "register",
    "register_discriminator",
    "register_policy",
    "rewards",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "rewards":
        return import_module("seqgan.rewards")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(import_module(f"seqgan.{_HOMES[name]}"), name)
    return globals()[name]


def __dir__() -> list[str]:
    """What the package offers, without what this file needs for it."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
