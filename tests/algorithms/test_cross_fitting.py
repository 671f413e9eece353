"""With cross-fitting the policy learns from one half of the training texts, and the discriminator from the other."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from seqgan.algorithms import ALGORITHMS
from seqgan.data.dataset import EncodedSplit, TokenDataset
from seqgan.data.ragged import Ragged
from seqgan.errors import CorpusError

GAMES = ["seqgan", "maligan", "relgan"]


def rows(batches: Any, steps: int) -> set[tuple[int, ...]]:
    return {tuple(row[row > 0].tolist()) for step in range(1, steps + 1) for row in batches.at(step).tokens}


def of(dataset: TokenDataset) -> set[tuple[int, ...]]:
    return set(map(tuple, dataset.train.sequences))


@pytest.mark.parametrize("crossed", [False, True])
@pytest.mark.parametrize("name", GAMES)
def test_each_player_sees_its_half(name: str, crossed: bool, texts: TokenDataset, tiny_config: Any) -> None:
    config = tiny_config(name, cross_fitting=crossed, calibrate_unknown=False)
    game: Any = ALGORITHMS[name](config, texts, torch.device("cpu"), 1)
    learned = rows(game.mle.batches, 20)
    judged = rows(game.critic.batches, 20) | rows(game.critic.references, 20)
    assert learned | judged == of(texts)
    assert learned.isdisjoint(judged) == crossed
    assert game.critic.held_out is game.mle.dataset.valid.sequences


def test_parts_of_a_text_are_in_one_half(texts: TokenDataset) -> None:
    train = EncodedSplit(Ragged.of([[4, 3], [5, 3], [6, 3], [7, 3]]), np.array([0, 0, 1, 2]))
    first, second = replace(texts, train=train).halves()
    assert of(first) == {(4, 3), (5, 3), (7, 3)}
    assert of(second) == {(6, 3)}
    assert first.train.texts.tolist() == [0, 0, 2]
    assert first.valid is texts.valid


def test_a_single_text_cannot_be_halved(texts: TokenDataset) -> None:
    with pytest.raises(CorpusError, match="holds a single text, and cross-fitting halves it; give at least two"):
        replace(texts, train=EncodedSplit(Ragged.of([[4, 3], [5, 3]]), np.array([0, 0]))).halves()
