"""The sweep: curves of quality against variety, which is better at equal variety, and what MLE reaches at best."""

import csv
import json
import math
import shutil
from pathlib import Path

import pytest
import torch

import seqgan
from seqgan.core.record import read_record
from seqgan.core.report import Measured
from seqgan.core.run import checkpoints
from seqgan.data.ragged import Ragged
from seqgan.errors import RunError, UsageError
from seqgan.metrics.nll import likelihood
from seqgan.planes import PLANES, Plane, Sampler, Swept, as_json, drawings, from_json, means
from seqgan.reporting import Row
from seqgan.sweep import Beside, Gap, baselines, gaps, language_model, sweep
from tests.browser import Browser, browser  # noqa: F401
from tests.conftest import TINY, TINY_GAME
from tests.test_cli import call, refusal
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


def test_curves_without_a_gap_are_equal() -> None:
    line = curve([(1.0, 5.0), (3.0, 7.0)], *KL)
    assert str(of(Swept({"a": {0: line}, "b": {0: line}}, {}), KL)) == "reverse-nll at equal lm-nll: a and b are equal."


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


# --- as a drawing of a page


def test_points_stand_where_their_numbers_are_and_temperatures_are_joined() -> None:
    curve_of = {
        Sampler(1.0): row(self_bleu_3=0.2, bleu_3=0.3),
        Sampler(0.5): row(self_bleu_3=0.6, bleu_3=0.5),
        Sampler(top_k=3): row(self_bleu_3=0.4, bleu_3=0.4),
    }
    [drawing] = drawings(Swept({"a mle": {0: curve_of}}, row(self_bleu_3=0.1, bleu_3=0.6)))
    assert drawing.plane == BLEU
    mle, real = drawing.lines
    places = {point.told.partition(":")[0]: point for point in [*mle.points, *real.points]}
    warm, cool, top_k = (places[f"a mle, {name}"] for name in ("temperature 1", "temperature 0.5", "top-k 3"))
    assert mle.path == f"M{warm.x:g} {warm.y:g}L{cool.x:g} {cool.y:g}"
    assert top_k.x == pytest.approx((warm.x + cool.x) / 2, abs=0.1)
    assert top_k.y == pytest.approx((warm.y + cool.y) / 2, abs=0.1)
    assert places["real"].x < warm.x < cool.x
    assert places["real"].y < cool.y < warm.y  # up is a smaller y
    assert cool.high < cool.y < cool.low  # of the error
    scale = {float(number): at for at, number in drawing.across}
    assert scale[0.2] == warm.x
    assert (mle.colour, real.colour) == (0, 7)
    assert "bleu-3 0.500 ±.010, self-bleu-3 0.600 ±.010" in cool.told


def test_what_a_sweep_leaves_is_read_again(tmp_path: Path) -> None:
    swept = Swept({"a mle": {3: {Sampler(0.5): row(bleu_3=0.5)}, 4: {Sampler(0.5): row(bleu_3=0.6)}}}, row(bleu_3=0.7))
    assert from_json(json.loads(json.dumps(as_json(swept))), tmp_path) == swept
    for damage in ({"curves": {"a": [{}]}}, {"curves": {"a": 3}}, {"real": []}, {"curves": {"a": [{"seed": "b"}]}}):
        with pytest.raises(RunError, match="remove it"):
            from_json(as_json(swept) | damage, tmp_path)


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
    assert lines[0][:7] == ["curve", "seed", "temperature", "top_k", "top_p", "step", "measure"]
    assert len(lines) == 1 + sum(len(point) - 5 for points in curves.values() for point in points) + len(found["real"])
    for plane in PLANES:
        assert (tmp_path / f"{plane.y}-{plane.x}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (tmp_path / f"{plane.y}-{plane.x}.svg").read_bytes()[:2000]
    for folder in folders:
        assert json.loads((folder / "sweep.json").read_text())["curves"] == curves
    assert "super-baseline" in told
    assert "bleu-3 at equal self-bleu-3: " in told
    assert len(found["gaps"]) == 3


def test_a_curve_of_training_has_the_checkpoints_and_what_samples_earn_there(tmp_path: Path) -> None:
    options = {**TINY_GAME, "iterations": 6, "save_steps": 4, "keep": 9, "threads": 1, "device": "cpu"}
    options["reward"] = ["length:4-6"]
    trained = [
        seqgan.train(LINES, run_dir=tmp_path / f"{weight}", **{**options, "mle_weight": weight})
        for weight in (1.0, 3.0)
    ]
    folders = [run.folder for run in trained]
    told = call(
        "sweep", *folders, "--checkpoints", "-n", "20", "--reward", "keyword:bo", "--out", tmp_path / "out"
    ).stdout
    found = json.loads((tmp_path / "out" / "sweep.json").read_text())
    steps = sum(line["phase"] == "adversarial" for line in read_record(folders[0]))
    for name, run in zip(("mle_weight=1.0 (1 seed)", "mle_weight=3.0 (1 seed)"), trained, strict=True):
        points = found["curves"][name]
        assert [point["step"] for point in points] == [0, *range(4, steps, 4), steps]
        ends = run.evaluate(count=20, rewards=["keyword:bo"])
        for point, stage in ((points[0], "mle"), (points[-1], "final")):
            assert "reverse-nll" not in point
            shared = ("reward-length:4-6", "reward-keyword:bo", "bleu-3", "nll-test")
            for measure in shared if stage == "mle" else (*shared, "kl-to-mle"):
                assert point[measure]["value"] == pytest.approx(ends[stage][measure].value), (stage, measure)
    for cost in ("lm-nll", "nll-test", "kl-to-mle", "bleu-3", "distinct-2"):
        assert f"{cost} at equal reward-length:4-6: " in told
        assert (tmp_path / "out" / f"{cost}-reward-keyword:bo.svg").is_file()
    assert "the best of any sampler or step" in told
    read = from_json(found, tmp_path)
    assert [sampler.name for sampler in means(read)["mle_weight=1.0 (1 seed)"]][:2] == ["step 0", "step 4"]


def test_the_policies_of_a_training_with_labels_are_measured_given_these(tmp_path: Path) -> None:
    options = {**TINY_GAME, "iterations": 4, "save_steps": 4, "keep": 9, "threads": 1, "device": "cpu"}
    labels = ["warm" if "anna" in line or "bo" in line else "cold" for line in LINES]
    run = seqgan.train(LINES, labels=labels, run_dir=tmp_path / "run", **options)
    [points] = sweep([run], count=20).curves.values()
    ends = run.evaluate(count=20)
    for number, stage in ((points[0][Sampler(step=0)], "mle"), ([*points[0].values()][-1], "final")):
        for measure in ("nll-test", "bleu-3", *(["kl-to-mle"] if stage == "final" else [])):
            assert number[measure].value == pytest.approx(ends[stage][measure].value), (stage, measure)


def test_trainings_are_compared_where_they_earn_more_than_before() -> None:
    def training(*points: tuple[float, float]) -> dict[Sampler, Row]:
        return {
            Sampler(step=10 * at): {"reward-rhyme": Measured(earned, 0.01, "n:9"), "lm-nll": Measured(nll, 0.01, "n:9")}
            for at, (earned, nll) in enumerate(points)
        }

    def gap(mine: dict[Sampler, Row]) -> dict[int, float]:
        line = training((0.0, 4.0), (1.0, 5.0))
        both = Swept({"a": {0: mine}, "b": {0: line}}, {"reward-rhyme": Measured(0.9, 0.01, "n:9")})
        return of(both, Plane("reward-rhyme", "lm-nll")).by_seed

    assert gap(training((0.0, 4.0), (0.5, 4.1))) == {0: pytest.approx(0.4)}  # of the point after the start
    # Two points earn no more than one before them.
    wandering = training((0.0, 4.0), (0.5, 4.1), (0.4, 9.0), (0.5, 9.0), (0.7, 4.2))
    assert gap(wandering) == {0: pytest.approx((0.4 + 0.5) / 2)}


def test_a_run_that_kept_no_checkpoints_has_no_curve_of_training(runs: list[seqgan.TrainedRun]) -> None:
    with pytest.raises(UsageError, match=r"0 keeps 2 of the policies .* train with such as --save-steps 20 --keep 10"):
        sweep(runs)
    assert "leave out --temperatures" in refusal("sweep", runs[0].folder, "--checkpoints", "--top-k", "3")[0]


@pytest.fixture
def swept(runs: list[seqgan.TrainedRun], tmp_path: Path) -> list[Path]:
    """Copies of the runs, swept by numbers that are given."""
    numbers = Swept(
        {"seqgan mle": {0: curve([(0.2, 0.3), (0.4, 0.5)], *BLEU)}}, row(self_bleu_3=0.1, bleu_3=0.6, lm_nll=4.0)
    )
    found = as_json(numbers) | {"summary": ["mle is better than final by 0.1."]}
    folders = [Path(shutil.copytree(run.folder, tmp_path / run.folder.name)) for run in runs]
    for folder in folders:
        content = {"steps": max(checkpoints(folder)), **found}
        (folder / "sweep.json").write_text(json.dumps(content), encoding="utf-8")
    return folders


def test_the_report_shows_the_plane_where_a_sweep_was_made(runs: list[seqgan.TrainedRun], swept: list[Path]) -> None:
    assert "Quality against variety" not in (runs[0].folder / "report.html").read_text()
    call("report", swept[0])
    text = (swept[0] / "report.html").read_text()
    assert text.count('<svg class="plane"') == 1  # nothing is known of the other planes
    assert "<title>seqgan mle, temperature 0.9: bleu-3 0.500 ±.010, self-bleu-3 0.400 ±.010</title>" in text
    assert "<li>mle is better than final by 0.1.</li>" in text
    assert '<th scope="row">real</th><td>0.600 ±.010</td><td>0.100 ±.010</td></tr>' in text
    assert "The sweep shown is of" not in text


def test_runs_of_one_sweep_show_it_once(swept: list[Path], tmp_path: Path) -> None:
    call("report", *swept, "--output", tmp_path / "two.html")
    text = (tmp_path / "two.html").read_text()
    assert text.count('<section class="sweep">') == 1
    assert "Quality against variety of 0, 1<" in text


def test_a_sweep_that_is_old_or_damaged_is_told(swept: list[Path]) -> None:
    place = swept[0] / "sweep.json"
    content = json.loads(place.read_text())
    place.write_text(json.dumps(content | {"steps": content["steps"] - 1}))
    call("report", swept[0])
    text = (swept[0] / "report.html").read_text()
    assert f"is of step {content['steps'] - 1} and the run at step {content['steps']}; make it again with" in text
    assert '<svg class="plane"' in text
    for damage in ("{", json.dumps(content | {"curves": {"a": [{}]}})):
        place.write_text(damage)
        call("report", swept[0])
        text = (swept[0] / "report.html").read_text()
        assert "make the sweep again" in text
        assert "Quality against variety" not in text


def test_a_run_that_was_swept_may_be_replaced(swept: list[Path]) -> None:
    seqgan.train(LINES, run_dir=swept[0], overwrite=True, threads=1, device="cpu", algorithm="mle", **TINY)
    assert not (swept[0] / "sweep.json").exists()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_plane_has_the_colours_of_the_page(swept: list[Path], browser: Browser, scheme: str) -> None:  # noqa: F811
    call("report", swept[0])
    browser.open(swept[0] / "report.html", 360, scheme)
    assert browser.run("return document.documentElement.scrollWidth") == 360
    found = browser.run(
        "return ['.plane path', '.plane circle', '.plane text'].map((name) => getComputedStyle(document.querySelector("
        "name))).flatMap((style) => [style.stroke, style.fill])"
    )
    line, soft = {
        "light": ("rgb(31, 78, 160)", "rgb(86, 92, 102)"),
        "dark": ("rgb(127, 176, 255)", "rgb(169, 175, 185)"),
    }[scheme]
    assert found == [line, "none", line, line, "none", soft]
    assert browser.errors() == []
