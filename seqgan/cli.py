"""The command line, thin: options in, one call, text out. What it imports at the top must not import torch."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from seqgan import __version__
from seqgan.algorithms.configs import CONFIGS, PRESETS
from seqgan.core.command import RunOptions, run_command, run_options
from seqgan.core.config import ConfiguredCommand
from seqgan.errors import UsageError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__)
def seqgan() -> None:
    """Text GANs that can be trusted: train, sample, measure.

    Start with: seqgan train --corpus poems"""


@seqgan.command(cls=ConfiguredCommand, chooser="--algorithm", configs=CONFIGS, presets=PRESETS, usual="seqgan")
@click.option("--corpus", help="a bundled corpus (seqgan corpora list), or a text file, one text a line (.txt, .gz)")
@click.option("--algorithm", default=None, help=f"{', '.join(CONFIGS)}  [seqgan]")
@run_options
@click.pass_context
def train(ctx: click.Context, /, corpus: str | None, algorithm: str | None, options: RunOptions, **hyper: Any) -> None:
    """Train a generator on a corpus, and measure what training achieved.

    The options below are the hyper-parameters of the chosen --algorithm; in brackets, what is used without --preset."""
    name = ctx.meta["choice"]
    chosen = options.choose(name, CONFIGS[name], PRESETS[name], hyper)
    folder = options.begun()
    if not folder and corpus is None:
        nothing = f"there is no run in {options.resume} to continue, and " if options.resume else ""
        raise UsageError(
            f"{nothing}--corpus is missing: give a bundled one (poems, speeches) or a text file, one text a line"
        )

    from seqgan import training
    from seqgan.data.corpus import load_corpus

    machine = options.machine()
    if folder:
        training.same_corpus(folder, corpus)
        options.check_against(folder, name, chosen, CONFIGS[name].extendable)
    else:
        texts = load_corpus(corpus or "")
        folder = options.folder(f"{texts.name}-{name}")
        identity = {"seed": options.seed or 0, "threads": options.threads}
        training.begin(folder, name, chosen, texts, **identity, overwrite=options.overwrite)
    _report(training.carry_out(folder, options.display(), **machine))


def _report(finished: Any) -> None:
    """Five texts, a table, where the run lies, and how to go on."""
    from rich.console import Console
    from rich.table import Table

    from seqgan import evaluation

    headings, rows = evaluation.table_rows(finished.table)
    table = Table(*headings, title="what training achieved", title_justify="left")
    for row in rows:
        table.add_row(*row)
    console = Console()
    console.print(table)
    for line in [*evaluation.remarks(finished.table), finished.table["signature"]]:
        console.print(line, soft_wrap=True, highlight=False)
    console.print("\nfive texts of the final policy:", highlight=False)
    for text in finished.texts:
        click.echo(f"  {text}")
    click.echo(
        f"\nthe run is in {finished.folder} ({finished.seconds:.0f} s of training); "
        f"more texts: seqgan generate {finished.folder} -n 20"
    )


@seqgan.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-n", "--count", type=click.IntRange(min=1), default=10, help="how many texts", show_default=True)
@click.option("--prompt", default="", help="continue this text")
@click.option(
    "--temperature",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    help="below 1: likelier and less varied",
    show_default=True,
)
@click.option(
    "--top-k", type=click.IntRange(min=0), default=0, help="only the k likeliest tokens; 0: all", show_default=True
)
@click.option(
    "--top-p",
    type=click.FloatRange(min=0, max=1, min_open=True),
    default=1.0,
    help="only the likeliest tokens with this mass",
    show_default=True,
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=None,
    help="the same seed, the same texts  [a new one, told on stderr]",
)
@click.option(
    "--stage",
    default="final",
    help="mle, final, best (by validation NLL), or the number of a checkpoint",
    show_default=True,
)
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line: text, tokens, ended")
@click.option("--output", type=click.Path(path_type=Path), help="write to this file instead of stdout")
@click.option("--device", default="auto", help="auto, cpu, cuda ...", show_default=True)
def generate(
    run: Path,
    count: int,
    prompt: str,
    temperature: float,
    top_k: int,
    top_p: float,
    seed: int | None,
    stage: str,
    as_json: bool,
    output: Path | None,
    device: str,
) -> None:
    """Write texts with the policy of RUN, one a line."""
    from seqgan.core import files
    from seqgan.core.device import resolve
    from seqgan.generation import load_writer

    if seed is None:
        seed = int.from_bytes(os.urandom(4), "big")
        click.echo(f"--seed {seed}", err=True)
    writer = load_writer(run, stage, resolve(device))
    written = writer.write(count, prompt=prompt, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    lines = [json.dumps(item._asdict(), ensure_ascii=False) if as_json else item.text for item in written]
    text = "".join(line + "\n" for line in lines)
    if output:
        files.write(output, text.encode())
    else:
        sys.stdout.write(text)


@seqgan.group()
def corpora() -> None:
    """The corpora that come with the package."""


@corpora.command("list")
def list_corpora() -> None:
    """Name, language, size and licence of every bundled corpus."""
    from seqgan.data.corpus import bundled

    for entry in bundled().values():
        click.echo(
            f"{entry['name']:10}  {entry['language']:8}  {entry['count']:6} texts  {entry['licence']:8}  "
            f"{entry['description']}"
        )


@corpora.command()
@click.argument("name")
@click.option("-n", "--count", type=click.IntRange(min=0), default=5, help="texts to show", show_default=True)
def show(name: str, count: int) -> None:
    """How a corpus (a bundled one or a file) is made up, and its first training texts."""
    from seqgan.data.corpus import bundled, load_corpus

    corpus = load_corpus(name)
    for key, value in {**bundled().get(name, {"name": corpus.name}), **corpus.provenance}.items():
        click.echo(f"{key}: {value}")
    for text in corpus.train[:count]:
        click.echo(f"  {text}")


def main() -> None:
    run_command(seqgan)
