"""Learning from the labels of some images: which they are, that no other is read, and the test errors."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch.nn.functional import one_hot

from imagegan import training
from imagegan.cli import imagegan
from imagegan.data import UNLABELLED, ImageDataset, Splits, digits
from imagegan.data.dataset import few_labels
from imagegan.evaluation import evaluate_runs, first_numbers
from imagegan.game import Game
from imagegan.measures import classifier_errors
from imagegan.nets import Classifier
from seqgan.core.seed import seed_everything
from seqgan.errors import UsageError
from tests.imagegan.tiny import CPU, SHAPE, as_options, config_of, made
from tests.killing import flat

pytestmark = pytest.mark.usefixtures("_small_networks")


@pytest.mark.parametrize(("count", "of_each"), [(10, [1] * 10), (20, [2] * 10), (500, [50] * 10)])
def test_the_labels_are_as_many_of_each_class_and_true(count: int, of_each: list[int]) -> None:
    labels = torch.arange(1000) % 10
    few = few_labels(labels, count, seed=3)
    kept = few != UNLABELLED
    assert few[kept].bincount().tolist() == of_each
    assert few[kept].equal(labels[kept])
    assert few.equal(few_labels(labels, count, seed=3))
    assert not few.equal(few_labels(labels, count, seed=4))


def test_what_does_not_divide_goes_to_some_classes_and_what_a_class_lacks_to_others() -> None:
    labels = torch.arange(1000) % 10
    numbers = few_labels(labels, 23, 0)
    assert sorted(numbers[numbers >= 0].bincount().tolist()) == [2] * 7 + [3] * 3
    rare = torch.tensor([0] * 50 + [1] * 50 + [2] * 3)
    numbers = few_labels(rare, 21, 0)
    assert numbers[numbers >= 0].bincount().tolist() == [9, 9, 3]


def test_all_labels_there_are_can_be_used_and_no_others_are_invented() -> None:
    partly = torch.tensor([0, 1, UNLABELLED, 1, UNLABELLED, 0])
    assert few_labels(partly, 0, 0).equal(partly)
    assert (few_labels(partly, 2, 0)[partly == UNLABELLED] == UNLABELLED).all()
    for count in (1, 5):
        with pytest.raises(UsageError, match=f"--labels {count} is not between 2, the number of classes, and 4, the"):
            few_labels(partly, count, 0)


def test_no_other_label_reaches_the_training() -> None:
    """Games of images whose other labels are lost are the same, to the last bit."""
    data = digits(50, seed=1)
    few = few_labels(data.labels, 20, 0)

    def trained(labels: torch.Tensor, count: int) -> str:
        config = config_of("semi-gan", labels=count)
        game = training.new_model("semi-gan", config, data._replace(labels=labels), SHAPE, CPU, 0)
        assert isinstance(game, Game)
        assert game.labels.equal(few)
        for step in (1, 2):
            seed_everything(0, step)
            game.update(step)
        return flat(game.state_dict())

    assert trained(data.labels, 20) == trained(few, 0)


def test_the_error_is_the_share_that_a_classifier_gets_wrong() -> None:
    game = made("semi-gan")
    labels = torch.tensor([0, 1, 2, 3, UNLABELLED])
    pixels = one_hot(torch.tensor([0, 1, 2, 7, 8]), 784).float().view(5, 1, 28, 28)
    reading = game.recipe.nets["baseline"]
    assert isinstance(reading, Classifier)
    reading.trunk = torch.nn.Flatten()
    reading.output = torch.nn.Linear(784, 10, bias=False)
    with torch.no_grad():
        reading.output.weight.copy_(torch.eye(10, 784))
    row = classifier_errors(game, ImageDataset(pixels, labels, torch.zeros(5, 0)))
    assert row["test-error-baseline"].value == 0.25
    assert row["test-error-baseline"].signature.endswith("by the baseline, N=4")
    assert set(row) == {"test-error", "test-error-baseline"}
    assert classifier_errors(made("dcgan"), digits(20)) == {}


def test_a_classifier_of_few_labels_learns_and_is_told_beside_its_baseline(tmp_path: Path) -> None:
    splits = Splits(digits(300, seed=1), digits(200, seed=2))
    game = training.new_model(
        "semi-gan", config_of("semi-gan", labels=100, width=8, batch_size=16, d_lr=2e-3), splits.train, SHAPE, CPU, 0
    )
    assert isinstance(game, Game)
    for step in range(1, 61):
        torch.manual_seed(step)
        game.update(step)
    row = first_numbers(game, splits, "digits")["samples"]
    assert row["test-error"].value < 0.75
    assert row["test-error-baseline"].value < 0.75
    words = ["train", "--model", "semi-gan", "--run-dir", str(tmp_path / "run")]
    words += as_options("semi-gan", images=80)
    shown = CliRunner().invoke(imagegan, words, catch_exceptions=False)
    assert shown.exit_code == 0
    assert "the labels of 20 of them are used, as many of each class (--labels)" in shown.output
    told = json.loads((tmp_path / "run" / "evaluations" / "training.json").read_text())["rows"]["samples"]
    assert {"test-error", "test-error-baseline"} <= set(told)
    again = evaluate_runs([tmp_path / "run"], CPU, count=60)["run"]
    assert again["test-error"].value == pytest.approx(told["test-error"]["value"])


@pytest.fixture(scope="module")
def half_sorted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images, of which some are in class folders."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for place, count in (("cat", 40), ("dog", 60), (".", 100)):
        (folder / place).mkdir(exist_ok=True)
        for number in range(count):
            pixels = rng.integers(0, 256, (12, 12), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / place / f"{number:03}.png")
    return folder


def test_a_folder_with_labels_for_some_images_is_used(half_sorted: Path, tmp_path: Path) -> None:
    words = ["train", "--model", "semi-gan", "--data", "folder", "--data-dir", str(half_sorted), "--quiet"]
    options = as_options("semi-gan", images=0, size=12, labels=0)
    shown = CliRunner().invoke(imagegan, [*words, "--run-dir", str(tmp_path / "run"), *options], catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    assert "test-error" in shown.output
    told = json.loads((tmp_path / "run" / "run.json").read_text())["data"]
    assert (told["classes"], told["unlabelled"]) == (2, 90)
    assert "test-error" in evaluate_runs([tmp_path / "run"], CPU, count=20)["run"]
    with pytest.raises(UsageError, match="--labels 99 is not between 2, the number of classes, and 90"):
        imagegan.main([*words, "--run-dir", str(tmp_path / "no"), *options, "--labels", "99"], standalone_mode=False)
    words[2], options = "cgan", as_options("cgan", images=0, size=12)
    with pytest.raises(UsageError, match=r"learns from labels, but 90 images have none.*--model semi-gan"):
        imagegan.main([*words, "--run-dir", str(tmp_path / "no"), *options], standalone_mode=False)
    assert not (tmp_path / "no").exists()
