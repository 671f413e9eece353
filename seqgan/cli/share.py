"""`seqgan save` and `seqgan push`: a model without its run."""

from pathlib import Path

import click

from seqgan.cli.corpora import CORPORA
from seqgan.cli.shared import DEVICE, STAGE_OPTION, found_again, reading_options
from seqgan.core.bounds import PATH, TEXT
from seqgan.core.command import refuse_with_saved_model
from seqgan.core.files import in_shell
from seqgan.core.folder import is_saved_model
from seqgan.core.options import LICENCE, RUNS
from seqgan.data.reading import Reading

MOVED_TEXTS = click.option(
    "--corpus", type=TEXT, shell_complete=CORPORA, help="where the texts of RUN are now, if they have moved"
)


@click.command()
@click.argument("run", type=PATH, shell_complete=RUNS)
@click.argument("folder", type=PATH)
@STAGE_OPTION
@LICENCE
@MOVED_TEXTS
@reading_options
@click.option("--overwrite", is_flag=True, help="replace the saved model that FOLDER holds")
@DEVICE
def save(
    run: Path,
    folder: Path,
    stage: str,
    licence: str,
    corpus: str | None,
    reading: Reading,
    overwrite: bool,
    device: str,
) -> None:
    """Save the model of RUN in a new FOLDER, to hand it on without its run.

    FOLDER gets the weights (config.json and safetensors), the tokenizer, and a model card (README.md) with samples and
    the numbers of seqgan evaluate, which are measured for it. It takes the place of a run in seqgan generate, score,
    evaluate and push, and seqgan.from_pretrained(FOLDER) loads it."""
    from seqgan.runs import Source

    trained = found_again(run, device, Source(corpus, reading))
    place = trained.save_pretrained(folder, stage=stage, license=licence, overwrite=overwrite)
    word = in_shell(place)
    click.echo(
        f"the model is in {place}; texts: seqgan generate {word}; to the hub: seqgan push {word} OWNER/NAME", err=True
    )


@click.command()
@click.argument("run", type=PATH, shell_complete=RUNS)
@click.argument("name", type=TEXT)
@STAGE_OPTION
@LICENCE
@click.option("--private", is_flag=True, help="a new repository that only you can see")
@MOVED_TEXTS
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
