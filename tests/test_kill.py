"""A real process, really killed: `kill -9` in every phase, Ctrl-C, and the same command line again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from seqgan.core.run import checkpoints
from tests.killing import contents

Options = Callable[[str], list[str]]
SLOWER = ["--mle-epochs", "3", "--iterations", "20", "--hidden-dim", "24", "--g-batch-size", "24", "--rollouts", "3"]


@pytest.fixture
def command(corpus_file: Path, tiny_options: Options) -> Callable[[Path], list[str]]:
    def words(folder: Path) -> list[str]:
        options = [*tiny_options("seqgan"), *SLOWER, "--threads", "2", "--save-seconds", "0", "--quiet"]
        return [
            sys.executable,
            "-m",
            "seqgan",
            "train",
            "--corpus",
            str(corpus_file),
            *options,
            "--resume",
            str(folder),
        ]

    return words


def steps_of(folder: Path) -> int:
    return max(checkpoints(folder), default=0)


def started(words: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )


def signalled_after(words: list[str], folder: Path, steps: int, number: signal.Signals) -> tuple[int, str]:
    """Start the command, send a signal once so many steps are saved; the exit code and what it said."""
    process = started(words)
    while process.poll() is None and steps_of(folder) < steps:
        time.sleep(0.002)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def test_killed_and_interrupted_it_ends_bit_for_bit_as_if_nothing_had_happened(
    command: Callable[[Path], list[str]], tmp_path: Path
) -> None:
    subprocess.run(command(tmp_path / "whole"), check=True, capture_output=True)
    whole = contents(tmp_path / "whole")
    total = steps_of(tmp_path / "whole")
    folder = tmp_path / "run"
    for part in (0.06, 0.18, 0.4):  # in each of the three phases
        code, _ = signalled_after(command(folder), folder, int(part * total), signal.SIGKILL)
        assert code == -signal.SIGKILL
        assert steps_of(folder) < total
    code, errors = signalled_after(command(folder), folder, int(0.5 * total), signal.SIGINT)
    assert code == 130
    assert f"go on with: seqgan train --resume {folder}" in errors
    assert "Traceback" not in errors
    subprocess.run(command(folder), check=True, capture_output=True)
    # run.json tells the command line, which names the folder
    resumed = contents(folder)
    for made in (whole, resumed):
        for name in ("run.json", "newest checkpoint"):
            made[name] = made[name].replace(b"/whole", b"/run")
    assert {name for name in whole if whole[name] != resumed[name]} <= {"run.json", "newest checkpoint"}
    assert _without_id(whole) == _without_id(resumed)


def _without_id(made: dict[str, bytes]) -> str:
    """The newest checkpoint but for the id of its run, which hashes the command line."""
    text = made["newest checkpoint"].decode()
    return text[: text.index("'run': ")] + text[text.index("'steps': ") :]


@pytest.mark.torture
def test_killed_at_fifty_places(command: Callable[[Path], list[str]], tmp_path: Path) -> None:
    subprocess.run(command(tmp_path / "whole"), check=True, capture_output=True)
    total = steps_of(tmp_path / "whole")
    folder = tmp_path / "run"
    for kill in range(50):
        signalled_after(command(folder), folder, int(kill / 50 * total), signal.SIGKILL)
    subprocess.run(command(folder), check=True, capture_output=True)
    assert _without_id(contents(folder)) == _without_id(contents(tmp_path / "whole"))


def test_an_error_is_one_line_on_stderr_without_a_traceback(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "seqgan", "train", "--corpus", "poem"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: no corpus is called 'poem'; did you mean poems?")
    assert done.stderr.count("\n") == 1


def test_a_reader_that_leaves_early_is_no_error(command: Callable[[Path], list[str]], tmp_path: Path) -> None:
    subprocess.run(
        [*command(tmp_path / "run"), "--mle-epochs", "1", "--iterations", "0"], check=True, capture_output=True
    )
    line = f"{sys.executable} -m seqgan generate {tmp_path / 'run'} -n 20000 --seed 1 | head -n 1"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "error" not in done.stderr
    assert len(done.stdout.splitlines()) == 1
