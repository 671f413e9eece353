"""`seqgan push`."""

from pathlib import Path

import click

from seqgan.cli.corpora import CORPORA
from seqgan.cli.shared import DEVICE, STAGE_OPTION, found_again, is_saved_model, reading_options
from seqgan.core.bounds import PATH, TEXT
from seqgan.core.command import refuse_with_saved_model
from seqgan.core.options import LICENCE, RUNS
from seqgan.data.reading import Reading


@click.command()
@click.argument("run", type=PATH, shell_complete=RUNS)
@click.argument("name", type=TEXT)
@STAGE_OPTION
@LICENCE
@click.option("--private", is_flag=True, help="a new repository that only you can see")
@click.option("--corpus", type=TEXT, shell_complete=CORPORA, help="where the texts of RUN are now, if they have moved")
@reading_options
@DEVICE
@click.pass_context
def push(
    ctx: click.Context,
    run: Path,
    name: str,
    stage: str,
    licence: str,
    private: bool,
    corpus: str | None,
    reading: Reading,
    device: str,
) -> None:
    """Upload the model of RUN, or a saved model, to the repository NAME (owner/name) of the Hugging Face hub, with a
    model card: data and their licence, numbers, samples, how to use it.

    Log in by `hf auth login`, or set HF_TOKEN. seqgan.from_pretrained(NAME) loads the model."""
    if is_saved_model(run):
        refuse_with_saved_model(ctx, run, "stage", "licence", "corpus")
        from seqgan.core import pretrained
        from seqgan.pretrained import from_pretrained

        from_pretrained(run)  # what is damaged is not handed on
        address = pretrained.push(name, lambda place: run, private=private)
    else:
        from seqgan.runs import Source

        trained = found_again(run, device, Source(corpus, reading))
        address = trained.push_to_hub(name, stage=stage, license=licence, private=private)
    click.echo(f"the model is at {address}", err=True)
