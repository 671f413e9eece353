"""Numbers during training, on images of their own, and the generator that was best by them."""

import json
import math
from collections.abc import Iterator
from functools import partialmethod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor
from torch.testing import assert_close

import imagegan
from imagegan.cli import imagegan as command
from imagegan.data import ImageDataset, Splits, digits, load, toy
from imagegan.game import Game
from imagegan.latents import CPU, Latents
from imagegan.metrics.distances import frechet_distance, moments
from imagegan.metrics.features import random
from imagegan.model import ImageModel, load_model
from imagegan.pyramid import Pyramid, coarsened
from imagegan.training import new_model, shape_of
from imagegan.validation import Validated, Validation
from seqgan.core.record import read_record
from seqgan.errors import CheckpointError, DivergedError, RunError, UsageError
from tests.imagegan.tiny import config_of, made, tiny
from tests.killing import flat

FEW = digits(40, seed=3)
SPLITS = Splits(digits(50, seed=1), digits(20, seed=2), valid=FEW)


def drawing(model: Game | Pyramid, images: Tensor) -> None:
    """Let a model draw these images, one after the other."""

    def draw(latents: Latents, refined: int | None = None) -> Tensor:
        return images[: len(latents.noise)]

    model.draw = draw  # type: ignore[method-assign, assignment]


pytestmark = pytest.mark.usefixtures("_small_networks")


# --- the numbers


def test_the_distance_is_that_of_random_features_to_validation_images() -> None:
    game, others = made("dcgan"), digits(40, seed=9).pixels
    drawing(game, others)
    found = Validation(game, SPLITS.train, FEW).measure(0)
    space = random(1)
    pairs = zip(space.features(others), space.features(FEW.pixels), strict=True)
    by_hand = np.mean([frechet_distance(moments(some), moments(real)) for some, real in pairs])
    assert found["valid_fd"] == pytest.approx(by_hand)
    assert found["valid_variety"] == pytest.approx(float(others.std(0).mean() / FEW.pixels.std(0).mean()))
    drawing(game, FEW.pixels)
    assert Validation(game, SPLITS.train, FEW).measure(0) == pytest.approx({"valid_fd": 0, "valid_variety": 1})


def test_samples_of_classes_are_of_those_of_the_validation_images() -> None:
    game, asked = made("cgan"), []
    labels = FEW.labels.clone()
    labels[:3] = torch.tensor([-1, 10, -1])  # which the model cannot be asked for
    validation = Validation(game, SPLITS.train, FEW._replace(labels=labels))
    assert validation.latents.codes.argmax(dim=1).equal(FEW.labels[3:])
    assert validation.images.equal(FEW.pixels[3:])
    drawing(game, FEW.pixels[3:])
    asked.append(validation.measure(0)["valid_fd"])
    assert asked == [pytest.approx(0, abs=1e-9)]


def test_a_level_of_a_pyramid_is_compared_without_what_finer_ones_add() -> None:
    pyramid = made("lapgan")
    assert isinstance(pyramid, Pyramid)
    validation = Validation(pyramid, SPLITS.train, FEW)
    for level, halvings in enumerate((2, 1, 0)):
        drawing(pyramid, coarsened(FEW.pixels, halvings))
        assert validation.measure(level)["valid_fd"] == pytest.approx(0, abs=1e-9)
        assert validation.measure(2)["valid_fd"] > 1e-3 or halvings == 0
    assert_close(coarsened(FEW.pixels, 2)[..., ::4, ::4], FEW.pixels.unfold(2, 4, 4).unfold(3, 4, 4).mean((-1, -2)))


def test_points_are_compared_in_the_plane() -> None:
    ring = toy("ring", 60, 1)
    game = new_model("gan", config_of("gan", nets="mlp"), ring, shape_of(ring), CPU, 0)
    drawing(game, ring.pixels + torch.tensor([3.0, 4.0]).view(2, 1, 1))
    assert Validation(game, ring, ring).measure(0)["valid_fd"] == pytest.approx(25, rel=1e-4)


def test_of_equal_validation_images_there_is_no_variety() -> None:
    game = made("dcgan")
    same = FEW._replace(images=FEW.images[:1].expand(40, -1, -1, -1))
    assert list(Validation(game, SPLITS.train, same).measure(0)) == ["valid_fd"]


def test_samples_that_are_no_numbers_are_told_as_such() -> None:
    game = made("dcgan")
    drawing(game, torch.full((40, 1, 28, 28), math.nan))
    assert math.isnan(Validation(game, SPLITS.train, FEW).measure(0)["valid_fd"])


# --- when, and the best of them


@pytest.mark.parametrize(("model", "expected"), [("dcgan", [3]), ("lapgan", [6, 3, 3])])
def test_it_is_measured_every_so_many_rounds(model: str, expected: list[int]) -> None:
    """The coarsest level of a pyramid has two rounds for each of the others here."""
    plain = made(model, **({"top_rounds": 2} if model == "lapgan" else {}))
    measured = Validated(plain, SPLITS, 3)
    assert [phase.validate_every for phase in measured.phases()] == expected
    assert all(phase.check for phase in measured.phases())
    for none in (Validated(plain, SPLITS, 0), Validated(plain, Splits(FEW, FEW), 3), Validated(plain)):
        assert not any(phase.check for phase in none.phases())


def test_to_be_measured_changes_nothing_that_is_learned() -> None:
    states = []
    for every in (0, 1):
        game = Validated(made("dcgan"), SPLITS, every)
        torch.manual_seed(0)
        for phase in game.phases():
            for step in range(1, 4):
                phase.update(step)
                if phase.check:
                    phase.check(step)
        states.append(flat(game.model.state_dict()))
        assert bool(game.best["adversarial"]) == bool(every)
    assert states[0] == states[1]


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_the_best_generator_is_kept_whatever_comes_after(ema: float, monkeypatch: pytest.MonkeyPatch) -> None:
    distances: Iterator[float] = iter([3.0, 1.0, 2.0, 1.0, 5.0])
    monkeypatch.setattr(Validation, "measure", lambda self, level: {"valid_fd": next(distances)})
    game = Validated(made("dcgan", ema=ema, steps=5), SPLITS, 1)
    [phase] = game.phases()
    assert phase.check
    drawn = []
    latents = game.model.prior.draw(3, seed=0)
    for step in range(1, 6):
        phase.update(step)
        phase.check(step)
        drawn.append(game.model.draw(latents))
    assert (game.best["adversarial"]["fd"], game.best["adversarial"]["step"]) == (1.0, 2)
    assert game.use_best()
    assert_close(game.model.draw(latents), drawn[1])
    assert not Validated(made("dcgan")).use_best()


def test_a_pyramid_has_a_best_generator_of_each_level() -> None:
    game = Validated(made("lapgan"), SPLITS, 1)
    latents = game.model.prior.draw(3, seed=0)
    for phase in game.phases()[:2]:
        phase.update(1)
        assert phase.check
        phase.check(1)
    drawn = game.model.draw(latents)
    for phase in game.phases()[:2]:
        phase.update(2)
    assert not game.model.draw(latents).equal(drawn)
    assert game.use_best()
    assert_close(game.model.draw(latents), drawn)
    assert [bool(found) for found in game.best.values()] == [True, True, False]


def test_a_best_state_of_something_else_is_refused() -> None:
    state = Validated(made("dcgan")).state_dict()
    for wrong in ({}, {"adversarial": {"fd": 1.0}}, {"adversarial": {"fd": 1.0, "step": 1, "weights": {}}}):
        with pytest.raises(ValueError, match="best"):
            Validated(made("dcgan")).load_state_dict({**state, "best": wrong})


# --- validation images


def test_validation_images_are_neither_trained_on_nor_tested_on() -> None:
    made_here = load("digits", count=300, held_out=40)
    assert made_here.valid is not None
    assert [len(some.labels) for some in (*made_here, made_here.valid)] == [300, 40, 30]
    parts = {name: {image.tobytes() for image in some.images.numpy()} for name, some in _named(made_here)}
    assert not parts["valid"] & (parts["train"] | parts["test"])
    assert "300 to train on, 30 to validate on, 40 held out" in made_here.summary("digits")
    assert load("digits", count=199, held_out=40).valid is None  # 19 would be too few to measure


def test_those_of_a_folder_are_taken_off_the_training_images(tmp_path: Path) -> None:
    from PIL import Image

    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (400, 8, 8), dtype=np.uint8)):
        place = tmp_path / ("train" if number < 300 else "test") / str(number % 3)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{number}.png")
    whole, few = (load("folder", folder=tmp_path, size=8, count=count) for count in (0, 100))
    assert whole.valid is not None
    assert few.valid is not None
    assert [len(some.labels) for some in (*whole, whole.valid)] == [270, 100, 30]
    assert [len(some.labels) for some in (*few, few.valid)] == [100, 100, 30]
    assert few.valid.images.equal(whole.valid.images)  # a run with fewer images is chosen by the same
    assert whole.valid.labels.bincount(minlength=3).min() > 3
    parts = {name: {image.tobytes() for image in some.images.numpy()} for name, some in _named(whole)}
    assert not parts["valid"] & parts["train"]


def _named(splits: Splits) -> list[tuple[str, ImageDataset]]:
    assert splits.valid is not None
    return [("train", splits.train), ("test", splits.test), ("valid", splits.valid)]


# --- runs


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of five rounds, measured in every second."""
    folder = tmp_path_factory.mktemp("run") / "run"
    options: dict[str, Any] = tiny("dcgan", images=200, steps=5, validate_every=2, g_lr=0.01)
    return imagegan.train("dcgan", run_dir=folder, seed=2, **options).folder


def call(*words: object) -> str:
    result = CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_run_records_its_numbers_and_has_its_best_stage(run: Path, tmp_path: Path) -> None:
    measured = {line["step"]: line["valid_fd"] for line in read_record(run) if "valid_fd" in line}
    assert list(measured) == [2, 4, 5]
    splits = load("digits", count=200, seed=2)
    assert splits.valid is not None
    for stage, step in (("best", min((2, 4), key=lambda step: measured[step])), ("final", 5), ("5", 5)):
        model = load_model(run, CPU, stage)
        assert Validation(model, splits.train, splits.valid).measure(0)["valid_fd"] == pytest.approx(measured[step])
    loaded = imagegan.load(run)
    best, final = (loaded.generate(4, stage=stage) for stage in ("best", 5))
    assert not best.equal(final)
    assert loaded.generate(4).equal(final)
    call("generate", run, "-n", 4, "--stage", "best", "--output", tmp_path / "best.npz")
    call("generate", run, "-n", 4, "--output", tmp_path / "final.npz")
    saved = [np.load(tmp_path / f"{stage}.npz")["images"] for stage in ("best", "final")]
    assert not np.array_equal(*saved)
    call("walk", run, "--stage", "best", "--rows", 1, "--output", tmp_path / "walk.png")
    shown = " ".join(call("train", "--resume", run, "--quiet").split())
    step = min((2, 4), key=lambda step: measured[step])
    assert f"(valid_fd {measured[step]:.3g}) were the samples after step {step} of adversarial: imagegan" in shown
    told = [json.loads(call("evaluate", run, "--count", 20, "--stage", stage, "--json")) for stage in ("best", "final")]
    assert [some["stage"] for some in told] == ["best", "final"]
    assert told[0]["rows"]["run"]["fd-random"] != told[1]["rows"]["run"]["fd-random"]


def test_a_stage_that_there_is_not_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="has no stage 'bset'; there are final, best and the checkpoints "):
        imagegan.load(run).model("bset")
    with pytest.raises(RunError, match="has no stage '7'"):
        imagegan.load(run).model(7)
    unmeasured = imagegan.train("dcgan", run_dir=tmp_path / "run", **tiny("dcgan", steps=1))
    with pytest.raises(RunError, match="has no best stage: its samples were not measured"):
        unmeasured.model("best")
    with pytest.raises(UsageError, match="--stage applies to a RUN"):
        command.main(["evaluate", "--samples", "x.npz", "--stage", "best"], standalone_mode=False)


def test_a_run_whose_samples_are_no_numbers_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Validation, "measure", lambda self, level: {"valid_fd": math.nan})
    with pytest.raises(DivergedError, match="at step 2 of adversarial: valid_fd is nan"):
        imagegan.train("dcgan", run_dir=tmp_path / "run", **tiny("dcgan", images=200, validate_every=2))


# --- saved models


@pytest.fixture(scope="module", params=["dcgan", "lapgan", "ring"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> imagegan.TrainedRun:
    model = "gan" if request.param == "ring" else request.param
    options = tiny(model, images=60, steps=2) | ({"nets": "mlp", "data": "ring"} if request.param == "ring" else {})
    return imagegan.train(model, run_dir=tmp_path_factory.mktemp("run") / "run", **options)


@pytest.fixture(autouse=True)
def _few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagegan.TrainedRun, "evaluate", partialmethod(imagegan.TrainedRun.evaluate, count=30))


def test_a_saved_model_generates_as_the_run(trained: imagegan.TrainedRun, tmp_path: Path) -> None:
    folder = trained.save_pretrained(tmp_path / "model", license="cc0-1.0")
    model = imagegan.from_pretrained(folder)
    assert isinstance(model, ImageModel)
    assert model.generate(12, seed=3).equal(trained.generate(12, seed=3))
    card = (folder / "README.md").read_text()
    assert 'license: "cc0-1.0"' in card
    assert "fd-pca64" in card
    assert str(trained.folder) not in card + (folder / "config.json").read_text()
    call("generate", folder, "-n", 5, "--seed", 3, "--output", tmp_path / "some.npz")
    call("walk", folder, "--rows", 1, "--output", tmp_path / "walk.png")
    with pytest.raises(UsageError, match="holds a saved model already; give --overwrite"):
        trained.save_pretrained(folder)
    assert trained.save_pretrained(folder, overwrite=True) == folder


def test_a_model_is_saved_where_there_is_nothing_to_measure_it_by(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "images").mkdir()
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (30, 28, 28), dtype=np.uint8)):
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.png")
    options = tiny("dcgan", images=0, steps=1, size=28)
    run = imagegan.train("dcgan", data="folder", data_dir=tmp_path / "images", run_dir=tmp_path / "run", **options)
    folder = run.save_pretrained(tmp_path / "model")
    assert "Nothing was measured" in (folder / "README.md").read_text()
    assert imagegan.from_pretrained(folder).generate(3).equal(run.generate(3))


def test_what_is_no_saved_model_is_refused(trained: imagegan.TrainedRun, tmp_path: Path) -> None:
    folder = trained.save_pretrained(tmp_path / "model")
    with pytest.raises(UsageError, match="is a run directory, which would be damaged"):
        trained.save_pretrained(trained.folder)
    with pytest.raises(UsageError, match="is a saved model, which has one stage; leave out --stage best"):
        command.main(["generate", str(folder), "--stage", "best"], standalone_mode=False)
    with pytest.raises(UsageError, match="there are no samples over training here"):
        command.main(["generate", str(folder), "--output", str(tmp_path / "x.gif")], standalone_mode=False)
    with pytest.raises(CheckpointError, match=r"config\.json is missing; is this a saved model"):
        imagegan.from_pretrained(trained.folder)
    [path, *_] = folder.rglob("generator.safetensors")
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(CheckpointError, match="is not what was saved there"):
        imagegan.from_pretrained(folder)
