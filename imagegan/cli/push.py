"""`imagegan push`. What it imports at the top must not import torch."""

from pathlib import Path

import click

from imagegan.cli.options import DEVICE, RUN, STAGE
from seqgan.core.bounds import TEXT
from seqgan.core.command import refuse_with_saved_model
from seqgan.core.options import LICENCE


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
    from imagegan.pretrained import from_pretrained, is_saved_model
    from seqgan.core import pretrained

    if is_saved_model(run):
        refuse_with_saved_model(ctx, run, "stage", "licence")
        from_pretrained(run)  # what is damaged is not handed on
        address = pretrained.push(name, lambda place: run, private=private)
    else:
        address = load(run, device).push_to_hub(name, stage=stage, license=licence, private=private)
    click.echo(f"the model is at {address}", err=True)
