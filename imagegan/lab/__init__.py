"""The theory of GANs as experiments, a file for each. No torch at the top: the command line reads the names."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagegan.lab.experiment import Result

EXPERIMENTS = {
    "lines": "two parallel lines: JS is flat, EM is their distance",
    "normal": "a generator that maps uniform numbers to normal ones, beside the exact map",
    "lottery": "a parabola fitted to 45 balls by least squares, KL, JS and a GAN",
    "swissroll": "critics of the Swiss roll, by clipped weights and by the gradient penalty",
    "ring": "the same on a ring of modes, where the best critic is a cone",
    "slopes": "critics by the gradient penalty and by the difference penalty, in more and more dimensions",
    "tags": "tags of images by a conditional GAN, given features of the image",
    "vanishing": "gradients of minimax and non-saturating losses while the discriminator learns",
}


def run(name: str, seed: int = 0, **steps: int) -> "Result":
    """An experiment of `EXPERIMENTS`, of so many `steps` or those that it needs."""
    from seqgan.core.seed import seed_everything

    seed_everything(seed, "lab", name)
    return import_module(f"imagegan.lab.{name}").run(**steps)
