"""The one adversarial update of both packages: a player minimises its terms, and everything else is frozen.

    Term     a weighted loss, as a function of a view
    Player   the networks it moves, the terms it minimises, its optimiser
    move     one update of one player

A view is what a package shows its players: a minibatch, each part of which is computed when a term first asks for it.
A paper is data: a few players and their terms."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from seqgan.core import distributed
from seqgan.shapes import Scalar

V = TypeVar("V")
Nets = Mapping[str, nn.Module]
Optimise = Callable[[Iterable[nn.Parameter]], Optimizer]


def adam(lr: float, beta1: float = 0.9, beta2: float = 0.999, *, weight_decay: float = 0.0) -> Optimise:
    """Adam, with decoupled weight decay where there is any (AdamW)."""
    return lambda parameters: torch.optim.AdamW(parameters, lr, (beta1, beta2), weight_decay=weight_decay, fused=True)


def rmsprop(lr: float) -> Optimise:
    return lambda parameters: torch.optim.RMSprop(parameters, lr)


# The factor of the learning rate in a step from 1 to `steps`: a function of the two, so that nothing of it is saved. It
# is that of torch's LinearLR (to 0) and CosineAnnealingLR: 1 in the first step, and still above 0 in the last one.
LR_SCHEDULES: dict[str, Callable[[int, int], float]] = {
    "constant": lambda step, steps: 1.0,
    "linear": lambda step, steps: 1 - (step - 1) / steps,
    "cosine": lambda step, steps: (1 + math.cos(math.pi * (step - 1) / steps)) / 2,
}


@dataclass(frozen=True)
class Term(Generic[V]):
    """A loss to minimise. Each process gives its part of it: the parts of all processes add up to the loss."""

    of: Callable[[V], Scalar]
    weight: float = 1.0
    per_sample: bool = False  # it needs a discriminator that scores each sample by itself, so none with BatchNorm


def once(round: int) -> int:
    """Most players have one turn in a round."""
    return 1


def nothing(view: object, nets: Nets) -> None:
    """After most moves nothing happens."""


@dataclass(frozen=True)
class Player(Generic[V]):
    """One side of a game."""

    moves: tuple[str, ...]  # names of the networks it moves; all others are frozen during its move
    terms: Mapping[str, Term[V]]
    optimizer: Optimise
    max_grad_norm: float = math.inf
    turns: Callable[[int], int] = once  # round -> moves in it
    after: Callable[[V, Nets], None] = nothing  # with the view of the move, and all networks
    watch: Mapping[str, Callable[[V], Tensor]] = field(default_factory=dict)  # scalars to report, over all processes

    def new_optimizer(self, nets: Nets) -> Optimizer:
        """The optimiser of the parameters that it moves."""
        return self.optimizer([p for name in self.moves for p in nets[name].parameters() if p.requires_grad])


def move(
    player: Player[V],
    view: V,
    nets: Nets,
    optimizer: Optimizer,
    *,
    precision: AbstractContextManager[object] | None = None,
    lr_factor: float = 1.0,
) -> dict[str, Tensor]:
    """One update: sum the terms, backward, sum the gradients of all processes, clip, step. Gives the value of every
    term by its name, of their weighted sum as "loss", and where the player clips the norm before that as "grad_norm";
    the terms are computed within `precision` (autocast)."""
    with frozen(net for name, net in nets.items() if name not in player.moves):
        with precision or nullcontext():
            values = {name: term.of(view) for name, term in player.terms.items()}
            loss = torch.stack([term.weight * values[name] for name, term in player.terms.items()]).sum()
        optimizer.zero_grad()
        loss.backward()
    moved = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    distributed.all_reduce_gradients(moved)
    distributed.average_buffers(*nets.values())
    norm = {}
    if math.isfinite(player.max_grad_norm):
        norm = {"grad_norm": nn.utils.clip_grad_norm_(moved, player.max_grad_norm)}
    with scaled_lr(optimizer, lr_factor):
        optimizer.step()
    player.after(view, nets)
    summed = {name: distributed.all_reduce_sum(value.detach()) for name, value in {**values, "loss": loss}.items()}
    return summed | norm


@contextmanager
def scaled_lr(optimizer: Optimizer, factor: float) -> Iterator[None]:
    """An optimiser whose learning rates are this many times those of its config."""
    rates = [group["lr"] for group in optimizer.param_groups]
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = factor * rate
    yield
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


@torch.no_grad()
def watched(player: Player[V], view: V) -> dict[str, Tensor]:
    """What the player reports of a move beside its terms."""
    return {name: of(view) for name, of in player.watch.items()}


@torch.no_grad()
def update_average(averaged: nn.Module, net: nn.Module, decay: float, step: int) -> None:
    """Move an exponential average of the weights (Polyak and Juditsky 1992) towards those after step number `step`.

    The decay is at most (1 + step) / (10 + step), so that the average soon forgets the weights it began with."""
    both = ((*module.parameters(), *module.buffers()) for module in (averaged, net))  # tied weights once
    for value, current in zip(*both, strict=True):
        if value.is_floating_point():
            value.lerp_(current, 1 - min(decay, (1 + step) / (10 + step)))
        else:
            value.copy_(current)


@contextmanager
def frozen(nets: Iterable[nn.Module]) -> Iterator[None]:
    """Networks that learn nothing: gradients flow through them to their inputs, and to none of their parameters."""
    parameters = [parameter for net in nets for parameter in net.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


@contextmanager
def eval_mode(net: nn.Module) -> Iterator[nn.Module]:
    """A network without dropout; afterwards it and its submodules are in the modes they were in."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield net
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def inference(net: nn.Module) -> Iterator[nn.Module]:
    """A network that only computes: in eval mode, and no gradient."""
    with eval_mode(net), torch.no_grad():
        yield net
