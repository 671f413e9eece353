"""Images that anyone has made: their scale is that of their type and range, and which are measured is chance."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from imagegan.cli import imagegan
from imagegan.data import Splits, digits, toy
from imagegan.evaluation import evaluate
from imagegan.grids import npz, png_files
from imagegan.metrics.predictors import predictor
from imagegan.samples import Samples, read_samples
from seqgan.errors import DataError

BYTES = np.arange(256, dtype=np.uint8).repeat(4).reshape(16, 8, 8)  # black to white
SCALED = torch.from_numpy(BYTES / 127.5 - 1).float()[:, None]


def read(path: Path, **arrays: np.ndarray) -> Samples:
    np.savez(path / "x.npz", **arrays)
    return read_samples(path / "x.npz", digits(5))


@pytest.mark.parametrize(
    ("array", "scale"),
    [
        (BYTES, "whole numbers 0 to 255"),
        (BYTES.astype(np.int64), "whole numbers 0 to 255"),
        (BYTES.astype(np.float32), "floats from 0 to 255"),
        (BYTES / 255, "floats from 0 to 1"),
        ((BYTES / 255).astype(np.float16), "floats from 0 to 1"),
        (BYTES / 127.5 - 1, "floats from -1 to 1"),
    ],
)
def test_type_and_range_say_what_is_black_and_white(array: np.ndarray, scale: str, tmp_path: Path) -> None:
    samples = read(tmp_path, samples=array)
    assert samples.pixels.shape == (16, 1, 8, 8)
    assert (samples.pixels - SCALED).abs().max() < 2e-3
    assert samples.description == f"16 samples, taken as {scale}"


@pytest.mark.parametrize(
    "array",
    [
        BYTES / 255 * 1.7,
        BYTES / 100 - 1,
        BYTES.astype(int) - 3,
        BYTES.astype(np.uint16) * 257,
        BYTES * 2.0,
        BYTES // 128,
    ],
)
def test_ranges_that_nothing_explains_are_refused(array: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing says what is black and white; bytes, or floats within \[0, 1"):
        read(tmp_path, samples=array)


def test_true_and_false_are_white_and_black(tmp_path: Path) -> None:
    assert read(tmp_path, samples=BYTES > 127).pixels.flatten().tolist() == [-1.0] * 512 + [1.0] * 512
    assert (read(tmp_path, samples=BYTES * 0).pixels == -1).all()  # of bytes all may be black


@pytest.mark.parametrize("kind", [complex, "M8[s]"])
def test_what_are_no_numbers_is_refused(kind: object, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="bytes or floats were expected"):
        read(tmp_path, samples=np.zeros((3, 8, 8), kind))  # type: ignore[call-overload]


def test_channels_may_be_first_or_last(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    last, first = read(tmp_path, samples=colours), read(tmp_path, images=colours.transpose(0, 3, 1, 2) / 255)
    assert last.pixels.shape == (5, 3, 8, 8)
    assert (last.pixels - first.pixels).abs().max() < 1e-5


def test_points_are_taken_as_they_are(tmp_path: Path) -> None:
    points = toy("ring", 30).pixels.abs()  # all of them in [0, 1]
    assert read(tmp_path, samples=points.numpy()).pixels.equal(points)
    assert read(tmp_path, samples=points[:, :, 0, 0].numpy()).pixels.equal(points)
    with pytest.raises(DataError, match=r"points of float32 values from .*; floats within \[-1, 1\] were expected"):
        read(tmp_path, samples=5 * points.numpy())


def test_of_many_samples_some_are_taken_at_random() -> None:
    whole = Samples(torch.arange(100.0).view(100, 1, 1, 1), torch.arange(100), description="100 samples")
    some = whole.some(20, 3)
    assert some.pixels.flatten().tolist() == (some.labels.tolist() if some.labels is not None else [])
    assert some.pixels.max() > 60
    assert some.pixels.equal(whole.some(20, 3).pixels)
    assert not some.pixels.equal(whole.some(20, 4).pixels)
    assert some.description == "100 samples; 20 of them are measured, taken at random with --seed 3"
    assert whole.some(100, 3) is whole


def test_a_folder_of_images_is_what_they_are(tmp_path: Path) -> None:
    dataset = digits(30, seed=1)
    for name, data in png_files(dataset.pixels, dataset.labels, dataset.names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    (tmp_path / "notes.txt").write_text("x")
    read = read_samples(tmp_path, digits(5))
    assert read.labels is not None
    order = np.argsort(dataset.labels.numpy(), kind="stable")
    assert read.labels.equal(dataset.labels[order])
    assert read.pixels.equal(dataset.pixels[order])
    assert read.description == "30 images in folders by class; left out: 1 file that is no image (.txt 1)"
    (tmp_path / "3").rename(tmp_path / "three")
    with pytest.raises(DataError, match=r"of no class of the data \(0, 1, 2, 3, 4\): three;"):
        read_samples(tmp_path, digits(5))
    grey = read_samples(tmp_path, digits(5)._replace(images=torch.zeros(5, 3, 28, 28, dtype=torch.uint8), names=()))
    assert grey.pixels.shape == (30, 3, 28, 28)
    assert grey.labels is None
    with pytest.raises(DataError, match="but the data are points"):
        read_samples(tmp_path, toy("ring", 5))
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="holds no images"):
        read_samples(tmp_path / "none", digits(5))


def test_numbers_are_the_same_however_samples_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An array of floats, one of bytes, and single PNGs, which are the same but for rounding."""
    splits = Splits(digits(300, seed=1), digits(100, seed=2))
    made = digits(60, seed=3).pixels
    made = (0.9 * made + 0.05 * torch.randn(made.shape, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)
    (tmp_path / "bytes.npz").write_bytes(npz(made))
    np.savez(tmp_path / "floats.npz", samples=made.numpy())
    np.savez(tmp_path / "from 0.npz", samples=(made.numpy() + 1) / 2)
    (tmp_path / "single").mkdir()
    for name, data in png_files(made, None, ()):
        (tmp_path / "single" / name).write_bytes(data)
    kept = [read_samples(tmp_path / name, splits.train) for name in ("bytes.npz", "single", "floats.npz", "from 0.npz")]
    assert kept[0].pixels.equal(kept[1].pixels)
    assert (kept[1].pixels - made).abs().max() < 1 / 255
    assert kept[2].pixels.equal(made)
    assert (kept[3].pixels - made).abs().max() < 1e-6
    monkeypatch.setattr("imagegan.evaluation.predictor", partial(predictor, steps=3))
    of_run, of_file = (evaluate({"samples": some}, splits, "digits")["samples"] for some in (Samples(made), kept[1]))
    for metric in ("fd-pca64", "fd-random", "nearest"):
        assert of_file[metric].value == pytest.approx(of_run[metric].value, rel=0.005), metric


@pytest.mark.usefixtures("_small_networks")
def test_the_command_says_how_samples_were_taken(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", samples=(digits(60, seed=9).pixels.numpy() + 1) / 2)
    words = ["evaluate", "--samples", str(tmp_path / "x.npz"), "--images", "100", "--count", "40", "--threads", "1"]
    told, as_json = (CliRunner().invoke(imagegan, [*words, *more], catch_exceptions=False) for more in ([], ["--json"]))
    said = "60 samples, taken as floats from 0 to 1; 40 of them are measured, taken at random with --seed 0"
    assert said in told.output
    assert json.loads(as_json.output)["samples"] == said


def test_grey_and_rgb_are_compared_where_nothing_is_lost(tmp_path: Path) -> None:
    grey = digits(5, seed=1)
    rgb = grey._replace(images=grey.images.repeat(1, 3, 1, 1))
    np.savez(tmp_path / "rgb.npz", images=rgb.images.numpy())
    np.savez(tmp_path / "grey.npz", images=grey.images.numpy())
    for name, like, said in (("rgb", grey, "without colours, taken as grey"), ("grey", rgb, "grey, taken as RGB")):
        read = read_samples(tmp_path / f"{name}.npz", like)
        assert read.pixels.equal(like.pixels)
        assert read.description.endswith(said)
    red = rgb.images.numpy() * np.array([1, 0, 0], np.uint8)[:, None, None]
    np.savez(tmp_path / "red.npz", images=red)
    assert read_samples(tmp_path / "red.npz", grey).pixels.shape[1] == 3


def test_folders_that_are_no_classes_are_told(tmp_path: Path) -> None:
    def fill(*names: str) -> Path:
        root = tmp_path / "+".join(names).replace("/", "-")
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (28, 28)).save(root / name)
        return root

    assert read_samples(fill("samples/1.png"), digits(5)).labels is None
    with pytest.raises(DataError, match=r"of no class of the data .*: 1 image in no folder; name"):
        read_samples(fill("3/1.png", "2.png"), digits(5))
    (fill("1.png") / "run.json").touch()
    with pytest.raises(DataError, match="is a run, whose images are not single samples; measure it by imagegan"):
        read_samples(tmp_path / "1.png", digits(5))


def test_images_in_one_folder_need_no_classes(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("L", (40, 40), 100).save(tmp_path / f"{number}.jpg", quality=100)
    read = read_samples(tmp_path, digits(5))
    assert read.pixels.shape == (3, 1, 28, 28)
    assert read.labels is None
    assert read.description == "3 images; 3 larger, made smaller"
