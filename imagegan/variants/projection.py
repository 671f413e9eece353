"""Projection discriminator, Miyato and Koyama (2018): the class meets the features of an image in an inner product."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from imagegan.game import Recipe
from imagegan.latents import Codes, CodeSpec, Noise
from imagegan.nets import Discriminator, Images, Scored, Shape, spectral_norm
from imagegan.variants.configs import ProjectionConfig
from imagegan.variants.gan import networks, players


def projection(config: ProjectionConfig, shape: Shape) -> Recipe:
    """The hinge GAN with D(x, y) = <V y, phi(x)> + psi(phi(x)), section 3, and with the class at every level of G."""
    pair = networks(config, shape, g_code=shape.labelled())
    embedding = nn.Linear(pair.discriminator.features, shape.classes, bias=False)
    if config.spectral_norm:
        spectral_norm(embedding)
    nets = {
        "generator": ConditionalGenerator(pair.generator.body, shape.classes),
        "discriminator": Projection(pair.discriminator, embedding),
    }
    return Recipe(
        nets,
        players(config, d_turns=lambda step: config.critic_steps),
        (config.latent_dim,),
        CodeSpec(shape.classes),
        conditional=True,
        d_inputs=lambda view, images, generated: (images, view.code),
    )


class Projection(nn.Module):
    """A discriminator whose score has another term, <V y, phi(x)>: which features belong to the class."""

    def __init__(self, discriminator: Discriminator, embedding: nn.Linear) -> None:
        super().__init__()
        self.discriminator, self.embedding = discriminator, embedding

    def forward(self, images: Images, code: Codes) -> Scored:
        score, features = self.discriminator(images)
        return Scored(score + (self.embedding(features).float() * code).sum(dim=1), features)


class ConditionalGenerator(nn.Module):
    """A generator with conditional BatchNorm, beside the code at its input (of perceptrons the only place)."""

    def __init__(self, body: nn.Sequential, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(ConditionalBatchNorm(layer, classes) if isinstance(layer, _BatchNorm) else layer for layer in body)
        )

    def forward(self, noise: Noise, code: Codes) -> Images:
        hidden = torch.cat([noise, code], dim=1)
        for layer in self.body:
            hidden = layer(hidden, code) if isinstance(layer, ConditionalBatchNorm) else layer(hidden)
        return hidden.tanh()


class ConditionalBatchNorm(nn.Module):
    """BatchNorm with a gain and a bias for each class (Dumoulin et al. 2017; de Vries et al. 2017)."""

    def __init__(self, like: _BatchNorm, classes: int) -> None:
        super().__init__()
        self.norm = type(like)(like.num_features, affine=False)
        self.gain, self.bias = (nn.Linear(classes, like.num_features, bias=False) for _ in range(2))
        nn.init.ones_(self.gain.weight)
        nn.init.zeros_(self.bias.weight)

    def forward(self, inputs: Tensor, code: Codes) -> Tensor:
        shape = (*inputs.shape[:2], *(1,) * (inputs.ndim - 2))
        return self.norm(inputs) * self.gain(code).view(shape) + self.bias(code).view(shape)
