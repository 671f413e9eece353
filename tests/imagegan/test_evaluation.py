"""What `imagegan evaluate` prints, for images made by anyone."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from imagegan.cli import imagegan
from imagegan.data import UNLABELLED, Splits, digits, toy
from imagegan.evaluation import evaluate
from imagegan.metrics.predictors import predictor
from imagegan.samples import Samples, read_samples
from seqgan.errors import SeqGANError


@pytest.fixture(scope="module")
def splits() -> Splits:
    return Splits(digits(1000, seed=1), digits(300, seed=2))


def test_good_samples_are_near_the_floor_and_noise_is_not(splits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = digits(300, seed=3)
    good, labels = dataset.pixels, dataset.labels
    monkeypatch.setattr("imagegan.evaluation.predictor", partial(predictor, steps=60))
    rows = evaluate({"samples": Samples(good, labels)}, splits, "digits")
    assert list(rows) == ["samples", "held-out"]
    assert rows["samples"].keys() == rows["held-out"].keys()
    assert {"fd-pca64", "fd-random", "kid-labels", "recall", "closer", "classes", "accuracy"} <= set(rows["samples"])
    noise = evaluate({"samples": Samples(torch.rand(300, 1, 28, 28) * 2 - 1, None)}, splits, "digits")
    assert "accuracy" not in noise["samples"]
    for space in ("pca64", "random", "labels"):
        floor = rows["held-out"][f"fd-{space}"].value
        assert rows["samples"][f"fd-{space}"].value < 1.5 * floor
        assert noise["samples"][f"fd-{space}"].value > 3 * floor
        signature = rows["samples"][f"fd-{space}"].signature
        assert signature.startswith(f"FD[{space}@")
        assert signature.endswith(", N=300, train]")
    assert noise["samples"]["precision"].value == 0
    assert rows["samples"]["precision"].value > 0.5
    assert rows["samples"]["classes"].value == 1
    copies = evaluate({"samples": Samples(splits.train.pixels, None)}, splits, "digits")
    assert copies["samples"]["closer"].value == 1
    assert copies["held-out"]["closer"].value == pytest.approx(0.5)
    assert copies["samples"]["nearest"].value == 0


def test_points_are_measured_by_their_modes() -> None:
    points = toy("ring", 400, 1)
    three = points.pixels[points.labels < 3]
    rows = evaluate({"samples": Samples(three, None)}, Splits(toy("ring", 500, 2), toy("ring", 400, 3)), "ring")
    assert rows["samples"]["modes"].value == 3 / 8
    assert rows["held-out"]["modes"].value == 1
    assert "fd-random" not in rows["samples"]


def test_samples_of_another_shape_or_kind_are_told(splits: Splits, tmp_path: Path) -> None:
    with pytest.raises(SeqGANError, match="the samples are images of 3 x 28 x 28, those of digits of 1 x 28 x 28"):
        evaluate({"samples": Samples(torch.zeros(30, 3, 28, 28), None)}, splits, "digits")
    with pytest.raises(SeqGANError, match="5 images among samples cannot be measured; 20 or more"):
        evaluate({"samples": Samples(torch.zeros(5, 1, 28, 28), None)}, splits, "digits")
    few = Splits(splits.train, splits.test.take(slice(0, 3)))
    with pytest.raises(SeqGANError, match="3 held-out images cannot be measured; 20 or more are needed of each"):
        evaluate({"samples": Samples(torch.zeros(30, 1, 28, 28), None)}, few, "digits")
    unlabelled = Splits(*(some._replace(labels=torch.full_like(some.labels, UNLABELLED)) for some in splits))
    some = digits(30)
    with pytest.raises(SeqGANError, match="accuracy of the samples' labels needs labels, but digits has none"):
        evaluate({"samples": Samples(some.pixels, some.labels)}, unlabelled, "digits")
    assert "fd-labels" not in evaluate({"samples": Samples(digits(30).pixels, None)}, unlabelled, "digits")["samples"]
    with pytest.raises(SeqGANError, match=r"the samples have the label 1[0-9], but digits has labels from 0 to 9"):
        evaluate({"samples": Samples(some.pixels, some.labels + 10)}, splits, "digits")
    with pytest.raises(SeqGANError, match="1 image among samples cannot be measured"):
        evaluate({"samples": Samples(some.pixels[:1])}, splits, "digits")
    path = tmp_path / "x.npz"
    fine = np.zeros((30, 1, 28, 28), dtype=np.float32)
    for arrays, complaint in [
        ({"a": fine, "b": fine}, "holds a, b; an array called samples was expected"),
        ({"samples": fine[:, 0, 0]}, "holds float32 values of 30 x 28; square images N x S x S"),
        ({"samples": fine + 2}, "values from 2 to 2, of which nothing says what is black and white"),
        ({"samples": fine - 1.1}, "values from -1.1 to -1.1, of which nothing"),
        ({"samples": fine * np.nan}, "holds NaN or infinity in 30 of 30 samples"),
        ({"samples": fine, "labels": np.zeros(3, int)}, "a label was expected for each of 30 samples"),
        ({"samples": np.array(["a"])}, "holds <U1 values of 1; square"),
        ({}, "holds nothing"),
        ({"labels": np.zeros(3, int)}, "holds labels alone"),
    ]:
        np.savez(path, **arrays)
        with pytest.raises(SeqGANError, match=complaint):
            read_samples(path, digits(5))
    np.savez(path, samples=np.full((30, 28, 28), 255, dtype=np.uint8), labels=np.arange(30))
    read = read_samples(path, digits(5))
    assert read.pixels.shape == (30, 1, 28, 28)
    assert (read.pixels == 1).all()
    assert read.labels is not None
    assert read.labels.tolist() == list(range(30))


@pytest.mark.usefixtures("_small_networks")
def test_the_command_measures_a_file(tmp_path: Path) -> None:
    made = digits(60, seed=9)
    np.savez(tmp_path / "made.npz", samples=made.pixels.numpy(), labels=made.labels.numpy())
    features = np.random.default_rng(0).normal(size=(2, 50, 8))
    np.savez(tmp_path / "features.npz", samples=features[0], reference=features[1])
    words = ["evaluate", "--samples", str(tmp_path / "made.npz"), "--images", "200", "--count", "50"]
    words += ["--inception", str(tmp_path / "features.npz"), "--threads", "1"]
    shown = CliRunner().invoke(imagegan, words, catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    assert "FD[pca64@" in shown.output
    assert "FID[Inception features of features.npz, N=50]" in shown.output
    told = CliRunner().invoke(imagegan, [*words, "--json"], catch_exceptions=False)
    numbers = json.loads(told.output)["rows"]
    assert numbers["samples"]["accuracy"]["value"] <= 1
    assert numbers["held-out"]["fd-labels"]["signature"].endswith("N=50, train]")
    assert list((tmp_path / "home" / "networks").glob("labels-*.safetensors"))
    with pytest.raises(SeqGANError, match="name a RUN, a file of images by --samples"):
        imagegan.main(["evaluate"], standalone_mode=False)
    with pytest.raises(SeqGANError, match="there is no file"):
        imagegan.main(["evaluate", "--samples", str(tmp_path / "none.npz")], standalone_mode=False)
