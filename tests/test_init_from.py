"""Beginning from a policy that was trained before: `--from RUN`, `RUN@mle`, `RUN@best`, `RUN@STEP`."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import seqgan
from seqgan.core.record import read_record
from seqgan.core.run import checkpoints, describe
from seqgan.data.tokenizer import Tokenizer
from seqgan.errors import RunError, UsageError
from seqgan.runs import load_model
from seqgan.symbols import UNK
from seqgan.warm_start import with_rows
from tests.conftest import TINY, TINY_GAME, tiny_lines
from tests.killing import Killed, contents, dying_at
from tests.test_cli import call, refusal

MLE: dict[str, Any] = {**TINY, "algorithm": "mle", "threads": 1}
GAME: dict[str, Any] = {**TINY_GAME, "threads": 1}
# Nothing but the policy that it begins from: one round of a discriminator, and no game.
UNTRAINED: dict[str, Any] = {**GAME, "mle_epochs": 0, "d_pretrain_rounds": 1, "iterations": 0}
TEXTS = tiny_lines()
ALONE: dict[str, Any] = {"algorithm": "mle", "threads": 1}
Options = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of SeqGAN whose policies after MLE, at its end, and a step before that all differ."""
    folder = tmp_path_factory.mktemp("origin") / "run"
    options = {**GAME, "d_steps": 0, "mle_lr": 0.05, "g_lr": 0.02}
    seqgan.train(TEXTS, run_dir=folder, save_steps=1, **options)
    return folder


def stages(origin: Path) -> dict[str, str]:
    """What may stand after --from, and the stage it means."""
    earlier, _ = checkpoints(origin)
    return {f"{origin}": "final", f"{origin}@mle": "mle", f"{origin}@best": "best", f"{origin}@{earlier}": str(earlier)}


def weights(origin: Path, stage: str) -> dict[str, torch.Tensor]:
    return dict(load_model(origin, stage).policy.state_dict())


def same(ones: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> bool:
    return ones.keys() == others.keys() and all(ones[name].equal(others[name]) for name in ones)


# --- what it begins with


def test_a_run_begins_with_exactly_the_weights_of_the_stage(origin: Path, tmp_path: Path) -> None:
    distinct = []
    for number, (start, stage) in enumerate(stages(origin).items()):
        run = seqgan.train(TEXTS, run_dir=tmp_path / str(number), init_from=start, **UNTRAINED)
        begun = weights(origin, stage)
        assert same(load_file(run.folder / "mle" / "generator.safetensors"), begun)
        assert same(load_file(run.folder / "generator.safetensors"), begun)
        assert run.log_probs(TEXTS) == seqgan.load(origin).log_probs(TEXTS, stage=stage)
        distinct.append(run.log_probs(TEXTS))
    final, mle, _, step = distinct
    assert final != mle
    assert final != step != mle


@pytest.mark.parametrize(
    "options",
    [{**MLE, "mle_epochs": 0}, {**UNTRAINED, "d_pretrain_rounds": 0}],
    ids=["mle", "seqgan"],
)
def test_a_run_that_takes_no_step_at_all_is_the_policy_it_began_from(
    options: dict[str, Any], origin: Path, tmp_path: Path
) -> None:
    run = seqgan.train(TEXTS, run_dir=tmp_path / "run", init_from=f"{origin}@mle", **options)
    assert same(load_file(run.folder / "generator.safetensors"), weights(origin, "mle"))
    assert run.generate(9) == seqgan.load(origin).generate(9, stage="mle")


def test_tokenizer_and_sizes_come_along_and_the_run_says_so(origin: Path, corpus_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = ["--algorithm", "mle", "--mle-epochs", "1", "--max-length", "5", "--threads", "1", "--quiet"]
    call("train", "--corpus", corpus_file, "--init-from", f"{origin}@mle", *words, "--run-dir", folder)
    schema, theirs = describe(folder), describe(origin)
    assert schema["init_from"].items() >= {"run": str(origin.resolve()), "stage": "mle"}.items()
    for name in ("embedding_dim", "hidden_dim", "tie_embeddings", "vocab_size"):
        assert schema["config"][name] == theirs["config"][name]
        assert schema["sources"][name] == f"from {origin}@mle"
    assert schema["config"]["tokenizer"] == schema["tokenizer"] == "word"
    assert schema["sources"]["tokenizer"] == f"from {origin}@mle"
    assert (folder / "tokenizer.model").read_bytes() == (origin / "tokenizer.model").read_bytes()
    assert schema["max_length"] == schema["config"]["max_length"] == 5  # what is not a size of the policy may differ
    assert schema["sources"]["mle_epochs"] == "command line"


def test_a_run_begins_from_a_policy_of_other_texts(origin: Path, tmp_path: Path) -> None:
    others = [f"{text} {text[::-1]}" for text in tiny_lines(80)]
    run = seqgan.train(others, run_dir=tmp_path / "run", init_from=str(origin), **{**MLE, "mle_epochs": 1})
    assert run.description["max_length"] != describe(origin)["max_length"]
    assert max(item.unknown for item in run.score(others)) > 0
    assert len(run.generate(5)) == 5


def test_a_run_begins_from_a_policy_of_ones_own(tmp_path: Path) -> None:
    from tests.test_own_parts import Recurrent

    first = seqgan.train(TEXTS, run_dir=tmp_path / "first", policy=Recurrent, **MLE)
    with pytest.raises(RunError, match=r"custom policy; .* policy=\.\.\."):
        seqgan.train(TEXTS, run_dir=tmp_path / "run", init_from=str(first.folder), **MLE)
    run = seqgan.train(TEXTS, run_dir=tmp_path / "run", init_from=str(first.folder), policy=Recurrent, **UNTRAINED)
    assert run.log_probs(TEXTS) == first.log_probs(TEXTS)


class Constant(nn.Module):
    """A judge with a single weight."""

    def __init__(self, vocab_size: int, max_length: int) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.zeros(()))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.logit.expand(len(tokens))


@pytest.mark.parametrize("own_first", [True, False])
def test_only_the_policy_comes_along_so_the_discriminator_may_be_another(own_first: bool, tmp_path: Path) -> None:
    own: list[dict[str, Any]] = [{"discriminator": Constant}, {}]
    theirs, ours = own if own_first else own[::-1]
    first = seqgan.train(TEXTS, run_dir=tmp_path / "first", **{**GAME, **theirs})
    run = seqgan.train(TEXTS, run_dir=tmp_path / "run", init_from=str(first.folder), **{**UNTRAINED, **ours})
    assert run.log_probs(TEXTS) == first.log_probs(TEXTS)


# --- what is refused


@pytest.mark.parametrize(
    ("option", "value", "brought"),
    [("--hidden-dim", "9", "8"), ("--embedding-dim", "16", "8"), ("--tokenizer", "char", "'word'")],
)
def test_an_option_that_contradicts_the_policy_is_refused(
    option: str, value: str, brought: str, origin: Path, corpus_file: Path, tmp_path: Path
) -> None:
    words = ["train", "--corpus", corpus_file, "--init-from", origin, "--algorithm", "mle", option, value, "--quiet"]
    message, code = refusal(*words, "--run-dir", tmp_path / "run")
    assert f"{option} {value} was given, but the policy of {origin} has {brought}" in message
    assert code == 2
    assert not (tmp_path / "run").exists()


def test_an_option_that_says_what_the_policy_brings_is_no_contradiction(origin: Path, tmp_path: Path) -> None:
    asked = {**UNTRAINED, "tokenizer": "auto", "hidden_dim": 8, "vocab_size": 5000}
    run = seqgan.train(TEXTS, run_dir=tmp_path / "run", init_from=str(origin), **asked)
    assert run.description["config"]["tokenizer"] == "word"


def test_an_origin_that_is_not_there_is_told(origin: Path, corpus_file: Path, tmp_path: Path) -> None:
    words = ["train", "--corpus", corpus_file, "--run-dir", tmp_path / "run", "--quiet", "--init-from"]
    for start, message in (
        (tmp_path / "nowhere", "nowhere is not a run directory"),
        (f"{tmp_path / 'nowhere'}@mle", "nowhere is not a run directory"),
        (f"{origin}@9999", "has no stage '9999'; there are mle, final, best and the checkpoints"),
    ):
        told, code = refusal(*words, start)
        assert message in told
        assert code == 2
    assert not (tmp_path / "run").exists()


def test_a_folder_may_have_an_at_in_its_name(origin: Path, tmp_path: Path) -> None:
    moved = tmp_path / "night@work"
    shutil.copytree(origin, moved)
    for start, stage in ((f"{moved}", "final"), (f"{moved}@mle", "mle")):
        run = seqgan.train(TEXTS, run_dir=tmp_path / stage, init_from=start, **UNTRAINED)
        assert run.description["init_from"].items() >= {"run": str(moved.resolve()), "stage": stage}.items()


# --- going on


def test_resumed_it_ends_as_the_uninterrupted_and_needs_its_origin_no_more(origin: Path, tmp_path: Path) -> None:
    start = tmp_path / "origin"
    shutil.copytree(origin, start)

    def train(folder: Path) -> None:
        seqgan.train(TEXTS, run_dir=folder, resume=True, save_steps=1, init_from=f"{start}@mle", **GAME)

    with dying_at(-1) as seen:
        train(tmp_path / "whole")
    killed = {}
    for part, phase in ((2, "pretrain generator"), (4, "pretrain discriminator"), (7, "adversarial")):
        killed[phase] = tmp_path / f"run{part}"
        with dying_at(part * seen.count // 10), pytest.raises(Killed):
            train(killed[phase])
    shutil.rmtree(start)
    for phase, folder in killed.items():
        assert read_record(folder)[-1]["phase"] == phase
        train(folder)
        assert contents(folder) == contents(tmp_path / "whole")


def test_a_requeued_command_line_goes_on_with_its_own_run_and_with_no_other_start(
    origin: Path, corpus_file: Path, tiny_options: Options, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    words = ["train", "--corpus", corpus_file, "--algorithm", "mle", *tiny_options("mle"), "--quiet", "--threads", "1"]
    words += ["--resume", folder]
    call(*words, "--init-from", f"{origin}@mle")
    record = read_record(folder)
    call(*words, "--init-from", f"{origin}@mle")
    call(*words)
    assert read_record(folder) == record
    for other in (origin, f"{origin}@best"):
        message, code = refusal(*words, "--init-from", other)
        assert f"was begun from {origin.resolve()}@mle, not from {other}; leave --init-from out" in message
        assert code == 2


def test_a_run_begun_from_random_weights_does_not_go_on_from_others(origin: Path, tmp_path: Path) -> None:
    seqgan.train(TEXTS, run_dir=tmp_path / "run", **{**MLE, "mle_epochs": 1})
    message, _ = refusal("train", "--resume", tmp_path / "run", "--init-from", origin, "--quiet")
    assert f"was begun from random weights, not from {origin}" in message


def test_a_requeued_command_line_with_a_preset_goes_on_with_its_own_run(
    origin: Path, corpus_file: Path, tiny_options: Options, tmp_path: Path
) -> None:
    words = ["train", "--corpus", corpus_file, "--algorithm", "mle", "--preset", "default", *tiny_options("mle")]
    words += ["--init-from", f"{origin}@mle", "--resume", tmp_path / "run", "--threads", "1", "--quiet"]
    call(*words)
    call(*words)


def test_a_preset_yields_to_what_the_policy_brings(origin: Path, tmp_path: Path) -> None:
    run = seqgan.train(
        TEXTS, run_dir=tmp_path / "run", init_from=str(origin), preset="quick", algorithm="mle", threads=1
    )
    assert run.description["config"]["hidden_dim"] == 8
    assert run.description["config"]["mle_epochs"] == 2


# --- what it is good for


def test_two_arms_from_one_mle_share_their_policy_and_their_discriminator(origin: Path, tmp_path: Path) -> None:
    common = {**GAME, "mle_epochs": 0, "init_from": f"{origin}@mle"}
    arms = {
        control: seqgan.train(TEXTS, run_dir=tmp_path / control, **{**common, "control": control})
        for control in ("none", "constant")
    }
    shared = weights(origin, "mle")
    for run in arms.values():
        assert same(load_file(run.folder / "mle" / "generator.safetensors"), shared)
        assert not same(load_file(run.folder / "generator.safetensors"), shared)
    before_the_game = [
        [line for line in read_record(run.folder) if line["phase"] == "pretrain discriminator"] for run in arms.values()
    ]
    assert before_the_game[0] == before_the_game[1] != []
    final = [weights(run.folder, "final") for run in arms.values()]
    assert not same(*final)
    rows = [run.evaluate().as_json()["rows"] for run in arms.values()]
    assert rows[0]["mle"]["entropy"] == rows[1]["mle"]["entropy"]


def test_tuning_that_only_makes_validation_worse_keeps_the_policy_it_began_with(origin: Path, tmp_path: Path) -> None:
    harmful = {**MLE, "mle_lr": 3.0, "mle_epochs": 20, "mle_patience": 3}
    run = seqgan.train(TEXTS, run_dir=tmp_path / "run", init_from=str(origin), **harmful)
    valid = run.corpus().valid
    scored = seqgan.load(origin).score(valid)
    begun = -sum(item.log_prob for item in scored) / sum(item.tokens for item in scored)
    checks = [line["valid_nll"] for line in read_record(run.folder) if "valid_nll" in line]
    assert len(checks) == 3  # patience, and no more
    assert min(checks) > begun + 0.1
    for name in ("generator", "mle/generator", "best/generator"):
        assert same(load_file(run.folder / f"{name}.safetensors"), weights(origin, "final"))
    told = json.loads((run.folder / "evaluations" / "training.json").read_text())["selection"]
    assert "the policy it began from" in told


def test_without_patience_tuning_keeps_its_last_step_however_bad(origin: Path, tmp_path: Path) -> None:
    harmful = {**MLE, "mle_lr": 3.0, "mle_epochs": 2, "mle_patience": 0}
    run = seqgan.train(TEXTS, run_dir=tmp_path / "run", init_from=str(origin), **harmful)
    assert not same(load_file(run.folder / "generator.safetensors"), weights(origin, "final"))
    assert same(load_file(run.folder / "best" / "generator.safetensors"), weights(origin, "final"))


def test_tuning_that_helps_moves_the_policy(origin: Path, tmp_path: Path) -> None:
    run = seqgan.train(TEXTS, run_dir=tmp_path / "run", init_from=str(origin), **{**MLE, "mle_epochs": 6})
    valid = run.corpus().valid
    assert sum(run.log_probs(valid)) > sum(seqgan.load(origin).log_probs(valid)) + 0.5
    assert not same(load_file(run.folder / "generator.safetensors"), weights(origin, "final"))


def test_a_contradiction_is_told_to_the_library_too(origin: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="9 was given, but the policy"):
        seqgan.train(TEXTS, run_dir=tmp_path / "run", init_from=str(origin), **{**MLE, "hidden_dim": 9})


def test_a_corpus_that_the_origin_cannot_read_is_refused(origin: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("".join(f"天{chr(0x4E00 + i)}地{chr(0x5E00 + i)}\n" for i in range(60)), encoding="utf-8")
    message = refusal("train", "--corpus", other, "--init-from", f"{origin}@mle", "--run-dir", tmp_path / "run")[0]
    assert "of the corpus's tokens are unknown to the tokenizer" in message
    assert not (tmp_path / "run").exists()


# --- with more tokens

OLD = [f"{first} {second}" for first in ("low", "lower", "new") for second in ("wide", "wider", "far", "near", "old")]
NEW = [
    f"{first} {second}!" for first in ("slow", "lowest", "newer") for second in ("widest", "wide", "zoo", "farm")
] * 2


@pytest.mark.parametrize("kind", ["char", "word", "whitespace", "bpe", "unigram"])
def test_a_grown_tokenizer_keeps_its_ids_and_knows_the_new_tokens(kind: Any) -> None:
    old = Tokenizer.train(OLD, kind, 40)
    grown = old.grown(NEW, 60)
    added = grown.added_to(old)
    assert len(grown) == len(old) + len(added) > len(old)
    assert [grown.decode([token]) for token in range(len(old))] == [old.decode([token]) for token in range(len(old))]
    for text in OLD:
        assert grown.decode(grown.encode(text)) == text
    for text in NEW:
        assert UNK in old.encode(text)
        assert UNK not in grown.encode(text)
        assert grown.decode(grown.encode(text)) == text
    assert {token for text in NEW for token in grown.encode(text)} & set(range(len(old), len(grown)))
    again = Tokenizer(kind, grown.model)
    assert [again.encode(text) for text in (*OLD, *NEW)] == [grown.encode(text) for text in (*OLD, *NEW)]
    assert old.grown(OLD, 40).model == old.model


def test_the_rows_of_a_new_token_are_the_mean_of_its_pieces() -> None:
    rows = torch.arange(14.0).view(7, 2)
    pieces = [[4, 6], [UNK], [UNK, 5]]
    grown = with_rows(rows, pieces)
    assert grown[:7].equal(rows)
    assert grown[7:].tolist() == [[10.0, 11.0], rows[4:].mean(dim=0).tolist(), rows[5].tolist()]
    assert with_rows(rows[:, 0], pieces).tolist() == grown[:, 0].tolist()


@pytest.mark.parametrize("kind", ["char", "bpe"])
def test_a_policy_goes_on_with_the_tokens_of_other_texts(kind: str, tmp_path: Path) -> None:
    options = {**MLE, "tokenizer": kind, "vocab_size": 60, "tie_embeddings": True}
    first = seqgan.train([*OLD, *(f"{text} {text}" for text in OLD)], run_dir=tmp_path / "first", **options)
    texts = [f"{text} yes" for text in NEW] + [f"yes {text}" for text in NEW]
    second = tmp_path / "second"
    words = ("--algorithm", "mle", "--threads", "1", "--mle-epochs", "0", "--init-from", first.folder)
    file = tmp_path / "new.txt"
    file.write_text("\n".join(texts) + "\n")
    call("train", "--corpus", file, "--run-dir", second, "--grow-vocabulary", "--vocab-size", 60, *words)
    before, after = first.model(), seqgan.load(second).model()
    size = len(before.tokenizer)
    assert len(after.tokenizer) > size
    assert describe(second)["vocab_size"] == len(after.tokenizer)
    added = after.tokenizer.added_to(before.tokenizer)
    pieces = [before.tokenizer.encode(text) for text in added]
    assert after.policy.embedding.weight.equal(with_rows(before.policy.embedding.weight, pieces))
    assert sum(item.unknown for item in before.score(texts)) > 0
    assert sum(item.unknown for item in after.score(texts)) == 0
    call("train", "--resume", second, "--mle-epochs", "2")
    assert len(seqgan.load(second).generate(5)) == 5
    message, code = refusal("train", "--corpus", file, "--grow-vocabulary", "--run-dir", tmp_path / "third")
    assert "--grow-vocabulary adds tokens to the vocabulary of a trained policy; give --init-from RUN" in message
    assert code == 2
