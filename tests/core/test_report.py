"""Tables on any terminal."""

import re

import pytest
from rich import console as rich_console

from seqgan.core import report as printing
from seqgan.core.report import print_table

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
        for cell in row:
            assert cell in told
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
