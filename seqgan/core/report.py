"""Tables on stdout, in which nothing is ever cut."""

from collections.abc import Sequence

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDEST = 10_000


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """A table as wide as it has to be; on a terminal that is narrower, a block of lines for each row."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=Text(title) if title else None, title_justify="left")
    for heading in headings:
        table.add_column(Text(heading), no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    console, wide = Console(), Console(width=WIDEST).measure(table).maximum
    if wide <= console.width or not console.is_terminal:
        Console(width=max(wide, console.width)).print(table)
        return
    click.echo(f"\n{title}" if title else "")
    named = max(map(len, headings[1:]), default=0)
    for row in rows:
        click.echo(f"{row[0]}:")
        for heading, cell in zip(headings[1:], row[1:], strict=True):
            if cell.strip():
                click.echo(f"  {heading:<{named}}  {cell.strip()}")
    click.echo()
