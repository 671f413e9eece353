"""Semi-supervised GAN, Odena (2016) and Salimans et al. (2016): a classifier of few labels, and of generated images."""

from dataclasses import replace

from torch.nn.functional import cross_entropy

from imagegan.game import Recipe, View, versus
from imagegan.losses import LOSSES, Scalar, mean
from imagegan.nets import Classifier, Shape, family
from imagegan.variants.configs import SemiGANConfig
from imagegan.variants.gan import networks, optimizers
from seqgan.core.game import Player, Term


def semi_gan(config: SemiGANConfig, shape: Shape) -> Recipe:
    """D minimises -E log P(y | x) of labelled images, and tells all real images from generated ones, a class of their
    own: section 5 of Salimans et al. The generator deceives it, or matches the mean of its features (section 3.1).

    A third player trains the same network by the same labels alone: the supervised baseline."""
    classes = shape.labelled(in_part=True)
    pair = networks(config, shape)
    alone = family(config.nets, shape).discriminator(shape, 0, config.width, config.d_norm)
    nets = {
        "generator": pair.generator,
        "discriminator": Classifier(pair.discriminator, classes),
        "baseline": Classifier(alone, classes),
    }
    d_optimizer, g_optimizer = optimizers(config)
    supervised: Term[View] = Term(lambda view: class_loss(view, "discriminator"), config.class_weight)
    players = versus(LOSSES["non-saturating"], d_optimizer, g_optimizer, d_terms={"class": supervised})
    if config.feature_matching:
        players["g"] = replace(players["g"], terms={"loss": Term(feature_matching)})
    players["baseline"] = Player(("baseline",), {"loss": Term(lambda view: class_loss(view, "baseline"))}, d_optimizer)
    return Recipe(nets, players, (config.latent_dim,))


def class_loss(view: View, classifier: str) -> Scalar:
    """-E log P(y | x) of labelled images: cross-entropy of the K logits, given that the image is real."""
    net = view.recipe.nets[classifier]
    assert isinstance(net, Classifier)
    return mean(cross_entropy(net.logits(view.labelled.images), view.labelled.labels, reduction="none"))


def feature_matching(view: View) -> Scalar:
    """|E f(x) - E f(G(z))|^2, of the features f of the discriminator; of several processes, each matches its batch."""
    apart = view.on_real.features.float().mean(dim=0) - view.on_fake.features.float().mean(dim=0)
    return mean(apart.square().sum().expand(view.count))
