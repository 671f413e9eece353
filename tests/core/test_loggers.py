"""Loggers beside the record of a run: what they are told and when, and that none of them ends a training."""

import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from seqgan.core.bounds import bounded
from seqgan.core.log import Display
from seqgan.core.loggers import LOGGERS, TensorBoard, WandB
from seqgan.core.loop import train
from seqgan.core.record import read_record
from seqgan.core.run import Interrupted, Run, create
from seqgan.errors import DivergedError, UsageError
from tests.core.toy import Toy
from tests.killing import Killed, contents, dying_at
from tests.logged import Kept, events

DESCRIPTION = {
    "package": "toy",
    "algorithm": "toy",
    "config": {"steps": 6, "filters": [1, 2], "control": None},
    "data": {"name": "noise"},
    "seed": 3,
    "threads": 2,
}


class Broken(Kept):
    """Raises when it is told for the n-th time."""

    def __init__(self, when: str) -> None:
        super().__init__()
        self.when = when

    def begin(self, *told: Any) -> None:
        self._fail("begin")

    def log(self, *told: Any) -> None:
        self._fail("log")

    def end(self, *told: Any) -> None:
        self._fail("end")

    def _fail(self, name: str) -> None:
        self.told.append(name)
        if name == self.when:
            raise ValueError("no connection\nto anywhere")


class Noted(Display):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


class Pictured(Toy):
    """Also measures what only loggers take."""

    def check(self, step: int) -> dict[str, Any]:
        picture = Image.new("L", (4, 2), 255)
        return {**super().check(step), "rewards": torch.arange(3.0), "grid": picture}


def begun(folder: Path) -> Path:
    create(folder, DESCRIPTION, {})
    return folder


def carried_out(folder: Path, *loggers: Any, toy: Toy | None = None, save_seconds: float = 0.0) -> None:
    with Run(folder, save_seconds=save_seconds, loggers=loggers) as run:
        train(toy or Toy(), run)
        run.closing = {"final/loss": 0.25}


def test_a_logger_is_told_all_that_was_measured_on_one_axis(tmp_path: Path) -> None:
    kept = Kept()
    carried_out(begun(tmp_path / "run"), kept, toy=Pictured())
    lines = read_record(tmp_path / "run")
    begins, before = {}, 0
    for phase in dict.fromkeys(line["phase"] for line in lines):
        begins[phase] = before
        before += max(line["step"] for line in lines if line["phase"] == phase)
    assert [step for _, step, _ in kept.steps] == sorted({step for _, step, _ in kept.steps})
    told = [
        {
            "phase": phase,
            "step": step - begins[phase],
            **{k: v for k, v in values.items() if k not in ("rewards", "grid")},
        }
        for phase, step, values in kept.steps
    ]
    assert told == lines
    media = next(values for _, _, values in kept.steps if "grid" in values)
    assert isinstance(media["rewards"], np.ndarray)
    assert media["rewards"].tolist() == [0.0, 1.0, 2.0]
    assert isinstance(media["grid"], Image.Image)
    assert kept.told == [("begin", "run", "toy", 0), ("end", {"final/loss": 0.25})]


def test_loggers_change_nothing_of_a_run(tmp_path: Path) -> None:
    carried_out(begun(tmp_path / "logged"), Kept(), toy=Pictured())
    carried_out(begun(tmp_path / "plain"))
    assert contents(tmp_path / "logged") == contents(tmp_path / "plain")


@pytest.mark.parametrize("operation", [20, 57, 90, 130])
def test_killed_and_resumed_no_step_comes_twice(tmp_path: Path, operation: int) -> None:
    whole, kept = Kept(), Kept()
    carried_out(begun(tmp_path / "whole"), whole)
    with dying_at(operation), pytest.raises(Killed):
        carried_out(begun(tmp_path / "run"), kept)
    carried_out(tmp_path / "run", kept)
    told, all_steps = ([step for _, step, _ in logger.steps] for logger in (kept, whole))
    assert told == sorted(set(told))
    # Between a save and what the logger is told of it lies one operation; killed there, it is not told.
    assert len(set(all_steps) - set(told)) == (operation == 130)


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    kept, toy = Kept(), Toy()
    update = toy.update
    toy.update = lambda step: (signal.raise_signal(signal.SIGINT) if step == 3 else None, update(step))[1]  # type: ignore[method-assign]
    with pytest.raises(Interrupted):
        carried_out(begun(tmp_path / "run"), kept, toy=toy, save_seconds=1e9)
    assert [step for _, step, _ in kept.steps] == [1, 2, 3]
    assert kept.told == [("begin", "run", "toy", 0), ("end", None)]
    carried_out(tmp_path / "run", kept)
    assert kept.told[2] == ("begin", "run", "toy", 3)
    assert kept.steps[3][1] == 4


def test_what_led_to_a_divergence_is_logged(tmp_path: Path) -> None:
    kept = Kept()
    with pytest.raises(DivergedError):
        carried_out(begun(tmp_path / "run"), kept, toy=Toy(nan_at=5), save_seconds=1e9)
    assert kept.steps[-1][0] == "game"
    assert kept.told[-1] == ("end", None)


@pytest.mark.parametrize("when", ["begin", "log", "end"])
def test_a_logger_that_raises_is_left_out_with_one_warning(tmp_path: Path, when: str) -> None:
    broken, kept, display = Broken(when), Kept(), Noted()
    with Run(begun(tmp_path / "run"), display=display, save_seconds=0.0, loggers=[broken, kept]) as run:
        train(Toy(), run)
        run.closing = {}
    assert display.warnings == ["the logger Broken failed, and training goes on without: ValueError: no connection"]
    assert broken.told.count(when) == 1
    assert broken.told[-1] == when
    assert kept.told[-1] == ("end", {})
    carried_out(begun(tmp_path / "plain"))
    assert contents(tmp_path / "run") == contents(tmp_path / "plain")


def test_a_warning_is_seen_where_no_progress_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    carried_out(begun(tmp_path / "run"), Broken("log"))
    assert capsys.readouterr().err.startswith("warning: the logger Broken failed")


@pytest.mark.parametrize("given", ["tensorboard", Kept(), [Kept], [Kept(), print], None, 3])
def test_what_is_no_list_of_loggers_is_refused(given: object) -> None:
    with pytest.raises(UsageError, match="but a list of objects with the methods begin, log and end was expected"):
        bounded("loggers", given, LOGGERS)


# --- TensorBoard


def curve_of(found: Any, tag: str) -> list[tuple[int, float]]:
    return [(event.step, round(event.value, 5)) for event in found.Scalars(tag)]


def test_tensorboard_reads_back_what_was_recorded(tmp_path: Path) -> None:
    carried_out(begun(tmp_path / "run"), TensorBoard(), toy=Pictured())
    found, lines = events(tmp_path / "run"), read_record(tmp_path / "run")
    first = [(line["step"], round(line["loss"], 5)) for line in lines if line["phase"] == "first"]
    assert curve_of(found, "first/loss") == first
    steps = [step for tag in ("first/loss", "second/loss", "game/loss") for step, _ in curve_of(found, tag)]
    assert steps == sorted(steps)
    assert curve_of(found, "closing/final/loss") == [(len(first) + 3 + 6 + 1, 0.25)]
    assert b"w = " in found.Tensors("game/samples/text_summary")[-1].tensor_proto.string_val[0]
    assert found.Histograms("game/rewards")[-1].histogram_value.num == 3
    assert (found.Images("game/grid")[-1].width, found.Images("game/grid")[-1].height) == (4, 2)


def test_tensorboard_has_the_hyper_parameters_beside_the_closing_numbers(tmp_path: Path) -> None:
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    carried_out(begun(tmp_path / "run"), TensorBoard())
    content = events(tmp_path / "run").summary_metadata["_hparams_/session_start_info"].plugin_data.content
    given = HParamsPluginData.FromString(content).session_start_info.hparams
    assert {name: value.string_value or value.number_value for name, value in given.items()} == {
        "algorithm": "toy",
        "data": "noise",
        "seed": 3.0,
        "steps": 6.0,
        "filters": "1,2",
        "control": 0.0,  # an empty text
    }


def test_a_run_that_goes_on_has_no_step_twice_in_tensorboard(tmp_path: Path) -> None:
    folder = begun(tmp_path / "run")
    with pytest.raises(DivergedError):  # all steps up to it are seen, beyond the last save
        carried_out(folder, TensorBoard(), toy=Toy(nan_at=5), save_seconds=1e9)
    before = events(folder)
    assert len(curve_of(before, "game/loss")) == 3  # steps 1, 2 and 4
    carried_out(folder, TensorBoard())
    carried_out(folder, TensorBoard())  # a run that is done writes its closing numbers again
    found = events(folder)
    carried_out(begun(tmp_path / "whole"), TensorBoard())
    whole = events(tmp_path / "whole")
    assert found.Tags()["scalars"] == whole.Tags()["scalars"]
    for tag in whole.Tags()["scalars"]:
        assert curve_of(found, tag) == curve_of(whole, tag)


def test_a_logged_run_can_be_replaced(tmp_path: Path) -> None:
    folder = begun(tmp_path / "run")
    carried_out(folder, TensorBoard())
    (folder / "wandb-run-id").write_text("a1")
    create(folder, DESCRIPTION, {}, overwrite=True)
    assert not (folder / "tensorboard").exists()


@pytest.mark.parametrize(("make", "extra"), [(TensorBoard, "tensorboard"), (lambda: WandB("x"), "wandb")])
def test_a_missing_package_is_one_line_with_the_command_that_installs_it(
    make: Any, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UsageError, match=rf"^{extra} is not installed; .* pip install 'seqgan\[{extra}\]'$"):
        make()


# --- Weights & Biases


def test_weights_and_biases_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.chdir(tmp_path)
    folder = begun(tmp_path / "run")
    with pytest.raises(DivergedError):
        carried_out(folder, WandB("a project"), toy=Pictured(nan_at=5))
    carried_out(folder, WandB("a project"), toy=Pictured())
    wandb.teardown()  # waits for what its own process still writes
    identity = (folder / "wandb-run-id").read_text()
    written = sorted(tmp_path.glob(f"wandb/offline-run-*-{identity}/run-{identity}.wandb"))
    assert len(written) == 2  # of one run there
    found = [record for path in written for record in records_of(path)]
    steps = [int(history["_step"]) for history in found]
    assert steps == sorted(set(steps))
    whole = Kept()
    carried_out(begun(tmp_path / "whole"), whole, toy=Pictured())
    assert steps == [step for _, step, _ in whole.steps]
    losses = [float(history["game/loss"]) for history in found if "game/loss" in history]
    assert losses == pytest.approx(
        [values["loss"] for phase, _, values in whole.steps if phase == "game" and "loss" in values]
    )
    assert any("first/grid" in key for key in found[1])


def records_of(path: Path) -> list[dict[str, str]]:
    """The lines of history in a file of an offline run: a log of LevelDB, in blocks of 32 KiB."""
    from wandb.proto import wandb_internal_pb2

    data, at, whole, found = path.read_bytes(), 7, b"", []
    while at + 7 < len(data):
        if 32768 - at % 32768 < 7:  # no room for the head of another part
            at += 32768 - at % 32768
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            record = wandb_internal_pb2.Record.FromString(whole)
            whole = b""
            if record.WhichOneof("record_type") == "history":
                found.append({"/".join(item.nested_key) or item.key: item.value_json for item in record.history.item})
    return found
