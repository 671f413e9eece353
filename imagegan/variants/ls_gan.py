"""LS-GAN, Qi (2017): the loss-sensitive GAN. (LSGAN, with least squares, is `imagegan.variants.lsgan`.)"""

from torch import Tensor
from torch.nn.functional import relu

from imagegan.game import Recipe, View, score_gap
from imagegan.losses import Scalar, critic_generator_loss, mean
from imagegan.nets import Shape
from imagegan.variants.configs import LossSensitiveConfig
from imagegan.variants.gan import networks, optimizers
from seqgan.core.game import Player, Term


def ls_gan(config: LossSensitiveConfig, shape: Shape) -> Recipe:
    """min_L E max(0, margin + L(x) - L(G(z))), min_G E L(G(z)), where margin = lambda |x - G(z)|_1, as in the official
    code, which leaves out the paper's term E L(x) (gamma = 0). The discriminator scores an image by -L, so that real
    images score higher, as a critic's do."""
    d_optimizer, g_optimizer = optimizers(config)
    d_loss: Term[View] = Term(lambda view: hinge(view, config.margin_weight))
    g_loss: Term[View] = Term(lambda view: critic_generator_loss(view.on_fake.score))
    players = {
        "d": Player(("discriminator",), {"loss": d_loss}, d_optimizer, watch={"loss_gap": score_gap}),
        "g": Player(("generator",), {"loss": g_loss}, g_optimizer),
    }
    return Recipe(networks(config, shape)._asdict(), players, (config.latent_dim,))


def hinge(view: View, margin_weight: float) -> Scalar:
    """E max(0, margin - (L(G(z)) - L(x))) of pairs: the loss function rates a generated image above its real one by a
    margin that shrinks as the two come closer, so a good generator is not pushed away."""
    return mean(relu(margin_weight * distance(view.real, view.fake) - score_gap(view)))


def distance(first: Tensor, second: Tensor) -> Tensor:
    """The L1 distance of each pair of images."""
    return (first - second).float().flatten(1).abs().sum(dim=1)
