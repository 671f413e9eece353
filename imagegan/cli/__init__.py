"""The command line: a file for each command. What they import at the top must not import torch."""

import click

from imagegan.cli.bench import bench
from imagegan.cli.evaluate import evaluate
from imagegan.cli.generate import generate
from imagegan.cli.lab import lab
from imagegan.cli.report import report
from imagegan.cli.runs import runs
from imagegan.cli.save import save
from imagegan.cli.train import train
from imagegan.cli.walk import walk
from seqgan import __version__
from seqgan.core.command import run_command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120, "show_default": True})
@click.version_option(__version__)
def imagegan() -> None:
    """GANs for images: train, sample and evaluate.

    Start with: imagegan train --model dcgan --data digits"""


for command in (train, runs, generate, walk, evaluate, report, save, bench, lab):
    imagegan.add_command(command)


def main() -> None:
    run_command(imagegan)
