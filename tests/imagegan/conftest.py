"""Shared by the tests of images."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch

from imagegan.metrics.predictors import predictor


@pytest.fixture(autouse=True)
def _few_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training ends with a look at held-out images; a few will do."""
    monkeypatch.setattr("imagegan.training.HELD_OUT", 60)


@pytest.fixture
def _small_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Networks to measure by that are kept elsewhere and learn next to nothing; threads as they were."""
    monkeypatch.setenv("SEQGAN_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("imagegan.evaluation.predictor", partial(predictor, steps=3))
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> Iterator[None]:
    """What is this small gains nothing from a second thread, and waits for it where the cores are busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("seqgan.core.device.use_threads", lambda count: torch.set_num_threads(1))
        yield
    torch.set_num_threads(before)
