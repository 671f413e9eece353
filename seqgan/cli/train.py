"""`seqgan train`."""

from pathlib import Path
from typing import Any

import click

from seqgan.algorithms.configs import CONFIGS, PRESETS
from seqgan.cli.corpora import CORPORA
from seqgan.cli.shared import STAGE_NAMES, print_tables, reading_options, shown_text
from seqgan.core.bounds import PATH_NAME, TEXT
from seqgan.core.command import warn_about_quick
from seqgan.core.files import in_shell
from seqgan.core.options import CHOICES, ConfiguredCommand, RunOptions, completing, run_options, runs, stages
from seqgan.data.reading import Reading
from seqgan.errors import UsageError


def _stages(ctx: click.Context, incomplete: str) -> list[str]:
    run, at, _ = incomplete.partition("@")
    return [f"{run}@{stage}" for stage in stages(Path(run), STAGE_NAMES)] if at else runs(ctx, incomplete)


HEADINGS = {
    "Data": [
        *("corpus", *Reading._fields, "valid", "test"),
        *("tokenizer", "vocab_size", "max_length", "overlong"),
    ],
    "Model": [
        *("policy", "embedding_dim", "hidden_dim", "tie_embeddings", "dropout", "weight_drop", "embedding_init"),
        *("unigram_bias", "discriminator", "d_embedding_dim", "filter_sizes", "num_filters", "highway", "d_dropout"),
    ],
    "Training": [
        *("algorithm", "init_from", "grow_vocabulary", "mle_epochs", "mle_patience", "mle_lr", "scheduled_sampling"),
        *("ema_decay", "weight_decay", "calibrate_unknown", "batch_size", "shuffle", "max_grad_norm"),
    ],
}
MAIN = {  # the hyper-parameters that --help shows before an algorithm is chosen
    *("tokenizer", "vocab_size", "max_length", "policy", "hidden_dim", "dropout", "discriminator"),
    *("mle_epochs", "mle_lr", "batch_size", "iterations", "g_lr", "reward"),
}


@click.command(
    cls=ConfiguredCommand,
    chooser="--algorithm",
    configs=CONFIGS,
    presets=PRESETS,
    usual="seqgan",
    headings=HEADINGS,
    shown=MAIN,
)
@click.option(
    "--corpus",
    type=TEXT,
    shell_complete=CORPORA,
    help="a name (seqgan corpora list), hf:owner/name, or a file (.txt .csv .tsv .json .jsonl .parquet), folder or "
    "pattern",
)
@reading_options
@click.option(
    "--valid", type=PATH_NAME, metavar="FILE", help="validation texts  [a tenth of the corpus, by a hash of each text]"
)
@click.option("--test", type=PATH_NAME, metavar="FILE", help="test texts  [another tenth]")
@click.option(
    "--init-from",
    type=TEXT,
    shell_complete=completing(_stages),
    metavar="RUN[@STAGE]",
    help="start with the policy of a run: @mle, @best, @STEP  [final]",
)
@click.option(
    "--grow-vocabulary",
    is_flag=True,
    help="with --init-from: add tokens of the new texts to its vocabulary, starting from the mean of their pieces",
)
@click.option("--algorithm", default=None, shell_complete=CHOICES, help=f"{', '.join(CONFIGS)}  [seqgan]")
@run_options
@click.pass_context
def train(
    ctx: click.Context,
    /,
    corpus: str | None,
    reading: Reading,
    valid: str | None,
    test: str | None,
    init_from: str | None,
    grow_vocabulary: bool,
    algorithm: str | None,
    options: RunOptions,
    **hyper: Any,
) -> None:
    """Train a generator on a corpus, and evaluate it.

    These are the main options. seqgan train --algorithm NAME --help lists every hyper-parameter of an algorithm, with
    its value in --preset default."""
    name = ctx.meta["choice"]
    chosen = options.choose(name, CONFIGS[name], PRESETS[name], hyper)
    request = options.request(name)
    if corpus is None and not request.existing():
        nothing = f"there is no run in {options.resume} to continue, and " if options.resume else ""
        raise UsageError(
            f"{nothing}--corpus is missing: give a bundled one (poems, speeches) or a text file, one text a line"
        )

    from seqgan import training
    from seqgan.core import distributed
    from seqgan.runs import Source

    machine, source = options.machine(), Source(corpus, reading, valid, test)
    with distributed.process_group(machine.device):
        _, finished = training.begin_or_continue(
            request, chosen, source, machine, init_from=init_from, grow_vocabulary=grow_vocabulary
        )
    if finished:
        _report(finished)


def _report(finished: Any) -> None:
    """Five texts, a table, where the run lies, and how to go on."""
    from seqgan.evaluation import summary
    from seqgan.reporting import tables

    print_tables(tables(finished.evaluation.rows, short=True))
    for line in summary(finished.evaluation):
        click.echo(line)
    for temperature, texts in finished.texts.items():
        best = ", the best by BLEU-3 both ways on validation texts" if temperature == min(finished.texts) else ""
        click.echo(f"\nfive texts of the final policy at temperature {temperature:g}{best}:")
        for text in texts:
            click.echo(shown_text(text) + "\n" * ("\n" in text))
    word = in_shell(finished.folder)
    click.echo(
        f"\nthe run is in {finished.folder} ({finished.seconds:.0f} s of training); "
        f"more texts: seqgan generate {word} -n 20; all numbers: seqgan evaluate {word}"
    )
    if finished.report:
        click.echo(f"curves, numbers and texts on one page: {finished.report}")
    warn_about_quick(finished.folder)
