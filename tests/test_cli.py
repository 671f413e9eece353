"""The command line from train to generate, and what it says to those who mistype."""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from seqgan.algorithms import ALGORITHMS
from seqgan.cli import seqgan
from seqgan.core.record import read_record
from seqgan.core.run import checkpoints, describe
from seqgan.data.corpus import load_corpus
from seqgan.errors import SeqGANError
from tests.conftest import tiny_lines
from tests.logged import events

Options = Callable[[str], list[str]]


def call(*words: str | Path) -> Result:
    """A command that is expected to work."""
    result = CliRunner().invoke(seqgan, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def refusal(*words: str | Path) -> tuple[str, int]:
    """The one line and the exit code of a command that is expected to be refused."""
    import click

    try:
        result = seqgan.main([str(word) for word in words], standalone_mode=False)
    except SeqGANError as error:
        message, code = str(error), error.exit_code
    except click.ClickException as error:
        message, code = error.format_message(), error.exit_code
    else:
        raise AssertionError(f"not refused: {result}")
    assert "\n" not in message
    return message, code


@pytest.fixture
def train(corpus_file: Path, tiny_options: Options, tmp_path: Path) -> Callable[..., Result]:
    def run(name: str, folder: Path, *more: str) -> Result:
        return call(
            "train",
            "--corpus",
            corpus_file,
            "--algorithm",
            name,
            *tiny_options(name),
            "--threads",
            "2",
            "--run-dir",
            folder,
            "--quiet",
            *more,
        )

    return run


def test_tensorboard_gets_what_a_training_measures(train: Callable[..., Result], tmp_path: Path) -> None:
    train("seqgan", tmp_path / "run", "--tensorboard")
    found = events(tmp_path / "run")
    tags = found.Tags()
    assert {"pretrain generator/nll", "adversarial/reward", "validation/valid_nll"} <= set(tags["scalars"])
    assert {"closing/mle/nll-test", "closing/final/bleu-3", "_hparams_/session_end_info"} <= {
        *tags["scalars"],
        *found.summary_metadata,
    }
    assert "adversarial/samples/text_summary" in tags["tensors"]
    rewards = found.Histograms("adversarial/rewards")
    assert [event.histogram_value.num for event in rewards] == [8.0] * 3  # --g-batch-size 8, three iterations
    nll = [event.step for event in found.Scalars("validation/valid_nll")]
    assert nll == sorted(set(nll))
    assert nll[-1] == max(checkpoints(tmp_path / "run"))


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_from_train_to_generate(name: str, train: Callable[..., Result], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    output = train(name, folder, "--save-seconds", "0", "--keep", "3").output
    assert "what training achieved" in output
    assert "MLE keeps step" in output
    assert f"seqgan generate {folder}" in output
    assert f"on one page: {folder / 'report.html'}" in output
    shown = output.split("five texts of the final policy at temperature 1")[1:]
    assert len(shown[0].split(":\n", 1)[1].split("\n\n")[0].splitlines()) == 5
    assert "the best by BLEU-3 both ways on validation texts" in "".join(output.split("five texts")[-1:])
    made = {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "checkpoints"
    }
    expected = {
        ".lock",
        "run.json",
        "config.json",
        "tokenizer.model",
        "metrics.jsonl",
        "samples.txt",
        "generator.safetensors",
        "mle/generator.safetensors",
        "best/generator.safetensors",
        "evaluations/training.json",
        "report.html",
    }
    assert made == expected | ({"discriminator.safetensors"} if name != "mle" else set())
    assert (folder / "samples.txt").read_text().startswith("# samples at step")

    first, again = (call("generate", folder, "-n", 7, "--seed", 3).stdout for _ in range(2))
    assert first == again
    assert len(first.splitlines()) == 7
    assert call("generate", folder, "-n", 7, "--seed", 4).stdout != first
    for stage in ("mle", "final", "best", *map(str, checkpoints(folder))):
        assert len(call("generate", folder, "-n", 2, "--seed", 1, "--stage", stage).stdout.splitlines()) == 2
    assert all(
        line.startswith("hi") for line in call("generate", folder, "-n", 5, "--prompt", "hi ").stdout.splitlines()
    )
    greedy = call("generate", folder, "-n", 4, "--top-k", 1, "--seed", 0).stdout.splitlines()
    assert len(set(greedy)) == 1
    assert call("generate", folder, "-n", 4, "--top-p", 1e-6, "--seed", 0).stdout.splitlines() == greedy
    for line in call("generate", folder, "-n", 3, "--json", "--seed", 1).stdout.splitlines():
        assert set(json.loads(line)) == {"text", "tokens", "ended"}
    call("generate", folder, "-n", 7, "--seed", 3, "--output", tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_text() == first


def test_the_run_tells_what_it_is_and_where_each_value_came_from(
    train: Callable[..., Result], corpus_file: Path, tmp_path: Path
) -> None:
    config = tmp_path / "c.toml"
    config.write_text("mle-epochs = 2\n")
    call(
        "train",
        "--algorithm",
        "mle",
        "--corpus",
        corpus_file,
        "--preset",
        "quick",
        "--config",
        config,
        "--hidden-dim",
        "9",
        "--seed",
        "4",
        "--run-dir",
        tmp_path / "run",
        "--quiet",
    )
    schema = describe(tmp_path / "run")
    assert schema["format"] == 2
    assert (schema["seed"], schema["algorithm"]) == (4, "mle")
    sources = schema["sources"]
    assert sources["hidden_dim"] == "command line"
    assert sources["mle_epochs"] == f"config {config}"
    assert sources["dropout"] == "preset quick"
    assert sources["max_grad_norm"] == "default"
    assert schema["config"]["hidden_dim"] == 9
    assert schema["config"]["mle_epochs"] == 2
    assert sum(schema["corpus"]["split"].values()) == schema["corpus"]["texts"] == 60
    assert {"torch", "python", "sentencepiece"} <= set(schema["versions"])


def test_texts_that_are_too_long_are_counted_and_told(corpus_file: Path, tiny_options: Options, tmp_path: Path) -> None:
    words = [
        "train",
        "--corpus",
        corpus_file,
        "--algorithm",
        "mle",
        *tiny_options("mle"),
        "--tokenizer",
        "char",
        "--quiet",
    ]
    output = call(*words, "--max-length", "13", "--run-dir", tmp_path / "run").output
    told = re.search(r"(\d+) validation and test texts are longer than --max-length 13: they are truncated", output)
    assert told is not None
    kept = load_corpus(str(corpus_file))
    assert int(told[1]) == sum(len(text) + 1 > 13 for text in kept.valid + kept.test)


def test_a_requeued_command_line_continues_its_own_run(
    corpus_file: Path, tiny_options: Options, tmp_path: Path
) -> None:
    words = [
        "train",
        "--corpus",
        corpus_file,
        "--algorithm",
        "mle",
        *tiny_options("mle"),
        "--resume",
        tmp_path / "run",
        "--quiet",
    ]
    call(*words)
    record = read_record(tmp_path / "run")
    call(*words)
    call("train", "--resume", tmp_path / "run", "--quiet")
    assert read_record(tmp_path / "run") == record
    call("train", "--resume", tmp_path / "run", "--mle-epochs", "5", "--mle-patience", "2", "--quiet")
    longer = read_record(tmp_path / "run")
    assert longer[: len(record)] == record
    assert [line["step"] for line in longer if "valid_nll" in line] == [2, 4, 6, 8, 10]  # two updates an epoch


def test_a_resume_with_other_options_is_refused_with_the_differences(
    train: Callable[..., Result], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    train("mle", folder)
    message, code = refusal("train", "--resume", folder, "--mle-lr", "0.5", "--seed", "9")
    assert code == 2
    assert "mle_lr was 0.02 and is now 0.5" in message
    assert "seed was 0 and is now 9" in message
    other = tmp_path / "other.txt"
    other.write_text("\n".join(tiny_lines(50)))
    assert "is not the one that" in refusal("train", "--resume", folder, "--corpus", other)[0]
    assert "algorithm was 'mle' and is now 'seqgan'" in refusal("train", "--resume", folder, "--algorithm", "seqgan")[0]


def test_a_changed_corpus_is_refused(train: Callable[..., Result], corpus_file: Path, tmp_path: Path) -> None:
    train("mle", tmp_path / "run")
    corpus_file.write_text("\n".join(tiny_lines(50)))
    assert "is not the one that" in refusal("train", "--resume", tmp_path / "run")[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train"], "--corpus is missing"),
        (["train", "--corpus", "poem"], "did you mean poems"),
        (["train", "--corpus", "nothing/here.txt"], "there is no file nothing/here.txt"),
        (["train", "--corpus", "poems", "--algorithm", "segan"], "there is no 'segan'; did you mean seqgan"),
        (["train", "--corpus", "poems", "--preset", "slow"], "no preset 'slow'"),
        (
            ["train", "--corpus", "poems", "--algorithm", "mle", "--rollouts", "4"],
            "--rollouts belongs to --algorithm seqgan, not to mle",
        ),
        (["train", "--corpus", "poems", "--rolouts", "4"], "No such option"),
        (["train", "--corpus", "poems", "--rollouts", "0"], "'0' is not a whole number from 1"),
        (["train", "--corpus", "poems", "--mle-lr", "fast"], "'fast' is not a number above 0"),
        (["train", "--corpus", "poems", "--config", "none.toml"], "there is no config file none.toml"),
        (["train", "--corpus", "poems", "--device", "tpu9"], "cannot compute on --device 'tpu9'"),
        (["train", "--resume", "x", "--run-dir", "y"], "--resume names the run itself"),
        (["train", "--resume", "nowhere"], "there is no run in nowhere to continue"),
        (["train", "--corpus", "poems", "--max-length", "5", "--overlong", "drop"], "no text is left"),
        (["train", "--corpus", "poems", "--max-length", "5", "--overlong", "error"], "more than --max-length 5"),
        (
            ["train", "--corpus", "poems", "--filter-sizes", "1,2", "--num-filters", "8"],
            "--filter-sizes has 2 numbers and --num-filters 1",
        ),
        (["generate", "nowhere"], "is not a run directory"),
        (["corpora", "show", "poem"], "did you mean poems"),
    ],
)
def test_a_mistake_gets_one_clear_line_and_exit_code_2(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told, code = refusal(*words, *(["--quiet"] if words[0] == "train" else []))
    assert message in told
    assert code == 2
    assert not list(tmp_path.rglob("run.json"))


def test_generate_refuses_what_the_run_cannot_do(train: Callable[..., Result], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train("mle", folder)
    assert "the prompt holds tokens outside the vocabulary: Ω" in refusal("generate", folder, "--prompt", "hi Ω")[0]
    assert "this model generates at most" in refusal("generate", folder, "--prompt", "hi anna " * 5)[0]
    message, _ = refusal("generate", folder, "--stage", "bst")
    assert "no stage 'bst'; there are mle, final, best and the checkpoints" in message
    model = (folder / "tokenizer.model").read_bytes()
    (folder / "tokenizer.model").write_bytes(model[:50])
    assert "tokenizer.model" in refusal("generate", folder)[0]
    assert (
        "is not the one this was made with" in refusal("train", "--resume", folder)[0]
        or "damaged" in refusal("train", "--resume", folder)[0]
    )
    (folder / "tokenizer.model").unlink()
    assert "the ids of the run cannot be decoded without it" in refusal("generate", folder)[0]
    (folder / "tokenizer.model").write_bytes(model)
    for path in checkpoints(folder).values():
        path.unlink()
    assert "holds no checkpoint yet" in refusal("generate", folder)[0]


def test_a_checkpoint_of_another_model_is_refused(train: Callable[..., Result], tmp_path: Path) -> None:
    train("mle", tmp_path / "small")
    train("mle", tmp_path / "large", "--hidden-dim", "12")
    newest = next(reversed(checkpoints(tmp_path / "small").values()))
    foreign = next(reversed(checkpoints(tmp_path / "large").values()))
    newest.write_bytes(foreign.read_bytes())
    message, code = refusal("generate", tmp_path / "small")
    assert "does not belong to the run" in message
    assert code == 2
    assert "does not belong to the run" in refusal("train", "--resume", tmp_path / "small")[0]


def test_an_existing_run_is_only_replaced_when_asked(
    train: Callable[..., Result], corpus_file: Path, tmp_path: Path
) -> None:
    train("mle", tmp_path / "run")
    assert (
        "exists already"
        in refusal("train", "--corpus", corpus_file, "--run-dir", tmp_path / "run", "--algorithm", "mle")[0]
    )
    train("mle", tmp_path / "run", "--overwrite", "--seed", "8")
    assert describe(tmp_path / "run")["seed"] == 8


def test_runs_are_numbered_by_default(
    corpus_file: Path, tiny_options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        call("train", "--corpus", corpus_file, "--algorithm", "mle", *tiny_options("mle"), "--quiet")
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"tiny-mle-1", "tiny-mle-2"}


def test_a_diverging_run_ends_with_exit_code_1(corpus_file: Path, tiny_options: Options, tmp_path: Path) -> None:
    words = [
        "train",
        "--corpus",
        corpus_file,
        "--algorithm",
        "mle",
        *tiny_options("mle"),
        "--mle-lr",
        "1000",
        "--weight-decay",
        "1000000",
    ]
    message, code = refusal(*words, "--run-dir", tmp_path / "run", "--quiet")
    assert code == 1
    assert "training diverged at step" in message


def test_corpora_are_listed_and_shown() -> None:
    listed = call("corpora", "list").stdout
    assert "poems" in listed
    assert "speeches" in listed
    assert "CC0-1.0" in listed
    shown = call("corpora", "show", "poems", "-n", "2").stdout
    assert "sha256" in shown
    assert len([line for line in shown.splitlines() if line.startswith("  ")]) == 2


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_help_explains_every_hyper_parameter(algorithm: str) -> None:
    from seqgan.algorithms.configs import CONFIGS
    from seqgan.core.config import parameters

    text = " ".join(call("train", "--algorithm", algorithm, "--help").stdout.split())
    for parameter in parameters(CONFIGS[algorithm]):
        assert parameter.option.replace("_", "-") in text
        assert parameter.help.split(";")[0][:25] in text


def test_real_quatrains_train(real_data: Path, tmp_path: Path) -> None:
    some = gzip.decompress((real_data / "poems" / "jueju5.train.txt.gz").read_bytes()).splitlines(keepends=True)[:1500]
    (tmp_path / "jueju5.txt.gz").write_bytes(gzip.compress(b"".join(some)))
    words = ["--algorithm", "mle", "--mle-epochs", "1", "--hidden-dim", "16", "--embedding-dim", "16", "--quiet"]
    call("train", "--corpus", tmp_path / "jueju5.txt.gz", *words, "--run-dir", tmp_path / "run")
    poems = call("generate", tmp_path / "run", "-n", 20, "--seed", 0).stdout.splitlines()
    assert len(poems) == 20
