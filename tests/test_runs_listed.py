"""`seqgan runs` and `imagegan runs`: every run is a row, whatever has become of it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import imagegan
import seqgan
from imagegan.cli import imagegan as image_command
from seqgan.cli import seqgan as text_command
from seqgan.core.loggers import Values
from seqgan.core.record import read_record
from seqgan.core.run import Interrupted, Run
from seqgan.errors import UsageError
from tests.conftest import TINY_GAME, tiny_lines
from tests.imagegan.tiny import tiny
from tests.logged import Kept

TEXTS = tiny_lines()


def listed(*words: str | Path, command: click.Command = text_command) -> Result:
    return CliRunner().invoke(command, ["runs", *map(str, words)], catch_exceptions=False)


def as_json(folder: Path, command: click.Command = text_command) -> dict[str, dict[str, object]]:
    return {Path(run["run"]).name: run for run in json.loads(listed(folder, "--json", command=command).stdout)}


class Stops(Kept):
    """Asks a run to stop once the discriminator is pretrained."""

    def log(self, phase: str, step: int, values: Values) -> None:
        if phase == "pretrain discriminator" and not self.told[1:]:
            self.told.append("stop")
            signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, one that was stopped, one that has not begun, and damaged ones."""
    folder = tmp_path_factory.mktemp("several") / "runs"
    options = {**TINY_GAME, "threads": 1}
    seqgan.train(TEXTS, run_dir=folder / "whole", **options)
    with pytest.raises(Interrupted):
        seqgan.train(TEXTS, run_dir=folder / "stopped", loggers=[Stops()], **{**options, "seed": 7})
    shutil.copytree(folder / "whole", folder / "waiting")
    shutil.rmtree(folder / "waiting" / "checkpoints")
    for name, text in {"torn": "{", "empty": "", "foreign": '{"format": 99}'}.items():
        shutil.copytree(folder / "whole", folder / name)
        (folder / name / "run.json").write_text(text)
    shutil.copytree(folder / "whole", folder / "bad record")
    (folder / "bad record" / "metrics.jsonl").write_text('{"phase": "a", "step": 1}\n{"phase": "a", "valid_nll": \n')
    shutil.copytree(folder / "whole", folder / "no record")
    (folder / "no record" / "metrics.jsonl").unlink()
    shutil.copytree(folder / "whole", folder / "odd")
    (folder / "odd" / "run.json").write_text(
        (folder / "odd" / "run.json").read_text().replace('"corpus": {', '"corpus": [],"x": {')
    )
    (folder / "headless" / "checkpoints").mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    (folder / ".whole.replaced").mkdir()
    return folder


def test_every_run_has_its_state_and_its_numbers(runs: Path) -> None:
    found = as_json(runs)
    assert {name: run["state"] for name, run in found.items()} == {
        "whole": "finished",
        "stopped": "stopped",
        "waiting": "not begun",
        **dict.fromkeys(("torn", "empty", "foreign", "bad record", "no record", "odd", "headless"), "damaged"),
    }
    record = read_record(runs / "whole")
    nll = [line["valid_nll"] for line in record if "valid_nll" in line and line["phase"] == "pretrain generator"]
    assert found["whole"]["numbers"] == {
        "valid_nll after MLE": min(nll),
        "final valid_nll": record[-1]["valid_nll"],
    }
    assert (found["whole"]["algorithm"], found["whole"]["data"], found["whole"]["go_on"]) == ("seqgan", "texts", None)
    assert found["stopped"]["seed"] == 7
    assert found["stopped"]["go_on"] == f"seqgan train --resume {runs / 'stopped'}"
    assert found["stopped"]["where"] == "at step 1 of adversarial"
    assert found["bad record"]["where"] == "line 2 of metrics.jsonl is not valid JSON"
    assert "it has no run.json" in str(found["headless"]["where"])


def test_the_table_says_how_to_go_on(runs: Path) -> None:
    table = listed(runs)
    assert f"{runs / 'stopped'} is stopped; go on with: seqgan train --resume {runs / 'stopped'}" in table.stdout
    assert "whole is" not in table.stdout
    lines = listed(runs, "--markdown").stdout.splitlines()
    assert lines[0] == "| run | what | seed | began | state | valid_nll after MLE | final valid_nll |"
    assert len(lines) == 2 + 10
    alone = listed(runs / "whole", "--markdown").stdout.splitlines()
    assert len(alone) == 3


def test_the_newest_stands_last(runs: Path, tmp_path: Path) -> None:
    for name, age in (("b", 300), ("a", 200), ("c", 100)):
        shutil.copytree(runs / "whole", tmp_path / name)
        for file in ("run.json", ".lock"):
            os.utime(tmp_path / name / file, (1e9 - age, 1e9 - age))
    assert list(as_json(tmp_path)) == ["b", "a", "c"]


def test_a_run_in_training_is_running(runs: Path) -> None:
    with Run(runs / "stopped"):
        code = (
            f"import sys; sys.argv = ['seqgan', 'runs', {str(runs)!r}, '--json']; from seqgan.cli import main; main()"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    states = {Path(run["run"]).name: run["state"] for run in json.loads(done.stdout)}
    assert states["stopped"] == "running"
    assert as_json(runs)["stopped"]["state"] == "stopped"


def test_listing_imports_no_torch(runs: Path) -> None:
    code = (
        f"import sys; sys.argv = ['seqgan', 'runs', {str(runs)!r}]\nfrom seqgan.cli import main\n"
        "main()\nassert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_runs_of_images_are_listed_by_their_own_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    imagegan.train("dcgan", **tiny("dcgan", validate_every=2, images=300))
    found = as_json(Path("runs"), image_command)
    assert list(found) == ["digits-dcgan-1"]
    assert found["digits-dcgan-1"]["state"] == "finished"
    assert set(found["digits-dcgan-1"]["numbers"]) == {"best valid_fd", "final valid_fd"}
    assert listed().stderr == "there are no runs of seqgan in runs; begin one with: seqgan train --corpus poems\n"


def test_what_holds_no_runs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    nothing = listed()
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert listed("--json").stdout == "[]\n"
    (tmp_path / "file").write_text("")
    invoke: Callable[..., object] = text_command.main
    for words, message in (
        (["nowhere"], "there is no folder nowhere; give one that holds runs"),
        (["file"], "file is no folder that can be read"),
        (["--json", "--markdown"], "give one of them"),
    ):
        with pytest.raises(UsageError, match=message):
            invoke(["runs", *words], standalone_mode=False)
