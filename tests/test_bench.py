"""The counts of the work, the plain way of doing it, and the command that compares."""

import json
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch.testing import assert_close

from seqgan.bench import naive
from seqgan.bench.counts import PARTS, Ceilings, Sizes, Work, floor
from seqgan.bench.data import lines
from seqgan.cli import seqgan
from seqgan.cli.bench import NAMES
from seqgan.models.cnn import CNNDiscriminator
from seqgan.models.lstm import LSTMPolicy
from seqgan.symbols import EOS

GIGA = 1e9
KNOWN = Ceilings(gemm=175 * GIGA, gemm_bf16=396 * GIGA, cache=48 * GIGA, memory=43 * GIGA)
UNIT = Sizes()


def of(part: str, work: str, kind: str) -> float:
    value: float = getattr(PARTS[part](UNIT)[work], kind)
    return value / GIGA


def test_the_counts_of_the_published_generator_step() -> None:
    """Once counted by hand; a better algorithm may lower one, nothing may raise one."""
    assert UNIT.rows == 176_384
    assert of("rollouts", "projection", "flops") == pytest.approx(56.4, abs=0.05)
    assert of("rollouts", "cell", "flops") == pytest.approx(1.4, abs=0.05)
    assert of("rollouts", "exp2", "cached") == pytest.approx(7.1, abs=0.05)
    assert of("rollouts", "sums of groups", "cached") == pytest.approx(3.5, abs=0.05)
    assert of("scores", "tables", "flops") == pytest.approx(8.0, abs=0.05)
    assert of("scores", "tables", "moved") == pytest.approx(0.25, abs=0.005)
    assert of("scores", "convolution", "cached") == pytest.approx(6.2, abs=0.05)
    assert of("scores", "highway", "flops") == pytest.approx(231, abs=0.5)
    assert of("update", "gradient", "flops") == pytest.approx(1.3, abs=0.05)
    assert floor(PARTS["generator_step"](UNIT), KNOWN) == pytest.approx(2.1, abs=0.05)


def test_the_counts_of_the_epochs_and_of_sampling() -> None:
    assert floor(PARTS["mle_epoch"](UNIT), KNOWN) == pytest.approx(1.65, abs=0.05)
    assert floor(PARTS["d_epoch"](UNIT), KNOWN) == pytest.approx(10.3, abs=0.1)
    assert floor(PARTS["sampling"](UNIT), KNOWN) == pytest.approx(0.63, abs=0.04)
    assert UNIT.d_parameters == pytest.approx(7.05e6, rel=0.001)


def test_parameters_are_counted_as_the_modules_have_them() -> None:
    judge = CNNDiscriminator(UNIT.vocab_size, UNIT.d_embedding_dim, UNIT.filter_sizes, UNIT.num_filters)
    assert sum(parameter.numel() for parameter in judge.parameters()) == UNIT.d_parameters
    for tie_embeddings in (False, True):
        sizes = Sizes(vocab_size=90, embedding_dim=7, hidden_dim=11, tie_embeddings=tie_embeddings)
        learned = [
            p.numel() for p in LSTMPolicy(90, 20, 7, 11, tie_embeddings=tie_embeddings).parameters() if p.requires_grad
        ]
        assert sum(learned) == pytest.approx(sizes.policy_parameters, abs=90)  # the tied head has a bias, too


def test_the_floor_is_set_by_what_takes_longest() -> None:
    machine = Ceilings(10.0, 20.0, 5.0, 2.0)
    assert Work(flops=100.0).seconds(machine) == 10.0
    assert Work(flops=100.0, cached=100.0).seconds(machine) == 20.0
    assert Work(flops=100.0, cached=100.0, moved=100.0).seconds(machine) == 50.0
    assert floor({"one": Work(flops=10.0), "other": Work(moved=2.0)}, machine) == 2.0


def test_work_grows_with_every_size() -> None:
    for name, larger in {"batch": 128, "length": 40, "vocab_size": 10_000, "rollouts": 32, "hidden_dim": 64}.items():
        grown = floor(PARTS["generator_step"](Sizes(**{name: larger})), KNOWN)
        assert grown > floor(PARTS["generator_step"](UNIT), KNOWN)


# --- the plain way is right, or the comparison would mean nothing

SMALL: dict[str, Any] = {"batch": 5, "length": 7, "vocab_size": 30, "rollouts": 3, "embedding_dim": 4, "hidden_dim": 6}


def test_the_plain_way_completes_prefixes_and_draws_what_may_be_drawn() -> None:
    policy = naive.NaivePolicy(Sizes(**SMALL))
    tokens = policy.sample(5)
    assert tokens.shape == (5, 7)
    assert (tokens >= EOS).all()
    finished = naive.rollouts(policy, tokens, 3)
    assert len(finished) == 3
    for one in finished:
        for given, texts in enumerate(one, start=1):
            assert_close(texts[:, :given], tokens[:, :given])


def test_the_plain_losses_are_ours_for_the_same_weights() -> None:
    ours, plain = LSTMPolicy(30, 7, 4, 6).eval(), naive.NaivePolicy(Sizes(**SMALL))
    ours.load_state_dict({name: value for name, value in plain.state_dict().items() if not name.startswith("cell.")})
    tokens = torch.randint(EOS, 30, (5, 7))
    logits = ours.logits(ours.features_before(tokens), 0)
    expected = -logits.log_softmax(dim=2).gather(2, tokens.unsqueeze(2)).squeeze(2)
    assert_close(plain.losses(tokens), expected, atol=1e-5, rtol=1e-5)


def test_the_plain_scores_are_ours_for_the_same_weights() -> None:
    sizes = Sizes(**SMALL, d_embedding_dim=6, filter_sizes=(1, 2, 3), num_filters=(4, 5, 6))
    plain = naive.NaiveDiscriminator(sizes)
    ours = CNNDiscriminator(30, 6, sizes.filter_sizes, sizes.num_filters).eval()
    ours.load_state_dict(plain.state_dict())
    tokens = torch.randint(EOS, 30, (5, 7))
    finished = [[tokens.roll(g, dims=1) for g in range(1, 7)] for _ in range(3)]
    earned = naive.rewards(plain, tokens, finished)
    assert plain.training
    assert_close(earned[:, -1], ours(tokens).sigmoid())
    assert_close(earned[:, 2], ours(finished[0][2]).sigmoid())


# --- the command


def called(*arguments: object) -> str:
    result = CliRunner().invoke(seqgan, ["bench", "speed", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


TINY = ("--preset", "quick", "-V", 60, "-T", 6, "-B", 4, "-N", 2, "--texts", 256, "--pairs", 1, "--threads", 1)


def test_the_command_gives_every_figure_as_json() -> None:
    told = json.loads(called(*TINY, "--json"))
    for name in NAMES:
        figure = told[name]
        assert min(figure[key] for key in ("seconds", "floor_seconds", "naive_seconds")) > 0
        assert figure["ratio"] == pytest.approx(figure["seconds"] / figure["floor_seconds"])
    assert told["peak_bytes"] > 1e8
    assert told["setting"] == {"preset": "quick", "B": 4, "T": 6, "V": 60, "N": 2, "bf16": False}
    assert set(told["machine"]) == {"gemm", "gemm_bf16", "cache", "memory"}


def test_the_command_prints_a_table_of_what_was_asked_for() -> None:
    table = called(*TINY, "--only", "sampling", "--bf16", "--no-plain")
    assert "sampling" in table
    assert "mle epoch" not in table
    assert "GFLOP/s" in table
    assert "peak memory" in table


def test_the_lines_of_the_bench_of_data_are_crossed_and_of_one_length() -> None:
    made = list(lines(500))
    assert made == list(lines(500)) != list(lines(500, seed=1))
    assert {len(line.split()) for line in made} == {27}
    assert len(set(made)) == 500


def test_the_bench_of_data_runs_twice_as_a_user_would() -> None:
    told = CliRunner().invoke(seqgan, ["bench", "data", "--lines", "1000", "--json"], catch_exceptions=False)
    measured = json.loads(told.stdout)
    assert measured["lines"] == 1000
    for run in ("first run", "second run"):
        cost = measured[run]
        assert 0 < cost["to_first_step"] < cost["outside"] + 60
        assert cost["processor"] > 1
        assert 10**8 < cost["peak_bytes"] < 10**10
        assert cost["disk_bytes"] == 0  # so few are not kept
