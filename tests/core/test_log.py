"""What a person sees while training, on terminals of any width and in log files."""

import io
import math
from types import SimpleNamespace

import pytest
from rich.console import Console

from seqgan.core import log
from seqgan.core.log import Bars, Curve, Lines, shown
from seqgan.core.phase import Metrics, Phase


def update(step: int) -> Metrics:
    return {}


PHASES = [
    Phase("pretrain generator", 300, update, unit="epoch", steps_per_unit=20),
    Phase("pretrain discriminator", 40, update, unit="round", steps_per_unit=10),
    Phase("adversarial", 400, update, unit="iteration", steps_per_unit=8),
]
NUMBERS = {"nll": 3.123, "gradient": 1.5, "valid_nll": 3.456, "accuracy": 0.75, "bce": 0.612, "spread": 0.031}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(log.time, "monotonic", lambda: clock.now)
    return clock


def bars(width: int) -> tuple[Bars, io.StringIO]:
    screen = io.StringIO()
    return Bars(Console(file=screen, force_terminal=True, width=width, color_system=None)), screen


def last_frame(made: Bars) -> list[str]:
    """The lines that stand on the screen at the end."""
    console = made._progress.console
    with console.capture() as captured:
        console.print(made._progress.get_renderable())
    return captured.get().rstrip("\n").splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 160, 250])
def test_what_tells_most_stands_first_and_no_number_is_cut(width: int, clock: SimpleNamespace) -> None:
    made, _ = bars(width)
    made.begin(PHASES, {})
    made.step("pretrain generator", 1, NUMBERS)
    clock.now += 4000.0
    made.step("pretrain generator", 41, NUMBERS)
    made.end()
    [line] = last_frame(made)
    assert len(line) <= width
    if width >= 60:
        assert "3/15" in line  # the epoch, as --mle-epochs counts them
        assert "7.2 hours" in line  # 259 steps of 100 s
        told = line[line.index("valid_nll") :].split()
        assert told[:2] == ["valid_nll", "3.46"]
        whole = {f"{name} {value:.3g}" for name, value in NUMBERS.items()}
        assert {f"{name} {value}" for name, value in zip(told[::2], told[1::2], strict=True)} <= whole
    if width >= 160:
        assert "epoch 3/15" in line
        assert "at most 7.2 hours left" in line
        assert "nll 3.12" in line


def test_a_wide_terminal_has_the_curve_of_the_loss_and_the_rate(clock: SimpleNamespace) -> None:
    made, _ = bars(160)
    made.begin(PHASES, {})
    for step in range(1, 17):
        made.step("pretrain generator", step, {"nll": 20.0 - step, "gradient": 1.0, "valid_nll": 100.0})
        clock.now += 0.25
    made.end()
    [line] = last_frame(made)
    assert "██▇▇▆▆▅▅▄▄▃▃▂▂▁▁" in line
    assert " 4.0 steps/s  at most 71 s left" in line
    [narrow] = _last_of(bars(120)[0])
    assert "steps/s" not in narrow
    assert not set(Curve.LEVELS) & set(narrow)


def _last_of(made: Bars) -> list[str]:
    made.begin(PHASES, {})
    for step in (1, 2):
        made.step("pretrain generator", step, NUMBERS)
    made.end()
    return last_frame(made)


def test_a_curve_of_any_length_is_a_line_of_means() -> None:
    curve = Curve()
    assert str(curve) == ""
    for value in range(10):
        curve.add(value)
    assert str(curve) == "▁▂▃▃▄▅▆▆▇█"
    curve = Curve()
    for step in range(100_000):
        curve.add(float(step < 50_000))
    assert str(curve) == "████████▁▁▁▁▁▁▁▁"
    assert len(curve._values) < Curve.KEPT
    for value in (math.nan, 1.0, 1.0, 1.0):
        curve.add(value)
    same = Curve()
    for _ in range(3):
        same.add(2.0)
    assert str(same) == "▁▁▁"


@pytest.mark.parametrize(
    ("rate", "told"),
    [(0.0, ""), (0.01, "2 min/step"), (0.05, "20 s/step"), (0.5, "0.5 steps/s"), (12.3, "12 steps/s")],
)
def test_a_rate_is_told_in_the_larger_unit(rate: float, told: str) -> None:
    assert log.per_second(rate) == told


def test_bars_stay_where_they_were_when_training_is_stopped(clock: SimpleNamespace) -> None:
    made, _ = bars(120)
    made.begin(PHASES, {})
    made.step("pretrain generator", 20, NUMBERS)
    made.end()
    [line] = last_frame(made)
    assert "epoch 1/15" in line
    assert not made._progress.tasks[0].finished
    assert made._progress.tasks[0].total == 300


def test_a_phase_that_stopped_early_is_done_once_the_next_begins(clock: SimpleNamespace) -> None:
    made, _ = bars(120)
    made.begin(PHASES, {})
    made.step("pretrain generator", 20, NUMBERS)
    made.step("pretrain discriminator", 1, {"bce": 0.6})
    made.end()
    first, second = last_frame(made)
    assert "done" in first
    assert "round 1/4" in second
    assert [task.finished for task in made._progress.tasks] == [True, False, False]


def test_lines_tell_the_time_that_the_phase_still_takes(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Lines(every_seconds=10.0)
    lines.begin(PHASES, {})
    for step in range(1, 301):
        lines.step("pretrain generator", step, {"nll": 3.0})
        clock.now += 0.5
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "pretrain generator  epoch 1/15  step 1/300  begins  nll 3"
    # 279 steps of half a second
    assert told[1] == "pretrain generator  epoch 2/15  step 21/300  at most 2 min left  nll 3"
    assert told[-1] == "pretrain generator  epoch 15/15  step 300/300  done  nll 3"
    assert not any(" 0 s" in line for line in told)


def test_a_phase_that_is_resumed_goes_on(clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(every_seconds=10.0)
    lines.begin(PHASES, {})
    lines.step("pretrain generator", 41, {"nll": 3.0})
    assert capsys.readouterr().err == "pretrain generator  epoch 3/15  step 41/300  goes on  nll 3\n"


def test_the_first_step_of_a_phase_is_told_at_once(clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(every_seconds=10.0)
    lines.part("encoding", 1, 2)
    lines.begin(PHASES, {})
    for phase, step in (("pretrain generator", 1), ("pretrain generator", 2), ("pretrain discriminator", 1)):
        clock.now += 0.1
        lines.step(phase, step, {})
    told = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in told] == ["encoding", "pretrain generator", "pretrain discriminator"]


def test_a_phase_without_a_unit_is_counted_in_steps(clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(every_seconds=0.0)
    lines.begin([Phase("only", 3, update)], {})
    for step in range(1, 4):
        lines.step("only", step, {})
        clock.now += 0.1
    assert [line.strip() for line in capsys.readouterr().err.splitlines()] == [
        "only  step 1/3  begins",
        "only  step 2/3  at most 1 s left",
        "only  step 3/3  done",
    ]


def test_what_is_for_the_record_alone_is_not_shown(clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    phases = [Phase("only", 3, update, unshown=("valid_auc", "grad_norm"))]
    numbers = {"loss": 1.0, "grad_norm": 2.0, "valid_auc": 0.5, "valid_nll": 3.0}
    lines = Lines()
    lines.begin(phases, {})
    lines.step("only", 1, numbers)
    assert capsys.readouterr().err == "only  step 1/3  begins  valid_nll 3  loss 1\n"
    made, _ = bars(120)
    made.begin(phases, {})
    made.step("only", 1, numbers)
    made.end()
    [line] = last_frame(made)
    assert line.rstrip().endswith("valid_nll 3  loss 1")


def test_held_out_numbers_come_first_and_as_many_as_have_room() -> None:
    assert shown(NUMBERS).startswith("valid_nll 3.46  nll 3.12")
    assert shown(NUMBERS, 25) == "valid_nll 3.46  nll 3.12"
    assert shown(NUMBERS, 3) == "valid_nll 3.46"  # the one that matters
    assert shown({}, 3) == ""


# --- before and after the steps


@pytest.mark.parametrize(("seconds", "told"), [(0.1, 0), (0.9, 3)])
def test_a_part_is_told_once_it_has_taken_two_seconds(seconds: float, told: int, clock: SimpleNamespace) -> None:
    class Noted(log.Display):
        def part(self, what: str, done: int, total: int) -> None:
            parts.append((what, done, total))

    parts: list[tuple[str, int, int]] = []
    with log.showing(Noted()):
        for _ in log.tracked(["ab", "c", "d", "e"], "reading", 5, len):
            clock.now += seconds
    assert parts == [("reading", 4, 5), ("reading", 5, 5), ("reading", 5, 5)][:told]
    assert list(log.tracked("abc", "unseen")) == ["a", "b", "c"]  # nothing is shown outside


def test_parts_are_percents_on_a_terminal_and_in_a_file(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    made, _ = bars(100)
    for done in (1, 3):
        made.part("cutting texts into words", done, 4)
    made.part("reading texts", 1200, 0)
    frame = "\n".join(last_frame(made))
    assert "cutting texts into words" in frame
    assert "75%" in frame
    assert "25%" not in frame
    assert "1,200" in frame
    made.begin(PHASES, {})
    made.step("pretrain generator", 1, NUMBERS)
    assert "75%" in "\n".join(last_frame(made))
    made.end()
    lines = Lines(10.0)
    for done in (1, 2, 4):
        lines.part("encoding", done, 4)
        clock.now += 6.0
    assert capsys.readouterr().err.splitlines() == ["encoding  25%", "encoding  100%"]


def test_a_message_goes_to_the_display_that_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with log.showing(Lines()):
        log.say("some of them")
    log.say("nobody hears")
    assert capsys.readouterr().err == "some of them\n"
