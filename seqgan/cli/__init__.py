"""The command line, thin: options in, one call, text out. What it imports at the top must not import torch."""

import click

from seqgan import __version__
from seqgan.algorithms.synonyms import synonym
from seqgan.cli.bench import bench
from seqgan.cli.compare import compare
from seqgan.cli.corpora import corpora
from seqgan.cli.demo import demo
from seqgan.cli.evaluate import evaluate
from seqgan.cli.generate import generate, score
from seqgan.cli.report import report
from seqgan.cli.runs import runs
from seqgan.cli.share import push, save
from seqgan.cli.sweep import sweep
from seqgan.cli.train import train
from seqgan.core.command import run_command, with_examples


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__)
def seqgan() -> None:
    """Text GANs: train, generate, score and evaluate.

    Start with: seqgan train --corpus poems"""


for command in (train, runs, generate, score, save, push, evaluate, compare, sweep, report, demo, bench, corpora):
    seqgan.add_command(command)

with_examples(
    seqgan,
    {
        "train": (
            "Train a generator on a corpus, and evaluate it",
            "seqgan train --corpus poems --preset quick --run-dir runs/poems",
        ),
        "runs": ("List the runs in a folder, and how far they have come", "seqgan runs"),
        "generate": (
            "Generate texts with a run or a saved model",
            "seqgan generate runs/poems -n 20 --temperature 0.7",
        ),
        "score": ("Log-probability, and P(real), of each text in a file", "seqgan score runs/poems poems.txt"),
        "push": ("Upload a model to the Hugging Face hub", "seqgan push runs/poems owner/name --license cc0-1.0"),
        "save": ("Save the model of a run, with a model card", "seqgan save runs/poems my-model --license cc0-1.0"),
        "evaluate": ("Measure runs, or any texts, beside real ones", "seqgan evaluate runs/poems"),
        "compare": (
            "Arms and seeds in one table, with paired differences",
            "seqgan compare poems-0 poems-1 poems-0-constant poems-1-constant",
        ),
        "sweep": (
            "Measure runs at several temperatures",
            "seqgan sweep poems-0 poems-1 poems-2 --temperatures 1,.9,.8,.7",
        ),
        "demo": ("Try a run in a browser", "seqgan demo runs/poems"),
        "report": ("Write a page about a run, or about several", "seqgan report runs/poems"),
        "bench speed": ("Time the parts of training", "seqgan bench speed"),
        "bench ablation": (
            "Train settings from several seeds, and compare them",
            "seqgan bench ablation arms.toml --corpus poems --seeds 2",
        ),
        "bench data": ("What a large corpus costs beside training", "seqgan bench data"),
        "bench oracle": (
            "Train on sequences of an oracle, as the SeqGAN paper",
            "seqgan bench oracle --arms mle,seqgan --seeds 2",
        ),
        "bench estimators": ("Compare estimators of the policy gradient", "seqgan bench estimators"),
        "corpora list": ("All corpora: bundled, stored, and to be fetched", "seqgan corpora list"),
        "corpora show": ("Sizes and source of a corpus, and some of its texts", "seqgan corpora show poems -n 3"),
        "corpora export": ("Write the splits of a corpus to a folder", "seqgan corpora export poems folder"),
        "corpora add": (
            "Clean and split the texts of a file, and store them",
            "seqgan corpora add mine.txt --name mine",
        ),
        "corpora fetch": ("Download a public corpus, and store it", "seqgan corpora fetch verses"),
        "corpora remove": ("Remove a stored corpus", "seqgan corpora remove mine"),
    },
)


def main() -> None:
    run_command(seqgan, synonym)
