"""Models with an encoder: the codes of images, what a linear classifier reads in them, and reconstructions."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from imagegan import walk
from imagegan.cli import imagegan
from imagegan.data import UNLABELLED, Splits, digits, toy
from imagegan.evaluation import evaluate_runs
from imagegan.game import Game
from imagegan.generation import encode, features_of, reconstruct
from imagegan.measures import linear
from imagegan.metrics.classes import linearly_right
from imagegan.metrics.features import small
from imagegan.model import load_model, untrained
from imagegan.runs import read_run
from seqgan.errors import SeqGANError, UsageError
from tests.imagegan.tiny import CPU, as_options, made
from tests.killing import flat

pytestmark = pytest.mark.usefixtures("_small_networks")


def train(folder: Path, model: str, *options: str) -> Path:
    words = ["train", "--model", model, "--run-dir", str(folder), "--quiet", *options, *as_options(model)]
    result = CliRunner().invoke(imagegan, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("bigan") / "run", "bigan")


# --- a linear classifier


def test_classes_that_a_plane_parts_are_all_read_and_noise_is_not() -> None:
    rng = torch.Generator().manual_seed(0)
    labels = torch.randint(3, (600,), generator=rng)
    corners = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    places = corners[labels] + torch.randn(600, 2, generator=rng)
    constant = torch.cat([1000 * places - 500, torch.full((600, 1), 7.0)], dim=1)  # scales and constants do not matter
    for features in (places, constant):
        assert linearly_right(features[:400], labels[:400], features[400:], labels[400:]).float().mean() == 1
    noise = torch.randn(600, 2, generator=rng)
    assert linearly_right(noise[:400], labels[:400], noise[400:], labels[400:]).float().mean() < 0.5


def test_it_is_ridge_regression_of_the_classes() -> None:
    """Of one standardised feature: w = c / (1 + ridge) for each class, whatever its scale."""
    features, labels = torch.tensor([[0.0], [1.0], [2.0], [3.0]]), torch.tensor([0, 0, 1, 1])
    test = torch.tensor([[1.4], [1.6], [-9.0], [9.0]])
    assert linearly_right(features, labels, test, torch.tensor([0, 1, 0, 0])).tolist() == [True, True, True, False]


def test_pixels_are_read_and_what_has_no_labels_is_not() -> None:
    splits = Splits(digits(600, seed=1), digits(200, seed=2))
    row = linear("linear", "pixels", small, splits)
    assert 0.4 < row["linear"].value < 1
    assert row["linear"].signature == "accuracy of a linear classifier of pixels, trained on 600 images, N=200"
    assert linear("linear", "nothing", lambda images: 0 * images.flatten(1), splits)["linear"].value < 0.2
    unlabelled = Splits(splits.train, splits.test._replace(labels=torch.full((200,), UNLABELLED)))
    assert linear("linear", "pixels", small, unlabelled) == {}


@pytest.mark.parametrize(("model", "what"), [("dcgan", "features of the discriminator"), ("vae", "codes E(x)")])
def test_a_model_sees_images_by_its_encoder_or_by_a_discriminator_in_eval_mode(model: str, what: str) -> None:
    game, images = made(model), digits(7, seed=3).pixels
    before = flat(game.state_dict())
    found = features_of(game)
    assert found
    assert found[0] == what
    torch.testing.assert_close(found[1](images[:1]), found[1](images)[:1])
    if model == "dcgan":
        with torch.no_grad():
            expected = game.recipe.nets["discriminator"].eval()(images).features
        torch.testing.assert_close(found[1](images), expected)
    assert flat(game.state_dict()) == before


@pytest.mark.parametrize("model", ["cgan", "lapgan"])
def test_features_that_know_the_class_are_not_read(model: str) -> None:
    assert features_of(made(model)) is None


def test_an_evaluation_compares_learned_features_with_untrained_ones_and_pixels(tmp_path: Path) -> None:
    rows = evaluate_runs([train(tmp_path / "run", "dcgan", "--seed", "2")], CPU, count=60)
    row = rows["run"] | {"pixels": rows["held-out"]["linear"]}
    assert len({row[name].value for name in ("linear", "linear-untrained", "pixels")}) == 3
    assert "linear classifier of untrained features of the discriminator," in row["linear-untrained"].signature
    assert "linear classifier of pixels," in row["pixels"].signature


# --- codes and reconstructions


@pytest.mark.parametrize("model", ["bigan", "vae"])
def test_images_are_encoded_in_eval_mode_and_reconstructed_from_their_codes(model: str) -> None:
    game = made(model)
    assert isinstance(game, Game)
    game.update(1)
    before = flat(game.state_dict())
    images = digits(7, seed=3).pixels
    codes = encode(game, images)
    assert codes.shape == (7, 6)
    torch.testing.assert_close(encode(game, images[:1]), codes[:1])
    found = reconstruct(game, images)
    assert found.shape == images.shape
    with torch.no_grad():
        expected = game.recipe.nets["generator"].eval()(codes, codes[:, :0])
    torch.testing.assert_close(found, expected)
    game.recipe.nets["generator"].train()
    assert flat(game.state_dict()) == before
    assert all(net.training for net in game.recipe.nets.values())


def test_a_model_without_an_encoder_says_so(tmp_path: Path) -> None:
    for model in ("dcgan", "lapgan"):
        with pytest.raises(UsageError, match="this model has no encoder; train one by --model bigan or vae"):
            reconstruct(made(model), digits(2).pixels)
    run = train(tmp_path / "run", "dcgan")
    with pytest.raises(UsageError, match="has no encoder"):
        imagegan.main(["walk", str(run), "--kind", "reconstructions"], standalone_mode=False)
    assert not (run / "walk.png").exists()


def test_a_walk_shows_held_out_images_above_their_reconstructions(run: Path, tmp_path: Path) -> None:
    words = ["walk", str(run), "--kind", "reconstructions", "--rows", "2", "--steps", "3"]
    shown = CliRunner().invoke(imagegan, words, catch_exceptions=False)
    assert "6 held-out images, each above its reconstruction, are in" in shown.output
    model = load_model(run, CPU)
    with Image.open(run / "walk.png") as image:
        assert image.size == (3 * 56, 4 * 56)
    images = digits(6, seed=5).pixels
    found = walk.reconstructions(model, images, 3)
    alone = [walk.drawn(part, 3) for part in (images[:3], reconstruct(model, images)[:3], images[3:])]
    for row, image in enumerate(alone):
        assert found.crop((0, 56 * row, 168, 56 * row + 56)).tobytes() == image.tobytes()
    for options, message in (
        (["--class", "3"], "shows the first held-out images; leave out --class"),
        (["--seed", "3"], "leave out --seed"),
        (["--output", str(tmp_path / "a.gif")], "is no .png"),
    ):
        with pytest.raises(SeqGANError, match=message):
            imagegan.main([*words, *options], standalone_mode=False)


def test_points_are_shown_with_their_reconstructions() -> None:
    points = toy("ring", 30).pixels
    game = made("bigan")
    assert isinstance(game, Game)
    game.images = points
    game.recipe.nets["encoder"] = torch.nn.Flatten()  # type: ignore[index]
    game.recipe.nets["generator"].forward = lambda noise, code: -noise.view(-1, 2, 1, 1)
    object.__setattr__(game.recipe, "encode", game.recipe.nets["encoder"])
    assert walk.reconstructions(game, points, 7).size == (480, 480)


def test_an_evaluation_tells_what_a_linear_classifier_reads(run: Path) -> None:
    rows = evaluate_runs([run], CPU, count=60)
    assert {"linear", "linear-untrained"} <= set(rows["run"])
    assert "of pixels, trained on 50 images" in rows["held-out"]["linear"].signature
    assert "linear-untrained" not in rows["held-out"]
    assert rows["run"]["linear"].signature != rows["run"]["linear-untrained"].signature
    fresh, same = untrained(read_run(run), CPU), made("bigan")
    assert isinstance(same, Game)
    assert flat(fresh.recipe.nets["encoder"].state_dict()) == flat(same.recipe.nets["encoder"].state_dict())
