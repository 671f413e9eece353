"""A run survives anything: killed before and after every disk operation, it ends as the uninterrupted one."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

from seqgan.core import files, schema
from seqgan.core.log import Display
from seqgan.core.loop import train
from seqgan.core.record import read_record
from seqgan.core.run import Interrupted, Run, checkpoints, create, describe
from seqgan.core.starting import agree, free_name
from seqgan.errors import CheckpointError, DivergedError, RunError, StorageError
from tests.core.toy import Toy
from tests.killing import Killed, contents, dying_at

DESCRIPTION = {"package": "toy", "algorithm": "toy", "config": {"steps": 6}, "seed": 3, "threads": 2}


def begun(folder: Path) -> Path:
    create(folder, DESCRIPTION, {"tokenizer.model": b"kept"})
    return folder


def carried_out(folder: Path, **toy: int) -> dict[str, bytes]:
    with Run(folder, save_seconds=0.0) as run:
        train(Toy(**toy), run)
    return contents(folder)


def test_a_run_leaves_what_it_promises(tmp_path: Path) -> None:
    found = carried_out(begun(tmp_path / "run"))
    assert set(found) == {
        "run.json",
        "tokenizer.model",
        "metrics.jsonl",
        "samples.txt",
        "net.safetensors",
        "kept/net.safetensors",
        "newest checkpoint",
    }
    lines = read_record(tmp_path / "run")
    assert [line["step"] for line in lines if line["phase"] == "game"] == [1, 2, 3, 4, 5, 6]
    assert len(checkpoints(tmp_path / "run")) == 2
    assert not list((tmp_path / "run").rglob("*.partial"))


def count_operations(folder: Path) -> int:
    with dying_at(-1) as seen:
        carried_out(begun(folder))
    return int(seen.count)


def killed_and_resumed(folder: Path, operation: int, *, after: bool) -> dict[str, bytes]:
    """Begin, die at an operation, and repeat the whole command as a requeued job would."""
    with dying_at(operation, after=after), pytest.raises(Killed):
        carried_out(begun(folder))
    if not (folder / "run.json").is_file():  # died while the run was made: nothing is there, so it is begun again
        begun(folder)
    return carried_out(folder)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_disk_operation_a_run_ends_the_same(tmp_path: Path, after: bool) -> None:
    """Every 7th operation in the default suite, from another start each time; all of them under the mark below."""
    whole = carried_out(begun(tmp_path / "whole"))
    total = count_operations(tmp_path / "counted")
    assert total > 100
    for operation in range(1 + after, total + 1, 7):
        assert killed_and_resumed(tmp_path / f"run{operation}", operation, after=after) == whole, operation


@pytest.mark.torture
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_every_disk_operation_a_run_ends_the_same(tmp_path: Path, after: bool) -> None:
    whole = carried_out(begun(tmp_path / "whole"))
    for operation in range(1, count_operations(tmp_path / "counted") + 1):
        assert killed_and_resumed(tmp_path / f"run{operation}", operation, after=after) == whole, operation


def test_killed_again_and_again_it_still_ends_the_same(tmp_path: Path) -> None:
    whole = carried_out(begun(tmp_path / "whole"))
    folder = begun(tmp_path / "run")
    for operation in (40, 25, 31, 12, 50):
        with dying_at(operation), pytest.raises(Killed):
            carried_out(folder)
    assert carried_out(folder) == whole


def test_warnings_are_told_a_line_each_and_are_no_samples(tmp_path: Path) -> None:
    class Warning(Toy):
        def check(self, step: int) -> dict[str, object]:
            return {**super().check(step), "warnings": [f"one {step}", f"two {step}"]}

    display, said = Display(), list[str]()
    display.message = said.append  # type: ignore[method-assign]
    with Run(begun(tmp_path / "run"), display=display) as run:
        train(Warning(), run)
    assert [text for text in said if "warning" in text][-2:] == [
        "warning: one 6 (step 6 of game)",
        "warning: two 6 (step 6 of game)",
    ]
    assert read_record(tmp_path / "run")[-1]["warnings"] == ["one 6", "two 6"]
    samples = (tmp_path / "run" / "samples.txt").read_text()
    assert "samples at step 6 of game" in samples
    assert "one 6" not in samples


def test_a_finished_run_exports_again(tmp_path: Path) -> None:
    whole = carried_out(begun(tmp_path / "run"))
    (tmp_path / "run" / "net.safetensors").unlink()
    assert carried_out(tmp_path / "run") == whole


def test_a_finished_run_may_get_more_steps_in_its_last_phase(tmp_path: Path) -> None:
    longer = carried_out(begun(tmp_path / "longer"), steps=9)
    carried_out(begun(tmp_path / "run"), steps=6)
    assert carried_out(tmp_path / "run", steps=9)["newest checkpoint"] == longer["newest checkpoint"]


def test_how_often_a_run_saves_changes_nothing(tmp_path: Path) -> None:
    often = carried_out(begun(tmp_path / "often"))
    with Run(begun(tmp_path / "seldom"), save_seconds=1e9) as run:
        train(Toy(), run)
    assert contents(tmp_path / "seldom") == often
    with Run(begun(tmp_path / "by steps"), save_seconds=0.0, save_steps=4, keep=99) as run:
        train(Toy(), run)
    assert contents(tmp_path / "by steps") == often
    first = sum(line["phase"] == "first" for line in read_record(tmp_path / "by steps"))
    ends = [first, first + 3, first + 9]  # of the phases, of which the second has three steps and the game six
    assert sorted(checkpoints(tmp_path / "by steps")) == sorted({*range(4, first, 4), *ends, first + 3 + 4})


def test_options_must_agree_but_for_more_steps(tmp_path: Path) -> None:
    folder = begun(tmp_path / "run")
    before = describe(folder)
    agree(folder, {"steps": 6, "seed": 3}, "steps")
    assert describe(folder) == before
    agree(folder, {"steps": 8}, "steps")
    assert describe(folder) == schema.with_checksum({**before, "config": {"steps": 8}})
    with pytest.raises(RunError, match="seed was 3 and is now 4"):
        agree(folder, {"seed": 4}, "steps")
    with pytest.raises(RunError, match="steps was 8 and is now 5"):
        agree(folder, {"steps": 5}, "steps")


def test_a_nan_stops_training_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    folder = begun(tmp_path / "run")
    with pytest.raises(
        DivergedError, match=r"step 5 of game: loss is nan; the last good checkpoint is .*step-"
    ) as error:
        carried_out(folder, nan_at=5)
    newest = next(reversed(checkpoints(folder).values()))
    assert str(newest) in str(error.value)
    assert all("NaN" not in json.dumps(line) for line in read_record(folder))
    assert carried_out(folder) == carried_out(begun(tmp_path / "whole"))


def test_a_weight_that_is_infinite_is_never_saved(tmp_path: Path) -> None:
    folder = begun(tmp_path / "run")
    toy = Toy()
    toy.net.weight.data[0, 1] = float("inf")
    with Run(folder) as run, pytest.raises(DivergedError, match=r"net/weight holds NaN or infinite"):
        run.save("first", 1, toy.state_dict())
    assert not checkpoints(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_at_the_edge_of_a_step(tmp_path: Path, number: signal.Signals) -> None:
    folder = begun(tmp_path / "run")
    toy = Toy()
    original, before = toy.move, signal.getsignal(signal.SIGINT)
    toy.move = lambda step: (os.kill(os.getpid(), number) if step == 4 else None, original(step))[1]  # type: ignore[method-assign]
    with (
        Run(folder) as run,
        pytest.raises(Interrupted, match=r"step 4 of game; go on with: toy train --res") as error,
    ):
        train(toy, run)
    assert error.value.exit_code == 128 + number
    assert signal.getsignal(signal.SIGINT) is before
    assert carried_out(folder) == carried_out(begun(tmp_path / "whole"))


def test_a_run_is_never_overwritten_unasked(tmp_path: Path) -> None:
    folder = begun(tmp_path / "run")
    with pytest.raises(RunError, match="exists already; continue it with --resume"):
        begun(folder)
    create(folder, {**DESCRIPTION, "seed": 8}, {}, overwrite=True)
    assert describe(folder)["seed"] == 8
    precious = tmp_path / "thesis"
    precious.mkdir()
    (precious / "chapter.txt").write_text("mine")
    with pytest.raises(RunError, match="not a run directory"):
        create(precious, DESCRIPTION, {}, overwrite=True)
    assert (precious / "chapter.txt").read_text() == "mine"


def test_two_processes_cannot_train_one_run(tmp_path: Path) -> None:
    folder = begun(tmp_path / "run")
    code = f"from pathlib import Path\nfrom seqgan.core.run import Run\nwith Run(Path({str(folder)!r})): pass"
    with Run(folder):
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "is in use by another process" in other.stderr
    with Run(folder):
        pass


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "run.json is empty"),
        ("{", "run.json is not valid JSON"),
        ("[]", "holds a list, but a table was expected"),
        ('{"format": 99}', "has format 99"),
    ],
)
def test_a_damaged_or_foreign_run_json_is_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunError, match=message):
        describe(tmp_path)


def test_a_folder_of_runs_is_told_from_one_that_holds_none(tmp_path: Path) -> None:
    (tmp_path / "runs" / "one").mkdir(parents=True)
    (tmp_path / "runs" / "one" / "run.json").write_text("{}")
    with pytest.raises(RunError, match=r"runs is not a run directory: it holds runs; give one of them, such as .*one$"):
        describe(tmp_path / "runs")
    with pytest.raises(RunError, match=r"is not a run directory: there is no such folder; .*seqgan runs"):
        describe(tmp_path / "runs" / "two")


def test_no_run_there(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run directory"):
        describe(tmp_path / "nothing")


def test_a_full_disk_is_one_clear_error_and_loses_nothing(tmp_path: Path) -> None:
    folder = begun(tmp_path / "run")
    full = SimpleNamespace(**{name: getattr(os, name) for name in dir(os) if not name.startswith("__")})
    written = 0

    def write(descriptor: int, data: memoryview) -> int:
        nonlocal written
        written += len(data)
        if written > 40_000:
            raise OSError(28, os.strerror(28))
        return os.write(descriptor, data)

    full.write = write
    with mock.patch.object(files, "os", full), pytest.raises(StorageError, match=r"cannot write .* No space left"):
        carried_out(folder)
    assert checkpoints(folder)
    assert not list(folder.rglob("*.partial"))
    assert carried_out(folder) == carried_out(begun(tmp_path / "whole"))


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    """Root may write anywhere, so there the refusal is made up."""
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    refused = mock.patch.object(os, "makedirs", side_effect=PermissionError(13, os.strerror(13)))
    try:
        with refused if os.geteuid() == 0 else nullcontext(), pytest.raises(StorageError, match="Permission denied"):
            begun(tmp_path / "run")
    finally:
        tmp_path.chmod(stat.S_IRWXU)


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot make the folder"):
        begun(tmp_path / "file" / "run")


def test_the_newest_checkpoint_must_be_whole(tmp_path: Path) -> None:
    folder = begun(tmp_path / "run")
    whole = carried_out(folder)
    newest = next(reversed(checkpoints(folder).values()))
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="remove it to go on from the one before it"):
        carried_out(folder)
    newest.unlink()
    assert carried_out(folder) == whole


def test_without_its_folder_of_checkpoints_a_run_begins_again(tmp_path: Path) -> None:
    whole = carried_out(begun(tmp_path / "run"))
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    assert carried_out(tmp_path / "run") == whole


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    folder = begun(tmp_path / "run")
    carried_out(folder)
    create(tmp_path / "other", {**DESCRIPTION, "seed": 4}, {})
    for steps, path in checkpoints(folder).items():
        (tmp_path / "other" / "checkpoints" / f"step-{steps:08d}.pt").write_bytes(path.read_bytes())
    with pytest.raises(CheckpointError, match="does not belong to the run"):
        carried_out(tmp_path / "other")


def test_names_are_free(tmp_path: Path) -> None:
    assert free_name(tmp_path, "poems-mle") == tmp_path / "poems-mle-1"
    (tmp_path / "poems-mle-1").mkdir()
    assert free_name(tmp_path, "poems-mle") == tmp_path / "poems-mle-2"
