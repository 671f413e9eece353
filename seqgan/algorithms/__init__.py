"""One paper, one file. `ALGORITHMS[name](config, texts, device, seed)` builds one from a `configs.CONFIGS[name]`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqgan.core.phase import Algorithm

ALGORITHMS: "dict[str, Callable[..., Algorithm]]"


def __getattr__(name: str) -> Any:
    """The dict is made when first asked for: the command line reads the configs beside it without loading torch."""
    if name != "ALGORITHMS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from seqgan.algorithms.mle import MLE
    from seqgan.algorithms.seqgan import SeqGAN

    globals()[name] = {"mle": MLE, "seqgan": SeqGAN}
    return globals()[name]
