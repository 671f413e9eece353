"""The front door, `import seqgan`: train, go on, load, write, score and measure."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import seqgan
from seqgan import evaluation
from seqgan.core.record import read_record
from seqgan.core.run import create, describe
from seqgan.data.splits import split
from seqgan.errors import ConfigError, CorpusError, RunError, SeqGANError, UsageError
from seqgan.symbols import EOS, UNK
from tests.conftest import TINY, TINY_GAME, tiny_lines
from tests.killing import Killed, contents, dying_at
from tests.logged import Kept

MLE: dict[str, Any] = {**TINY, "algorithm": "mle", "threads": 1}
GAME: dict[str, Any] = {**TINY_GAME, "threads": 1}
TEXTS = tiny_lines()


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> seqgan.TrainedRun:
    """A run of SeqGAN."""
    return seqgan.train(TEXTS, run_dir=tmp_path_factory.mktemp("played") / "run", **GAME)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> seqgan.TrainedRun:
    """A run of MLE, which has no discriminator."""
    return seqgan.train(TEXTS, run_dir=tmp_path_factory.mktemp("learned") / "run", **MLE)


# --- train


def test_loggers_are_told_of_a_training(tmp_path: Path) -> None:
    kept = Kept()
    run = seqgan.train(TEXTS, run_dir=tmp_path / "run", loggers=[kept], **MLE)
    assert kept.told[0] == ("begin", "run", "mle", 0)
    ended, numbers = kept.told[1]
    assert ended == "end"
    assert numbers["mle/nll-test"] == run.evaluate()["mle"]["nll-test"].value
    assert [step for _, step, _ in kept.steps] == [line["step"] for line in read_record(run.folder)]
    with pytest.raises(UsageError, match=r"loggers is .*, but a list of objects with the methods begin, log and end"):
        seqgan.train(TEXTS, loggers=kept, **MLE)


def test_texts_in_memory_are_trained_on_and_kept_with_the_run(played: seqgan.TrainedRun) -> None:
    corpus = played.corpus()
    assert {"train": corpus.train, "valid": corpus.valid, "test": corpus.test} == split(TEXTS)
    assert corpus.name == "texts"
    assert (played.folder / "corpus" / "train.txt").read_text().splitlines() == corpus.train
    assert {line["phase"] for line in read_record(played.folder)} == {
        "pretrain generator",
        "pretrain discriminator",
        "adversarial",
    }


def test_a_file_gives_the_same_policy_as_its_texts(
    learned: seqgan.TrainedRun, corpus_file: Path, tmp_path: Path
) -> None:
    from_file = seqgan.train(corpus_file, run_dir=tmp_path / "run", **MLE)
    assert not (tmp_path / "run" / "corpus").exists()
    for name in ("generator.safetensors", "tokenizer.model"):
        assert (from_file.folder / name).read_bytes() == (learned.folder / name).read_bytes()
    named = seqgan.train(str(corpus_file), run_dir=tmp_path / "again", **MLE)
    assert named.generate(5) == learned.generate(5)


def test_a_corpus_by_hand_keeps_its_own_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mine = seqgan.Corpus("mine", TEXTS[:40], TEXTS[40:48], TEXTS[48:], tokenizer="char")
    run = seqgan.train(mine, **MLE)
    assert run.folder == Path("runs/mine-mle-1")
    kept = run.corpus()
    assert (kept.name, kept.train, kept.valid, kept.test) == (mine.name, mine.train, mine.valid, mine.test)
    assert run.description["tokenizer"] == "char"
    assert run.evaluate().as_json()["rows"]["real"]["length"]["signature"].startswith("n:8|")


def test_a_corpus_that_was_loaded_and_then_changed_is_trained_on_as_it_is_given(
    corpus_file: Path, tmp_path: Path
) -> None:
    whole = seqgan.load_corpus(str(corpus_file))
    part = replace(whole, train=whole.train[:20])
    assert len(seqgan.train(part, run_dir=tmp_path / "run", **MLE).corpus().train) == 20


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ((TEXTS[:6], TEXTS[6:9], TEXTS[9:12]), "12 texts"),
        ((TEXTS[:40], [], TEXTS[40:]), "none of which is in the valid split, but each needs one"),
    ],
    ids=["few", "none to validate with"],
)
def test_a_corpus_by_hand_that_cannot_be_used_is_refused_before_a_run_is_made(
    splits: tuple[list[str], list[str], list[str]], message: str, tmp_path: Path
) -> None:
    with pytest.raises(CorpusError, match=message):
        seqgan.train(seqgan.Corpus("mine", *splits), run_dir=tmp_path / "run", **MLE)
    assert not (tmp_path / "run").exists()


def test_what_is_no_list_of_texts_is_refused(tmp_path: Path) -> None:
    for corpus, message in ((TEXTS[:9], "holds 9 texts; at least 20"), ([1, 2, 3], "a list of texts was expected")):
        with pytest.raises(CorpusError, match=message):
            seqgan.train(corpus, run_dir=tmp_path / "run", **MLE)  # type: ignore[arg-type]
    with pytest.raises(CorpusError, match="no corpus is called 'hello'"):
        seqgan.train("hello", run_dir=tmp_path / "run", **MLE)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"mle_epoch": 3}, ConfigError, "mle has no hyper-parameter 'mle_epoch'; did you mean mle_epochs"),
        ({"rollouts": 3}, ConfigError, "mle has no hyper-parameter 'rollouts'"),
        ({"mle_lr": "fast"}, ConfigError, "mle_lr"),
        ({"dropout": 1.5}, ConfigError, "dropout"),
        ({"algorithm": "segan"}, UsageError, "there is no algorithm 'segan'; did you mean seqgan"),
        ({"preset": "quik"}, ConfigError, "there is no preset 'quik'; did you mean quick"),
        ({"device": "tpu9"}, UsageError, "cannot compute on --device .tpu9."),
    ],
)
def test_a_mistake_is_one_clear_error_and_leaves_nothing_behind(
    options: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message) as told:
        seqgan.train(TEXTS, run_dir=tmp_path / "run", **{**MLE, **options})
    assert "\n" not in str(told.value)
    assert not list(tmp_path.iterdir())


def test_a_reward_takes_the_place_of_a_discriminator_so_both_are_refused(tmp_path: Path) -> None:
    own: dict[str, Any] = {
        "reward": lambda tokens: torch.ones(len(tokens)),
        "discriminator": lambda *_: torch.nn.Identity(),
    }
    with pytest.raises(UsageError, match="give one of them"):
        seqgan.train(TEXTS, run_dir=tmp_path / "run", **{**GAME, **own})
    assert not (tmp_path / "run").exists()


def test_the_form_in_which_the_discriminator_pays_can_be_chosen_by_its_name(played: seqgan.TrainedRun) -> None:
    assert GAME["reward_form"] == "log-odds"
    assert played.description["config"]["reward_form"] == "log-odds"


def test_a_run_is_replaced_only_when_asked(learned: seqgan.TrainedRun, tmp_path: Path) -> None:
    few = {**MLE, "mle_epochs": 1, "run_dir": tmp_path / "run"}
    seqgan.train(TEXTS, **few)
    with pytest.raises(RunError, match="exists already"):
        seqgan.train(TEXTS, **few)
    seqgan.train(TEXTS, overwrite=True, seed=4, **few)
    assert describe(tmp_path / "run")["seed"] == 4


# --- resume


def operations_of(run: Callable[[], object]) -> int:
    with dying_at(-1) as seen:
        run()
    return int(seen.count)


@pytest.mark.parametrize(
    ("from_memory", "phases"),
    [(True, ["pretrain generator", "pretrain discriminator", "adversarial"]), (False, ["adversarial"])],
    ids=["memory", "file"],
)
def test_resumed_it_ends_as_the_uninterrupted_even_in_another_place(
    from_memory: bool, phases: list[str], corpus_file: Path, tmp_path: Path
) -> None:
    def train(folder: Path) -> seqgan.TrainedRun:
        return seqgan.train(TEXTS if from_memory else corpus_file, run_dir=folder, resume=True, save_steps=1, **GAME)

    total = operations_of(lambda: train(tmp_path / "whole"))
    whole = contents(tmp_path / "whole")
    for part, phase in zip((7, 4, 2), reversed(phases), strict=False):
        folder, moved = tmp_path / f"run{part}", tmp_path / f"moved{part}"
        with dying_at(part * total // 10), pytest.raises(Killed):
            train(folder)
        assert read_record(folder)[-1]["phase"] == phase
        folder.rename(moved)
        train(moved)
        assert contents(moved) == whole


def test_a_finished_run_may_get_more_iterations(tmp_path: Path) -> None:
    longer = seqgan.train(TEXTS, run_dir=tmp_path / "longer", **{**GAME, "iterations": 5})
    seqgan.train(TEXTS, run_dir=tmp_path / "run", **GAME)
    run = seqgan.train(TEXTS, run_dir=tmp_path / "run", resume=True, **{**GAME, "iterations": 5})
    assert run.log_probs(TEXTS) == longer.log_probs(TEXTS)


def test_a_resume_with_other_options_is_refused(played: seqgan.TrainedRun) -> None:
    before = contents(played.folder)
    with pytest.raises(RunError, match=r"g_lr was 0.001 and is now 0.5"):
        seqgan.train(TEXTS, run_dir=played.folder, resume=True, **{**GAME, "g_lr": 0.5})
    with pytest.raises(RunError, match="algorithm was 'seqgan' and is now 'mle'"):
        seqgan.train(TEXTS, run_dir=played.folder, resume=True, **MLE)
    assert contents(played.folder) == before


@pytest.mark.parametrize("what", ["corpus", "init_from", "reward"])
def test_a_resume_with_another_corpus_or_start_or_part_is_refused(
    what: str, learned: seqgan.TrainedRun, tmp_path: Path
) -> None:
    seqgan.train(TEXTS, run_dir=tmp_path / "run", **GAME)
    corpus = tiny_lines(50) if what == "corpus" else TEXTS
    other = {
        "init_from": {"init_from": str(learned.folder)},
        "reward": {"reward": lambda tokens: torch.ones(len(tokens))},
    }.get(what, {})
    with pytest.raises(RunError):
        seqgan.train(corpus, run_dir=tmp_path / "run", resume=True, **{**GAME, **other})


# --- load


def test_a_loaded_run_writes_and_scores_as_the_trained_one(played: seqgan.TrainedRun) -> None:
    for loaded in (seqgan.load(played.folder), seqgan.load(str(played.folder), device="cpu")):
        assert loaded.generate(20, seed=3) == played.generate(20, seed=3)
        assert loaded.score(TEXTS) == played.score(TEXTS)


def test_what_is_no_run_of_seqgan_is_not_loaded(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run directory"):
        seqgan.load(tmp_path / "nowhere")
    create(tmp_path / "pictures", {"package": "imagegan", "algorithm": "dcgan", "config": {}, "seed": 0}, {})
    with pytest.raises(RunError, match="is a run of imagegan, not of seqgan; use the commands"):
        seqgan.load(tmp_path / "pictures")


def test_wrong_arguments_of_train_are_told_as_python_knows_them(tmp_path: Path) -> None:
    for arguments, message in (
        ((None,), "corpus is None, but there is no run to resume; give texts, a name or a path"),
        ((["a", "b"],), "the list holds 2 texts; at least 20 are needed to train, validate and test"),
    ):
        with pytest.raises(SeqGANError) as refused:
            seqgan.train(*arguments, run_dir=tmp_path / "run")
        assert str(refused.value) == message
    with pytest.raises(ConfigError, match=r"^iterations is '3', but a whole number from 0"):
        seqgan.train(["a"], iterations="3")
    with pytest.raises(TypeError, match=r"load\(\) got an unexpected keyword argument 'stage'"):
        seqgan.load(tmp_path, stage="mle")  # type: ignore[call-arg]


# --- generate


def test_the_seed_decides_what_is_written(played: seqgan.TrainedRun) -> None:
    texts = played.generate(20, seed=1)
    assert played.generate(20, seed=1) == texts
    assert played.generate(20, seed=2) != texts
    assert played.generate(20) == played.generate(20, seed=0)
    assert len(played.generate()) == 10
    assert len(played.generate(1003)) == 1003


def test_every_text_continues_the_prompt(played: seqgan.TrainedRun) -> None:
    assert all(text.startswith("hi anna") for text in played.generate(30, prompt="hi anna"))
    assert not all(text.startswith("hi anna") for text in played.generate(30))
    with pytest.raises(UsageError, match="outside the vocabulary: zebra"):
        played.generate(prompt="hi zebra")
    with pytest.raises(UsageError, match="the prompt has 8 tokens; this model generates at most 6"):
        played.generate(prompt="hi anna " * 4)


def test_a_low_temperature_writes_likelier_texts(played: seqgan.TrainedRun) -> None:
    def mean(texts: list[str]) -> float:
        return sum(item.per_token for item in played.score(texts)) / len(texts)

    cold = mean(played.generate(200, temperature=0.1))
    assert cold > mean(played.generate(200)) + 0.1
    assert len(set(played.generate(20, top_k=1))) == 1


def test_every_stage_is_a_policy_of_its_own(played: seqgan.TrainedRun) -> None:
    log_probs = {stage: played.log_probs(TEXTS, stage=stage) for stage in ("mle", "final", "best")}
    assert log_probs["mle"] != log_probs["final"]
    newest = max(int(path.stem.removeprefix("step-")) for path in (played.folder / "checkpoints").iterdir())
    assert played.log_probs(TEXTS, stage=str(newest)) == log_probs["final"]
    assert played.generate(9, stage=str(newest)) == played.generate(9)
    with pytest.raises(RunError, match="has no stage 'first'; there are mle, final, best and the checkpoints"):
        played.generate(stage="first")


# --- log-probabilities and verdicts


def log_prob_by_hand(model: seqgan.TextModel, text: str) -> float:
    """Token for token: what the policy knows, log pi of the next token among all a text may hold, and on."""
    total, state = 0.0, model.policy.begin(1)
    for token in [*model.tokenizer.encode(text), EOS]:
        logits = model.policy.logits(model.policy.features(state), UNK)[0].double()
        total += float(logits[token - UNK] - logits.logsumexp(dim=0))
        state = model.policy.step(model.policy.embed(torch.tensor([token])), state)
    return total


def test_log_probs_are_sums_over_tokens_with_the_end(played: seqgan.TrainedRun) -> None:
    texts = [*TEXTS[:12], "", "hi", "hi zebra", " ".join(["hi anna"] * 9)]
    with torch.no_grad():
        expected = [log_prob_by_hand(played.model(), text) for text in texts]
    assert played.log_probs(texts) == pytest.approx(expected, abs=1e-4)
    assert all(value < 0 for value in expected)


def test_log_probs_and_verdicts_depend_on_neither_order_nor_company(played: seqgan.TrainedRun) -> None:
    texts = [*TEXTS, *(f"{text} {text}" for text in TEXTS), *(text[:5] for text in TEXTS)]
    assert len(texts) > 128  # more than one batch
    together = played.score(texts)
    backwards = played.score(texts[::-1])[::-1]
    alone = [played.score([text])[0] for text in texts[::7]]
    for others, ones in ((backwards, together), (alone, together[::7])):
        assert [item.text for item in others] == [item.text for item in ones]
        assert [item.log_prob for item in others] == pytest.approx([item.log_prob for item in ones], abs=1e-4)
        assert [item.real for item in others] == pytest.approx([item.real for item in ones], abs=1e-5)
    assert [item.log_prob for item in together] == played.log_probs(texts)


def test_a_score_tells_tokens_unknown_ones_and_the_discriminators_verdict(played: seqgan.TrainedRun) -> None:
    known, strange = played.score(["hi anna bo 3", "hi zebra bo 3"])
    assert (known.tokens, known.unknown) == (5, 0)
    assert (strange.tokens, strange.unknown) == (5, 1)
    assert known.per_token == known.log_prob / 5
    model = played.model()
    assert model.discriminator is not None
    with torch.no_grad():
        logit = model.discriminator(torch.tensor([[*model.tokenizer.encode("hi anna bo 3"), EOS]]))
    assert known.real == pytest.approx(float(logit.sigmoid()), abs=1e-6)
    verdicts = [item.real for item in played.score(TEXTS)]
    assert all(real is not None and 0.0 <= real <= 1.0 for real in verdicts)
    assert len(set(verdicts)) > 30


def test_without_a_discriminator_there_is_no_verdict(learned: seqgan.TrainedRun) -> None:
    assert [item.real for item in learned.score(TEXTS[:3])] == [None] * 3
    with pytest.raises(UsageError, match="no discriminator"):
        learned.model().prob_real(TEXTS[:3])


def test_no_texts_have_no_scores(played: seqgan.TrainedRun) -> None:
    assert played.score([]) == played.log_probs([]) == []


# --- evaluate


def numbers_of_texts(signatures: Iterator[str]) -> set[int]:
    return {int(found[1]) for signature in signatures if (found := re.search(r"(?:^|\|)n:(\d+)", signature))}


def test_all_rows_of_an_evaluation_have_the_same_number_of_texts(played: seqgan.TrainedRun) -> None:
    for count in (None, 5):
        written = json.loads(json.dumps(played.evaluate(count=count).as_json(), allow_nan=False))
        rows = written["rows"]
        assert list(rows) == ["mle", "best-of-8", "final", "real"]
        for row in rows.values():
            apart = {name for name in row if name.startswith(("d-gain", "d-effective", "d-slope"))}
            assert numbers_of_texts(row[name]["signature"] for name in row.keys() - apart) == {count or 7}
            assert numbers_of_texts(row[name]["signature"] for name in apart) <= {evaluation.JUDGED}
        assert {"nll-valid", "entropy", "bleu-2", "self-bleu-2", "seen", "d-auc"} <= rows["final"].keys()
        assert all(math.isfinite(number["value"]) for row in rows.values() for number in row.values())
        assert rows["final"]["kl-to-mle"]["value"] > 0
    with pytest.raises(UsageError, match="8 texts were asked for, but the validation split"):
        played.evaluate(count=8)


def test_an_evaluation_is_a_function_of_its_seed(played: seqgan.TrainedRun) -> None:
    again, other = seqgan.load(played.folder).evaluate(seed=1), played.evaluate(seed=2)
    assert played.evaluate(seed=1).as_json() == again.as_json()
    assert other.rows["final"]["entropy"] != again.rows["final"]["entropy"]
    assert other.rows["final"]["nll-test"] == again.rows["final"]["nll-test"]


def test_the_nll_of_an_evaluation_is_that_of_the_texts(played: seqgan.TrainedRun) -> None:
    scored = played.score(played.corpus().test)
    per_token = -sum(item.log_prob for item in scored) / sum(item.tokens for item in scored)
    assert played.evaluate().rows["final"]["nll-test"].value == pytest.approx(per_token, abs=1e-6)


def test_a_run_of_mle_has_a_row_for_it_and_one_for_real_text(learned: seqgan.TrainedRun) -> None:
    rows = learned.evaluate().as_json()["rows"]
    assert list(rows) == ["mle", "real"]
    assert not any(name.startswith("d-") for name in rows["mle"])


def test_a_corpus_that_changed_since_is_not_measured_against(corpus_file: Path, tmp_path: Path) -> None:
    run = seqgan.train(corpus_file, run_dir=tmp_path / "run", **{**MLE, "mle_epochs": 1})
    corpus_file.write_text("\n".join(tiny_lines(50)))
    with pytest.raises(RunError, match="is not the one that"):
        run.evaluate()


def test_texts_of_anyone_are_measured() -> None:
    measured = seqgan.evaluate(["the cat sat on the mat", "a dog ran"], ["the cat sat on the mat"], ["a dog ran"])
    assert measured["bleu-2"].value > 0.4
    assert measured["seen"].value == 0.5
    assert measured["bleu-2"].signature.startswith("n:2|refs:1|")
    assert not any(name.startswith(("bleu", "seen")) for name in seqgan.evaluate(["one text", "another"]))


# --- what importing costs, and what there is


def test_importing_the_package_imports_nothing_heavy_and_names_all_it_offers() -> None:
    code = """
import sys, seqgan
heavy = {"torch", "numpy", "nltk", "sentencepiece", "datasets", "huggingface_hub"}
print(sorted(heavy & sys.modules.keys()))
missing = set(seqgan.__all__) - set(dir(seqgan))
unresolved = [name for name in dir(seqgan) if not hasattr(seqgan, name)]
print(missing, unresolved, [name for name in dir(seqgan) if name not in seqgan.__all__ and name[:2] != "__"])
from seqgan import *
print(train is seqgan.train, rewards.on_text, Corpus)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second, third = done.stdout.splitlines()
    assert first == "[]"
    assert second == "set() [] []"
    assert third.startswith("True <function on_text")


def test_every_public_name_is_explained() -> None:
    assert list(seqgan.__all__) == sorted(seqgan.__all__)
    for name in seqgan.__all__:
        explained = getattr(seqgan, name).__doc__
        assert explained, name
        assert not explained.startswith(f"{name}("), f"{name} has only what a dataclass writes of itself"
    for method in ("generate", "log_probs", "score", "evaluate", "corpus", "save_pretrained"):
        assert getattr(seqgan.TrainedRun, method).__doc__, method
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        _ = seqgan.trian


@pytest.mark.parametrize(
    "call",
    [
        lambda run: run.log_probs("hi anna"),
        lambda run: run.score("hi anna"),
        lambda run: seqgan.evaluate("samples.txt", "references.txt"),
    ],
)
def test_a_string_where_a_list_of_texts_belongs_is_refused(call: Any, played: seqgan.TrainedRun) -> None:
    with pytest.raises(UsageError, match=r"a list of texts was expected, not '.*'; put a single text into a list"):
        call(played)


def test_no_text_at_all_cannot_be_asked_for(played: seqgan.TrainedRun) -> None:
    with pytest.raises(UsageError, match="count is -1, but a whole number from 1"):
        played.generate(-1)


def test_copies_do_not_count_as_texts(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="the list holds 50 texts, only 1 of them different; at least 20"):
        seqgan.train(["a b"] * 50, run_dir=tmp_path / "run")
