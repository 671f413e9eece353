"""What several commands share: options, the model of a run or of a saved folder, and tables on stdout."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqgan.core.bounds import TEXT, THREADS
from seqgan.errors import one_line

if TYPE_CHECKING:
    from seqgan.library import TrainedRun
    from seqgan.model import TextModel
    from seqgan.reporting import Table

DEVICE = click.option("--device", type=TEXT, default="auto", help="auto, cpu, cuda ...", show_default=True)
THREAD_COUNT = click.option(
    "--threads", type=THREADS, default=0, help="0: OMP_NUM_THREADS, else all cores", show_default=True
)


def model_of(folder: Path, stage: str, device: str, *, with_discriminator: bool = True) -> "TextModel":
    """The model of a run's stage, or of a folder that `save_pretrained` wrote, which has one."""
    from seqgan.core.device import resolve
    from seqgan.pretrained import from_pretrained
    from seqgan.runs import load_model

    if is_saved_model(folder) and stage == "final":
        return from_pretrained(folder, device=resolve(device))
    return load_model(folder, stage, resolve(device), with_discriminator=with_discriminator)


def is_saved_model(folder: Path) -> bool:
    return (folder / "config.json").is_file() and not (folder / "run.json").is_file()


def found_again(run: Path, device: str, **source: Any) -> "TrainedRun":
    """A run with its corpus, wherever that is now."""
    from seqgan.library import load
    from seqgan.runs import moved

    trained = load(run, device=device, **source)
    for line in moved(run, trained.corpus()):
        click.echo(line, err=True)
    return trained


def print_tables(tables: Iterable["Table"]) -> None:
    from seqgan.core.report import print_table

    for title, headings, rows, signatures in tables:
        print_table([one_line(heading) for heading in headings], rows, title)
        for line in signatures:
            click.echo(f"  {line}")
        click.echo()
