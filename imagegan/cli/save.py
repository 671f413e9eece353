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
@click.option("--overwrite", is_flag=True, help="replace the saved model that FOLDER holds")
@DEVICE
def save(run: Path, folder: Path, stage: str, licence: str, overwrite: bool, device: str) -> None:
    """Save the model of RUN in a new FOLDER, to hand it on without its run.

    FOLDER gets the weights (config.json and safetensors), samples.png, and a model card (README.md) with the numbers of
    imagegan evaluate, which are measured for it. It takes the place of a run in imagegan generate, walk and push, and
    imagegan.from_pretrained(FOLDER) loads it."""
    from imagegan.library import load

    place = load(run, device).save_pretrained(folder, stage=stage, license=licence, overwrite=overwrite)
    word = in_shell(place)
    click.echo(
        f"the model is in {place}; images: imagegan generate {word}; to the hub: imagegan push {word} OWNER/NAME",
        err=True,
    )
