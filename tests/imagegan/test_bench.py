"""What a bench may compare: equal budgets, counted; failures, told. A kill changes nothing."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pytest
import torch

from imagegan import training
from imagegan.bench import measures, plan, runs, table
from imagegan.bench.measures import Known, Source, known, measured
from imagegan.bench.plan import images_in_round, recipes_of, rounds_within
from imagegan.bench.runs import Job, Result
from imagegan.cli import imagegan
from imagegan.game import Game, View
from imagegan.measures import Row
from imagegan.summary import collapsed
from imagegan.variants.configs import PRESETS
from seqgan.core.report import Measured
from seqgan.errors import DivergedError, SeqGANError
from tests.imagegan.tiny import SHAPE, config_of, made

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": "1"}
BUDGET = 8 * 1000


# --- the budget


def images_in(model: str, rounds: int, **changes: Any) -> int:
    """How many images pass through the turns of so many rounds, of every level."""
    recipes = recipes_of(model, config_of(model, **changes), SHAPE)
    return sum(images_in_round(recipes, 8, step) for step in range(1, rounds + 1))


@pytest.mark.parametrize(
    ("model", "rounds", "batches"),
    [
        ("vae", 30, 30),  # one player
        ("dcgan", 30, 60),  # a turn each
        ("wgan-gp", 30, 30 * (5 + 1)),
        ("wgan", 30, 25 * (9 + 1) + 5 * (5 + 1)),  # 25 rounds of a burst
        ("lapgan", 30, (2 + 1 + 1) * 30 * 2),  # 7 pixels twice as often as 14 and 28
    ],
)
def test_every_turn_of_every_player_costs_a_batch(model: str, rounds: int, batches: int) -> None:
    turns = {
        "wgan": {"critic_steps": 5, "critic_burst": 9},
        "wgan-gp": {"critic_steps": 5},
        "lapgan": {"top_rounds": 2},
    }
    recipes = recipes_of(model, config_of(model, **turns.get(model, {})), SHAPE)
    assert images_in(model, rounds, **turns.get(model, {})) == 8 * batches
    assert rounds_within(recipes, 8, 8 * batches) == rounds
    assert rounds_within(recipes, 8, 8 * batches - 1) == rounds - 1
    with pytest.raises(SeqGANError, match="a budget of 7 images is too small for"):
        rounds_within(recipes, 8, 7)


@pytest.mark.parametrize("model", ["dcgan", "wgan", "lapgan"])
def test_a_training_takes_as_many_images_as_were_counted(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    game = made(model, steps=3)
    drawn: list[int] = []
    seen = Game.view

    def counted(self: Game, *place: Any) -> View:
        view = seen(self, *place)
        drawn.append(view.count)
        return view

    monkeypatch.setattr(Game, "view", counted)
    for phase in game.phases():
        for step in range(1, phase.steps + 1):
            phase.update(step)
    assert sum(drawn) == images_in(model, 3)


def test_every_model_gets_the_rounds_of_the_budget(tmp_path: Path) -> None:
    found = plan.compared(["gan", "wgan-gp"], Source("ring"), [3, 5], "default", 60_000, tmp_path)
    for model, jobs in found.items():
        config = jobs[0].chosen.config
        turns = 2 if model == "gan" else 6
        assert config.steps == 60_000 // (turns * config.batch_size)
        assert [job.seed for job in jobs] == [3, 5]
        assert {job.source.name for job in jobs} == {"ring"}
    assert len({job.place for jobs in found.values() for job in jobs}) == 4


def test_without_a_budget_every_model_gets_the_rounds_of_its_preset(tmp_path: Path) -> None:
    found = plan.compared(list(PRESETS), Source("ring"), [0], "quick", 0, tmp_path)
    for model, (job,) in found.items():
        assert job.chosen.config.steps == PRESETS[model]["quick"]["steps"]


# --- the table


def result(seed_value: float, failed: str | None = None) -> Result:
    row = {"fd-random": Measured(seed_value, 0.1, "FD[x]")}
    rows: dict[str, Row] = {"test": row, "real": row}
    return Result(failed, {} if failed == "diverged" else rows, 10.0, 4.0)


def test_a_line_holds_mean_and_deviation_over_seeds_and_counts_what_failed() -> None:
    entry = table.entry("gan", [result(1.0), result(3.0), result(math.nan, "diverged"), result(5.0, "collapsed")])
    assert entry.row == {"fd-random": Measured(3.0, 2.0, "FD[x]")}
    assert (entry.runs, entry.failed, entry.cpu_seconds) == (4, 2, 10.0)
    one = table.entry("gan", [result(1.0)], rounds=7)
    assert table.rows("digits", [entry, one]) == [
        ["digits", "fd-random", "failed", "rounds", "CPU s", "train s"],
        ["gan*", "3.0 ±2.0", "2 of 4", "0", "10", "4"],
        ["gan", "1", "", "7", "10", "4"],
    ]
    assert table.notes([entry, one]) == ["fd-random: FD[x]"]
    assert table.as_json(table.entry("gan", [result(math.nan, "diverged")]))["numbers"] == {}


def test_a_line_of_real_images_stands_before_those_of_the_models() -> None:
    source = Source("ring")
    jobs = {name: Job(Path(name), "gan", source, 0, plan.as_preset("gan", source, "default")) for name in ("a", "b")}
    results = {Path("a"): result(7.0, "collapsed"), Path("b"): result(0.0, "diverged")}
    real, a, b = table.entries({name: [job] for name, job in jobs.items()}, results)
    assert (real.model, a.model, b.model) == ("real", "a", "b")
    assert real.row["fd-random"].value == a.row["fd-random"].value == 7.0
    assert (b.failed, b.row) == (1, {})
    assert table.rows("ring", [real, b])[1] == ["real", "7", "", "", "", ""]


def test_half_the_variety_is_a_collapse() -> None:
    row = {"variety": Measured(0.51, math.nan, ""), "classes": Measured(0.5, math.nan, "")}
    assert not collapsed(row)
    assert collapsed({**row, "variety": Measured(0.49, math.nan, "")})
    assert collapsed({**row, "classes": Measured(0.4, math.nan, "")})


# --- measuring


@pytest.fixture
def of_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Known:
    """A few of them, and a classifier that has hardly learned."""
    monkeypatch.setattr(measures, "SAMPLES", 60)
    monkeypatch.setattr("imagegan.metrics.predictors.predictor.__kwdefaults__", {"steps": 5, "folder": tmp_path})
    return known(Source("digits"), 600, 0)


def test_samples_and_the_floor_are_compared_with_the_same_images(of_digits: Known) -> None:
    both = torch.cat([of_digits.valid.pixels, of_digits.test.held_out])
    assert len(both.unique(dim=0)) == len(both) == 120
    rows = measured(made("gan"), of_digits, 0)
    assert list(rows) == ["real", "test", "valid"]
    assert set(rows["valid"]) == {"fd-random"}
    assert rows["valid"]["fd-random"].signature.endswith("N=60, validation]")
    assert rows["valid"]["fd-random"].value != rows["test"]["fd-random"].value
    assert rows["test"]["fd-random"].signature.endswith("N=60, test]")
    assert rows["real"]["fd-random"].value < rows["test"]["fd-random"].value
    assert rows == measured(made("gan"), of_digits, 0)


def test_a_few_images_have_no_validation_split() -> None:
    with pytest.raises(SeqGANError, match="digits has 100 training images, too few for a validation split; 200 or"):
        known(Source("digits"), 100, 0)


def test_conditional_models_have_an_accuracy_and_codes_an_agreement(of_digits: Known) -> None:
    found = {model: measured(made(model), of_digits, 0)["test"] for model in ("gan", "cgan", "infogan")}
    extra = {model: {"accuracy", "agreement"} & set(row) for model, row in found.items()}
    assert extra == {"gan": set(), "cgan": {"accuracy"}, "infogan": {"agreement"}}


def test_what_networks_have_learned_of_the_classes_is_measured_on_held_out_images(of_digits: Known) -> None:
    found = {model: measured(made(model), of_digits, 0) for model in ("dcgan", "cgan", "semi-gan", "bigan")}
    names = ("linear", "test-error", "test-error-baseline")
    extra = {model: set(names) & set(rows["test"]) for model, rows in found.items()}
    # A discriminator that is given the class has no features of images alone.
    assert extra == {"dcgan": {"linear"}, "cgan": set(), "semi-gan": set(names), "bigan": {"linear"}}
    assert found["bigan"]["test"]["linear"].signature.startswith("accuracy of a linear classifier of codes E(x)")
    pixels = of_digits.real["linear"]
    assert pixels.signature == "accuracy of a linear classifier of pixels, trained on 600 images, N=60"
    assert pixels.value > 0.9  # these are easy
    shown = table.columns_of([table.entry(model, [Result(None, rows, 1.0, 1.0)]) for model, rows in found.items()])
    assert shown[-3:] == list(names)


# --- runs


def job_of(folder: Path) -> Job:
    ((job,),) = plan.compared(["gan"], Source("ring"), [0], "default", BUDGET, folder).values()
    return job


def test_a_run_that_diverges_is_starred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverging(*args: Any, **kwargs: Any) -> None:
        raise DivergedError("a loss is NaN")

    monkeypatch.setattr(training, "carry_out", diverging)
    job = job_of(tmp_path)
    assert runs._one(job).failed == "diverged"
    again = runs.read_result(job.place)
    assert (again.failed, again.rows) == ("diverged", {})
    assert table.rows("ring", [table.entry("gan", [again])])[1][:2] == ["gan*", "1 of 1"]


def told_by(words: Sequence[str]) -> Any:
    """The JSON that a command prints, without the seconds it took."""
    done = subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout, object_hook=lambda table: {k: v for k, v in table.items() if "seconds" not in k})


@pytest.mark.parametrize(
    ("words", "runs_of_it"),
    [
        (["models", "--models", "gan,wgan", "--seeds", "0,1", "--jobs", "2"], {"gan": 2, "wgan": 2}),
        (["study", "--models", "lsgan", "--seeds", "1", "--trials", "2", "--width", "4"], {"lsgan": 3}),
    ],
)
def test_killed_in_the_middle_and_called_again_it_prints_the_same(
    words: list[str], runs_of_it: dict[str, int], tmp_path: Path
) -> None:
    def command(out: str) -> list[str]:
        options = ["--data", "ring", "--budget", str(BUDGET), "--json", "--out", str(tmp_path / out)]
        return [sys.executable, "-m", "imagegan", "bench", *words, *options]

    whole = told_by(command("whole"))
    measured = list(tmp_path.glob("whole/ring/*/*/bench.json"))
    assert {model: sum(path.parts[-3] == model for path in measured) for model in runs_of_it} == runs_of_it
    process = subprocess.Popen(command("killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    while process.poll() is None and not any(tmp_path.glob("killed/ring/*/*/bench.json")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = {path: path.stat().st_mtime_ns for path in tmp_path.glob("killed/ring/*/*/bench.json")}
    assert 1 <= len(done) < len(measured)
    assert told_by(command("killed")) == whole
    assert {path: path.stat().st_mtime_ns for path in done} == done
    if words[0] == "models":
        assert [line["model"] for line in whole["data"]["ring"]] == ["real", *runs_of_it]
        assert whole["data"]["ring"][1]["numbers"]["modes"]["deviation"] is not None
        return
    ring = whole["data"]["ring"]
    assert [line["model"] for line in ring["seeds"]] == ["real", *runs_of_it]
    for name in runs_of_it:
        found = ring["models"][name]
        assert found["trials"][found["best"]]["valid"] == min(trial["valid"] for trial in found["trials"])
        assert found["curve"]["mean"][-1] == pytest.approx(found["trials"][found["best"]]["test"])
        kept = [path.parent.name for path in (tmp_path / "whole" / "ring" / name).glob("*/checkpoints")]
        assert kept == [f"trial-{found['best']}-seed-1"]
    assert (tmp_path / "killed" / "ring" / "study.png").read_bytes().startswith(b"\x89PNG")


def test_a_mistake_is_one_line(tmp_path: Path) -> None:
    plan_ = job_of(tmp_path / "bench")
    training.begin(plan_.place, plan_.model, plan_.chosen, "ring", seed=0, threads=1)
    begun = ["--models", "gan", "--data", "ring", "--seeds", "0", "--out", str(tmp_path / "bench")]
    for words, complaint in [
        (["--models", "gan,dcgam"], "there is no model 'dcgam'; did you mean"),
        (["--data", "digit"], "there is no set of images 'digit'; did you mean digits"),
        (["--data", f"fashion-mnist={tmp_path / 'none'}"], "there is no folder"),
        (["--data", "fashion-mnist"], "is read from a folder; give it by"),
        (["--seeds", "0,one"], "'0,one' is not a list such as 0,1,2: 'one' is not a whole number from 0"),
        (["--seeds", "-1"], "'-1' is not a list such as 0,1,2: '-1' is not a whole"),
        (["--budget", "100", "--models", "wgan-gp"], "a budget of 100 images is too small for 384"),
        (["--json", "--markdown"], "print either --json or --markdown"),
        ([*begun, "--budget", str(2 * BUDGET)], "was begun with other options: steps was"),
    ]:
        with pytest.raises((SeqGANError, click.ClickException), match=complaint):
            imagegan.main(["bench", "models", *words], standalone_mode=False)
    for words, complaint in [
        (["--models", "gan"], "there is no model 'gan'; did you mean"),
        (["--models", "lsgan", "--budget", "100"], "a budget of 100 images is too small for"),
        (["--models", "lsgan", "--data", "folder"], "is read from a folder; give it by"),
        (["--trials", "0"], "'0' is not a whole number from 1 to 1000"),
        (["--width", "1"], "'1' is not a whole number from 2"),
        (["--json", "--markdown"], "print either --json or --markdown"),
    ]:
        with pytest.raises((SeqGANError, click.ClickException), match=complaint):
            imagegan.main(["bench", "study", *words, "--out", str(tmp_path / "study")], standalone_mode=False)
    assert not (tmp_path / "study").exists()
    assert not (tmp_path / "bench" / "ring" / "gan" / "seed-0" / "bench.json").exists()
