"""A checkpoint is read strictly: any damage is found, and nothing in it is ever executed."""

import io
import os
import pickle
import random
from pathlib import Path

import pytest
import torch

from seqgan.core import checkpoint, schema
from seqgan.errors import CheckpointError

STATE = {
    "algorithm": {"weights": torch.arange(500.0), "best": 1.5, "name": "x", "list": [1, None, "y"]},
    "steps": {"a": 3},
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    checkpoint.save(tmp_path / "step-1.pt", STATE)
    return tmp_path / "step-1.pt"


def test_what_is_saved_is_loaded(saved: Path) -> None:
    state = checkpoint.load(saved)
    assert state["algorithm"]["weights"].equal(torch.arange(500.0))
    assert state["algorithm"]["list"] == [1, None, "y"]
    assert state["format"] == schema.FORMAT


def test_cut_short_anywhere_it_is_refused(saved: Path) -> None:
    whole = saved.read_bytes()
    for length in range(0, len(whole), 97):
        saved.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"step-1\.pt is damaged"):
            checkpoint.load(saved)


def test_a_flipped_byte_is_found_or_harmless(saved: Path) -> None:
    whole, rng = saved.read_bytes(), random.Random(0)
    refused = 0
    for position in rng.sample(range(len(whole)), 200):
        saved.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        try:
            state = checkpoint.load(saved)
        except CheckpointError:
            refused += 1
        else:  # a byte of the archive's own padding or dates
            assert state["algorithm"]["weights"].equal(torch.arange(500.0))
            assert state["steps"] == {"a": 3}
    assert refused > 100


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch executed",)


@pytest.mark.parametrize("how", ["pickle", "torch"])
def test_a_malicious_pickle_is_refused_and_not_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.pt"
    if how == "pickle":
        path.write_bytes(pickle.dumps(Malicious()))
    else:
        buffer = io.BytesIO()
        torch.save({"format": 1, "algorithm": Malicious()}, buffer)
        path.write_bytes(buffer.getvalue())
    with pytest.raises(CheckpointError, match=r"evil\.pt is damaged or is not a checkpoint"):
        checkpoint.load(path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [{"format": 1}, {"weights": 1}, [1, 2]])
def test_a_foreign_file_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="is not a checkpoint of format 2"):
        checkpoint.load(tmp_path / "other.pt")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        checkpoint.load(tmp_path / "none.pt")


def test_the_first_broken_tensor_is_named() -> None:
    assert checkpoint.first_broken({"a": [torch.ones(2), {"b": torch.tensor([1.0, float("nan")])}]}) == "a/1/b"
    assert checkpoint.first_broken({"a": torch.ones(2), "b": torch.tensor([3])}) is None
