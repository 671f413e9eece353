"""What every image variant shares. A variant is data: players, the networks they move, the terms they minimise.

    Recipe   networks and players (`seqgan.core.game`), in the order in which they move
    View     a minibatch as one player sees it; nothing in it is computed before a term asks for it
    Game     a recipe at work on images: one round is one step of a phase of `seqgan.core.phase`

In a move only the networks of its player are trained; the others are frozen."""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.optim import Optimizer

from imagegan.data.dataset import Labels, Stored, as_floats, with_label
from imagegan.history import SampleHistory
from imagegan.latents import NO_CODE, Codes, CodeSpec, Latents, Prior
from imagegan.losses import Loss, Scores
from imagegan.nets import Images, Scored, has_batchnorm
from imagegan.variants.configs import ImageConfig, LossConfig
from seqgan.core import distributed
from seqgan.core.checkpoint import check, load_optimizer
from seqgan.core.device import autocast
from seqgan.core.game import LR_SCHEDULES, Nets, Optimise, Player, Term, move, nothing, once, update_average, watched
from seqgan.core.phase import Metrics, Phase
from seqgan.core.seed import derive, private_generator
from seqgan.errors import ConfigError


class Batch(NamedTuple):
    """Real images of this process, and their labels."""

    images: Images
    labels: Int[Tensor, "B"]


def unchanged(images: Images) -> Images:
    return images


@dataclass(frozen=True)
class Recipe:
    """A variant: networks (one is the "generator"), players in the order of their moves, and what they are given."""

    nets: Mapping[str, nn.Module]
    players: "Mapping[str, Player[View]]"
    noise: tuple[int, ...]  # the shape of a generator's noise
    code: CodeSpec = NO_CODE
    conditional: bool = False  # the code is the label: of a real image its own, of a generated one that of a real one
    target: Callable[[Images], Images] = unchanged  # what of a real image the generator imitates
    context: Callable[[Images], tuple[Images, ...]] = lambda real: ()  # what of it the generator is given
    # what the discriminator is given of images, and whether these are the generated ones
    d_inputs: "Callable[[View, Images, bool], tuple[Tensor, ...]]" = lambda view, images, generated: (images,)
    encode: Callable[[Images], Tensor] | None = None  # E(x), of the "encoder": the noise to generate x from
    rounds: int = 1  # of this game for each step of a training

    def __post_init__(self) -> None:
        """Refuse a penalty on single images beside BatchNorm, which mixes the images of a batch (ConfigError)."""
        for player in self.players.values():
            for name, term in player.terms.items():
                if term.per_sample and any(has_batchnorm(self.nets[net]) for net in player.moves):
                    raise ConfigError(
                        f"the penalty {name!r} is on single images, but BatchNorm in the discriminator makes the score "
                        "of each depend on the others of its batch; use --d-norm layer or --d-norm none"
                    )


class View:
    """A minibatch as one player sees it; each value is computed when a term first asks for it, and only once."""

    def __init__(
        self,
        recipe: Recipe,
        batch: Callable[[], Batch],
        count: int,
        device: torch.device,
        labelled: Callable[[], Batch] | None = None,
    ) -> None:
        """`labelled` gives a batch of images that have a label (by default the same batch)."""
        self.recipe, self.count, self.device = recipe, count, device
        self._batch, self._labelled = batch, labelled or batch

    @cached_property
    def batch(self) -> Batch:
        return self._batch()

    @cached_property
    def labelled(self) -> Batch:
        """Other real images, each with its label."""
        return self._labelled()

    @cached_property
    def real(self) -> Images:
        return self.recipe.target(self.batch.images)

    @cached_property
    def context(self) -> tuple[Images, ...]:
        return self.recipe.context(self.batch.images)

    @cached_property
    def noise(self) -> Tensor:
        return torch.randn(self.count, *self.recipe.noise, device=self.device)

    @cached_property
    def code(self) -> Codes:
        if self.recipe.conditional:
            return one_hot(self.batch.labels, self.recipe.code.categories).float()
        return self.recipe.code.draw(self.count, self.device)

    @cached_property
    def generated(self) -> Images:
        return self.recipe.nets["generator"](self.noise, self.code, *self.context)

    @cached_property
    def fake(self) -> Images:
        return self.generated

    def keep(self) -> None:
        """Generate with a graph, for the view of another player (`take_over`); to this one the images are constants."""
        self.fake = self.generated.detach()

    def take_over(self, other: "View") -> None:
        """See the images that another view has generated, with their graph."""
        self.batch, self.noise, self.code, self.fake = other.batch, other.noise, other.code, other.generated

    def discriminate(self, images: Images, generated: bool = False) -> Scored:
        return self.recipe.nets["discriminator"](*self.recipe.d_inputs(self, images, generated))

    def score(self, images: Images) -> Scores:
        return self.discriminate(images).score

    @cached_property
    def on_real(self) -> Scored:
        return self.discriminate(self.real)

    @cached_property
    def on_fake(self) -> Scored:
        return self.discriminate(self.fake, generated=True)

    @cached_property
    def encoded(self) -> Any:
        """The output of an encoder for real images, where a variant has one."""
        return self.recipe.nets["encoder"](self.real)


# --- the two players of most games


def versus(
    loss: Loss,
    d_optimizer: Optimise,
    g_optimizer: Optimise,
    *,
    d_terms: Mapping[str, Term[View]] | None = None,
    both_terms: Mapping[str, Term[View]] | None = None,
    heads: tuple[str, ...] = (),
    d_turns: Callable[[int], int] = once,
    d_after: Callable[[View, Nets], None] = nothing,
) -> dict[str, Player[View]]:
    """A discriminator, with `heads` on its features, against a generator; either may have more to minimise."""
    common = both_terms or {}
    discriminator: Term[View] = Term(lambda view: loss.discriminator(view.on_real.score, view.on_fake.score))
    generator: Term[View] = Term(
        lambda view: loss.generator(-score_gap(view)) if loss.compares else loss.generator(view.on_fake.score)
    )
    watch = {"distance": score_gap} if loss.threshold is None else {"d_accuracy": accuracy(loss.threshold)}
    return {
        "d": Player(
            ("discriminator", *heads),
            {"loss": discriminator, **(d_terms or {}), **common},
            d_optimizer,
            turns=d_turns,
            after=d_after,
            watch={"d_accuracy": right_pairs} if loss.compares else watch,
        ),
        "g": Player(("generator",), {"loss": generator, **common}, g_optimizer),
    }


def accuracy(threshold: float) -> Callable[[View], Scores]:
    """The share of images that the discriminator classifies right, real and generated in pairs; 1/2 by chance."""
    return lambda view: ((view.on_real.score > threshold).float() + (view.on_fake.score <= threshold).float()) / 2


def right_pairs(view: View) -> Scores:
    """The share of pairs whose real image has the higher score; 1/2 by chance."""
    return (score_gap(view).sign() + 1) / 2


def score_gap(view: View) -> Scores:
    """How much higher a critic scores real images than generated ones: its estimate of the distance, to a factor."""
    return view.on_real.score - view.on_fake.score


# --- the game


class Game:
    """A recipe in training: networks, optimisers, the average of the generator, and one round of updates."""

    def __init__(
        self,
        recipe: Recipe,
        config: ImageConfig,
        images: Stored,
        labels: Labels,
        device: torch.device,
        seed: int,
        name: str = "adversarial",
        preprocess: Callable[[Images], Images] = unchanged,
    ) -> None:
        """`preprocess` is applied to real images, as to bring them to a level of a pyramid."""
        self.recipe, self.config, self.device, self.seed, self.name = recipe, config, device, seed, name
        self.preprocess, self.steps = preprocess, config.steps * recipe.rounds
        self.images, self.labels = images.to(device), labels.to(device)
        self.labelled = with_label(labels)
        for net in recipe.nets.values():
            net.to(device)
        self.optimizers = {name: player.new_optimizer(recipe.nets) for name, player in recipe.players.items()}
        self.averaged = copy.deepcopy(recipe.nets["generator"]) if config.ema else None
        self.history = SampleHistory(self.prior, derive(seed, "shown"), self.images)

    def phases(self) -> Sequence[Phase]:
        return [self.history.record(self.phase, self.draw)]

    @property
    def phase(self) -> Phase:
        return Phase(self.name, self.steps, self.update)

    def update(self, step: int) -> Metrics:
        """One round: each player takes its turns. The metrics are those of the last turn of each."""
        measured: dict[str, Tensor] = {}
        lr_factor = LR_SCHEDULES[self.config.lr_schedule](step, self.steps)
        reuse = isinstance(self.config, LossConfig) and self.config.reuse_fakes
        kept: View | None = None
        for name, player in self.recipe.players.items():
            for turn in range(player.turns(step)):
                view = self.view(step, name, turn)
                precision = autocast(self.device, enabled=self.config.bf16)
                if kept and name == "g":
                    view.take_over(kept)
                elif reuse and turn + 1 == player.turns(step):
                    with precision:
                        view.keep()
                    kept = view
                optimizer = self.optimizers[name]
                losses = move(player, view, self.recipe.nets, optimizer, precision=precision, lr_factor=lr_factor)
            measured |= {f"{name}_{term}": value for term, value in losses.items()}
            measured |= {what: distributed.all_reduce_mean(values) for what, values in watched(player, view).items()}
        if self.averaged is not None:
            update_average(self.averaged, self.recipe.nets["generator"], self.config.ema, step)
        return measured

    def view(self, step: int, player: str, turn: int = 0) -> View:
        """The view of one move. Its images depend on seed, step, player and turn alone; each process gets its shard."""

        def batch(labelled: bool = False) -> Batch:
            chosen = self.chosen(step, player, turn, labelled)
            images = self.preprocess(as_floats(self.images[chosen]))
            return Batch(images, self.labels[chosen] if len(self.labels) else chosen)

        size = distributed.shard_size(self.config.batch_size)
        return View(self.recipe, batch, size, self.device, partial(batch, labelled=True))

    def chosen(self, step: int, player: str, turn: int, labelled: bool = False) -> Int[Tensor, "B"]:
        """Which images, of all or of the labelled ones: drawn on the CPU, so that they do not depend on the device. All
        that a move copies to it."""
        order = private_generator(self.seed, self.name, "labelled" if labelled else "batch", step, player, turn)
        size, count = self.config.batch_size, len(self.labelled if labelled else self.images)
        drawn = torch.randint(count, (size,), generator=order)[distributed.shard(size)]
        return (self.labelled[drawn] if labelled else drawn).to(self.device)

    # --- samples

    @property
    def generator(self) -> nn.Module:
        """The one that samples: averaged, where there is an average."""
        return self.recipe.nets["generator"] if self.averaged is None else self.averaged

    @property
    def games(self) -> "list[Game]":
        """As a pyramid has one for each level."""
        return [self]

    @property
    def prior(self) -> Prior:
        return Prior(math.prod(self.recipe.noise), self.recipe.code)

    @torch.no_grad()
    def draw(self, latents: Latents, *context: Images) -> Images:
        """The images of these latents, in eval mode."""
        noise = latents.noise.to(self.device).view(-1, *self.recipe.noise)
        self.generator.eval()
        images: Images = self.generator(noise, latents.codes.to(self.device), *context)
        self.generator.train()
        return images

    # --- its state

    def state_dict(self) -> dict[str, Any]:
        return {**{name: part.state_dict() for name, part in self._parts().items()}, "history": self.history.frames}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        parts = self._parts()
        check(state, {**parts, "history": self.history.like})
        for name, part in parts.items():
            if isinstance(part, Optimizer):
                load_optimizer(part, state[name])
            else:
                part.load_state_dict(state[name])
        self.history.frames = state["history"]

    def _parts(self) -> dict[str, Any]:
        averaged = {} if self.averaged is None else {"averaged": self.averaged}
        optimizers = {f"{name}_optimizer": optimizer for name, optimizer in self.optimizers.items()}
        return {**self.recipe.nets, **averaged, **optimizers}

    def exports(self) -> Mapping[str, bytes]:
        return self.history.exports(self.draw, self.files())

    def files(self) -> dict[str, nn.Module]:
        """Every network by the name of its file; of the generator the one that draws the samples."""
        nets = {**self.recipe.nets, "generator": self.generator}
        return {f"{name}.safetensors": net for name, net in nets.items()}
