"""A system that has less than Linux: `python -m tests.elsewhere FOLDER` takes away what macOS or Windows lack, and
trains with what is left."""

import builtins
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any
from unittest import mock

# What others bring along finds its own way on each system; it is loaded before anything is taken away.
import PIL.Image
import portalocker
import torch

MODULES = ("fcntl", "resource", "pwd", "grp")
OF_OS = (
    *("sched_getaffinity", "fork", "forkpty", "getuid", "geteuid", "getgid", "killpg", "setsid", "statvfs", "mkfifo"),
    *("O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC", "chown", "fchmod", "getpgid", "posix_fallocate", "process_cpu_count"),
)
SIGNALS = ("SIGKILL", "SIGHUP", "SIGALRM", "SIGPIPE", "SIGUSR1", "SIGUSR2", "SIGCHLD", "pthread_sigmask", "alarm")
LOADED = (PIL.Image, portalocker, torch)


def take_away() -> None:
    for name in MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
    for name in OF_OS:
        if hasattr(os, name):
            delattr(os, name)
    for name in SIGNALS:
        delattr(signal, name)
    opening, reading = os.open, builtins.open

    def of_files_alone(path: Any, *more: Any, **others: Any) -> int:
        if os.path.isdir(path):
            raise PermissionError(13, "Permission denied", path)  # as Windows
        return opening(path, *more, **others)

    def text_has_an_encoding(path: Any, mode: str = "r", *more: Any, **others: Any) -> Any:
        ours = {"seqgan", "imagegan"} & set(Path(sys._getframe(1).f_code.co_filename).parts)
        assert not ours or "b" in mode or others.get("encoding") or len(more) > 1, f"{path} in whatever encoding"
        return reading(path, mode, *more, **others)

    mock.patch.object(os, "open", of_files_alone).start()
    mock.patch.object(builtins, "open", text_has_an_encoding).start()
    shutil._use_fd_functions = False  # type: ignore[attr-defined]  # rmtree opens folders where it can


def main(folder: Path) -> None:
    from tests.conftest import TINY_GAME, _as_options, tiny_lines
    from tests.imagegan.tiny import as_options

    corpus = folder / "tiny.txt"
    corpus.write_text("\n".join(tiny_lines()) + "\n", encoding="utf-8")
    take_away()
    before = {name for name in sys.modules if name.startswith(("seqgan.core", "seqgan.cli", "imagegan.cli"))}
    for name in before:  # their imports must do without as well
        del sys.modules[name]
    from imagegan.cli import imagegan
    from seqgan.cli import seqgan
    from seqgan.core import device

    device.CACHE = Path("/nowhere")
    mock.patch("imagegan.training.HELD_OUT", 60).start()
    run, images = str(folder / "run"), str(folder / "images")
    train = ["train", "--corpus", str(corpus), *_as_options(TINY_GAME), "--threads", "1", "--resume", run]
    for words in (
        train,
        [*train, "--iterations", str(TINY_GAME["iterations"] + 1)],
        [*train[:-2], "--run-dir", run, "--overwrite"],
        ["generate", run, "-n", "3", "--output", str(folder / "texts.txt")],
        ["evaluate", run],
    ):
        seqgan.main(words, standalone_mode=False)
    imagegan.main(
        ["train", "--model", "dcgan", *as_options("dcgan"), "--threads", "1", "--resume", images], standalone_mode=False
    )
    imagegan.main(["generate", images, "--output", str(folder / "grid.png")], standalone_mode=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
