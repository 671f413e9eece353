"""`imagegan evaluate`. What it imports at the top must not import torch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seqgan.errors import UsageError

if TYPE_CHECKING:
    from imagegan.evaluation import Row

FILE = click.Path(path_type=Path)


@click.command()
@click.option(
    "--samples", type=FILE, metavar="FILE", help="an npz file: samples, and perhaps the labels they should have"
)
@click.option(
    "--data",
    default="digits",
    help="what to compare with: digits, mnist, fashion-mnist, cifar10, folder, ring, grid, swissroll, hf:owner/name",
    show_default=True,
)
@click.option("--data-dir", type=FILE, metavar="PATH", help="where idx files or pictures lie")
@click.option("--size", type=click.IntRange(min=1), default=None, help="pixels of an edge  [as the data has]")
@click.option(
    "--images", type=click.IntRange(min=100), default=10_000, help="digits or points to make", show_default=True
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="of what is made", show_default=True)
@click.option(
    "--count", type=click.IntRange(min=20), default=2000, help="samples to measure, at most", show_default=True
)
@click.option("--inception", type=FILE, metavar="FILE", help="an npz file of Inception features of yours, for FID")
@click.option(
    "--threads", type=click.IntRange(min=0), default=0, help="0: as many as there are cores", show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="print the numbers as JSON")
def evaluate(
    samples: Path | None,
    data: str,
    data_dir: Path | None,
    size: int | None,
    images: int,
    seed: int,
    count: int,
    inception: Path | None,
    threads: int,
    as_json: bool,
) -> None:
    """Measure generated images beside held-out real ones: distances, variety, copies, classes.

    Nothing is downloaded, so no number is comparable with a published FID; each is printed with its space, the space's
    fingerprint, how many images of each there were, and the split they were compared with."""
    if samples is None and inception is None:
        raise UsageError("name a file of images by --samples, or one of Inception features by --inception")
    from imagegan import evaluation
    from imagegan.data import load
    from imagegan.metrics.distances import fid
    from seqgan.core.device import use_threads

    use_threads(threads)
    rows: dict[str, Row] = {}
    if samples is not None:
        given = evaluation.read_samples(samples).first(count)
        sets = load(data, count=images, held_out=count, seed=seed, size=size, folder=data_dir)
        rows = evaluation.evaluate_samples(given, sets, data)
    if inception is not None:
        rows.setdefault("samples", {})["fid"] = fid(inception)
    if as_json:
        click.echo(json.dumps(evaluation.as_json(rows, {"data": data}), indent=2))
    else:
        _print(rows)


def _print(rows: "Mapping[str, Row]") -> None:
    import rich.table
    from rich.box import SIMPLE_HEAD
    from rich.console import Console

    from imagegan.evaluation import lines

    table = rich.table.Table("", *rows, box=SIMPLE_HEAD, pad_edge=False)
    signatures: dict[str, list[str]] = {}
    for metric, cells, signature in lines(rows):
        table.add_row(metric.replace("-", " "), *cells)
        signatures.setdefault(signature, []).append(metric)
    Console().print(table)
    for signature, metrics in signatures.items():
        click.echo(f"  {', '.join(metrics)}: {signature}")
