from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from seqgan.algorithms.configs import MLEConfig
from seqgan.algorithms.mle import MLE
from seqgan.core.game import Player, Term, move
from seqgan.core.loop import train
from seqgan.core.record import read_record
from seqgan.core.run import Run, create
from seqgan.data.dataset import TokenDataset
from seqgan.metrics.nll import likelihood

CPU = torch.device("cpu")


def run_it(folder: Path, mle: MLE) -> list[dict[str, float]]:
    create(folder, {"seed": 1, "threads": 2}, {})
    with Run(folder) as run:
        train(mle, run)
    return read_record(folder)


def test_it_stops_when_validation_no_longer_improves_and_keeps_the_best(
    texts: TokenDataset, tiny_config: Callable[..., MLEConfig], tmp_path: Path
) -> None:
    config = tiny_config("mle", mle_epochs=200, mle_lr=0.05, hidden_dim=32, dropout=0.0)
    mle = MLE(config, texts, CPU, 0)
    checks = [line["valid_nll"] for line in run_it(tmp_path / "run", mle) if "valid_nll" in line]
    assert len(checks) < 200
    best = min(checks)
    assert checks.index(best) == len(checks) - 1 - config.mle_patience
    assert mle.best.nll == best
    mle.generator.load_state_dict(mle.chosen())
    assert likelihood(mle.generator, texts.valid.sequences).per_token == pytest.approx(best, abs=1e-6)


def test_without_patience_it_keeps_the_last(
    texts: TokenDataset, tiny_config: Callable[..., MLEConfig], tmp_path: Path
) -> None:
    mle = MLE(tiny_config("mle", mle_patience=0, mle_epochs=4), texts, CPU, 0)
    checks = [line["step"] for line in run_it(tmp_path / "run", mle) if "valid_nll" in line]
    assert len(checks) == 4
    assert all(mle.chosen()[name].equal(tensor) for name, tensor in mle.generator.state_dict().items())


def test_a_step_is_clipped_to_the_largest_norm() -> None:
    module = torch.nn.Linear(4, 1)
    before = torch.cat([p.detach().flatten().clone() for p in module.parameters()])
    loss = Term[None](lambda _: module(torch.full((1, 4), 100.0)).square().sum() * 1e3)
    player = Player(("net",), {"loss": loss}, lambda parameters: torch.optim.SGD(parameters, lr=1.0), 0.5)
    move(player, None, {"net": module}, player.new_optimizer({"net": module}))
    moved = torch.cat([p.detach().flatten() for p in module.parameters()]) - before
    assert float(moved.norm()) == pytest.approx(0.5, rel=1e-3)


def test_a_stored_trajectory_guards_refactorings(texts: TokenDataset, tiny_config: Callable[..., MLEConfig]) -> None:
    """Losses of given texts, without dropout: only arithmetic decides them. Change them only with a reason."""
    mle = MLE(tiny_config("mle", dropout=0.0), texts, CPU, 0)
    losses = [float(mle.update(step)["nll"]) for step in (1, 2, 3, 4, 5)]
    assert losses == pytest.approx([3.364887, 3.329991, 3.301087, 3.244879, 3.204615], rel=1e-3)
