"""What only a real accelerator can show: `pytest -m gpu`. Without one these tests are skipped, and `tests/pretend.py`
stands in for the rules that a step must obey."""

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

import seqgan
from imagegan.cli import imagegan
from imagegan.data import digits
from imagegan.training import new_model, shape_of
from imagegan.variants.configs import CONFIGS as IMAGES
from seqgan.algorithms.seqgan import new_seqgan
from seqgan.core.device import autocast, resolve, seed_accelerator, sum_dtype
from seqgan.core.record import read_record
from seqgan.core.run import checkpoints
from seqgan.data.dataset import TokenDataset
from seqgan.losses import discriminator_loss
from seqgan.models.cnn import CNNDiscriminator
from seqgan.models.lstm import LSTMPolicy
from tests.conftest import TINY_GAME, _as_options, tiny_lines
from tests.imagegan.tiny import as_options, tiny

HERE = resolve("auto")
CPU = torch.device("cpu")
Make = Callable[..., Any]

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(HERE == CPU, reason="torch finds no accelerator on this machine"),
]


class Waiting(Exception):
    """A step asked the device for a value, and so waited for it."""


class NeverWaiting(TorchDispatchMode):
    """Nothing in here may ask for a value, or copy to or from the device."""

    ASKING = ("aten._local_scalar_dense.default", "aten.nonzero.default", "aten._unique2.default", "aten.equal.default")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        given = {arg.device.type for arg in args if isinstance(arg, torch.Tensor) and arg.dim()}
        crossing = isinstance(made, torch.Tensor) and HERE.type in given and made.device == CPU
        on_device = any(isinstance(arg, torch.Tensor) and arg.device.type == HERE.type for arg in args)
        if crossing or (str(func) in self.ASKING and on_device):
            raise Waiting(str(func))
        return made


@pytest.fixture
def full_precision() -> Iterator[None]:
    """TF32 would be told from float32 by any comparison with a CPU."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    yield
    torch.set_float32_matmul_precision(before)


# --- the same numbers as on a CPU


def test_the_device_that_auto_takes_computes() -> None:
    assert HERE.type == torch.accelerator.current_accelerator().type  # type: ignore[union-attr]
    assert torch.zeros(1, device=HERE).device.type == HERE.type
    assert torch.ones(3, dtype=sum_dtype(HERE.type), device=HERE).sum().item() == 3
    with autocast(HERE, enabled=True):
        assert (torch.ones(2, 2, device=HERE) @ torch.ones(2, 2, device=HERE)).dtype is torch.bfloat16


def test_it_is_seeded() -> None:
    drawn = []
    for seed in (1, 1, 2):
        seed_accelerator(seed)
        drawn.append(torch.rand(5, device=HERE).tolist())
    assert drawn[0] == drawn[1] != drawn[2]


def test_losses_and_gradients_are_those_of_a_cpu(full_precision: None) -> None:
    rng = torch.Generator().manual_seed(1)
    tokens = torch.randint(3, 40, (9, 12), generator=rng).masked_fill(
        torch.arange(12) >= torch.randint(2, 13, (9, 1), generator=rng), 0
    )
    found = []
    for device in (CPU, HERE):
        torch.manual_seed(0)
        policy = LSTMPolicy(40, 12, 16, 24, init_std=0.3)
        discriminator = CNNDiscriminator(40, 12, [1, 2, 3], [8, 8, 8], dropout=0.0)
        policy, discriminator, here = policy.to(device), discriminator.to(device), tokens.to(device)
        weights = (here != 0).float() / 7
        losses = [
            policy.nll(here, weights),  # type: ignore[arg-type]
            policy.nll_drawn(here.clamp(min=0), weights),  # type: ignore[arg-type]
            discriminator_loss(discriminator(here[:5]), discriminator(here[5:])),
        ]
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        gradients = [p.grad.cpu() for p in (*policy.parameters(), *discriminator.parameters()) if p.grad is not None]
        found.append([*(loss.detach().cpu() for loss in losses), policy.log_probs(here).detach().cpu(), *gradients])
    for ours, expected in zip(*reversed(found), strict=True):
        assert_close(ours, expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("model", IMAGES)
def test_a_round_of_images_comes_to_finite_numbers(model: str) -> None:
    images = digits(50, seed=1)
    game = new_model(model, IMAGES[model](**tiny(model)), images, shape_of(images), HERE, 0)
    for phase in game.phases():
        phase.start()
        measured = phase.update(1)
        assert all(math.isfinite(float(value)) for value in measured.values() if not isinstance(value, list))


# --- no step waits for the device


def test_no_step_on_text_waits(texts: TokenDataset, tiny_config: Make) -> None:
    game = new_seqgan(tiny_config("seqgan"), texts, HERE, 0)
    assert game.critic
    for step in (1, 2):  # sets up what is set up once
        game.mle.update(step)
        game.policy_update(step)
    game.discriminator_update("game", 0)
    with NeverWaiting():
        game.policy_update(2)
        game.generator.relaxed_sample(4, 2.0)
        game.discriminator_update("game", 1)


# --- trained, killed, gone on with, and asked for texts and images


def killed_once(words: list[str], folder: Path, steps: int) -> None:
    """Begin it, kill it, and go on to its end."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    while process.poll() is None and max(checkpoints(folder), default=0) < steps:
        time.sleep(0.005)
    assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)


def test_text(tmp_path: Path) -> None:
    corpus = tmp_path / "tiny.txt"
    corpus.write_text("\n".join(tiny_lines()) + "\n", encoding="utf-8")
    options = {**TINY_GAME, "mle_epochs": 3, "iterations": 10}
    whole = seqgan.train(str(corpus), run_dir=tmp_path / "whole", device=str(HERE), **options)
    folder = tmp_path / "run"
    words = ["-m", "seqgan", "train", "--corpus", str(corpus), *_as_options(options), "--save-seconds", "0", "--quiet"]
    killed_once([*words, "--device", str(HERE), "--resume", str(folder)], folder, 8)
    for killed, expected in zip(read_record(folder), read_record(tmp_path / "whole"), strict=True):
        assert (killed["phase"], killed["step"]) == (expected["phase"], expected["step"])
        if killed["phase"] == expected["phase"] == "pretrain generator":
            assert killed["nll"] == pytest.approx(expected["nll"], rel=1e-2)
    texts = whole.generate(5, seed=1)
    assert len(texts) == 5
    on_cpu = seqgan.load(tmp_path / "whole", device="cpu")
    for ours, expected in zip(whole.score(texts), on_cpu.score(texts), strict=True):
        assert ours.log_prob == pytest.approx(expected.log_prob, rel=1e-3)


def test_images(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    options = as_options("dcgan", steps=40)
    words = ["-m", "imagegan", "train", "--model", "dcgan", *options, "--save-seconds", "0", "--quiet"]
    killed_once([*words, "--device", str(HERE), "--resume", str(folder)], folder, 5)
    assert [line["step"] for line in read_record(folder)] == list(range(1, 41))
    for place in (str(HERE), "cpu"):
        image = tmp_path / f"{place[:3]}.png"
        imagegan.main(["generate", str(folder), "--device", place, "--output", str(image)], standalone_mode=False)
        assert image.is_file()
