"""Options that several commands share. What it imports at the top must not import torch."""

from collections.abc import Callable
from pathlib import Path

import click

from seqgan.core.bounds import PATH, SEED, TEXT, THREADS, OneOf, Stage
from seqgan.core.options import RUNS, completing, completing_stages
from seqgan.errors import UsageError

DATA = "digits, digits-wide, triangles, mnist, fashion-mnist, cifar10, folder, ring, grid, swissroll, hf:owner/name"
DATA_NAMES = completing(lambda ctx, incomplete: DATA.split(", ")[:-1], files=False)
DATA_DIR = click.option("--data-dir", type=PATH, metavar="PATH", help="folder of idx files or images to read")
RUN = click.argument("run", type=PATH, shell_complete=RUNS)
SAMPLING_SEED = click.option("--seed", type=SEED, default=0, help="seed of the noise")
DEVICE = click.option("--device", type=TEXT, default="auto", help="auto, cpu, cuda, cuda:1 ...")
CPU_THREADS = click.option("--threads", type=THREADS, default=0, help="0: OMP_NUM_THREADS, else all cores")
AS_PRESET = click.option("--preset", type=OneOf(["default", "quick", "paper"]), default="default")
CLASS = click.option(
    "--class",
    "--label",
    "label",
    type=TEXT,
    metavar="NAME",
    help="only this class, by name or number (cgan, projection, acgan, lapgan --conditional)",
)
STAGE = click.option(
    "--stage",
    type=Stage("final, best, or the number of a checkpoint"),
    shell_complete=completing_stages("final", "best"),
    default="final",
    help="final, best (by Frechet distance to validation images), or the number of a checkpoint",
)
OVERWRITE = click.option("--overwrite", is_flag=True, help="replace the file that --output names")


def writer_for(output: Path | None, place: Path, overwrite: bool) -> Callable[[bytes], None]:
    """A function that writes to --output; the default file of a run is overwritten each time."""
    from seqgan.core import outputs

    if output:
        return outputs.writer(output, overwrite=overwrite)
    return lambda data: outputs.writer(place, overwrite=True)(data)


def with_suffix(place: Path, *known: str) -> Path:
    if place.suffix.lower() not in known:
        endings = [ending or "a folder (a name without an ending)" for ending in known]
        either = f"neither {' nor '.join(endings)}" if len(known) > 1 else f"no {endings[0]}"
        raise UsageError(f"--output {place} is {either}")
    return place
