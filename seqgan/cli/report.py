"""`seqgan report`. What it imports at the top must not import torch."""

from pathlib import Path

import click

from seqgan.cli.corpora import CORPORA
from seqgan.cli.shared import DEVICE, THREAD_COUNT, reading_options
from seqgan.core.bounds import PATH, PATH_NAME, TEXT
from seqgan.core.options import RUNS
from seqgan.data.reading import Reading


@click.command()
@click.argument("runs", metavar="RUN...", type=PATH, shell_complete=RUNS, nargs=-1, required=True)
@click.option("--output", type=PATH, help="where the page goes  [report.html in the folder of RUN]")
@click.option("--overwrite", is_flag=True, help="replace the file that --output names")
@click.option("--corpus", type=TEXT, shell_complete=CORPORA, help="where the texts of the runs are now, if moved")
@reading_options
@click.option("--valid", type=PATH_NAME, metavar="FILE", help="their validation texts, if they have moved")
@click.option("--test", type=PATH_NAME, metavar="FILE", help="their test texts, if they have moved")
@DEVICE
@THREAD_COUNT
def report(
    runs: tuple[Path, ...],
    output: Path | None,
    overwrite: bool,
    corpus: str | None,
    reading: Reading,
    valid: str | None,
    test: str | None,
    device: str,
    threads: int,
) -> None:
    """Write one HTML page about RUN, or about several runs side by side; it opens without a network.

    It holds the curves, the numbers of the last evaluation, samples of each stage, and each token of some texts shaded
    by what it earns. Every training ends with it; this command writes it again, as of a run that is under way.

    \b
    seqgan report runs/poems-seqgan-1
    seqgan report runs/poems-seqgan-1 runs/poems-seqgan-2 --output two.html"""
    from seqgan.core import page
    from seqgan.core.device import resolve, use_threads
    from seqgan.library import TrainedRun
    from seqgan.report import Reported
    from seqgan.report import report as written
    from seqgan.runs import Source

    use_threads(threads)
    source, folders, where = Source(corpus, reading, valid, test), page.different(runs), resolve(device)
    trained = [TrainedRun(folder, device, source=source) for folder in folders]
    place, write = page.destination(folders, output, overwrite=overwrite)
    write(written([Reported(run.folder, run.encoded, where) for run in trained]))
    click.echo(place)
