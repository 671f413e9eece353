"""The hyper-parameters of every variant; no torch here. A default is the paper's, or that of its official code."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from seqgan.core.bounds import COUNT, RATE, SHARE, SIZE, WEIGHT, Real, Whole
from seqgan.core.config import Checked

FEWEST_TWO = Whole(2, 2**20)
Nets = Literal["mlp", "dcgan", "common"]
Norm = Literal["batch", "layer", "none"]
Sides = Literal["two-sided", "one-sided"]

IMAGES = "training images to make, or to take of those that are read, where all are unless it is given"
PIXELS = "pixels of a side; unless it is given, as many as the data has"
ROUNDS = "rounds, in each of which every player moves"
BATCH = "images in a batch"
LATENT = "size of the noise"
NETS = "networks: perceptrons, DCGAN's, or the one of the comparison study"
WIDTH = "channels of the widest image, more in the narrower; of mlp, units of a layer"
D_NORM = "discriminator: what normalises its layers"
G_RATE = "learning rate of the generator"
D_RATE = "learning rate of the discriminator"
BETA1 = "momentum of Adam"
BETA2 = "Adam: decay of the mean square"
CRITIC_STEPS = "turns of the critic in a round"
PENALTY = "fine every slope but 1, or only steeper ones"


@dataclass(frozen=True)
class ImageConfig(Checked):
    """What all variants have. A field is there only where it changes something: no model accepts a value in vain."""

    extendable: ClassVar[str] = "steps"  # may grow when a run is resumed

    images: Annotated[int, IMAGES, Whole(0, 10**7)] = 10_000  # 0: as many as usual
    size: Annotated[int, PIXELS, Whole(0, 2**14)] = 28  # 0: as the data has
    steps: Annotated[int, ROUNDS, COUNT] = 20_000
    batch_size: Annotated[int, BATCH, FEWEST_TWO] = 128
    latent_dim: Annotated[int, LATENT, SIZE] = 100
    width: Annotated[int, WIDTH, FEWEST_TWO] = 64
    d_norm: Annotated[Norm, D_NORM] = "batch"
    g_lr: Annotated[float, G_RATE, RATE] = 2e-4
    ema: Annotated[float, "decay of an averaged generator, which draws the samples (0: none)", SHARE] = 0.0
    bf16: Annotated[bool, "learn in bfloat16 (autocast); penalties stay in fp32"] = False


@dataclass(frozen=True)
class NetsConfig(ImageConfig):
    """Networks to choose from."""

    nets: Annotated[Nets, NETS] = "dcgan"


@dataclass(frozen=True)
class GameConfig(NetsConfig):
    """Two players that learn by Adam."""

    d_lr: Annotated[float, D_RATE, RATE] = 2e-4
    beta1: Annotated[float, BETA1, SHARE] = 0.5


@dataclass(frozen=True)
class GANConfig(GameConfig):
    """Two perceptrons (Goodfellow et al. 2014), with Adam in the place of momentum."""

    loss: Annotated[Literal["minimax", "non-saturating", "least-squares", "hinge"], "what the players minimise"] = (
        "non-saturating"
    )
    batch_size: Annotated[int, BATCH, FEWEST_TWO] = 100
    nets: Annotated[Nets, NETS] = "mlp"
    width: Annotated[int, WIDTH, FEWEST_TWO] = 1200
    d_norm: Annotated[Norm, D_NORM] = "none"


@dataclass(frozen=True)
class DCGANConfig(GameConfig):
    """Convolutions, BatchNorm and Adam with beta1 = 0.5 (Radford et al. 2016)."""


@dataclass(frozen=True)
class LSGANConfig(GameConfig):
    """Least squares (Mao et al. 2017)."""


@dataclass(frozen=True)
class WGANConfig(NetsConfig):
    """A critic with clipped weights, by RMSProp (Arjovsky et al. 2017)."""

    batch_size: Annotated[int, BATCH, FEWEST_TWO] = 64
    g_lr: Annotated[float, G_RATE, RATE] = 5e-5
    d_lr: Annotated[float, D_RATE, RATE] = 5e-5
    clip: Annotated[float, "largest weight of the critic", Real(0, 1e9, above=True)] = 0.01
    critic_steps: Annotated[int, CRITIC_STEPS, COUNT] = 5
    critic_burst: Annotated[int, "the same in each of the first 25 rounds and in every 500th", COUNT] = 100


@dataclass(frozen=True)
class WGANGPConfig(GameConfig):
    """A critic fined for slopes other than 1 (Gulrajani et al. 2017)."""

    steps: Annotated[int, ROUNDS, COUNT] = 200_000
    batch_size: Annotated[int, BATCH, FEWEST_TWO] = 50
    latent_dim: Annotated[int, LATENT, SIZE] = 128
    d_norm: Annotated[Norm, D_NORM] = "none"
    g_lr: Annotated[float, G_RATE, RATE] = 1e-4
    d_lr: Annotated[float, D_RATE, RATE] = 1e-4
    beta2: Annotated[float, BETA2, SHARE] = 0.9
    critic_steps: Annotated[int, CRITIC_STEPS, COUNT] = 5
    penalty_weight: Annotated[float, "lambda of the penalty", WEIGHT] = 10.0
    penalty: Annotated[Sides, PENALTY] = "two-sided"


@dataclass(frozen=True)
class DRAGANConfig(GameConfig):
    """A slope of 1 around real images (Kodali et al. 2017)."""

    d_norm: Annotated[Norm, D_NORM] = "none"
    g_lr: Annotated[float, G_RATE, RATE] = 1e-4
    d_lr: Annotated[float, D_RATE, RATE] = 1e-4
    beta2: Annotated[float, BETA2, SHARE] = 0.9
    penalty_weight: Annotated[float, "lambda of the penalty", WEIGHT] = 10.0
    penalty: Annotated[Sides, PENALTY] = "two-sided"


@dataclass(frozen=True)
class CGANConfig(GameConfig):
    """Both players are told the class (Mirza and Osindero 2014)."""


@dataclass(frozen=True)
class ACGANConfig(GameConfig):
    """The discriminator names the class (Odena et al. 2017)."""

    class_weight: Annotated[float, "weight of naming the class", WEIGHT] = 1.0


@dataclass(frozen=True)
class InfoGANConfig(GameConfig):
    """A code that can be read off the images again (Chen et al. 2016)."""

    steps: Annotated[int, ROUNDS, COUNT] = 5_000
    latent_dim: Annotated[int, LATENT, SIZE] = 62
    nets: Annotated[Nets, NETS] = "common"
    g_lr: Annotated[float, G_RATE, RATE] = 1e-3
    categories: Annotated[int, "values of the code's category (0: it has none)", Whole(0, 2**20)] = 10
    continuous: Annotated[int, "numbers in the code", Whole(0, 2**20)] = 2
    information_weight: Annotated[float, "lambda of the mutual information", WEIGHT] = 1.0


@dataclass(frozen=True)
class LAPGANConfig(ImageConfig):
    """A pyramid of games, each adding what is finer (Denton et al. 2015), with Adam in the place of momentum."""

    extendable: ClassVar[str] = ""  # more steps would be steps of every level, not of the last alone

    d_norm: Annotated[Norm, D_NORM] = "none"
    d_lr: Annotated[float, D_RATE, RATE] = 2e-4
    beta1: Annotated[float, BETA1, SHARE] = 0.5
    top_width: Annotated[int, "units of the perceptrons that make the coarsest image", FEWEST_TWO] = 1600
    top_rounds: Annotated[int, "rounds of the coarsest level for each round of a finer one", COUNT] = 1
    conditional: Annotated[bool, "tell both players of every level the class"] = False


@dataclass(frozen=True)
class VAEConfig(NetsConfig):
    """An encoder and a decoder (Kingma and Welling 2014), as in the comparison study."""

    latent_dim: Annotated[int, LATENT, SIZE] = 64
    nets: Annotated[Nets, NETS] = "common"
    d_norm: Annotated[Norm, "encoder: what normalises its layers"] = "batch"
    g_lr: Annotated[float, "learning rate of both networks", RATE] = 1e-3
    beta1: Annotated[float, BETA1, SHARE] = 0.9


CONFIGS: dict[str, type[ImageConfig]] = {
    "gan": GANConfig,
    "dcgan": DCGANConfig,
    "lsgan": LSGANConfig,
    "wgan": WGANConfig,
    "wgan-gp": WGANGPConfig,
    "wgan-diff": WGANGPConfig,
    "dragan": DRAGANConfig,
    "cgan": CGANConfig,
    "acgan": ACGANConfig,
    "infogan": InfoGANConfig,
    "lapgan": LAPGANConfig,
    "vae": VAEConfig,
}

# What differs from the paper. By default, what a core learns in about a minute: narrow networks, high rates and as many
# rounds as 192,000 images allow that pass through the players' turns. "quick" shows that it runs.
_DEFAULT: dict[str, Any] = {
    "width": 16,
    "batch_size": 64,
    "g_lr": 1e-3,
    "d_lr": 1e-3,
    "ema": 0.99,
    "steps": 1500,
}
_CRITIC: dict[str, Any] = {**_DEFAULT, "steps": 500}
_QUICK: dict[str, Any] = {"width": 8, "steps": 100, "images": 1000}


def _presets(default: dict[str, Any], quick: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {"default": default, "quick": {**_QUICK, **quick}, "paper": {}}


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "gan": _presets({**_DEFAULT, "width": 256}, {"width": 128, "steps": 300}),
    "dcgan": _presets(_DEFAULT, {}),
    "lsgan": _presets(_DEFAULT, {}),
    "wgan": _presets(
        {**_DEFAULT, "steps": 416, "g_lr": 5e-4, "d_lr": 5e-4, "critic_burst": 25},
        {"steps": 60, "critic_burst": 10},
    ),
    "wgan-gp": _presets(_CRITIC, {"steps": 60}),
    # A critic upside down has differences of 1, too. Two-sided, the way from there costs lambda: it stays.
    "wgan-diff": _presets({**_CRITIC, "penalty_weight": 100.0, "penalty": "one-sided"}, {"steps": 60}),
    "dragan": _presets(_DEFAULT, {}),
    "cgan": _presets({**_DEFAULT, "nets": "common"}, {}),
    "acgan": _presets({**_DEFAULT, "ema": 0.998}, {}),
    "infogan": _presets({**_DEFAULT, "latent_dim": 12, "information_weight": 0.02}, {}),
    # The coarsest level has few pixels, costs an eighth of another, and needs more rounds, beyond the budget of others.
    "lapgan": _presets(
        {**_DEFAULT, "top_width": 256, "steps": 500, "top_rounds": 10},
        {"steps": 60, "batch_size": 32, "top_width": 64, "top_rounds": 10},
    ),
    "vae": _presets({name: value for name, value in _DEFAULT.items() if name != "d_lr"} | {"steps": 3000}, {}),
}
