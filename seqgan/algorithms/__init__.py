"""One paper, one file. `ALGORITHMS[name](config, dataset, device, seed)` builds one from a `configs.CONFIGS[name]`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqgan.core.phase import Algorithm

ALGORITHMS: "dict[str, Callable[..., Algorithm]]"


def __getattr__(name: str) -> Any:
    """The dict is made when first asked for: the command line reads the configs beside it without loading torch."""
    if name != "ALGORITHMS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from seqgan.algorithms.maligan import new_maligan
    from seqgan.algorithms.mle import MLE
    from seqgan.algorithms.relgan import new_relgan
    from seqgan.algorithms.seqgan import new_seqgan

    globals()[name] = {"mle": MLE, "seqgan": new_seqgan, "maligan": new_maligan, "relgan": new_relgan}
    return globals()[name]
