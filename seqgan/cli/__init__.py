"""The command line, thin: options in, one call, text out. What it imports at the top must not import torch."""

import click

from seqgan import __version__
from seqgan.algorithms.synonyms import synonym
from seqgan.cli.bench import bench
from seqgan.cli.corpora import corpora
from seqgan.cli.evaluate import evaluate
from seqgan.cli.generate import generate, score
from seqgan.cli.report import report
from seqgan.cli.runs import runs
from seqgan.cli.save import save
from seqgan.cli.train import train
from seqgan.core.command import run_command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__)
def seqgan() -> None:
    """Text GANs: train, generate, score and evaluate.

    Start with: seqgan train --corpus poems"""


for command in (train, runs, generate, score, save, evaluate, report, bench, corpora):
    seqgan.add_command(command)


def main() -> None:
    run_command(seqgan, synonym)
