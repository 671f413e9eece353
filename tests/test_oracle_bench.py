"""The oracle benchmark: arms that differ in one field, runs that resume, a perfect reward that wins."""

import json
import time
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from seqgan.bench import oracle as bench
from seqgan.bench import time_table
from seqgan.bench.arms import ARMS, COMPARED, SIZES, algorithm_of, begins_with_start, config_of, told
from seqgan.bench.oracle import RESULT, Job, missing, read_result, run_all
from seqgan.bench.oracle_table import TUNED, beside_curve, tell
from seqgan.bench.timed import Timed
from seqgan.cli import seqgan
from seqgan.core.loop import train
from seqgan.core.phase import Phase
from seqgan.core.record import read_record
from seqgan.core.report import Measured
from seqgan.core.run import Run, create
from seqgan.errors import ConfigError, RunError, UsageError

FEW = ("mle", "random", "seqgan", "constant")


def jobs(out: Path, arms: tuple[str, ...], seeds: int = 1) -> list[Job]:
    return [Job(out, "tiny", arm, seed, None) for seed in range(seeds) for arm in arms]


def run(arms: list[Job], workers: int = 1) -> list[str]:
    lines: list[str] = []
    run_all(arms, workers, 1, lines.append)
    return lines


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("oracle")
    run(jobs(out, FEW, seeds=2))
    return out


# --- the arms


@pytest.mark.parametrize("name", [name for name, arm in ARMS.items() if arm.of])
def test_an_arm_is_another_with_one_field_changed(name: str) -> None:
    arm, mine, other = ARMS[name], asdict(config_of(name, "small")), asdict(config_of(ARMS[name].of, "small"))
    changed = {key for key in mine.keys() & other.keys() if mine[key] != other[key]}
    assert len(arm.change) + bool(arm.algorithm) + bool(arm.reward) == 1
    assert changed - {"baseline"} == set(arm.change)  # that of one algorithm means nothing in another
    assert (mine.keys() == other.keys()) == (not arm.algorithm)
    assert all(str(value) in told(name) for value in arm.change.values() if not isinstance(value, tuple))


def test_all_adversarial_arms_begin_with_the_policy_of_mle_and_learn_no_more_from_text_before() -> None:
    for name in ARMS:
        if algorithm_of(name) != "mle":
            of_start = name in (*COMPARED, "official-discriminator")
            assert begins_with_start(name) == of_start
            assert (config_of(name, "small").mle_epochs == 0) == of_start


def test_the_official_discriminator_learns_on_the_policy_of_mle_as_that_of_the_paper_does() -> None:
    mine, paper = config_of("official-discriminator", "paper"), config_of("official", "paper")
    assert mine.iterations == 0
    names = [name for name in asdict(paper) if name.startswith("d_")]
    assert {name: getattr(mine, name) for name in names} == {name: getattr(paper, name) for name in names}
    rounds, batches = mine.d_pretrain_rounds * mine.d_epochs, -(-2 * SIZES["paper"].train // mine.d_batch_size)
    assert rounds * batches == 46_950  # 46,800 in the published code, which drops batches that are not full


# --- the runs


def test_what_is_measured_is_only_read(done: Path) -> None:
    assert run(jobs(done, FEW, seeds=2)) == ["8 trainings, 8 of which are measured"]


def test_an_arm_without_its_result_is_done_again_with_the_same_numbers(done: Path) -> None:
    place = done / "seed-0" / "constant" / RESULT
    before = dict(np.load(place))
    place.unlink()
    assert [job.arm for job in missing(jobs(done, FEW, seeds=2))] == ["constant"]
    run(jobs(done, FEW))
    for name, values in np.load(place).items():
        if name != "seconds":
            np.testing.assert_array_equal(values, before[name])


def test_two_at_a_time_measure_what_one_does(done: Path, tmp_path: Path) -> None:
    run(jobs(tmp_path, ("mle", "random")), workers=2)
    for arm in ("mle", "random"):
        mine, theirs = (dict(np.load(out / "seed-0" / arm / RESULT)) for out in (tmp_path, done))
        for name in mine.keys() - {"seconds"}:
            np.testing.assert_array_equal(mine[name], theirs[name])


def test_another_experiment_in_the_folder_is_refused(done: Path) -> None:
    with pytest.raises(RunError, match="was begun with size"):
        run([job._replace(size="small") for job in jobs(done, ("mle",))])


def test_a_bench_from_before_an_option_there_is_now_is_gone_on_with(tmp_path: Path) -> None:
    run(jobs(tmp_path, ("random",)))
    about = tmp_path / "seed-0" / "random" / "run.json"
    recorded = json.loads(about.read_text())
    del recorded["config"]["weight_drop"]
    about.write_text(json.dumps(recorded))
    run(jobs(tmp_path, ("random",)))
    recorded["config"]["hidden_dim"] = 999
    about.write_text(json.dumps(recorded))
    with pytest.raises(RunError, match="was begun with hidden_dim 999"):
        run(jobs(tmp_path, ("random",)))


def test_a_damaged_result_is_refused_by_name(done: Path, tmp_path: Path) -> None:
    run(jobs(tmp_path, ("random",)))
    (tmp_path / "seed-0" / "random" / RESULT).write_bytes(b"nothing")
    with pytest.raises(RunError, match="is damaged") as caught:
        run(jobs(tmp_path, ("random",)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("arm", ["best-of-8", "accept"])
def test_a_discriminator_that_chooses_leaves_the_policy_of_mle_as_it_is(done: Path, arm: str) -> None:
    run(jobs(done, (arm,)))
    found = {name: read_result(job) for job in jobs(done, ("mle", arm)) for name in [job.arm]}
    plain, chosen = found["mle"].rows[1.0], found[arm].rows[1.0]
    assert found[arm].valid_nll == pytest.approx(found["mle"].valid_nll)
    assert chosen.keys() == {*plain, "d-auc"}
    less = chosen["forward-kl"] - plain["forward-kl"]  # a policy of four epochs leaves something to see
    assert less.value < -3 * less.stderr
    assert "keep=1 of 8" in told("best-of-8")


def test_the_auc_is_that_of_the_arms_discriminator_on_test_sequences(done: Path, tmp_path: Path) -> None:
    job, without = jobs(done, ("seqgan", "mle"))
    arrays = dict(np.load(job.place / RESULT))
    real, fake = arrays[bench.REAL], arrays[bench.FAKE]
    pairs = (real[:, None] > fake).mean() + (real[:, None] == fake).mean() / 2
    told_auc = read_result(job).rows[1.0]["d-auc"]
    assert told_auc.value == pytest.approx(pairs)
    assert told_auc.value > 0.5 + 4 * told_auc.stderr > 0.5
    assert "d-auc" not in read_result(without).rows[1.0]
    earlier = job._replace(out=tmp_path)  # a bench of an earlier version is read
    earlier.place.mkdir(parents=True)
    np.savez(
        earlier.place / RESULT, **{name: of for name, of in arrays.items() if name not in (bench.REAL, bench.FAKE)}
    )
    assert "d-auc" not in read_result(earlier).rows[1.0]


def test_an_adversarial_arm_wants_the_policy_that_it_begins_with(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="add mle to --arms"):
        run(jobs(tmp_path, ("constant",)))


# --- over the seconds of training


class Ticking:
    """An algorithm of one phase, whose updates and checks take as long as it is told, by a clock of its own."""

    def __init__(self, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock, self.done, self.steps = 0.0, 0, steps
        monkeypatch.setattr(time, "perf_counter", lambda: self.clock)

    def tick(self, seconds: float) -> dict[str, float]:
        self.clock += seconds
        return {"loss": self.clock}

    def phases(self) -> list[Phase]:
        return [Phase("steps", self.steps, lambda step: self.tick(1.0), check=lambda step: self.tick(0.5))]

    def state_dict(self) -> dict[str, Any]:
        return {"clock": self.clock}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.clock = state["clock"]

    def exports(self) -> dict[str, bytes]:
        return {}


def test_the_clock_counts_updates_and_checks_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A measurement takes 1,000 seconds; after 15 seconds of training nothing is begun."""
    algorithm = Ticking(steps=100, monkeypatch=monkeypatch)
    timed = Timed(algorithm, lambda: {"quality": algorithm.tick(1000.0)["loss"]}, limit=15.0)
    create(tmp_path / "run", {"seed": 0}, {})
    with Run(tmp_path / "run") as run:
        train(timed, run)
    assert timed.seconds == 15.0  # ten steps of 1.5
    lines = [line for line in read_record(tmp_path / "run") if "quality" in line]
    assert [line["seconds"] for line in lines] == [1.5, 3.0, 4.5, 6.0, 7.5, 9.0, 10.5, 12.0, 13.5, 15.0]
    again = Timed(Ticking(100, monkeypatch), dict, limit=30.0)
    again.load_state_dict(timed.state_dict())
    assert again.seconds == 15.0
    assert again.phases()[0].finished() is False
    again.limit = 15.0
    assert again.phases()[0].finished() is True


def test_measurements_of_a_training_become_rarer(monkeypatch: pytest.MonkeyPatch) -> None:
    timed = Timed(Ticking(200, monkeypatch), lambda: {"quality": 0.0}, limit=1e9)
    (phase,) = timed.phases()
    assert phase.check is not None
    seconds = []
    for step in range(1, 201):
        phase.update(step)
        seconds += [found["seconds"] for found in [phase.check(step)] if "quality" in found]
    assert all(later >= 1.1 * earlier for earlier, later in pairwise(seconds))
    assert len(seconds) < 50
    assert seconds[-1] > 200


def test_arms_with_an_mle_of_their_own_are_told_over_their_seconds(tmp_path: Path) -> None:
    arms = ["--arms", "fast,fast-constant", "--size", "tiny", "--seeds", "1"]
    told_to = call(*arms, "--minutes", "0.02", "--target", "4", "--out", str(tmp_path), "--markdown")
    assert told_to.exit_code == 0, told_to.output
    assert "time to an nll-oracle of 4" in told_to.output
    assert (tmp_path / "time.png").read_bytes().startswith(b"\x89PNG")
    assert set(json.loads((tmp_path / "oracle.json").read_text())["time"]["arms"]) == {"fast", "fast-constant"}
    job = Job(tmp_path, "tiny", "fast", 0, None, 0.02)
    result = read_result(job)
    assert 0 < result.seconds < 3  # a limit of 1.2
    assert [point["seconds"] for point in result.trace] == sorted(point["seconds"] for point in result.trace)
    assert result.trace[-1]["forward_kl"] > 0
    assert not missing([job])
    with pytest.raises(RunError, match="was begun with minutes"):
        run([job._replace(minutes=0.0)])


def test_a_target_is_reached_at_the_first_measurement_below_it_or_by_a_temperature() -> None:
    def at(nll_oracle: float, nll_test: float) -> dict[str, Measured]:
        numbers = {"nll-oracle": nll_oracle, "nll-test": nll_test, "reverse-kl": nll_oracle / 2}
        return {name: Measured(value, 0.0, "") for name, value in numbers.items()}

    trace = [
        {"seconds": 1.0, "nll_oracle": 9.0},
        {"seconds": 2.0, "nll_oracle": 8.5},
        {"seconds": 3.0, "nll_oracle": 8.7},
    ]
    result = bench.Result({0.8: at(8.0, 7.5), 1.0: at(9.0, 7.0)}, 3.0, 7.0, trace)
    assert time_table.reached(result, 8.6) == 2.0
    assert np.isnan(time_table.reached(result, 8.4))
    assert time_table.at_target(result, 8.5) == pytest.approx((0.9, 7.25, 4.25))
    assert np.isnan(time_table.at_target(result, 9.5).temperature)
    _, _, (cells,) = time_table.table({("mle", 0): result}, 8.6)
    assert cells[0] == "mle"
    assert cells[4] == "2 s"
    told_of = time_table.as_json({("mle", 0): result, ("random", 0): bench.Result({}, 0.0, 0.0)}, 8.4)
    by_temperature = {
        "temperature": pytest.approx(0.88),
        "nll_test": pytest.approx(7.3),
        "reverse_kl": pytest.approx(4.2),
    }
    expected = {"seconds": 3.0, "reached": None, "by_temperature": by_temperature, "trace": trace}
    assert told_of == {"target": 8.4, "arms": {"mle": {"0": expected}}}


# --- what is told


def test_the_first_oracle_table_says_what_each_arm_changes_and_how_sure_it_is(done: Path) -> None:
    told_of = tell(run_all(jobs(done, FEW, seeds=2), 1, 1, lambda text: None))
    assert list(told_of.rows) == ["random", "mle", "seqgan", "constant"]
    assert set(told_of.differences) == {"mle", "constant"}
    assert told_of.rows["random"]["forward-kl"].value > told_of.rows["mle"]["forward-kl"].value
    assert 0 < told_of.differences["mle"]["random"]["forward-kl"].t_test < 1
    assert told_of.differences["mle"]["random"]["forward-kl"].sign_flips == 0.5  # of two seeds, no less
    assert list(told_of.curve) == [0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1]
    entropies = [row["entropy"].value for row in told_of.curve.values()]
    assert entropies == sorted(entropies)
    assert told_of.curve[1.0]["nll-test"].value == told_of.rows["mle"]["nll-test"].value


def test_the_best_trial_of_mle_is_chosen_by_validation(tmp_path: Path) -> None:
    arms = ("mle", "mle-lr-.01", "mle-larger")
    results = run_all(jobs(tmp_path, arms), 1, 1, lambda text: None)
    best = min(arms, key=lambda arm: results[arm, 0].valid_nll)
    assert tell(results).rows[TUNED]["nll-test"] == results[best, 0].rows[1.0]["nll-test"]


def test_a_policy_on_the_curve_of_temperatures_is_beside_it_by_nothing() -> None:
    def at(forward: float, reverse: float) -> dict[str, Measured]:
        return {"forward-kl": Measured(forward, 0.0, ""), "reverse-kl": Measured(reverse, 0.0, "")}

    curve = {0.7: at(1.4, 0.6), 0.8: at(1.2, 0.8), 1.0: at(1.0, 1.2), 1.1: at(1.1, 1.5)}
    assert beside_curve(at(1.0, 1.2), curve) == pytest.approx(0)
    assert beside_curve(at(1.1, 1.0), curve) == pytest.approx(0)
    assert beside_curve(at(1.1, 0.9), curve) == pytest.approx(-0.1)
    assert beside_curve(at(0.9, 1.2), curve) == pytest.approx(0)  # no temperature covers as much
    assert np.isnan(beside_curve(at(1.5, 0.5), curve))


def call(*arguments: str) -> Result:
    return CliRunner().invoke(seqgan, ["bench", "oracle", *arguments], catch_exceptions=False)


def test_the_command_prints_tables_and_leaves_json_and_a_plane(done: Path) -> None:
    arguments = ["--size", "tiny", "--seeds", "2", "--arms", ",".join(FEW), "--out", str(done)]
    told_to = call(*arguments, "--markdown")
    assert told_to.exit_code == 0, told_to.output
    assert "| constant | seqgan, control=constant |" in told_to.output
    assert (done / "plane.png").read_bytes().startswith(b"\x89PNG")
    found = json.loads((done / "oracle.json").read_text(encoding="utf-8"))
    assert found["arms"]["mle"]["forward-kl"]["value"] > 0
    assert found["differences"]["seqgan - mle"]["reverse-kl"].keys() == {"mean", "stderr", "t_test", "sign_flips"}


def test_an_unknown_arm_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(ConfigError, match="no arm 'seqgam'; did you mean seqgan"):
        call("--arms", "mle,seqgam")


def test_weights_of_another_vocabulary_are_refused(real_data: Path, tmp_path: Path) -> None:
    weights = real_data / "oracle" / "seqgan_oracle.npz"
    with pytest.raises(UsageError, match="is an oracle of 5000 tokens"):
        call("--size", "tiny", "--arms", "random", "--oracle-weights", str(weights), "--out", str(tmp_path))


# --- the positive control


def test_the_reward_of_a_perfect_discriminator_brings_the_policy_nearer_to_the_oracle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    longer = SIZES["tiny"]._replace(mle_epochs=20, iterations=40, samples=4000, test=4000)
    monkeypatch.setitem(SIZES, "tiny", longer)
    told_of = tell(run_all(jobs(tmp_path, ("mle", "exact")), 1, 1, lambda text: None))
    before, after = told_of.rows["mle"], told_of.rows["exact"]
    assert (after["reverse-kl"] - before["reverse-kl"]).value < -0.01
    assert (after["reverse-kl"] - before["reverse-kl"]).differs
