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
from seqgan.cli.push import push
from seqgan.cli.report import report
from seqgan.cli.runs import runs
from seqgan.cli.save import save
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
        "train": "seqgan train --corpus poems --preset quick --run-dir runs/poems",
        "runs": "seqgan runs",
        "generate": "seqgan generate runs/poems -n 20 --temperature 0.7",
        "score": "seqgan score runs/poems poems.txt",
        "push": "seqgan push runs/poems owner/name --license cc0-1.0",
        "save": "seqgan save runs/poems my-model --license cc0-1.0",
        "evaluate": "seqgan evaluate runs/poems",
        "compare": "seqgan compare poems-0 poems-1 poems-0-constant poems-1-constant",
        "sweep": "seqgan sweep poems-0 poems-1 poems-2 --temperatures 1,.9,.8,.7",
        "report": "seqgan report runs/poems",
        "demo": "seqgan demo runs/poems",
        "bench speed": "seqgan bench speed",
        "bench ablation": "seqgan bench ablation arms.toml --corpus poems --seeds 2",
        "bench data": "seqgan bench data",
        "bench oracle": "seqgan bench oracle --arms mle,seqgan --seeds 2",
        "bench estimators": "seqgan bench estimators",
        "corpora list": "seqgan corpora list",
        "corpora show": "seqgan corpora show poems -n 3",
        "corpora export": "seqgan corpora export poems folder",
        "corpora add": "seqgan corpora add mine.txt --name mine",
        "corpora fetch": "seqgan corpora fetch verses",
        "corpora remove": "seqgan corpora remove mine",
    },
)


def main() -> None:
    run_command(seqgan, synonym)
