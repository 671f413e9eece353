"""`imagegan report`. What it imports at the top must not import torch."""

from pathlib import Path

import click

from imagegan.cli.options import CPU_THREADS, DEVICE, OVERWRITE
from seqgan.core.bounds import PATH
from seqgan.core.options import RUNS


@click.command()
@click.argument("runs", nargs=-1, required=True, type=PATH, shell_complete=RUNS, metavar="RUN...")
@click.option("--output", type=PATH, default=None, help="where the page goes  [report.html in the folder of RUN]")
@OVERWRITE
@DEVICE
@CPU_THREADS
def report(runs: tuple[Path, ...], output: Path | None, overwrite: bool, device: str, threads: int) -> None:
    """Write one HTML page about RUN, or about several runs side by side; it opens without a network.

    It holds the curves, the numbers of the last evaluation, samples, the course of training, a row for each class, and
    the training images nearest to samples. Every training ends with it; this command writes it again."""
    from imagegan.report import report as written
    from imagegan.runs import read_run
    from seqgan.core import page
    from seqgan.core.device import resolve, use_threads

    use_threads(threads)
    folders, where = page.different(runs), resolve(device)
    for folder in folders:
        read_run(folder)
    place, write = page.destination(folders, output, overwrite=overwrite)
    write(written(folders, where))
    click.echo(place)
