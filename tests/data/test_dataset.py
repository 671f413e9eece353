"""A dataset of ids alone: an algorithm needs no text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seqgan.algorithms import ALGORITHMS
from seqgan.algorithms.configs import MLEConfig
from seqgan.core.loop import train
from seqgan.core.run import Run, create, read_record
from seqgan.data.dataset import TokenDataset
from seqgan.data.vocabulary import Ids
from seqgan.errors import CorpusError
from seqgan.symbols import EOS, PAD

TOKENS = torch.tensor([[4 + (start + step) % 6 for step in range(5)] + [EOS, PAD] for start in range(40)])


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_an_algorithm_trains_on_ids_alone(name: str, tiny_config: Callable[..., MLEConfig], tmp_path: Path) -> None:
    """Counting up, modulo 6: what a policy learns from, and shows, are numbers."""
    dataset = TokenDataset.of(TOKENS[:30], TOKENS[30:], Ids(10))
    assert dataset.max_length == 6
    create(tmp_path / "run", {"seed": 1, "threads": 1}, {})
    with Run(tmp_path / "run") as run:
        train(ALGORITHMS[name](tiny_config(name), dataset, torch.device("cpu"), 1), run)
    record = read_record(tmp_path / "run")
    values = [line["valid_nll"] for line in record if "valid_nll" in line]
    assert values[-1] < values[0]
    samples: list[str] = next(line["samples"] for line in record if "samples" in line)
    assert {token for sample in samples for token in sample.split()} <= {str(token) for token in range(4, 10)}


def test_lists_and_tensors_make_the_same_dataset() -> None:
    padded, listed = (TokenDataset.of(rows, rows, Ids(10)) for rows in (TOKENS, [row[:6] for row in TOKENS.tolist()]))
    assert list(padded.train.sequences) == list(listed.train.sequences)
    assert padded.decode(padded.train.sequences[:1]) == ["4 5 6 7 8"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "holds no sequence"),
        ([[5, EOS], []], "an empty one"),
        ([[5, 10]], "the id 10, but ids from 2 to 9 were expected"),
        ([[1, 5]], "the id 1, but"),
    ],
)
def test_what_is_no_dataset_is_refused(rows: Any, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        TokenDataset.of(rows, [[5, EOS]], Ids(10))
