"""`imagegan save`. What it imports at the top must not import torch."""

from pathlib import Path

import click

from imagegan.cli.options import DEVICE, RUN, STAGE
from seqgan.core.bounds import PATH
from seqgan.core.files import in_shell
from seqgan.core.options import LICENCE


@click.command()
@RUN
@click.argument("folder", type=PATH)
@STAGE
@LICENCE
@click.option("--overwrite", is_flag=True, help="replace a saved model in FOLDER")
@DEVICE
def save(run: Path, folder: Path, stage: str, licence: str, overwrite: bool, device: str) -> None:
    """Save the model of RUN in FOLDER: weights, and a model card with its numbers and samples.

    imagegan generate, walk and push take FOLDER in place of a run, imagegan.from_pretrained(FOLDER) loads it."""
    from imagegan.library import load

    place = load(run, device).save_pretrained(folder, stage=stage, license=licence, overwrite=overwrite)
    word = in_shell(place)
    click.echo(
        f"the model is in {place}; images: imagegan generate {word}; to the hub: imagegan push {word} OWNER/NAME",
        err=True,
    )
