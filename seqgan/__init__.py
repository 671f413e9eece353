"""Text GANs that can be trusted: SeqGAN and its baselines, trained, sampled and honestly measured."""

from importlib.metadata import version

__version__ = version("seqgan")
