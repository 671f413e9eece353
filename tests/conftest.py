"""Shared by all tests: shapes are checked at every call, and small things to train are made here."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

if "PYTEST_XDIST_WORKER" in os.environ:
    # Several processes compute side by side: one thread each, and one that waits must not spin on a core.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest
from jaxtyping import install_import_hook

# Every function that computes checks the shapes of its tensors, in tests only.
COMPUTING = ["ops", "sampling", "losses", "models", "metrics", "rollout", "rewards", "advantages"]
install_import_hook(
    [
        *(f"seqgan.{module}" for module in COMPUTING),
        "imagegan.nets",
        "imagegan.losses",
        "imagegan.grids",
        "imagegan.latents",
        "imagegan.history",
        "imagegan.walk",
        "imagegan.metrics",
    ],
    "beartype.beartype",
)

import torch  # noqa: E402

from seqgan import evaluation  # noqa: E402
from seqgan.algorithms.configs import CONFIGS, MLEConfig  # noqa: E402
from seqgan.data.corpus import Corpus  # noqa: E402
from seqgan.data.dataset import TokenDataset  # noqa: E402
from seqgan.data.encoding import encode_corpus  # noqa: E402
from seqgan.data.splits import split  # noqa: E402
from seqgan.data.tokenizer import Tokenizer  # noqa: E402
from seqgan.models.lstm import LSTMPolicy  # noqa: E402
from tests import pretend  # noqa: E402

pretend.register()
JUDGED = evaluation.JUDGED
evaluation.JUDGED = 500  # what a discriminator knows would take most of the time of the small trainings of these tests
evaluation.CALIBRATING = 500
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 2)))

# As small as it can be and still do all that the real thing does, early stops and held discriminators included.
TINY: dict[str, Any] = {
    "embedding_dim": 8,
    "hidden_dim": 8,
    "tie_embeddings": True,
    "dropout": 0.2,
    "mle_epochs": 3,
    "mle_patience": 2,
    "mle_lr": 0.02,
    "ema_decay": 0.8,
    "calibrate_unknown": True,
    "batch_size": 16,
    "shuffle": True,
}
TINY_GAME: dict[str, Any] = {
    **TINY,
    "d_embedding_dim": 8,
    "filter_sizes": (1, 2, 3),
    "num_filters": (4, 4, 4),
    "d_lr": 0.01,
    "d_batch_size": 16,
    "d_samples": 16,
    "d_epochs": 1,
    "d_pretrain_rounds": 3,
    "d_patience": 2,
    "iterations": 3,
    "d_steps": 1,
    "g_lr": 1e-3,
    "g_batch_size": 8,
    "rollouts": 2,
    "reward_form": "log-odds",
    "baseline": "prefix",
    "normalize_advantage": True,
    "reduction": "mean",
    "mle_weight": 1.0,
    "validate_every": 2,
}
ONLY_SEQGAN = ("rollouts", "reward_form", "baseline", "normalize_advantage", "reduction")
ONLY_ROUNDS = ("d_samples", "d_epochs", "d_pretrain_rounds", "d_patience", "g_batch_size")
TINY_MALIGAN = {name: value for name, value in TINY_GAME.items() if name not in ONLY_SEQGAN}
TINY_RELGAN = {name: value for name, value in TINY_MALIGAN.items() if name not in ONLY_ROUNDS} | {"temperature": 5.0}
TINY_CONFIGS: dict[str, dict[str, Any]] = {
    "mle": TINY,
    "seqgan": TINY_GAME,
    "maligan": TINY_MALIGAN,
    "relgan": TINY_RELGAN,
}


def tiny_lines(count: int = 60) -> list[str]:
    """Short texts with some structure: a greeting, a name, perhaps an end."""
    names = ["anna", "bo", "cleo", "dan", "eve", "finn", "gus"]
    return [
        f"{('hi', 'oh', 'hm')[i % 3]} {names[i % 7]} {names[(i * i) % 5]}{'!' * (i % 2)} {i % 10}" for i in range(count)
    ]


@pytest.fixture
def corpus_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.txt"
    path.write_text("\n".join(tiny_lines()) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def texts() -> TokenDataset:
    parts = split(tiny_lines())
    corpus = Corpus("tiny", **parts)
    return encode_corpus(corpus, Tokenizer.train(corpus.train, "char"))


@pytest.fixture
def tiny_config() -> Callable[..., MLEConfig]:
    def make(name: str, **changes: Any) -> MLEConfig:
        return replace(CONFIGS[name](**TINY_CONFIGS[name]), **changes)

    return make


@pytest.fixture
def tiny_options() -> Callable[[str], list[str]]:
    """The same configs as command-line options."""

    def make(name: str) -> list[str]:
        return _as_options(TINY_CONFIGS[name])

    return make


def _as_options(config: dict[str, Any]) -> list[str]:
    words: list[str] = []
    for key, value in config.items():
        option = "--" + key.replace("_", "-")
        if isinstance(value, bool):
            words.append(option if value else option.replace("--", "--no-", 1))
        else:
            words += [
                option,
                ",".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value),
            ]
    return words


@pytest.fixture
def policy() -> LSTMPolicy:
    """A policy over EOS and two letters (ids 3, 4, 5), sharp enough that its tokens differ in probability."""
    torch.manual_seed(1)
    return LSTMPolicy(vocab_size=6, max_length=4, embedding_dim=5, hidden_dim=6, init_std=1.0).eval()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Real poems and speeches for development, where a checkout has them beside it."""
    folder = Path(os.environ.get("SEQGAN_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (folder / "poems").is_dir():
        pytest.skip("no folder with real texts; SEQGAN_TEST_DATA may name one")
    return folder
