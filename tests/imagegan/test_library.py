"""What `import imagegan` offers."""

import subprocess
import sys
from pathlib import Path

import pytest

import imagegan
from seqgan.errors import ConfigError, UsageError
from tests.imagegan.tiny import tiny


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


def test_what_there_is_not_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no model 'dcgam'; did you mean dcgan"):
        imagegan.train("dcgam")
    with pytest.raises(ConfigError, match="dcgan has no hyper-parameter 'latent_dims'; did you mean latent_dim"):
        imagegan.train("dcgan", latent_dims=3)
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        imagegan.trian  # noqa: B018
    assert {"train", "load", "from_pretrained"} <= set(dir(imagegan))


def test_importing_it_imports_no_torch() -> None:
    code = "import sys, imagegan; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
