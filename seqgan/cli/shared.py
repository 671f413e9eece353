"""What several commands share: options, the model of a run or of a saved folder, and tables on stdout."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seqgan.core.bounds import BEST_OF, RESAMPLE, STAGE, TEXT, THREADS
from seqgan.core.folder import is_saved_model
from seqgan.core.options import completing, completing_stages, packed
from seqgan.data.reading import Reading
from seqgan.errors import one_line

if TYPE_CHECKING:
    from seqgan.library import TrainedRun
    from seqgan.model import TextModel
    from seqgan.reporting import Evaluation, Table
    from seqgan.runs import Source

DEVICE = click.option("--device", type=TEXT, default="auto", help="auto, cpu, cuda ...", show_default=True)
THREAD_COUNT = click.option(
    "--threads", type=THREADS, default=0, help="0: OMP_NUM_THREADS, else all cores", show_default=True
)
BEST_OF_OPTION = click.option(
    "--best-of",
    type=RESAMPLE,
    metavar="K",
    help=f"discriminator's choice of K (0: no row)  [{BEST_OF}]",
)
STAGE_NAMES = ("mle", "final", "best")
STAGES = completing_stages(*STAGE_NAMES)
STAGE_OPTION = click.option(
    "--stage",
    type=STAGE,
    shell_complete=STAGES,
    default="final",
    help="mle, final, best (by validation NLL), language-model (of a likelihood ratio), or the number of a checkpoint",
    show_default=True,
)
# How the files of a corpus are read.
reading_options = packed(
    Reading,
    "reading",
    [
        click.option("--text-column", type=TEXT, help="the column that holds the texts; message.text is a nested one"),
        click.option("--delimiter", type=TEXT, help="what separates the fields of csv: a character, or tab  [found]"),
        click.option(
            "--header/--no-header", default=None, help="whether the first line of csv names the columns  [found]"
        ),
        click.option(
            "--split-on",
            type=TEXT,
            help="where a text of a plain file ends: line, blank-line, file, a mark (---, <|endoftext|>)  [line]",
        ),
        click.option(
            "--label-column", type=TEXT, help="the column that holds the labels of the texts, if they have any"
        ),
        click.option(
            "--labels",
            type=TEXT,
            shell_complete=completing(lambda ctx, incomplete: ()),
            help="a file of labels, one a line; or folders: a text has that of the folder it is in",
        ),
    ],
)


def model_of(folder: Path, stage: str, device: str, *, with_discriminator: bool = True) -> "TextModel":
    """The model of a run's stage, or of a folder that `save_pretrained` wrote, which has one."""
    from seqgan.core.device import resolve
    from seqgan.pretrained import from_pretrained
    from seqgan.runs import load_model

    if is_saved_model(folder) and stage == "final":
        return from_pretrained(folder, device=resolve(device))
    return load_model(folder, stage, resolve(device), with_discriminator=with_discriminator)


def found_again(run: Path, device: str, source: "Source | None" = None) -> "TrainedRun":
    """A run with its corpus, wherever that is now."""
    from seqgan.library import TrainedRun
    from seqgan.runs import NOWHERE, moved

    trained = TrainedRun(run, device, source=source or NOWHERE)
    for line in moved(run, trained.corpus()):
        click.echo(line, err=True)
    return trained


def shown_text(text: str) -> str:
    """A text of one line or several on a terminal, indented."""
    return "\n".join(f"  {one_line(line)}" for line in text.split("\n"))


def print_evaluation(result: "Evaluation", summary: Iterable[str], *, as_json: bool, as_markdown: bool) -> None:
    """An evaluation on stdout, in the form that was asked for."""
    from seqgan.core import schema
    from seqgan.core.report import markdown as table
    from seqgan.reporting import label_tables, markdown, tables

    if as_json:
        click.echo(schema.json_bytes(result.as_json()).decode(), nl=False)
    elif as_markdown:
        by_label = [
            f"{title}\n\n{table(headings, rows)}\n\n```text\n{chr(10).join(notes)}\n```\n"
            for title, headings, rows, notes in label_tables(result.labels)
        ]
        lines = [f"- {one_line(line)}" for line in summary]
        click.echo("\n".join([markdown(result.rows, result.pairs), "", *by_label, *lines]))
    else:
        print_tables(tables(result.rows, result.pairs))
        print_tables(label_tables(result.labels))
        for line in summary:
            click.echo(one_line(line))


def print_tables(tables: Iterable["Table"]) -> None:
    from seqgan.core.report import print_table

    for title, headings, rows, signatures in tables:
        print_table([one_line(heading) for heading in headings], rows, title)
        for line in signatures:
            click.echo(f"  {line}")
        click.echo()
