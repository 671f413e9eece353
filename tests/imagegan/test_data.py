"""Splits of images: drawn, from idx files and folders, from a hub dataset, toy points; and what is wrong is told."""

import gzip
import lzma
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from imagegan.data import UNLABELLED, digits, load, toy
from imagegan.data.dataset import need_labels
from imagegan.data.digits import SIZES
from imagegan.data.folder import read_folder
from imagegan.data.hub import as_sets
from imagegan.data.idx import read_idx
from imagegan.data.splits import part_of
from imagegan.data.toys import DEVIATION, centres
from imagegan.pyramid import Pyramid
from seqgan.errors import DataError, UsageError
from tests.imagegan.tiny import made

RNG = np.random.default_rng(0)


def idx(array: np.ndarray) -> bytes:
    code = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}[array.dtype.str[1:]]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def mnist_like(folder: Path, count: int, name: str = "train", *, labels: bool = True) -> np.ndarray:
    images = RNG.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images), 1))
    if labels:
        numbers = np.arange(count, dtype=np.uint8) % 10
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx(numbers))
    return images


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "i4", "f4", "f8"])
def test_idx_holds_what_was_written(kind: str, tmp_path: Path) -> None:
    array = RNG.integers(0, 100, (3, 2, 5)).astype(kind)
    for pack in (bytes, gzip.compress, lzma.compress):
        (tmp_path / "x.idx").write_bytes(pack(idx(array)))
        found = read_idx(tmp_path / "x.idx")
        assert found.dtype == array.dtype
        assert (found == array).all()


def test_a_damaged_idx_file_is_told_in_one_line(tmp_path: Path) -> None:
    good = idx(np.zeros((4, 28, 28), dtype=np.uint8))
    for content, complaint in [
        (good[:-1], r"is cut short: 4 x 28 x 28 values take 3136 bytes, and there are 3135"),
        (good + b"\0", "is too long"),
        (good[:9], "is cut short: its header alone takes 16 bytes"),
        (b"\x89PNG....", "is no idx file: its first bytes are 89 50 4e 47, where 00 00, a type"),
        (b"\0\0\x07\x03" + good[4:], "is no idx file"),
        (b"", "is no idx file: its first bytes are none"),
        (gzip.compress(good)[:-20], "is a damaged or cut gzip file: it does not unpack to its end; copy or download"),
        (gzip.compress(good)[:-8] + bytes(8), "is a damaged or cut gzip file"),
        (lzma.compress(good)[:-20], "is a damaged or cut xz file"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "is damaged, or larger than memory"),
        (b"\0\0\x08\x41" + b"\0\0\0\1" * 65 + b"\0", "is no idx file: .* the number of dimensions"),
    ]:
        (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
        with pytest.raises(DataError, match=complaint) as told:
            read_idx(tmp_path / "train-images-idx3-ubyte")
        assert "\n" not in str(told.value)
    with pytest.raises(DataError, match=r"there is no file .*did you mean train-images-idx3-ubyte"):
        read_idx(tmp_path / "train-images-idx3-ubytes")


def test_any_number_of_records_will_do_and_a_tenth_is_held_out(tmp_path: Path) -> None:
    images = mnist_like(tmp_path, 47)
    train, test = load("mnist", folder=tmp_path)
    assert (len(train.images), len(test.images)) == (37, 10)  # one of each class at least
    assert sorted(test.labels.tolist()) == list(range(10))
    assert train.classes == 10
    both = torch.cat([train.images, test.images])[:, 0]
    places = (both.flatten(1).int()[:, None] - torch.from_numpy(images).flatten(1).int()).abs().sum(dim=2).argmin(dim=1)
    assert sorted(places.tolist()) == list(range(47))
    assert (places % 10).equal(torch.cat([train.labels, test.labels]))


def test_a_test_set_in_the_folder_is_the_one_held_out(tmp_path: Path) -> None:
    mnist_like(tmp_path, 30)
    mnist_like(tmp_path, 20, "t10k")
    assert [len(dataset.pixels) for dataset in load("fashion-mnist", folder=tmp_path)] == [30, 20]


@pytest.mark.parametrize(
    "wrong",
    [{"count": -1}, {"count": 2.5}, {"held_out": "3"}, {"size": -1}, {"seed": -1}, {"folder": 3}, {"name": None}],
)
def test_an_argument_out_of_its_bounds_is_told(wrong: dict[str, Any]) -> None:
    [(name, value)] = wrong.items()
    with pytest.raises(UsageError, match=f"{name} is {value!r}, but "):
        load(**{"name": "digits", **wrong})


def test_a_folder_may_be_a_text(tmp_path: Path) -> None:
    mnist_like(tmp_path, 30)
    assert len(load("mnist", folder=str(tmp_path)).train.labels) == 20  # type: ignore[arg-type]


def test_what_is_not_a_set_of_images_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no set of images 'digit'; did you mean digits"):
        load("digit")
    with pytest.raises(
        DataError, match=r"--data mnist is read from a folder; give it by --data-dir, or .* hf:ylecun/mnist"
    ):
        load("mnist")
    with pytest.raises(DataError, match="digits is generated, not read; leave out --data-dir"):
        load("digits", folder=tmp_path)
    with pytest.raises(DataError, match="there is no folder"):
        load("mnist", folder=tmp_path / "nowhere")
    with pytest.raises(DataError, match="neither images to train on as idx files nor images"):
        load("folder", folder=tmp_path)
    with pytest.raises(DataError, match="digits are drawn at 28, 32, 64 pixels, not at 20"):
        digits(3, size=20)
    with pytest.raises(DataError, match="no address of a dataset"):
        load("hf:mnist")


def test_images_and_labels_of_another_kind_are_told(tmp_path: Path) -> None:
    for images, labels, complaint in [
        (np.zeros((3, 28, 28)), None, "holds float64 values"),
        (np.zeros((3, 28), np.uint8), None, "is an array of 3 x 28; N x S x S"),
        (np.zeros((3, 28, 28, 2), np.uint8), None, "is an array of 3 x 28 x 28 x 2"),
        (np.zeros((0, 28, 28), np.uint8), None, "is an array of 0 x 28 x 28"),
        (np.zeros((3, 28, 20), np.uint8), None, "images of 28 x 20; square"),
        (np.zeros((3, 28, 28), np.uint8), np.zeros(2, np.uint8), "holds 3 images but 2 labels"),
        (np.zeros((3, 28, 28), np.uint8), np.zeros(3), "labels are of type float64"),
        (np.zeros((3, 28, 28), np.uint8), [0, 1, 10**9], "has the label 1000000000; numbers from 0 to 65535"),
        (np.zeros((3, 28, 28), np.uint8), [0, 1, -2], "has the label -2"),
    ]:
        with pytest.raises(DataError, match=complaint):
            part_of(images, labels, "x")
    mnist_like(tmp_path, 30, labels=False)
    train, _ = load("mnist", folder=tmp_path)
    assert train.classes == 0
    with pytest.raises(DataError, match="cgan needs labels, but mnist has none for 27 of 27 images"):
        need_labels(train, "cgan", "mnist")
    with pytest.raises(DataError, match="holds images of 28 x 28 pixels, and those of cifar10 have 32 x 32; choose"):
        load("cifar10", folder=tmp_path, size=32)  # as a run asks for
    with pytest.raises(DataError, match="comes with 28 x 28 pixels, not 64"):
        load("mnist", folder=tmp_path, size=64)
    few = tmp_path / "few"
    few.mkdir()
    mnist_like(few, 9)
    with pytest.raises(DataError, match="few holds 9 images; 10 or more are needed"):
        load("mnist", folder=few)


def test_a_folder_of_class_folders_is_a_labelled_set(tmp_path: Path) -> None:
    for label, colour in enumerate([(255, 0, 0), (0, 0, 255)]):
        (tmp_path / str(label)).mkdir()
        for number in range(10):
            Image.new("RGB", (40, 30), colour).save(tmp_path / str(label) / f"{number}.png")
    train, test = read_folder(tmp_path, size=16)
    assert train.pixels.shape == (18, 3, 16, 16)
    assert test.labels.tolist() == [0, 1] or test.labels.tolist() == [1, 0]
    for dataset in (train, test):
        assert (dataset.pixels[dataset.labels == 0][:, 0] == 1).all()
        assert (dataset.pixels[dataset.labels == 1][:, 0] == -1).all()


def test_a_flat_folder_of_grey_images_has_no_labels(tmp_path: Path) -> None:
    for number in range(12):
        Image.new("L", (20, 20), 20 * number).save(tmp_path / f"{number:02}.png")
    train, test = read_folder(tmp_path, size=20)
    assert train.pixels.shape == (11, 1, 20, 20)
    assert (train.labels == UNLABELLED).all()
    both = torch.cat([train.images, test.images])[:, 0, 0, 0]
    assert sorted(both.tolist()) == [20 * number for number in range(12)]


def test_a_dataset_of_the_hub_has_its_own_splits_and_labels() -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    images = [Image.new("L", (28, 28), shade) for shade in (0, 255)]
    rows = datasets.Dataset.from_dict({"image": images, "label": [0, 1]}, features=features)
    train, test = as_sets({"train": rows, "test": rows}, "hf:a/b", 28)
    for dataset in (train, test):
        assert dataset.pixels.mean(dim=(1, 2, 3)).equal(2.0 * dataset.labels - 1)
        assert sorted(dataset.labels.tolist()) == [0, 1]
        assert dataset.names == ("a", "b")
    with pytest.raises(DataError, match="has the columns label, and none holds images"):
        as_sets({"train": rows.select_columns(["label"])}, "hf:a/b", 28)


@pytest.mark.parametrize(("name", "modes"), [("ring", 8), ("grid", 25)])
def test_toy_points_lie_around_their_modes(name: str, modes: int) -> None:
    dataset = toy(name, 5000)
    points = dataset.pixels.flatten(1)
    assert dataset.pixels.shape == (5000, 2, 1, 1)
    assert points.abs().max() < 1
    assert dataset.classes == modes
    away = points - centres(name)[dataset.labels]
    assert_close(away.std(dim=0), torch.full((2,), DEVIATION[name]), rtol=0.05, atol=0)
    assert toy(name, 50, 3).pixels.equal(toy(name, 50, 3).pixels)


def test_a_swiss_roll_is_a_spiral() -> None:
    points = toy("swissroll", 2000).pixels.flatten(1)
    assert points.abs().max() < 1
    radius, angle = points.norm(dim=1), torch.atan2(points[:, 1], points[:, 0])
    along = radius * 15  # the roll is where radius = angle, up to whole turns
    assert (1 - torch.cos(along - angle)).max() < 0.2


@pytest.mark.parametrize("wide", [False, True])
def test_the_same_digits_are_drawn_at_every_size(wide: bool) -> None:
    small, *others = (digits(40, seed=1, size=size, wide=wide) for size in SIZES)
    for dataset, size in zip(others, SIZES[1:], strict=True):
        assert dataset.pixels.shape == (40, 1, size, size)
        assert dataset.labels.equal(small.labels)
        assert dataset.factors.equal(small.factors)
        scaled = torch.nn.functional.interpolate(dataset.pixels, 28, mode="area")
        assert (scaled - small.pixels).abs().mean() < 0.1


@pytest.mark.parametrize(("name", "factors"), [("digits", 2), ("digits-wide", 5)])
def test_train_and_test_digits_differ(name: str, factors: int) -> None:
    train, test = load(name, count=30, held_out=20)
    assert (len(train.pixels), len(test.pixels)) == (30, 20)
    assert train.factors.shape == (30, factors)
    assert torch.cdist(test.factors, train.factors).min() > 0


def test_a_linear_classifier_of_wide_digits_stays_under_95_percent() -> None:
    learn, test = digits(4000, seed=0, wide=True), digits(1000, seed=1, wide=True)
    linear = torch.nn.Linear(28 * 28, 10)
    optimizer = torch.optim.Adam(linear.parameters(), 3e-3, weight_decay=1e-4)
    flat = learn.pixels.flatten(1)
    rng = torch.Generator().manual_seed(0)
    for _ in range(600):
        chosen = torch.randint(len(flat), (200,), generator=rng)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(linear(flat[chosen]), learn.labels[chosen]).backward()
        optimizer.step()
    right = (linear(test.pixels.flatten(1)).argmax(dim=1) == test.labels).float().mean()
    assert 0.5 < right < 0.95


@pytest.fixture
def real_images(real_data: Path) -> Path:
    folder = real_data / "images"
    if not folder.is_dir():
        pytest.skip("no folder with real images")
    return folder


def test_54_000_real_images_are_a_set(real_images: Path) -> None:
    train, test = load("mnist", folder=real_images / "mnist")
    assert (len(train.labels), len(test.labels)) == (48_000, 5000)
    for dataset in (train, test):  # however they are sorted, the first thousand are of all classes
        assert (dataset.labels[:1000].bincount(minlength=10) > 60).all()


@pytest.mark.slow
def test_ten_thousand_colour_photographs_are_a_set(real_images: Path) -> None:
    train, test = load("cifar10", folder=real_images / "cifar10_subset")
    assert (len(train.labels), len(test.labels)) == (9000, 1000)
    assert train.images.shape[1:] == (3, 32, 32)
    assert train.names[3] == "cat"


# --- memory


@pytest.mark.parametrize("model", ["dcgan", "lapgan"])
def test_images_stay_bytes_until_they_are_in_a_batch(model: str) -> None:
    dataset, game = digits(50, seed=1), made(model)
    assert dataset.images.dtype == torch.uint8
    assert game.images.dtype == torch.uint8
    scaled = dataset.images.float() / 127.5 - 1
    assert dataset.pixels.equal(scaled)
    levels = game.games if isinstance(game, Pyramid) else [game]
    for above, level in enumerate(reversed(levels)):
        seen = level.view(1, "d").batch.images
        expected = torch.nn.functional.avg_pool2d(scaled, 2**above)
        assert (seen.flatten(1)[:, None] - expected.flatten(1)).norm(dim=2).min(dim=1).values.max() < 1e-4
        assert level.images.data_ptr() == game.images.data_ptr()
