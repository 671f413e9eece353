"""What every algorithm owes: its loss falls, its seed decides, a kill changes nothing, its state round-trips."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seqgan.algorithms import ALGORITHMS
from seqgan.algorithms.configs import CONFIGS, PRESETS, MLEConfig
from seqgan.core.config import assemble, parameters, to_json
from seqgan.core.loop import train
from seqgan.core.record import read_record
from seqgan.core.run import Run, create
from seqgan.data.dataset import TokenDataset
from tests.killing import Killed, contents, dying_at, flat

Make = Callable[..., MLEConfig]
CPU = torch.device("cpu")

every_algorithm = pytest.mark.parametrize("name", list(ALGORITHMS))


def begun(folder: Path, config: MLEConfig) -> Path:
    create(folder, {"package": "seqgan", "algorithm": "x", "config": to_json(config), "seed": 5, "threads": 2}, {})
    return folder


def trained(folder: Path, name: str, config: MLEConfig, texts: TokenDataset, *, save_seconds: float = 0.0) -> Any:
    algorithm = ALGORITHMS[name](config, texts, CPU, 5)
    with Run(folder, save_seconds=save_seconds) as run:
        train(algorithm, run)
    return algorithm


@every_algorithm
def test_the_loss_falls(name: str, texts: TokenDataset, tiny_config: Make, tmp_path: Path) -> None:
    config = tiny_config(name, mle_epochs=8)
    algorithm = trained(begun(tmp_path / "run", config), name, config, texts)
    losses = {"pretrain generator": "nll"}
    if name != "mle":
        losses["pretrain discriminator"] = next(iter(algorithm.critic.measures))
    for phase, loss in losses.items():
        values = [line[loss] for line in read_record(tmp_path / "run") if line["phase"] == phase]
        if values:
            assert sum(values[-3:]) / 3 < sum(values[:3]) / 3 - 0.01


@every_algorithm
def test_the_seed_decides_everything(name: str, texts: TokenDataset, tiny_config: Make, tmp_path: Path) -> None:
    config = tiny_config(name)
    for folder in ("first", "second"):
        trained(begun(tmp_path / folder, config), name, config, texts)
    assert contents(tmp_path / "first") == contents(tmp_path / "second")
    other = ALGORITHMS[name](config, texts, CPU, 6)
    assert flat(other.state_dict()) != flat(ALGORITHMS[name](config, texts, CPU, 5).state_dict())


@every_algorithm
def test_killed_in_any_phase_it_ends_as_the_uninterrupted(
    name: str, texts: TokenDataset, tiny_config: Make, tmp_path: Path
) -> None:
    config = tiny_config(name)
    trained(begun(tmp_path / "whole", config), name, config, texts)
    whole = contents(tmp_path / "whole")
    counted = begun(tmp_path / "counted", config)
    with dying_at(-1) as seen:
        trained(counted, name, config, texts)
    died_in = set()
    for operation in range(seen.count // 20, seen.count, seen.count // 9):  # spread over all phases
        folder = begun(tmp_path / f"run{operation}", config)
        with dying_at(operation), pytest.raises(Killed):
            trained(folder, name, config, texts)
        died_in.add(read_record(folder)[-1]["phase"] if read_record(folder) else "")
        trained(folder, name, config, texts)
        assert contents(folder) == whole, operation
    assert {phase.name for phase in ALGORITHMS[name](config, texts, CPU, 5).phases()} <= died_in


@every_algorithm
def test_its_state_round_trips_strictly(name: str, texts: TokenDataset, tiny_config: Make, tmp_path: Path) -> None:
    config = tiny_config(name)
    algorithm = trained(begun(tmp_path / "run", config), name, config, texts)
    other = ALGORITHMS[name](config, texts, CPU, 99)
    assert flat(other.state_dict()) != flat(algorithm.state_dict())
    other.load_state_dict(algorithm.state_dict())
    assert flat(other.state_dict()) == flat(algorithm.state_dict())
    state = algorithm.state_dict()
    for key in [key for key in state if key not in ("policies", "health")]:  # earlier runs have no health
        with pytest.raises((KeyError, RuntimeError, ValueError, TypeError, AttributeError)):
            other.load_state_dict({k: v for k, v in state.items() if k != key})


@every_algorithm
def test_building_the_phases_changes_nothing(name: str, texts: TokenDataset, tiny_config: Make) -> None:
    algorithm = ALGORITHMS[name](tiny_config(name), texts, CPU, 5)
    before, random = flat(algorithm.state_dict()), torch.get_rng_state()
    algorithm.phases()
    assert flat(algorithm.state_dict()) == before
    assert torch.get_rng_state().equal(random)


@every_algorithm
def test_exports_are_the_policies_of_the_state(
    name: str, texts: TokenDataset, tiny_config: Make, tmp_path: Path
) -> None:
    from safetensors.torch import load

    config = tiny_config(name)
    state = trained(begun(tmp_path / "run", config), name, config, texts).state_dict()
    for stage, file in (("final", "generator"), ("mle", "mle/generator"), ("best", "best/generator")):
        assert flat(load((tmp_path / "run" / f"{file}.safetensors").read_bytes())) == flat(state["policies"][stage])


@pytest.mark.parametrize("name", list(CONFIGS))
def test_presets_are_differences_from_the_paper(name: str) -> None:
    known = {parameter.name for parameter in parameters(CONFIGS[name])}
    assert set(PRESETS[name]) == {"default", "quick", "paper", *(["fast"] if name == "seqgan" else [])}
    for preset in PRESETS[name].values():
        assert set(preset) <= known
        assemble(CONFIGS[name], [("preset", preset)])
    assert PRESETS[name]["paper"] == {}
    assert set(CONFIGS) == set(ALGORITHMS)


def test_the_paper_preset_is_the_published_setting() -> None:
    paper = to_json(CONFIGS["seqgan"]())
    published = {
        "embedding_dim": 32,
        "hidden_dim": 32,
        "dropout": 0.0,
        "mle_epochs": 120,
        "mle_patience": 0,
        "mle_lr": 0.01,
        "batch_size": 64,
        "shuffle": False,
        "max_grad_norm": 5.0,
        "d_embedding_dim": 64,
        "highway": True,
        "d_dropout": 0.25,
        "d_l2": 0.2,
        "d_lr": 1e-4,
        "d_batch_size": 64,
        "d_samples": 0,
        "d_epochs": 3,
        "d_pretrain_rounds": 50,
        "d_patience": 0,
        "iterations": 200,
        "g_steps": 1,
        "d_steps": 5,
        "g_lr": 0.01,
        "g_batch_size": 64,
        "rollouts": 16,
        "reward_form": "probability",
        "baseline": "none",
        "normalize_advantage": False,
        "reduction": "sum",
        "mle_weight": 0.0,
        "control": "none",
    }
    assert {name: paper[name] for name in published} == published
