"""What evaluations say of runs: which seed, how far training has come, what is copied; and runs beside one another."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqgan
from seqgan.compare import arms_of, compare
from seqgan.core.report import Measured, as_cell, as_difference
from seqgan.core.run import Interrupted, Run
from seqgan.data.corpus import Corpus
from seqgan.errors import UsageError
from seqgan.evaluation import summary
from seqgan.reporting import Evaluation, tables
from seqgan.runs import progress
from tests.conftest import TINY, TINY_GAME
from tests.test_cli import call, refusal

LINES = [f"{a} {b} and {b} {c}" for a in ("oh", "hi", "hm") for b in ("anna", "bo", "cleo", "dan") for c in range(20)]
OPTIONS: dict[str, Any] = {"threads": 1, "device": "cpu", **TINY_GAME}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, seqgan.TrainedRun]:
    """Two seeds of one arm, and another arm."""
    folder = tmp_path_factory.mktemp("runs")
    arms = {"a": {"seed": 3}, "b": {"seed": 4}, "c": {"seed": 3, "control": "constant"}}
    return {name: seqgan.train(LINES, run_dir=folder / name, **{**OPTIONS, **more}) for name, more in arms.items()}


# --- one run


def test_the_closing_evaluation_and_a_later_one_draw_with_the_seed_of_the_run(
    runs: dict[str, seqgan.TrainedRun],
) -> None:
    run = runs["a"]
    closing = json.loads((run.folder / "evaluations" / "training.json").read_text())
    printed = json.loads(call("evaluate", run.folder, "--json").stdout)
    assert closing["seed"] == printed["seed"] == run.evaluate().facts["seed"] == 3
    assert closing["rows"] == printed["rows"]
    assert closing["differences"] == printed["differences"]
    assert "drawn with seed 3" in call("evaluate", run.folder).stdout
    assert json.loads(call("evaluate", run.folder, "--json", "--seed", 0).stdout)["rows"] != closing["rows"]


def test_every_difference_of_rows_stands_in_json_with_its_paired_error(runs: dict[str, seqgan.TrainedRun]) -> None:
    told = runs["a"].evaluate().as_json()
    rows, differences = told["rows"], told["differences"]
    between = ["best-of-8 - mle", "final - mle", "final - best-of-8"]
    assert list(differences) == [*between, "mle - real", "best-of-8 - real", "final - real"]
    assert {"nll-valid", "nll-test", "entropy", "bleu-3", "backward-bleu-3", "self-bleu-3", "d-auc"} <= set(
        differences["final - mle"]
    )
    for pair, row in differences.items():
        first, second = pair.split(" - ")
        for name, number in row.items():
            assert number["value"] == pytest.approx(rows[first][name]["value"] - rows[second][name]["value"])
            if number["stderr"]:
                assert number["t"] == pytest.approx(number["value"] / number["stderr"])
                assert "err:paired" in number["signature"], name
    both = [rows[name]["nll-test"]["stderr"] for name in ("mle", "final")]
    assert differences["final - mle"]["nll-test"]["stderr"] < min(both)


def test_the_paired_error_of_nll_is_that_of_the_differences_of_texts(runs: dict[str, seqgan.TrainedRun]) -> None:
    run = runs["a"]
    test = run.corpus().test
    before, after = (np.array(run.log_probs(test, stage=stage)) for stage in ("mle", "final"))
    sizes = np.array([len(row) for row in run.model().encode(test)])
    changes = before - after
    ratio = changes.sum() / sizes.sum()
    influences = (changes - ratio * sizes) / sizes.sum()
    count = len(test)
    told = run.evaluate().differences["final - mle"]["nll-test"]
    assert told.value == pytest.approx(ratio, abs=1e-6)
    assert told.stderr == pytest.approx(np.sqrt(count / (count - 1) * (influences**2).sum()), rel=1e-3)


def test_the_short_table_has_the_test_split_and_a_column_of_differences(runs: dict[str, seqgan.TrainedRun]) -> None:
    [table] = tables(runs["a"].evaluate().rows, short=True)
    assert table.headings == ["", "mle", "final", "final - mle", "real"]
    assert [line[0] for line in table.cells][:2] == ["nll-valid", "nll-test"]
    assert all("±" in line[3] and line[3][0] in "+-" for line in table.cells)


def test_the_choice_of_the_discriminator_is_a_table_by_itself(runs: dict[str, seqgan.TrainedRun]) -> None:
    result = runs["a"].evaluate()
    [bleu] = [table for table in tables(result.rows) if table.title.startswith("BLEU")]
    assert bleu.headings == ["", "mle", "final", "final - mle", "real"]
    [table] = [table for table in tables(result.rows) if table.title.startswith("best-of-8: the discriminator")]
    assert table.headings == ["", "best-of-8", "best-of-8 - mle", "final - best-of-8"]
    assert [line[0] for line in table.cells] == list(result["best-of-8"])
    [shown] = [line[1:] for line in table.cells if line[0] == "bleu-3"]
    numbers = [result["best-of-8"]["bleu-3"], *(result.differences[pair]["bleu-3"] for pair in table.headings[2:])]
    assert shown == [as_cell(numbers[0]), *map(as_difference, numbers[1:])]
    assert table.signatures[-1].startswith("±")
    others = [table.headings[1:] for table in tables(result.rows) if table.title == "differences"]
    assert others == [["mle - real", "best-of-8 - real", "final - real"]]
    told = next(line for line in summary(result) if line.startswith("Without adversarial training, the discriminator"))
    chosen, final = result["best-of-8"]["bleu-3"], result["final"]["bleu-3"]
    assert f"among 8 samples of mle: bleu-3 {as_cell(chosen)} (final minus it {as_difference(final - chosen)})" in told
    assert list(runs["a"].evaluate(best_of=0).rows) == ["mle", "final", "real"]


def test_an_evaluation_prints_itself_and_tells_what_it_is(runs: dict[str, seqgan.TrainedRun]) -> None:
    run = runs["a"]
    result = run.evaluate(count=20)
    shown = str(result)
    assert "| bleu-3 " in shown
    assert "final - mle" in shown.splitlines()[0]
    assert "bleu-2..5: n:20|" in shown
    assert call("evaluate", run.folder, "-n", 20, "--markdown").stdout.startswith(
        "|  | mle | best-of-8 | final | real |"
    )
    assert result["final"]["bleu-3"] == result.rows["final"]["bleu-3"]
    for thing in (result, run, run.model()):
        assert len(repr(thing).splitlines()) == 1
        assert len(repr(thing)) < 160
    assert "seqgan" in repr(run)
    assert "word tokens" in repr(run.model())


def test_held_out_texts_that_were_split_are_one_text_each(tmp_path: Path) -> None:
    lines = [" ".join([line] * 3) for line in LINES]
    options = {**OPTIONS, "algorithm": "mle", "max_length": 8, "overlong": "split", "mle_epochs": 1}
    for name in set(TINY_GAME) - set(TINY):
        options.pop(name)
    run = seqgan.train(lines, run_dir=tmp_path / "run", **options)
    corpus, rows = run.corpus(), run.evaluate().rows
    assert f"err:texts/{len(corpus.test)}|" in rows["mle"]["nll-test"].signature
    assert f"err:texts/{len(corpus.valid)}|" in rows["real"]["length"].signature
    assert f"err:texts/{len(corpus.valid)}|" in rows["real"]["unknown"].signature
    assert int(rows["real"]["length"].signature.partition("|")[0][2:]) > len(corpus.valid)


# --- summary


def row(**values: float) -> dict[str, Measured]:
    return {name.replace("_", "-"): Measured(value, 0.01, "n:9") for name, value in values.items()}


def test_copying_is_remarked_upon() -> None:
    real = row(unknown=0.0, seen=0.1, self_bleu_2=0.5)
    result = Evaluation({"mle": row(seen=0.4), "final": row(seen=0.7), "real": real}, {"seed": 0})
    told = [line for line in summary(result) if "mostly copies" in line]
    assert told == [
        "70% of the final samples are copies of training texts (of held-out real texts 10%): the policy mostly copies."
    ]


def test_remarks_call_a_difference_one_by_its_paired_error() -> None:
    shared, own = np.full(100, 0.5), np.full(100, 0.0001)
    rows = {
        "mle": {
            "nll-valid": Measured.of(5.0, {"valid": shared}, ""),
            "bleu-3": Measured.of(0.2, {"samples": own}, ""),
            "kl-to-final": Measured(0.01, 0.001, ""),
        },
        "final": {
            "nll-valid": Measured.of(4.99, {"valid": shared + own}, ""),
            "bleu-3": Measured.of(0.2001, {"samples": -own}, ""),
            "kl-to-mle": Measured(0.01, 0.001, ""),
        },
        "real": row(unknown=0.0, self_bleu_2=0.5),
    }
    told = "\n".join(summary(Evaluation(rows, {"seed": 0})))
    assert "Final minus mle, more than the paired error explains: nll-valid -0.0100 ±.0010" in told
    assert "Final minus mle, no more than the paired error explains: bleu-3 +0.0001" in told


# --- training that has not ended


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A run that was stopped after the first step of a phase."""

    def stop(phase: str) -> Path:
        agree = Run.agree_on_what_is_due
        at = {"phase": ""}
        record = Run.record

        def recorded(self: Run, name: str, step: int, metrics: Any) -> None:
            at["phase"] = name
            record(self, name, step, metrics)

        def due(self: Run, step: int) -> tuple[bool, bool]:
            return (True, True) if at["phase"] == phase else agree(self, step)

        monkeypatch.setattr(Run, "record", recorded)
        monkeypatch.setattr(Run, "agree_on_what_is_due", due)
        with pytest.raises(Interrupted):
            seqgan.train(LINES, run_dir=tmp_path / "run", **OPTIONS)
        monkeypatch.undo()
        return tmp_path / "run"

    return stop


@pytest.mark.parametrize("phase", ["pretrain generator", "pretrain discriminator", "adversarial"])
def test_of_a_run_on_its_way_it_is_told_how_far_it_has_come(phase: str, stopped: Callable[[str], Path]) -> None:
    folder = stopped(phase)
    told = call("evaluate", folder).stdout
    begun = phase == "adversarial"
    assert f"1 step of {phase} so far" in told
    assert f"go on with seqgan train --resume {folder}" in told
    assert ("the adversarial phase has not begun, so that final is the MLE policy" in told) is not begun
    assert ("Adversarial training moved" in told) is begun
    assert "phase had no effect" not in told
    written = call("generate", folder, "-n", 2, "--seed", 0)
    assert "Training has not ended" in written.stderr
    assert len(written.stdout.splitlines()) == 2
    if not begun:
        return
    seqgan.train(LINES, run_dir=folder, resume=True, **OPTIONS)
    assert call("generate", folder, "-n", 2, "--seed", 0).stderr == ""
    assert "not ended" not in call("evaluate", folder).stdout


def test_a_run_has_ended_if_its_closing_evaluation_was_made_at_its_last_step(
    runs: dict[str, seqgan.TrainedRun],
) -> None:
    run = runs["b"]
    closing = run.folder / "evaluations" / "training.json"
    told = closing.read_text()
    try:
        assert "unfinished" not in progress(run.folder)
        closing.write_text(told.replace(f'"steps": {json.loads(told)["steps"]}', '"steps": 1'))
        assert "unfinished" in progress(run.folder)  # given more steps, and stopped on the way
        closing.unlink()
        assert "unfinished" in progress(run.folder)
    finally:
        closing.write_text(told)


# --- several runs


def test_runs_stand_beside_one_another_and_seeds_of_one_arm_become_its_mean(
    runs: dict[str, seqgan.TrainedRun],
) -> None:
    a, b, c = (run.evaluate() for run in runs.values())
    told = json.loads(call("evaluate", *(run.folder for run in runs.values()), "--json").stdout)
    arm = "control=none (2 seeds)"
    stages = ("mle", "best-of-8", "final")
    assert list(told["rows"]) == [*(f"{name} {stage}" for name in (arm, "c") for stage in stages), "real"]
    assert told["arms"] == {arm: ["a", "b"]}
    assert list(told["differences"]) == [
        *(f"{name} {pair}" for name in (arm, "c") for pair in ("best-of-8 - mle", "final - mle", "final - best-of-8")),
        *(f"c {stage} - {arm} {stage}" for stage in stages),
        *(f"{name} - real" for name in list(told["rows"])[:-1]),
    ]
    values = [result.rows["final"]["nll-test"].value for result in (a, b)]
    number = told["rows"][f"{arm} final"]["nll-test"]
    assert number["value"] == pytest.approx(np.mean(values))
    assert number["stderr"] == pytest.approx(np.std(values, ddof=1) / 2**0.5)
    assert "err:2 seeds" in number["signature"]
    changes = [result.differences["final - mle"]["nll-test"].value for result in (a, b)]
    change = told["differences"][f"{arm} final - mle"]["nll-test"]
    assert change["value"] == pytest.approx(np.mean(changes))
    assert change["stderr"] == pytest.approx(np.std(changes, ddof=1) / 2**0.5)
    assert told["rows"]["c final"]["nll-test"]["value"] == c.rows["final"]["nll-test"].value


def test_an_arm_is_named_by_what_differs_and_not_by_a_tokenizer_that_all_share() -> None:
    def of(control: str, tokenizer: str, sha256: str) -> dict[str, Any]:
        config = {"control": control, "tokenizer": tokenizer}
        about = {"algorithm": "seqgan", "custom": [], "init_from": None}
        return {**about, "config": config, "tokenizer_sha256": sha256}

    names = [name for name, _ in arms_of([of("none", "auto", "a"), of("constant", "char", "a")])]
    assert names == ["control=none (1 seed)", "control=constant (1 seed)"]
    names = [name for name, _ in arms_of([of("none", "word", "a"), of("none", "char", "b")])]
    assert names == ["tokenizer=word (1 seed)", "tokenizer=char (1 seed)"]


def test_an_arm_has_the_name_that_its_runs_share() -> None:
    def of(control: str, seed: int) -> dict[str, Any]:
        about = {"algorithm": "seqgan", "custom": [], "init_from": None, "tokenizer_sha256": "a", "seed": seed}
        return {**about, "config": {"control": control}}

    runs = [of(control, seed) for control in ("none", "constant") for seed in (0, 10)]
    named = arms_of(runs, ["game-0", "game-10", "held-0", "held-10"])
    assert named == [("game (2 seeds)", [0, 1]), ("held (2 seeds)", [2, 3])]
    by_config = [("control=none (2 seeds)", [0, 1]), ("control=constant (2 seeds)", [2, 3])]
    for names in (
        ["0", "10", "b-0", "b-10"],  # nothing is left
        ["a-0", "a-10", "a0", "a_10"],  # one name for both
        ["a-0", "b-10", "c-0", "c-10"],  # two names for one
        ["x/0", "x/10", "y/0", "y/10"],
    ):
        assert arms_of(runs, names) == by_config, names
    assert arms_of(runs[::2], ["a-0", "b-0"])[0][0] == "control=none (1 seed)"


def test_two_runs_are_compared_by_paired_errors(runs: dict[str, seqgan.TrainedRun]) -> None:
    first, second = runs["a"], runs["c"]
    result = compare([first, second])
    difference = result.differences["c final - a final"]
    by_hand = second.evaluate()["final"]["nll-test"] - first.evaluate()["final"]["nll-test"]
    assert (difference["nll-test"].value, difference["nll-test"].stderr) == (by_hand.value, by_hand.stderr)
    assert "d-auc" not in difference  # of two discriminators
    assert "d-auc" in result.differences["c final - mle"]
    shown = call("evaluate", first.folder, second.folder, "--markdown").stdout
    assert "c final - a final" in shown
    assert "a: MLE keeps step" in shown


def test_runs_of_other_texts_are_not_compared(runs: dict[str, seqgan.TrainedRun], tmp_path: Path) -> None:
    other = seqgan.train(LINES[::2], run_dir=tmp_path / "other", **{**OPTIONS, "iterations": 1})
    assert "trained on different texts" in refusal("evaluate", runs["a"].folder, other.folder)[0]
    with pytest.raises(UsageError, match="given twice"):
        compare([runs["a"], runs["a"]])
    parts = runs["a"].corpus()
    same = Corpus("same", parts.train, parts.valid, parts.test)
    short = seqgan.train(same, run_dir=tmp_path / "short", **{**OPTIONS, "iterations": 1, "max_length": 4})
    assert "encode their held-out texts differently" in refusal("evaluate", runs["a"].folder, short.folder)[0]
    assert "--blind goes with one RUN" in refusal("evaluate", *[runs["a"].folder] * 2, "--blind", tmp_path / "s.csv")[0]


def test_a_file_beside_real_text_gets_the_difference_too(tmp_path: Path) -> None:
    for name, lines in (("s", LINES[:30]), ("r", LINES[30:60]), ("real", LINES[60:95])):
        (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n")
    files = ["--samples", tmp_path / "s.txt", "--references", tmp_path / "r.txt", "--real", tmp_path / "real.txt"]
    told = json.loads(call("evaluate", *files, "--json").stdout)
    rows, difference = told["rows"], told["differences"]["s.txt - real"]["bleu-2"]
    assert difference["value"] == pytest.approx(rows["s.txt"]["bleu-2"]["value"] - rows["real"]["bleu-2"]["value"])
    assert difference["stderr"] > 0
    assert "s.txt - real" in call("evaluate", *files).stdout
    assert call("evaluate", *files, "--markdown").stdout.startswith("|  | s.txt | real | s.txt - real |")
    assert "two ways to print" in refusal("evaluate", *files, "--markdown", "--json")[0]


def test_names_of_files_and_texts_reach_no_terminal_as_they_are(tmp_path: Path) -> None:
    odd = tmp_path / "a\x1b[31m|b[red].txt"
    odd.write_text("\n".join(LINES[:10]) + "\n")
    for words in ([], ["--markdown"]):
        shown = call("evaluate", "--samples", odd, *words).stdout
        assert "\x1b" not in shown
        assert "b[red].txt" in shown
    header, rule = call("evaluate", "--samples", odd, "--markdown").stdout.splitlines()[:2]
    assert header.replace("\\|", "").count("|") == rule.count("|")


def test_texts_without_letters_are_in_no_script_and_may_be_compared(tmp_path: Path) -> None:
    assert seqgan.evaluate(["", ""], ["a b c"])["bleu-2"].value == 0.0
    assert seqgan.evaluate(["1 2 3"], ["1 2 a"])["bleu-2"].value > 0
    with pytest.raises(UsageError, match="script"):
        seqgan.evaluate(["a b c"], ["春 眠"])


def test_the_help_explains_what_signatures_mean() -> None:
    shown = call("evaluate", "--help").stdout
    for word in ("n, rows", "refs, hyps", "err", "jackknife", "smooth, agg", "tok", "overlong", "paired"):
        assert word in shown, word


# --- the discriminator's choice as an arm


def test_compare_has_a_row_of_the_policy_of_mle_whose_draws_the_discriminator_chose(
    runs: dict[str, seqgan.TrainedRun],
) -> None:
    folders = [runs[name].folder for name in ("a", "b", "c")]
    told = json.loads(call("compare", *folders, "--best-of", 3, "-n", 20, "--json").stdout)
    arm = next(iter(told["arms"]))
    stages = ("mle", "best-of-3", "final")
    assert list(told["rows"]) == [*(f"{name} {stage}" for name in (arm, "c") for stage in stages), "real"]
    chosen, plain = told["rows"][f"{arm} best-of-3"], told["rows"][f"{arm} mle"]
    assert chosen["bleu-2"]["signature"] == plain["bleu-2"]["signature"]
    assert "err:2 seeds" in chosen["bleu-2"]["signature"]
    assert f"{arm} final - best-of-3" in told["differences"]
    assert f"c best-of-3 - {arm} best-of-3" in told["differences"]
    run = runs["c"]
    model = run.model("mle")
    kept = model.draw(20, seed=3, choose=run.chooser(3, stage="mle"))
    texts = [model.tokenizer.decode(row) for row in kept]
    measured = seqgan.evaluate(texts, run.corpus().test, run.corpus().train, tokens="words")
    assert told["rows"]["c best-of-3"]["bleu-3"]["value"] == pytest.approx(measured["bleu-3"].value)
    assert texts != model.generate(20, seed=3)


def test_without_a_choice_compare_says_what_evaluate_says(runs: dict[str, seqgan.TrainedRun]) -> None:
    folders = [runs[name].folder for name in ("a", "c")]
    options = ["--best-of", 0, "-n", 20, "--markdown"]
    found = call("compare", *folders, *options).stdout
    assert "best-of" not in found
    assert found.splitlines()[:5] == call("evaluate", *folders, *options).stdout.splitlines()[:5]
    assert "best-of-8" in call("compare", *folders, "-n", 20).stdout
    assert "give one of them" in refusal("compare", *folders, "--json", "--markdown")[0]
