"""What a trained run can show: samples over training, images as asked for, walks between them."""

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image, ImageSequence
from torch.testing import assert_close

from imagegan import history, walk
from imagegan.cli import imagegan
from imagegan.data import digits, toy
from imagegan.data.dataset import as_floats
from imagegan.game import Game
from imagegan.generation import class_number
from imagegan.grids import FAINT, PLAIN, SIDE, as_bytes, drawn, npz
from imagegan.history import SampleHistory, spacing
from imagegan.latents import CPU, CodeSpec, Latents, Prior, normal
from imagegan.model import load_model
from imagegan.nets import Shape
from imagegan.pyramid import Pyramid
from imagegan.runs import load_images
from imagegan.samples import read_samples
from imagegan.training import new_model
from seqgan.core.phase import Phase
from seqgan.core.run import describe
from seqgan.core.seed import private_generator
from seqgan.errors import RunError, UsageError
from tests.imagegan.tiny import as_options, config_of, generate, made
from tests.killing import flat

VARIED: dict[str, Any] = {"nets": "mlp", "width": 32, "g_lr": 0.01}  # images that differ at once


def played(game: Game | Pyramid) -> Game | Pyramid:
    for phase in game.phases():
        for step in range(1, phase.steps + 1):
            phase.update(step)
    return game


def of_points(name: str = "ring", **changes: Any) -> Game:
    config = config_of("gan", nets="mlp", width=16, **changes)
    game = new_model("gan", config, toy(name, 300), Shape(2, 1, 8), CPU, 0)
    assert isinstance(game, Game)
    return game


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def opened(data: bytes) -> list[Image.Image]:
    with Image.open(io.BytesIO(data)) as image:
        return [frame.convert("RGB") for frame in ImageSequence.Iterator(image)]


# --- noise and codes


@pytest.mark.parametrize("truncation", [0.3, 1.0, 2.0])
def test_truncated_noise_stays_within_and_has_the_variance_of_its_law(truncation: float) -> None:
    """1 - 2 c f(c) / (2 F(c) - 1), with the density f and the distribution function F of a normal number."""
    drawn = normal(2000, 100, private_generator(0), truncation)
    assert drawn.abs().max() <= truncation
    density = math.exp(-(truncation**2) / 2) / math.sqrt(2 * math.pi)
    variance = 1 - 2 * truncation * density / math.erf(truncation / math.sqrt(2))
    assert drawn.mean().item() == pytest.approx(0, abs=5 * math.sqrt(variance / drawn.numel()))
    assert drawn.var().item() == pytest.approx(variance, rel=0.015)  # its standard error is below 0.3%


def test_without_truncation_noise_is_normal() -> None:
    numbers = normal(2000, 100, private_generator(0)).flatten()
    assert numbers.var().item() == pytest.approx(1, rel=0.015)
    assert (numbers.abs() > 3).float().mean().item() == pytest.approx(0.0027, abs=5 * math.sqrt(0.0027 / 2e5))


def test_truncation_keeps_the_order_of_the_same_seed() -> None:
    whole, cut = (normal(50, 4, private_generator(7), truncation).flatten() for truncation in (math.inf, 0.5))
    assert whole.argsort().equal(cut.argsort())
    assert (cut.sign() == whole.sign()).all()


@pytest.mark.parametrize("truncation", [0.0, -1.0, math.nan])
def test_no_truncation_leaves_nothing(truncation: float) -> None:
    with pytest.raises(UsageError, match=r"leaves no noise; give a number above 0"):
        normal(2, 2, private_generator(0), truncation)


def test_an_image_has_its_number_however_many_are_drawn() -> None:
    prior = Prior(7, CodeSpec(3, 2))
    many = prior.draw(1203, seed=5)
    for count in (1, 16, 101):
        few = prior.draw(count, seed=5)
        assert many.noise[:count].equal(few.noise)
        assert many.codes[:count].equal(few.codes)
    assert many.codes[:, :3].argmax(dim=1).tolist() == [number % 3 for number in range(1203)]
    game = made("infogan")
    assert_close(generate(game, 3, 0), generate(game, 13, 0)[:3])


# --- samples over training


def test_frames_are_evenly_spaced_and_never_too_many() -> None:
    for rounds in (1, 5, 32, 33, 64, 65, 2000, 20_000):
        kept: set[int] = set()
        for done in range(1, rounds + 1):
            apart = spacing(done)
            kept = {at for at in kept | {done} if (at - 1) % apart == 0}
            assert len(kept) <= history.FRAMES
        assert sorted(kept) == list(range(1, rounds + 1, spacing(rounds)))
        assert len(kept) > min(rounds - 1, history.FRAMES // 2)


@pytest.mark.parametrize("model", ["dcgan", "lapgan"])
def test_to_be_recorded_changes_nothing(model: str) -> None:
    recorded, plain = made(model, ema=0.0), made(model, ema=0.0)
    for game, phases in ((recorded, recorded.phases()), (plain, _unrecorded(plain))):
        torch.manual_seed(0)
        for phase in phases:
            for step in range(1, 4):
                phase.update(step)
        assert bool(game.history.frames) == (game is recorded)
    state = recorded.state_dict()
    assert list(state.pop("history")) == ([1, 2, 3] if model == "dcgan" else [1, 2, 3, 5, 6, 7, 9, 10, 11])
    assert flat(state) == flat({name: part for name, part in plain.state_dict().items() if name != "history"})


def _unrecorded(game: Game | Pyramid) -> list[Phase]:
    return [part.phase for part in (game.games if isinstance(game, Pyramid) else [game])]


def test_the_last_frame_is_the_first_rows_of_the_samples() -> None:
    game = played(made("cgan", **{**VARIED, "steps": 5}))
    exports = game.exports()
    frames = opened(exports["training.gif"])
    assert len(frames) == 5  # after the last round it looks as it does now: one frame, shown for as long as two
    assert {frame.size for frame in frames} == {(560, 168)}
    samples = Image.open(io.BytesIO(exports["samples.png"])).convert("RGB").crop((0, 0, 560, 168))
    shades = 255 / 31 / 2 + 1
    assert np.abs(np.asarray(frames[-1], float) - np.asarray(samples, float)).max() <= shades
    assert np.abs(np.asarray(frames[0], float) - np.asarray(samples, float)).max() > shades
    with Image.open(io.BytesIO(exports["training.gif"])) as image:
        durations = [frame.info["duration"] for frame in ImageSequence.Iterator(image)]
        assert image.info["loop"] == 0
    assert durations[0] == 100
    assert durations[-1] == 100 + 2000


def test_a_pyramid_is_recorded_whole_with_what_it_has_learned() -> None:
    """28 pixels are three levels: while the first learns, four pixels of a side are alike, then two."""
    game = played(made("lapgan", ema=0.0))
    frames = list(game.history.frames.items())
    assert [at for at, _ in frames] == list(range(1, 13))
    for at, frame in frames:
        side = {0: 4, 1: 2, 2: 1}[(at - 1) // 4]
        assert frame.equal(frame[..., ::side, ::side].repeat_interleave(side, -1).repeat_interleave(side, -2))
        assert side == 1 or not frame.equal(
            frame[..., :: 2 * side, :: 2 * side]
            .repeat_interleave(2 * side, -1)
            .repeat_interleave(2 * side, -2)[..., :28, :28]
        )


@pytest.mark.parametrize(
    ("shape", "count"), [((1, 28, 28), 30), ((1, 64, 64), 30), ((3, 64, 64), 10), ((2, 1, 1), 1000)]
)
def test_frames_stay_below_five_megabytes(shape: tuple[int, ...], count: int) -> None:
    shown = SampleHistory(Prior(3, CodeSpec()), 0, torch.zeros(2, *shape))
    assert shown.latents.noise.shape == (count, 3)
    assert count * math.prod(shape) * history.FRAMES <= history.BYTES


def test_bytes_come_back_as_they_were() -> None:
    every = torch.arange(256, dtype=torch.uint8).view(256, 1, 1, 1)
    assert as_bytes(as_floats(every)).equal(every)


# --- points


def test_points_are_drawn_where_they_lie_above_the_real_ones() -> None:
    corner, middle = torch.tensor([[1.0, 1.0]]).view(1, 2, 1, 1), torch.zeros(1, 2, 1, 1)
    image = drawn(corner, real=middle)
    assert image.size == (SIDE, SIDE)
    assert image.getpixel((SIDE - 20, 20)) == PLAIN  # the first axis to the right, the second upwards
    assert image.getpixel((SIDE // 2, SIDE // 2)) == FAINT
    two = drawn(torch.cat([corner, -corner]), tracks=2)
    assert two.getpixel((SIDE - 20, 20)) != two.getpixel((20, SIDE - 20)) != (255, 255, 255)


def test_a_toy_is_recorded_sampled_and_walked_as_points() -> None:
    game = played(of_points())
    exports = game.exports()
    assert Image.open(io.BytesIO(exports["samples.png"])).size == (SIDE, SIDE)
    assert len(opened(exports["training.gif"])) == 4
    assert walk.still(game, walk.interpolation(game, 3, 20, 0)).size == (SIDE, SIDE)
    points = generate(game, 20, 0)
    read = np.load(io.BytesIO(npz(points)))["samples"]
    assert_close(torch.from_numpy(read), points)


# --- walks


def test_slerp_goes_from_end_to_end_along_a_sphere() -> None:
    ends = torch.nn.functional.normalize(torch.randn(2, 5, 40, generator=private_generator(0)), dim=-1) * 3
    path = walk.slerp(ends[0], ends[1], 9)
    assert_close(path[:, 0], ends[0])
    assert_close(path[:, -1], ends[1])
    assert_close(path.norm(dim=-1), torch.full((5, 9), 3.0))
    turned = torch.nn.functional.cosine_similarity(path[:, :-1], path[:, 1:], dim=-1).acos()
    assert_close(turned, turned[:, :1].expand(-1, 8), atol=1e-3, rtol=0.0)


def test_slerp_between_the_same_or_opposite_noise_is_straight() -> None:
    noise = torch.tensor([[3.0, -1.0], [2.0, 0.0], [0.0, 0.0]])
    same, opposite = walk.slerp(noise, noise, 3), walk.slerp(noise, -noise, 3)
    assert_close(same, noise[:, None].expand(-1, 3, -1))
    assert_close(opposite, torch.stack([noise, torch.zeros_like(noise), -noise], dim=1))


@pytest.mark.parametrize("model", ["cgan", "lapgan", "vae"])
def test_interpolation_joins_images_of_the_seed(model: str) -> None:
    game = made(model)
    (block,) = walk.interpolation(game, rows=3, steps=4, seed=2)
    assert (block.rows, block.columns) == (3, 4)
    known = game.prior.draw(6, seed=2)
    assert_close(block.latents.noise[::4], known.noise[:3])
    assert_close(block.latents.noise[3::4], known.noise[3:])
    assert block.latents.codes.equal(known.codes[:3].repeat_interleave(4, dim=0))


def test_each_code_is_traversed_by_itself() -> None:
    game = made("infogan", categories=4, continuous=2)
    start = game.prior.draw(3, seed=1)
    blocks = walk.traversal(game, rows=3, steps=5, seed=1)
    assert [(block.rows, block.columns) for block in blocks] == [(3, 4), (3, 5), (3, 5)]
    for block, part in zip(blocks, (slice(0, 4), slice(4, 5), slice(5, 6)), strict=True):
        before = start.codes.repeat_interleave(block.columns, dim=0)
        changed = block.latents.codes.clone()
        values = changed[:, part].clone()
        changed[:, part] = before[:, part]
        assert changed.equal(before)
        assert block.latents.noise.equal(start.noise.repeat_interleave(block.columns, dim=0))
        expected = torch.eye(4) if part == slice(0, 4) else torch.tensor([[-2.0], [-1.0], [0.0], [1.0], [2.0]])
        assert values.equal(expected.repeat(3, 1))
    assert [block.columns for block in walk.traversal(made("infogan", categories=0), 2, 5, 0)] == [5, 5]
    assert [block.columns for block in walk.traversal(made("cgan"), 2, 5, 0)] == [10]
    with pytest.raises(UsageError, match="neither a code nor classes"):
        walk.traversal(made("dcgan"), 2, 5, 0)


@pytest.mark.parametrize("model", ["dcgan", "infogan", "lapgan"])
def test_arithmetic_is_that_of_means_of_three(model: str) -> None:
    game = made(model)
    noise, codes = game.prior.draw(100, seed=4)
    first, second, third = three = [
        Latents(noise[list(numbers)], codes[list(numbers)]) for numbers in ((3, 7, 12), (1, 5, 9), (20, 22, 99))
    ]
    table, around = walk.arithmetic(game, three, seed=4)
    for part in range(2):
        means = [(rows[part][0] + rows[part][1] + rows[part][2]) / 3 for rows in (first, second, third)]
        for row, (some, mean) in enumerate(zip((first, second, third), means, strict=True)):
            assert_close(table.latents[part][4 * row : 4 * row + 4], torch.cat([some[part], mean[None]]))
        assert_close(around.latents[part][4], means[0] - means[1] + means[2])
    off = around.latents.noise - around.latents.noise[4]
    assert 0.2 < off.abs().max() <= 0.25 + 1e-6
    assert (off[[0, 1, 2, 3, 5, 6, 7, 8]].abs().amax(dim=1) > 0.1).all()
    assert_close(around.latents.codes, around.latents.codes[4:5].expand(9, -1))


def test_a_walk_shows_its_blocks_apart_and_moves_back_again() -> None:
    game = made("infogan", categories=3, continuous=1)
    blocks = walk.traversal(game, rows=2, steps=4, seed=0)
    image = walk.still(game, blocks)
    assert image.size == (4 * 56, 112 + 12 + 112)
    assert image.getpixel((0, 118)) == (128, 128, 128)
    frames = walk.moving(game, blocks)
    assert len(frames) == 3 + 4 + 5
    assert frames[0].size == (112, 56)
    assert [frame.tobytes() for frame in frames[7:]] == [frame.tobytes() for frame in frames[5:0:-1]]
    assert len(walk.moving(made("vae"), walk.interpolation(made("vae"), 2, 2, 0))) == 2


# --- the command line


@pytest.fixture(scope="module")
def run_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A finished run of this model."""
    folders: dict[str, Path] = {}

    def of(model: str) -> Path:
        if model not in folders:
            folders[model] = tmp_path_factory.mktemp(model) / "run"
            words = [
                "train",
                "--model",
                model,
                "--run-dir",
                str(folders[model]),
                "--quiet",
                *as_options(model, **VARIED),
            ]
            assert CliRunner().invoke(imagegan, words, catch_exceptions=False).exit_code == 0
        return folders[model]

    return of


def call(*words: object) -> str:
    result = CliRunner().invoke(imagegan, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_generate_writes_how_a_run_has_learned(run_of: Callable[[str], Path], tmp_path: Path) -> None:
    run = run_of("cgan")
    assert "how" in call("generate", run, "--output", tmp_path / "history.gif")
    assert (tmp_path / "history.gif").read_bytes() == (run / "training.gif").read_bytes()


def test_an_npz_says_what_its_images_should_show(run_of: Callable[[str], Path], tmp_path: Path) -> None:
    output = tmp_path / "some.npz"
    call("generate", run_of("cgan"), "-n", "12", "--output", output)
    read = read_samples(output, digits(5))
    assert read.pixels.shape == (12, 1, 28, 28)
    assert read.labels is not None
    assert read.labels.tolist() == [*range(10), 0, 1]
    call("generate", run_of("cgan"), "-n", "3", "--class", "4", "--output", output, "--overwrite")
    assert np.load(output)["labels"].tolist() == [4, 4, 4]
    call("generate", run_of("infogan"), "-n", "3", "--code", "2,0.5,-1", "--output", output, "--overwrite")
    assert np.load(output)["codes"].tolist() == [[0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0.5, -1]] * 3
    assert sorted(np.load(output)) == ["codes", "images"]


def test_truncated_images(run_of: Callable[[str], Path], tmp_path: Path) -> None:
    run, written = run_of("infogan"), {}
    for options in ([], ["--truncation", "0.01"]):
        call("generate", run, "-n", "30", *options, "--output", tmp_path / "a.png", "--overwrite")
        written[" ".join(options)] = (tmp_path / "a.png").read_bytes()
    assert len(set(written.values())) == 2
    model = load_model(run, CPU)
    code = (1.0, 0.0, 0.0)
    assert (
        generate(model, 20, 0, code=code, truncation=0.01).std(dim=0).mean()
        < 0.1 * generate(model, 20, 0, code=code).std(dim=0).mean()
    )


def test_walk_shows_codes_and_noise(run_of: Callable[[str], Path], tmp_path: Path) -> None:
    found = run_of("infogan")
    assert "30 rows" in call("walk", found)
    assert size_of(found / "walk.png") == (560, 3 * 560 + 24)
    output = tmp_path / "walk.png"
    call("walk", found, "--kind", "interpolation", "--rows", "2", "--steps", "3", "--output", output)
    assert size_of(output) == (168, 112)
    call("walk", run_of("cgan"), "--rows", "2", "--output", output, "--overwrite")
    assert size_of(output) == (560, 112)
    call("walk", run_of("cgan"), "--steps", "3", "--output", tmp_path / "walk.gif")
    assert len(opened((tmp_path / "walk.gif").read_bytes())) == 4


def test_a_grid_is_no_wider_than_its_images() -> None:
    for count, width in ((1, 56), (3, 168), (10, 560), (11, 560)):
        assert drawn(torch.zeros(count, 1, 28, 28)).width == width


@pytest.fixture(scope="module")
def of_animals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on class folders."""
    folder = tmp_path_factory.mktemp("animals")
    rng = np.random.default_rng(0)
    for name in ("cat", "dog", "owl"):
        (folder / "train" / name).mkdir(parents=True)
        (folder / "test" / name).mkdir(parents=True)
        for number in range(30):
            image = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8))
            image.save(folder / ("test" if number < 10 else "train") / name / f"{number}.png")
    options = as_options("cgan", **VARIED, images=0, size=12)
    words = ["train", "--model", "cgan", "--data", "folder", "--data-dir", folder, "--run-dir", folder / "run"]
    told = call(*words, *options)
    assert "folder: 60 to train on, 30 held out, 12 x 12 pixels, RGB; 3 classes: cat (20), dog (20), owl (20)" in told
    return folder


def test_classes_are_called_by_name_or_number(of_animals: Path, tmp_path: Path) -> None:
    run = of_animals / "run"
    assert describe(run)["data"]["class_names"] == ["cat", "dog", "owl"]
    for word in ("dog", "1"):
        call("generate", run, "-n", "4", "--class", word, "--output", tmp_path / f"{word}.npz")
        call("walk", run, "--class", word, "--rows", "2", "--output", tmp_path / f"{word}.png")
    assert "1 image is in" in call("generate", run, "-n", "1", "--output", tmp_path / "ONE.PNG")
    assert np.load(tmp_path / "dog.npz")["labels"].tolist() == [1] * 4
    assert (np.load(tmp_path / "dog.npz")["images"] == np.load(tmp_path / "1.npz")["images"]).all()
    assert (tmp_path / "dog.png").read_bytes() == (tmp_path / "1.png").read_bytes()
    with pytest.raises(UsageError, match="there is no class 'dig'; did you mean dog"):
        call("generate", run, "--class", "dig", "--output", tmp_path / "x.npz")
    with pytest.raises(UsageError, match="there is no class 3; choose 0 to 2"):
        call("generate", run, "--class", "3", "--output", tmp_path / "x.npz")


def test_a_class_and_a_code_are_not_drawn_together(of_animals: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a class and a code were given, but one of them was expected"):
        call("generate", of_animals / "run", "--class", "dog", "--code", "1", "--output", tmp_path / "x.npz")


@pytest.mark.parametrize("code", ["abc", 3, ["a", 0, 0], [math.nan, 0, 0], [0, math.inf, 0], []])
def test_a_code_is_a_list_of_numbers(code: Any) -> None:
    with pytest.raises(UsageError, match=r"code is .*, but a list of numbers from -1000000 to 1000000, such as"):
        generate(made("infogan"), 2, 0, code=code)


def test_where_classes_are_named_by_numbers_a_number_is_a_name() -> None:
    model, names = made("cgan"), ("1", "2", "10")
    assert [class_number(model, names, name) for name in names] == [0, 1, 2]
    for word in ("0", "²", "-1", "9" * 5000):
        with pytest.raises(UsageError, match="there is no class"):
            class_number(model, names, word)


def test_a_walk_of_one_class_shows_no_other() -> None:
    game = made("cgan")
    (block,) = walk.interpolation(game, 3, 4, 2, label=5)
    assert block.latents.codes.argmax(dim=1).tolist() == [5] * 12


def test_single_images_go_into_a_folder_by_class_and_come_back(of_animals: Path, tmp_path: Path) -> None:
    run, place = of_animals / "run", tmp_path / "drawn"
    call("generate", run, "-n", "7", "--output", place)
    assert sorted(str(path.relative_to(place)) for path in place.rglob("*.png")) == [
        "cat/0.png", "cat/3.png", "cat/6.png", "dog/1.png", "dog/4.png", "owl/2.png", "owl/5.png",
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == [place]
    call("generate", run, "-n", "7", "--output", tmp_path / "same.npz")
    train = load_images(run, 30).train
    single, together = read_samples(place, train), read_samples(tmp_path / "same.npz", train)
    assert single.labels is not None
    assert single.labels.tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert single.pixels.equal(together.pixels[[0, 3, 6, 1, 4, 2, 5]])
    with pytest.raises(UsageError, match="exists already and is no empty folder"):
        call("generate", run, "-n", "7", "--output", place)
    call("generate", run_of_gan(tmp_path), "-n", "2", "--output", tmp_path / "plain")
    assert sorted(path.name for path in (tmp_path / "plain").iterdir()) == ["0.png", "1.png"]


def run_of_gan(folder: Path) -> Path:
    call("train", "--model", "gan", "--run-dir", folder / "gan", "--quiet", *as_options("gan"))
    return folder / "gan"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["generate", "--truncation", "0"], "'0' is not a number above 0"),
        (["generate", "--truncation", "nan"], "'nan' is not a number above 0"),
        (["generate", "--code", "nan"], "'nan' is not a list such as 3,-1,0.5: 'nan' is not a number"),
        (["generate", "--output", "a.jpg"], "neither .png nor .npz nor .gif"),
        (["generate", "--output", "a.gif", "-n", "3", "--class", "1"], "leave out --count, --class"),
        (["generate", "--class", "1"], "this model is not conditioned on classes"),
        (["generate", "--output", "none/there"], "/none; make it, or name another"),
        (["generate", "--output", ".", "--overwrite"], "exists already and is no empty folder"),
        (["walk", "--class", "1"], "this model is not conditioned on classes"),
        (["walk", "--kind", "codes", "--class", "1"], "leave out --class"),
        (["walk", "--output", "a.npz"], "neither .png nor .gif"),
        (["walk", "--output", "a.gif", "--arithmetic", "1-2+3"], "is no .png"),
        (["walk", "--arithmetic", "1-2+3", "--rows", "3"], "leave out --rows"),
        (["walk", "--drop-filters", "3", "--kind", "codes"], "leave out --kind"),
        (["walk", "--drop-filters", "3", "--arithmetic", "1-2+3"], "give one of them"),
        (["walk", "--kind", "codes"], "neither a code nor classes"),
        (["walk", "--steps", "1"], "--steps"),
    ],
)
def test_what_cannot_be_shown_is_told(
    words: list[str], message: str, run_of: Callable[[str], Path], tmp_path: Path
) -> None:
    result = CliRunner().invoke(imagegan, [words[0], str(run_of("gan")), *words[1:]])
    told = str(result.exception) + result.output
    assert result.exit_code != 0
    assert message in " ".join(told.split())
    with pytest.raises(RunError, match="is not a run directory"):
        imagegan.main([words[0], str(tmp_path / "none")], standalone_mode=False)
