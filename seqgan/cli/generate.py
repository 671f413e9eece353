"""`seqgan generate` and `seqgan score`."""

import json
import os
import sys
from pathlib import Path

import click

from seqgan.cli.shared import DEVICE, THREAD_COUNT, is_saved_model, model_of, reading_options
from seqgan.core.bounds import DRAWN, PATH, PROMPT, SEED, STAGE, TEMPERATURE, TOP_K, TOP_P
from seqgan.core.options import RUNS
from seqgan.data.readers import Reading
from seqgan.errors import one_line


@click.command()
@click.argument("run", type=PATH, shell_complete=RUNS)
@click.option(
    "-n", "--count", "--num-return-sequences", "count", type=DRAWN, default=10, help="how many texts", show_default=True
)
@click.option("--prompt", type=PROMPT, default="", help="continue this text")
@click.option(
    "--temperature",
    type=TEMPERATURE,
    default=1.0,
    help="below 1: likelier and less varied",
    show_default=True,
)
@click.option("--top-k", type=TOP_K, default=0, help="only the k likeliest tokens; 0: all", show_default=True)
@click.option(
    "--top-p",
    type=TOP_P,
    default=1.0,
    help="only the likeliest tokens of this total probability",
    show_default=True,
)
@click.option(
    "--seed",
    type=SEED,
    default=None,
    help="the same seed gives the same texts  [a new one, printed on stderr]",
)
@click.option(
    "--stage",
    type=STAGE,
    default="final",
    help="mle, final, best (by validation NLL), or the number of a checkpoint",
    show_default=True,
)
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line: text, tokens, ended")
@click.option("--output", type=PATH, help="write to this file instead of stdout")
@click.option("--overwrite", is_flag=True, help="replace the file that --output names")
@DEVICE
@THREAD_COUNT
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
    overwrite: bool,
    device: str,
    threads: int,
) -> None:
    """Generate texts with the policy of RUN, one a line.

    Texts of several lines are told apart by an empty line after each (by a line of % where texts hold empty lines)."""
    from seqgan.core import outputs
    from seqgan.core.device import use_threads
    from seqgan.data.texts import printed

    write = outputs.writer(output, overwrite=overwrite) if output else None
    use_threads(threads)
    fresh = seed is None
    seed = int.from_bytes(os.urandom(4), "big") if seed is None else seed
    model = model_of(run, stage, device, with_discriminator=False)
    _warn_if_unfinished(run, stage)
    written = model.generate_detailed(
        count, prompt=prompt, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed
    )
    if as_json:
        text = "".join(json.dumps(item._asdict(), ensure_ascii=False) + "\n" for item in written)
    else:
        texts, several_lines = [item.text for item in written], not model.tokenizer.unknown("\n")
        text, split_on = printed(texts, several_lines=several_lines)
        if split_on != "line":
            click.echo(f"texts of several lines: read them again with --split-on {split_on}, or use --json", err=True)
    if write:
        write(text.encode())
    else:
        sys.stdout.write(text)
    if fresh:
        click.echo(f"--seed {seed}", err=True)


@click.command()
@click.argument("run", type=PATH, shell_complete=RUNS)
@click.argument("file", type=PATH)
@click.option(
    "--stage", type=STAGE, default="final", help="mle, final, best, or the number of a checkpoint", show_default=True
)
@reading_options
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line")
@DEVICE
@THREAD_COUNT
def score(run: Path, file: Path, stage: str, reading: Reading, as_json: bool, device: str, threads: int) -> None:
    """Score the texts in FILE: their log-probability under the policy of RUN, and P(real) by its discriminator.

    One line a text: log-probability in nats, the same per token, tokens, unknown tokens, P(real), the text. --json adds
    the log-probability of every token (by_token), EOS included."""
    from seqgan.core.device import use_threads
    from seqgan.data.readers import read_samples

    use_threads(threads)
    model = model_of(run, stage, device)
    scored = model.score(read_samples(file, reading))
    if not as_json:
        click.echo("log_prob\tper_token\ttokens\tunknown\treal\ttext")
    for item in scored:
        if as_json:
            click.echo(json.dumps({**item._asdict(), "per_token": item.per_token}, ensure_ascii=False))
        else:
            real = "" if item.real is None else f"{item.real:.3f}"
            numbers = f"{item.log_prob:.3f}\t{item.per_token:.3f}\t{item.tokens}\t{item.unknown}\t{real}"
            click.echo(f"{numbers}\t{one_line(item.text)}")
    tokens = sum(item.tokens for item in scored)
    total = sum(item.log_prob for item in scored)
    unknown = sum(item.unknown for item in scored) / tokens
    click.echo(f"{len(scored)} texts, {-total / tokens:.4f} nats per token, {unknown:.1%} of them unknown", err=True)


def _warn_if_unfinished(folder: Path, stage: str) -> None:
    """Of a run whose training has not ended; a checkpoint by its number is meant as such."""
    from seqgan.runs import STAGES, progress

    if stage in STAGES and not is_saved_model(folder) and (message := progress(folder).get("unfinished")):
        click.echo(message, err=True)
