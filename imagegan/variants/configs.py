"""The hyper-parameters of every variant; no torch here."""

from dataclasses import dataclass
from typing import Annotated, Any

from click import FloatRange, IntRange

Count = IntRange(min=1)
Rate = FloatRange(min=0, min_open=True)


@dataclass(frozen=True)
class GANConfig:
    """Two perceptrons and the non-saturating game (Goodfellow et al. 2014), with Adam in the place of momentum."""

    images: Annotated[int, "training images to draw", IntRange(min=10)] = 10_000
    steps: Annotated[int, "updates, each of both players", Count] = 20_000
    batch_size: Annotated[int, "images in a batch", IntRange(min=2)] = 100
    latent: Annotated[int, "size of the noise", Count] = 100
    width: Annotated[int, "units of a layer", IntRange(min=2)] = 1200
    g_rate: Annotated[float, "learning rate of the generator (Adam)", Rate] = 2e-4
    d_rate: Annotated[float, "learning rate of the discriminator (Adam)", Rate] = 2e-4
    beta1: Annotated[float, "momentum of Adam", FloatRange(min=0, max=1, max_open=True)] = 0.5


@dataclass(frozen=True)
class DCGANConfig(GANConfig):
    """Convolutions, BatchNorm and Adam with beta1 = 0.5 (Radford et al. 2016)."""

    batch_size: Annotated[int, "images in a batch", IntRange(min=2)] = 128
    width: Annotated[int, "channels of the widest picture, 2x in the narrower", IntRange(min=2)] = 64


CONFIGS: dict[str, type[GANConfig]] = {"gan": GANConfig, "dcgan": DCGANConfig}

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "gan": {
        "default": {"width": 512, "steps": 6000},
        "quick": {"width": 128, "steps": 300, "images": 1000},
        "paper": {},
    },
    "dcgan": {
        "default": {"width": 32, "steps": 2000},
        "quick": {"width": 8, "steps": 100, "images": 1000},
        "paper": {},
    },
}
