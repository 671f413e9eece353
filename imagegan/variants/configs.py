"""The hyper-parameters of every variant; no torch here. A default (`--preset paper`) is the paper's, or that of its
official code; the docstring of a config says where it is not."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from seqgan.core.bounds import COUNT, RATE, SHARE, SIZE, WEIGHT, OneOf, Real, Several, Whole
from seqgan.core.config import Checked

AUGMENTATION = OneOf(["brightness", "translation", "cutout"])
FEWEST_TWO = Whole(2, 2**20)
CODE_SIZE = Whole(0, 2**20)

# The fields of several configs: their types, what --help says of them, their bounds.
Images = Annotated[int, "training images to draw, or to take of those that are read (by default all)", Whole(0, 10**7)]
Size = Annotated[int, "height and width in pixels; by default those of the data", Whole(0, 2**14)]
Steps = Annotated[int, "rounds: updates of the generator, each with its updates of the discriminator", COUNT]
BatchSize = Annotated[int, "images in a batch", FEWEST_TWO]
LatentDim = Annotated[int, "size of the noise", SIZE]
ValidateEvery = Annotated[int, "rounds between two measurements of samples on validation images (0: none)", Whole(0)]
Nets = Annotated[Literal["mlp", "dcgan", "common"], "networks: perceptrons, DCGAN's, or those of Lucic et al. (2018)"]
Width = Annotated[
    int, "channels at the highest resolution, doubled at each lower one; of mlp, units of a layer", FEWEST_TWO
]
Norm = Literal["batch", "layer", "none"]
DNorm = Annotated[Norm, "normalisation of the discriminator"]
GRate = Annotated[float, "learning rate of the generator", RATE]
DRate = Annotated[float, "learning rate of the discriminator", RATE]
Beta1 = Annotated[float, "Adam: beta1", SHARE]
Beta2 = Annotated[float, "Adam: beta2", SHARE]
Loss = Annotated[Literal["minimax", "non-saturating", "least-squares", "hinge", "pairwise"], "loss of both players"]
SpectralNorm = Annotated[bool, "divide each weight of the discriminator by its largest singular value"]
CriticSteps = Annotated[int, "updates of the critic in a round (n_critic)", COUNT]
DSteps = Annotated[int, "updates of the discriminator in a round (n_critic)", COUNT]
Sides = Literal["two-sided", "one-sided"]
ClassWeight = Annotated[float, "weight of the classification loss", WEIGHT]
Schedule = Literal["constant", "linear", "cosine"]


@dataclass(frozen=True)
class ImageConfig(Checked):
    """The hyper-parameters of all variants. A variant has only fields that change something."""

    extendable: ClassVar[str] = "steps"  # may grow when a run is resumed

    images: Images = 10_000  # 0: 10,000, or all that are read
    size: Size = 28  # 0: as the data has
    steps: Steps = 20_000
    batch_size: BatchSize = 128
    latent_dim: LatentDim = 100
    width: Width = 64
    d_norm: DNorm = "batch"
    g_lr: GRate = 2e-4
    lr_schedule: Annotated[Schedule, "learning rates over the rounds: constant, or falling to 0"] = "constant"
    ema: Annotated[float, "decay of a moving average of the generator, which draws the samples (0: none)", SHARE] = 0.0
    validate_every: ValidateEvery = 200
    bf16: Annotated[bool, "train in bfloat16 (autocast); penalties stay in fp32"] = False


@dataclass(frozen=True)
class NetsConfig(ImageConfig):
    """Networks to choose from."""

    nets: Nets = "dcgan"


@dataclass(frozen=True)
class GameConfig(NetsConfig):
    """Two players, trained by Adam."""

    d_lr: DRate = 2e-4
    beta1: Beta1 = 0.5


@dataclass(frozen=True)
class LossConfig(ImageConfig):
    """Two players, trained by Adam, with a choice of losses and of what bounds the discriminator."""

    loss: Loss = "non-saturating"
    spectral_norm: SpectralNorm = False
    r1_weight: Annotated[float, "weight of the squared gradient on real images (R1: gamma; 0: none)", WEIGHT] = 0.0
    augment: Annotated[
        tuple[str, ...],
        "augment what the discriminator sees: brightness,translation,cutout",
        Several(AUGMENTATION, "translation,cutout", least=0),
    ] = ()
    reuse_fakes: Annotated[bool, "the generator learns from the images that the discriminator has just seen"] = False
    d_lr: DRate = 2e-4
    beta1: Beta1 = 0.5
    beta2: Beta2 = 0.999


@dataclass(frozen=True)
class GANConfig(LossConfig, NetsConfig):
    """Two perceptrons (Goodfellow et al. 2014). The paper's discriminator has maxout units, and both are trained by SGD
    with momentum; here leaky ReLU and Adam."""

    batch_size: BatchSize = 100
    nets: Nets = "mlp"
    width: Width = 1200
    d_norm: DNorm = "none"
    critic_steps: DSteps = 1


@dataclass(frozen=True)
class DCGANConfig(LossConfig, NetsConfig):
    """Convolutions, BatchNorm and Adam with beta1 = 0.5 (Radford et al. 2016). The paper's networks, for 64 x 64
    pixels, are twice as wide (--width 128) and have 5 x 5 kernels."""


@dataclass(frozen=True)
class LSGANConfig(GameConfig):
    """Least squares (Mao et al. 2017), with the networks and learning rates of DCGAN."""

    critic_steps: DSteps = 1


@dataclass(frozen=True)
class WGANConfig(NetsConfig):
    """A critic with clipped weights, by RMSProp (Arjovsky et al. 2017)."""

    batch_size: BatchSize = 64
    g_lr: GRate = 5e-5
    d_lr: DRate = 5e-5
    clip: Annotated[float, "clip the weights of the critic to this size", Real(0, 1e9, above=True)] = 0.01
    critic_steps: CriticSteps = 5
    critic_burst: Annotated[int, "updates of the critic in rounds 1 to 25 and in every 500th", COUNT] = 100


@dataclass(frozen=True)
class PenaltyConfig(ImageConfig):
    """A penalty on slopes, trained as Gulrajani et al. (2017) do."""

    d_norm: DNorm = "none"
    g_lr: GRate = 1e-4
    d_lr: DRate = 1e-4
    beta2: Beta2 = 0.9
    critic_steps: CriticSteps = 5
    penalty_weight: Annotated[float, "weight of the penalty (lambda)", WEIGHT] = 10.0
    penalty: Annotated[Sides, "penalise gradient norms other than 1, or only those above 1"] = "two-sided"


@dataclass(frozen=True)
class WGANGPConfig(PenaltyConfig, GameConfig):
    """A critic with a gradient penalty (Gulrajani et al. 2017), or with a difference penalty (Su 2018). The generator
    of the official code for MNIST has no BatchNorm."""

    steps: Steps = 200_000
    batch_size: BatchSize = 50
    latent_dim: LatentDim = 128


@dataclass(frozen=True)
class DRAGANConfig(PenaltyConfig, LossConfig, NetsConfig):
    """A gradient penalty around real images (Kodali et al. 2017), whose official code for MNIST trains perceptrons of
    128 units."""

    critic_steps: DSteps = 1


@dataclass(frozen=True)
class LossSensitiveConfig(GameConfig):
    """A loss function as the critic, with a margin for each pair of images (Qi 2017)."""

    batch_size: BatchSize = 64
    g_lr: GRate = 1e-4
    d_lr: DRate = 1e-4
    margin_weight: Annotated[float, "margin, for each unit of the L1 distance of a pair (lambda)", WEIGHT] = 2e-4


@dataclass(frozen=True)
class BEGANConfig(GameConfig):
    """An autoencoder as the discriminator (Berthelot et al. 2017), with networks of other models."""

    batch_size: BatchSize = 16
    latent_dim: Annotated[int, "size of the noise, and of the code of the autoencoder", SIZE] = 64
    d_norm: Annotated[Norm, "normalisation of the encoder of the discriminator"] = "none"
    g_lr: GRate = 1e-4
    d_lr: DRate = 1e-4
    critic_steps: DSteps = 1
    gamma: Annotated[float, "loss of generated images to keep, relative to that of real ones", Real(0, 1)] = 0.5
    k_lr: Annotated[float, "learning rate of k (lambda_k)", RATE] = 1e-3


@dataclass(frozen=True)
class CGANConfig(LossConfig, NetsConfig):
    """Both networks receive the class (Mirza and Osindero 2014), with the networks and Adam of DCGAN. The paper's are
    perceptrons with maxout units (--nets mlp --width 1200), trained by SGD with momentum."""


@dataclass(frozen=True)
class ProjectionConfig(LossConfig, NetsConfig):
    """The class as an inner product with features (Miyato and Koyama 2018), without their residual networks."""

    loss: Loss = "hinge"
    spectral_norm: SpectralNorm = True
    steps: Steps = 450_000
    batch_size: BatchSize = 256
    latent_dim: LatentDim = 128
    d_norm: DNorm = "none"
    beta1: Beta1 = 0.0
    beta2: Beta2 = 0.9
    critic_steps: CriticSteps = 5


@dataclass(frozen=True)
class ACGANConfig(LossConfig, NetsConfig):
    """The discriminator predicts the class (Odena et al. 2017), with the networks of DCGAN. The paper's discriminator
    for CIFAR-10 has six convolutions with dropout."""

    class_weight: ClassWeight = 1.0


@dataclass(frozen=True)
class SemiGANConfig(GameConfig):
    """A classifier of few labels, which generated images help (Odena 2016, Salimans et al. 2016)."""

    labels: Annotated[
        int, "training images with a label, as many of each class (0: all that have one)", Whole(0, 10**7)
    ] = 100
    class_weight: ClassWeight = 1.0
    feature_matching: Annotated[bool, "the generator matches the mean features of real images"] = False


@dataclass(frozen=True)
class InfoGANConfig(LossConfig, NetsConfig):
    """A code with high mutual information with the image (Chen et al. 2016). The official code has uniform noise
    instead of normal, and a discriminator of leak 0.01."""

    steps: Steps = 5_000
    latent_dim: LatentDim = 62
    nets: Nets = "common"
    g_lr: GRate = 1e-3
    categories: Annotated[int, "categories of the code (0: none)", CODE_SIZE] = 10
    continuous: Annotated[int, "continuous numbers of the code", CODE_SIZE] = 2
    information_weight: Annotated[float, "weight of the mutual information (lambda)", WEIGHT] = 1.0
    code_deviation: Annotated[
        float,
        "standard deviation with which continuous numbers are read; the smaller, the more they weigh",
        Real(0, 1e9, above=True),
    ] = 1.0


@dataclass(frozen=True)
class BiGANConfig(GameConfig):
    """An encoder beside the generator (Donahue et al. 2017, Dumoulin et al. 2017)."""

    latent_dim: LatentDim = 50


@dataclass(frozen=True)
class LAPGANConfig(LossConfig):
    """A GAN for each level of a Laplacian pyramid (Denton et al. 2015), trained by Adam instead of SGD. The paper's
    coarsest level has a generator of 8,000 units, and its discriminators have dropout instead of normalisation."""

    extendable: ClassVar[str] = ""  # more steps would be steps of all levels

    d_norm: DNorm = "none"
    top_width: Annotated[int, "units of a layer of the perceptrons of the coarsest level", FEWEST_TWO] = 1600
    top_rounds: Annotated[int, "rounds of the coarsest level for each round of a finer one", COUNT] = 1
    conditional: Annotated[bool, "both networks of every level receive the class"] = False


@dataclass(frozen=True)
class VAEConfig(NetsConfig):
    """An encoder and a decoder (Kingma and Welling 2014), with the networks of Lucic et al. (2018)."""

    latent_dim: LatentDim = 64
    nets: Nets = "common"
    d_norm: Annotated[Norm, "normalisation of the encoder"] = "batch"
    g_lr: Annotated[float, "learning rate of both networks", RATE] = 1e-3
    beta1: Beta1 = 0.9


CONFIGS: dict[str, type[ImageConfig]] = {
    "gan": GANConfig,
    "dcgan": DCGANConfig,
    "lsgan": LSGANConfig,
    "wgan": WGANConfig,
    "wgan-gp": WGANGPConfig,
    "wgan-diff": WGANGPConfig,
    "dragan": DRAGANConfig,
    "ls-gan": LossSensitiveConfig,
    "began": BEGANConfig,
    "cgan": CGANConfig,
    "projection": ProjectionConfig,
    "acgan": ACGANConfig,
    "semi-gan": SemiGANConfig,
    "infogan": InfoGANConfig,
    "bigan": BiGANConfig,
    "lapgan": LAPGANConfig,
    "vae": VAEConfig,
}

# Presets change the paper's values. "default" is what one core trains in two to five minutes: narrow networks, and
# high learning rates, whose noise the average of the generator takes away. "quick" shows that a model runs.
_DEFAULT: dict[str, Any] = {
    "width": 16,
    "batch_size": 64,
    "g_lr": 1e-3,
    "d_lr": 1e-3,
    "ema": 0.99,
    "steps": 6000,
    "validate_every": 500,
}
# Without spectral norm nearly all samples of MNIST are ones.
_PERCEPTRONS: dict[str, Any] = {
    **_DEFAULT,
    "width": 256,
    "g_lr": 2e-4,
    "d_lr": 2e-4,
    "spectral_norm": True,
    "ema": 0.999,
    "steps": 12_000,
    "validate_every": 1000,
}
_COMMON: dict[str, Any] = {**_DEFAULT, "nets": "common", "steps": 4000}
_CRITIC: dict[str, Any] = {**_COMMON, "steps": 1400, "validate_every": 200}
_QUICK: dict[str, Any] = {"width": 8, "steps": 100, "images": 1000}
# So few rounds need a k that moves faster; and with a smaller gamma some samples become empty: those are no effort to
# reconstruct. With the networks of Lucic et al. all of them do, with some seeds.
_BEGAN: dict[str, Any] = {
    "latent_dim": 16,
    "batch_size": 32,
    "g_lr": 1e-3,
    "d_lr": 1e-3,
    "gamma": 0.9,
    "k_lr": 0.05,
}


def _presets(default: dict[str, Any], quick: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {"default": default, "quick": {**_QUICK, **quick}, "paper": {}}


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "gan": _presets(_PERCEPTRONS, {"width": 128, "steps": 300}),
    "dcgan": _presets(_DEFAULT, {}),
    "lsgan": _presets(_COMMON, {}),
    "wgan": _presets(
        {**_CRITIC, "g_lr": 5e-4, "d_lr": 5e-4, "critic_burst": 25},
        {"steps": 60, "critic_burst": 10},
    ),
    "wgan-gp": _presets(_CRITIC, {"steps": 60}),
    # -D has the same differences as D: two-sided, a critic of the wrong sign would have to pass a barrier of lambda.
    "wgan-diff": _presets({**_CRITIC, "penalty_weight": 100.0, "penalty": "one-sided"}, {"steps": 60}),
    "dragan": _presets({**_COMMON, "steps": 3500}, {}),
    "ls-gan": _presets(_COMMON, {}),
    "began": _presets({**_DEFAULT, **_BEGAN, "width": 8, "steps": 4000}, {**_BEGAN, "steps": 300}),
    "cgan": _presets(_COMMON, {}),
    "projection": _presets({**_COMMON, "critic_steps": 1}, {"critic_steps": 1}),
    "acgan": _presets(_COMMON, {}),
    "semi-gan": _presets({**_DEFAULT, "steps": 4500}, {}),
    "infogan": _presets({**_DEFAULT, "latent_dim": 12, "information_weight": 0.2, "steps": 4000}, {}),
    "bigan": _presets({**_DEFAULT, "latent_dim": 16, "ema": 0.0, "steps": 4000}, {}),
    # A round of the coarsest level costs a twentieth of one of the finest.
    "lapgan": _presets(
        {**_DEFAULT, "d_norm": "batch", "top_width": 256, "steps": 1000, "top_rounds": 10, "validate_every": 200},
        {"steps": 60, "batch_size": 32, "top_width": 64, "top_rounds": 10},
    ),
    "vae": _presets({name: value for name, value in _DEFAULT.items() if name != "d_lr"} | {"steps": 8000}, {}),
}
