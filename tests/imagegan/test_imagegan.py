"""Drawn digits, grids, and runs of the other package."""

import io
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from PIL import Image

from imagegan.data import ImageDataset, digits
from imagegan.data.digits import SIZES
from imagegan.grids import drawn
from seqgan.core.plots import png
from seqgan.core.run import create
from seqgan.errors import SeqGANError


@pytest.mark.parametrize("wide", [False, True])
def test_digits_are_what_their_labels_and_factors_say(wide: bool) -> None:
    dataset = digits(3000, seed=0, wide=wide)
    assert dataset.pixels.shape == (3000, 1, 28, 28)
    assert dataset.pixels.min() == -1
    assert dataset.pixels.max() == 1
    assert dataset.factor_names == ("slant", "width", "size", "x", "y")[: 5 if wide else 2]
    assert dataset.factors.shape == (3000, len(dataset.factor_names))
    assert dataset.factors.abs().max() <= 1
    assert dataset.labels.bincount(minlength=10).min() > 240
    ink, across, down = _masses(dataset)
    places = torch.arange(28.0)
    about_x, about_y = places - across[:, None], places - down[:, None]
    leaning = -torch.einsum("byx, by, bx -> b", ink, about_y, about_x) / (ink.sum(dim=2) * about_y**2).sum(dim=1)
    for label in range(10):
        of_it = dataset.labels == label
        factor = dict(zip(dataset.factor_names, dataset.factors[of_it].t(), strict=True))
        assert _correlation(factor["slant"], leaning[of_it]) > 0.8
        assert _correlation(factor["width"], ink[of_it].sum(dim=(1, 2))) > 0.6
        if wide:
            assert _correlation(factor["x"], across[of_it]) > 0.8
            assert _correlation(factor["y"], down[of_it]) > 0.8


@pytest.mark.parametrize("size", SIZES)
def test_digits_are_centred_and_scaled_as_those_of_mnist(size: int) -> None:
    """The centre of mass is in the middle of the image, and the larger side of a digit is 20 of 28 pixels."""
    dataset = digits(200, seed=2, size=size)
    ink, across, down = _masses(dataset)
    middle, pixel = (size - 1) / 2, size / 28
    assert (torch.stack([across, down]) - middle).abs().max() < pixel
    sides = torch.stack([(ink.amax(dim=along) > 0.5).sum(dim=1) for along in (1, 2)])
    assert (sides.amax(dim=0) - 20 * pixel).abs().max() < 1.5 * pixel


def _masses(dataset: ImageDataset) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The ink of each pixel, and the centre of mass of each image."""
    ink = (dataset.pixels[:, 0] + 1) / 2
    places = torch.arange(float(ink.shape[-1]))
    total = ink.sum(dim=(1, 2))
    return ink, (ink.sum(dim=1) * places).sum(dim=1) / total, (ink.sum(dim=2) * places).sum(dim=1) / total


def _correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([first, second]))[0, 1])


def test_digits_of_ten_classes_can_be_told_apart() -> None:
    """A nearest class mean is right far more often than one in ten, and far from always."""
    learn, test = digits(2000, seed=0, wide=True), digits(1000, seed=1, wide=True)
    means = torch.stack([learn.pixels[learn.labels == label].mean(dim=0) for label in range(10)]).flatten(1)
    right = (torch.cdist(test.pixels.flatten(1), means).argmin(dim=1) == test.labels).float().mean()
    assert 0.5 < right < 0.97


def test_the_same_seed_draws_the_same_digits() -> None:
    assert digits(20, seed=3).pixels.equal(digits(20, seed=3).pixels)
    assert not digits(20, seed=3).pixels.equal(digits(20, seed=4).pixels)


def test_a_grid_shows_the_images_row_by_row() -> None:
    images = torch.linspace(-1, 1, 5).view(5, 1, 1, 1).expand(5, 1, 4, 4)
    image = np.asarray(Image.open(io.BytesIO(png(drawn(images, columns=3)))))
    assert image.shape == (16, 24)
    assert image[1, [0, 8, 16]].tolist() == [0, 64, 128]
    assert image[8, [0, 8, 16]].tolist() == [191, 255, 0]
    assert Image.open(io.BytesIO(png(drawn(torch.zeros(2, 3, 4, 4))))).mode == "RGB"


def test_a_run_of_the_other_package_is_refused(tmp_path: Path) -> None:
    from seqgan.cli import seqgan
    from seqgan.runs import load_model

    create(tmp_path / "run", {"package": "imagegan", "algorithm": "dcgan", "seed": 5, "threads": 2}, {})
    with pytest.raises(SeqGANError, match="is a run of imagegan, not of seqgan"):
        load_model(tmp_path / "run")
    with pytest.raises(click.UsageError, match="is a run of imagegan"):
        seqgan.main(["train", "--resume", str(tmp_path / "run")], standalone_mode=False)
