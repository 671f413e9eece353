"""That every value of a config gets where it belongs: a round of each variant, computed again in plain words, with all
values away from their defaults; each field, changed, changes the run; and wiring with a mistake in it is noticed."""

import copy
import hashlib
import math
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, binary_cross_entropy, cross_entropy, interpolate, one_hot, relu, softplus
from torch.nn.utils.parametrize import is_parametrized
from torch.testing import assert_close

from imagegan import game as game_m
from imagegan import pyramid as pyramid_m
from imagegan import training
from imagegan.cli import imagegan
from imagegan.data import ImageDataset, Splits
from imagegan.data.dataset import few_labels
from imagegan.game import Game
from imagegan.latents import CodeSpec
from imagegan.pyramid import Pyramid
from imagegan.validation import Validated
from imagegan.variants import acgan as acgan_m
from imagegan.variants import began as began_m
from imagegan.variants import bigan as bigan_m
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
from imagegan.variants.configs import CONFIGS, ImageConfig, LossConfig
from seqgan.core import game as core_game
from seqgan.core.seed import derive
from seqgan.errors import SeqGANError
from tests.imagegan.mutants import FOUND, Mutant, mutated
from tests.imagegan.tiny import CPU, config_of
from tests.killing import flat

SEED = 5


@cache
def dataset_of(count: int, size: int) -> ImageDataset:
    """Images of nothing, ten classes of them."""
    rng = torch.Generator().manual_seed(size)
    pixels = torch.randint(256, (count, 1, size, size), dtype=torch.uint8, generator=rng)
    return ImageDataset(pixels, torch.arange(count) % 10, torch.zeros(count, 0))


def new_game(model: str, config: ImageConfig) -> Game | Pyramid:
    data = dataset_of(config.images, config.size)
    return training.new_model(model, config, data, training.shape_of(data), CPU, SEED)


# --- every field changes something

OTHER: dict[str, Any] = {
    "images": 40,
    "size": 20,
    "steps": 5,
    "batch_size": 9,
    "latent_dim": 7,
    "nets": "common",
    "width": 6,
    "d_norm": "layer",
    "g_lr": 0.01,
    "lr_schedule": "linear",
    "d_lr": 0.01,
    "beta1": 0.3,
    "beta2": 0.5,
    "ema": 0.0,
    "validate_every": 1,
    "bf16": True,
    "loss": "hinge",
    "spectral_norm": True,
    "reuse_fakes": True,
    "augment": ("cutout",),
    "r1_weight": 2.0,
    "clip": 0.5,
    "critic_steps": 3,
    "critic_burst": 4,
    "penalty_weight": 2.0,
    "penalty": "one-sided",
    "labels": 30,
    "feature_matching": True,
    "margin_weight": 0.0,
    "gamma": 0.9,
    "k_lr": 0.5,
    "class_weight": 2.0,
    "categories": 9,
    "continuous": 3,
    "information_weight": 2.0,
    "code_deviation": 0.5,
    "top_width": 10,
    "top_rounds": 2,
    "conditional": True,
}  # fmt: skip
EVERY_FIELD = [(model, field.name) for model, config in CONFIGS.items() for field in fields(config)]


def trace(model: str, **changes: Any) -> str:
    """All that a run is: its images, how long it is, and what it is after some of its rounds."""
    config = config_of(model, **{"size": 16, **changes})
    game = new_game(model, config)
    told = [dataset_of(config.images, config.size).fingerprint()]
    data = dataset_of(config.images, config.size)
    for phase in Validated(game, Splits(data, data, valid=data), config.validate_every).phases():
        for step in (1, 30) if model == "wgan" else (30, 31):  # in the first rounds of wgan the critic has a burst
            torch.manual_seed(step)
            phase.update(step)
        told.append(f"{phase.name} {phase.steps} {phase.validate_every}")
    return hashlib.sha256(f"{told} {flat(game.state_dict())}".encode()).hexdigest()


def other(model: str, field: str) -> Any:
    """A value that a model does not have by default."""
    second = {"nets": "dcgan", "loss": "minimax", "spectral_norm": False}
    return second.get(field, OTHER[field]) if getattr(CONFIGS[model], field) == OTHER[field] else OTHER[field]


BESIDE: dict[str, dict[str, Any]] = {"r1_weight": {"d_norm": "none"}}  # what a field needs


@cache
def usual(model: str, beside: str = "") -> str:
    return trace(model, **BESIDE.get(beside, {}))


@pytest.mark.parametrize(("model", "field"), EVERY_FIELD)
def test_every_field_of_every_config_changes_the_run(model: str, field: str) -> None:
    beside = field if field in BESIDE else ""
    assert trace(model, **{field: other(model, field)}, **BESIDE.get(field, {})) != usual(model, beside)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "lapgan", "--nets", "mlp"], "--nets belongs to --model"),
        (["--model", "wgan", "--beta1", "0.1"], "--beta1 belongs to --model"),
        (["--model", "vae", "--d-lr", "0.1"], "--d-lr belongs to --model"),
        (["--model", "dcgan", "--data", "folder", "--size", "14", "--d-norm", "layer"], "--d-norm layer has no effect"),
        (
            ["--model", "cgan", "--nets", "dcgan", "--data", "folder", "--size", "10", "--d-norm", "batch"],
            "has no effect",
        ),
        (
            ["--model", "wgan-gp", "--penalty-weight", "0", "--penalty", "one-sided"],
            "--penalty one-sided has no effect",
        ),
        (["--model", "dragan", "--penalty-weight", "0", "--penalty", "two-sided"], "--penalty two-sided has no effect"),
        (
            ["--model", "gan", "--data", "ring", "--augment", "cutout"],
            "--augment cutout changes images, but the data has",
        ),
        (["--model", "dcgan", "--augment", "cutout,flip"], "flip"),
        (
            ["--model", "infogan", "--categories", "0", "--continuous", "0"],
            "a code of 0 categories and no numbers says",
        ),
        (
            ["--model", "infogan", "--categories", "1", "--continuous", "0"],
            "a code of 1 categories and no numbers says",
        ),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(words: list[str], message: str, tmp_path: Path) -> None:
    from PIL import Image

    if "folder" in words:
        for label in "ab":
            (tmp_path / "images" / label).mkdir(parents=True)
            for number in range(20):
                Image.new("L", (16, 16), 9 * number).save(tmp_path / "images" / label / f"{number}.png")
        words = [*words, "--data-dir", str(tmp_path / "images")]
    result = CliRunner().invoke(
        imagegan, ["train", *words, "--images", "50", "--steps", "1", "--run-dir", str(tmp_path / "run")]
    )
    assert result.exit_code != 0
    told = str(result.exception) if isinstance(result.exception, SeqGANError) else result.output
    assert message in " ".join(told.split())
    assert not (tmp_path / "run").exists()


# --- rounds in plain words

AWAY: dict[str, Any] = {
    "loss": "hinge",
    "spectral_norm": True,
    "reuse_fakes": True,
    "augment": ("translation", "brightness"),
    "r1_weight": 3.0,
    "images": 40,
    "size": 16,
    "batch_size": 6,
    "latent_dim": 5,
    "nets": "common",
    "width": 4,
    "d_norm": "layer",
    "g_lr": 3e-3,
    "lr_schedule": "cosine",
    "steps": 90,
    "d_lr": 2e-3,
    "beta1": 0.3,
    "beta2": 0.7,
    "ema": 0.4,
    "validate_every": 7,
    "clip": 0.02,
    "critic_steps": 3,
    "critic_burst": 4,
    "penalty_weight": 3.0,
    "penalty": "one-sided",
    "labels": 20,
    "feature_matching": True,
    "margin_weight": 0.01,
    "gamma": 0.6,
    "k_lr": 0.7,
    "class_weight": 0.5,
    "categories": 4,
    "continuous": 3,
    "information_weight": 0.3,
    "code_deviation": 0.2,
    "top_width": 12,
    "top_rounds": 2,
    "conditional": True,
}


def away(model: str, **changes: Any) -> Any:
    """A config with every value away from its default."""
    config = CONFIGS[model](**{k: v for k, v in {**AWAY, **changes}.items() if hasattr(CONFIGS[model], k)})
    same = [f.name for f in fields(config) if getattr(config, f.name) == f.default]
    assert set(same) <= {"bf16", *changes}, f"add another value of {same} to AWAY"
    return config


def logistic_d(real: Tensor, fake: Tensor) -> Tensor:
    return softplus(-real).mean() + softplus(fake).mean()


def critic_g(fake: Tensor) -> Tensor:
    return -fake.mean()


LOSSES: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "minimax": (logistic_d, lambda fake: -softplus(fake).mean()),
    "non-saturating": (logistic_d, lambda fake: softplus(-fake).mean()),
    "least-squares": (
        lambda real, fake: ((real - 1).square().mean() + fake.square().mean()) / 2,
        lambda fake: (fake - 1).square().mean() / 2,
    ),
    "hinge": (lambda real, fake: relu(1 - real).mean() + relu(1 + fake).mean(), critic_g),
    "wasserstein": (lambda real, fake: fake.mean() - real.mean(), critic_g),
}
FIXED = {"lsgan": "least-squares", "wgan": "wasserstein", "wgan-gp": "wasserstein", "wgan-diff": "wasserstein"}


class ByHand:
    """The same networks and images, with nothing of a game around them."""

    def __init__(self, game: Game, config: Any, loss: str, images: Tensor, labels: Tensor) -> None:
        self.nets = {name: copy.deepcopy(net) for name, net in game.recipe.nets.items()}
        self.averaged = copy.deepcopy(self.nets["generator"])
        self.name, self.config, self.images, self.labels = game.name, config, images, labels
        self.d_loss, self.g_loss = LOSSES[loss]
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.rates: dict[str, float] = {}
        self.lr_factor = 1.0
        self.slopes: list[float] = []  # that were fined where they are above 1

    def optimise(self, player: str, *nets: str, rate: float, beta1: float = 0.0, beta2: float = 0.999) -> None:
        parameters = [parameter for net in nets for parameter in self.nets[net].parameters()]
        self.optimizers[player] = torch.optim.Adam(parameters, rate, (beta1, beta2), fused=True)

    def batch(self, step: int, player: str, turn: int = 0) -> tuple[Tensor, Tensor]:
        rng = torch.Generator().manual_seed(derive(SEED, self.name, "batch", step, player, turn))
        chosen = torch.randint(len(self.images), (self.config.batch_size,), generator=rng)
        return self.images[chosen], self.labels[chosen]

    def noise(self, *shape: int) -> Tensor:
        return torch.randn(self.config.batch_size, *shape)

    def d(self, *shown: Tensor) -> Tensor:
        return self.nets["discriminator"](*shown).score

    def g(self, *given: Tensor) -> Tensor:
        return self.nets["generator"](*given)

    def minimise(self, player: str, loss: Tensor) -> None:
        """One step of this player's optimiser: nothing else moves."""
        parameters = [p for group in self.optimizers[player].param_groups for p in group["params"]]
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient.contiguous()  # in the order of the weights, as the fused Adam takes it
        for group in self.optimizers[player].param_groups:
            group["lr"] = self.rates[player] * self.lr_factor
        self.optimizers[player].step()

    def r1(self, d: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
        """Mescheder et al. (2018): gamma / 2 times the mean square of the slope on real images."""
        gamma = getattr(self.config, "r1_weight", 0.0)
        return gamma / 2 * slope(d, real).square().mean() if gamma else torch.zeros(())

    @torch.no_grad()
    def average(self, step: int) -> None:
        keep = min(self.config.ema, (1 + step) / (10 + step))
        live = self.nets["generator"].state_dict()
        for name, value in self.averaged.state_dict().items():
            value.copy_(keep * value + (1 - keep) * live[name] if value.is_floating_point() else live[name])


Round = Callable[[ByHand, int], None]


def slope(score: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    at = at.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(score(at).sum(), at, create_graph=True)
    return gradient.flatten(1).norm(dim=1)


def adversaries(
    *,
    turns: Callable[[Any, int], int] = lambda config, step: 1,
    fine: Callable[[ByHand, Tensor, Tensor], Tensor] | None = None,
    after: Callable[[ByHand], None] = lambda hand: None,
) -> Round:
    """A round of the games without labels and codes."""

    def once(hand: ByHand, step: int) -> None:
        c = hand.config
        reuse = getattr(c, "reuse_fakes", False)
        for turn in range(turns(c, step)):
            real, _ = hand.batch(step, "d", turn)
            kept = reuse and turn + 1 == turns(c, step)  # then the samples are drawn first
            if not kept:
                on_real = hand.d(real)
            made = hand.g(hand.noise(c.latent_dim), CodeSpec().draw(c.batch_size, CPU))
            fake = made.detach()
            if kept:
                on_real = hand.d(real)
            loss = hand.d_loss(on_real, hand.d(fake))
            loss = loss + (c.penalty_weight * fine(hand, real, fake) if fine else 0)
            hand.minimise("d", loss + hand.r1(hand.d, real))
            after(hand)
        if not reuse:
            made = hand.g(hand.noise(c.latent_dim), CodeSpec().draw(c.batch_size, CPU))
        hand.minimise("g", hand.g_loss(hand.d(made)))

    return once


def one_sided(hand: ByHand, slopes: Tensor) -> Tensor:
    hand.slopes += slopes.tolist()
    return relu(slopes - 1).square().mean()


def of_wgan_gp(hand: ByHand, real: Tensor, fake: Tensor) -> Tensor:
    share = torch.rand(len(real), 1, 1, 1)
    return one_sided(hand, slope(hand.d, share * real + (1 - share) * fake))


def of_wgan_diff(hand: ByHand, real: Tensor, fake: Tensor) -> Tensor:
    first, second = torch.rand(len(real), 1, 1, 1), torch.rand(len(real), 1, 1, 1)
    ends = [share * real + (1 - share) * fake for share in (first, second)]
    values = hand.d(torch.cat(ends)).chunk(2)
    apart = (first - second).flatten().abs() * (real - fake).flatten(1).norm(dim=1)
    return one_sided(hand, (values[0] - values[1]).abs() / apart)


def of_dragan(hand: ByHand, real: Tensor, fake: Tensor) -> Tensor:
    noise = 0.5 * real.std() * torch.rand_like(real)
    return one_sided(hand, slope(hand.d, real + torch.rand(len(real), 1, 1, 1) * noise))


def clipped(hand: ByHand) -> None:
    for parameter in hand.nets["discriminator"].parameters():
        parameter.data.clamp_(-hand.config.clip, hand.config.clip)


def ls_gan(hand: ByHand, step: int) -> None:
    c = hand.config
    real, _ = hand.batch(step, "d")
    fake = hand.g(hand.noise(c.latent_dim), CodeSpec().draw(c.batch_size, CPU)).detach()
    short = c.margin_weight * (real - fake).abs().sum(dim=(1, 2, 3)) + hand.d(fake) - hand.d(real)
    hand.slopes += (short + 1).tolist()  # as they are compared with 1: some pairs are apart by their margin
    hand.minimise("d", relu(short).mean())
    fake = hand.g(hand.noise(c.latent_dim), CodeSpec().draw(c.batch_size, CPU))
    hand.minimise("g", -hand.d(fake).mean())


def began(hand: ByHand, step: int) -> None:
    c, d = hand.config, hand.nets["discriminator"]

    def lost(images: Tensor) -> Tensor:
        code = d.code(d.trunk(images))
        return (images - d.decoder(code, torch.zeros(len(images), 0))).abs().mean()

    for turn in range(c.critic_steps):
        real, _ = hand.batch(step, "d", turn)
        on_real = lost(real)
        on_fake = lost(hand.g(hand.noise(c.latent_dim), CodeSpec().draw(c.batch_size, CPU)).detach())
        k = hand.nets["balance"].k
        hand.minimise("d", on_real - float(k) * on_fake)
        k.copy_((k + c.k_lr * (c.gamma * on_real - on_fake).detach()).clamp(0, 1))
        assert 0 < k < 1
    hand.minimise("g", lost(hand.g(hand.noise(c.latent_dim), CodeSpec().draw(c.batch_size, CPU))))


def cgan(hand: ByHand, step: int) -> None:
    turns = getattr(hand.config, "critic_steps", 1)
    for turn in range(turns):
        real, labels = hand.batch(step, "d", turn)
        code = one_hot(labels, 10).float()
        if hand.config.reuse_fakes and turn + 1 == turns:
            made = hand.g(hand.noise(hand.config.latent_dim), code)
            on_real, fake = hand.d(real, code), made.detach()
        else:
            on_real, fake = hand.d(real, code), hand.g(hand.noise(hand.config.latent_dim), code).detach()
        loss = hand.d_loss(on_real, hand.d(fake, code))
        hand.minimise("d", loss + hand.r1(lambda images, code=code: hand.d(images, code), real))  # type: ignore[misc]
    if not hand.config.reuse_fakes:
        noise, (_, labels) = hand.noise(hand.config.latent_dim), hand.batch(step, "g")
        code = one_hot(labels, 10).float()
        made = hand.g(noise, code)
    hand.minimise("g", hand.g_loss(hand.d(made, code)))


def acgan(hand: ByHand, step: int) -> None:
    c, d, classes = hand.config, hand.nets["discriminator"], hand.nets["classes"]
    real, labels = hand.batch(step, "d")
    on_real = d(real)
    on_fake = d(hand.g(hand.noise(c.latent_dim), one_hot(labels, 10).float()).detach())
    named = cross_entropy(classes(on_real.features), labels) + cross_entropy(classes(on_fake.features), labels)
    loss = hand.d_loss(on_real.score, on_fake.score) + c.class_weight * named
    hand.minimise("d", loss + hand.r1(hand.d, real))
    noise, (_, labels) = hand.noise(c.latent_dim), hand.batch(step, "g")
    on_fake = d(hand.g(noise, one_hot(labels, 10).float()))
    hand.minimise("g", hand.g_loss(on_fake.score) + c.class_weight * cross_entropy(classes(on_fake.features), labels))


def semi_gan(hand: ByHand, step: int) -> None:
    """Of images 0 to 39 in classes 0 to 9, two of each class have a label."""
    c, d, baseline = hand.config, hand.nets["discriminator"], hand.nets["baseline"]

    def head(net: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
        features = net.trunk(images)
        return features, net.output(features)

    def labelled(player: str) -> tuple[Tensor, Tensor]:
        [known] = (few_labels(hand.labels, c.labels, SEED) >= 0).nonzero(as_tuple=True)
        assert hand.labels[known].bincount().tolist() == [2] * 10
        rng = torch.Generator().manual_seed(derive(SEED, hand.name, "labelled", step, player, 0))
        chosen = known[torch.randint(len(known), (c.batch_size,), generator=rng)]
        return hand.images[chosen], hand.labels[chosen]

    real, _ = hand.batch(step, "d")
    on_real = head(d, real)[1].exp().sum(dim=1).log()
    fake = hand.g(hand.noise(c.latent_dim), CodeSpec().draw(c.batch_size, CPU)).detach()
    on_fake = head(d, fake)[1].exp().sum(dim=1).log()
    images, labels = labelled("d")
    named = cross_entropy(head(d, images)[1], labels)
    hand.minimise("d", logistic_d(on_real, on_fake) + c.class_weight * named)
    real, _ = hand.batch(step, "g")
    wanted = head(d, real)[0].mean(dim=0)
    found = head(d, hand.g(hand.noise(c.latent_dim), CodeSpec().draw(c.batch_size, CPU)))[0].mean(dim=0)
    hand.minimise("g", (wanted.detach() - found).square().sum())
    images, labels = labelled("baseline")
    hand.minimise("baseline", cross_entropy(head(baseline, images)[1], labels))


def bigan(hand: ByHand, step: int) -> None:
    c, encoder = hand.config, hand.nets["encoder"]
    real, _ = hand.batch(step, "d")
    on_real = hand.d(real, encoder(real).detach())
    noise, nothing = hand.noise(c.latent_dim), CodeSpec().draw(c.batch_size, CPU)
    hand.minimise("d", logistic_d(on_real, hand.d(hand.g(noise, nothing).detach(), noise)))
    noise, nothing = hand.noise(c.latent_dim), CodeSpec().draw(c.batch_size, CPU)
    on_fake = hand.d(hand.g(noise, nothing), noise)
    real, _ = hand.batch(step, "g")
    hand.minimise("g", logistic_d(on_fake, hand.d(real, encoder(real))))


def infogan(hand: ByHand, step: int) -> None:
    """Constants, such as the entropy of the code, have no gradient and are left out."""
    c, d = hand.config, hand.nets["discriminator"]

    def unread(features: Tensor, code: Tensor) -> Tensor:
        read = hand.nets["reader"](features)
        category = cross_entropy(read[:, : c.categories], code[:, : c.categories].argmax(dim=1))
        off = (read[:, c.categories :] - code[:, c.categories :]).square().sum(dim=1).mean()
        return category + off / (2 * c.code_deviation**2)

    real, _ = hand.batch(step, "d")
    on_real = d(real)
    noise, code = hand.noise(c.latent_dim), CodeSpec(c.categories, c.continuous).draw(c.batch_size, CPU)
    on_fake = d(hand.g(noise, code).detach())
    loss = hand.d_loss(on_real.score, on_fake.score) + c.information_weight * unread(on_fake.features, code)
    hand.minimise("d", loss + hand.r1(hand.d, real))
    noise, code = hand.noise(c.latent_dim), CodeSpec(c.categories, c.continuous).draw(c.batch_size, CPU)
    on_fake = d(hand.g(noise, code))
    hand.minimise("g", hand.g_loss(on_fake.score) + c.information_weight * unread(on_fake.features, code))


def vae(hand: ByHand, step: int) -> None:
    c = hand.config
    real, _ = hand.batch(step, "vae")
    mean, log_variance = hand.nets["encoder"](real)
    noise, nothing = hand.noise(c.latent_dim), CodeSpec().draw(c.batch_size, CPU)
    made = hand.g(mean + (log_variance / 2).exp() * noise, nothing)
    lost = binary_cross_entropy((made + 1) / 2, (real + 1) / 2, reduction="sum") / c.batch_size
    divergence = (mean**2 + log_variance.exp() - 1 - log_variance).sum() / 2 / c.batch_size
    hand.minimise("vae", lost + divergence)


def refining(hand: ByHand, step: int) -> None:
    """Both players are shown the coarse image, to which what is finer is added."""
    size = hand.images.shape[-1]

    def apart(images: Tensor) -> tuple[Tensor, Tensor]:
        low = interpolate(avg_pool2d(images, 2), scale_factor=2)
        return low, images - low

    whole, labels = hand.batch(step, "d")
    low, high = apart(whole)
    code = one_hot(labels, 10).float()
    on_real = hand.d(high + low, code)
    fake = hand.g(hand.noise(1, size, size), code, low).detach()
    loss = hand.d_loss(on_real, hand.d(fake + low, code))
    hand.minimise("d", loss + hand.r1(lambda finer: hand.d(finer + low, code), high))
    noise, (whole, labels) = hand.noise(1, size, size), hand.batch(step, "g")
    low, code = apart(whole)[0], one_hot(labels, 10).float()
    hand.minimise("g", hand.g_loss(hand.d(hand.g(noise, code, low) + low, code)))


def turns_of_wgan(config: Any, step: int) -> int:
    return config.critic_burst if step <= 25 or step % 500 == 1 else config.critic_steps


def many(config: Any, step: int) -> int:
    return config.critic_steps


ROUNDS: dict[str, Round] = {
    "gan": adversaries(turns=many),
    "dcgan": adversaries(),
    "lsgan": adversaries(turns=many),
    "wgan": adversaries(turns=turns_of_wgan, after=clipped),
    "wgan-gp": adversaries(turns=many, fine=of_wgan_gp),
    "wgan-diff": adversaries(turns=many, fine=of_wgan_diff),
    "dragan": adversaries(turns=many, fine=of_dragan),
    "ls-gan": ls_gan,
    "began": began,
    "cgan": cgan,
    "projection": cgan,
    "acgan": acgan,
    "semi-gan": semi_gan,
    "infogan": infogan,
    "bigan": bigan,
    "vae": vae,
}
HEADS = {"acgan": ("classes",), "infogan": ("reader",)}
CHANGES: dict[str, dict[str, Any]] = {
    "dcgan": {"loss": "minimax", "reuse_fakes": False},
    "acgan": {"reuse_fakes": False},
    "cgan": {"loss": "least-squares"},
    "projection": {"loss": "least-squares", "spectral_norm": False},
    "dragan": {"spectral_norm": False},  # its slopes would all be below 1
    "infogan": {"nets": "dcgan", "reuse_fakes": False},
    "lapgan": {"reuse_fakes": False},
    "vae": {"nets": "dcgan"},
}


def by_hand(model: str, game: Game, config: Any, level: int = 0) -> ByHand:
    data = dataset_of(config.images, config.size)
    images = data.pixels
    for _ in range(level):
        images = avg_pool2d(images, 2)
    loss = FIXED.get(model) or getattr(config, "loss", "non-saturating")
    hand = ByHand(game, config, loss, images, data.labels)
    if model == "wgan":
        for player, net in (("d", "discriminator"), ("g", "generator")):
            rate = getattr(config, f"{player}_lr")
            hand.optimizers[player] = torch.optim.RMSprop(hand.nets[net].parameters(), rate)
    elif model == "vae":
        hand.optimise("vae", "generator", "encoder", rate=config.g_lr, beta1=config.beta1)
    else:
        beta2 = getattr(config, "beta2", 0.999)
        heads = HEADS.get(model, ())
        hand.optimise("d", "discriminator", *heads, rate=config.d_lr, beta1=config.beta1, beta2=beta2)
        encoder = ("encoder",) if model == "bigan" else ()
        hand.optimise("g", "generator", *encoder, rate=config.g_lr, beta1=config.beta1, beta2=beta2)
        if model == "semi-gan":
            hand.optimise("baseline", "baseline", rate=config.d_lr, beta1=config.beta1)
    hand.rates = {player: optimizer.param_groups[0]["lr"] for player, optimizer in hand.optimizers.items()}
    return hand


# Times so much, some slopes are above 1 and some below, and some pairs of ls-gan are apart by their margin.
STEEP = {"wgan-gp": 0.4, "wgan-diff": 10.0, "dragan": 0.6, "ls-gan": 2.0}


def check_rounds(model: str) -> None:
    """Two rounds (of wgan one of a burst and one after) leave the same networks, BatchNorm's numbers, and average."""
    config = away(model, **CHANGES.get(model, {}))
    made = new_game(model, config)
    levels = made.games if isinstance(made, Pyramid) else [made]
    if isinstance(made, Pyramid):
        assert [game.phase.steps for game in levels] == [2 * config.steps, config.steps]
    for number, game in enumerate(levels):
        if model in STEEP:
            game.recipe.nets["discriminator"].output.weight.data.mul_(STEEP[model])  # type: ignore[operator, union-attr]
        hand = by_hand(model, game, config, len(levels) - 1 - number)
        assert model in ROUNDS or isinstance(made, Pyramid), f"add the round of {model} to ROUNDS"
        once = ROUNDS.get(model, cgan if number == 0 else refining)
        if isinstance(made, Pyramid) and number == 0:
            assert any(isinstance(layer, nn.LayerNorm) for layer in hand.nets["discriminator"].modules())
            assert hand.nets["generator"].body[0].out_features == config.top_width  # type: ignore[index, operator, union-attr]
        for step in (25, 26):
            torch.manual_seed(step)
            game.update(step)
            torch.manual_seed(step)
            hand.lr_factor = math.cos(math.pi * (step - 1) / game.steps / 2) ** 2
            once(hand, step)
            hand.average(step)
        assert not hand.slopes or min(hand.slopes) < 1 < max(hand.slopes), "one side and both would be the same"
        for name, net in hand.nets.items():
            same(game.recipe.nets[name], net, f"{model} {game.name} {name}")
        assert game.averaged is not None
        same(game.averaged, hand.averaged, f"{model} {game.name} averaged")


def same(found: nn.Module, expected: nn.Module, where: str) -> None:
    wanted = expected.state_dict()
    # Adam makes steps of one size of gradients that are hardly more than rounding, as some of an autoencoder are.
    atol = 2e-4 if where.startswith("began") else 1e-4
    for name, value in found.state_dict().items():
        assert_close(value, wanted[name], rtol=1e-2, atol=atol, msg=lambda told, name=name: f"{where} {name}: {told}")


@pytest.mark.parametrize("model", list(CONFIGS))
def test_rounds_are_those_of_the_plain_recomputation(model: str) -> None:
    check_rounds(model)


CONDITIONAL = ("cgan", "projection", "acgan")  # the code of their generators is the class


def check_networks(model: str) -> None:
    """As large as the config says, and of its kind."""
    config = away(model, **CHANGES.get(model, {}))
    game = new_game(model, config)
    for played in game.games if isinstance(game, Pyramid) else [game]:
        if isinstance(config, LossConfig):
            assert spectrally_normalised(played.recipe.nets["discriminator"]) == {config.spectral_norm}
            assert any(getattr(layer, "augment", None) for layer in played.recipe.nets["discriminator"].modules())
    if isinstance(game, Pyramid):
        return
    generator = game.recipe.nets["generator"]
    linear = next(layer for layer in generator.modules() if isinstance(layer, nn.Linear))
    codes = config.categories + config.continuous if model == "infogan" else 10 * (model in CONDITIONAL)
    assert linear.in_features == config.latent_dim + codes
    assert linear.out_features == {"common": 16 * config.width, "dcgan": 2 * config.width * 16}[config.nets]
    judge = game.recipe.nets["encoder" if model == "vae" else "discriminator"]
    assert any(isinstance(layer, nn.GroupNorm) for layer in judge.modules())


def spectrally_normalised(net: nn.Module) -> set[bool]:
    """Of every layer with a weight, whether it is."""
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    return {is_parametrized(layer, "weight") for layer in layers}


@pytest.mark.parametrize("model", list(CONFIGS))
def test_networks_are_those_of_the_config(model: str) -> None:
    check_networks(model)


def check_field(model: str, field: str) -> None:
    assert trace(model, **{field: other(model, field)}) != trace(model)


# --- wiring with a mistake in it: where, what stands there, what is put in its place, and what notices

LOSS_MODELS = [model for model, config in CONFIGS.items() if issubclass(config, LossConfig)]
MISTAKES: list[tuple[ModuleType, str, str, str, str]] = [
    (game_m, "versus", "turns=d_turns", "turns=once", "rounds wgan-gp"),
    (game_m, "versus", "after=d_after", "after=nothing", "rounds wgan"),
    (game_m, "versus", "*heads", "", "rounds acgan"),
    (game_m, "versus", "            d_optimizer,\n", "            g_optimizer,\n", "rounds dcgan"),
    (game_m, "versus", "generator, **common", "generator", "rounds infogan"),
    (game_m, "versus", "**(d_terms or {}), **common", "**common", "rounds dragan"),
    (game_m, "Game.update", "self.averaged is not None", "False", "rounds dcgan"),
    (game_m, "Game.update", "player.turns(step)", "player.turns(1)", "rounds wgan"),
    (game_m, "Game.update", "self.config.ema", "0.99", "rounds dcgan"),
    (core_game, "update_average", "value.lerp_", "value.lerp", "rounds dcgan"),
    (core_game, "move", "lr_factor)", "1.0)", "rounds wgan"),
    (game_m, "View.take_over", "other.generated", "other.fake", "rounds gan"),
    (game_m, "View.take_over", "other.code", "self.code", "rounds cgan"),
    (game_m, "View.keep", ".detach()", "", "rounds gan"),
    (game_m, "Game.update", 'kept and name == "g"', "False", "rounds gan"),
    (game_m, "Game.update", "(step, self.steps)", "(1, self.steps)", "rounds vae"),
    (game_m, "Game.update", "(step, self.steps)", "(step, self.config.steps)", "rounds lapgan"),
    (game_m, "Game.update", "enabled=self.config.bf16", "enabled=False", "field dcgan bf16"),
    (core_game, "move", "player.after(view, nets)", "pass", "rounds wgan"),
    (core_game, "move", "term.weight * values", "values", "rounds acgan"),
    (game_m, "Game.view", "self.labels[chosen]", "self.labels[chosen].roll(1)", "rounds cgan"),
    (game_m, "Game.chosen", "count, (size,)", "size, (size,)", "rounds dcgan"),
    (game_m, "Game.chosen", "step, player, turn", "1, player, turn", "rounds dcgan"),
    (game_m, "Game.chosen", "step, player, turn", "step, player", "rounds wgan-gp"),
    (game_m, "Game.chosen", '"batch", step, player', '"batch", step, "d"', "rounds acgan"),
    (core_game, "Player.new_optimizer", "for name in self.moves", "for name in self.moves[:1]", "rounds vae"),
    (game_m, "Game.__init__", "if config.ema", "if 0.0", "rounds dcgan"),
    (game_m, "Game.chosen", "self.config.batch_size", "128", "rounds dcgan"),
    (game_m, "Game.view", "self.config.batch_size", "128", "rounds dcgan"),
    (gan_m, "regularised", "config.spectral_norm", "False", "networks acgan"),
    (projection_m, "projection", "config.critic_steps", "1", "rounds projection"),
    (projection_m, "projection", "if config.spectral_norm", "if True", "networks projection"),
    (gan_m, "regularised", "config.augment", "()", "networks acgan"),
    (lapgan_m, "_top", "regularised(", "(lambda net, *_: net)(", "networks lapgan"),
    (lapgan_m, "_refining", "regularised(", "(lambda net, *_: net)(", "networks lapgan"),
    (gan_m, "networks", "config.d_norm", '"batch"', "networks wgan"),
    (gan_m, "networks", "code, config.width", "code, 64", "networks gan"),
    (gan_m, "networks", "config.nets", '"dcgan"', "networks cgan"),
    *((gan_m, "players", "config.loss", '"non-saturating"', f"rounds {model}") for model in LOSS_MODELS),
    *((gan_m, "players", "config.r1_weight / 2", "config.r1_weight", f"rounds {model}") for model in LOSS_MODELS),
    (gan_m, "players", "**(d_terms or {}), ", "", "rounds dragan"),
    (gan_m, "players", "view.real", "view.fake", "rounds dcgan"),
    (gan_m, "optimizers", "config.beta1", "0.5", "rounds gan"),
    (gan_m, "optimizers", '"beta2"', '"beta3"', "rounds dcgan"),
    (gan_m, "optimizers", "(config.d_lr, config.g_lr)", "(config.g_lr, config.d_lr)", "rounds dcgan"),
    (gan_m, "gan", "config.critic_steps", "1", "rounds gan"),
    (lsgan_m, "lsgan", "config.critic_steps", "1", "rounds lsgan"),
    (dragan_m, "dragan", "config.critic_steps", "1", "rounds dragan"),
    (lsgan_m, "lsgan", "least-squares", "non-saturating", "rounds lsgan"),
    (wgan_m, "wgan", "rmsprop(config.g_lr)", "rmsprop(config.d_lr)", "rounds wgan"),
    (wgan_m, "wgan", "clip(config.clip)", "clip(0.01)", "rounds wgan"),
    (wgan_m, "wgan", "schedule(config.critic_steps", "schedule(config.critic_burst", "rounds wgan"),
    (wgan_gp_m, "_penalised", "config.critic_steps", "5", "rounds wgan-diff"),
    (wgan_gp_m, "_penalised", ", config.penalty_weight", "", "rounds wgan-gp"),
    (wgan_gp_m, "wgan_gp", ", config.penalty", "", "rounds wgan-gp"),
    (wgan_gp_m, "wgan_diff", ", config.penalty", "", "rounds wgan-diff"),
    (dragan_m, "dragan", ", config.penalty)", ")", "rounds dragan"),
    (dragan_m, "dragan", "config.penalty_weight", "10.0", "rounds dragan"),
    (ls_gan_m, "ls_gan", "config.margin_weight", "2e-4", "rounds ls-gan"),
    (ls_gan_m, "ls_gan", "d_optimizer, watch", "g_optimizer, watch", "rounds ls-gan"),
    (began_m, "began", "control(config.gamma, config.k_lr)", "control(config.gamma, 1e-3)", "rounds began"),
    (began_m, "began", "control(config.gamma,", "control(0.5,", "rounds began"),
    (began_m, "began", "config.critic_steps", "1", "rounds began"),
    (began_m, "began", "            d_optimizer,", "            g_optimizer,", "rounds began"),
    (acgan_m, "acgan", "view.on_real), config.class_weight", "view.on_real), 1.0", "rounds acgan"),
    (acgan_m, "acgan", "view.on_fake), config.class_weight", "view.on_fake), 1.0", "rounds acgan"),
    (semi_gan_m, "semi_gan", "config.class_weight", "1.0", "rounds semi-gan"),
    (semi_gan_m, "semi_gan", "if config.feature_matching", "if False", "rounds semi-gan"),
    (semi_gan_m, "semi_gan", "d_optimizer)\n    return", "g_optimizer)\n    return", "rounds semi-gan"),
    (training, "new_model", 'getattr(config, "labels", 0)', "0", "rounds semi-gan"),
    (game_m, "Game.chosen", '"labelled" if labelled else "batch"', '"batch"', "rounds semi-gan"),
    (game_m, "Game.chosen", "self.labelled[drawn] if labelled else drawn", "drawn", "rounds semi-gan"),
    (bigan_m, "bigan", "view.noise if generated else view.encoded", "view.encoded", "rounds bigan"),
    (bigan_m, "bigan", '("generator", "encoder")', '("generator",)', "rounds bigan"),
    (bigan_m, "bigan", "view.on_fake.score, view.on_real", "view.on_real.score, view.on_fake", "rounds bigan"),
    (bigan_m, "bigan", "(loss, d_optimizer", "(loss, g_optimizer", "rounds bigan"),
    (infogan_m, "infogan", "config.information_weight", "1.0", "rounds infogan"),
    (infogan_m, "infogan", "config.code_deviation", "1.0", "rounds infogan"),
    (infogan_m, "infogan", ", config.continuous", ", 2", "networks infogan"),
    (vae_m, "vae", "config.beta1", "0.9", "rounds vae"),
    (vae_m, "vae", "config.d_norm", '"batch"', "networks vae"),
    (lapgan_m, "_top", "config.d_norm", '"none"', "rounds lapgan"),
    (lapgan_m, "_top", "rounds=config.top_rounds", "rounds=1", "rounds lapgan"),
    (lapgan_m, "_refining", "conditional=classes > 0", "conditional=False", "rounds lapgan"),
    (pyramid_m, "Pyramid.__init__", "len(recipes) - 1 - level", "level", "rounds lapgan"),
]  # fmt: skip


@pytest.mark.parametrize(
    "mistake", MISTAKES, ids=lambda mistake: f"{mistake[1]}: {mistake[2].strip()} > {mistake[3].strip()}"
)
def test_a_mistake_in_the_wiring_is_noticed(mistake: tuple[ModuleType, str, str, str, str]) -> None:
    module, name, old, new, noticed_by = mistake
    check, *about = noticed_by.split()
    with mutated(Mutant(module, name, old, new)), pytest.raises(FOUND):
        {"rounds": check_rounds, "networks": check_networks, "field": check_field}[check](*about)
