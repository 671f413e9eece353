"""The image variants, one paper, one file: `VARIANTS[name](config, shape)` is a recipe, or one for each level.

Their configs are read without torch."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagegan.game import Recipe
    from imagegan.nets import Shape

    Variant = Callable[[Any, Shape], Recipe | Sequence[Recipe]]

VARIANTS: "dict[str, Variant]"


def __getattr__(name: str) -> Any:
    """The dict is made when first asked for: the command line reads the configs beside it without loading torch."""
    if name != "VARIANTS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from imagegan.variants.acgan import acgan
    from imagegan.variants.began import began
    from imagegan.variants.bigan import bigan
    from imagegan.variants.cgan import cgan
    from imagegan.variants.dcgan import dcgan
    from imagegan.variants.dragan import dragan
    from imagegan.variants.gan import gan
    from imagegan.variants.infogan import infogan
    from imagegan.variants.lapgan import lapgan
    from imagegan.variants.ls_gan import ls_gan
    from imagegan.variants.lsgan import lsgan
    from imagegan.variants.projection import projection
    from imagegan.variants.semi_gan import semi_gan
    from imagegan.variants.vae import vae
    from imagegan.variants.wgan import wgan
    from imagegan.variants.wgan_gp import wgan_diff, wgan_gp

    globals()[name] = {
        "gan": gan,
        "dcgan": dcgan,
        "lsgan": lsgan,
        "wgan": wgan,
        "wgan-gp": wgan_gp,
        "wgan-diff": wgan_diff,
        "dragan": dragan,
        "ls-gan": ls_gan,
        "began": began,
        "cgan": cgan,
        "projection": projection,
        "acgan": acgan,
        "semi-gan": semi_gan,
        "infogan": infogan,
        "bigan": bigan,
        "lapgan": lapgan,
        "vae": vae,
    }
    return globals()[name]
