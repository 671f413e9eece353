"""Penalties on the gradient of a discriminator, as functions of its scores. In fp32, also under autocast.

The norm is that of each image's gradient: over a whole batch, that of a perfect critic is the root of its size."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import relu

from imagegan.losses import Scalar, Scores, mean
from imagegan.nets import Images
from imagegan.variants.configs import Sides
from seqgan.core import losses
from seqgan.core.device import autocast

Score = Callable[[Images], Scores]
Shares = Float[Tensor, "B 1 1 1"]


def shares(images: Images) -> Shares:
    """A uniform number in [0, 1) for each image."""
    return torch.rand(len(images), 1, 1, 1, device=images.device)


def between(real: Images, fake: Images, share: Shares) -> Images:
    """Points on the segments between real and generated images. Gulrajani et al. (2017), section 4."""
    return share * real + (1 - share) * fake


def gradient_norms(score: Score, images: Images) -> Scores:
    """|grad D(x)| for each image; gradients flow on to the critic's weights."""
    at = images.detach().float().requires_grad_()
    with autocast(at.device, enabled=False):
        (gradient,) = torch.autograd.grad(score(at).sum(), at, create_graph=True)
    return gradient.flatten(1).norm(dim=1)


def off_one(slopes: Scores, sides: Sides = "two-sided") -> Scalar:
    """E (slope - 1)^2, or only of slopes above 1: what a 1-Lipschitz critic forbids."""
    return mean((slopes - 1 if sides == "two-sided" else relu(slopes - 1)).square())


def gradient_penalty(score: Score, real: Images, fake: Images, sides: Sides = "two-sided") -> Scalar:
    """E (|grad D(x)| - 1)^2 between real and generated images. Gulrajani et al. (2017), equation 3."""
    return off_one(gradient_norms(score, between(real, fake, shares(real))), sides)


def r1_penalty(score: Score, real: Images) -> Scalar:
    """E |grad D(x)|^2 on real images, of which gamma / 2 is added. Mescheder et al. (2018), equation 9."""
    at = real.detach().float().requires_grad_()
    with autocast(at.device, enabled=False):
        return losses.r1_penalty(score(at), at)


def difference_penalty(score: Score, real: Images, fake: Images, sides: Sides = "two-sided") -> Scalar:
    """E (|D(y1) - D(y2)| / |y1 - y2| - 1)^2 for two points between the same real and generated image.

    A finite difference instead of the gradient: no second derivative, so it also works where there is none."""
    first, second = shares(real), shares(real)
    with autocast(real.device, enabled=False):
        real, fake = real.float(), fake.detach().float()
        ends = score(torch.cat([between(real, fake, first), between(real, fake, second)]))
    # y1 - y2 = (e1 - e2) (x - G(z)), without the rounding of a small difference of large numbers
    apart = (first - second).flatten().abs() * (real - fake).flatten(1).norm(dim=1)
    return off_one((ends[: len(real)] - ends[len(real) :]).abs() / apart.clamp(min=1e-3), sides)


def dragan_penalty(score: Score, real: Images, sides: Sides = "two-sided") -> Scalar:
    """E (|grad D(x)| - 1)^2 around real images, of logits. Kodali et al. (2017), with the noise of their code."""
    noise = 0.5 * real.std() * torch.rand_like(real)
    return off_one(gradient_norms(score, real + shares(real) * noise), sides)
