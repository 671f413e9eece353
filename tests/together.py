"""What one process of several does in the tests: `torchrun ... -m tests.together FOLDER` leaves what each found.

`given()` is called in a single process as well, to compare with."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import torch
from torch import Tensor, nn
from torch import distributed as dist

from imagegan.data import digits
from imagegan.training import new_model, shape_of
from imagegan.variants.configs import CONFIGS as IMAGE_CONFIGS
from seqgan.advantages import advantages
from seqgan.algorithms import ALGORITHMS
from seqgan.algorithms.adversarial import TextGAN
from seqgan.algorithms.components import DEFAULTS, Components
from seqgan.algorithms.configs import CONFIGS
from seqgan.algorithms.seqgan import new_seqgan
from seqgan.core import distributed
from seqgan.core.loggers import Values
from seqgan.core.loop import train
from seqgan.core.phase import Algorithm, Phase
from seqgan.core.record import read_record
from seqgan.core.run import Run, create, describe
from seqgan.core.seed import seed_everything
from seqgan.data.batches import Batches
from seqgan.data.corpus import Corpus
from seqgan.data.dataset import TokenDataset
from seqgan.data.encoding import encode_corpus
from seqgan.data.ragged import Ragged
from seqgan.data.splits import split
from seqgan.data.tokenizer import Tokenizer
from seqgan.errors import RunError, SeqGANError
from seqgan.losses import policy_gradient_weights
from seqgan.models.lstm import LSTMPolicy
from seqgan.rewards.controls import controlled

CPU = torch.device("cpu")
CLOCKS = ("time", "monotonic", "perf_counter", "process_time")
SEVERAL = ("discriminator", "length:3-9:0.5")
LENGTHS = [1, 6, 2, 5, 3, 6, 4]  # seven texts: three for the first of two processes, four for the other


def texts() -> TokenDataset:
    from tests.conftest import tiny_lines

    corpus = Corpus("tiny", **split(tiny_lines()))
    return encode_corpus(corpus, Tokenizer.train(corpus.train, "char"))


def tiny_config(**changes: Any) -> Any:
    from tests.conftest import TINY_GAME

    return replace(CONFIGS["seqgan"](**TINY_GAME), **changes)


# --- from given tokens and rewards, in one process or in several


def given() -> dict[str, Tensor]:
    """Gradients, advantages and metrics of all processes together; nothing in them is drawn by any."""
    rng = torch.Generator().manual_seed(1)
    tokens = torch.randint(4, 12, (7, 6), generator=rng)
    mask = torch.arange(6) < torch.tensor(LENGTHS).unsqueeze(1)
    rewards = torch.randn(7, 6, generator=rng) * mask
    part = distributed.shard(7)
    tokens, mask, rewards = (tokens * mask)[part], mask[part], rewards[part]
    found: dict[str, Tensor] = {}
    for reduction in ("mean", "sum"):
        torch.manual_seed(0)
        policy = LSTMPolicy(12, 6, 5, 6, init_std=0.5)
        policy.nll_drawn(tokens, policy_gradient_weights(rewards, mask, reduction)).backward()  # type: ignore[arg-type]
        distributed.all_reduce_gradients(policy.parameters())
        found |= _gradients(f"REINFORCE, {reduction}", policy)
    for baseline in ("none", "batch", "prefix"):
        for normalize_advantage in (False, True):
            paid = advantages(rewards, mask, baseline, normalize_advantage=normalize_advantage)  # type: ignore[arg-type]
            found[f"advantages, {baseline}, {normalize_advantage}"] = distributed.all_gather(paid)
    return found | _updates()


def _updates() -> dict[str, Tensor]:
    """One update of each kind of the real thing, without dropout, and with texts that no process draws."""
    config = tiny_config(
        dropout=0.0, d_dropout=0.0, batch_size=7, d_batch_size=10, g_batch_size=7, control="constant",
        normalize_advantage=False,
        baseline="none", max_grad_norm=1e9, reward=SEVERAL,
    )  # fmt: skip
    game = new_seqgan(config, texts(), CPU, seed=4)
    opponent = game.critic
    assert opponent is not None
    with torch.no_grad():
        for parameter in game.generator.parameters():
            parameter.mul_(5.0)  # so that no gradient is next to nothing
    found: dict[str, Tensor] = {"MLE: nll": _number(game.mle.update(2)["nll"])}
    found |= _gradients("MLE", game.generator)
    rows = [row[:-1] for row in game.mle.dataset.train.sequences]  # anything but real texts will do
    opponent.generated = lambda phase, round: Batches(Ragged.of(rows), opponent.half, 0)  # type: ignore[method-assign]
    found |= {f"discriminator: {name}": _number(value) for name, value in game.discriminator_update("any", 3).items()}
    found |= _gradients("discriminator", opponent.discriminator)
    tokens = game.mle.batches.at(1).tokens
    wide = nn.functional.pad(tokens, (0, game.generator.max_length - tokens.shape[1]))
    original = game.generator.sample
    game.generator.sample = lambda count, labels=None: original(count)._replace(tokens=wide, mask=wide != 0)  # type: ignore[method-assign]
    found |= {f"policy: {name}": _number(value) for name, value in game.policy_update(4).items()}
    return found | _gradients("policy", game.generator)


def _gradients(name: str, module: nn.Module) -> dict[str, Tensor]:
    return {f"{name}: {key}": p.grad.clone() for key, p in module.named_parameters() if p.grad is not None}


def _number(value: Any) -> Tensor:
    return torch.as_tensor(value).detach().float()


# --- whole trainings


class Judge(nn.Module):
    """A custom discriminator that counts along the way."""

    def __init__(self, vocab_size: int, max_length: int) -> None:
        super().__init__()
        self.embedding, self.norm = nn.Embedding(vocab_size, 6), nn.BatchNorm1d(6)
        self.unused, self.output = nn.Linear(2, 2), nn.Linear(6, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        scores: Tensor = self.output(self.norm(self.embedding(tokens).mean(dim=1))).squeeze(1)
        return scores


def seqgan_game(parts: Components = DEFAULTS) -> TextGAN:
    return new_seqgan(tiny_config(reward=SEVERAL), texts(), CPU, 5, parts)


def collapsing() -> TextGAN:
    """A game that ends before its six iterations are over."""
    changes = {"g_lr": 0.5, "mle_weight": 0.0, "mle_epochs": 1, "iterations": 6, "stop_on_collapse": True}
    return new_seqgan(tiny_config(**changes), texts(), CPU, 5)


def tiny(name: str) -> Algorithm:
    from tests.conftest import TINY_CONFIGS

    return ALGORITHMS[name](CONFIGS[name](**TINY_CONFIGS[name]), texts(), CPU, 5)


def images(model: str, **options: Any) -> Algorithm:
    tiny = {"images": 50, "steps": 9, "batch_size": 7, "latent_dim": 6, "width": 4}
    drawn = digits(50, seed=1)
    return new_model(model, IMAGE_CONFIGS[model](**tiny, **options), drawn, shape_of(drawn), CPU, 0)


def dcgan() -> Algorithm:
    return images("dcgan", spectral_norm=True)


def begun(folder: Path) -> Path:
    """A run directory, made by the first process."""
    about = {"package": "tests", "algorithm": "any", "config": {}, "seed": 5, "threads": 1}

    def make() -> None:
        create(folder, {**about, "world_size": distributed.world_size()}, {})

    distributed.on_rank_zero(make)
    return folder


def state_after(folder: Path, make: Callable[[], Algorithm], save_seconds: float = 0.0) -> dict[str, Any]:
    """Of this process, after training."""
    algorithm = make()
    with Run(folder, save_seconds=save_seconds) as run:
        train(algorithm, run)
    return algorithm.state_dict()


def state_after_stops(folder: Path, make: Callable[[], Algorithm], stops: Sequence[int]) -> dict[str, Any]:
    """The same where the second process is asked to stop at some steps, counted over all phases."""
    for stop in stops:
        algorithm, taken = make(), 0

        def stopping(update: Callable[[int], Any], step: int, last: int = stop) -> Any:
            nonlocal taken
            taken += 1
            if taken == last and distributed.rank() == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            return update(step)

        phases = [
            replace(phase, update=lambda step, update=phase.update: stopping(update, step))
            for phase in algorithm.phases()
        ]
        algorithm.phases = lambda phases=phases: phases  # type: ignore[method-assign]
        try:
            with Run(folder, save_seconds=1e9) as run:
                train(algorithm, run)
            raise AssertionError(f"it was done before its step {stop}")
        except SeqGANError as error:
            if error.exit_code != 128 + signal.SIGTERM:
                raise
    return state_after(folder, make)


class Broken:
    """An algorithm whose fourth step measures a NaN."""

    def __init__(self, steps: int = 9) -> None:
        self.steps = steps

    def phases(self) -> Sequence[Phase]:
        return [Phase("only", self.steps, lambda step: {"loss": float("nan") if step == 4 else 0.5})]

    def state_dict(self) -> dict[str, Any]:
        return {"weight": torch.ones(2)}

    def load_state_dict(self, state: dict[str, Any]) -> None: ...

    def exports(self) -> Mapping[str, bytes]:
        return {}


# --- clocks that differ


@contextmanager
def clock_fast_in(rank: int) -> Iterator[None]:
    """There every clock runs ten thousand times as fast."""
    factor = 10_000.0 if distributed.rank() == rank else 1.0

    def faster(clock: Callable[[], float]) -> Callable[[], float]:
        began = clock()
        return lambda: began + factor * (clock() - began)

    fast = {name: faster(getattr(time, name)) for name in CLOCKS}
    with mock.patch.multiple(time, **fast):
        yield


def under_other_clocks(folder: Path, fast: int) -> dict[str, Any]:
    """A training in which what is saved now and then is saved where one process says so."""
    with clock_fast_in(fast):
        return {"state": state_after(begun(folder / f"fast {fast}"), dcgan, save_seconds=1000.0)}


# --- how processes agree


def agreements(folder: Path) -> dict[str, Any]:
    def refuse() -> None:
        raise RunError("only the first looked")

    lone = [nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(1))]
    lone[0].grad = torch.full((3,), 1.0 + distributed.rank())
    lone[1].grad = torch.ones(2) if distributed.rank() == 1 else None
    distributed.all_reduce_gradients(lone)
    return {
        "refusal": _error(lambda: distributed.on_rank_zero(refuse)),
        "divergence": _error(lambda: state_after(begun(folder / "broken"), Broken)),
        "too little": _error(lambda: distributed.shard(1)),
        "from first": distributed.broadcast(
            {"rank": distributed.rank(), "some": [torch.full((2,), float(distributed.rank()))]}
        ),
        "most": distributed.all_reduce_max(distributed.rank(), 3 - distributed.rank()),
        "mean": float(
            distributed.all_reduce_mean(torch.tensor([6.0]) if distributed.rank() else torch.tensor([1.0, 2.0]))
        ),
        "lone gradients": [None if parameter.grad is None else parameter.grad.tolist() for parameter in lone],
        "shuffled": distributed.all_gather(_shuffled()),
        "noise": distributed.all_gather(_noise()),
        "logged": _logged(folder / "logged"),
    }


def _logged(folder: Path) -> list[int]:
    """The steps that a logger of this process is told of."""

    class Steps:
        told: ClassVar[list[int]] = []

        def begin(self, folder: Path, description: Mapping[str, Any], step: int) -> None: ...

        def log(self, phase: str, step: int, values: Values) -> None:
            self.told.append(step)

        def end(self, numbers: Mapping[str, float] | None) -> None: ...

    with Run(begun(folder), loggers=[Steps()]) as run:
        train(Broken(steps=3), run)
    return Steps.told


def _shuffled() -> Tensor:
    part = distributed.shard(7)
    rewards = torch.arange(14.0).view(7, 2)[part]
    torch.manual_seed(distributed.rank())
    return controlled(rewards, torch.ones(len(rewards), 2, dtype=torch.bool), "shuffled")


def _noise() -> Tensor:
    """As in a step of a run, which every process begins from a seed of its own."""
    count = distributed.shard_size(7)
    seed_everything(5, distributed.rank(), "adversarial", 1)
    return controlled(torch.ones(count, 2), torch.ones(count, 2, dtype=torch.bool), "noise")


def _error(act: Callable[[], Any]) -> tuple[str, str]:
    try:
        act()
    except SeqGANError as error:
        return type(error).__name__, str(error)
    return "", ""


def counted(act: Callable[[], Any]) -> tuple[Any, list[int]]:
    """What it gives, and the sizes of the sums over all processes that it took."""
    sizes: list[int] = []
    original = dist.all_reduce

    def all_reduce(tensor: Tensor, *more: Any) -> Any:
        sizes.append(tensor.numel())
        return original(tensor, *more)

    dist.all_reduce = all_reduce  # type: ignore[assignment]
    try:
        return act(), sizes
    finally:
        dist.all_reduce = original


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with distributed.process_group(CPU):
        game = seqgan_game()
        assert game.critic is not None
        _, policy_sums = counted(lambda: game.policy_update(0))
        game.critic.generated("any", 0)
        _, judge_sums = counted(lambda: game.discriminator_update("any", 0) if game.critic else None)
        _, mle_sums = counted(lambda: game.mle.update(1))
        own = Components(discriminator=Judge)
        found = {
            "given": given(),
            "sums": {"policy": policy_sums, "discriminator": judge_sums, "mle": mle_sums},
            "agreements": agreements(folder),
            "seqgan": state_after(begun(folder / "seqgan"), seqgan_game),
            "maligan": state_after(begun(folder / "maligan"), lambda: tiny("maligan")),
            "relgan": state_after(begun(folder / "relgan"), lambda: tiny("relgan")),
            "seqgan, own": state_after(begun(folder / "own"), lambda: seqgan_game(own)),
            "collapsing": state_after(begun(folder / "collapsing"), collapsing),
            "collapsing, steps": read_record(folder / "collapsing")[-1]["step"],
            "seqgan, stopped": state_after_stops(begun(folder / "stopped"), seqgan_game, (4, 5, 6)),
            "dcgan": state_after(begun(folder / "dcgan"), dcgan),
            "began": state_after(begun(folder / "began"), lambda: images("began", gamma=0.9, k_lr=0.1)),
            "semi-gan": state_after(begun(folder / "semi-gan"), lambda: images("semi-gan", labels=20)),
            "dcgan, stopped": state_after_stops(begun(folder / "images"), dcgan, (2, 4)),
            "fast": [under_other_clocks(folder, fast) for fast in range(2)],
            "world_size": describe(folder / "seqgan")["world_size"],
        }
        torch.save(found, folder / f"found-{distributed.rank()}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
