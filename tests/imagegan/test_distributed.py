"""Image GANs by torchrun: one run, one report. (What the weights are is tested in tests/test_distributed.py.)"""

from pathlib import Path

import pytest

from imagegan.cli import imagegan
from seqgan.core.record import read_record
from seqgan.core.run import describe
from seqgan.errors import RunError
from tests.imagegan.tiny import TINY
from tests.launching import finished, launched


def test_two_processes_train_one_game(tmp_path: Path) -> None:
    tiny = [
        word for name, value in {**TINY, "images": 200}.items() for word in ("--" + name.replace("_", "-"), str(value))
    ]
    words = ["train", "--model", "dcgan", "--resume", str(tmp_path / "run"), "--validate-every", "3"]
    code, output, errors = finished(launched("-m", "imagegan", *words, *tiny))
    assert code == 0, errors
    assert output.count("a grid of samples is in") == 1
    assert (tmp_path / "run" / "samples.png").is_file()
    assert describe(tmp_path / "run")["world_size"] == 2
    assert [line["step"] for line in read_record(tmp_path / "run")] == list(range(1, TINY["steps"] + 1))
    assert ["valid_fd" in line for line in read_record(tmp_path / "run")] == [False, False, True, True]
    with pytest.raises(RunError, match="was begun with 2 processes, now 1"):
        imagegan.main([*words, "--quiet"], standalone_mode=False)
