"""What is told before a training begins: what it will cost, and what is wrong with its data."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import torch

import seqgan
from seqgan.algorithms.components import Components
from seqgan.algorithms.configs import MLEConfig
from seqgan.algorithms.seqgan import GAME, PRETRAIN, SeqGAN
from seqgan.core import trial
from seqgan.core.loop import Phase, Trial
from seqgan.core.trial import Cost, estimate, in_words
from seqgan.data.checks import about_data
from seqgan.data.corpus import Corpus, corpus_in_memory, load_corpus
from seqgan.data.dataset import TokenDataset, encode_corpus
from seqgan.data.tokenizer import Kind, Tokenizer
from seqgan.models.policy import sample
from tests.conftest import TINY_GAME, tiny_lines
from tests.killing import contents

CPU = torch.device("cpu")
Make = Callable[..., MLEConfig]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that stands still until something is said to take time."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(trial, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    return clock


class Timed:
    """Phases whose work takes as many seconds as they are told, and some more when it is first done."""

    def __init__(self, clock: SimpleNamespace, seconds: Mapping[str, float], to_set_up: float = 0.03125) -> None:
        self.clock, self.seconds, self.to_set_up = clock, seconds, to_set_up
        self.calls: list[tuple[str, int]] = []
        self.plan: list[Phase] = []

    def work(self, name: str, first: int = 0) -> Callable[[int], dict[str, float]]:
        def work(call: int) -> dict[str, float]:
            self.calls.append((name, call))
            self.clock.now += self.seconds[name] + (self.to_set_up if call == first else 0.0)
            return {}

        return work

    def add(self, name: str, steps: int, **trials: float) -> None:
        begin = lambda: self.calls.append((name, 0))  # noqa: E731
        kinds = [Trial(self.work(kind), count) for kind, count in trials.items()]
        self.plan.append(Phase(name, steps, self.work(name, first=1), start=begin, trials=kinds))

    def phases(self) -> Sequence[Phase]:
        return self.plan

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None: ...

    def exports(self) -> Mapping[str, bytes]:
        return {}


# --- the cost


def test_every_kind_of_work_is_timed_once_it_is_set_up_and_counted_as_often_as_it_comes(
    clock: SimpleNamespace,
) -> None:
    timed = Timed(clock, {"alike": 0.125, "policy": 0.25, "judge": 0.1875})
    timed.add("alike", 10)
    timed.add("game", 12, policy=4, judge=8.5)
    assert estimate(timed, CPU).seconds == 10 * 0.125 + 4 * 0.25 + 8.5 * 0.1875
    assert timed.calls == [
        *[("alike", 0), ("alike", 1), ("alike", 2)],
        *[("game", 0), ("policy", 0), ("policy", 1), ("judge", 0), ("judge", 1)],
    ]


def test_work_that_is_long_by_itself_is_not_done_twice(clock: SimpleNamespace) -> None:
    timed = Timed(clock, {"policy": 5.0, "judge": 4.0}, to_set_up=1.0)
    timed.add("game", 12, policy=4, judge=8)
    assert estimate(timed, CPU).seconds == 4 * 6.0 + 8 * 5.0
    assert timed.calls == [("game", 0), ("policy", 0), ("judge", 0)]


@pytest.mark.parametrize(("told", "calls"), [(5.0, 1), (0.125, 2)])
def test_the_first_process_s_clock_decides_how_often_work_is_tried(
    told: float, calls: int, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in one of several processes, to which the first tells what its clock says."""
    monkeypatch.setattr("seqgan.core.distributed.broadcast", lambda own: told)
    timed = Timed(clock, {"policy": 4.0 if told < 1 else 0.01})  # its own clock says otherwise
    timed.add("game", 12, policy=4)
    assert estimate(timed, CPU).seconds == 4 * told
    assert len(timed.calls) == 1 + calls


def test_a_phase_without_steps_is_neither_begun_nor_timed(clock: SimpleNamespace) -> None:
    timed = Timed(clock, {"policy": 0.25})
    timed.add("nothing", 0)
    timed.add("game", 4, policy=4, judge=0)
    assert estimate(timed, CPU).seconds == 4 * 0.25
    assert timed.calls == [("game", 0), ("policy", 0), ("policy", 1)]


def test_a_trial_tells_the_memory_of_this_process(clock: SimpleNamespace) -> None:
    assert 50e6 < (estimate(Timed(clock, {}), CPU).bytes or 0) < 1e12  # torch alone takes more than 50 MB


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.2, "about 1 s on"), (89.0, "about 89 s on"), (240.0, "about 4 min on"), (9000.0, "about 2.5 hours on")],
)
def test_a_cost_is_told_in_words(seconds: float, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    words = in_words(Cost(seconds, 800_000_000), CPU)
    assert told in words
    assert words.startswith("about ")
    assert "(2 threads)" in words
    assert words.endswith("at least 0.8 GB of memory")
    assert "threads" not in in_words(Cost(seconds, 1), torch.device("cuda"))
    assert "memory" not in in_words(Cost(seconds, None), CPU)  # a system that does not tell
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert "(1 thread)" in in_words(Cost(seconds, 1), CPU)


@pytest.mark.parametrize("changes", [{}, {"g_steps": 2, "d_steps": 3}, {"d_steps": 0}, {"iterations": 0}], ids=str)
@pytest.mark.parametrize("own_reward", [False, True])
def test_the_trials_of_a_game_stand_for_all_its_work(
    changes: dict[str, int], own_reward: bool, texts: TokenDataset, tiny_config: Make
) -> None:
    parts = Components(reward=lambda tokens: torch.ones(len(tokens))) if own_reward else Components()
    config: Any = tiny_config("seqgan", g_batch_size=20, **changes)
    algorithm = SeqGAN(config, texts, CPU, 0, parts)
    game = algorithm.phases()[-1]
    assert game.name == GAME
    done: dict[str, float] = {"sequences": 0, "texts drawn": 0, "judge": 0}

    def policy_update(count: int, drawn: int | None = None) -> dict[str, float]:
        done["sequences"] += drawn or algorithm.drawn
        return {}

    def judge_update(phase: str, update: int) -> dict[str, float]:
        assert algorithm.opponent
        done["texts drawn"] += update % algorithm.opponent.per_round == 0
        done["judge"] += 1
        return {"bce": 0.0}

    with contextlib.ExitStack() as players:
        players.enter_context(mock.patch.object(algorithm, "policy_update", policy_update))
        if algorithm.opponent:
            players.enter_context(mock.patch.object(algorithm.opponent, "update", judge_update))
        for step in range(1, game.steps + 1):
            game.update(step)
        whole, told = done.copy(), dict.fromkeys(done, 0.0)
        for trial in game.trials:
            before = done.copy()
            trial.work(1)
            told = {name: told[name] + trial.times * (done[name] - before[name]) for name in told}
    assert told == pytest.approx(whole)
    assert whole["sequences"] == config.iterations * config.g_steps * 20


def test_the_texts_that_a_discriminator_learns_from_are_counted(
    clock: SimpleNamespace, texts: TokenDataset, tiny_config: Make
) -> None:
    config: Any = tiny_config("seqgan")
    algorithm = SeqGAN(config, texts, CPU, 0)

    def slow(*args: Any, **kwargs: Any) -> Any:
        clock.now += 1.0
        return sample(*args, **kwargs)

    with mock.patch("seqgan.algorithms.opponent.sample", side_effect=slow):
        cost = estimate(algorithm, CPU)
    assert [phase.name for phase in algorithm.phases()][1:] == [PRETRAIN, GAME]
    assert cost.seconds >= config.d_pretrain_rounds + config.iterations * config.d_steps  # a second for each round


def test_a_run_that_shows_its_cost_ends_as_a_quiet_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options: dict[str, Any] = {**TINY_GAME, "threads": 1}
    for name, progress in (("quiet", False), ("told", True)):
        seqgan.train(tiny_lines(), run_dir=tmp_path / name, progress=progress, **options)
        told = capsys.readouterr().err
        assert told.count("of memory") == told.count("43 train, 7 valid, 10 test texts") == progress
    assert contents(tmp_path / "told") == contents(tmp_path / "quiet")
    seqgan.train(tiny_lines(), run_dir=tmp_path / "told", resume=True, progress=True, **options)
    assert "of memory" not in capsys.readouterr().err  # of a training that is under way it is not told again


# --- the data


def schema(corpus: Corpus, kind: Kind = "word", vocab_size: int = 5000, source: str = "preset default") -> list[str]:
    """What is said of a corpus when a run with this tokenizer is begun."""
    tokenizer = Tokenizer.train(corpus.train, kind, vocab_size)
    return about_data(corpus, encode_corpus(corpus, tokenizer), vocab_size, source)


def plenty() -> Corpus:
    """Few words, each of them often."""
    texts = dict.fromkeys(text.replace("!", "") for text in tiny_lines(400))
    return replace(corpus_in_memory(texts.keys()), name="plenty")


def test_where_nothing_is_wrong_only_the_sizes_are_told() -> None:
    corpus = plenty()
    [line] = schema(corpus)
    assert line.startswith(
        f"plenty: {len(corpus.train)} train, {len(corpus.valid)} valid, {len(corpus.test)} test texts;"
    )
    assert "tokens in the vocabulary, at most 5 in a text" in line


def test_held_out_texts_that_were_learned_from_are_told(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("\n".join([*tiny_lines(200), "hi anna"]) + "\n")
    (tmp_path / "valid.txt").write_text("hi anna\nnever seen\noh bo\n")
    lines = schema(load_corpus(str(tmp_path / "train.txt"), valid=str(tmp_path / "valid.txt")))
    warnings = [line for line in lines if line.startswith("warning")]
    assert len(warnings) == 1
    assert warnings[0].startswith("warning: 1 of the 3 valid texts stand in an earlier split as well")


@pytest.mark.parametrize("source", ["command line", "config mine.toml", "arguments"])
def test_a_vocabulary_that_was_asked_for_and_is_not_there_is_told(source: str) -> None:
    corpus = plenty()
    [told] = [line for line in schema(corpus, vocab_size=300, source=source) if "was asked for" in line]
    words = len({word for text in corpus.train for word in text.split()})
    assert told == f"--vocab-size 300 was asked for; the training text has no more than {words + 4} tokens"
    for others in (
        schema(corpus, vocab_size=300),  # nobody asked for it
        schema(corpus, vocab_size=15, source=source),  # it is there
        schema(corpus, "char", vocab_size=300, source=source),  # of characters all are kept
    ):
        assert not any("was asked for" in line for line in others)


def test_a_text_that_is_small_for_its_vocabulary_is_told() -> None:
    distinct = corpus_in_memory([f"word{number} name{number} thing{number}" for number in range(60)])
    [told] = [line for line in schema(distinct) if "small for its vocabulary" in line]
    # Three words and an end in each text, and three words that no other text has.
    assert "(1.3 tokens for each of" in told
    assert "100% of which occur less than three times" in told
    assert "--tokenizer bpe" in told
    [by_characters] = [line for line in schema(plenty_of_characters(), "char") if "small for its" in line]
    assert "--tokenizer" not in by_characters


def plenty_of_characters() -> Corpus:
    return corpus_in_memory([chr(0x4E00 + number) + chr(0x5E00 + number) for number in range(60)])


def test_much_that_is_unknown_is_told() -> None:
    corpus = plenty()
    strange = replace(corpus, valid=["hi zebra", "hi yak", "hi anna"])
    [told] = [line for line in schema(strange) if "unknown" in line]
    # Two words that nobody knows, of six words and three ends.
    assert told.startswith("advice: 22% of the validation tokens are unknown")
    little = replace(corpus, valid=[*corpus.valid[:20], "hi zebra"])
    assert not any("unknown" in line for line in schema(little))
