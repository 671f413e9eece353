"""Texts with labels, from the command line to the numbers: samples follow their label, and are recognised by it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

import seqgan
from seqgan.core.record import read_record
from seqgan.core.run import checkpoints, describe
from seqgan.errors import RunError, UsageError
from seqgan.reporting import REAL, label_tables
from tests.conftest import TINY_CONFIGS, TINY_GAME
from tests.killing import contents
from tests.launching import finished, launched
from tests.test_cli import call, refusal

Options = Callable[[str], list[str]]
SAD, HAPPY = ("rain", "grey", "cold", "night"), ("sun", "gold", "warm", "day")


def lines(count: int = 300) -> tuple[list[str], list[str]]:
    """Texts of two labels that have no word in common; two of three are happy."""
    labels = ["happy" if number % 3 else "sad" for number in range(count)]
    words = {"sad": SAD, "happy": HAPPY}
    texts = [
        " ".join(words[label][(number * step + number // 5) % 4] for step in (1, 2, 3, 5)) + f" {number}"
        for number, label in enumerate(labels)
    ]
    return [text.rsplit(" ", 1)[0] for text in texts], labels


TEXTS, LABELS = lines()
LEARNED: dict[str, Any] = {**TINY_GAME, "mle_epochs": 12, "mle_patience": 0, "dropout": 0.0, "iterations": 2}
FIXED: dict[str, Any] = {"threads": 1, "device": "cpu", "tokenizer": "whitespace"}


def follows(text: str, label: str) -> bool:
    return set(text.split()) <= set({"sad": SAD, "happy": HAPPY}[label])


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A csv file."""
    path = tmp_path_factory.mktemp("files") / "moods.csv"
    path.write_text("text,mood\n" + "".join(f"{text},{label}\n" for text, label in zip(TEXTS, LABELS, strict=True)))
    return path


@pytest.fixture(scope="module")
def run(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> seqgan.TrainedRun:
    folder = tmp_path_factory.mktemp("runs") / "moods"
    return seqgan.train(labelled, text_column="text", label_column="mood", run_dir=folder, **LEARNED, **FIXED)


# --- the command line


@pytest.mark.parametrize("name", ["mle", "seqgan", "maligan", "relgan"])
def test_from_a_column_of_labels_to_texts_under_a_label_and_numbers_of_each(
    name: str, labelled: Path, tiny_options: Options, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    words = ["--algorithm", name, *tiny_options(name), "--mle-epochs", 12, "--mle-patience", 0, "--threads", 1]
    source = ["--corpus", labelled, "--text-column", "text", "--label-column", "mood"]
    output = call("train", *source, *words, "--tokenizer", "whitespace", "--run-dir", folder).output  # type: ignore[arg-type]
    assert "A classifier of labels recognises" in output
    assert describe(folder)["labels"].keys() == {"happy", "sad"}
    written = call("generate", folder, "-n", "40", "--label", "sad", "--seed", "1").stdout.splitlines()
    assert sum(follows(text, "sad") for text in written) > 35
    as_json = [json.loads(line) for line in call("generate", folder, "-n", "60", "--json").stdout.splitlines()]
    assert {item["label"] for item in as_json} == {"happy", "sad"}
    assert sum(follows(item["text"], item["label"]) for item in as_json) > 52
    begun = call("generate", folder, "-n", "20", "--label", "happy", "--prompt", "sun ").stdout.splitlines()
    assert all(text.startswith("sun") for text in begun)
    found = json.loads(call("evaluate", folder, "--json").stdout)
    assert "given:label/2" in found["rows"]["mle"]["nll-test"]["signature"]
    assert found["labels"].keys() == {"happy"}  # of sad ones there are too few in the validation split
    assert found["labels"]["happy"]["real"]["recognised"]["value"] == 1.0
    assert found["labels"]["happy"]["mle"]["recognised"]["value"] > 0.9


def test_the_rows_of_labels_are_printed(run: seqgan.TrainedRun) -> None:
    shown, in_markdown = call("evaluate", run.folder).stdout, call("evaluate", run.folder, "--markdown").stdout
    for title in ("nll-test, by label", "bleu-3, by label", "recognised, by label"):
        assert title in shown
        assert title in in_markdown
    assert "signatures" in shown


def test_a_file_of_labels_gives_the_run_that_the_column_gives(run: seqgan.TrainedRun, tmp_path: Path) -> None:
    (tmp_path / "moods.txt").write_text("\n".join(TEXTS) + "\n")
    (tmp_path / "moods.labels").write_text("\n".join(LABELS) + "\n")
    labels = str(tmp_path / "moods.labels")
    again = seqgan.train(tmp_path / "moods.txt", labels=labels, run_dir=tmp_path / "run", **LEARNED, **FIXED)
    assert again.generate(9) == run.generate(9)
    assert again.description["corpus"]["texts_sha256"] == run.description["corpus"]["texts_sha256"]


def test_options_about_labels_are_refused_where_they_have_no_meaning(
    run: seqgan.TrainedRun, labelled: Path, tmp_path: Path
) -> None:
    message, _ = refusal("generate", run.folder, "--label", "hapy")
    assert message == "this model has no label 'hapy'; did you mean happy?"
    plain = seqgan.train(TEXTS, algorithm="mle", mle_epochs=1, run_dir=tmp_path / "plain", **FIXED)
    message, _ = refusal("generate", plain.folder, "--label", "happy")
    assert message == "this model has no label 'happy': it was trained on texts without labels"
    message, _ = refusal("score", run.folder, labelled, "--text-column", "text")
    assert message.startswith("this model is conditioned on labels (happy, sad), and a text is scored under one")
    message, _ = refusal(
        "score", run.folder, labelled, "--text-column", "text", "--label-column", "mood", "--label", "sad"
    )
    assert "give one" in message
    message, _ = refusal("generate", run.folder, "--beams", "3")
    assert message == "beam search writes under one label; give one of happy, sad"


def test_texts_are_scored_under_their_labels(run: seqgan.TrainedRun, labelled: Path) -> None:
    columns = ["--text-column", "text", "--label-column", "mood", "--json"]
    scored = [json.loads(line) for line in call("score", run.folder, labelled, *columns).stdout.splitlines()]
    assert [item["log_prob"] for item in scored] == pytest.approx(run.log_probs(TEXTS, label=LABELS))
    wrong = run.log_probs(TEXTS, label=[{"sad": "happy", "happy": "sad"}[label] for label in LABELS])
    right = run.log_probs(TEXTS, label=LABELS)
    assert sum(a > b + 5 for a, b in zip(right, wrong, strict=True)) > 0.95 * len(TEXTS)
    found = run.score(TEXTS[:1], label=LABELS[0])
    assert found[0].log_prob == pytest.approx(right[0])


# --- the library


def test_several_labels_share_the_texts_by_their_frequency(run: seqgan.TrainedRun) -> None:
    drawn = run.model().generate_detailed(600)
    assert sum(item.label == "happy" for item in drawn) / 600 == pytest.approx(2 / 3, abs=0.08)
    assert {item.label for item in run.model().generate_detailed(20, label=["sad"])} == {"sad"}
    begun = run.model().generate_detailed(2, label="sad", prompt=["rain", "cold"])
    assert [item.label for item in begun] == ["sad"] * 4
    assert {item.label for item in run.model().generate_detailed(9, label=["sad", "happy"], distinct=True)} <= {
        "sad", "happy",
    }  # fmt: skip


def test_beam_search_writes_the_likeliest_texts_of_a_label(run: seqgan.TrainedRun) -> None:
    for label in ("sad", "happy"):
        found = run.model().generate_detailed(3, label=label, beams=3)
        assert all(follows(item.text, label) and item.label == label for item in found)


def test_rows_of_a_label_have_as_many_texts_as_the_row_of_real_text(run: seqgan.TrainedRun) -> None:
    result = run.evaluate()
    assert result.labels.keys() == {"happy"}  # of sad ones there are too few in the validation split
    for rows in result.labels.values():
        assert rows.keys() == {"mle", "final", REAL}
        sizes = {row["bleu-3"].signature.split("|")[0] for row in rows.values()}
        assert len(sizes) == 1
    assert result["final"]["recognised"].value > 0.9
    assert result[REAL]["recognised"].value == 1.0
    titles = [table.title for table in label_tables(result.labels)]
    assert titles == [f"{name}, by label" for name in ("nll-test", "distinct", "distinct-2", "bleu-3", "recognised")]


def test_the_checks_name_the_labels_and_what_is_rare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts, labels = [*TEXTS, *TEXTS[:3]], [*LABELS, "odd", "odd", "odd"]
    seqgan.train(texts, labels=labels, algorithm="mle", mle_epochs=1, run_dir=tmp_path / "run", progress=True, **FIXED)
    said = capsys.readouterr().err.replace("\n", " ")
    assert "3 labels, of which so many training texts have each: happy" in said
    assert "few training texts have the labels odd" in said
    assert "texts stand with several labels, and are learned under each" in said


# --- runs


def test_a_run_from_memory_is_resumed_with_its_labels(tmp_path: Path) -> None:
    """Bit for bit, and the labels lie in the run."""
    config = {**LEARNED, "mle_epochs": 2}
    whole = seqgan.train(TEXTS, labels=LABELS, run_dir=tmp_path / "whole", **config, **FIXED)
    assert (whole.folder / "corpus" / "train.labels").is_file()
    begun = seqgan.train(TEXTS, labels=LABELS, run_dir=tmp_path / "run", **{**config, "iterations": 1}, **FIXED)
    assert max(checkpoints(begun.folder)) < max(checkpoints(whole.folder))
    call("train", "--resume", begun.folder, "--iterations", "2", "--quiet")
    ended = seqgan.load(begun.folder)
    for name in ("generator.safetensors", "discriminator.safetensors"):
        first, second = (load_file(folder / name) for folder in (whole.folder, ended.folder))
        assert all(first[key].equal(second[key]) for key in first)
    assert ended.corpus().labels == whole.corpus().labels


def test_the_same_texts_with_other_labels_are_another_corpus(tmp_path: Path) -> None:
    config = {"algorithm": "mle", "mle_epochs": 1, **FIXED}
    run = seqgan.train(TEXTS, labels=LABELS, run_dir=tmp_path / "run", **config)
    other = ["happy" if label == "sad" else "sad" for label in LABELS]
    for labels in (other, None):
        with pytest.raises(RunError, match=r"is not the one that .* was begun with"):
            seqgan.load(run.folder, corpus=TEXTS, labels=labels)
    assert seqgan.load(run.folder, corpus=TEXTS, labels=LABELS).corpus().labels["train"]


def test_a_saved_model_keeps_its_labels(run: seqgan.TrainedRun, labelled: Path, tmp_path: Path) -> None:
    call("save", run.folder, tmp_path / "model")
    model = seqgan.from_pretrained(tmp_path / "model")
    assert model.labels == ["happy", "sad"]
    assert model.generate(9, label="sad") == run.generate(9, label="sad")
    assert model.generate(9) == run.generate(9)
    assert model.prob_real(TEXTS[:9], label=LABELS[:9]) == run.model().prob_real(TEXTS[:9], label=LABELS[:9])
    card = (tmp_path / "model" / "README.md").read_text()
    assert "| recognised |" in card
    assert "one of `happy`, `sad`: `model.generate(10, label='happy')`" in card
    columns = ["--text-column", "text", "--label-column", "mood"]
    assert "by label" in call("evaluate", tmp_path / "model", "--corpus", labelled, *columns).stdout
    message, _ = refusal("evaluate", tmp_path / "model", "--corpus", labelled, *columns[:2])
    assert message.startswith("the policy is conditioned on labels (happy, sad), and the texts have none")


def test_a_run_goes_on_from_a_policy_with_its_labels(run: seqgan.TrainedRun, tmp_path: Path) -> None:
    config = {"algorithm": "mle", "mle_epochs": 0, "init_from": str(run.folder), "threads": 1, "device": "cpu"}
    sad = [text for text, label in zip(TEXTS, LABELS, strict=True) if label == "sad"]
    only = seqgan.train(sad, labels=["sad"] * len(sad), run_dir=tmp_path / "sad", **config)
    assert only.description["labels"]["happy"] == 0  # numbered as they were, and never drawn
    assert {item.label for item in only.model().generate_detailed(20)} == {"sad"}
    assert only.log_probs(sad, label="sad") == pytest.approx(run.log_probs(sad, label="sad"))
    with pytest.raises(UsageError, match="was trained without the label 'said'; did you mean sad"):
        seqgan.train(sad, labels=["said"] * len(sad), run_dir=tmp_path / "other", **config)
    with pytest.raises(UsageError, match=r"is conditioned on labels \(happy, sad\), and the texts have none"):
        seqgan.train(sad, run_dir=tmp_path / "none", **config)


def test_a_policy_without_labels_learns_them(tmp_path: Path) -> None:
    """At the start no label says anything."""
    config = {
        **TINY_CONFIGS["mle"],
        "mle_patience": 0,
        "dropout": 0.0,
        "algorithm": "mle",
        "threads": 1,
        "device": "cpu",
    }
    few = {**config, "mle_epochs": 2, "tokenizer": "whitespace"}
    plain = seqgan.train(TEXTS, run_dir=tmp_path / "plain", **few)
    options = {**config, "init_from": str(plain.folder)}
    begun = seqgan.train(TEXTS, labels=LABELS, run_dir=tmp_path / "begun", **{**options, "mle_epochs": 0})
    assert begun.log_probs(TEXTS, label="sad") == pytest.approx(plain.log_probs(TEXTS))
    learned = seqgan.train(TEXTS, labels=LABELS, run_dir=tmp_path / "learned", **{**options, "mle_epochs": 12})
    assert learned.evaluate()["mle"]["recognised"].value > 0.9


def test_the_control_and_custom_rewards_go_with_labels(tmp_path: Path) -> None:
    for number, options in enumerate([{"control": "shuffled"}, {"control": "constant"}]):
        config = {**TINY_CONFIGS["maligan"], "mle_epochs": 1, **options}
        seqgan.train(TEXTS, labels=LABELS, algorithm="maligan", run_dir=tmp_path / str(number), **config, **FIXED)
    reward = seqgan.rewards.on_text(lambda texts: [float(len(text)) for text in texts])
    run = seqgan.train(
        TEXTS, labels=LABELS, reward=reward, run_dir=tmp_path / "reward", **{**LEARNED, "mle_epochs": 1}, **FIXED
    )
    assert run.model().labels == ["happy", "sad"]


def test_without_labels_a_run_names_none(tmp_path: Path) -> None:
    run = seqgan.train(TEXTS, algorithm="mle", mle_epochs=1, run_dir=tmp_path / "run", **FIXED)
    assert run.description["labels"] == {}
    assert not [name for name in load_file(run.folder / "generator.safetensors") if "label" in name]
    assert set(json.loads(call("generate", run.folder, "-n", "1", "--json").stdout)) == {"text", "tokens", "ended"}
    result = run.evaluate()
    assert not result.labels
    assert "recognised" not in result["mle"]


def test_killed_and_resumed_it_ends_as_the_uninterrupted(labelled: Path, tiny_options: Options, tmp_path: Path) -> None:
    source = ["--corpus", str(labelled), "--text-column", "text", "--label-column", "mood"]
    options = [*tiny_options("seqgan"), "--threads", "1", "--save-seconds", "0", "--quiet", "--tokenizer", "whitespace"]
    words = [sys.executable, "-m", "seqgan", "train", *source, *options, "--resume"]
    subprocess.run([*words, str(tmp_path / "whole")], check=True, capture_output=True)
    whole, folder = contents(tmp_path / "whole"), tmp_path / "run"
    total = max(checkpoints(tmp_path / "whole"))
    for part in (0.3, 0.7):
        process = subprocess.Popen([*words, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while process.poll() is None and max(checkpoints(folder), default=0) < part * total:
            pass
        process.kill()
        process.communicate()
    subprocess.run([*words, str(folder)], check=True, capture_output=True)
    resumed = contents(folder)
    different = {name for name in whole if whole[name] != resumed[name]}
    assert different <= {"run.json", "newest checkpoint"}


def test_two_processes_train_on_pairs(labelled: Path, tiny_options: Options, tmp_path: Path) -> None:
    source = ["--corpus", str(labelled), "--text-column", "text", "--label-column", "mood"]
    options = [*tiny_options("seqgan"), "--mle-epochs", "12", "--mle-patience", "0", "--threads", "1", "--quiet"]
    words = [
        "-m",
        "seqgan",
        "train",
        *source,
        *options,
        "--tokenizer",
        "whitespace",
        "--run-dir",
        str(tmp_path / "run"),
    ]
    code, _, errors = finished(launched(*words))
    assert code == 0, errors
    run = seqgan.load(tmp_path / "run")
    assert sum(follows(text, "sad") for text in run.generate(40, label="sad")) > 32
    assert read_record(run.folder)
