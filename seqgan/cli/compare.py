"""`seqgan compare`: arms and seeds in one table."""

from pathlib import Path
from typing import Any

import click

from seqgan.cli.shared import BEST_OF_OPTION, DEVICE, found_again, print_evaluation
from seqgan.core.bounds import DRAWN, PATH, SEED, THREADS, OneOf
from seqgan.core.options import RUNS
from seqgan.errors import UsageError


@click.command()
@click.argument("runs", metavar="RUN...", type=PATH, shell_complete=RUNS, nargs=-1, required=True)
@click.option("-n", "--count", type=DRAWN, help="texts in every row  [as many as validation texts, at most 10,000]")
@click.option("--seed", type=SEED, help="seed of the samples  [that of each run]")
@BEST_OF_OPTION
@click.option("--tokens", type=OneOf(["words", "chars", "whitespace"]), help="tokens to count  [as the script is]")
@click.option("--lowercase", is_flag=True, help="count tokens in lower case")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout instead of tables")
@click.option("--markdown", "as_markdown", is_flag=True, help="one table of Markdown on stdout instead of tables")
@DEVICE
@click.option("--threads", type=THREADS, help="the last digits depend on it; 0: all cores  [that of the first run]")
def compare(
    runs: tuple[Path, ...], as_json: bool, as_markdown: bool, device: str, threads: int | None, **options: Any
) -> None:
    """Compare finished runs of one corpus, arms and seeds, in one table with paired differences.

    Runs that differ in their seed alone are one arm: a row holds the mean over them, with the error over seeds. Each
    arm with a discriminator also has the row best-of-8: what its policy of MLE writes where the discriminator chooses
    among eight draws. That is what one would do in the place of adversarial training, so that a gain which is worth
    having is above it. Differences are those within an arm, of each arm and the first, and of each row and real
    text; a star marks what is more than its paired error explains."""
    from seqgan import compare as comparing
    from seqgan.core.device import cores, use_threads

    if as_json and as_markdown:
        raise UsageError("--json and --markdown are two ways to print the same: give one of them")
    trained = [found_again(run, device) for run in runs]
    use_threads(min(cores(), trained[0].description["threads"]) if threads is None else threads)
    given = {name: value for name, value in options.items() if value is not None}
    result = comparing.compare(trained, **given)
    print_evaluation(result, comparing.summary(result), as_json=as_json, as_markdown=as_markdown)
