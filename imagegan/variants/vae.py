"""VAE, Kingma and Welling (2014): no adversary, a baseline."""

from typing import NamedTuple, cast

from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from imagegan.game import Recipe, View
from imagegan.losses import Scalar, mean
from imagegan.nets import Generator, Images, Shape, family
from imagegan.variants.configs import VAEConfig
from seqgan.core.device import autocast
from seqgan.core.game import Player, Term, adam


class Posterior(NamedTuple):
    """q(z | x), a Gaussian of independent components."""

    mean: Tensor
    log_variance: Tensor


class Encoder(nn.Module):
    """Images to posteriors, with the trunk of a discriminator."""

    def __init__(self, trunk: nn.Module, features: int, latent_dim: int) -> None:
        super().__init__()
        self.trunk, self.output = trunk, nn.Linear(features, 2 * latent_dim)

    def forward(self, images: Images) -> Posterior:
        return Posterior(*self.output(self.trunk(images)).float().chunk(2, dim=1))


def vae(config: VAEConfig, shape: Shape) -> Recipe:
    """Maximise E_q log p(x | z) - KL(q(z | x) | p(z)), equation 3, one player for both networks."""
    chosen = family(config.nets, shape)
    like = chosen.discriminator(shape, 0, config.width, config.d_norm)
    nets: dict[str, nn.Module] = {
        "generator": chosen.generator(shape, config.latent_dim, config.width),
        "encoder": Encoder(like.trunk, like.features, config.latent_dim),
    }
    terms = {"reconstruction": Term(reconstruction), "divergence": Term(divergence)}
    players = {"vae": Player(tuple(nets), terms, adam(config.g_lr, config.beta1))}
    return Recipe(nets, players, (config.latent_dim,), encode=lambda images: nets["encoder"](images).mean)


def reconstruction(view: View) -> Scalar:
    """-E_q log p(x | z) in nats an image: pixels are Bernoulli variables, z = mu + sigma * noise. Equation 10.

    Of logits, whose gradient does not vanish: a pixel in [0, 1] is (tanh a + 1) / 2 = sigmoid(2 a)."""
    q: Posterior = view.encoded
    generator = cast(Generator, view.recipe.nets["generator"])
    logits = 2 * generator.before_tanh(q.mean + (q.log_variance / 2).exp() * view.noise, view.code)
    with autocast(logits.device, enabled=False):
        lost = binary_cross_entropy_with_logits(logits.float(), (view.real + 1) / 2, reduction="none")
    return mean(lost.flatten(1).sum(dim=1))


def divergence(view: View) -> Scalar:
    """KL(q(z | x) | N(0, 1)) in nats. Appendix B."""
    q: Posterior = view.encoded
    return mean((q.mean.square() + q.log_variance.exp() - 1 - q.log_variance).sum(dim=1) / 2)
