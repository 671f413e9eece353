"""Cells of a table, tables on any terminal, and Markdown."""

import math
import re

import pytest
from rich import console as rich_console

from seqgan.core import report as printing
from seqgan.core.report import (
    Measured,
    as_cell,
    as_difference,
    cell,
    markdown,
    metrics_of,
    print_table,
    rows_as_json,
    signatures,
)

HEADINGS = ["", "nll valid", "entropy", "bleu 3", "backward bleu 3", "self bleu 3", "distinct", "d auc"]
ROWS = [
    [name, *(f"{row}.{column}28 ±.00{column}" for column in range(1, 8))]
    for row, name in enumerate(["mle", "final", "real [held out]"])
]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 160])
@pytest.mark.parametrize("terminal", [True, False])
def test_no_number_is_cut(
    width: int, terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def console(**options: object) -> rich_console.Console:
        return rich_console.Console(**{"width": width, "force_terminal": terminal, "color_system": None, **options})  # type: ignore[arg-type]

    monkeypatch.setattr(printing, "Console", console)
    print_table(HEADINGS, ROWS, "what training achieved")
    told = capsys.readouterr().out
    for row in ROWS:
        assert all(text in told for text in row)
    for heading in HEADINGS:
        assert heading in told
    assert "…" not in told
    assert re.search("what training achieved", told)
    if terminal and width >= 40:
        assert max(map(len, told.splitlines())) <= width


def test_a_table_that_fits_stands_as_a_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    print_table(["", "time"], [["one", "1 s"], ["two", "20 s"]])
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[0] == ["time"]
    assert lines[-2:] == [["one", "1", "s"], ["two", "20", "s"]]


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (0.2281, 0.007, "0.228 ±.007"),
        (0.2281, 0.0123, "0.228 ±.012"),
        (0.2281, 0.0354, "0.228 ±.035"),
        (0.2281, 0.0356, "0.23 ±.04"),
        (2.31234, 0.1234, "2.31 ±.12"),
        (123.456, 4.0, "123 ±4"),
        (123.456, 2.5, "123.5 ±2.5"),
        (12345.6, 789.0, "12346 ±789"),
        (0.25, 1e-9, "0.250000 ±<.000001"),
        (0.25, 0.0, "0.25 ±0"),
        (-3e-16, 6.7e-16, "0 ±0"),  # what sums of floats leave of zero
        (0.98765432, math.nan, "0.9877"),
        (12.0, math.nan, "12"),
        (math.nan, math.nan, ""),
    ],
)
def test_a_value_ends_where_its_error_does(value: float, error: float, shown: str) -> None:
    assert cell(value, error) == as_cell(Measured(value, error, "")) == shown


def test_a_title_is_not_broken_to_the_width_of_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    title = "variety: the share of different samples and n-grams"
    print_table(["", "a"], [["one", "1"]], title)
    assert capsys.readouterr().out.splitlines()[0] == title


def test_markdown_aligns_words_left_and_numbers_right() -> None:
    assert markdown(["run", "state", "nll"], [["a", "finished", "1"]], names=2).splitlines()[1] == "|---|---|---:|"
    assert markdown(["run", "nll"], []).splitlines()[1] == "|---|---:|"


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (-0.0045, 0.00008, "-0.00450 ±.00008*"),
        (0.0045, 0.003, "+0.0045 ±.0030"),
        (0.25, 0.012, "+0.250 ±.012*"),
        (-3.0, 1.25, "-3.0 ±1.2*"),
        (0.0, 0.0, "+0 ±0"),
        (0.5, math.nan, "+0.5"),
    ],
)
def test_a_difference_has_a_sign_and_a_star_where_its_error_does_not_explain_it(
    value: float, error: float, shown: str
) -> None:
    assert as_difference(Measured(value, error, "")) == shown


def test_rows_as_json_have_null_for_what_is_undefined() -> None:
    rows = {"samples": {"fd": Measured(2.0, math.nan, "FD"), "kid": Measured.undefined("too few")}, "real": {}}
    fd = {"value": 2.0, "stderr": None, "signature": "FD"}
    kid = {"value": None, "stderr": None, "signature": "too few"}
    assert rows_as_json(rows) == {"samples": {"fd": fd, "kid": kid}, "real": {}}
    assert metrics_of(rows, ["kid", "nll"]) == ["kid", "fd"]


def test_metrics_of_one_signature_share_its_line() -> None:
    row = {name: Measured(1.0, 0.1, "n:5") for name in ("bleu-2", "bleu-3", "bleu-4", "distinct")}
    other = {"distinct": Measured(1.0, 0.1, "n:6")}
    assert signatures({"mle": row, "real": other}, row) == ["bleu-2..4, distinct: n:5", "distinct: n:6"]


def test_markdown_escapes_bars_and_can_be_aligned() -> None:
    lines = markdown(["", "a|b"], [["x", "1"]], aligned=True).splitlines()
    assert lines == ["|   | a\\|b |", "|---|---:|", "| x | 1    |"]
