"""The promise of format 2: a stored run and a stored model load in every later version, or are refused by name.

They were made once, in the version that introduced the format, by

    options = {**TINY_GAME, "tokenizer": "char", "embedding_dim": 4, "hidden_dim": 4, "threads": 1, "device": "cpu"}
    run = seqgan.train(tiny_lines(), seed=1, run_dir="tests/stored/run-format-2", **options)
    run.save_pretrained("tests/stored/model-format-2")
    print(run.log_probs(TEXTS), [item.real for item in run.score(TEXTS)])

Do not make them again: write what can read them. Of format 1, `run.json` is left, to be refused."""

import json
import shutil
from pathlib import Path

import pytest
import torch

import seqgan
from seqgan.core.run import checkpoints
from seqgan.errors import CheckpointError, RunError
from tests.test_cli import call, refusal

STORED = Path(__file__).parent / "stored"
TEXTS = ["hi anna bo! 1", "oh gus eve 9"]
LOG_PROBS = [-45.522403, -42.755530]
REAL = [0.583742, 0.549082]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy, somewhere else than where it was made."""
    return Path(shutil.copytree(STORED / "run-format-2", tmp_path / "moved"))


def test_the_stored_run_loads_and_gives_the_numbers_it_gave_then(run: Path) -> None:
    loaded = seqgan.load(run, device="cpu")
    assert loaded.description["format"] == 2
    assert loaded.log_probs(TEXTS) == pytest.approx(LOG_PROBS, rel=1e-4)
    assert [item.real for item in loaded.score(TEXTS)] == pytest.approx(REAL, rel=1e-4)
    assert len(loaded.generate(5, seed=1)) == 5
    for stage in ("mle", "best", *map(str, checkpoints(run))):
        assert len(loaded.generate(2, stage=stage)) == 2


def test_the_stored_run_can_be_evaluated_scored_and_continued(run: Path) -> None:
    assert set(json.loads(call("evaluate", run, "--json").stdout)["rows"]) == {"mle", "best-of-8", "final", "real"}
    before = checkpoints(run)
    call("train", "--resume", run, "--iterations", "5", "--quiet")
    assert max(checkpoints(run)) > max(before)


def test_the_stored_model_loads_and_gives_the_numbers_it_gave_then() -> None:
    model = seqgan.from_pretrained(STORED / "model-format-2")
    assert model.log_probs(TEXTS) == pytest.approx(LOG_PROBS, rel=1e-4)
    assert model.prob_real(TEXTS) == pytest.approx(REAL, rel=1e-4)


def test_a_run_of_another_format_is_refused_by_name(run: Path) -> None:
    shutil.copy(STORED / "run-format-1" / "run.json", run / "run.json")
    with pytest.raises(RunError, match=r"run\.json has format 1; this version reads format 2"):
        seqgan.load(run)
    assert "format 1" in refusal("generate", run)[0]


def test_a_state_of_another_format_is_refused_by_name(run: Path) -> None:
    newest = list(checkpoints(run).values())[-1]
    state = torch.load(newest, weights_only=True)
    torch.save({**state, "format": 7}, newest)
    with pytest.raises(CheckpointError, match=r"is not a checkpoint of format 2 \(found: 7\)"):
        seqgan.load(run).generate(1)


def test_a_model_of_another_format_is_refused_by_name(tmp_path: Path) -> None:
    model = Path(shutil.copytree(STORED / "model-format-2", tmp_path / "model"))
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "format": 1}))
    with pytest.raises(
        CheckpointError, match=r"config\.json is of .seqgan., format 1; a model of seqgan of format 2 was expected"
    ):
        seqgan.from_pretrained(model)
