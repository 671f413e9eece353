"""What torchrun says in the environment, and what is said to a person while processes wait for each other."""

import socket
from collections.abc import Mapping
from datetime import timedelta

import pytest

from seqgan.core import rendezvous
from seqgan.core.launch import Launch, launch
from seqgan.errors import LostError, SeqGANError, UsageError

SECOND = {"WORLD_SIZE": "2", "RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
LOCAL = {"LOCAL_WORLD_SIZE": "2", "LOCAL_RANK": "1", "TORCHELASTIC_RESTART_COUNT": "3"}
NAMES = [*SECOND, *LOCAL]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def say(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)


def test_a_process_that_nothing_is_said_of_is_alone() -> None:
    assert launch() == Launch(rank=0, size=1, local_rank=0, local_size=1, attempt=0)
    assert not launch().several


def test_what_torchrun_says_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, SECOND | LOCAL)
    assert launch() == Launch(rank=1, size=2, local_rank=1, local_size=2, attempt=3)


def test_a_launcher_that_says_less_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, SECOND)
    assert launch() == Launch(rank=1, size=2, local_rank=1, local_size=1, attempt=0)


@pytest.mark.parametrize("value", ["", "two", "-1", "1.0", "1e1", " 1", "1\n", "1²", "١", "9" * 30, "0x1", "True"])
@pytest.mark.parametrize("name", [name for name in NAMES if name != "MASTER_ADDR"])
def test_what_is_no_number_is_refused_in_one_line(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, {**SECOND, **LOCAL, name: value})
    with pytest.raises(UsageError, match=f"^the environment variable {name} is ") as refused:
        launch()
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORLD_SIZE", "0"),
        ("RANK", "2"),
        ("RANK", None),
        ("LOCAL_RANK", "2"),
        ("LOCAL_WORLD_SIZE", "0"),
        ("LOCAL_WORLD_SIZE", "3"),
        ("MASTER_PORT", "0"),
        ("MASTER_PORT", "65536"),
        ("MASTER_PORT", None),
        ("MASTER_ADDR", None),
        ("MASTER_ADDR", ""),
    ],
)
def test_what_contradicts_itself_is_refused(name: str, value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, {**SECOND, **LOCAL, name: value})
    with pytest.raises(UsageError, match=f"^the environment variable {name} .* was expected: torchrun sets it"):
        launch()


def test_a_rank_without_a_world_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, {"RANK": "1"})
    with pytest.raises(UsageError, match="RANK is '1', but 0 was expected"):
        launch()


# --- waiting for each other


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds become hundredths of a second."""
    monkeypatch.setattr(rendezvous, "PATIENCE", 0.05)
    monkeypatch.setattr(rendezvous, "UNKNOWN", timedelta(seconds=0.15))
    monkeypatch.setattr(rendezvous.wait, "__defaults__", (timedelta(seconds=0.15),))


def meet(monkeypatch: pytest.MonkeyPatch, **changes: str) -> SeqGANError:
    say(monkeypatch, SECOND | changes)
    with pytest.raises(SeqGANError) as lost:
        rendezvous.meet(launch())
    return lost.value


@pytest.fixture
def free_port() -> str:
    with socket.socket() as some:
        some.bind(("localhost", 0))
        return str(some.getsockname()[1])


def test_a_machine_that_nobody_knows_is_told_and_given_up(
    impatient: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = meet(monkeypatch, MASTER_ADDR="no-such-machine.invalid")
    told = capsys.readouterr().err
    assert told.count("waiting for") == 1
    assert "no machine is called 'no-such-machine.invalid' (MASTER_ADDR); still trying" in told
    assert isinstance(error, LostError)
    assert "in vain" in str(error)


def test_a_first_process_that_is_not_there_is_told(
    impatient: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], free_port: str
) -> None:
    error = meet(monkeypatch, MASTER_PORT=free_port)
    assert f"the first of 2 processes: nothing answers at localhost:{free_port}" in capsys.readouterr().err
    assert isinstance(error, LostError)


def test_the_first_process_tells_who_is_missing(
    impatient: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], free_port: str
) -> None:
    error = meet(monkeypatch, RANK="0", WORLD_SIZE="4", MASTER_PORT=free_port)
    assert f"waiting for process 1, 2, 3 of 4 (RANK counts from 0), to come to localhost:{free_port}" in (
        capsys.readouterr().err
    )
    assert isinstance(error, LostError)


def test_a_port_that_something_else_uses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("", 0)) as taken:
        error = meet(monkeypatch, RANK="0", MASTER_PORT=str(taken.getsockname()[1]))
    assert isinstance(error, UsageError)
    assert "another program, perhaps an earlier training, uses it" in str(error)


def test_those_who_never_met_each_tell_of_their_own_error(monkeypatch: pytest.MonkeyPatch, free_port: str) -> None:
    """There is nobody to ask whether another has told already, and nobody to wait for."""
    say(monkeypatch, SECOND | {"MASTER_PORT": free_port})
    assert rendezvous.first_to_report()
    say(monkeypatch, {"WORLD_SIZE": "many"})
    assert rendezvous.first_to_report()
