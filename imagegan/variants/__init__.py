"""The image variants, one paper, one file: `VARIANTS[name](config, shape)` is a recipe, or one for each level.

A variant is the function of its name, hyphens as underscores, in the file of that name. Their configs are read without
torch."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from imagegan.variants.configs import CONFIGS

if TYPE_CHECKING:
    from imagegan.game import Recipe
    from imagegan.nets import Shape

    Variant = Callable[[Any, Shape], Recipe | Sequence[Recipe]]

VARIANTS: "dict[str, Variant]"
BESIDE = {"wgan_diff": "wgan_gp"}  # variants in the file of another one


def __getattr__(name: str) -> Any:
    """The dict is made when first asked for: the command line reads the configs beside it without loading torch."""
    if name != "VARIANTS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    functions = [model.replace("-", "_") for model in CONFIGS]
    files = [import_module(f"{__name__}.{BESIDE.get(function, function)}") for function in functions]
    globals()[name] = dict(zip(CONFIGS, map(getattr, files, functions), strict=True))
    return globals()[name]
