"""`seqgan save`."""

from pathlib import Path

import click

from seqgan.cli.corpora import CORPORA
from seqgan.cli.shared import DEVICE, STAGE_OPTION, found_again, reading_options
from seqgan.core.bounds import PATH, TEXT
from seqgan.core.files import in_shell
from seqgan.core.options import LICENCE, RUNS
from seqgan.data.reading import Reading


@click.command()
@click.argument("run", type=PATH, shell_complete=RUNS)
@click.argument("folder", type=PATH)
@STAGE_OPTION
@LICENCE
@click.option("--corpus", type=TEXT, shell_complete=CORPORA, help="where the texts of RUN are now, if they have moved")
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
