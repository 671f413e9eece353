"""Phases without steps: they start once, and never again once the run has gone past them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from seqgan.algorithms.adversarial import ADVERSARIAL, PRETRAIN, TextGAN
from seqgan.algorithms.configs import MLEConfig
from seqgan.algorithms.seqgan import new_seqgan
from seqgan.core import checkpoint
from seqgan.core.loop import train
from seqgan.core.phase import Phase
from seqgan.core.record import read_record
from seqgan.core.run import Run, checkpoints, create
from seqgan.data.dataset import TokenDataset
from tests.core.toy import Toy
from tests.killing import Killed, contents, dying_at

CPU = torch.device("cpu")
Make = Callable[..., MLEConfig]


class Shortened:
    """The toy with no steps in some of its phases; their starts, of which one draws, remain."""

    def __init__(self, *empty: str) -> None:
        self.toy, self.empty = Toy(), empty
        self.state_dict, self.load_state_dict, self.exports = (
            self.toy.state_dict,
            self.toy.load_state_dict,
            self.toy.exports,
        )
        self.started: list[str] = []

    def phases(self) -> Sequence[Phase]:
        return [self._watched(phase) for phase in self.toy.phases()]

    def _watched(self, phase: Phase) -> Phase:
        def start() -> None:
            self.started.append(phase.name)
            phase.start()

        return replace(phase, start=start, steps=0 if phase.name in self.empty else phase.steps)


def begun(folder: Path) -> Path:
    create(folder, {"package": "toy", "algorithm": "toy", "config": {}, "seed": 3, "threads": 2}, {})
    return folder


def carried_out(folder: Path, algorithm: Any) -> dict[str, bytes]:
    with Run(folder, save_seconds=0.0) as run:
        train(algorithm, run)
    return contents(folder)


def test_a_phase_without_steps_does_not_start_again_in_a_later_one(tmp_path: Path) -> None:
    algorithm, place = Shortened("second"), begun(tmp_path / "whole")
    with dying_at(-1) as seen:
        whole = carried_out(place, algorithm)
    assert algorithm.started == ["first", "second", "game"]
    resumed_in_the_game = 0
    for operation in range(1, seen.count, 17):
        folder = begun(tmp_path / f"run{operation}")
        with dying_at(operation), pytest.raises(Killed):
            carried_out(folder, Shortened("second"))
        found = checkpoints(folder)
        steps = checkpoint.load(next(reversed(found.values())))["steps"] if found else {}
        resumed = Shortened("second")
        assert carried_out(folder, resumed) == whole, operation
        if "game" in steps:
            assert resumed.started == []
            resumed_in_the_game += 1
    assert resumed_in_the_game > 2


def test_a_first_phase_without_steps_does_not_start_again_in_a_later_one(tmp_path: Path) -> None:
    place, folder = begun(tmp_path / "whole"), begun(tmp_path / "run")
    with dying_at(-1) as seen:
        whole = carried_out(place, Shortened("first"))
    with dying_at(seen.count // 2), pytest.raises(Killed):
        carried_out(folder, Shortened("first"))
    resumed = Shortened("first")
    assert carried_out(folder, resumed) == whole
    assert "first" not in resumed.started


def test_a_game_without_a_trained_discriminator_ends_the_same_when_killed(
    texts: TokenDataset, tiny_config: Make, tmp_path: Path
) -> None:
    config: Any = tiny_config("seqgan", d_pretrain_rounds=0, mle_epochs=1)

    def made() -> TextGAN:
        return new_seqgan(config, texts, CPU, 3)

    with dying_at(-1) as seen:
        algorithm = made()
        whole = carried_out(begun(tmp_path / "whole"), algorithm)
    policies = algorithm.state_dict()["policies"]
    assert any(not policies["mle"][name].equal(tensor) for name, tensor in policies["final"].items())
    folder = begun(tmp_path / "run")
    with dying_at(seen.count * 7 // 10), pytest.raises(Killed):
        carried_out(folder, made())
    phases = [line["phase"] for line in read_record(folder)]
    assert phases[-1] == ADVERSARIAL
    assert PRETRAIN not in phases
    resumed = made()
    assert carried_out(folder, resumed) == whole
    # Started again, it would have kept the policy in the middle of the game as that after MLE.
    assert all(policies["mle"][name].equal(tensor) for name, tensor in resumed.after_mle.items())


def test_what_the_start_of_a_last_phase_without_steps_did_is_saved(tmp_path: Path) -> None:
    folder = begun(tmp_path / "run")
    carried_out(folder, Shortened("game"))
    newest = checkpoint.load(next(reversed(checkpoints(folder).values())))["algorithm"]["net"]
    exported = load_file(folder / "net.safetensors")
    assert all(newest[name].equal(tensor) for name, tensor in exported.items())


def test_a_finished_run_stays_as_it_is_when_its_last_phases_had_no_steps(tmp_path: Path) -> None:
    folder = begun(tmp_path / "run")
    whole = carried_out(folder, Shortened("second", "game"))
    assert carried_out(folder, Shortened("second", "game")) == whole
