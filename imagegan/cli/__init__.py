"""The command line: a file for each command. What they import at the top must not import torch."""

import click

from imagegan.cli.bench import bench
from imagegan.cli.demo import demo
from imagegan.cli.evaluate import evaluate
from imagegan.cli.generate import generate
from imagegan.cli.lab import lab
from imagegan.cli.report import report
from imagegan.cli.runs import runs
from imagegan.cli.share import push, save
from imagegan.cli.train import train
from imagegan.cli.walk import walk
from seqgan import __version__
from seqgan.core.command import run_command, with_examples


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120, "show_default": True})
@click.version_option(__version__)
def imagegan() -> None:
    """GANs for images: train, sample and evaluate.

    Start with: imagegan train --model dcgan --data digits"""


for command in (train, runs, generate, walk, evaluate, report, demo, save, push, bench, lab):
    imagegan.add_command(command)

with_examples(
    imagegan,
    {
        "train": (
            "Train a GAN on images, and evaluate it",
            "imagegan train --model cgan --data digits --run-dir runs/digits",
        ),
        "runs": ("List the runs in a folder, and how far they have come", "imagegan runs"),
        "generate": (
            "Generate images with a run or a saved model",
            "imagegan generate runs/digits -n 20 --output twenty.png",
        ),
        "walk": ("Walks between noises, along codes, with concepts", "imagegan walk runs/digits"),
        "evaluate": ("Measure runs, or any images, beside real ones", "imagegan evaluate runs/digits"),
        "report": ("Write a page about a run, or about several", "imagegan report runs/digits"),
        "demo": ("Try a run in a browser", "imagegan demo runs/digits"),
        "push": ("Upload a model to the Hugging Face hub", "imagegan push runs/digits owner/name --license cc0-1.0"),
        "save": ("Save the model of a run, with a model card", "imagegan save runs/digits my-model --license cc0-1.0"),
        "bench models": (
            "Compare models at an equal budget",
            "imagegan bench models --models dcgan,wgan-gp --seeds 0,1",
        ),
        "bench speed": ("Time a round of dcgan beside a plain loop", "imagegan bench speed"),
        "bench study": ("Compare models by random search", "imagegan bench study --models minimax,wgan-gp"),
        "lab": ("Run an experiment on the theory of GANs", "imagegan lab ring"),
    },
)


def main() -> None:
    run_command(imagegan)
