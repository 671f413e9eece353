"""What `import imagegan` offers."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL.Image import Image

import imagegan
import seqgan
from imagegan.cli import imagegan as command_line
from imagegan.data import toy
from seqgan.core.report import rows_as_json
from seqgan.errors import ConfigError, DataError, UsageError
from tests.imagegan.tiny import tiny
from tests.logged import Kept, events


@pytest.mark.usefixtures("_small_networks")
def test_a_run_is_trained_loaded_sampled_and_evaluated(tmp_path: Path) -> None:
    run = imagegan.train("cgan", run_dir=tmp_path / "run", **tiny("cgan"))
    again = imagegan.load(str(tmp_path / "run"))
    assert repr(again) == repr(run) == f"<TrainedRun {tmp_path / 'run'}: cgan on digits, seed 0>"
    images = run.generate(4, label=3)
    assert images.shape == (4, 1, 28, 28)
    assert images.abs().max() <= 1
    assert images.equal(again.generate(4, label="3"))
    assert not images.equal(again.generate(4, label=4))
    assert not images.equal(again.generate(4, seed=1, label=3))
    assert list(again.evaluate(count=30)) == ["run", "held-out"]
    assert [line["step"] for line in run.metrics] == [1, 2, 3, 4]
    before = run.model().model.state_dict()["generator"]
    more = imagegan.train("cgan", run_dir=tmp_path / "run", resume=True, **tiny("cgan", steps=6))
    after = more.model().model.state_dict()["generator"]
    assert not all(after[name].equal(value) for name, value in before.items())


@pytest.mark.usefixtures("_small_networks")
def test_loggers_are_told_of_numbers_and_of_samples(tmp_path: Path) -> None:
    kept = Kept()
    run = imagegan.train("dcgan", run_dir=tmp_path / "run", loggers=[kept, seqgan.TensorBoard()], **tiny("dcgan"))
    assert kept.told[0] == ("begin", "run", "dcgan", 0)
    numbers = [{k: v for k, v in values.items() if k != "samples"} for _, _, values in kept.steps]
    assert numbers == [{k: v for k, v in line.items() if k not in ("phase", "step")} for line in run.metrics]
    picture = kept.steps[0][2]["samples"]
    assert isinstance(picture, Image)
    assert picture.size == (10 * 28 * 2, 3 * 28 * 2)
    assert events(run.folder).Images("adversarial/samples")[0].width == picture.width


def test_what_there_is_not_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no model 'dcgam'; did you mean dcgan"):
        imagegan.train("dcgam")
    with pytest.raises(ConfigError, match="dcgan has no hyper-parameter 'latent_dims'; did you mean latent_dim"):
        imagegan.train("dcgan", latent_dims=3)
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        imagegan.trian  # noqa: B018
    assert [name for name in dir(imagegan) if not name.startswith("__")] == sorted(imagegan.__all__)


def test_images_of_any_origin_are_measured_as_by_the_command(tmp_path: Path) -> None:
    points, options = toy("ring", 300, 5).pixels, {"images": 200, "count": 100, "seed": 3}
    np.savez(tmp_path / "x.npz", samples=points.numpy())
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = ["evaluate", "--samples", str(tmp_path / "x.npz"), "--data", "ring", "--json", *words]
    told = json.loads(CliRunner().invoke(command_line, command, catch_exceptions=False).stdout)["rows"]
    for samples in (points, points.numpy(), points[:, :, 0, 0].tolist(), tmp_path / "x.npz"):
        assert rows_as_json(imagegan.evaluate(samples, "ring", **options)) == told


def test_arrays_that_are_no_images_are_refused() -> None:
    points = toy("ring", 30).pixels
    with pytest.raises(DataError, match="the array holds float64 values of 3 x 4 x 5; square images"):
        imagegan.evaluate(np.zeros((3, 4, 5)), "ring", images=100)
    with pytest.raises(DataError, match="the array has parts of different shapes"):
        imagegan.evaluate([[1.0, 0.0], [1.0]], "ring", images=100)
    with pytest.raises(DataError, match="a whole number from 0 as a label was expected for each of 30"):
        imagegan.evaluate(points, "ring", labels=[1, 2], images=100)
    with pytest.raises(UsageError, match="a file holds its own"):
        imagegan.evaluate("x.npz", "ring", labels=[1, 2], images=100)


def test_importing_it_imports_no_torch() -> None:
    code = "import sys, imagegan; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
