"""The folder of a run: it appears complete, one process at a time trains in it, and a run that replaces another removes
it only once it has saved something itself."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from seqgan.core import files, schema
from seqgan.errors import RunError, SeqGANError, StorageError, quoted

LOCK = ".lock"
FIELDS = {"id": schema.TEXT, "seed": schema.WHOLE, "threads": schema.THREADS, "world_size": schema.COUNT}
# The files of a run, and those that commands write into it by default.
MADE = re.compile(
    r"run\.json|\.lock|metrics\.jsonl|samples\.txt|config\.json|tokenizer\.model|checkpoints/step-\d+\.pt"
    r"|corpus/(train|valid|test)\.(txt|jsonl|labels)|evaluations/[\w-]+\.json|([\w-]+/)?[\w-]+\.safetensors"
    r"|(samples|generated|walk)\.png|training\.gif|report\.html|([\w-]+/)*[\w.-]+\.partial|tensorboard/[^/]+"
    r"|wandb-run-id|sweep\.json"
)


def create(folder: Path, contents: Mapping[str, bytes], *, overwrite: bool = False) -> None:
    """Make the folder of a run with these files; with `overwrite` in the place of an old run, which is set aside until
    the new one has saved something (`discard_replaced`): until then `roll_back` restores it.

    Raises:
        RunError: the folder is not a run, or a run that may not be replaced: without `overwrite`, while a process
            trains it, or where it holds files that no run made.
        StorageError: the disk refuses; the old run is where it was."""
    folder = Path(os.path.realpath(folder))
    taken = _taken(folder, overwrite)
    partial, held = _beside(folder, f"{os.getpid()}.partial"), lock(folder) if taken else None
    try:
        if taken:
            _refuse_other_files(folder)
        files.make_folder(partial / "checkpoints")
        for name, data in contents.items():
            files.make_folder((partial / name).parent)
            files.write(partial / name, data)
        if held and os.name == "nt":
            held.close()  # Windows renames no folder in which a file is open
        if taken:
            _make_way(folder)
        elif folder.is_dir():
            files.remove_empty(folder)
        try:
            files.rename(partial, folder)
        except SeqGANError:
            if taken:
                files.rename(_replaced(folder), folder)
            raise
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    finally:
        if held:
            held.close()


def describe(folder: Path, package: str = "") -> dict[str, Any]:
    """Read a run's `run.json`.

    Raises:
        RunError: there is none, it is damaged, its format is unknown to this version, or it is of another package."""
    path = folder / "run.json"
    if folder.is_file():
        raise RunError(f"{folder} is a file, but the folder of a run was expected; give that")
    try:
        description = schema.read(
            path, RunError, "nothing but an extension of the run, or another place of its data, ever changes it"
        )
    except FileNotFoundError as error:
        raise RunError(f"{folder} is not a run directory: {_instead(folder)}") from error
    if description.get("format") != schema.FORMAT:
        found = quoted(description.get("format"))
        raise RunError(f"{path} has format {found}; this version reads format {schema.FORMAT}: train the run again")
    schema.check(path, description, FIELDS, RunError)
    if package and (other := description.get("package")) != package:
        others = "use the commands, or the functions, of that package"
        raise RunError(f"{folder} is a run of {other}, not of {package}; {others}")
    return description


def _instead(folder: Path) -> str:
    """What to give in the place of a folder that is no run."""
    listed = "seqgan runs and imagegan runs list those in the folder runs"
    if not folder.is_dir():
        return f"there is no such folder; give the folder of a run ({listed})"
    if inside := sorted(str(path.parent) for path in folder.glob("*/run.json")):
        return f"it holds runs; give one of them, such as {inside[0]}"
    return f"it has no run.json; give the folder of a run ({listed})"


def is_saved_model(folder: Path) -> bool:
    """Whether a folder holds a model without its run."""
    return (folder / "config.json").is_file() and not (folder / "run.json").is_file()


def checkpoints(folder: Path) -> dict[int, Path]:
    """The checkpoints of a run, oldest first: steps of training -> file."""
    found = {
        int(m[1]): path
        for path in (folder / "checkpoints").glob("step-*.pt")
        if (m := re.fullmatch(r"step-(\d+)\.pt", path.name))
    }
    return dict(sorted(found.items()))


def checkpoint_of(folder: Path, stage: str, names: Sequence[str], package: str) -> Path:
    """The file that holds a stage: of one of these names the newest checkpoint, of a number that checkpoint.

    Raises:
        RunError: nothing is saved yet, or there is no such stage."""
    found = checkpoints(folder)
    if not found:
        raise RunError(
            f"{folder} holds no checkpoint yet; start it with {package} train --resume {files.in_shell(folder)}"
        )
    if stage in names:
        return next(reversed(found.values()))
    if stage.isascii() and stage.isdecimal() and len(stage) < 20 and int(stage) in found:
        return found[int(stage)]
    raise RunError(
        f"{folder} has no stage {quoted(stage)}; "
        f"there are {', '.join(names)} and the checkpoints {', '.join(map(str, found))}"
    )


def how_to_go_on(folder: Path, description: Mapping[str, Any], options: str = "") -> str:
    """The whole command that continues a run."""
    package = description.get("package", "seqgan")
    if description.get("custom"):
        return f"{package}.train(..., run_dir={str(folder)!r}, resume=True)"
    world_size = description.get("world_size", 1)
    launcher = f"torchrun --standalone --nproc-per-node {world_size} -m " if world_size > 1 else ""
    return f"{launcher}{package} train --resume {files.in_shell(folder)}{options}"


def is_locked(folder: Path) -> bool:
    """Whether a process trains a run, as far as one can see."""
    if not (folder / LOCK).is_file():
        return False
    try:
        held = files.lock(folder / LOCK)
    except StorageError:  # it may not be written, or its disk knows no locks
        return False
    if held:
        held.close()
    return held is None


def roll_back(folder: Path) -> None:
    """Remove a run that could not take its first step, and restore the one that it replaced."""
    folder = Path(os.path.realpath(folder))
    gone = _beside(folder, f"{os.getpid()}.partial")
    with contextlib.suppress(SeqGANError):
        lock(folder).close()  # unless another process has gone on with it meanwhile
        files.rename(folder, gone)
        if _replaced(folder).exists():
            files.rename(_replaced(folder), folder)
        shutil.rmtree(gone, ignore_errors=True)


def discard_replaced(folder: Path) -> None:
    """Remove the run that this one has replaced, if there is one.

    Raises:
        StorageError: it cannot be removed."""
    files.remove_tree(_replaced(Path(os.path.realpath(folder))))


def lock(folder: Path) -> IO[bytes]:
    """Lock a run for this process, until the result is closed or the process ends.

    Raises:
        RunError: another process trains it, or it holds links.
        StorageError: it may not be written, or its disk knows no locks."""
    refuse_links(folder)
    held = files.lock(folder / LOCK)
    if held is None:
        raise RunError(f"{folder} is in use by another process, which trains it; wait for it to end, or stop it")
    return held


def refuse_links(folder: Path) -> None:
    """Refuse a folder from which a path leads elsewhere: what is written to a run is written nowhere else.

    Raises:
        RunError: something in it is neither a file nor a folder."""
    for path in _inside(folder):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            kind = "a symbolic link" if path.is_symlink() else "neither a file nor a folder"
            raise RunError(
                f"{path} is {kind}, but a run is trained only where it holds files and folders of its own; put what "
                "it stands for in its place, or move it away"
            )


def _refuse_other_files(folder: Path) -> None:
    names = [path.relative_to(folder).as_posix() for path in _inside(folder) if not path.is_dir()]
    others = [name for name in names if not MADE.fullmatch(name)]
    if others:
        named = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
        raise RunError(
            f"{folder} also holds what no run made, which --overwrite would remove: {named}; move it away, or choose "
            "another --run-dir"
        )


def _taken(folder: Path, overwrite: bool) -> bool:
    """Whether there is an old run to replace.

    Raises:
        RunError: there is something that may not be replaced."""
    with files.storage_errors("look into", folder):
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
        is_run = taken and (folder / "run.json").is_file()
        around = folder.is_dir() and Path.cwd().is_relative_to(folder)
    if taken and not is_run:
        raise RunError(f"{folder} exists and is not a run directory (it has no run.json); choose another place")
    if taken and not overwrite:
        raise RunError(
            f"{folder} exists already; continue it with --resume {files.in_shell(folder)}, replace it with "
            "--overwrite, or choose another --run-dir"
        )
    if around:
        raise RunError(f"{folder} is the folder that this command runs in; choose another --run-dir")
    return taken


def _make_way(folder: Path) -> None:
    """Set an old run aside. One that was killed before it had saved anything is removed: then the run that it was to
    replace is still aside."""
    aside = _replaced(folder)
    if aside.exists() and not any((folder / "checkpoints").glob("*.pt")):
        files.remove_tree(folder)
        return
    files.remove_tree(aside)
    files.rename(folder, aside)


def _inside(folder: Path) -> Iterator[Path]:
    """Everything in a folder, at any depth, links included but not followed."""
    with files.storage_errors("look into", folder):
        for path in sorted(folder.iterdir()):
            yield path
            if path.is_dir() and not path.is_symlink():
                yield from _inside(path)


def _replaced(folder: Path) -> Path:
    return _beside(folder, "replaced")


def _beside(folder: Path, what: str) -> Path:
    return folder.with_name(f".{folder.name}.{what}")
