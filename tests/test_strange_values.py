"""Values at the edges of what the library takes: each is used rightly or refused in a line."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seqgan
from seqgan.core.run import Run, create, describe
from seqgan.core.starting import free_name
from seqgan.core.stats import paired
from seqgan.data.corpus import corpus_in_memory
from seqgan.data.splits import part_of
from seqgan.errors import CorpusError, DivergedError, RunError, StorageError, UsageError
from seqgan.model import TextModel
from seqgan.models.gru import GRUPolicy
from seqgan.models.lstm import LSTMPolicy
from seqgan.rewards import on_text
from seqgan.runs import load_tokenizer
from seqgan.sampling import draw
from seqgan.symbols import EOS

RUN = {"package": "toy", "seed": 0, "threads": 1, "config": {}}


@pytest.mark.parametrize("temperature", [0, -0.0, 1e-320, 1e-7, 1e-6, 1e-5])
@pytest.mark.parametrize("kind", [LSTMPolicy, GRUPolicy])
def test_the_lowest_temperatures_draw_the_likeliest_token(kind: type[Any], texts: Any, temperature: float) -> None:
    torch.manual_seed(2)
    policy = kind(len(texts.vocabulary), texts.max_length, 8, 8, init_std=1.0).eval()
    model = TextModel(policy, texts.vocabulary)
    rows = model.sample_ids(4, temperature=temperature, seed=1)
    assert rows == model.sample_ids(4, top_k=1, seed=5)
    prefix = torch.tensor([rows[0]])
    assert [EOS + int(step.argmax()) for step in policy.distributions(prefix)[0]] == rows[0]


def test_greedy_decoding_draws_the_likeliest_of_given_logits() -> None:
    logits = torch.tensor([[0.0, 3.0, 2.9], [80.0, -80.0, 0.0]])
    assert draw(logits, temperature=0.0).tolist() == [1, 0]
    assert draw(logits, temperature=0.0, top_k=2, top_p=0.5).tolist() == [1, 0]


def test_sets_of_different_sizes_are_not_subtracted() -> None:
    two, three = (seqgan.evaluate(["a b", "c d", "e f"][:count], ["a b"])["bleu-2"] for count in (2, 3))
    with pytest.raises(UsageError, match="2 and 3 samples were measured, but as many of both were expected"):
        two - three
    with pytest.raises(TypeError, match="unsupported operand"):
        two - 1.0  # type: ignore[operator]


def test_a_single_unit_is_not_paired_with_each_of_several() -> None:
    with pytest.raises(UsageError, match="1 and 5 blocks were measured"):
        paired({"blocks": np.zeros(1)}, {"blocks": np.ones(5)})


@pytest.mark.parametrize("given", [[10**400, 0.0], ["x", "y"], None])
def test_a_reward_that_is_no_number_is_refused_in_a_line(given: Any) -> None:
    with pytest.raises(UsageError, match="for 2 texts; numbers were expected"):
        on_text(lambda texts: given).on_tokens(lambda rows: ["a"] * len(rows))(torch.ones(2, 3, dtype=torch.long))


def test_a_split_that_is_empty_is_named() -> None:
    texts = [text for text in map(str, range(200)) if part_of(text) != "test"]
    with pytest.raises(CorpusError, match=r"none of which is in the test split, but each needs one at least; give"):
        corpus_in_memory(texts)
    with pytest.raises(CorpusError, match="none of which is in the valid split"):
        corpus_in_memory(seqgan.Corpus("mine", texts, [], texts[:5]))


@pytest.mark.parametrize("stem", ["../../out", "a/b", "a\0b", "a\nb\x1b[31m", "n" * 300, "\u4e2d" * 200])
def test_a_run_lies_in_the_folder_of_runs_whatever_its_corpus_is_called(tmp_path: Path, stem: str) -> None:
    place = free_name(tmp_path, f"{stem}-mle")
    create(place, RUN, {})
    assert place.parent == tmp_path
    assert place.name.endswith("-mle-1")
    assert place.name.isprintable()
    assert [path.name for path in tmp_path.iterdir()] == [place.name]


def test_a_file_in_the_place_of_a_run_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("a")
    with pytest.raises(RunError, match=r"c\.txt is a file, but the folder of a run was expected; give that"):
        describe(tmp_path / "c.txt")


def test_all_that_is_not_finite_is_named(tmp_path: Path) -> None:
    create(tmp_path / "run", RUN, {})
    with Run(tmp_path / "run") as run:
        run.record("game", 1, {"loss": float("nan"), "nll": 2.0, "reward": float("nan")})
        with pytest.raises(DivergedError, match=r"loss is nan, reward is nan; no checkpoint"):
            run.save("game", 1, {})


def test_nothing_but_the_error_is_told_of_an_emptied_tokenizer(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tokenizer.model").write_bytes(b"")
    with pytest.raises(seqgan.SeqGANError, match="is not the one this was made with"):
        load_tokenizer(tmp_path, {"tokenizer": "char", "tokenizer_sha256": "0" * 64})
    assert capfd.readouterr().err == ""


def begun(folder: Path) -> Path:
    create(folder, RUN, {})
    with Run(folder) as run:
        run.record("game", 1, {"loss": 1.0})
        run.save("game", 1, {})
    return folder


def test_a_run_whose_checkpoints_are_gone_with_their_folder_begins_again(tmp_path: Path) -> None:
    folder = begun(tmp_path / "run")
    shutil.rmtree(folder / "checkpoints")
    with Run(folder) as run:
        assert run.restore() is None
        run.save("game", 1, {})
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["step-00000001.pt"]


def test_where_no_checkpoint_can_be_saved_the_record_is_kept(tmp_path: Path) -> None:
    folder = begun(tmp_path / "run")
    shutil.rmtree(folder / "checkpoints")
    (folder / "checkpoints").write_text("")
    before = (folder / "metrics.jsonl").read_bytes()
    with Run(folder) as run, pytest.raises(StorageError, match=r"cannot make the folder .*checkpoints"):
        run.restore()
    assert (folder / "metrics.jsonl").read_bytes() == before != b""


def test_a_folder_in_the_place_of_the_record_is_told(tmp_path: Path) -> None:
    folder = begun(tmp_path / "run")
    (folder / "metrics.jsonl").unlink()
    (folder / "metrics.jsonl").mkdir()
    with Run(folder) as run, pytest.raises(RunError, match=r"metrics\.jsonl cannot be read: is a directory; make it a"):
        run.restore()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_in_the_place_of_a_description_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(RunError, match=r"run\.json is a pipe or a device, but a file was expected"):
        describe(tmp_path)
