"""What every variant owes: it learns, repeats, resumes, keeps its state, and works from the command line."""

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import load

from imagegan import training
from imagegan.augment import AUGMENTATIONS
from imagegan.cli import imagegan
from imagegan.data import ImageDataset, Splits, digits
from imagegan.evaluation import first_numbers
from imagegan.game import Game
from imagegan.grids import npz
from imagegan.model import load_model
from imagegan.nets import FAMILIES, Shape
from imagegan.pyramid import Pyramid
from imagegan.variants import VARIANTS
from imagegan.variants.configs import AUGMENTATION, CONFIGS, PRESETS
from imagegan.variants.lapgan import refining_discriminator
from seqgan.core import checkpoint
from seqgan.core.config import assemble
from seqgan.core.game import move
from seqgan.core.loop import train
from seqgan.core.record import read_record
from seqgan.core.run import Run, checkpoints, create, describe
from seqgan.core.seed import seed_everything
from seqgan.errors import CheckpointError, ConfigError, SeqGANError, UsageError
from tests.imagegan.tiny import CPU, SHAPE, TINY, as_options, config_of, generate, made
from tests.killing import Killed, contents, dying_at, flat

every_model = pytest.mark.parametrize("model", list(VARIANTS))


def begun(folder: Path) -> Path:
    create(folder, {"package": "imagegan", "seed": 5, "threads": 2}, {})
    return folder


def trained(folder: Path, model: str) -> Game | Pyramid:
    game = made(model)
    with Run(folder, save_seconds=0.0) as run:
        train(game, run)
    return game


def test_every_variant_has_a_config_and_presets() -> None:
    assert list(VARIANTS) == list(CONFIGS) == list(PRESETS)
    for model, presets in PRESETS.items():
        for name, differences in presets.items():
            assemble(CONFIGS[model], [(name, differences)])
    assert list(AUGMENTATIONS) == list(AUGMENTATION.choices)


@every_model
def test_it_learns_where_the_ink_is(model: str) -> None:
    changes: dict[str, Any] = {"steps": 60, "batch_size": 16, "latent_dim": 16, "width": 8, "ema": 0.0, "nets": "dcgan"}
    rate = 5e-4 if model == "lapgan" else 2e-3
    sizes = {"gan": {"nets": "mlp", "width": 64, "critic_steps": 1}, "lapgan": {"top_width": 64}}.get(model, {})
    data = digits(300, seed=1)
    wanted = {**changes, "g_lr": rate, "d_lr": rate, **sizes}
    config = config_of(model, **{name: value for name, value in wanted.items() if hasattr(CONFIGS[model], name)})
    game = training.new_model(model, config, data, SHAPE, CPU, 0)
    real = data.pixels.mean(dim=0)
    distance = [float((generate(game, 100, 0).mean(dim=0) - real).square().mean())]
    for phase in game.phases():
        for step in range(1, phase.steps + 1):
            torch.manual_seed(step)
            phase.update(step)
    distance.append(float((generate(game, 100, 0).mean(dim=0) - real).square().mean()))
    assert distance[1] < 0.5 * distance[0]


@every_model
def test_the_same_seed_gives_the_same_run_and_another_another(model: str) -> None:
    def state_after_two_rounds(seed: int) -> str:
        game = made(model, seed)
        for phase in game.phases():
            for step in (1, 2):
                seed_everything(seed, phase.name, step)
                phase.update(step)
        return flat(game.state_dict())

    first = state_after_two_rounds(0)
    assert state_after_two_rounds(0) == first
    assert state_after_two_rounds(1) != first


@every_model
def test_killed_it_ends_as_the_uninterrupted(model: str, tmp_path: Path) -> None:
    with dying_at(-1) as seen:
        trained(begun(tmp_path / "whole"), model)
    folder = begun(tmp_path / "run")
    for operation in (seen.count // 3, seen.count // 3):
        with dying_at(operation), pytest.raises(Killed):
            trained(folder, model)
    trained(folder, model)
    assert contents(folder) == contents(tmp_path / "whole")


@every_model
def test_state_round_trips_strictly(model: str) -> None:
    game, other = made(model), made(model, seed=9)
    for phase in game.phases():
        phase.update(1)
    assert flat(other.state_dict()) != flat(game.state_dict())
    other.load_state_dict(game.state_dict())
    assert flat(other.state_dict()) == flat(game.state_dict())
    state = game.state_dict()
    with pytest.raises(ValueError, match="it lacks"):
        other.load_state_dict({name: part for name, part in state.items() if name != next(iter(state))})


# Those that the command line and the files of a run treat each in a way of its own; the others differ in their terms.
@pytest.mark.parametrize("model", ["dcgan", "cgan", "infogan", "lapgan", "bigan", "semi-gan", "began", "vae"])
def test_the_command_trains_resumes_and_generates(model: str, tmp_path: Path) -> None:
    words = ["train", "--model", model, "--data", "digits", "--resume", str(tmp_path / "run"), "--quiet"]
    for options in (as_options(model), []):
        result = CliRunner().invoke(imagegan, [*words, *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    assert "samples.png" in result.output
    with Image.open(tmp_path / "run" / "samples.png") as image:
        assert image.size == (560, 560)
    assert describe(tmp_path / "run")["package"] == "imagegan"
    levels = 3 if model == "lapgan" else 1
    assert len(read_record(tmp_path / "run")) == TINY["steps"] * levels
    with pytest.raises(SeqGANError, match="latent_dim was 6 and is now 7"):
        imagegan.main([*words, "--latent-dim", "7"], standalone_mode=False)
    output = tmp_path / "some.npz"
    result = CliRunner().invoke(
        imagegan, ["generate", str(tmp_path / "run"), "-n", "7", "--output", str(output)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    assert np.load(output)["images"].shape == (7, 28, 28, 1)


@every_model
def test_each_player_moves_its_own_networks_only(model: str) -> None:
    game = made(model, ema=0.0)
    for played in game.games if isinstance(game, Pyramid) else [game]:
        for name, player in played.recipe.players.items():
            before = {net: [p.detach().clone() for p in m.parameters()] for net, m in played.recipe.nets.items()}
            for module in played.recipe.nets.values():
                module.zero_grad()
            move(player, played.view(1, name), played.recipe.nets, played.optimizers[name])
            for net, module in played.recipe.nets.items():
                same = [p.equal(old) for p, old in zip(module.parameters(), before[net], strict=True)]
                assert all(same) == (net not in player.moves), (name, net)
                assert net in player.moves or all(p.grad is None for p in module.parameters()), (name, net)


@pytest.mark.parametrize("nets", list(FAMILIES))
@pytest.mark.parametrize("size", [28, 32, 64])
@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_networks_make_images_and_logits(nets: str, size: int, norm: str) -> None:
    shape = Shape(3, size)
    images = FAMILIES[nets].generator(shape, 7, 4)(torch.randn(2, 5), torch.randn(2, 2))
    assert images.shape == (2, 3, size, size)
    assert images.abs().max() <= 1
    discriminator = FAMILIES[nets].discriminator(shape, 2, 4, norm)
    verdict = discriminator(images, torch.randn(2, 2))
    assert verdict.score.shape == (2,)
    assert verdict.features.shape == (2, discriminator.features)
    assert not any(isinstance(layer, torch.nn.Sigmoid) for layer in discriminator.modules())


@pytest.mark.parametrize("nets", ["dcgan", "common"])
@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_a_discriminator_scores_images_differently_from_the_start(nets: str, norm: str) -> None:
    """Those of a narrow one without BatchNorm from N(0, 0.02) would be alike."""
    torch.manual_seed(0)
    scores = FAMILIES[nets].discriminator(Shape(1, 28), 0, 8, norm)(digits(50, seed=1).pixels).score
    assert scores.std() > (0.01 if norm == "batch" else 0.1)


@pytest.mark.parametrize("size", [12, 14, 28, 64])
def test_each_refining_level_of_a_pyramid_is_judged_by_two_convolutions(size: int) -> None:
    """Also where its side can be halved only once: each score depends on shapes, not on single edges."""
    discriminator = refining_discriminator(Shape(1, size), 0, 4, "batch").eval()
    kinds = [type(layer) for layer in discriminator.trunk]  # type: ignore[attr-defined]
    assert kinds.count(torch.nn.Conv2d) == 2
    assert torch.nn.BatchNorm2d in kinds
    images = torch.randn(3, 1, size, size, requires_grad=True)
    features = discriminator.trunk[:-1](images)  # type: ignore[index]
    features[:, :, 1, 1].sum().backward()
    assert images.grad is not None
    seen = images.grad[0, 0].abs().sum(dim=0).nonzero()
    assert len(seen) == 11  # columns


@pytest.mark.parametrize("model", ["gan", "wgan-gp", "began", "cgan", "semi-gan", "infogan", "bigan", "lapgan", "vae"])
@pytest.mark.parametrize("size", [32, 64])
def test_larger_images(model: str, size: int) -> None:
    images = digits(12, seed=1, size=size)
    labels = {"labels": 0} if model == "semi-gan" else {}
    game = training.new_model(model, config_of(model, size=size, **labels), images, training.shape_of(images), CPU, 0)
    for phase in game.phases():
        phase.update(30)
    assert generate(game, 3, 0).shape == (3, 1, size, size)


def test_the_averaged_generator_follows_and_draws() -> None:
    game = made("dcgan", ema=0.5)
    assert isinstance(game, Game)
    assert game.averaged is not None
    first = [p.clone() for p in game.averaged.parameters()]
    game.update(100)
    for old, live, mean in zip(
        first, game.recipe.nets["generator"].parameters(), game.averaged.parameters(), strict=True
    ):
        torch.testing.assert_close(mean, (old + live) / 2)
    assert game.generator is game.averaged


def test_bf16_learns_too() -> None:
    for model in ("wgan-gp", "wgan-diff", "ls-gan", "began", "semi-gan", "bigan", "vae", "infogan"):
        for phase in made(model, bf16=True).phases():
            measured = {name: value for name, value in phase.update(1).items() if name != "samples"}  # an image
            assert all(torch.as_tensor(value).isfinite() for value in measured.values())


def test_spectral_norm_is_trained_saved_and_exported_with_its_vectors() -> None:
    """The generator's move freezes the weights; each forward in train mode moves the vectors, in eval mode none."""
    game, images = made("dcgan", spectral_norm=True, d_norm="none"), torch.randn(3, 1, 28, 28)
    assert isinstance(game, Game)
    net = game.recipe.nets["discriminator"]
    before = {name: value.clone() for name, value in net.state_dict().items()}
    move(game.recipe.players["g"], game.view(1, "g"), game.recipe.nets, game.optimizers["g"])
    for name, value in net.state_dict().items():
        moved = name.endswith(("_u", "_v")) and "output" not in name  # of one row they are found at once
        assert value.equal(before[name]) != moved, name
    game.update(1)
    first_numbers(game, Splits(digits(50, seed=1), digits(20, seed=2)), "digits")  # forwards of copies
    other = made("dcgan", seed=3, spectral_norm=True, d_norm="none")
    assert isinstance(other, Game)
    twin = other.recipe.nets["discriminator"]
    twin.load_state_dict(load(game.exports()["discriminator.safetensors"]))
    score = net.eval()(images).score
    assert twin.eval()(images).score.equal(score)
    assert net(images).score.equal(score)


# --- bad input


@pytest.mark.parametrize("model", ["wgan-gp", "wgan-diff", "dragan"])
def test_batchnorm_under_a_penalty_on_single_images_is_refused(model: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"BatchNorm in the discriminator.*use --d-norm layer"):
        made(model, d_norm="batch")
    made(model, d_norm="layer")
    words = ["train", "--model", model, "--d-norm", "batch", "--run-dir", str(tmp_path / "run")]
    with pytest.raises(ConfigError, match="BatchNorm"):
        imagegan.main([*words, *as_options(model)], standalone_mode=False)
    assert not (tmp_path / "run").exists()


def test_r1_beside_batchnorm_is_refused() -> None:
    for model in (model for model, config in CONFIGS.items() if "r1_weight" in config.__dataclass_fields__):
        made(model, r1_weight=1.0, d_norm="none")
        with pytest.raises(ConfigError, match=r"BatchNorm in the discriminator.*--d-norm none"):
            made(model, r1_weight=1.0, d_norm="batch")


@pytest.mark.parametrize("model", ["cgan", "projection", "acgan", "semi-gan", "lapgan"])
def test_labels_that_a_conditional_model_misses_are_asked_for(model: str) -> None:
    pixels = digits(20, seed=1).pixels
    images = ImageDataset(pixels, torch.zeros(0, dtype=torch.long), torch.zeros(0, 5))
    changes = {"conditional": True} if model == "lapgan" else {}
    with pytest.raises(UsageError, match="learns from labels"):
        training.new_model(model, config_of(model, **changes), images, training.shape_of(images), CPU, 0)
    for other in ("gan", "infogan"):
        made_of = training.new_model(other, config_of(other), images, training.shape_of(images), CPU, 0)
        made_of.phases()[0].update(1)


def test_an_unknown_model_or_an_option_of_another_is_told() -> None:
    for words, message in (
        (["--model", "wgangp"], "there is no 'wgangp'; did you mean wgan-gp"),
        (["--model", "gan", "--clip", "1"], "--clip belongs to --model wgan, not to gan"),
        (["--model", "gan", "--loss", "wasserstein"], "wasserstein"),
    ):
        result = CliRunner().invoke(imagegan, ["train", *words])
        assert result.exit_code == 2
        assert message in " ".join(result.output.split())


@pytest.fixture(scope="module")
def run_of(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Finished runs of a few models."""
    folders = {}
    for model in ("gan", "cgan", "infogan"):
        folders[model] = tmp_path_factory.mktemp(model) / "run"
        words = ["train", "--model", model, "--run-dir", str(folders[model]), "--quiet", *as_options(model)]
        assert CliRunner().invoke(imagegan, words, catch_exceptions=False).exit_code == 0
    return folders


def test_a_foreign_checkpoint_is_refused(run_of: dict[str, Path], tmp_path: Path) -> None:
    gan, cgan = run_of["gan"], run_of["cgan"]
    newest = list(checkpoints(cgan).values())[-1]
    gan = Path(shutil.copytree(gan, tmp_path / "gan"))
    stranger = list(checkpoints(gan).values())[-1]
    assert stranger.name == newest.name
    stranger.write_bytes(newest.read_bytes())
    with pytest.raises(CheckpointError, match="does not belong to the run"):
        load_model(gan, CPU)
    saved = checkpoint.load(newest)
    saved.pop("format")
    checkpoint.save(stranger, {**saved, "run": describe(gan)["id"]})
    with pytest.raises(CheckpointError, match="does not belong to the run"):
        load_model(gan, CPU)
    stranger.write_bytes(b"nothing of the kind")
    with pytest.raises(CheckpointError, match="is damaged"):
        load_model(gan, CPU)
    shutil.copy(run_of["gan"] / "checkpoints" / stranger.name, stranger)
    load_model(gan, CPU)


def test_a_run_that_has_learned_nothing_or_is_not_ours_draws_nothing(tmp_path: Path) -> None:
    create(tmp_path / "other", {"package": "seqgan", "algorithm": "mle", "config": {}, "seed": 0}, {})
    for folder, message in ((tmp_path / "other", "is a run of seqgan"), (tmp_path / "no", "is not a run directory")):
        with pytest.raises(SeqGANError, match=message):
            load_model(folder, CPU)


# --- generate


def test_a_class_and_a_code_are_drawn_as_asked(run_of: dict[str, Path]) -> None:
    told, read = load_model(run_of["cgan"], CPU), load_model(run_of["infogan"], CPU)
    assert generate(told, 4, 0, label=3).equal(generate(told, 4, 0, label=3))
    assert not generate(told, 4, 0, label=3).equal(generate(told, 4, 0, label=4))
    assert not generate(read, 4, 0, code=(3, 0.5, -1)).equal(generate(read, 4, 0, code=(3, 0.5, 1)))
    assert not generate(read, 4, 0).equal(generate(read, 4, 1))
    assert generate(read, 1003, 0).shape == (1003, 1, 28, 28)


def test_what_a_model_does_not_know_is_told(run_of: dict[str, Path]) -> None:
    plain, told, read = (load_model(run_of[model], CPU) for model in ("gan", "cgan", "infogan"))
    for model, asked, message in (
        (plain, {"label": 1}, "is not conditioned on classes"),
        (plain, {"code": (1.0,)}, "has no code"),
        (told, {"code": (1.0,)}, "has no code.*--class"),
        (told, {"label": 10}, "there is no class 10; choose 0 to 9"),
        (read, {"label": 1}, "is not conditioned on classes"),
        (read, {"code": (1.0,)}, "--code has 1 values, but a category and 2 numbers"),
        (read, {"code": (1.5, 0.0, 0.0)}, "a whole number"),
        (read, {"code": (11.0, 0.0, 0.0)}, "there is no category 11"),
    ):
        with pytest.raises(UsageError, match=message):
            generate(model, 2, 0, **asked)  # type: ignore[arg-type]


def test_an_npz_holds_bytes_and_a_png_a_grid(run_of: dict[str, Path], tmp_path: Path) -> None:
    images = torch.tensor([-1.0, 0.0, 1.0]).view(3, 1, 1, 1)
    assert np.load(io.BytesIO(npz(images)))["images"].flatten().tolist() == [0, 128, 255]
    run = str(run_of["cgan"])
    result = CliRunner().invoke(imagegan, ["generate", run, "--class", "3", "-n", "20"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    with Image.open(run_of["cgan"] / "generated.png") as image:
        assert image.size == (560, 112)
    with pytest.raises(UsageError, match=r"neither \.png nor \.npz"):
        imagegan.main(["generate", run, "--output", str(tmp_path / "a.jpg")], standalone_mode=False)
