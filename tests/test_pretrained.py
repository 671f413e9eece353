"""Models to hand on: what is written is what is read, and what is damaged is told."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from torch import nn

import seqgan
from seqgan.core import schema
from seqgan.core.report import cell
from seqgan.data.tokenizer import Tokenizer
from seqgan.errors import CheckpointError, RunError, SeqGANError
from tests.conftest import TINY, TINY_GAME, tiny_lines
from tests.test_cli import call, refusal

MLE: dict[str, Any] = {**TINY, "algorithm": "mle", "threads": 1}
GAME: dict[str, Any] = {**TINY_GAME, "threads": 1}
TEXTS = tiny_lines()
WEIGHTS, JUDGE = "generator.safetensors", "discriminator.safetensors"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> seqgan.TrainedRun:
    return seqgan.train(TEXTS, run_dir=tmp_path_factory.mktemp("played") / "run", **GAME)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> seqgan.TrainedRun:
    return seqgan.train(TEXTS, run_dir=tmp_path_factory.mktemp("learned") / "run", **MLE)


@pytest.fixture(scope="module")
def contents(played: seqgan.TrainedRun, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a saved model."""
    folder = played.save_pretrained(tmp_path_factory.mktemp("saved"))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def saved(contents: dict[str, bytes], tmp_path: Path) -> Path:
    """A copy of a saved model to damage."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return folder


# --- the way there and back


def test_a_saved_model_writes_and_scores_as_the_run(played: seqgan.TrainedRun, saved: Path) -> None:
    assert {path.name for path in saved.iterdir()} == {"config.json", "tokenizer.model", "README.md", WEIGHTS, JUDGE}
    for model in (seqgan.from_pretrained(saved), seqgan.from_pretrained(str(saved), device="cpu")):
        assert isinstance(model, seqgan.TextModel)
        assert model.generate(20, seed=5, temperature=0.8) == played.generate(20, seed=5, temperature=0.8)
        assert model.log_probs(TEXTS) == played.log_probs(TEXTS)
        assert model.score(TEXTS) == played.score(TEXTS)
        assert not model.policy.training


def test_a_model_of_another_stage_is_that_of_the_stage(played: seqgan.TrainedRun, tmp_path: Path) -> None:
    model = seqgan.from_pretrained(played.save_pretrained(tmp_path / "mle", stage="mle"))
    assert model.log_probs(TEXTS) == played.log_probs(TEXTS, stage="mle")
    assert model.log_probs(TEXTS) != played.log_probs(TEXTS)


def test_a_model_without_a_discriminator_has_none_after_loading(learned: seqgan.TrainedRun, tmp_path: Path) -> None:
    folder = learned.save_pretrained(tmp_path / "model")
    assert not (folder / JUDGE).exists()
    model = seqgan.from_pretrained(folder)
    assert model.discriminator is None
    assert model.score(TEXTS) == learned.score(TEXTS)


def test_a_saved_model_saves_again_the_same(saved: Path, contents: dict[str, bytes], tmp_path: Path) -> None:
    from seqgan.pretrained import save_pretrained

    again = save_pretrained(seqgan.from_pretrained(saved), tmp_path / "again")
    for name in ("config.json", "tokenizer.model", WEIGHTS, JUDGE):
        assert (again / name).read_bytes() == contents[name]
    assert "Nothing was measured" in (again / "README.md").read_text()


def test_a_run_directory_is_a_saved_model_too(played: seqgan.TrainedRun) -> None:
    assert seqgan.from_pretrained(played.folder).score(TEXTS) == played.score(TEXTS)


def test_a_model_that_is_saved_over_another_leaves_nothing_of_it(learned: seqgan.TrainedRun, saved: Path) -> None:
    learned.save_pretrained(saved, overwrite=True)
    assert seqgan.from_pretrained(saved).score(TEXTS) == learned.score(TEXTS)


# --- custom components


class Length(nn.Module):
    """The longer, the more real."""

    def __init__(self, vocab_size: int, max_length: int) -> None:
        super().__init__()
        self.scale = nn.Linear(1, 1)

    def forward(self, tokens: Any) -> Any:
        return self.scale((tokens != 0).float().sum(dim=1, keepdim=True)).squeeze(1)


@pytest.mark.parametrize(
    "named", [{"../mine.safetensors": "a"}, {"notes.txt": "a", "../notes.txt": "a"}, [["a"]], "a", 3, {"a": 3}]
)
def test_a_replaced_model_s_description_removes_nothing_beside_it(
    named: Any, learned: seqgan.TrainedRun, saved: Path
) -> None:
    """Anyone may have written config.json, with a checksum that fits."""
    others = [saved.parent / "mine.safetensors", saved.parent / "notes.txt", saved / "notes.txt"]
    for other in others:
        other.write_text("mine")
    (saved / "config.json").write_bytes(schema.json_bytes(schema.with_checksum({"files": named})))
    learned.save_pretrained(saved, overwrite=True)
    assert all(other.read_text() == "mine" for other in others)


@pytest.fixture(scope="module")
def with_own(tmp_path_factory: pytest.TempPathFactory) -> tuple[seqgan.TrainedRun, Path]:
    place = tmp_path_factory.mktemp("own")
    run = seqgan.train(TEXTS, run_dir=place / "run", discriminator=Length, **GAME)
    return run, run.save_pretrained(place / "model")


def test_a_model_with_a_module_of_ones_own_wants_it_again(with_own: tuple[seqgan.TrainedRun, Path]) -> None:
    run, folder = with_own
    with pytest.raises(RunError, match=rf"^{re.escape(str(folder))} .*custom discriminator; .* discriminator=\.\.\."):
        seqgan.from_pretrained(folder)
    model = seqgan.from_pretrained(folder, discriminator=Length)
    assert model.score(TEXTS) == run.score(TEXTS)


def test_a_module_of_ones_own_is_given_by_its_name_as_to_load(with_own: tuple[seqgan.TrainedRun, Path]) -> None:
    run, folder = with_own
    model = seqgan.from_pretrained(folder, discriminator=Length)  # type: ignore[call-arg]
    assert model.score(TEXTS) == run.score(TEXTS)


# --- the model card


def test_the_card_begins_with_yaml_and_tells_the_corpus(contents: dict[str, bytes]) -> None:
    card = contents["README.md"].decode()
    nothing, front, text = card.split("---\n", 2)
    assert nothing == ""
    facts = yaml.safe_load(front)
    assert facts["library_name"] == "seqgan"
    assert facts["pipeline_tag"] == "text-generation"
    assert {"seqgan", "text-gan"} <= set(facts["tags"])
    assert "texts (43 train, 7 valid, 10 test texts; sha256 " in text
    assert "seqgan.from_pretrained(" in text
    assert "{" not in text


def told(card: str, rows: dict[str, dict[str, Any]]) -> None:
    """Every number stands in a line of the card, with all parts of its signature."""
    lines = card.splitlines()
    for row in rows.values():
        for name, (value, stderr, signature) in row.items():
            [line] = [line for line in lines if re.match(rf"\W*{re.escape(name)} ", line)]
            assert cell(value, stderr) in line
            for part in signature.split("|"):
                assert part in line


def test_the_card_has_every_number_with_its_signature(played: seqgan.TrainedRun, contents: dict[str, bytes]) -> None:
    card = contents["README.md"].decode()
    rows = played.evaluate().rows
    alone = {name: number for name, number in rows["final"].items() if not name.startswith("kl-")}
    told(card, {"final": alone, "real": rows["real"]})
    heading = next(line for line in card.splitlines() if "final" in line and "real" in line)
    assert "mle" not in heading


@pytest.mark.parametrize(
    ("algorithm", "stage"),
    [
        ("seqgan", "final"),
        ("seqgan", "mle"),
        ("seqgan", "best"),
        ("mle", "mle"),
        ("mle", "final"),
    ],
)
def test_the_card_of_any_stage_has_the_numbers_of_that_stage(
    algorithm: str, stage: str, played: seqgan.TrainedRun, learned: seqgan.TrainedRun, tmp_path: Path
) -> None:
    run = {"seqgan": played, "mle": learned}[algorithm]
    card = (run.save_pretrained(tmp_path / "model", stage=stage) / "README.md").read_text()
    scored = run.score(run.corpus().test, stage=stage)
    nll = -sum(item.log_prob for item in scored) / sum(item.tokens for item in scored)
    [line] = [line for line in card.splitlines() if re.match(r"\W*nll-test ", line)]
    assert f"{nll:.3f}" in line


# --- from the command line


def test_the_command_saves_what_the_library_saves(played: seqgan.TrainedRun, tmp_path: Path, saved: Path) -> None:
    told = call("save", played.folder, tmp_path / "mine", "--license", "cc0-1.0").stderr
    assert f"seqgan generate {tmp_path / 'mine'}" in told
    assert (tmp_path / "mine" / WEIGHTS).read_bytes() == (saved / WEIGHTS).read_bytes()
    card = (tmp_path / "mine" / "README.md").read_text()
    assert yaml.safe_load(card.split("---")[1])["license"] == "cc0-1.0"
    assert f"    {' '.join(played.evaluate().texts['final'][0].split())}\n" in card
    assert "give --overwrite" in refusal("save", played.folder, tmp_path / "mine")[0]


def test_a_saved_model_is_measured_on_a_corpus_as_the_policy_of_its_run(
    played: seqgan.TrainedRun, saved: Path, corpus_file: Path
) -> None:
    measured = json.loads(call("evaluate", saved, "--corpus", corpus_file, "--json").stdout)["rows"]
    of_run = played.evaluate(seed=0).as_json()["rows"]
    assert measured["model"]["nll-test"] == of_run["final"]["nll-test"]
    assert measured["real"]["bleu-2"] == of_run["real"]["bleu-2"]
    assert "name them with --corpus" in refusal("evaluate", saved)[0]
    assert "unknown" not in call("evaluate", saved, "--corpus", corpus_file, "--json").stderr
    other = corpus_file.with_name("other.txt")
    other.write_text("".join(f"ΩΨ{number} ΔΘΛΞ\n" for number in range(60)), encoding="utf-8")
    told = call("evaluate", saved, "--corpus", other, "--json").stderr
    assert re.search(
        rf"warning: \d\d% of the tokens of .*other.txt are unknown to {saved}, so that its numbers say ", told
    )
    assert "is measured by itself" in refusal("evaluate", saved, played.folder, "--corpus", corpus_file)[0]


# --- what is missing or damaged


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2])


def garbled(path: Path) -> None:
    path.write_bytes(b"\x93\xff not what it was")


def removed(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [truncated, garbled, removed])
@pytest.mark.parametrize("name", ["config.json", "tokenizer.model", WEIGHTS, JUDGE])
def test_a_damaged_or_missing_file_is_named(name: str, damage: Callable[[Path], None], saved: Path) -> None:
    damage(saved / name)
    if name == JUDGE and damage is removed:  # a model need not have one
        assert seqgan.from_pretrained(saved).discriminator is None
        return
    with pytest.raises(RunError) as error:
        seqgan.from_pretrained(saved)
    assert str(saved / name) in str(error.value)
    assert "\n" not in str(error.value)


def test_weights_of_another_model_are_named(saved: Path, tmp_path: Path) -> None:
    other = seqgan.train(TEXTS, run_dir=tmp_path / "run", **{**MLE, "hidden_dim": 12, "mle_epochs": 1})
    (saved / WEIGHTS).write_bytes((other.folder / WEIGHTS).read_bytes())
    with pytest.raises(CheckpointError, match=rf"{WEIGHTS} is missing, damaged, or of another model"):
        seqgan.from_pretrained(saved)


def rewritten(saved: Path, **changes: Any) -> Path:
    about = json.loads((saved / "config.json").read_text())
    kept = {name: value for name, value in {**about, **changes}.items() if value is not None}
    (saved / "config.json").write_text(json.dumps(kept))
    return saved


@pytest.mark.parametrize("changes", [{"package": "imagegan"}, {"package": None}, {"format": 1}])
def test_a_config_of_another_package_or_format_is_refused(changes: dict[str, Any], saved: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config.json is of .*; a model of seqgan of format 2 was expected"):
        seqgan.from_pretrained(rewritten(saved, **changes))


@pytest.mark.parametrize("text", ["[]", "3", "null"])
def test_a_config_that_is_no_table_is_refused(text: str, saved: Path) -> None:
    (saved / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config.json holds a \w+, but a table was expected"):
        seqgan.from_pretrained(saved)


def test_a_config_of_an_unknown_algorithm_or_with_a_bad_value_is_told(saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text())["config"]
    for changes, message in (
        ({"algorithm": "mine"}, "there is no algorithm 'mine'"),
        ({"config": {**config, "hidden_dim": "many"}}, "hidden_dim"),
        ({"config": {**config, "hiden_dim": 3}}, "hiden_dim"),
    ):
        with pytest.raises(SeqGANError, match=message):
            seqgan.from_pretrained(rewritten(saved, **{"algorithm": "seqgan", "config": config, **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        *({name: None} for name in ("algorithm", "tokenizer", "max_length", "config")),
        {"config": 3},
    ],
    ids=str,
)
def test_a_config_that_lacks_something_is_named(changes: dict[str, Any], saved: Path) -> None:
    with pytest.raises(RunError, match=r"config\.json"):
        seqgan.from_pretrained(rewritten(saved, **changes))


def of_other_texts(model: bytes) -> bytes:
    return Tokenizer.train([*TEXTS, "and a few words more than there were"], "word").model


def cut_in_half(model: bytes) -> bytes:
    return model[: len(model) // 2]


@pytest.mark.parametrize("change", [of_other_texts, cut_in_half])
def test_a_tokenizer_that_is_not_the_models_is_named(change: Callable[[bytes], bytes], saved: Path) -> None:
    path = saved / "tokenizer.model"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(CheckpointError, match=r"tokenizer\.model"):
        seqgan.from_pretrained(saved)


def test_a_name_that_is_no_folder_and_not_on_the_hub_is_one_clear_error(tmp_path: Path) -> None:
    code = """
import seqgan
for name in ("nobody/nothing", "nothing", "no/such/folder", "./nowhere"):
    try:
        seqgan.from_pretrained(name)
    except seqgan.SeqGANError as error:
        print(type(error).__name__, error)
"""
    words = [sys.executable, "-c", code]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=offline, cwd=tmp_path)
    lines = done.stdout.splitlines()
    names = [line.partition(" is no folder, and the hub does not give it either (")[0] for line in lines]
    assert names == [f"RunError {name}" for name in ("nobody/nothing", "nothing", "no/such/folder", "./nowhere")]


def test_the_command_line_writes_and_scores_with_a_saved_model(
    played: seqgan.TrainedRun, tmp_path: Path, corpus_file: Path
) -> None:
    saved = played.save_pretrained(tmp_path / "model")
    same = ("-n", "4", "--seed", "1")
    assert call("generate", saved, *same).stdout == call("generate", played.folder, *same).stdout
    assert call("score", saved, corpus_file).stdout == call("score", played.folder, corpus_file).stdout
    assert "is not a run directory" in refusal("generate", saved, "--stage", "mle")[0]
