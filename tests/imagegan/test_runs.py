"""Runs on every set of images, their numbers, and what a user may get wrong: all by the real command line."""

import gzip
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from imagegan.cli import imagegan
from imagegan.data import load
from imagegan.evaluation import evaluate, evaluate_runs
from imagegan.generation import draw_samples
from imagegan.model import load_model
from imagegan.runs import load_images
from seqgan.core.run import describe, rewrite
from seqgan.errors import SeqGANError
from tests.imagegan.test_data import idx
from tests.imagegan.tiny import CPU, as_options

FEW: dict[str, Any] = {"images": 60, "steps": 2}


pytestmark = pytest.mark.usefixtures("_small_networks")


def call(*words: object) -> str:
    result = CliRunner().invoke(imagegan, list(map(str, words)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def train(folder: Path, model: str, *words: object, **changes: Any) -> Path:
    options = as_options(model, **{**FEW, **changes})
    call("train", "--model", model, "--run-dir", folder, "--threads", 1, "--quiet", *words, *options)
    return folder


def refusal(words: Sequence[object]) -> str:
    """The one line that a command is refused with, all of them with exit code 2."""
    try:
        imagegan.main(list(map(str, words)), standalone_mode=False)
    except SeqGANError as error:
        message, code = str(error), error.exit_code
    except click.ClickException as error:
        message, code = error.format_message(), error.exit_code
    else:
        pytest.fail(f"not refused: {words}")
    assert code == 2
    assert "\n" not in message
    return message


@pytest.fixture(scope="module")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled set of idx files."""
    folder = tmp_path_factory.mktemp("mnist")
    images = np.random.default_rng(0).integers(0, 256, (100, 28, 28), dtype=np.uint8)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images), 1))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(100, dtype=np.uint8) % 10))
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(images[:30]))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.arange(30, dtype=np.uint8) % 10))
    return folder


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of colour images without classes."""
    folder = tmp_path_factory.mktemp("photographs")
    for number, image in enumerate(np.random.default_rng(1).integers(0, 256, (250, 12, 12, 3), dtype=np.uint8)):
        Image.fromarray(image).save(folder / f"{number:03}.png")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on digits."""
    return train(tmp_path_factory.mktemp("gan") / "run", "gan")


# --- every set of images


def test_a_run_keeps_what_it_needs_to_load_its_images_again(mnist: Path, tmp_path: Path) -> None:
    run = train(tmp_path / "run", "cgan", "--data", "mnist", "--data-dir", mnist, steps=2)
    stored = describe(run)["data"]
    assert {name: stored[name] for name in ("name", "folder", "count", "channels", "size", "classes")} == {
        "name": "mnist", "folder": str(mnist), "count": 60, "channels": 1, "size": 28, "classes": 10,
    }  # fmt: skip
    again = load_images(run, 60).train
    assert again.fingerprint() == stored["sha256"]
    assert len(again.pixels) == 60
    call("train", "--resume", run, "--steps", 3, "--quiet")
    assert describe(run)["config"]["steps"] == 3
    assert "accuracy" in call("evaluate", run, "--count", 30)
    table = call("evaluate", run, "-n", 30, "--markdown")
    assert "|---|---:|---:|" in table.splitlines()


def test_a_run_goes_on_where_its_images_have_moved_to(mnist: Path, tmp_path: Path) -> None:
    before, now = tmp_path / "before", tmp_path / "now"
    shutil.copytree(mnist, before)
    run = train(tmp_path / "run", "gan", "--data", "mnist", "--data-dir", before, steps=1)
    before.rename(now)
    told = refusal(["evaluate", run])
    assert f"if they have moved: imagegan train --resume {run} --data-dir PATH" in told
    saved = (run / "run.json").read_bytes()
    (now / "train-labels-idx1-ubyte").rename(now / "no labels")
    assert f"the images in {now} are not those that" in refusal(["train", "--resume", run, "--data-dir", now])
    assert (run / "run.json").read_bytes() == saved
    (now / "no labels").rename(now / "train-labels-idx1-ubyte")
    call("train", "--resume", run, "--data-dir", now, "--steps", 2, "--quiet")
    assert describe(run)["data"]["folder"] == str(now)
    assert describe(run)["id"] == json.loads(saved)["id"]
    told = call("evaluate", run, run, "--count", 20)
    assert " run " in told.splitlines()[1]  # and not its whole path, since it stands twice


def test_what_nobody_asked_for_follows_from_the_data(mnist: Path, photographs: Path, tmp_path: Path) -> None:
    brief = ["--steps", 1, "--batch-size", 4, "--width", 4, "--quiet"]
    asked: list[tuple[str, list[object], dict[str, object]]] = [
        ("all", ["--data", "mnist", "--data-dir", mnist], {"images": 0, "nets": "dcgan", "size": 28, "count": 100}),
        ("wide", ["--data", "digits", "--size", 32, "--images", 30], {"size": 32, "nets": "dcgan", "count": 30}),
        ("flat", ["--data", "folder", "--data-dir", photographs], {"size": 32, "nets": "dcgan", "count": 203}),
        ("small", ["--data", "folder", "--data-dir", photographs, "--size", 12], {"size": 12, "channels": 3}),
        ("points", ["--data", "ring", "--images", 30], {"size": 1, "nets": "mlp", "width": 4, "count": 30}),
        ("loose", ["--data", "ring", "--images", 30, "--model", "gan"], {"spectral_norm": False}),
        ("tight", ["--data", "digits", "--images", 30, "--model", "gan"], {"spectral_norm": True}),
    ]
    for name, words, expected in asked:
        call("train", "--run-dir", tmp_path / name, *words, *brief)
        call("train", "--resume", tmp_path / name, *words, *brief)  # the same words again are the same run
        stored = describe(tmp_path / name)
        found = {**stored["config"], **stored["data"]}
        assert {field: found[field] for field in expected} == expected, name
    call("train", "--run-dir", tmp_path / "quick", "--data", "grid", "--preset", "quick", "--steps", 1, "--quiet")
    call("train", "--resume", tmp_path / "quick", "--preset", "quick", "--steps", 1, "--quiet")
    assert describe(tmp_path / "quick")["config"]["nets"] == "mlp"


def test_fewer_images_than_there_are_come_from_everywhere(mnist: Path) -> None:
    some, whole = (load("mnist", folder=mnist, count=count).train for count in (40, 0))
    assert some.images.equal(whole.images[:40])
    assert some.labels.equal(whole.labels[:40])
    assert some.labels.bincount(minlength=10).min() > 0
    stored = np.random.default_rng(0).integers(0, 256, (100, 28, 28), dtype=np.uint8).reshape(100, -1)
    places = [int(np.abs(stored - row.astype(int)).sum(axis=1).argmin()) for row in some.images.flatten(1).numpy()]
    assert max(places) > 90
    assert places != sorted(places)


@pytest.mark.parametrize("data", ["ring", "grid", "swissroll"])
@pytest.mark.parametrize("model", ["dcgan", "wgan-gp", "vae"])
def test_points_are_learned(data: str, model: str, tmp_path: Path) -> None:
    run = train(tmp_path / "run", model, "--data", data)
    with Image.open(run / "samples.png") as image:
        assert image.width > 100
    numbers = json.loads((run / "evaluations" / "training.json").read_text())["rows"]
    assert ("modes" in numbers["samples"]) == (data != "swissroll")
    assert numbers["held-out"]["fd-pca64"]["value"] < 0.1


def test_made_images_that_are_others_by_now_are_refused(run: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(run, tmp_path / "old"))
    description = json.loads((old / "run.json").read_text())
    description["data"]["sha256"] = "0" * 64
    rewrite(old, description)
    assert "the images made (another Pillow?) are not those that" in refusal(["train", "--resume", old])


def test_images_that_changed_or_are_gone_are_told(photographs: Path, tmp_path: Path) -> None:
    place = Path(shutil.copytree(photographs, tmp_path / "images"))
    run = train(tmp_path / "run", "gan", "--data", "folder", "--data-dir", place, "--size", 12, images=0)
    commands: list[list[object]] = [["train", "--resume", run], ["evaluate", run]]
    Image.new("RGB", (12, 12)).save(place / "000.png")
    for command in commands:
        assert f"the images in {place} are not those that {run} was begun with" in refusal(command)
    shutil.rmtree(place)
    for command in commands:
        assert f"the images of {run} cannot be loaded again: there is no folder {place}" in refusal(command)


# --- numbers


def test_a_training_ends_with_numbers_and_leaves_them(tmp_path: Path) -> None:
    words = ["train", "--model", "dcgan", "--run-dir", tmp_path / "run", "--quiet", *as_options("dcgan", **FEW)]
    shown = call(*words)
    assert "FD[random@" in shown
    assert re.search(rf"the run is in {tmp_path / 'run'} \(\d+ s of training\); more images: imagegan generate", shown)
    assert "d-accuracy" in shown
    numbers = json.loads((tmp_path / "run" / "evaluations" / "training.json").read_text())
    assert numbers["steps"] == 2
    assert numbers["rows"]["samples"]["fd-pca64"]["value"] > 2 * numbers["rows"]["held-out"]["fd-pca64"]["value"]
    assert "d-accuracy" not in numbers["rows"]["held-out"]
    call("train", "--resume", tmp_path / "run", "--quiet")  # nothing to learn: the same numbers again
    assert json.loads((tmp_path / "run" / "evaluations" / "training.json").read_text()) == numbers


def test_runs_stand_side_by_side_and_repeat(tmp_path: Path) -> None:
    runs = [train(tmp_path / model, model) for model in ("gan", "cgan", "infogan")]
    told = call("evaluate", *runs, "--count", 40, "--json", "--threads", 1)
    rows = json.loads(told)["rows"]
    assert list(rows) == ["gan", "cgan", "infogan", "held-out"]
    assert json.loads(told)["seed"] == 0
    for metric, owners in {
        "fd-labels": ["gan", "cgan", "infogan", "held-out"],
        "accuracy": ["cgan", "held-out"],
        "agreement": ["infogan"],
        "code-2": ["infogan"],
        "factors-read": ["held-out"],
    }.items():
        assert [name for name, row in rows.items() if metric in row] == owners, metric
    assert rows["cgan"]["fd-pca64"]["signature"] == rows["held-out"]["fd-pca64"]["signature"]
    alone, other = (evaluate_runs(runs[:1], CPU, count=40, seed=seed)["gan"] for seed in (0, 1))
    for metric, number in rows["gan"].items():
        assert alone[metric].value == pytest.approx(number["value"], rel=1e-3), metric
    assert other["fd-pca64"].value != alone["fd-pca64"].value


def test_runs_on_other_images_have_held_out_images_of_their_own(run: Path, tmp_path: Path) -> None:
    points = train(tmp_path / "points", "gan", "--data", "ring")
    shown = evaluate_runs([run, points], CPU, count=40)
    assert list(shown) == ["run", "points", "held-out of run", "held-out of points"]
    assert "modes" in shown["held-out of points"]
    assert "modes" not in shown["held-out of run"]


def test_samples_of_a_model_are_of_the_classes_that_training_images_have(tmp_path: Path) -> None:
    run = train(tmp_path / "run", "cgan", "--data", "grid", "--seed", 3)
    model, splits = load_model(run, CPU), load_images(run, 60)
    few = splits.train._replace(labels=torch.arange(len(splits.train.labels)) % 2 * 7)
    drawn = draw_samples(model, 250, 0, few)
    assert drawn.labels is not None
    assert sorted(drawn.labels.unique().tolist()) == [0, 7]
    assert drawn.pixels.shape == (250, 2, 1, 1)
    assert drawn.pixels.equal(draw_samples(model, 250, 0, few).pixels)
    assert "accuracy" in evaluate({"samples": draw_samples(model, 100, 0, splits.train)}, splits, "grid")["samples"]


# --- what a user may get wrong


def test_what_cannot_be_trained_is_told_before_a_folder_is_made(mnist: Path, photographs: Path, tmp_path: Path) -> None:
    cut = Path(shutil.copytree(mnist, tmp_path / "cut"))
    whole = cut / "t10k-images-idx3-ubyte"
    whole.write_bytes(whole.read_bytes()[:-1])
    corrupt = Path(shutil.copytree(mnist, tmp_path / "corrupt"))
    (corrupt / "train-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8bnothing")
    oblong = tmp_path / "oblong"
    oblong.mkdir()
    (oblong / "train-images-idx3-ubyte").write_bytes(idx(np.zeros((20, 28, 20), np.uint8)))
    floats = tmp_path / "floats"
    floats.mkdir()
    (floats / "train-images-idx3-ubyte").write_bytes(idx(np.zeros((20, 28, 28), ">f4")))
    cases: list[tuple[list[object], str]] = [
        (["--model", "wgangp"], "there is no 'wgangp'; did you mean wgan-gp"),
        (["--data", "mnst"], "there is no set of images 'mnst'; did you mean mnist"),
        (["--data", "mnist"], "is read from a folder; give it by --data-dir"),
        (["--data", "hf:mnist"], "'hf:mnist' is no address of a dataset"),
        (["--data", "hf:a/b", "--data-dir", mnist], "comes from the hub; leave out --data-dir"),
        (["--data-dir", mnist], "digits is generated, not read; leave out --data-dir"),
        (["--data", "mnist", "--data-dir", tmp_path / "no"], "there is no folder"),
        (["--data", "mnist", "--data-dir", cut], "is cut short: 30 x 28 x 28 values"),
        (["--data", "mnist", "--data-dir", corrupt], "is a damaged or cut gzip file"),
        (["--data", "mnist", "--data-dir", oblong], "images of 28 x 20; square ones are needed"),
        (["--data", "mnist", "--data-dir", floats], "holds float32 values; images of unsigned bytes"),
        (["--data", "mnist", "--data-dir", mnist, "--size", 64], "mnist comes with 28 x 28 pixels, not 64"),
        (["--size", 30], "digits are drawn at 28, 32, 64 pixels, not at 30"),
        (["--data", "ring", "--size", 28], "ring comes with 1 x 1 pixels, not 28"),
        (["--data", "ring", "--nets", "dcgan"], "but the data has 1 x 1; use --nets mlp"),
        (["--data", "ring", "--model", "lapgan"], "a pyramid halves its images, but 1 x 1 ones"),
        (["--data", "folder", "--data-dir", photographs, "--size", 15], "a multiple of 2 and 6 at least"),
        (["--data", "folder", "--data-dir", photographs, "--size", 10, "--nets", "common"], "a multiple of 4"),
        (["--data", "folder", "--data-dir", photographs, "--model", "acgan"], "this model learns from labels"),
        (["--data", "swissroll", "--model", "cgan"], "this model learns from labels"),
        (["--model", "dragan", "--d-norm", "batch"], "BatchNorm"),
    ]
    for words, message in cases:
        assert message in refusal(["train", "--run-dir", tmp_path / "run", *words]), words
        assert not (tmp_path / "run").exists()


def test_a_run_that_is_asked_for_something_else_is_refused(run: Path, mnist: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(run, tmp_path / "damaged"))
    (damaged / "checkpoints" / "step-00000002.pt").write_bytes(b"nothing of the kind")
    foreign = Path(shutil.copytree(run, tmp_path / "foreign"))
    other = train(tmp_path / "other", "cgan")
    shutil.copy(other / "checkpoints" / "step-00000002.pt", foreign / "checkpoints" / "step-00000002.pt")
    unlearned = Path(shutil.copytree(run, tmp_path / "unlearned"))
    shutil.rmtree(unlearned / "checkpoints")
    broken = Path(shutil.copytree(run, tmp_path / "broken"))
    description = json.loads((broken / "run.json").read_text())
    (broken / "run.json").write_text(json.dumps({**description, "data": {**description["data"], "size": "wide"}}))
    samples = tmp_path / "samples.npz"
    np.savez(samples, samples=np.eye(3, dtype=np.uint8)[0, :, None, None] * np.full((30, 1, 28, 28), 255, np.uint8))
    cases: list[tuple[list[object], str]] = [
        (["train", "--resume", run, "--data", "ring"], "--data was digits and is now ring"),
        (["train", "--resume", run, "--data-dir", mnist], "--data-dir was None and is now"),
        (["train", "--resume", run, "--latent-dim", 7], "latent_dim was 6 and is now 7"),
        (["train", "--resume", run, "--images", 70], "images was 60 and is now 70"),
        (["train", "--resume", damaged], "is damaged"),
        (["train", "--resume", foreign], "does not belong to the run"),
        (["train", "--resume", broken], "data.size is 'wide', but a whole number from 1 to 16777216 was expected"),
        (["evaluate", damaged], "is damaged"),
        (["evaluate", foreign], "does not belong to the run"),
        (["evaluate", broken], "data.size is 'wide'"),
        (["evaluate", unlearned], "holds no checkpoint yet"),
        (["evaluate", tmp_path / "nowhere"], "is not a run directory"),
        (["evaluate", run, "--data", "digits"], "--data applies to --samples"),
        (["evaluate", run, "--samples", samples], "give a RUN, or files"),
        (
            ["evaluate", "--samples", samples, "--images", 100],
            "images of 3 x 28 x 28, those of digits of 1 x 28 x 28",
        ),
        (["evaluate", "--samples", samples, "--data", "rinf"], "there is no set of images 'rinf'; did you mean ring"),
        (["evaluate", "--samples", samples, "--data", "ring", "--size", 28], "ring comes with 1 x 1 pixels"),
        (["evaluate"], "name a RUN"),
        (["evaluate", run, "--json", "--markdown"], "give one of them"),
    ]
    for words, message in cases:
        assert message in refusal(words), words
