"""Estimators of the policy gradient: what the benchmark of them says, and that it sees a wrong one."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from seqgan.bench import estimators
from seqgan.bench.arms import Size
from seqgan.bench.estimators import compare, disagreement, setting, signal_to_noise
from seqgan.cli import seqgan
from seqgan.models.policy import PolicyModule

FIRST = "rollouts, no baseline"


@pytest.fixture(scope="module")
def models() -> tuple[PolicyModule, PolicyModule]:
    return setting(0, Size(8, 5, train=300, valid=50), epochs=2)


def test_all_estimators_have_one_mean_and_a_baseline_less_noise(models: tuple[PolicyModule, PolicyModule]) -> None:
    figures = compare(*models, batches=40, batch=32, completions=4, seed=0)
    for (_, name), figure in figures.items():
        assert np.isnan(figure.agreement) == (name == FIRST)
        assert not figure.agreement < 0.002  # of eight: two-sided
    for form in estimators.FORMS:
        assert figures[form, "rollouts, prefix"].snr > figures[form, FIRST].snr


def test_an_estimator_that_is_off_by_one_position_has_another_mean(
    models: tuple[PolicyModule, PolicyModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = estimators.rollout_rewards
    monkeypatch.setattr(estimators, "of_sequence", lambda score: lambda sampled: shifted(models[0], score, sampled))

    def shifted(policy: PolicyModule, score: estimators.Score, sampled: estimators.Sampled) -> torch.Tensor:
        return right(policy, score, sampled, 4).roll(1, dims=1)

    figures = compare(*models, batches=40, batch=32, completions=4, seed=0)
    assert figures["log-odds", "whole sequence, no baseline"].agreement < 0.01


def test_signal_to_noise_is_found_without_bias() -> None:
    rng, mean = np.random.default_rng(0), np.array([0.3, 0.0, -0.4])
    found = [signal_to_noise(rng.normal(size=(50, 3)) + mean) for _ in range(400)]
    values, errors = np.array(found).T
    assert values.mean() == pytest.approx(0.25 / 3, abs=4 * values.std() / 20 + 0.003)
    assert errors.mean() == pytest.approx(values.std(), rel=0.15)


def test_the_p_value_of_a_mean_that_is_zero_is_uniform() -> None:
    rng = np.random.default_rng(1)
    values = np.array([disagreement(rng.normal(size=(20, 4)), seed) for seed in range(300)])
    assert (values < 0.1).mean() == pytest.approx(0.1, abs=4 * np.sqrt(0.09 / 300))
    assert disagreement(rng.normal(size=(20, 4)) + 1.5, 0) < 0.01
    assert np.isnan(disagreement(np.zeros((20, 4)), 0))


def test_the_command_prints_each_estimator() -> None:
    arguments = ["bench", "estimators", "-V", "8", "-T", "4", "-N", "2", "-B", "8", "--batches", "4"]
    told = CliRunner().invoke(seqgan, arguments, catch_exceptions=False)
    assert all(name in told.output for name in estimators.ESTIMATORS)
    told = CliRunner().invoke(seqgan, [*arguments, "--json"], catch_exceptions=False)
    assert json.loads(told.output)["log-odds, rollouts, prefix"].keys() == {"snr", "stderr", "agreement"}
