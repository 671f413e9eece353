"""No option is without effect: changed, each changes what a run ends with."""

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

import seqgan
from seqgan.algorithms import ALGORITHMS
from seqgan.algorithms.configs import CONFIGS, MLEConfig
from seqgan.core.loop import train
from seqgan.core.record import read_record
from seqgan.core.run import describe
from seqgan.data.corpus import Corpus
from seqgan.data.dataset import TokenDataset
from seqgan.data.encoding import encode_corpus
from seqgan.data.splits import split
from seqgan.data.tokenizer import Tokenizer
from seqgan.errors import ConfigError
from seqgan.models import DISCRIMINATOR_NAMES
from seqgan.models.factory import DISCRIMINATORS
from seqgan.reporting import Evaluation
from tests.conftest import ONLY_ROUNDS, ONLY_SEQGAN, tiny_lines
from tests.killing import flat
from tests.test_own_parts import Bag

# As short as a run can be in which each of them matters: it learns fast enough to get worse, so that patience counts.
LEARNING: dict[str, Any] = {
    "embedding_dim": 6, "hidden_dim": 6, "tie_embeddings": True, "dropout": 0.2, "mle_epochs": 3, "mle_patience": 1,
    "mle_lr": 1.0, "batch_size": 16, "shuffle": True, "max_grad_norm": 0.5,
}  # fmt: skip
PLAYING: dict[str, Any] = {
    **LEARNING, "d_embedding_dim": 6, "filter_sizes": (1, 2), "num_filters": (3, 3), "highway": False, "d_lr": 0.1,
    "d_batch_size": 20, "d_samples": 20, "d_epochs": 1, "d_pretrain_rounds": 4, "d_patience": 1,
    "iterations": 3, "d_steps": 1,
    "g_lr": 0.01, "g_batch_size": 6, "rollouts": 2, "reward_form": "log-odds", "baseline": "prefix",
    "reduction": "mean", "mle_weight": 0.5, "validate_every": 2,
}  # fmt: skip
SAMPLED = {name: value for name, value in PLAYING.items() if name not in ONLY_SEQGAN}
RELAXED: dict[str, Any] = {name: value for name, value in SAMPLED.items() if name not in (*ONLY_ROUNDS, "d_l2")}
BASES = {"mle": LEARNING, "seqgan": PLAYING, "maligan": SAMPLED, "relgan": {**RELAXED, "temperature": 4.0}}
OTHER: dict[str, Any] = {
    "policy": "gru", "discriminator": "bag",
    "tie_embeddings": False, "shuffle": False, "highway": True, "d_bf16": True, "normalize_advantage": True,
    "embedding_dim": 7, "hidden_dim": 7, "dropout": 0.3, "mle_epochs": 1, "mle_patience": 0, "mle_lr": 0.2,
    "scheduled_sampling": 0.5,
    "weight_drop": 0.3, "embedding_init": "svd", "unigram_bias": True, "ema_decay": 0.5, "calibrate_unknown": True,
    "weight_decay": 0.1, "batch_size": 15, "max_grad_norm": 0.4, "d_embedding_dim": 7,
    "filter_sizes": (1, 3), "num_filters": (3, 4),
    "cross_fitting": True, "d_r1_weight": 0.6, "d_init": "random", "d_loss": "pairwise", "d_label_smoothing": 0.2,
    "d_dropout": 0.5, "d_l2": 0.1, "d_lr": 0.2, "d_batch_size": 18, "d_samples": 21, "d_epochs": 2,
    "d_pretrain_rounds": 1,
    "d_patience": 0, "iterations": 1, "g_steps": 2, "d_steps": 2, "g_lr": 0.02, "g_batch_size": 7,
    "rollouts": 3, "reward_form": "probability", "baseline": "batch", "reduction": "sum", "mle_weight": 0.4,
    "kl_weight": 0.7,
    "reward": ("discriminator", "length:2-4"), "control": "shuffled", "validate_every": 1,
    "stop_on_collapse": True,
    "temperature": 9.0, "temperature_schedule": "linear", "straight_through": True,
}  # fmt: skip
BEFORE = {"tokenizer": "whitespace", "vocab_size": 9, "max_length": 4, "overlong": "split"}  # what a text is


@pytest.fixture(scope="module", autouse=True)
def bag() -> Iterator[None]:
    """A discriminator beside the one that there is, as long as these tests last."""
    seqgan.register_discriminator("bag", Bag)
    yield
    DISCRIMINATORS.pop("bag")
    DISCRIMINATOR_NAMES.remove("bag")


@pytest.fixture(scope="module")
def words() -> TokenDataset:
    corpus = Corpus("tiny", **split(tiny_lines()))
    return encode_corpus(corpus, Tokenizer.train(corpus.train, "word", 14))


def ends(name: str, config: MLEConfig, texts: TokenDataset) -> tuple[str, dict[str, bytes]]:
    """What a training ends with, that leaves nothing on a disk: its state, and the files it would leave."""
    algorithm = ALGORITHMS[name](config, texts, torch.device("cpu"), 5)
    run = mock.MagicMock(seed=5, rank=0, description={})
    run.configure_mock(
        **{
            "restore.return_value": None,
            "has_begun.return_value": False,
            "steps_done.return_value": 0,
            "agree_on_what_is_due.return_value": (False, False),
        }
    )
    train(algorithm, run)
    run.export.assert_called_once()
    return flat(algorithm.state_dict()), dict(algorithm.exports())


@pytest.fixture(scope="module")
def base(words: TokenDataset) -> dict[str, Any]:
    return {name: ends(name, CONFIGS[name](**BASES[name]), words) for name in BASES}


@pytest.mark.parametrize(
    ("name", "option"),
    [(name, field.name) for name in CONFIGS for field in fields(CONFIGS[name]) if field.name not in BEFORE],
)
def test_an_option_changes_the_run(name: str, option: str, words: TokenDataset, base: dict[str, Any]) -> None:
    config, other, (base_state, base_files) = CONFIGS[name](**BASES[name]), OTHER[option], base[name]
    if (name, option) == ("maligan", "baseline"):  # not that of SeqGAN
        other = "none"
    if option == "stop_on_collapse":  # of a policy that does collapse
        config = replace(config, g_lr=1.0)
        base_state, base_files = ends(name, config, words)
    if option == "d_init":  # of a discriminator that can begin as the policy
        config = replace(config, discriminator="lstm")
        base_state, base_files = ends(name, config, words)
    assert getattr(config, option) != other
    state, files = ends(name, replace(config, **{option: other}), words)
    assert state != base_state
    assert files != base_files


def test_the_same_options_give_the_same_run(words: TokenDataset, base: dict[str, Any]) -> None:
    for name in BASES:
        assert ends(name, CONFIGS[name](**BASES[name]), words) == base[name]


@pytest.mark.parametrize("option", BEFORE)
def test_an_option_of_texts_changes_what_is_learned_from(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqgan.training.evaluate_models", lambda *_, **__: Evaluation())
    monkeypatch.setattr("seqgan.training.summary", lambda _: [])
    options: dict[str, Any] = {**LEARNING, "mle_epochs": 1, "tokenizer": "word", "vocab_size": 14, "max_length": 3}
    found = []
    for number, changes in enumerate(({}, {option: BEFORE[option]})):
        run = seqgan.train(tiny_lines(), algorithm="mle", run_dir=tmp_path / str(number), **{**options, **changes})
        found.append([line["nll"] for line in read_record(run.folder) if "nll" in line])
        assert describe(run.folder)["config"][option] == {**options, "overlong": "truncate", **changes}[option]
    assert found[0] != found[1]


def test_half_a_batch_of_an_odd_size_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--d-batch-size 65 is odd, .* give an even number"):
        CONFIGS["seqgan"](d_batch_size=65)
