"""The sweep: curves of quality against variety, which is better at equal variety, and what MLE reaches at best."""

import csv
import json
import math
from pathlib import Path

import pytest
import torch

import seqgan
from seqgan.core.report import Measured
from seqgan.data.ragged import Ragged
from seqgan.metrics.nll import likelihood
from seqgan.reporting import Row
from seqgan.sweep import PLANES, Beside, Gap, Plane, Sampler, Swept, baselines, gaps, language_model, means
from tests.conftest import TINY_GAME
from tests.test_cli import call
from tests.test_compare import LINES

KL = Plane("lm-nll", "reverse-nll")
BLEU = Plane("self-bleu-3", "bleu-3")


def row(**numbers: float) -> Row:
    return {name.replace("_", "-"): Measured(value, 0.01, "n:10") for name, value in numbers.items()}


def curve(points: list[tuple[float, float]], x: str, y: str) -> dict[Sampler, Row]:
    names = x.replace("-", "_"), y.replace("-", "_")
    return {Sampler(1 - 0.1 * at): row(**dict(zip(names, point, strict=True))) for at, point in enumerate(points)}


def of(swept: Swept, plane: Plane) -> Gap:
    [gap] = [gap for gap in gaps(swept) if gap.plane == plane]
    return gap


def test_a_curve_is_compared_with_another_at_equal_x_between_its_points() -> None:
    line = curve([(1.0, 5.0), (3.0, 7.0)], *KL)  # y = 4 + x
    mine = curve([(2.0, 5.5), (2.5, 6.0), (9.0, 0.0)], *KL)  # .5 below at 2 and 2.5; 9 is out of range
    gap = of(Swept({"b final": {0: mine}, "a mle": {0: line}}, {}), KL)
    assert gap.by_seed == {0: pytest.approx(0.5)}
    assert "b final is better than a mle by 0.5 (one seed, no test)" in str(gap)
    turned = of(
        Swept({"a": {0: curve([(2.0, 5.5)], *BLEU)}, "b": {0: curve([(1.0, 5.0), (3.0, 7.0)], *BLEU)}}, {}), BLEU
    )
    assert turned.by_seed[0] == pytest.approx(-0.5)  # of BLEU more is better


def test_curves_that_do_not_overlap_are_not_compared() -> None:
    gap = of(Swept({"a": {0: curve([(9.0, 1.0)], *KL)}, "b": {0: curve([(1.0, 5.0), (3.0, 7.0)], *KL)}}, {}), KL)
    assert gap.by_seed == {}
    assert "a and b do not overlap" in str(gap)


def test_the_test_over_seeds_flips_the_signs_of_paired_gaps() -> None:
    line = curve([(1.0, 5.0), (3.0, 7.0)], *KL)
    first = {seed: curve([(2.0, 6.0 - lower)], *KL) for seed, lower in enumerate((0.1, 0.2, 0.3, 0.4, 0.5))}
    gap = of(Swept({"a": first | {9: line}, "b": dict.fromkeys(range(5), line)}, {}), KL)
    assert gap.by_seed == pytest.approx({0: 0.1, 1: 0.2, 2: 0.3, 3: 0.4, 4: 0.5})
    assert gap.chance == pytest.approx(2 / 2**5)
    assert "by 0.3 (in every seed, p 0.062 by flips of signs)" in str(gap)


def test_the_super_baseline_is_the_best_of_mle_over_all_samplers_and_the_sense_of_better_is_that_of_the_measure() -> (
    None
):
    cool, warm = Sampler(0.5), Sampler(1.0)
    mle = {
        cool: row(bleu_3=0.5, self_bleu_3=0.6, reverse_nll=5.0),
        warm: row(bleu_3=0.3, self_bleu_3=0.2, reverse_nll=4.0),
    }
    final = {warm: row(bleu_3=0.4, self_bleu_3=0.3, reverse_nll=4.5)}
    best = baselines(Swept({"a mle": {0: mle}, "a final": {0: final}}, {}))
    assert {name: value for name, (value, _) in best["mle"].items()} == {
        "bleu-3": 0.5,
        "self-bleu-3": 0.2,
        "reverse-nll": 4.0,
    }
    assert best["mle"]["bleu-3"][1] == "a mle, temperature 0.5"
    assert best["a final"]["reverse-nll"][0] == 4.5


def test_a_point_is_the_mean_over_seeds() -> None:
    seeds = {seed: {Sampler(): row(bleu_3=value)} for seed, value in enumerate((0.1, 0.3))}
    assert means(Swept({"a mle": seeds}, {}))["a mle"][Sampler()]["bleu-3"].value == pytest.approx(0.2)


# --- of runs


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[seqgan.TrainedRun]:
    folder = tmp_path_factory.mktemp("sweep")
    return [
        seqgan.train(LINES, run_dir=folder / str(seed), seed=seed, threads=1, device="cpu", **TINY_GAME)
        for seed in (0, 1)
    ]


def test_a_language_model_is_of_the_texts_it_learns_from(runs: list[seqgan.TrainedRun]) -> None:
    beside = Beside(runs[0].model(), runs[0].encoded(), None, None)
    test = beside.test.split.sequences
    collapsed = beside.learned_from(Ragged.of([test[0]] * 200))
    real, one = (likelihood(model, test).per_token for model in (beside.judge, collapsed))
    vocabulary = math.log(len(runs[0].model().tokenizer))
    assert real < 0.6 * vocabulary
    assert one > real + 0.3  # who repeats himself covers little: a reverse NLL is high
    again = language_model(
        beside.train.split.sequences,
        beside.valid.split.sequences,
        runs[0].model().tokenizer,
        beside.length,
        torch.device("cpu"),
    )
    assert likelihood(again, test).per_token == likelihood(beside.judge, test).per_token


def test_the_command_writes_curves_of_arms_with_real_text_on_their_axes(
    runs: list[seqgan.TrainedRun], tmp_path: Path
) -> None:
    folders = [run.folder for run in runs]
    words = ["--temperatures", "1,.5", "--top-k", "3", "-n", "20", "--out", tmp_path]
    told = call("sweep", *folders, *words).stdout
    found = json.loads((tmp_path / "sweep.json").read_text())
    curves = found["curves"]
    assert [name.rpartition(" ")[2] for name in curves] == ["mle", "final"]
    for points in curves.values():
        assert [(point["seed"], point["temperature"], point["top_k"]) for point in points] == [
            (seed, *way) for seed in (0, 1) for way in ((1.0, 0), (0.5, 0), (1.0, 3))
        ]
    first = next(iter(curves.values()))[0]
    evaluated = runs[0].evaluate(count=20).rows["mle"]
    for name in ("bleu-3", "self-bleu-3", "backward-bleu-3", "distinct-2"):
        assert first[name]["value"] == pytest.approx(evaluated[name].value)
        assert name in found["real"]
    assert {"lm-nll", "reverse-nll"} <= found["real"].keys()
    for name in ("lm-nll", "reverse-nll"):  # a policy of three epochs is far from real text
        assert found["real"][name]["value"] < first[name]["value"] - 0.1, name
    lines = list(csv.reader((tmp_path / "sweep.csv").read_text().splitlines()))
    assert lines[0][:6] == ["curve", "seed", "temperature", "top_k", "top_p", "measure"]
    assert len(lines) == 1 + sum(len(point) - 4 for points in curves.values() for point in points) + len(found["real"])
    for plane in PLANES:
        assert (tmp_path / f"{plane.y}-{plane.x}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (tmp_path / f"{plane.y}-{plane.x}.svg").read_bytes()[:2000]
    assert "super-baseline" in told
    assert "bleu-3 at equal self-bleu-3: " in told
    assert len(found["gaps"]) == 3
