"""`seqgan bench ablation`: settings of a policy from several seeds, on the validation split alone."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import seqgan
from seqgan.ablation import ablation, on_validation, share_of
from seqgan.algorithms.configs import CONFIGS, PRESETS
from seqgan.core.config import choose_config, read_config_file
from seqgan.core.run import describe
from seqgan.data.corpus import Corpus
from seqgan.data.splits import split
from seqgan.errors import ConfigError
from tests.conftest import TINY, TINY_GAME, tiny_lines
from tests.test_cli import call, refusal

SEEDS = (3, 4)
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {**TINY, "ema_decay": 0.0},
    "averaged": dict(TINY),
    "game": {**TINY_GAME, "algorithm": "seqgan", "init_from": "averaged", "mle_epochs": 0},
}


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus("tiny", **split(tiny_lines()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ablation")


def test_a_row_is_the_mean_over_seeds_on_the_validation_split(corpus: Corpus, folder: Path) -> None:
    result = ablation(corpus, SETTINGS, SEEDS, folder)
    assert list(result.rows) == [*SETTINGS, "real"]
    alone = [seqgan.load(folder / f"plain-{seed}", corpus=corpus).evaluate()["mle"] for seed in SEEDS]
    for name in ("nll-valid", "nll-valid-char", "nll-valid-known"):
        assert result["plain"][name].value == pytest.approx(sum(row[name].value for row in alone) / 2)
    assert not [name for row in result.rows.values() for name in row if "test" in name]
    assert "d-auc" in result["game"]
    assert "seeds" in result["game"]["bleu-2"].signature
    assert list(result.differences) == ["averaged - plain", "game - plain"]
    begun = describe(folder / "game-4")["init_from"]
    assert (begun["run"], begun["stage"]) == (str((folder / "averaged-4").resolve()), "final")
    assert describe(folder / "game-4")["seed"] == 4
    assert len(result.texts["real"]) == len(corpus.valid)
    assert set(result.texts["real"]) <= set(corpus.train)


def test_runs_that_exist_are_not_trained_again(corpus: Corpus, folder: Path) -> None:
    first = ablation(corpus, SETTINGS, SEEDS, folder)
    files = {path: path.stat().st_mtime_ns for path in folder.rglob("*.pt")}
    assert ablation(corpus, SETTINGS, SEEDS, folder).as_json() == first.as_json()
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.pt")} == files


def test_nothing_is_of_the_test_split(corpus: Corpus) -> None:
    shown = on_validation(corpus)
    assert shown.test == corpus.valid
    assert len(shown.valid) == len(corpus.valid)
    assert set(shown.valid) <= set(corpus.train)
    assert not shown.train


def test_a_setting_may_learn_from_a_share_of_the_texts_with_the_vocabulary_of_all(tmp_path: Path) -> None:
    corpus = Corpus("tiny", **split(tiny_lines(80)))
    shares = [share_of(corpus, share).train for share in (0.25, 0.5, 1)]
    assert [len(texts) for texts in shares] == [round(len(corpus.train) * share) for share in (0.25, 0.5, 1)]
    assert set(shares[0]) < set(shares[1]) < set(shares[2])
    begin = {**TINY, "mle_epochs": 0}
    half: dict[str, Any] = {"init_from": "begin", "share": 0.5, "mle_epochs": 1, "batch_size": TINY["batch_size"]}
    ablation(corpus, {"begin": begin, "half": half}, [0], tmp_path)
    run = seqgan.load(tmp_path / "half-0")
    assert run.corpus().train == shares[1]
    assert run.corpus().valid == corpus.valid
    assert run.model().tokenizer.model == seqgan.load(tmp_path / "begin-0").model().tokenizer.model
    for wrong in (0, 1.5, "half", True):
        with pytest.raises(ConfigError, match=r"share .* was given, but a number above 0 and at most 1 was expected"):
            ablation(corpus, {"wrong": {**begin, "share": wrong}}, [0], tmp_path)


def test_the_command(corpus_file: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    text = "mle_epochs = 1\nhidden_dim = 8\n"
    settings.write_text(f"[plain]\n{text}[averaged]\nema_decay = 0.9\nmle_lr = 0.05\n{text}")
    words = ("bench", "ablation", settings, "--corpus", corpus_file, "--seeds", "2", "--runs", tmp_path / "runs")
    shown = call(*words, "--threads", "1").stdout
    for word in ("plain", "averaged - plain", "real", "nll-valid-known", "repeats"):
        assert word in shown
    rows = json.loads(call(*words, "--threads", "1", "--json").stdout)["rows"]
    assert set(rows) == {"plain", "averaged", "real"}
    assert describe(tmp_path / "runs" / "averaged-1")["config"]["ema_decay"] == 0.9


def test_the_command_draws_a_learning_curve(corpus_file: Path, tmp_path: Path) -> None:
    settings, place = tmp_path / "settings.toml", tmp_path / "curve.png"
    option = "mle_epochs = 1\nhidden_dim = 8\n"
    settings.write_text(f"[half]\nshare = 0.5\n{option}[all]\nshare = 1\n{option}")
    words = ("bench", "ablation", settings, "--corpus", corpus_file, "--seeds", "1", "--runs", tmp_path / "runs")
    call(*words, "--threads", "1", "--plot", place)
    with Image.open(place) as image:
        assert (image.format, image.size) == ("PNG", (460, 360))
    call(*words, "--threads", "1", "--plot", place)  # again, from the runs that there are
    settings.write_text(f"[all]\nshare = 1\n{option}")
    message = f"--plot draws settings with a share over it, of which {settings} has fewer than two"
    assert message in refusal(*words, "--plot", tmp_path / "other.png")[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "a table of options for each setting was expected"),
        ("mle_lr = 1\n", "a table of options for each setting was expected"),
        ("[a]\nmle_rate = 1\n", "mle has no hyper-parameter"),
    ],
)
def test_settings_that_are_none_are_refused(content: str, message: str, corpus_file: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(content)
    assert message in refusal("bench", "ablation", settings, "--corpus", corpus_file, "--runs", tmp_path / "runs")[0]


@pytest.mark.parametrize("name", ["policy", "adversarial", "corpus", "discriminators"])
def test_the_settings_that_come_with_the_package_are_settings(name: str) -> None:
    for setting in read_config_file(Path(seqgan.__file__).parent / "bench" / f"{name}.toml").values():
        algorithm = setting.pop("algorithm", "mle")
        setting.pop("init_from", None)
        setting.pop("share", None)
        choose_config(algorithm, CONFIGS[algorithm], PRESETS[algorithm], typed=setting, source="file")


def test_the_default_is_one_of_the_settings_that_were_compared() -> None:
    settings = read_config_file(Path(seqgan.__file__).parent / "bench" / "policy.toml")
    compared = settings["calibrated"]
    assert compared.pop("mle_epochs") >= PRESETS["mle"]["default"]["mle_epochs"]  # the corpora have grown since
    assert compared.items() <= PRESETS["mle"]["default"].items()


def test_a_setting_alone_is_trained_where_it_is_asked_for(corpus_file: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text("[first]\nmle_epochs = 0\n[second]\nmle_epochs = 0\ndropout = 0.1\n", encoding="utf-8")
    words = ("bench", "ablation", settings, "--corpus", corpus_file, "--seeds", "1", "--runs", tmp_path / "runs")
    call(*words, "--only", "second", "--json")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["second-0"]
    assert "no setting 'secund'; did you mean second" in refusal(*words, "--only", "secund")[0]
