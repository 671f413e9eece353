"""InfoGAN, Chen et al. (2016): a code with high mutual information with the image, without labels."""

import math

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from imagegan.game import Recipe, View
from imagegan.latents import Codes, CodeSpec
from imagegan.losses import Scalar, mean
from imagegan.nets import Shape
from imagegan.variants.configs import InfoGANConfig
from imagegan.variants.gan import networks, players
from seqgan.core.game import Term
from seqgan.errors import ConfigError


def infogan(config: InfoGANConfig, shape: Shape) -> Recipe:
    """min_{G,Q} max_D V(D, G) - lambda L_I(G, Q), equation 6; Q is a head on the features of D, trained with D.

    Raises:
        ConfigError: the code has no values."""
    if config.categories < 2 and not config.continuous:
        raise ConfigError(
            f"a code of {config.categories} categories and no numbers says nothing; give --categories 2 or more, "
            "--continuous 1 or more, or choose --model dcgan"
        )
    code = CodeSpec(config.categories, config.continuous)
    pair = networks(config, shape, g_code=code.size)
    reader = nn.Sequential(
        nn.Linear(pair.discriminator.features, 128),
        nn.LeakyReLU(0.1),
        nn.Linear(128, code.size),
    )

    def unknown(view: View) -> Scalar:
        return -information(view, code, config.code_deviation)

    both = players(
        config,
        both_terms={"information_loss": Term(unknown, config.information_weight)},
        heads=("reader",),
    )
    return Recipe({**pair._asdict(), "reader": reader}, both, (config.latent_dim,), code)


def information(view: View, code: CodeSpec, deviation: float) -> Scalar:
    """L_I = E log Q(c | G(z, c)) + H(c), a lower bound of the mutual information. Equations 4 and 5."""
    read = view.recipe.nets["reader"](view.on_fake.features).float()
    return mean(log_likelihood(read, view.code, code, deviation) + entropy(code))


def log_likelihood(read: Tensor, codes: Codes, code: CodeSpec, deviation: float) -> Tensor:
    """log Q(c | x) of each image: Q gives logits of the category, and means of Gaussians for the numbers."""
    category, numbers = code.categories, code.continuous
    chosen = -cross_entropy(read[:, :category], codes[:, :category], reduction="none") if category else 0.0
    off = ((read[:, category:] - codes[:, category:]) / deviation).square().sum(dim=1)
    return chosen - off / 2 - numbers * math.log(2 * math.pi * deviation**2) / 2


def entropy(code: CodeSpec) -> float:
    """H(c) in nats: the categories are equally likely, the numbers uniform on [-1, 1]."""
    return math.log(max(1, code.categories)) + code.continuous * math.log(2)
