"""What every image variant shares. A variant is data: players, the networks they move, the terms they minimise.

    Term     a weighted function of a View
    View     a minibatch as one player sees it; nothing in it is made before a term asks for it
    Player   networks to move, terms, an optimiser, turns in a round, what happens after a turn
    Recipe   networks and players, in the order in which they move
    Game     a recipe at work on images: one round is one step of a phase of `seqgan.core.loop`

Only the networks of the player whose turn it is learn anything: to it, the others are fixed functions."""

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import torch
from jaxtyping import Int
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.optim import Optimizer

from imagegan.data.images import Stored, as_floats
from imagegan.film import Film
from imagegan.latents import NO_CODE, Code, Codes, Latents, Prior
from imagegan.losses import Loss, Scalar, Scores
from imagegan.nets import Pictures, Verdict, has_batchnorm
from seqgan.core import distributed
from seqgan.core.checkpoint import check, load_optimizer
from seqgan.core.device import autocast
from seqgan.core.log import Metrics
from seqgan.core.loop import Phase
from seqgan.core.seed import derive, private_generator
from seqgan.errors import ConfigError, UsageError

T = TypeVar("T")
Labels = Int[Tensor, "N"]

Optimise = Callable[[Iterable[nn.Parameter]], Optimizer]


def adam(rate: float, beta1: float, beta2: float = 0.999) -> Optimise:
    return lambda parameters: torch.optim.Adam(parameters, rate, (beta1, beta2), fused=True)


def rmsprop(rate: float) -> Optimise:
    return lambda parameters: torch.optim.RMSprop(parameters, rate)


class Batch(NamedTuple):
    """Real images of this process, and what they show."""

    pictures: Pictures
    labels: Int[Tensor, "B"]


@dataclass(frozen=True)
class Term:
    """Something a player minimises, as a function of what it sees."""

    of: "Callable[[View], Scalar]"
    weight: float = 1.0
    per_picture: bool = False  # it needs a discriminator that judges each picture by itself


def once(turn: int) -> int:
    """Most players have one turn in a round."""
    return 1


def untouched(networks: Iterable[nn.Module]) -> None:
    """After most turns nothing happens."""


@dataclass(frozen=True)
class Player:
    """One side of a game."""

    moves: tuple[str, ...]
    terms: Mapping[str, Term]
    optimizer: Optimise
    turns: Callable[[int], int] = once  # round -> turns
    after: Callable[[Iterable[nn.Module]], None] = untouched  # a turn, with the networks it moved
    watch: "Mapping[str, Callable[[View], Scores]]" = field(default_factory=dict)  # means to tell, at its last turn


def the_picture(pictures: Pictures) -> Pictures:
    """Most generators make what is to be seen."""
    return pictures


def no_context(pictures: Pictures) -> tuple[Pictures, ...]:
    """Most generators make it of nothing but noise and a code."""
    return ()


def pictures_alone(view: "View", pictures: Pictures) -> tuple[Tensor, ...]:
    """Most discriminators judge pictures as they are."""
    return (pictures,)


@dataclass(frozen=True)
class Recipe:
    """A variant: networks (one is the "generator"), players in the order of their moves, and what they are shown."""

    nets: Mapping[str, nn.Module]
    players: Mapping[str, Player]
    noise: tuple[int, ...]  # the shape of a generator's noise
    code: Code = NO_CODE
    labelled: bool = False  # the code of a real picture is its label, and a generated one gets that of a real one
    target: Callable[[Pictures], Pictures] = the_picture  # what of a real picture the generator imitates
    context: Callable[[Pictures], tuple[Pictures, ...]] = no_context  # what of it the generator is shown
    judged: "Callable[[View, Pictures], tuple[Tensor, ...]]" = pictures_alone
    rounds: int = 1  # of this game for each that a training is told to take

    def __post_init__(self) -> None:
        """Refuse what cannot be right.

        Raises:
            ConfigError: a penalty on single pictures stands beside BatchNorm, which mixes the pictures of a batch."""
        for player in self.players.values():
            for name, term in player.terms.items():
                if term.per_picture and any(has_batchnorm(self.nets[net]) for net in player.moves):
                    raise ConfigError(
                        f"the penalty {name!r} is on single pictures, but BatchNorm in the discriminator lets each "
                        "change the verdict on the others; use --d-norm layer or --d-norm none"
                    )


class View:
    """A minibatch as one player sees it; each value is made when a term first asks for it, and only once."""

    def __init__(self, recipe: Recipe, batch: Callable[[], Batch], count: int, device: torch.device) -> None:
        self.recipe, self.count, self.device = recipe, count, device
        self._batch = batch
        self._kept: dict[str, Any] = {}

    @cached_property
    def batch(self) -> Batch:
        return self._batch()

    @cached_property
    def real(self) -> Pictures:
        return self.recipe.target(self.batch.pictures)

    @cached_property
    def context(self) -> tuple[Pictures, ...]:
        return self.recipe.context(self.batch.pictures)

    @cached_property
    def noise(self) -> Tensor:
        return torch.randn(self.count, *self.recipe.noise, device=self.device)

    @cached_property
    def code(self) -> Codes:
        if self.recipe.labelled:
            return one_hot(self.batch.labels, self.recipe.code.categories).float()
        return self.recipe.code.draw(self.count, self.device)

    @cached_property
    def fake(self) -> Pictures:
        return self.recipe.nets["generator"](self.noise, self.code, *self.context)

    def judge(self, pictures: Pictures) -> Verdict:
        return self.recipe.nets["discriminator"](*self.recipe.judged(self, pictures))

    def score(self, pictures: Pictures) -> Scores:
        return self.judge(pictures).score

    @cached_property
    def on_real(self) -> Verdict:
        return self.judge(self.real)

    @cached_property
    def on_fake(self) -> Verdict:
        return self.judge(self.fake)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What several terms of a variant share."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]


# --- the two players of most games


def versus(
    loss: Loss,
    d_optimizer: Optimise,
    g_optimizer: Optimise,
    *,
    d_terms: Mapping[str, Term] | None = None,
    both_terms: Mapping[str, Term] | None = None,
    heads: tuple[str, ...] = (),
    d_turns: Callable[[int], int] = once,
    d_after: Callable[[Iterable[nn.Module]], None] = untouched,
) -> dict[str, Player]:
    """A discriminator, with `heads` on its features, against a generator; either may have more to minimise."""
    common = both_terms or {}
    discriminator = {"loss": Term(lambda view: loss.discriminator(view.on_real.score, view.on_fake.score))}
    generator = {"loss": Term(lambda view: loss.generator(view.on_fake.score))}
    return {
        "d": Player(
            ("discriminator", *heads),
            {**discriminator, **(d_terms or {}), **common},
            d_optimizer,
            d_turns,
            d_after,
            {"distance": score_gap} if loss.threshold is None else {"d_accuracy": accuracy(loss.threshold)},
        ),
        "g": Player(("generator",), {**generator, **common}, g_optimizer),
    }


def accuracy(threshold: float) -> Callable[[View], Scores]:
    """How often the discriminator tells real from generated; a half of the time where it cannot."""
    return lambda view: ((view.on_real.score > threshold).float() + (view.on_fake.score <= threshold).float()) / 2


def score_gap(view: View) -> Scores:
    """How much higher a critic values real pictures: its estimate of the distance, to a factor."""
    return view.on_real.score - view.on_fake.score


# --- the game


class Play(NamedTuple):
    """How a game is carried out, whatever the variant."""

    steps: int
    batch_size: int
    ema: float = 0.0  # decay of the averaged generator; 0: none is kept
    bf16: bool = False


class Game:
    """A recipe at work: the one adversarial update."""

    def __init__(
        self,
        recipe: Recipe,
        play: Play,
        pictures: Stored,
        labels: Labels,
        device: torch.device,
        seed: int,
        name: str = "adversarial",
        seen: Callable[[Pictures], Pictures] = the_picture,
    ) -> None:
        """`seen` is what of a real picture this game is about."""
        self.recipe, self.play, self.device, self.seed, self.name = recipe, play, device, seed, name
        if recipe.labelled and len(labels) != len(pictures):
            raise UsageError(
                f"this model learns from labels, but of {len(pictures)} images {len(labels)} have one; "
                "choose data with labels, or a model that needs none"
            )
        self.seen = seen
        self.pictures, self.labels = pictures.to(device), labels.to(device)
        for net in recipe.nets.values():
            net.to(device)
        self.optimizers = {
            name: player.optimizer(parameter for net in player.moves for parameter in recipe.nets[net].parameters())
            for name, player in recipe.players.items()
        }
        self.averaged = copy.deepcopy(recipe.nets["generator"]) if play.ema else None
        self.film = Film(self.prior, derive(seed, "shown"), self.pictures)

    def phases(self) -> Sequence[Phase]:
        return [self.film.over(self.phase, self.draw)]

    @property
    def phase(self) -> Phase:
        return Phase(self.name, self.play.steps * self.recipe.rounds, self.update)

    def update(self, step: int) -> Metrics:
        """One round: each player has its turns."""
        measured: dict[str, Tensor] = {}
        for name, player in self.recipe.players.items():
            for turn in range(player.turns(step)):
                view = self.view(step, name, turn)
                whole, parts = self._move(name, player, view)
            measured[f"{name}_loss"] = distributed.all_reduce_sum(whole)
            if len(parts) > 1:
                measured |= {
                    f"{name}_{part}": distributed.all_reduce_sum(value)
                    for part, value in parts.items()
                    if part != "loss"
                }
            with torch.no_grad():
                measured |= {watched: distributed.all_reduce_mean(of(view)) for watched, of in player.watch.items()}
        distributed.average_buffers(*self.recipe.nets.values())
        self._average(step)
        return measured

    def view(self, step: int, player: str, turn: int = 0) -> View:
        """What a player sees in a turn: images that depend on the seed and the place alone, split among processes."""
        size = self.play.batch_size

        def batch() -> Batch:
            chosen = self.chosen(step, player, turn)
            pictures = self.seen(as_floats(self.pictures[chosen]))
            return Batch(pictures, self.labels[chosen] if len(self.labels) else chosen)

        return View(self.recipe, batch, distributed.shard_size(size), self.device)

    def chosen(self, step: int, player: str, turn: int) -> Int[Tensor, "B"]:
        """Which images: drawn by the host, so that they do not depend on the device. All that a turn copies to it."""
        order = private_generator(self.seed, self.name, "batch", step, player, turn)
        size = self.play.batch_size
        return torch.randint(len(self.pictures), (size,), generator=order)[distributed.shard(size)].to(self.device)

    def _move(self, name: str, player: Player, view: View) -> tuple[Scalar, dict[str, Tensor]]:
        """Take one turn; gives back the loss, and what each term of it came to."""
        for net, module in self.recipe.nets.items():
            module.requires_grad_(net in player.moves)
        with autocast(self.device, enabled=self.play.bf16):
            parts = {part: term.of(view) for part, term in player.terms.items()}
            loss = torch.stack([term.weight * parts[part] for part, term in player.terms.items()]).sum()
        optimizer = self.optimizers[name]
        optimizer.zero_grad()
        loss.backward()
        distributed.all_reduce_gradients(parameter for group in optimizer.param_groups for parameter in group["params"])
        optimizer.step()
        player.after(self.recipe.nets[net] for net in player.moves)
        return loss.detach(), {part: value.detach() for part, value in parts.items()}

    @torch.no_grad()
    def _average(self, step: int) -> None:
        """Let the averaged generator follow, faster in the beginning, when there is little worth keeping."""
        if self.averaged is None:
            return
        keep = min(self.play.ema, (1 + step) / (10 + step))
        live = self.recipe.nets["generator"].state_dict()
        for name, value in self.averaged.state_dict().items():
            if value.is_floating_point():
                value.lerp_(live[name], 1 - keep)
            else:
                value.copy_(live[name])

    # --- what it has learned

    @property
    def generator(self) -> nn.Module:
        """The one to draw pictures with."""
        return self.recipe.nets["generator"] if self.averaged is None else self.averaged

    @property
    def prior(self) -> Prior:
        return Prior(math.prod(self.recipe.noise), self.recipe.code)

    @torch.no_grad()
    def draw(self, latents: Latents, *context: Pictures) -> Pictures:
        """The pictures of these latents, BatchNorm as learned."""
        noise = latents.noise.to(self.device).view(-1, *self.recipe.noise)
        self.generator.eval()
        pictures: Pictures = self.generator(noise, latents.codes.to(self.device), *context)
        self.generator.train()
        return pictures

    def sample(self, count: int, seed: int, codes: Codes | None = None) -> Pictures:
        """Pictures that depend on the seed and the codes alone; without codes, of each category in turn."""
        return self.draw(self.prior.draw(count, seed, codes))

    # --- its state

    def state_dict(self) -> dict[str, Any]:
        film = {"film": self.film.frames} if self.film.frames else {}
        return {**{name: part.state_dict() for name, part in self._parts().items()}, **film}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        parts = self._parts()
        film = {"film": self.film.like} if "film" in state else {}  # a run of an earlier version has none
        check(state, {**parts, **film})
        for name, part in parts.items():
            if isinstance(part, Optimizer):
                load_optimizer(part, state[name])
            else:
                part.load_state_dict(state[name])
        self.film.frames = state.get("film", {})

    def _parts(self) -> dict[str, Any]:
        averaged = {} if self.averaged is None else {"averaged": self.averaged}
        optimizers = {f"{name}_optimizer": optimizer for name, optimizer in self.optimizers.items()}
        return {**self.recipe.nets, **averaged, **optimizers}

    def weights(self) -> dict[str, bytes]:
        """Every network as a safetensors file; of the generator the one to draw with."""
        nets = {**self.recipe.nets, "generator": self.generator}
        return {
            name: save({key: tensor.cpu().contiguous() for key, tensor in net.state_dict().items()})
            for name, net in nets.items()
        }

    def exports(self) -> Mapping[str, bytes]:
        weights = {f"{name}.safetensors": data for name, data in self.weights().items()}
        return {**weights, **self.film.exports(self.draw)}
