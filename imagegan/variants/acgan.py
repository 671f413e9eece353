"""ACGAN, Odena et al. (2017): the discriminator does not receive the class, but predicts it."""

from torch import nn
from torch.nn.functional import cross_entropy

from imagegan.game import Recipe, View
from imagegan.latents import CodeSpec
from imagegan.losses import Scalar, mean
from imagegan.nets import Scored, Shape
from imagegan.variants.configs import ACGANConfig
from imagegan.variants.gan import networks, players
from seqgan.core.game import Term


def acgan(config: ACGANConfig, shape: Shape) -> Recipe:
    """L_S, and L_C = E log P(c | x) + E log P(c | G(z, c)): D maximises L_S + L_C, G -L_S + L_C. Section 3."""
    pair = networks(config, shape, g_code=shape.labelled())
    head = nn.Linear(pair.discriminator.features, shape.classes)
    both = players(
        config,
        d_terms={"class_real": Term(lambda view: class_loss(view, view.on_real), config.class_weight)},
        both_terms={"class_fake": Term(lambda view: class_loss(view, view.on_fake), config.class_weight)},
        heads=("classes",),
    )
    return Recipe(
        {**pair._asdict(), "classes": head}, both, (config.latent_dim,), CodeSpec(shape.classes), conditional=True
    )


def class_loss(view: View, output: Scored) -> Scalar:
    """-E log P(c | x): cross-entropy of logits, no softmax before it."""
    logits = view.recipe.nets["classes"](output.features).float()
    return mean(cross_entropy(logits, view.code, reduction="none"))
