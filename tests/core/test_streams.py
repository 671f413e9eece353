"""How a command ends: where stdout takes nothing or not every character, where memory runs out, and after Ctrl-C."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
import torch

from seqgan.cli import seqgan
from seqgan.core import memory, streams
from seqgan.core.command import READER_GONE, run_command, warn_about_quick
from seqgan.core.loop import train
from seqgan.core.phase import Phase
from seqgan.core.run import Interrupted, Run, checkpoints, create
from seqgan.errors import ShortageError
from tests.core.toy import Toy

POEM = "檐冰滴作线 😀"


def command(act: Callable[[], Any]) -> click.Group:
    """A command line with one command, which does this."""
    group = click.Group("any")
    option = click.Option(["-n", "--count"], default=1)
    group.add_command(click.Command("do", callback=lambda count: act(), params=[option]))
    return group


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[Callable[[], Any]], Any]:
    """The exit code of a command that does something, and what it says on stderr."""
    monkeypatch.setattr(sys, "argv", ["any", "do"])
    monkeypatch.setattr(streams, "no_more_interruptions", lambda: None)
    monkeypatch.setattr(streams, "give_up_stdout", lambda: None)
    monkeypatch.setattr(streams, "end_at_once", sys.exit)

    def ended(act: Callable[[], Any]) -> tuple[object, str]:
        code: object = 0
        try:
            run_command(command(act))
        except SystemExit as leaving:
            code = leaving.code
        return code, capsys.readouterr().err

    return ended


class Refusing(io.StringIO):
    """A stream that takes nothing."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def flush(self) -> None:
        raise OSError(self.number, os.strerror(self.number))


def raising(error: BaseException) -> Callable[[], Any]:
    def act() -> None:
        raise error

    return act


# --- stdout


@pytest.mark.parametrize(
    ("number", "code", "message"),
    [
        (errno.ENOSPC, 1, "error: cannot write to stdout: no space is left there; nothing that was saved is lost"),
        (errno.EBADF, 1, "error: cannot write to stdout: it is closed; nothing"),
        (errno.EIO, 1, "error: cannot write to stdout: it is broken; nothing"),
        (errno.EPIPE, READER_GONE, ""),
    ],
)
def test_a_stdout_that_takes_nothing(
    number: int, code: int, message: str, ended: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", Refusing(number))
    left, told = ended(lambda: click.echo("some"))
    assert (left, told[: len(message)]) == (code, message)
    assert told.count("\n") == (message != "")


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "gb18030", "utf-8", "utf-16"])
def test_nothing_is_lost_in_an_encoding_that_lacks_it(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"{POEM} \udcff"  # a byte of a file's name that is no UTF-8
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    streams.prepare()
    for stream in (sys.stdout, sys.stderr):
        print(json.dumps(text, ensure_ascii=False), file=stream, flush=True)
    assert json.loads(written.getvalue().decode(encoding)) == text


def outcome(*words: str, encoding: str = "utf-8", **more: Any) -> tuple[int, str, str]:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(
        [sys.executable, "-m", "seqgan", *words], stderr=subprocess.PIPE, env=environment, check=False, **more
    )
    return done.returncode, (done.stdout or b"").decode(), done.stderr.decode()


def test_real_streams(tmp_path: Path) -> None:
    """Full, closed, and of few characters: each as the system has it."""
    words = ["corpora", "show", "poems"]
    for encoding, shown in (("latin-1", r"\u6a90\u51b0"), ("ascii", POEM[:2])):
        code, written, told = outcome(*words, encoding=encoding, stdout=subprocess.PIPE)
        assert (code, told) == (0, "")
        assert shown in written
    code, _, told = outcome(*words, preexec_fn=lambda: os.close(1))
    assert (code, told.count("\n")) == (1, 1)
    assert told.startswith("error: cannot write to stdout: it is closed")
    if Path("/dev/full").exists():
        for asked in (words, ["--help"]):
            with open("/dev/full", "wb") as full:
                code, _, told = outcome(*asked, stdout=full)
            assert (code, told.count("\n")) == (1, 1)
            assert told.startswith("error: cannot write to stdout: no space is left there")
    reader, writer = os.pipe()
    os.close(reader)  # as `| head` once it has seen enough
    assert outcome(*words, stdout=writer) == (READER_GONE, "", "")
    os.close(writer)


def test_a_log_that_takes_nothing_ends_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    from seqgan.core.log import Lines

    monkeypatch.setattr(sys, "stderr", Refusing(errno.EPIPE))
    Lines().message("anything")


# --- memory

SHORT = [
    (MemoryError(), ""),
    (
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
            "allocate 40000000000 bytes. Error code 12 (Cannot allocate memory)"
        ),
        ": 40.0 GB more",
    ),
    (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total"), ": 2.1 GB more"),
    (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB). Tried to allocate 512.00 MB"), ": 0.5 GB more"),
    (RuntimeError("std::bad_alloc"), ""),
    (RuntimeError("can't start new thread"), ""),
    (RuntimeError("could not execute a primitive"), ""),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), ""),
    (ImportError("libtorch_cpu.so: failed to map segment from shared object"), ""),
]


@pytest.mark.parametrize(("error", "amount"), SHORT)
def test_a_shortage_of_memory_is_one_line(error: Exception, amount: str, ended: Any) -> None:
    code, told = ended(raising(error))
    assert code == ShortageError.exit_code == 1
    assert told.startswith(f"error: memory does not suffice for any do{amount}")
    assert "make --count smaller, or free memory" in told
    assert told.count("\n") == 1


def test_what_was_under_way_is_let_go_before_a_shortage_is_told() -> None:
    class Large:
        pass

    held: list[weakref.ref[Large]] = []

    def work() -> None:
        large = Large()
        held.append(weakref.ref(large))
        raise MemoryError

    try:
        work()
    except MemoryError as error:
        assert held[0]() is not None
        memory.let_go(error)
        assert held[0]() is None


def test_what_is_no_shortage_keeps_its_traceback(ended: Any) -> None:
    for error in (RuntimeError("a defect"), ValueError("out of memory lane"), KeyError("memory")):
        with pytest.raises(type(error)):
            ended(raising(error))


def test_a_step_that_does_not_fit_is_named_with_what_would_make_it_smaller(tmp_path: Path) -> None:
    class Greedy:
        def phases(self) -> list[Phase]:
            return [Phase("only", 4, self.update)]

        def update(self, step: int) -> dict[str, float]:
            if step == 3:
                raise SHORT[1][0]
            return {}

        def state_dict(self) -> dict[str, Any]:
            return {}

        def load_state_dict(self, state: dict[str, Any]) -> None: ...

        def exports(self) -> dict[str, bytes]:
            return {}

    config = {"rollouts": 4, "batch_size": 8, "mle_lr": 0.1}
    create(tmp_path / "run", {"package": "tests", "config": config, "seed": 0}, {})
    with (
        pytest.raises(ShortageError, match=r"step 3 of only: 40.0 GB more .*; make --batch-size or --rollouts smaller"),
        Run(tmp_path / "run", save_seconds=0.0) as run,
    ):
        train(Greedy(), run)
    assert list(checkpoints(tmp_path / "run")) == [1, 2]


def test_a_limit_of_the_system_is_told_as_such(tmp_path: Path) -> None:
    """`ulimit -v`, in a process of its own, on something larger than it."""
    resource = pytest.importorskip("resource")
    code = (
        "import sys, torch, seqgan.core.command as c, click\n"
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30,) * 2)\n"
        "group = click.Group('any'); sys.argv = ['any', 'do']\n"
        "group.add_command(click.Command('do', callback=lambda: torch.ones(2**33)))\n"
        "c.run_command(group)"
    )
    assert resource
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: memory does not suffice for any do: 34.4 GB more were asked for")
    assert done.stderr.count("\n") == 1


# --- Ctrl-C


def test_what_was_asked_for_is_no_error(ended: Any) -> None:
    stopped = Interrupted("stopped and saved at step 3 of only; go on with --resume run", 2)
    assert ended(raising(stopped)) == (130, "stopped and saved at step 3 of only; go on with --resume run\n")
    assert ended(raising(KeyboardInterrupt())) == (130, "\nstopped\n")


def test_the_options_that_take_memory_exist() -> None:
    """What is advised must be there to follow."""
    from imagegan.variants.configs import CONFIGS as IMAGES
    from seqgan.algorithms.configs import CONFIGS as TEXTS

    fields = {name for config in (*TEXTS.values(), *IMAGES.values()) for name in config.__dataclass_fields__}
    assert set(memory.TAKING) <= fields | {"count"}
    assert any(param.name == "count" for param in seqgan.commands["generate"].params)


def test_a_shortage_names_the_six_options_that_take_most() -> None:
    from seqgan.algorithms.configs import CONFIGS

    told = memory.in_words(MemoryError(), "seqgan train", CONFIGS["seqgan"].__dataclass_fields__)
    named = "--batch-size, --hidden-dim, --g-batch-size, --rollouts, --max-length or --vocab-size"
    assert told == f"memory does not suffice for seqgan train; make {named} smaller, or free memory on this machine"


# --- the closing words


@pytest.mark.parametrize("preset", ["quick", "default"])
def test_only_a_quick_run_is_said_to_show_nothing(
    preset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = {"rollouts": "command line", "batch_size": f"preset {preset}"}
    create(tmp_path / "run", {"package": "tests", "config": {}, "sources": sources, "seed": 0}, {})
    warn_about_quick(tmp_path / "run")
    assert ("only shows that everything runs" in capsys.readouterr().out) == (preset == "quick")


@pytest.mark.parametrize("module", ["seqgan.cli.train", "imagegan.cli.train"])
def test_both_command_lines_say_it_last(module: str) -> None:
    import ast
    import importlib

    source = Path(str(importlib.import_module(module).__file__)).read_text(encoding="utf-8")
    [report] = [node for node in ast.walk(ast.parse(source)) if getattr(node, "name", "") == "_report"]
    assert "warn_about_quick" in ast.dump(report.body[-1])  # type: ignore[attr-defined]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_after_training_nobody_waits_for_a_step(number: signal.Signals, tmp_path: Path) -> None:
    """The closing evaluation can be long, and has nothing to lose."""
    create(tmp_path / "run", {"package": "seqgan", "config": {}, "seed": 0, "threads": 1}, {})

    def trained_and_stopped() -> None:
        with Run(tmp_path / "run") as run:
            train(Toy(steps=3), run)
            signal.raise_signal(number)

    with pytest.raises(Interrupted, match="training is done and saved: measure it with: seqgan evaluate") as stopped:
        trained_and_stopped()
    assert stopped.value.exit_code == 128 + number
    with Run(tmp_path / "run") as run:
        assert run.restore()
