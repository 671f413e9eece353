"""Every term that is shipped, against what must hold of it; and every check, against terms that are wrong.

A check is a function so that it can be tried on mutants: a term with a sign, a reduction or a detach flipped."""

import copy
import itertools
import math
from collections.abc import Callable
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot, softplus
from torch.testing import assert_close

from imagegan import augment, game, latents, losses, nets, penalties, pyramid
from imagegan.game import Batch, Game, Recipe, View
from imagegan.latents import CodeSpec
from imagegan.nets import Classifier, Discriminator, Generator, Scored, Shape
from imagegan.variants import acgan as acgan_m
from imagegan.variants import began as began_m
from imagegan.variants import bigan as bigan_m
from imagegan.variants import cgan as cgan_m
from imagegan.variants import dcgan as dcgan_m
from imagegan.variants import dragan as dragan_m
from imagegan.variants import gan as gan_m
from imagegan.variants import infogan as infogan_m
from imagegan.variants import lapgan as lapgan_m
from imagegan.variants import ls_gan as ls_gan_m
from imagegan.variants import lsgan as lsgan_m
from imagegan.variants import projection as projection_m
from imagegan.variants import semi_gan as semi_gan_m
from imagegan.variants import vae as vae_m
from imagegan.variants import wgan as wgan_m
from imagegan.variants import wgan_gp as wgan_gp_m
from imagegan.variants.configs import ImageConfig
from seqgan.core import game as core_game
from seqgan.core import losses as core_losses
from seqgan.core.game import Player, Term, update_average
from tests.imagegan.mutants import FOUND, Mutant, mutated
from tests.imagegan.tiny import CPU, SHAPE, config_of, view_of

LOG2 = math.log(2)


class Linear(nn.Module):
    """A critic of which the slope is known: the same everywhere."""

    def __init__(self, slope: float, pixels: int = 12) -> None:
        super().__init__()
        direction = torch.randn(pixels, generator=torch.Generator().manual_seed(3))
        self.weight = nn.Parameter(slope * direction / direction.norm())

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight


def below(critic: Linear, real: Tensor) -> Tensor:
    """Images at some distance straight down the slope of a critic, as the best of couplings has them."""
    far = 1 + torch.rand(len(real), 1, generator=torch.Generator().manual_seed(5))
    return real - (far * critic.weight.detach() / critic.weight.detach().norm()).view_as(real)


class Recorder(nn.Module):
    """A discriminator that remembers what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[Tensor] = []
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor, *more: Tensor) -> Scored:
        self.shown.append(images)
        features = self.weight * images.flatten(1).square()
        return Scored(features.sum(dim=1), features)


class Fixed(nn.Module):
    """A head or a generator that answers what it was made with."""

    def __init__(self, answer: Callable[..., Tensor]) -> None:
        super().__init__()
        self.answer, self.asked = answer, []  # type: ignore[var-annotated]

    def forward(self, *asked: Tensor) -> Tensor:
        self.asked.append(asked)
        return self.answer(*asked)


def random(count: int, seed: int) -> Tensor:
    return torch.randn(count, 3, 2, 2, generator=torch.Generator().manual_seed(seed))


def recipe_of(module: Any, name: str, model: str, **changes: Any) -> Recipe:
    torch.manual_seed(0)
    return getattr(module, name)(config_of(model, **changes), SHAPE)


def patched(recipe: Recipe, **nets: nn.Module) -> View:
    """A view of a recipe with some of its networks exchanged."""
    exchanged = Recipe(**{**vars(recipe), "nets": {**recipe.nets, **nets}})
    return view_of(exchanged)


def reading_its_code(recipe: Recipe, head: str, sharpness: float) -> View:
    """A view in which a head on the features knows the code: its logits are so many times the code."""
    view = patched(recipe, **{head: Fixed(lambda features: sharpness * view.code)})
    return view


# --- losses


def check_losses_where_the_discriminator_is_undecided() -> None:
    zero = torch.zeros(6)
    found = {
        name: (float(pair.discriminator(zero, zero)), float(pair.generator(zero))) for name, pair in pairs().items()
    }
    expected = {
        "minimax": (2 * LOG2, -LOG2),
        "non-saturating": (2 * LOG2, LOG2),
        "least-squares": (0.5, 0.5),
        "hinge": (2.0, 0.0),
        "pairwise": (LOG2, LOG2),
        "wasserstein": (0.0, 0.0),
    }
    for name, values in expected.items():
        assert found[name] == pytest.approx(values), name


def pairs() -> dict[str, losses.Loss]:
    """The losses by the names of their functions, so that a mutant is found."""
    return {
        "minimax": losses.Loss(losses.discriminator_loss, losses.minimax_loss),
        "non-saturating": losses.Loss(losses.discriminator_loss, losses.non_saturating_loss),
        "least-squares": losses.Loss(losses.least_squares_discriminator_loss, losses.least_squares_generator_loss),
        "pairwise": losses.Loss(losses.pairwise_loss, losses.non_saturating_loss, compares=True),
        "hinge": losses.Loss(losses.hinge_discriminator_loss, losses.critic_generator_loss),
        "wasserstein": losses.Loss(losses.wasserstein_critic_loss, losses.critic_generator_loss),
    }


def check_losses_where_it_is_right() -> None:
    """Least squares is 0 at its targets, with plus signs (E6); the hinge is 0 beyond its margins."""
    one, zero = torch.ones(4), torch.zeros(4)
    assert float(losses.least_squares_discriminator_loss(one, zero)) == 0
    assert float(losses.least_squares_discriminator_loss(zero, one)) == 1
    assert float(losses.least_squares_generator_loss(one)) == 0
    assert float(losses.least_squares_discriminator_loss(3 * one, zero)) == 2
    assert float(losses.hinge_discriminator_loss(2 * one, -3 * one)) == 0
    assert float(losses.hinge_discriminator_loss(-one, one)) == 4
    assert float(losses.wasserstein_critic_loss(3 * one, one)) == -2
    assert float(losses.critic_generator_loss(3 * one)) == -3
    two = losses.pairwise_loss(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 1.0]))
    assert float(two) == pytest.approx((math.log1p(math.exp(-2)) + math.log1p(math.exp(1))) / 2)


def check_losses_are_means() -> None:
    real, fake = torch.randn(6), torch.randn(6)
    for name, pair in pairs().items():
        twice = pair.discriminator(torch.cat([real, real]), torch.cat([fake, fake]))
        assert_close(twice, pair.discriminator(real, fake), msg=name)
        assert_close(pair.generator(torch.cat([fake, fake])), pair.generator(fake), msg=name)


def check_the_best_discriminator_measures_jensen_and_shannon() -> None:
    """max_D V = 2 JSD - 2 log 2 (E3), at D = p / (p + q), on p = (1, 3) / 4 and q = (3, 1) / 4."""
    p, q = torch.tensor([1.0, 3.0]) / 4, torch.tensor([3.0, 1.0]) / 4
    logits = (p / q).log().requires_grad_()
    value = -losses.discriminator_loss(logits[[0, 1, 1, 1]], logits[[0, 0, 0, 1]])
    middle = (p + q) / 2
    divergence = ((p * (p / middle).log()).sum() + (q * (q / middle).log()).sum()) / 2
    assert_close(value, 2 * divergence - 2 * LOG2)
    value.backward()
    assert_close(logits.grad, torch.zeros(2), atol=1e-6, rtol=0.0)
    with torch.no_grad():
        for off in (torch.tensor([0.3, 0.0]), torch.tensor([0.0, -0.3])):
            worse = logits + off
            assert -losses.discriminator_loss(worse[[0, 1, 1, 1]], worse[[0, 0, 0, 1]]) < value


def check_gradients_where_the_discriminator_is_sure() -> None:
    """At D -> 0 log(1 - D) has no slope left, -log D has all of it; they are not the same (E29)."""
    sure = torch.full((4,), -30.0, requires_grad=True)
    (flat,) = torch.autograd.grad(losses.minimax_loss(sure), sure)
    (steep,) = torch.autograd.grad(losses.non_saturating_loss(sure), sure)
    assert flat.abs().max() < 1e-12
    assert_close(steep, torch.full((4,), -0.25))
    undecided = torch.zeros(4, requires_grad=True)
    for loss in (losses.minimax_loss, losses.non_saturating_loss):  # both push up, alike where D = 1/2
        (same,) = torch.autograd.grad(loss(undecided), undecided)
        assert_close(same, torch.full((4,), -0.125))


def check_parallel_lines() -> None:
    """P = (0, Z) and Q = (theta, Z): the distance is |theta|, Jensen and Shannon see log 2 whatever theta is."""
    height = torch.rand(50)
    for theta in (0.1, 1.0, 3.0):
        real, fake = torch.stack([0 * height, height], 1), torch.stack([theta + 0 * height, height], 1)
        best = lambda points: -points[:, 0]  # noqa: E731  # of all 1-Lipschitz critics
        assert_close(-losses.wasserstein_critic_loss(best(real), best(fake)), torch.tensor(theta))
        sure = torch.full((50,), 40.0)
        assert_close((-losses.discriminator_loss(sure, -sure) + 2 * LOG2) / 2, torch.tensor(LOG2))


# --- penalties


def check_a_perfect_critic_pays_nothing() -> None:
    """64 images, slope 1 at each: 0. (The norm over the whole batch would be 8, and the fine 49.)"""
    real = random(64, 0)
    for slope, sides, fine in (
        (1.0, "two-sided", 0.0),
        (-1.0, "two-sided", 0.0),  # upside down, and the way back is not free: half-way it pays 0.25
        (-0.5, "two-sided", 0.25),
        (-0.5, "one-sided", 0.0),
        (3.0, "two-sided", 4.0),
        (0.5, "two-sided", 0.25),
        (0.5, "one-sided", 0.0),
        (3.0, "one-sided", 4.0),
    ):
        critic, expected = Linear(slope), torch.tensor(fine)
        fake = below(critic, real)
        assert_close(penalties.gradient_penalty(critic, real, fake, sides), expected, atol=1e-5, rtol=1e-4)  # type: ignore[arg-type]
        assert_close(penalties.difference_penalty(critic, real, fake, sides), expected, atol=1e-3, rtol=1e-3)  # type: ignore[arg-type]
        assert_close(penalties.dragan_penalty(critic, real, sides), expected, atol=1e-5, rtol=1e-4)  # type: ignore[arg-type]


def check_a_penalty_teaches_the_critic() -> None:
    """d/dw (|w| - 1)^2 = 2 (|w| - 1) w / |w|: gradients pass through the norm to the weights, none to the images."""
    real = random(64, 0)
    fake = below(Linear(3.0), real).requires_grad_()
    for penalty in (
        penalties.gradient_penalty,
        penalties.difference_penalty,
        lambda score, real, fake: penalties.dragan_penalty(score, real),
    ):
        critic = Linear(3.0)
        penalty(critic, real, fake).backward()
        assert critic.weight.grad is not None
        assert_close(critic.weight.grad, 4 * critic.weight.detach() / 3, atol=2e-2, rtol=2e-2)
        assert fake.grad is None


def check_where_a_penalty_looks() -> None:
    """Each image on its own segment between one real and one generated (E7, E16); DRAGAN's around real ones (E8)."""
    real, fake = random(64, 0), random(64, 1)
    seen: list[Tensor] = []

    def score(images: Tensor) -> Tensor:
        seen.append(images.detach())
        return images.flatten(1).square().sum(dim=1)

    penalties.gradient_penalty(score, real, fake)
    penalties.difference_penalty(score, real, fake)
    for points in (seen[0], *seen[1].chunk(2)):
        share = (points - fake) / (real - fake)
        for k in range(64):
            assert_close(share[k], share[k].mean().expand_as(share[k]), atol=1e-2, rtol=0.0)
        share = share.flatten(1).median(dim=1).values
        assert share.min() >= -1e-3
        assert share.max() <= 1 + 1e-3
        assert share.std() > 0.2
        assert 0.35 < share.mean() < 0.65
    assert not seen[1][:64].allclose(seen[1][64:])
    penalties.dragan_penalty(score, real)
    off = seen[2] - real
    assert off.min() >= 0
    assert off.max() <= real.std() / 2
    assert off.max() > real.std() / 4
    assert off.flatten(1).std(dim=1).min() > 0


def check_r1_is_the_squared_slope_on_real_images() -> None:
    """D(x) = |x|^2 / 2 has slope |x|: E |x|^2. Of a linear critic w: |w|^2, whose gradient is 2 w."""
    real = random(5, 4).requires_grad_()

    def score(images: Tensor) -> Tensor:
        return images.flatten(1).square().sum(dim=1) / 2

    assert_close(penalties.r1_penalty(score, real), real.detach().flatten(1).square().sum(dim=1).mean())
    critic = Linear(3.0)
    penalty = penalties.r1_penalty(critic, real)
    assert_close(penalty.detach(), torch.tensor(9.0))
    penalty.backward()
    assert critic.weight.grad is not None
    assert_close(critic.weight.grad, 2 * critic.weight.detach())
    assert real.grad is None
    for gamma, names in ((0.0, {"loss"}), (8.0, {"loss", "r1"})):
        made = recipe_of(dcgan_m, "dcgan", "dcgan", r1_weight=gamma, d_norm="none")
        terms = made.players["d"].terms
        assert set(terms) == names
    assert terms["r1"].weight == 4.0
    assert terms["r1"].per_sample
    recorder = Recorder()
    view = patched(made, discriminator=recorder)
    assert_close(terms["r1"].of(view).detach(), 4 * view.real.square().flatten(1).sum(dim=1).mean())
    assert [shown.equal(view.real) for shown in recorder.shown] == [True]


def check_a_slope_is_of_the_critic_itself() -> None:
    """D(x) = |x|^2 / 2 has slope |x|; and no image is told how to make it smaller."""

    def score(images: Tensor) -> Tensor:
        return images.flatten(1).square().sum(dim=1) / 2

    images, fake = random(5, 4), random(5, 5).requires_grad_()
    assert_close(penalties.gradient_norms(score, images).detach(), images.flatten(1).norm(dim=1))
    penalties.gradient_penalty(score, images, fake).backward()
    assert fake.grad is None


def check_spectral_norm_bounds_every_layer() -> None:
    """The largest singular value becomes 1, whatever the scale of the weights; the loss has no gradient along them."""
    plain = nets.common_discriminator(Shape(1, 8), 0, 2, "none")
    layers = [layer for layer in plain.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(layers) == 4
    images = torch.randn(5, 1, 8, 8)
    net = nets.spectral_norm(copy.deepcopy(plain))
    twice = nets.spectral_norm(copy.deepcopy(plain))
    with torch.no_grad():
        for name, parameter in twice.named_parameters():
            parameter.mul_(2.0 if "weight" in name else 1.0)
        for _ in range(60):
            net(images), twice(images)
    normalised = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    for layer, before in zip(normalised, layers, strict=True):
        weight = before.weight.detach().flatten(1)
        assert_close(
            layer.weight.detach().flatten(1), weight / torch.linalg.matrix_norm(weight, 2), atol=1e-4, rtol=1e-3
        )
    score = net(images).score
    assert_close(score, twice(images).score, atol=1e-4, rtol=1e-3)
    score.sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None
        if name.endswith("original"):
            assert_close((parameter * parameter.grad).sum(), torch.tensor(0.0), atol=1e-3, rtol=0.0)


def check_the_power_iteration_runs_in_training_alone() -> None:
    net = nets.spectral_norm(nets.mlp_discriminator(SHAPE, 0, 8, "none"))
    images, vectors = torch.randn(2, 1, 28, 28), {name: value.clone() for name, value in net.named_buffers()}
    assert len(vectors) == 6
    net.eval()
    net(images)
    assert all(value.equal(vectors[name]) for name, value in net.named_buffers())
    net.train()
    net(images)
    # of a single row the first iteration finds the direction
    moved = {name for name, value in net.named_buffers() if not value.equal(vectors[name])}
    assert moved == {name for name in vectors if "output" not in name}


# --- augmentation


def check_brightness_adds_one_number_to_each_image() -> None:
    images = torch.randn(300, 2, 3, 3)
    added = (augment.brightness(images) - images).flatten(1)
    assert_close(added, added[:, :1].expand_as(added))
    assert -0.5 <= added.min() < -0.45
    assert 0.45 < added.max() <= 0.5


def check_a_translation_shifts_each_image_and_fills_with_zeros() -> None:
    """By -2 to 2 pixels of 16 along each axis, each image by its own: of pixels that hold their row and column."""
    place = torch.arange(16)
    grid = torch.stack(torch.meshgrid(place + 1.0, place + 1.0, indexing="ij"))
    shifted = augment.translation(grid.expand(400, 2, 16, 16))
    down, right = (9 - shifted[:, axis, 8, 8].long() for axis in (0, 1))  # pixel 8 of an axis holds a 9
    assert set(zip(down.tolist(), right.tolist(), strict=True)) == set(itertools.product(range(-2, 3), repeat=2))
    rows, columns = place - down[:, None], place - right[:, None]
    inside = ((rows >= 0) & (rows < 16))[:, :, None] & ((columns >= 0) & (columns < 16))[:, None, :]
    expected = torch.stack([rows[:, :, None].expand(-1, 16, 16), columns[:, None, :].expand(-1, 16, 16)], dim=1) + 1.0
    assert_close(shifted, expected * inside[:, None])


def check_a_cutout_is_a_square_of_half_the_side() -> None:
    for side in (8, 14):  # halves of 4 and 7
        images = torch.rand(2000, 2, side, side) + 1
        cut = augment.cutout(images)
        hole = cut == 0
        assert_close(cut, torch.where(hole, 0.0, images))
        assert hole[:, 0].equal(hole[:, 1])
        rows, columns = hole[:, 0].any(dim=2), hole[:, 0].any(dim=1)
        assert hole[:, 0].equal(rows[:, :, None] & columns[:, None, :])
        half = side // 2
        for axis in (rows, columns):
            assert axis.sum(dim=1).max() == half
            assert axis.sum(dim=1).min() == half - half // 2
            assert (axis.long().diff(dim=1).abs().sum(dim=1) <= 2).all()  # one stretch
            assert axis.any(dim=0).all()
            share = axis.float().mean(dim=0)
            assert_close(share, share.flip(0), atol=0.08, rtol=0.0)
        assert not rows.equal(columns)


def check_gradients_flow_through_an_augmentation() -> None:
    """It is linear in the image: of pixels that are left, the gradient of the sum is 1."""
    images = torch.randn(50, 1, 16, 16, requires_grad=True)
    augmented = augment.augmentation(["brightness", "translation", "cutout"], SHAPE)
    assert augmented is not None
    (gradient,) = torch.autograd.grad(augmented(images).sum(), images)
    assert set(gradient.unique().tolist()) == {0.0, 1.0}
    assert gradient.flatten(1).sum(dim=1).min() > 100
    assert gradient.flatten(1).sum(dim=1).max() < 256


def check_real_and_generated_images_are_augmented_alike_and_only_in_training() -> None:
    def shown_of(made: Recipe, ask: Callable[[View], object]) -> list[Tensor]:
        """What the discriminator is shown, as its convolutions see it."""
        seen: list[Tensor] = []
        trunk = made.nets["discriminator"].trunk
        hook = trunk.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))  # type: ignore[operator, union-attr]
        ask(view_of(made))
        hook.remove()
        return seen

    made = recipe_of(dcgan_m, "dcgan", "dcgan", augment=["cutout"], r1_weight=1.0, d_norm="none")
    asks: list[Callable[[View], object]] = [
        lambda view: view.on_real,
        lambda view: view.on_fake,
        made.players["g"].terms["loss"].of,
        made.players["d"].terms["r1"].of,
    ]
    for ask in asks:
        [images] = shown_of(made, ask)
        assert (images == 0).flatten(1).any(dim=1).all()
    made.nets["discriminator"].eval()
    for ask in asks:
        [images] = shown_of(made, ask)
        assert not (images == 0).flatten(1).any(dim=1).all()


# --- terms of variants


def check_who_is_shown_what() -> None:
    """D is judged on real and generated images; G on generated ones alone, through which it learns (E15)."""
    for module, name, model in (
        (gan_m, "gan", "gan"),
        (dcgan_m, "dcgan", "dcgan"),
        (lsgan_m, "lsgan", "lsgan"),
        (wgan_m, "wgan", "wgan"),
        (wgan_gp_m, "wgan_gp", "wgan-gp"),
    ):
        made = recipe_of(module, name, model)
        view = view_of(made)
        loss = made.players["g"].terms["loss"]
        loss.of(view).backward()
        assert "on_real" not in vars(view), name
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in made.nets["generator"].parameters()), name
        view = view_of(made)
        with torch.no_grad():
            pair = {"wgan": "wasserstein", "wgan_gp": "wasserstein", "lsgan": "least-squares"}.get(
                name, "non-saturating"
            )
            d = made.players["d"].terms["loss"].of(view)
            g = loss.of(view)
            assert_close(d, pairs()[pair].discriminator(view.on_real.score, view.on_fake.score))
            assert_close(g, pairs()[pair].generator(view.on_fake.score))


def check_a_pairwise_game() -> None:
    """Real above generated, generated above real, pair by pair; the generator learns through the generated ones."""
    made = recipe_of(dcgan_m, "dcgan", "dcgan", loss="pairwise")
    view = view_of(made)
    d, g = (made.players[name].terms["loss"].of(view) for name in "dg")
    gap = view.on_real.score - view.on_fake.score
    assert_close(d, softplus(-gap).mean())
    assert_close(g, softplus(gap).mean())
    g.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in made.nets["generator"].parameters())
    assert_close(made.players["d"].watch["d_accuracy"](view), (gap > 0).float())


def check_penalties_in_their_games() -> None:
    """lambda times the penalty, in the same loss as the rest, between what is real and what is generated."""
    for module, name, model in (
        (wgan_gp_m, "wgan_gp", "wgan-gp"),
        (wgan_gp_m, "wgan_diff", "wgan-diff"),
        (dragan_m, "dragan", "dragan"),
    ):
        made = recipe_of(module, name, model)
        term = made.players["d"].terms["penalty"]
        assert term.weight == 10.0
        assert term.per_sample
        recorder = Recorder()
        view = patched(made, discriminator=recorder)
        term.of(view)
        points, real, fake = recorder.shown[-1].detach(), view.real, view.fake.detach()
        if name == "dragan":
            assert (points - real).min() >= 0
        else:
            points = points[: len(real)]
            apart = (points - real).flatten(1).norm(dim=1) + (points - fake).flatten(1).norm(dim=1)
            assert_close(apart, (real - fake).flatten(1).norm(dim=1))
            assert ((points - real).flatten(1).norm(dim=1) > 1e-3).all()
            assert ((points - fake).flatten(1).norm(dim=1) > 1e-3).all()


def scored(*losses: float) -> Scored:
    """The output of a discriminator whose loss on each image is this."""
    score = -torch.tensor(losses)
    return Scored(score, score[:, None])


def check_a_loss_function_rates_a_pair_by_its_margin() -> None:
    """max(0, lambda |x - G(z)|_1 - (L(G(z)) - L(x))) of each pair; G lowers the loss of what it generates."""
    made = recipe_of(ls_gan_m, "ls_gan", "ls-gan", margin_weight=0.01)
    d, g = (made.players[name].terms["loss"] for name in "dg")
    view = view_of(made, count=2)
    view.real = torch.stack([torch.zeros(1, 28, 28), torch.ones(1, 28, 28)])
    view.fake = torch.stack([torch.tensor([0.5, -0.5]).repeat(28, 14)[None], -torch.ones(1, 28, 28)])
    margins = 0.01 * 784 * torch.tensor([0.5, 2.0])
    for loss_gap, expected in (
        (torch.zeros(2), margins.mean()),
        (margins, 0.0),
        (margins + 1, 0.0),
        (margins - 2, 2.0),
        (margins + torch.tensor([-2.0, 5.0]), 1.0),  # each pair by itself
    ):
        view.on_real, view.on_fake = scored(3.0, 4.0), scored(*(loss_gap + torch.tensor([3.0, 4.0])).tolist())
        assert_close(d.of(view), torch.as_tensor(expected), atol=1e-5, rtol=1e-5)
        assert_close(made.players["d"].watch["loss_gap"](view), loss_gap)
    view.on_real, view.on_fake = scored(9.0, 9.0), scored(1.0, 4.0)
    assert_close(g.of(view), torch.tensor(2.5))
    view = view_of(made)
    g.of(view).backward()
    assert all(p.grad is not None for p in made.nets["generator"].parameters())


def check_an_autoencoder_keeps_its_balance() -> None:
    """min_D E L(x) - k E L(G(z)); k rises where L(G(z)) < gamma L(x), and stays in [0, 1]; M = L(x) at the balance."""
    made = recipe_of(began_m, "began", "began", gamma=0.5, k_lr=0.2)
    d, g = made.players["d"], made.players["g"]
    (k,) = made.nets["balance"].buffers()
    assert k == 0
    for real, fake, before, after, measure in (
        (2.0, 1.0, 0.3, 0.3, 2.0),  # balanced
        (2.0, 0.5, 0.3, 0.4, 2.5),
        (2.0, 2.0, 0.3, 0.1, 3.0),
        (1.0, 9.0, 0.3, 0.0, 9.5),
        (20.0, 0.0, 0.3, 1.0, 30.0),
    ):
        view = view_of(made, count=2)
        view.on_real, view.on_fake = scored(real - 0.5, real + 0.5), scored(fake - 0.25, fake + 0.25)
        k.fill_(before)
        assert_close(d.terms["real"].of(view), torch.tensor(real))
        assert_close(d.terms["fake"].of(view), torch.tensor(-before * fake))
        assert_close(g.terms["loss"].of(view), torch.tensor(fake))
        assert_close(d.watch["convergence"](view).mean(), torch.tensor(measure))
        d.after(view, made.nets)
        assert_close(k, torch.tensor(after))
    encoder = Discriminator(nn.Flatten(), 4, planes=False)
    doubling = Fixed(lambda code, nothing: 2 * code.view(-1, 1, 2, 2))
    net = began_m.Autoencoder(encoder, doubling, 4)
    with torch.no_grad():
        net.code.weight.copy_(torch.eye(4))
        net.code.bias.zero_()
    images = torch.tensor([[0.5, -0.5, 1.0, 0.0], [0.0, 0.0, 0.0, -1.0]]).view(2, 1, 2, 2)
    assert_close(net(images).score, torch.tensor([-0.5, -0.25]))  # |v - 2 v|, the mean of the pixels
    assert_close(net(images).features, images.flatten(1))
    view = view_of(made)
    g.terms["loss"].of(view).backward()
    assert all(p.grad is not None for p in made.nets["generator"].parameters())


def check_k_logits_are_a_discriminator() -> None:
    """Of K + 1 classes, the last with the logit 0, all others together have the logit log sum exp."""
    net = Classifier(Discriminator(nn.Flatten(), 4, planes=False), 3)
    images = torch.randn(5, 1, 2, 2)
    features, logits = images.flatten(1), net.output(images.flatten(1))
    known = torch.cat([logits, torch.zeros(5, 1)], dim=1).softmax(dim=1)
    assert_close(net(images).score.sigmoid(), known[:, :3].sum(dim=1))
    assert_close(net(images).features, features)
    assert_close(net.logits(images).softmax(dim=1), known[:, :3] / known[:, :3].sum(dim=1, keepdim=True))


def check_few_labels_teach_two_classifiers() -> None:
    """D and the baseline learn the class of labelled images alone; G deceives D, or matches its mean features."""
    made = recipe_of(semi_gan_m, "semi_gan", "semi-gan")
    assert {name: player.moves for name, player in made.players.items()} == {
        "d": ("discriminator",),
        "g": ("generator",),
        "baseline": ("baseline",),
    }
    labels = torch.tensor([1, 2, 3, 3])
    images = one_hot(labels, 784).float().view(4, 1, 28, 28)  # the pixel of its class is bright
    for player, net, term in (("d", "discriminator", "class"), ("baseline", "baseline", "loss")):
        for sharpness, expected in ((50.0, 0.0), (0.0, math.log(10))):
            reading = Classifier(Discriminator(nn.Flatten(), 784, planes=False), 10)
            reading.output.weight.data = sharpness * torch.eye(10, 784)
            reading.output.bias.data.zero_()
            view = patched(made, **{net: reading})
            view.labelled = Batch(images, labels)
            assert_close(made.players[player].terms[term].of(view), torch.tensor(expected), atol=1e-6, rtol=1e-6)
        view = view_of(made)
        view.labelled = Batch(images, labels)
        for module in made.nets.values():
            module.zero_grad()
        made.players[player].terms[term].of(view).backward()
        taught = {name for name, module in made.nets.items() if any(p.grad is not None for p in module.parameters())}
        assert taught == {net}
        assert "batch" not in vars(view)
    matching = recipe_of(semi_gan_m, "semi_gan", "semi-gan", feature_matching=True).players["g"].terms["loss"]
    view = view_of(made, count=2)
    view.on_real = Scored(torch.zeros(2), torch.tensor([[1.0, 2.0], [3.0, 2.0]]))
    view.on_fake = Scored(torch.zeros(2), torch.tensor([[0.0, 5.0], [0.0, 5.0]]))
    assert_close(matching.of(view), torch.tensor(2.0**2 + 3.0**2))
    view = view_of(made)
    matching.of(view).backward()
    assert all(p.grad is not None for p in made.nets["generator"].parameters())


def check_pairs_of_images_and_codes() -> None:
    """D is given (x, E(x)) and (G(z), z); G and E minimise the same loss with the labels exchanged, and both learn."""
    made = recipe_of(bigan_m, "bigan", "bigan")
    assert made.players["g"].moves == ("generator", "encoder")
    view = view_of(made)
    asked: list[tuple[Tensor, Tensor]] = []

    def judge(images: Tensor, code: Tensor) -> Scored:
        asked.append((images, code))
        return Scored(images.flatten(1).mean(dim=1) + code.mean(dim=1), code)

    view = patched(made, discriminator=Fixed(judge))  # type: ignore[arg-type]
    view.on_real, view.on_fake  # noqa: B018
    (real, encoded), (fake, noise) = asked
    assert real.equal(view.real)
    assert encoded.equal(view.encoded)
    assert_close(encoded, made.nets["encoder"](view.real))
    assert fake.equal(view.fake)
    assert noise.equal(view.noise)
    d, g = (made.players[name].terms["loss"] for name in "dg")
    view = view_of(made, count=2)
    view.on_real, view.on_fake = scored(-1.0, -2.0), scored(-3.0, 4.0)
    real_score, fake_score = view.on_real.score, view.on_fake.score
    assert_close(d.of(view), losses.discriminator_loss(real_score, fake_score))
    assert_close(g.of(view), losses.discriminator_loss(fake_score, real_score))
    view = view_of(made)
    g.of(view).backward()
    for net in ("generator", "encoder"):
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in made.nets[net].parameters() if p.dim() > 1)
    score = bigan_m.PairDiscriminator(Discriminator(nn.Flatten(), 784, planes=False), 6)
    images, codes = torch.randn(3, 1, 28, 28), torch.randn(3, 6)
    assert not score(images, codes).score.allclose(score(images, codes.roll(1, dims=0)).score)
    assert not score(images, codes).score.allclose(score(images.roll(1, dims=0), codes).score)


def check_cgan_tells_both_players() -> None:
    """D(G(z, y), y), not D(G(z, y)) (E18)."""
    made = recipe_of(cgan_m, "cgan", "cgan")
    view, other = view_of(made), view_of(made)
    other.code = view.code.roll(1, dims=1)
    assert_close(view.code.argmax(dim=1), view.batch.labels)
    other.noise = view.noise
    with torch.no_grad():
        assert not view.discriminate(view.real).score.allclose(other.discriminate(view.real).score)
        assert not view.fake.allclose(other.fake)


def check_a_projection_scores_each_class_by_its_own_direction() -> None:
    """D(x, y) - D(x, y') = <v_y - v_y', phi(x)>, and without V it is the discriminator of a GAN (section 3)."""
    made = recipe_of(projection_m, "projection", "projection", spectral_norm=False, nets="dcgan")
    view, net = view_of(made), made.nets["discriminator"]
    assert_close(view.code.argmax(dim=1), view.batch.labels)
    images, three, seven = view.real, *(one_hot(torch.full((8,), label), 10).float() for label in (3, 7))
    with torch.no_grad():
        features = net.discriminator.trunk(images)  # type: ignore[operator, union-attr]
        direction = net.embedding.weight[3] - net.embedding.weight[7]  # type: ignore[index, union-attr]
        apart = net(images, three).score - net(images, seven).score
        assert apart.abs().max() > 1e-3
        assert_close(apart, features @ direction, atol=1e-5, rtol=1e-4)
        mixed = net(images, (three + seven) / 2).score
        assert_close(mixed, (net(images, three).score + net(images, seven).score) / 2, atol=1e-5, rtol=1e-4)
        scored = net.discriminator(images).score  # type: ignore[operator]
        assert_close(net(images, 0 * three).score, scored)
        other = view_of(made)
        other.code = view.code.roll(1, dims=1)
        assert not view.score(images).allclose(other.score(images))  # both players see the classes


def check_conditional_batchnorm_has_a_gain_and_a_bias_for_each_class() -> None:
    """Normalised over the batch; then (c + 1) times that plus c in class c. At first the gain is 1 and the bias 0."""
    inputs = 5 * torch.randn(40, 3, 4, 4) + 2
    code = one_hot(torch.arange(40) % 4, 4).float()
    plain = nn.BatchNorm2d(3, affine=False)(inputs)
    layer = projection_m.ConditionalBatchNorm(nn.BatchNorm2d(3), 4)
    assert_close(layer(inputs, code), plain)
    with torch.no_grad():
        layer.gain.weight.copy_(torch.arange(1.0, 5.0).expand(3, 4))
        layer.bias.weight.copy_(torch.arange(4.0).expand(3, 4))
    label = (torch.arange(40) % 4).float().view(-1, 1, 1, 1)
    assert_close(layer(inputs, code), (label + 1) * plain + label)
    flat = projection_m.ConditionalBatchNorm(nn.BatchNorm1d(3), 4)
    assert_close(flat(inputs[:, :, 0, 0], code), nn.BatchNorm1d(3, affine=False)(inputs[:, :, 0, 0]))
    for nets_, norms in (("mlp", 0), ("dcgan", 2), ("common", 3)):
        made = recipe_of(projection_m, "projection", "projection", nets=nets_)
        generator = made.nets["generator"].eval()
        layers = [layer for layer in generator.modules() if isinstance(layer, projection_m.ConditionalBatchNorm)]
        assert len(layers) == norms
        view, other = view_of(made), view_of(made)
        other.noise, other.code = view.noise, view.code.roll(1, dims=1)
        assert not view.fake.allclose(other.fake)
        for changed in layers:
            again = view_of(made)
            again.noise, before = view.noise, generator(view.noise, view.code)
            with torch.no_grad():
                changed.bias.weight[:, 3] += 1.0
            same = [image.equal(old) for image, old in zip(again.fake, before, strict=True)]
            assert same == [label != 3 for label in view.batch.labels.tolist()]


def check_acgan_names_classes() -> None:
    made = recipe_of(acgan_m, "acgan", "acgan")
    terms = {**made.players["d"].terms, **made.players["g"].terms}
    assert set(made.players["d"].terms) == {"loss", "class_real", "class_fake"}
    assert set(made.players["g"].terms) == {"loss", "class_fake"}
    for name in ("class_real", "class_fake"):
        for sharpness, expected in ((50.0, 0.0), (0.0, math.log(10))):
            view = reading_its_code(made, "classes", sharpness)
            assert_close(terms[name].of(view), torch.tensor(expected))
        view = reading_its_code(made, "classes", -50.0)
        assert terms[name].of(view) > 40
        head = Fixed(lambda features: features[:, :10])
        view = patched(made, classes=head)
        terms[name].of(view)
        assert head.asked[0][0].equal((view.on_real if name == "class_real" else view.on_fake).features)
    view = view_of(made)
    terms["class_fake"].of(view).backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in made.nets["generator"].parameters())


def check_information_is_bounded_by_the_entropy_of_the_code() -> None:
    """L_I = H(c) where the code is read without error, 0 where it is guessed, less where it is misread."""
    made = recipe_of(infogan_m, "infogan", "infogan", continuous=0)
    for player in ("d", "g"):
        term = made.players[player].terms["information_loss"]
        assert term.weight == 1.0
        for sharpness, expected in ((50.0, -math.log(10)), (0.0, 0.0)):
            view = reading_its_code(made, "reader", sharpness)
            assert_close(term.of(view), torch.tensor(expected), atol=1e-6, rtol=1e-6)
        view = patched(made, reader=Fixed(lambda features: 3 * torch.randn(len(features), 10)))
        assert term.of(view) > -math.log(10)
    view = view_of(made)
    made.players["g"].terms["information_loss"].of(view).backward()
    for net in ("generator", "reader"):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in made.nets[net].parameters()), net
    assert made.players["d"].moves == ("discriminator", "reader")


def check_numbers_are_read_as_gaussians() -> None:
    code = CodeSpec(0, 2)
    codes = torch.tensor([[0.5, -1.0], [0.0, 1.0]])
    means = torch.tensor([[0.0, 1.0], [2.0, 2.0]])
    for deviation in (1.0, 0.2):
        density = torch.distributions.Normal(means, deviation).log_prob(codes).sum(dim=1)
        assert_close(infogan_m.log_likelihood(means, codes, code, deviation), density)
    assert infogan_m.entropy(code) == pytest.approx(2 * LOG2)  # of a uniform density 1/2
    assert infogan_m.entropy(CodeSpec(10, 2)) == pytest.approx(math.log(10) + 2 * LOG2)
    both, read = CodeSpec(3, 1), torch.tensor([[0.0, 1.0, 2.0, 0.25]])
    expected = torch.tensor([2.0]) - torch.tensor([0.0, 1.0, 2.0]).logsumexp(0) - 0.5**2 / 2 - math.log(2 * math.pi) / 2
    assert_close(infogan_m.log_likelihood(read, torch.tensor([[0.0, 0.0, 1.0, 0.75]]), both, 1.0), expected)


def check_the_evidence_lower_bound() -> None:
    made = recipe_of(vae_m, "vae", "vae")
    terms = made.players["vae"].terms
    assert set(made.players["vae"].moves) == set(made.nets)
    mean = torch.randn(8, 6)
    log_variance = torch.randn(8, 6)
    decoder = Fixed(lambda noise: (0.0 * noise.sum()).expand(8, 1, 28, 28))
    encoder = Fixed(lambda images: vae_m.Posterior(mean, log_variance))  # type: ignore[arg-type,return-value]
    view = patched(made, encoder=encoder, generator=Generator(nn.Sequential(decoder)))
    q = torch.distributions.Normal(mean, (log_variance / 2).exp())
    exact = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(dim=1).mean()
    assert_close(terms["divergence"].of(view), exact)
    assert_close(terms["reconstruction"].of(view), torch.tensor(784 * LOG2))  # grey says nothing of any pixel
    assert_close(decoder.asked[0][0], mean + (log_variance / 2).exp() * view.noise)
    view = patched(made, generator=Generator(nn.Sequential(Fixed(lambda noise: (view.real * 0.999).atanh()))))
    sure = torch.distributions.Bernoulli((view.real * 0.999 + 1) / 2)
    expected = -(
        sure.log_prob(torch.ones(1)) * (view.real + 1) / 2 + sure.log_prob(torch.zeros(1)) * (1 - view.real) / 2
    )
    assert_close(terms["reconstruction"].of(view), expected.flatten(1).sum(dim=1).mean())
    black = torch.full((8, 1, 28, 28), -20.0, requires_grad=True)  # where tanh has no gradient
    view = patched(made, generator=Generator(nn.Sequential(Fixed(lambda noise: black))))
    terms["reconstruction"].of(view).backward()
    assert_close(black.grad, -(view.real + 1) / 8)
    view = view_of(made)
    terms["reconstruction"].of(view).backward()
    for net, module in made.nets.items():
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters() if p.dim() > 1), net


def check_the_pyramid_is_invertible() -> None:
    """Bit for bit where pixels have few bits; and real = h + l is what D sees of a real image (E19)."""
    images = torch.randint(0, 256, (4, 1, 32, 32), generator=torch.Generator().manual_seed(0)) / 128 - 1
    levels = [pyramid.at_level(images, halvings) for halvings in range(4)]
    assert [len(level[0, 0]) for level in levels] == [32, 16, 8, 4]
    for finer, coarse in pairwise(levels):
        assert (pyramid.upsampled(coarse) + pyramid.high(finer)).equal(finer)
    assert pyramid.high(torch.full((1, 1, 4, 4), 0.5)).abs().max() == 0
    top, *finer = lapgan_m.lapgan(config_of("lapgan", conditional=True), SHAPE)
    assert top.conditional
    for recipe in finer:
        size = recipe.noise[-1]
        recorder = Recorder()
        exchanged = Recipe(**{**vars(recipe), "nets": {**recipe.nets, "discriminator": recorder}})
        view = view_of(exchanged, size=size)
        view.on_real, view.on_fake  # noqa: B018
        assert_close(recorder.shown[0], view.batch.images)
        assert_close(recorder.shown[1], view.fake + pyramid.low(view.batch.images))
        other = view_of(exchanged, size=size)
        other.noise, other.context = view.noise, (view.context[0] + 0.5,)
        assert not other.fake.allclose(view.fake)


def check_the_critic_s_schedule_and_bounds() -> None:
    """5 turns, n not n + 1 (E12), but 100 in the first 25 rounds and every 500th; then all weights in [-c, c]."""
    turns = wgan_m.schedule(5, 100)
    assert [turns(step) for step in (1, 25, 26, 500, 501, 502)] == [100, 100, 5, 5, 100, 5]
    made = recipe_of(wgan_m, "wgan", "wgan")
    assert [made.players["d"].turns(step) for step in (1, 26)] == [3, 2]
    assert [made.players["g"].turns(step) for step in (1, 26)] == [1, 1]
    net = Linear(5.0)
    with torch.no_grad():
        net.weight[0] = -7.0
    made.players["d"].after(view_of(made), {**made.nets, "discriminator": net})
    assert net.weight.max().item() == pytest.approx(0.01)
    assert net.weight.min().item() == pytest.approx(-0.01)
    assert recipe_of(wgan_gp_m, "wgan_gp", "wgan-gp").players["d"].turns(1) == 2


def check_one_joint_loss() -> None:
    """Weighted terms are added up before one step; nets of others learn nothing; turns see new images and noise."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor(2.0))

    mine, other = Net(), Net()
    player = Player(
        ("mine",),
        {
            "loss": Term(lambda view: mine.weight * other.weight),
            "more": Term(lambda view: mine.weight.square(), 3.0),
        },
        lambda parameters: torch.optim.SGD(parameters, 0.1),
        turns=lambda step: 2,
    )
    made = Recipe({"mine": mine, "generator": other}, {"p": player}, (3,))
    played = Game(
        made,
        ImageConfig(steps=1, batch_size=4),
        torch.arange(40.0).view(40, 1, 1, 1),
        torch.zeros(0, dtype=torch.long),
        CPU,
        0,
    )
    measured = played.update(1)
    # w <- w - .1 (2 + 6 w), twice: 2 -> .6 -> .04; the loss of the second turn is 2 * .6 + 3 * .36
    assert_close(mine.weight.detach(), torch.tensor(0.04))
    assert_close(torch.as_tensor(measured["p_loss"]), torch.tensor(2.28))
    assert_close(torch.as_tensor(measured["p_more"]), torch.tensor(0.36))
    assert other.weight.item() == 2.0
    assert other.weight.grad is None
    views = [played.view(1, "p"), played.view(1, "p", 1), played.view(2, "p"), played.view(1, "q")]
    assert len({tuple(view.real.flatten().tolist()) for view in views}) == 4
    assert played.view(1, "p").real.equal(views[0].real)
    assert not views[0].noise.equal(views[1].noise)


def check_codes_are_drawn_from_all_there_are() -> None:
    codes = CodeSpec(4, 2).draw(400, CPU)
    assert codes.shape == (400, 6)
    assert_close(codes[:, :4].sum(dim=1), torch.ones(400))
    assert codes[:, :4].sum(dim=0).min() > 60
    assert codes[:, 4:].min() < -0.95
    assert codes[:, 4:].max() > 0.95
    assert CodeSpec(4).in_turn(6, CPU).argmax(dim=1).tolist() == [0, 1, 2, 3, 0, 1]
    assert CodeSpec().draw(3, CPU).shape == (3, 0)


def check_learning_rates_fall_to_zero() -> None:
    """Those of torch's own schedulers, stepped through; the rate is as before after the step."""
    weight = nn.Parameter(torch.zeros(1))
    for name, new in (
        ("constant", lambda it: torch.optim.lr_scheduler.ConstantLR(it, 1.0)),
        ("linear", lambda it: torch.optim.lr_scheduler.LinearLR(it, 1.0, 0.0, 8)),
        ("cosine", lambda it: torch.optim.lr_scheduler.CosineAnnealingLR(it, 8)),
    ):
        reference = torch.optim.SGD([weight], 0.3)
        scheduler, mine = new(reference), torch.optim.SGD([weight], 0.3)
        for step in range(1, 9):
            before = weight.item()
            weight.grad = torch.ones(1)
            with core_game.scaled_lr(mine, core_game.LR_SCHEDULES[name](step, 8)):
                mine.step()
            assert before - weight.item() == pytest.approx(reference.param_groups[0]["lr"], abs=1e-6)
            assert mine.param_groups[0]["lr"] == 0.3
            reference.step()
            scheduler.step()


def check_the_averaged_generator_follows() -> None:
    """In the long run it keeps 9 of 10 parts of itself in a round; in round 1, 2 of 11."""
    made = recipe_of(gan_m, "gan", "gan")
    for step, keep in ((1, 2 / 11), (10_000, 0.9)):
        played = Game(
            made,
            ImageConfig(steps=1, batch_size=4, ema=0.9),
            torch.zeros(4, 1, 28, 28),
            torch.zeros(0, dtype=torch.long),
            CPU,
            0,
        )
        assert played.averaged is not None
        live, old = played.recipe.nets["generator"], next(iter(played.averaged.parameters())).detach().clone()
        with torch.no_grad():
            next(iter(live.parameters())).add_(1.0)
        update_average(played.averaged, live, played.config.ema, step)
        assert_close(next(iter(played.averaged.parameters())).detach(), old + 1 - keep)
        assert played.generator is played.averaged


CHECKS = {name: check for name, check in list(globals().items()) if name.startswith("check_")}


@pytest.mark.parametrize("name", list(CHECKS))
def test_it_holds(name: str) -> None:
    torch.manual_seed(0)
    CHECKS[name]()


# --- mutants: where, what stands there, and what is put in its place

SIGNS_AND_REDUCTIONS: list[tuple[ModuleType, str, str, str]] = [
    (losses, "mean", "values.mean()", "values.sum()"),
    (losses, "discriminator_loss", "softplus(-real)", "softplus(real)"),
    (losses, "discriminator_loss", "softplus(fake)", "softplus(-fake)"),
    (losses, "discriminator_loss", "mean(softplus(fake))", "softplus(fake).sum()"),
    (losses, "discriminator_loss", "softplus(-real)) +", "softplus(-real)) -"),
    (losses, "minimax_loss", "-mean", "mean"),
    (losses, "minimax_loss", "softplus(fake)", "softplus(-fake)"),
    (losses, "minimax_loss", "-mean(softplus(fake))", "mean(softplus(-fake))"),  # "essentially the same"
    (losses, "non_saturating_loss", "-fake", "fake"),
    (losses, "non_saturating_loss", "mean(", "(lambda x: x.sum())("),
    (losses, "non_saturating_loss", "-fake", "-fake.detach()"),
    (losses, "least_squares_discriminator_loss", "real - 1", "real + 1"),
    (losses, "least_squares_discriminator_loss", "+ mean(fake", "- mean(fake"),
    (losses, "least_squares_discriminator_loss", "(mean((real", "(-mean((real"),  # E6
    (losses, "least_squares_discriminator_loss", "/ 2", "/ 1"),
    (losses, "least_squares_generator_loss", "fake - 1", "fake + 1"),
    (losses, "least_squares_generator_loss", "return mean", "return -mean"),  # E6
    (losses, "hinge_discriminator_loss", "1 - real", "1 + real"),
    (losses, "hinge_discriminator_loss", "1 + fake", "1 - fake"),
    (losses, "hinge_discriminator_loss", "+ mean(relu", "- mean(relu"),
    (losses, "wasserstein_critic_loss", "mean(fake) - mean(real)", "mean(real) - mean(fake)"),  # E14
    (losses, "critic_generator_loss", "-mean", "mean"),
    (losses, "critic_generator_loss", "mean(fake)", "fake.sum()"),
    (penalties, "between", "(1 - share) * fake", "(1 + share) * fake"),
    (penalties, "between", "share * real", "real"),
    (penalties, "shares", "len(images), 1, 1, 1", "1, 1, 1, 1"),
    (penalties, "shares", "torch.rand", "torch.randn"),
    (penalties, "gradient_norms", "flatten(1).norm(dim=1)", "norm().expand(len(images))"),  # over the batch
    (penalties, "gradient_norms", "flatten(1).norm(dim=1)", "norm(dim=1).flatten(1).mean(dim=1)"),  # over channels
    (penalties, "gradient_norms", "create_graph=True", "create_graph=False"),
    (penalties, "gradient_norms", "score(at).sum()", "score(at).sigmoid().sum()"),  # not of the logit
    (penalties, "gradient_norms", "images.detach()", "images"),
    (penalties, "off_one", "slopes - 1", "slopes + 1"),
    (penalties, "off_one", "relu(slopes - 1)", "relu(1 - slopes)"),
    (penalties, "off_one", "mean(", "(lambda x: x.sum())("),
    (penalties, "off_one", ".square()", ""),
    (penalties, "gradient_penalty", "between(real, fake, shares(real))", "fake"),  # E7
    (penalties, "gradient_penalty", "between(real, fake", "between(real, real"),
    (core_losses, "r1_penalty", ".square()", ""),
    (core_losses, "r1_penalty", ".mean()", ".sum()"),
    (core_losses, "r1_penalty", "return gradient", "return -gradient"),
    (core_losses, "r1_penalty", "create_graph=True", "create_graph=False"),
    (core_losses, "r1_penalty", "scores.sum()", "scores.sigmoid().sum()"),  # not of the logit
    (penalties, "r1_penalty", "real.detach()", "(0 * real.detach())"),
    (gan_m, "players", "view.score, view.real", "view.score, view.fake"),
    (gan_m, "players", "config.r1_weight / 2", "config.r1_weight"),
    (gan_m, "players", "per_sample=True", "per_sample=False"),
    (penalties, "difference_penalty", "first - second", "first + second"),
    (penalties, "difference_penalty", ".norm(dim=1)", ".norm()"),
    (penalties, "difference_penalty", ".flatten().abs()", ".flatten()"),
    (penalties, "difference_penalty", "[len(real) :]).abs()", "[len(real) :])"),
    (penalties, "difference_penalty", "fake.detach().float()", "fake.float()"),
    (penalties, "difference_penalty", "ends[: len(real)]", "ends[: len(real)].detach()"),
    (penalties, "dragan_penalty", "0.5 * real.std()", "2.0 * real.std()"),
    (penalties, "dragan_penalty", "real + shares", "real - shares"),
    (penalties, "dragan_penalty", "rand_like", "randn_like"),  # E8
    (penalties, "dragan_penalty", "shares(real) * noise", "shares(real)"),
    (nets, "spectral_norm", "nn.Conv2d | nn.Linear", "nn.Linear"),
    (nets, "spectral_norm", "nn.Conv2d | nn.Linear", "nn.Conv2d"),
    (nets, "spectral_norm", "parametrizations.spectral_norm(layer)", "parametrizations.weight_norm(layer)"),
    (augment, "brightness", "- 0.5", ""),
    (augment, "brightness", "len(images), 1, 1, 1", "len(images), images.shape[1], 1, 1"),
    (augment, "translation", "// 8", "// 4"),
    (augment, "translation", "_integers(images, -most, most), _", "_integers(images, 0, most), _"),
    (augment, "translation", "right.mT", "down.mT"),
    (augment, "cutout", "// 2\n", "// 3\n"),
    (augment, "cutout", "+ half // 2", "+ 0"),
    (augment, "cutout", "< first + half", "<= first + half"),
    (augment, "cutout", "& inside[1]", "| inside[1]"),
    (augment, "_integers", "len(images), 1, 1, 1", "1, 1, 1, 1"),
    (augment, "_integers", "most + 1", "most"),
    (augment, "augmentation", "images = augment(images)", "images = augment(images.detach())"),
    (augment, "augmentation", "if name in names", "if name not in names"),
    (nets, "Discriminator.forward", "self.training and", ""),
    (pyramid, "high", "images - low", "images + low"),
    (game, "versus", "(view.on_real.score, view.on_fake.score)", "(view.on_fake.score, view.on_real.score)"),
    (game, "versus", "loss.generator(view.on_fake.score)", "loss.generator(view.on_real.score)"),  # E15
    (game, "versus", "loss.generator(view.on_fake.score)", "loss.generator(view.on_fake.score.detach())"),
    (game, "versus", "-score_gap(view)", "score_gap(view)"),
    (game, "versus", "if loss.compares else loss", "if not loss.compares else loss"),
    (game, "versus", "if loss.compares else watch", "if False else watch"),
    (game, "right_pairs", "+ 1) / 2", ") / 2"),
    (core_losses, "pairwise_loss", "worse - better", "better - worse"),
    (core_losses, "pairwise_loss", "softplus(worse - better).mean()", "softplus((worse - better).mean())"),
    (core_game, "move", "if name not in player.moves", "if False"),  # the other side no longer fixed
    (core_game, "move", "term.weight * values", "values"),
    (core_game, "move", "optimizer.zero_grad()", "pass"),
    (core_game, "move", "term.of(view)", "-term.of(view)"),
    (game, "Game.chosen", "step, player, turn)", "step, player)"),
    (game, "Game.update", "range(player.turns(step))", "range(player.turns(step) + 1)"),  # E12
    (core_game, "scaled_lr", "factor * rate", "rate"),
    (core_game, "scaled_lr", "factor * rate", "factor"),
    (core_game, "scaled_lr", 'group["lr"] = rate', "pass"),
    (core_game, "update_average", "1 - min", "min"),
    (latents, "CodeSpec.draw", "2 * torch.rand", "torch.rand"),
    (latents, "CodeSpec.join", "[chosen, numbers]", "[numbers, chosen]"),
    (wgan_gp_m, "wgan_gp", "view.real, view.fake", "view.real, view.real"),
    (wgan_gp_m, "wgan_gp", "view.real, view.fake", "view.fake, view.fake"),
    (wgan_gp_m, "wgan_diff", "view.real, view.fake", "view.real, view.real"),
    (wgan_gp_m, "_penalised", ", config.penalty_weight", ", 1.0"),
    (wgan_gp_m, "_penalised", ", config.penalty_weight", ", -config.penalty_weight"),
    (wgan_gp_m, "_penalised", "per_sample=True", "per_sample=False"),
    (dragan_m, "dragan", "view.real", "-view.real"),
    (dragan_m, "dragan", "config.penalty_weight", "-config.penalty_weight"),
    (ls_gan_m, "hinge", "- score_gap", "+ score_gap"),
    (ls_gan_m, "hinge", "mean(relu(", "relu(mean("),
    (ls_gan_m, "hinge", "relu(", "("),
    (ls_gan_m, "hinge", "margin_weight *", ""),
    (ls_gan_m, "distance", ".abs()", ""),
    (ls_gan_m, "distance", "sum(dim=1)", "mean(dim=1)"),
    (ls_gan_m, "ls_gan", "view.on_fake.score", "view.on_real.score"),
    (began_m, "began", "mean(loss(view.on_real))", "mean(loss(view.on_fake))"),
    (began_m, "began", "mean(loss(view.on_fake))", "-mean(loss(view.on_fake))"),
    (began_m, "began", "after=control(config.gamma, config.k_lr),", ""),
    (began_m, "Autoencoder.forward", "Scored(-", "Scored("),
    (began_m, "Autoencoder.forward", ".mean(dim=1)", ".sum(dim=1)"),
    (began_m, "Autoencoder.forward", ".abs()", ".square()"),
    (began_m, "weighted", "return -k", "return k"),
    (began_m, "weighted", "-k *", "-"),
    (began_m, "weighted", "view.on_fake", "view.on_real"),
    (began_m, "control", "rate * off", "-rate * off"),
    (began_m, "control", ".clamp_(0, 1)", ""),  # as compare_gan has it
    (began_m, "control", ".clamp_(0, 1)", ".clamp_(0)"),
    (began_m, "off_balance", "gamma * loss(view.on_real) -", "loss(view.on_real) - gamma *"),
    (began_m, "convergence", ".abs()", ""),
    (began_m, "convergence", "+ off_balance", "- off_balance"),
    (nets, "Classifier.forward", "logsumexp(dim=1)", "amax(dim=1)"),
    (nets, "Classifier.forward", "logsumexp(dim=1)", "logsumexp(dim=0).expand(5)"),
    (semi_gan_m, "class_loss", "mean(", "-mean("),
    (semi_gan_m, "class_loss", "mean(", "(lambda x: x.sum())("),
    (semi_gan_m, "class_loss", "view.labelled.images", "view.real"),
    (semi_gan_m, "class_loss", "view.labelled.images", "view.fake"),
    (semi_gan_m, "semi_gan", 'class_loss(view, "discriminator")', 'class_loss(view, "baseline")'),
    (semi_gan_m, "semi_gan", 'Player(("baseline",)', 'Player(("baseline", "discriminator")'),
    (semi_gan_m, "feature_matching", "features.float().mean(dim=0) -", "features.float().mean(dim=0) +"),
    (semi_gan_m, "feature_matching", ".square().sum()", ".abs().sum()"),
    (semi_gan_m, "feature_matching", ".square().sum()", ".square().mean()"),
    (semi_gan_m, "feature_matching", "view.on_fake.features", "view.on_fake.features.detach()"),
    (bigan_m, "bigan", "view.noise if generated else view.encoded", "view.encoded if generated else view.noise"),
    (bigan_m, "bigan", "view.noise if generated else view.encoded", "view.noise"),
    (bigan_m, "bigan", "view.on_fake.score, view.on_real.score", "view.on_real.score, view.on_fake.score"),
    (bigan_m, "bigan", "view.on_real.score)", "view.on_real.score.detach())"),
    (bigan_m, "PairDiscriminator.forward", "self.code(code)", "0 * self.code(code)"),
    (cgan_m, "cgan", "(images, view.code)", "(images, 0 * view.code)"),  # E18
    (cgan_m, "cgan", "conditional=True", "conditional=False"),
    (projection_m, "Projection.forward", "score + ", ""),
    (projection_m, "Projection.forward", "* code", "* code.flip(1)"),
    (projection_m, "projection", "(images, view.code)", "(images, 0 * view.code)"),
    (projection_m, "ConditionalGenerator.forward", "layer(hidden, code) if", "layer.norm(hidden) if"),
    (projection_m, "ConditionalBatchNorm.forward", "self.norm(inputs)", "inputs"),
    (projection_m, "ConditionalBatchNorm.forward", "+ self.bias", "- self.bias"),
    (projection_m, "ConditionalBatchNorm.__init__", "affine=False", "affine=True"),
    (acgan_m, "class_loss", "mean(", "-mean("),
    (acgan_m, "class_loss", "mean(", "(lambda x: x.sum())("),
    (acgan_m, "class_loss", ".float()", ".softmax(1)"),  # before the cross-entropy, which has its own
    (acgan_m, "class_loss", "output.features", "output.features.detach()"),
    (acgan_m, "acgan", "class_loss(view, view.on_real)", "class_loss(view, view.on_fake)"),
    (acgan_m, "acgan", "class_loss(view, view.on_fake)", "class_loss(view, view.on_real)"),
    (infogan_m, "infogan", "-information", "information"),
    (infogan_m, "infogan", 'heads=("reader",)', "heads=()"),
    (infogan_m, "information", "mean(", "(lambda x: x.sum())("),
    (infogan_m, "information", "+ entropy", "- entropy"),
    (infogan_m, "information", "view.on_fake.features", "view.on_fake.features.detach()"),
    (infogan_m, "information", "view.on_fake", "view.on_real"),
    (infogan_m, "log_likelihood", "-cross_entropy", "cross_entropy"),
    (infogan_m, "log_likelihood", "chosen - off / 2", "chosen + off / 2"),
    (infogan_m, "log_likelihood", "- numbers", "+ numbers"),
    (infogan_m, "log_likelihood", ") / deviation", ") * deviation"),
    (infogan_m, "log_likelihood", " * deviation**2", ""),
    (infogan_m, "log_likelihood", "sum(dim=1)", "mean(dim=1)"),
    (infogan_m, "entropy", "+ code", "- code"),
    (vae_m, "reconstruction", "2 * generator", "-2 * generator"),
    (vae_m, "reconstruction", "2 * generator", "generator"),
    (vae_m, "reconstruction", ".flatten(1).sum(dim=1)", ".flatten(1).mean(dim=1)"),
    (vae_m, "reconstruction", "log_variance / 2", "log_variance"),
    (vae_m, "reconstruction", "q.mean + (", "q.mean.detach() + (0 * "),
    (vae_m, "reconstruction", "mean(lost", "-mean(lost"),
    (vae_m, "divergence", "- 1 - q", "- 1 + q"),
    (vae_m, "divergence", "sum(dim=1)", "mean(dim=1)"),
    (vae_m, "divergence", "mean((q", "-mean((q"),
    (lapgan_m, "_refining", "finer + view.context[0]", "finer"),  # E19
    (lapgan_m, "_refining", "finer + view.context[0]", "finer - view.context[0]"),
    (lapgan_m, "_refining", "target=high,", ""),
    (wgan_m, "schedule", "step <= FIRST", "step < FIRST"),
    (wgan_m, "schedule", "else usual", "else usual + 1"),  # E12
    (wgan_m, "clip", "clamp_(-bound, bound)", "clamp_(0, bound)"),
]  # fmt: skip


@pytest.mark.parametrize("mutant", SIGNS_AND_REDUCTIONS, ids=lambda mutant: f"{mutant[1]}: {mutant[2]} > {mutant[3]}")
def test_a_mutant_is_found(mutant: tuple[ModuleType, str, str, str]) -> None:
    with mutated(Mutant(*mutant)):
        for check in CHECKS.values():
            torch.manual_seed(0)
            try:
                check()
            except FOUND:
                return
    pytest.fail("no check has noticed")
