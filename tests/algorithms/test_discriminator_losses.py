"""What a discriminator of texts minimises: cross-entropy, perhaps smoothed, or the ranking of pairs."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.testing import assert_close

import seqgan
from seqgan.algorithms.adversarial import classifier
from seqgan.algorithms.configs import CONFIGS
from seqgan.core.record import read_record
from seqgan.errors import ConfigError
from tests.conftest import TINY_CONFIGS, tiny_lines

REAL, FAKE = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([0.0, 1.0, 0.5])
COMPARING: dict[str, Any] = {"d_loss": "pairwise", "reward_form": "log-odds", "baseline": "prefix"}


def cost(x: float) -> float:
    return math.log1p(math.exp(-x))


def losses(**options: Any) -> dict[str, float]:
    player = classifier(CONFIGS["seqgan"](**options))  # type: ignore[arg-type]
    view: Any = SimpleNamespace(logits=(REAL, FAKE))
    return {name: term.of(view).item() for name, term in player.terms.items() if name != "l2"} | {
        name: float(of(view)) for name, of in player.watch.items()
    }


def test_cross_entropy_is_the_mean_over_both_kinds() -> None:
    expected = (sum(map(cost, REAL.tolist())) + sum(map(cost, (-FAKE).tolist()))) / 6
    assert losses() == {"bce": pytest.approx(expected), "accuracy": pytest.approx((2 / 3 + 1 / 3) / 2)}


def test_a_smoothed_target_makes_certainty_costly() -> None:
    real = sum(0.8 * cost(x) + 0.2 * cost(-x) for x in REAL.tolist())
    expected = (real + sum(map(cost, (-FAKE).tolist()))) / 6
    assert losses(d_label_smoothing=0.2)["bce"] == pytest.approx(expected)


def test_a_ranking_is_of_pairs_whatever_is_added_to_all_logits() -> None:
    expected = sum(map(cost, (REAL - FAKE).tolist())) / 3
    assert losses(**COMPARING) == {"d_loss": pytest.approx(expected), "accuracy": pytest.approx(1 / 3)}


@pytest.mark.parametrize("algorithm", ["seqgan", "maligan"])
def test_a_run_that_ranks_says_so_and_gives_no_probabilities(algorithm: str, tmp_path: Path) -> None:
    options = {**TINY_CONFIGS[algorithm], "iterations": 2, "d_loss": "pairwise", "threads": 1}
    run = seqgan.train(tiny_lines(), algorithm=algorithm, **options, run_dir=tmp_path / "run")
    last = [line for line in read_record(run.folder) if "valid_d_loss" in line][-1]
    assert "valid_bce" not in last
    assert 0 < last["valid_d_loss"] < 2
    assert {scored.real for scored in run.score(tiny_lines()[:3])} == {None}
    numbers = run.evaluate(count=5).rows["final"]
    assert "d-auc" in numbers
    assert "d-bce" not in numbers


@pytest.mark.parametrize("changes", [{"reward_form": "probability"}, {"baseline": "none"}])
def test_logits_that_only_compare_are_no_probabilities(changes: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"give --reward-form log-odds and a --baseline, or leave out --d-loss"):
        CONFIGS["seqgan"](**{**COMPARING, **changes})


def test_only_a_cross_entropy_has_targets() -> None:
    with pytest.raises(ConfigError, match=r"--d-label-smoothing 0.1 is of the cross-entropy; leave it out"):
        CONFIGS["seqgan"](**COMPARING, d_label_smoothing=0.1)


def test_the_loss_falls() -> None:
    """The players are the only ones that move the discriminator: a few updates on two kinds of logits."""
    weight = torch.zeros((), requires_grad=True)
    player = classifier(CONFIGS["seqgan"](**COMPARING))  # type: ignore[arg-type]
    view: Any = SimpleNamespace(logits=(weight * REAL, weight * FAKE))
    player.terms["d_loss"].of(view).backward()
    assert weight.grad is not None
    assert_close(weight.grad, -(REAL - FAKE).mean() / 2)
