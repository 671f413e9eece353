"""`imagegan evaluate`. What it imports at the top must not import torch."""

from pathlib import Path
from typing import Any

import click

from imagegan.cli.options import CPU_THREADS, DATA, DATA_DIR, DATA_NAMES, STAGE
from seqgan.core.bounds import PATH, SEED, TEXT, Whole
from seqgan.core.options import RUNS
from seqgan.errors import UsageError


@click.command()
@click.argument("runs", nargs=-1, type=PATH, shell_complete=RUNS, metavar="[RUN]...")
@click.option(
    "--samples",
    type=PATH,
    metavar="PATH",
    help="an npz file (samples, and labels where they are conditional), or a folder of images",
)
@click.option(
    "--data",
    type=TEXT,
    shell_complete=DATA_NAMES,
    metavar="NAME",
    help=f"what to compare --samples with: {DATA}  [digits]",
)
@DATA_DIR
@click.option("--size", type=Whole(1, 2**14), default=None, help="height and width in pixels  [those of the data]")
@click.option("--images", type=Whole(100), default=None, help="training images  [10000, or all that are read]")
@STAGE
@click.option("--seed", type=SEED, default=0, help="seed of the samples")
@click.option("-n", "--count", type=Whole(20), default=2000, help="samples to measure, at most")
@click.option("--inception", type=PATH, metavar="FILE", help="an npz file of Inception features, for FID")
@click.option("--device", type=TEXT, default="auto", help="where to generate: auto, cpu, cuda, cuda:1 ...")
@CPU_THREADS
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout instead of a table")
@click.option("--markdown", "as_markdown", is_flag=True, help="a table of Markdown on stdout")
def evaluate(
    runs: tuple[Path, ...],
    samples: Path | None,
    data: str | None,
    data_dir: Path | None,
    size: int | None,
    images: int | None,
    stage: str,
    seed: int,
    count: int,
    inception: Path | None,
    device: str,
    threads: int,
    as_json: bool,
    as_markdown: bool,
) -> None:
    """Evaluate each RUN, or a file of images, beside held-out real ones: distances, variety, copies, classes, codes.

    Nothing is downloaded, so no number is comparable with a published FID; each is printed with its feature space and
    its fingerprint, the number of images, and the split they are compared with. A RUN is compared with the images it
    was trained on; its samples are drawn with --seed. The numbers of one RUN are kept in its folder, for its report."""
    if as_json and as_markdown:
        raise UsageError("--json and --markdown are two ways to print the same: give one of them")
    if runs and (samples or inception):
        raise UsageError("give a RUN, or files by --samples and --inception, not both")
    if not (runs or samples or inception):
        raise UsageError("name a RUN, a file of images by --samples, or one of Inception features by --inception")
    of_samples = {"--data": data, "--data-dir": data_dir, "--size": size, "--images": images}
    for option, value in of_samples.items():
        if value and not samples:
            raise UsageError(f"{option} applies to --samples; a RUN is compared with its own images")
    if stage != "final" and not runs:
        raise UsageError("--stage applies to a RUN; leave it out, or name one")
    from imagegan import evaluation
    from imagegan.data import load
    from imagegan.metrics.distances import fid
    from imagegan.samples import read_samples
    from imagegan.summary import summary
    from seqgan.core import files
    from seqgan.core.device import resolve, use_threads
    from seqgan.core.report import by_metric, show

    use_threads(threads)
    rows = evaluation.evaluate_runs(runs, resolve(device), count=count, seed=seed, stage=stage) if runs else {}
    facts: dict[str, Any] = {"seed": seed}
    if runs:
        learned = {str(run): evaluation.steps_learned(run, stage) for run in runs}
        facts |= {"stage": stage, "steps": learned}
        if len(rows) == 2:  # of one run, and its held-out images
            kept = dict(zip(("samples", "held-out"), rows.values(), strict=True))
            files.make_folder(runs[0] / "evaluations")
            steps = learned[str(runs[0])] if stage == "final" else None
            of_run = evaluation.written(kept, {**facts, "steps": steps})
            files.write(runs[0] / "evaluations" / "evaluation.json", of_run)
    if samples:
        facts["data"] = data = data or "digits"
        splits = load(data, count=images or 0, held_out=count, seed=seed, size=size or 0, folder=data_dir)
        given = read_samples(samples, splits.train).some(count, seed)
        facts["samples"] = given.description
        rows = evaluation.evaluate({"samples": given}, splits, data)
    if inception:
        rows.setdefault("samples", {})["fid"] = fid(inception)
    if as_json:
        click.echo(evaluation.written(rows, facts), nl=False)
        return
    show(*by_metric(rows), as_markdown=as_markdown)
    for run, steps in facts.get("steps", {}).items():
        after = "at its best on validation images" if steps is None else f"after {steps} steps"
        click.echo(f"  samples of {run}, {after}, drawn with --seed {seed}")
    if samples:
        click.echo(f"  samples of {samples}: {facts['samples']}")
    for line in summary(rows):
        click.echo(line)
