"""`imagegan lab`. What it imports at the top must not import torch."""

from pathlib import Path

import click

from imagegan.cli.options import OVERWRITE
from imagegan.lab import EXPERIMENTS
from seqgan.core.bounds import PATH, SEED, OneOf
from seqgan.errors import UsageError

FOLDER = Path("runs/lab")
LISTED = "\n".join(f"{name:<11}{what}" for name, what in EXPERIMENTS.items())
HELP = f"""Run an experiment on the theory of GANs, in less than a minute.

Prints what small networks find beside what is exact, and writes NAME.png, and NAME.gif of the training:

\b
{LISTED}"""


@click.command(help=HELP)
@click.argument("name", type=OneOf(list(EXPERIMENTS)), metavar="NAME")
@click.option("--output", type=PATH, metavar="FOLDER", help=f"where the pictures go  [{FOLDER}]")
@click.option("--seed", type=SEED, default=0, help="seed of networks and noise")
@OVERWRITE
def lab(name: str, output: Path | None, seed: int, overwrite: bool) -> None:
    from imagegan.grids import gif
    from imagegan.lab import run
    from seqgan.core import files, outputs, report
    from seqgan.core.device import use_threads
    from seqgan.core.plots import png

    folder = output or FOLDER
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--output {folder} is a file, but a folder was expected; name another")
    files.make_folder(folder)
    png_path, gif_path = folder / f"{name}.png", folder / f"{name}.gif"
    write_png, write_gif = (
        outputs.writer(path, overwrite=overwrite or output is None) for path in (png_path, gif_path)
    )
    use_threads(1)
    result = run(name, seed)
    report.print_table([name, "measured", "exact", "deviation"], [number.cells() for number in result.numbers])
    write_png(png(result.picture))
    write_gif(gif(result.frames))
    click.echo(f"pictures: {png_path}, {gif_path}")
