"""`imagegan save` and `imagegan push`: a model without its run. What it imports at the top must not import torch."""

from pathlib import Path

import click

from imagegan.cli.options import DEVICE, RUN, STAGE
from seqgan.core.bounds import PATH, TEXT
from seqgan.core.command import refuse_with_saved_model
from seqgan.core.files import in_shell
from seqgan.core.folder import is_saved_model
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


@click.command()
@RUN
@click.argument("name", type=TEXT)
@STAGE
@LICENCE
@click.option("--private", is_flag=True, help="a new repository that only you can see")
@DEVICE
@click.pass_context
def push(ctx: click.Context, run: Path, name: str, stage: str, licence: str, private: bool, device: str) -> None:
    """Upload the model of RUN, or a saved model, to the repository NAME (owner/name) of the Hugging Face hub, with a
    model card: data, numbers, samples, how to use it.

    Log in by `hf auth login`, or set HF_TOKEN. imagegan.from_pretrained(NAME) loads the model."""
    from imagegan.library import load
    from imagegan.pretrained import from_pretrained
    from seqgan.core import pretrained

    if is_saved_model(run):
        refuse_with_saved_model(ctx, run, "stage", "licence")
        from_pretrained(run)  # what is damaged is not handed on
        address = pretrained.push(name, lambda place: run, private=private)
    else:
        address = load(run, device).push_to_hub(name, stage=stage, license=licence, private=private)
    click.echo(f"the model is at {address}", err=True)
