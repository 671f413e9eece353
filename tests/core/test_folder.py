"""The folder of a run: replaced as a whole or not at all, held by one process, and nothing of others is touched."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

from seqgan.core import files, folder
from seqgan.core.loop import train
from seqgan.core.run import Run, checkpoints, create, describe
from seqgan.core.starting import RunRequest, agree, begin_or_continue
from seqgan.errors import CheckpointError, RunError, SeqGANError, StorageError, UsageError
from tests.core.toy import Toy
from tests.killing import Killed, contents, dying_at

DESCRIPTION = {"package": "toy", "algorithm": "toy", "config": {"steps": 6}, "seed": 3, "threads": 2}


def begun(place: Path, seed: int = 3, *, overwrite: bool = False) -> Path:
    create(place, {**DESCRIPTION, "seed": seed}, {}, overwrite=overwrite)
    return place


def carried_out(place: Path) -> dict[str, bytes]:
    with Run(place, save_seconds=0.0) as run:
        train(Toy(), run)
    return contents(place)


def wanted(place: Path | None, *, resume: bool = False, overwrite: bool = False, seed: int | None = None) -> RunRequest:
    return RunRequest("toy", place, resume, overwrite, seed, 0)


def started(want: RunRequest, carry_out: Callable[[Path], object]) -> Path:
    def begin() -> Path:
        return begun(want.new_folder("toy"), want.seed or 0, overwrite=want.overwrite)

    place, _ = begin_or_continue(want, begin=begin, options=lambda _: {}, extendable="steps", carry_out=carry_out)
    return place


def everything(place: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(place)): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file() and path.name != folder.LOCK
    }


# --- replaced


def test_a_replaced_run_is_kept_until_the_new_one_has_saved_something(tmp_path: Path) -> None:
    place = begun(tmp_path / "run")
    carried_out(place)
    begun(place, 8, overwrite=True)
    assert (tmp_path / ".run.replaced" / "run.json").is_file()
    assert (describe(place)["seed"], checkpoints(place)) == (8, {})
    carried_out(place)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_start_that_fails_brings_the_replaced_run_back(tmp_path: Path) -> None:
    place = begun(tmp_path / "run")
    carried_out(place)
    before = everything(place)

    def fails(place: Path) -> None:
        raise UsageError("the second column is another")

    with pytest.raises(UsageError, match="second column"):
        started(wanted(place, overwrite=True, seed=9), fails)
    assert everything(place) == before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("error", [UsageError("no"), ValueError("no"), KeyboardInterrupt()])
def test_a_start_that_fails_leaves_nothing(error: BaseException, tmp_path: Path) -> None:
    def fails(place: Path) -> None:
        with Run(place):
            raise error

    with pytest.raises(type(error)):
        started(wanted(tmp_path / "run"), fails)
    assert not list(tmp_path.iterdir())


def test_a_run_that_was_there_or_has_learned_something_stays_when_it_fails(tmp_path: Path) -> None:
    def fails(place: Path) -> None:
        if place.name == "learned":
            carried_out(place)
        raise UsageError("no")

    for name, resume in (("learned", False), ("before", True)):
        if resume:
            begun(tmp_path / name)
        with pytest.raises(UsageError):
            started(wanted(tmp_path / name, resume=resume), fails)
        assert (tmp_path / name / "run.json").is_file()


@pytest.mark.parametrize("step", ["mkdir", "write", "set aside", "put in place", "put in place and back"])
def test_a_step_of_replacing_that_fails_is_one_error_and_loses_nothing(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = begun(tmp_path / "run")
    carried_out(place)
    before = everything(place)
    refusing = SimpleNamespace(**{name: getattr(os, name) for name in dir(os) if not name.startswith("__")})
    count = {"rename": 0}

    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def rename(source: Path, target: Path) -> None:
        count["rename"] += 1
        number = {"set aside": [1], "put in place": [2], "put in place and back": [2, 3]}[step]
        refuse() if count["rename"] in number else os.rename(source, target)

    if step in ("mkdir", "write"):
        setattr(refusing, {"mkdir": "makedirs", "write": "write"}[step], refuse)
    else:
        refusing.rename = rename
    monkeypatch.setattr(files, "os", refusing)
    with pytest.raises(StorageError, match="Permission denied"):
        begun(place, 8, overwrite=True)
    monkeypatch.undo()
    left = {path.name: everything(path) for path in tmp_path.iterdir()}
    assert left == ({".run.replaced": before} if step == "put in place and back" else {"run": before})


def test_what_cannot_be_removed_of_the_old_run_does_not_stop_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, said = begun(tmp_path / "run"), list[str]()
    begun(place, 8, overwrite=True)

    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("shutil.rmtree", refuse)
    with Run(place) as run:
        run.display.message = said.append  # type: ignore[method-assign]
        train(Toy(), run)
    assert checkpoints(place)
    assert f"cannot remove {tmp_path / '.run.replaced'}: Permission denied" in "\n".join(said)
    assert "\n".join(said).count("cannot remove") == 1


def test_killed_at_any_operation_of_replacing_one_of_both_is_there_and_the_next_try_works(tmp_path: Path) -> None:
    for operation in range(1, 30):
        place = begun(tmp_path / f"run{operation}")
        carried_out(place)
        before = everything(place)
        try:
            with dying_at(operation):
                begun(place, 8, overwrite=True)
            break
        except Killed:
            aside = place.with_name(f".{place.name}.replaced")
            assert before in [everything(there) for there in (place, aside) if there.exists()]
            begun(place, 8, overwrite=True)
            kept = place if describe(place)["seed"] == 3 else aside
            assert not kept.exists() or everything(kept) == before
            carried_out(place)
            assert not aside.exists()
    assert operation > 8


def test_what_no_run_made_is_never_removed(tmp_path: Path) -> None:
    place = begun(tmp_path / "run")
    carried_out(place)
    for name in ("notes.txt", "thesis/chapter.txt", "checkpoints/mine.pt", "evaluations/table.csv", "-.txt"):
        mine = place / name
        mine.parent.mkdir(exist_ok=True)
        mine.write_text("mine")
        with pytest.raises(RunError, match=rf"also holds what no run made, .*: {name}; move it away"):
            begun(place, 8, overwrite=True)
        assert mine.read_text() == "mine"
        mine.unlink()
    begun(place, 8, overwrite=True)


def test_a_run_in_training_is_not_replaced(tmp_path: Path) -> None:
    place = begun(tmp_path / "run")
    with Run(place), pytest.raises(RunError, match="is in use by another process, which trains it"):
        begun(place, 8, overwrite=True)
    assert describe(place)["seed"] == 3


def test_a_run_in_training_gets_no_more_steps(tmp_path: Path) -> None:
    place = begun(tmp_path / "run")
    with Run(place), pytest.raises(RunError, match="is in use by another process"):
        agree(place, {"steps": 9}, "steps")
    assert describe(place)["config"] == {"steps": 6}


def test_a_run_that_was_replaced_while_another_process_looked_at_it_is_not_trained(tmp_path: Path) -> None:
    place = begun(tmp_path / "run")
    stale = Run(place)
    begun(place, 8, overwrite=True)
    with pytest.raises(RunError, match="was changed by another process just now"), stale:
        pass
    with Run(place):
        pass


def test_a_run_can_be_replaced_through_a_link_to_it(tmp_path: Path) -> None:
    begun(tmp_path / "run")
    (tmp_path / "latest").symlink_to(tmp_path / "run")
    begun(tmp_path / "latest", 8, overwrite=True)
    assert (tmp_path / "latest").is_symlink()
    assert describe(tmp_path / "run")["seed"] == 8


def test_the_folder_that_a_command_runs_in_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = begun(tmp_path / "run")
    for inside in (place, place / "checkpoints"):
        monkeypatch.chdir(inside)
        with pytest.raises(RunError, match="is the folder that this command runs in"):
            begun(place, 8, overwrite=True)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(RunError, match="is the folder that this command runs in"):
        begun(Path())


# --- links


@pytest.mark.parametrize("name", ["metrics.jsonl", "checkpoints", "corpus", ".lock", "a.partial", "run.json"])
def test_nothing_is_written_through_a_link_inside_a_run(name: str, tmp_path: Path) -> None:
    place, elsewhere = begun(tmp_path / "run"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious.partial").write_text("mine")
    (elsewhere / "lines").write_text("mine")
    (elsewhere / "run.json").write_bytes((place / "run.json").read_bytes())
    into = {"checkpoints": ".", "corpus": ".", "run.json": "run.json"}.get(name, "lines")
    (place / "checkpoints").rmdir() if name == "checkpoints" else (place / name).unlink(missing_ok=True)
    (place / name).symlink_to(elsewhere / into)
    before = everything(elsewhere)
    with pytest.raises(RunError, match=rf"{name} is a symbolic link, but a run is trained only where"):
        carried_out(place)
    with pytest.raises(RunError, match="is a symbolic link"):
        begun(place, 8, overwrite=True)
    assert everything(elsewhere) == before


def test_a_pipe_in_a_run_is_refused(tmp_path: Path) -> None:
    place = begun(tmp_path / "run")
    os.mkfifo(place / "metrics.jsonl")
    with pytest.raises(RunError, match=r"metrics\.jsonl is neither a file nor a folder"):
        carried_out(place)


# --- begun or continued


def test_to_resume_a_run_must_be_named_and_may_not_be_replaced(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the run must be named: give its folder \(in Python run_dir="):
        wanted(None, resume=True).existing()
    with pytest.raises(UsageError, match="ask for one of them"):
        wanted(tmp_path, resume=True, overwrite=True).existing()


def test_a_run_is_begun_where_there_is_none_and_continued_where_there_is_one(tmp_path: Path) -> None:
    for seed, expected in ((5, 5), (None, 5)):
        assert started(wanted(tmp_path / "run", resume=True, seed=seed), carried_out) == tmp_path / "run"
        assert describe(tmp_path / "run")["seed"] == expected
    with pytest.raises(RunError, match="seed was 5 and is now 0"):
        started(wanted(tmp_path / "run", resume=True, seed=0), carried_out)


def test_an_error_of_a_continued_run_takes_nothing_away(tmp_path: Path) -> None:
    place = begun(tmp_path / "run")
    carried_out(place)
    newest = next(reversed(checkpoints(place).values()))
    newest.write_bytes(b"nothing of the kind")
    before = everything(place)
    with pytest.raises(CheckpointError):
        started(wanted(place, resume=True), carried_out)
    assert everything(place) == before


# --- other systems


def test_without_locks_or_folders_that_can_be_opened_a_run_is_trained_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows has neither `fcntl` nor O_DIRECTORY, and opens no folders."""
    place = begun(tmp_path / "whole")
    whole = carried_out(place)
    poor = SimpleNamespace(
        **{name: getattr(os, name) for name in dir(os) if name != "O_DIRECTORY" and name[:2] != "__"}
    )

    def open_file(path: Path, *args: int) -> int:
        if Path(path).is_dir():
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return os.open(path, *args)

    poor.open = open_file
    monkeypatch.setattr(files, "os", poor)
    assert carried_out(begun(tmp_path / "run")) == whole


def test_a_disk_that_does_not_bring_folders_to_the_disk_is_used_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = SimpleNamespace(**{name: getattr(os, name) for name in dir(os) if not name.startswith("__")})

    def fsync(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        os.fsync(descriptor)

    odd.fsync = fsync
    monkeypatch.setattr(files, "os", odd)
    carried_out(begun(tmp_path / "run"))


def test_a_disk_without_locks_is_told(tmp_path: Path) -> None:
    import portalocker

    place = begun(tmp_path / "run")
    refused = mock.patch.object(portalocker, "lock", side_effect=portalocker.LockException("no"))
    with refused, pytest.raises(StorageError, match=r"cannot lock .*\.lock: No locks available"):
        carried_out(place)


def test_no_module_of_one_system_alone_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys, os; sys.modules['resource'] = None; "
        "import seqgan.core.run, seqgan.core.files; print('fcntl' in vars(seqgan.core.files))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "False\n", done.stderr


def test_an_error_of_replacing_is_an_error_of_a_user(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SeqGANError):
        begun(tmp_path / "file" / "run", overwrite=True)
