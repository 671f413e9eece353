"""The command line, thin: options in, one call, text out. What it imports at the top must not import torch."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from seqgan import __version__
from seqgan.algorithms.configs import CONFIGS, PRESETS
from seqgan.cli.bench import bench
from seqgan.cli.corpora import CORPORA, corpora
from seqgan.core.bounds import (
    DRAWN,
    PLACE,
    PLACE_NAME,
    PROMPT,
    SEED,
    STAGE,
    TEMPERATURE,
    TEXT,
    THREADS,
    TOP_K,
    TOP_P,
    OneOf,
)
from seqgan.core.command import CHOICES, RUNS, RunOptions, completing, run_command, run_options, runs, say_what_quick_is
from seqgan.core.config import ConfiguredCommand
from seqgan.errors import UsageError, one_line

if TYPE_CHECKING:
    from seqgan.generation import TextModel
    from seqgan.library import TrainedRun
    from seqgan.tables import Table


DEVICE = click.option("--device", type=TEXT, default="auto", help="auto, cpu, cuda ...", show_default=True)
THREAD_COUNT = click.option(
    "--threads", type=THREADS, default=0, help="0: as many as there are cores", show_default=True
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__)
def seqgan() -> None:
    """Text GANs that can be trusted: train, sample, measure.

    Start with: seqgan train --corpus poems"""


def _origins(ctx: click.Context, incomplete: str) -> list[str]:
    run, at, _ = incomplete.partition("@")
    return [f"{run}@{stage}" for stage in ("mle", "final", "best")] if at else runs(ctx, incomplete)


@seqgan.command(cls=ConfiguredCommand, chooser="--algorithm", configs=CONFIGS, presets=PRESETS, usual="seqgan")
@click.option(
    "--corpus",
    type=TEXT,
    shell_complete=CORPORA,
    help="a name (seqgan corpora list), a .txt/.csv/.json/.jsonl/.parquet file, or hf:owner/name",
)
@click.option("--text-column", type=TEXT, help="the column that holds the texts, in a file or dataset that has columns")
@click.option(
    "--valid", type=PLACE_NAME, metavar="FILE", help="validation texts  [a tenth of the corpus, by a hash of each text]"
)
@click.option("--test", type=PLACE_NAME, metavar="FILE", help="test texts  [another tenth]")
@click.option(
    "--from",
    "start",
    type=TEXT,
    shell_complete=completing(_origins),
    metavar="RUN[@STAGE]",
    help="begin from the policy of a run: @mle, @best, @STEP  [final]",
)
@click.option("--algorithm", default=None, shell_complete=CHOICES, help=f"{', '.join(CONFIGS)}  [seqgan]")
@run_options
@click.pass_context
def train(
    ctx: click.Context,
    /,
    corpus: str | None,
    text_column: str | None,
    valid: str | None,
    test: str | None,
    start: str | None,
    algorithm: str | None,
    options: RunOptions,
    **hyper: Any,
) -> None:
    """Train a generator on a corpus, and measure what training achieved.

    The options below are the hyper-parameters of the chosen --algorithm; in brackets, what is used without --preset."""
    name = ctx.meta["choice"]
    chosen = options.choose(name, CONFIGS[name], PRESETS[name], hyper)
    wanted = options.wanted(name)
    if corpus is None and not wanted.existing():
        nothing = f"there is no run in {options.resume} to continue, and " if options.resume else ""
        raise UsageError(
            f"{nothing}--corpus is missing: give a bundled one (poems, speeches) or a text file, one text a line"
        )

    from seqgan import training
    from seqgan.core import distributed

    machine = options.machine()
    source = {"name": corpus, "text_column": text_column, "valid": valid, "test": test}
    with distributed.process_group(machine["device"]):
        _, finished = training.begin_or_continue(
            wanted, chosen, source, start=start, display=options.display(), **machine
        )
    if finished:
        _report(finished)


def _report(finished: Any) -> None:
    """Five texts, a table, where the run lies, and how to go on."""
    from seqgan.evaluation import remarks
    from seqgan.tables import tables

    _print_tables(tables(finished.evaluation.rows, short=True))
    for line in remarks(finished.evaluation):
        click.echo(line)
    click.echo("\nfive texts of the final policy:")
    for text in finished.texts:
        click.echo(f"  {one_line(text)}")
    click.echo(
        f"\nthe run is in {finished.folder} ({finished.seconds:.0f} s of training); "
        f"more texts: seqgan generate {finished.folder} -n 20; all numbers: seqgan evaluate {finished.folder}"
    )
    say_what_quick_is(finished.folder)


def _print_tables(tables: Iterable["Table"]) -> None:
    from seqgan.core.report import print_table

    for title, headings, rows, signatures in tables:
        print_table([one_line(heading) for heading in headings], rows, title)
        for line in signatures:
            click.echo(f"  {line}")
        click.echo()


@seqgan.command()
@click.argument("run", type=PLACE, shell_complete=RUNS)
@click.option("-n", "--count", type=DRAWN, default=10, help="how many texts", show_default=True)
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
    help="only the likeliest tokens with this mass",
    show_default=True,
)
@click.option(
    "--seed",
    type=SEED,
    default=None,
    help="the same seed, the same texts  [a new one, told on stderr]",
)
@click.option(
    "--stage",
    type=STAGE,
    default="final",
    help="mle, final, best (by validation NLL), or the number of a checkpoint",
    show_default=True,
)
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line: text, tokens, ended")
@click.option("--output", type=PLACE, help="write to this file instead of stdout")
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
    """Write texts with the policy of RUN, one a line."""
    from seqgan.core import outputs
    from seqgan.core.device import use_threads

    write = outputs.writer(output, overwrite=overwrite) if output else None
    use_threads(threads)
    fresh = seed is None
    seed = int.from_bytes(os.urandom(4), "big") if seed is None else seed
    model = _model(run, stage, device, judge=False)
    _say_if_unfinished(run, stage)
    written = model.write(count, prompt=prompt, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    lines = [json.dumps(item._asdict(), ensure_ascii=False) if as_json else item.text for item in written]
    text = "".join(line + "\n" for line in lines)
    if write:
        write(text.encode())
    else:
        sys.stdout.write(text)
    if fresh:
        click.echo(f"--seed {seed}", err=True)


@seqgan.command()
@click.argument("run", type=PLACE, shell_complete=RUNS)
@click.argument("file", type=PLACE)
@click.option(
    "--stage", type=STAGE, default="final", help="mle, final, best, or the number of a checkpoint", show_default=True
)
@click.option("--text-column", type=TEXT, help="the column that holds the texts, where the file has columns")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line")
@DEVICE
@THREAD_COUNT
def score(run: Path, file: Path, stage: str, text_column: str | None, as_json: bool, device: str, threads: int) -> None:
    """How probable the texts in FILE are to the policy of RUN, and what its discriminator makes of them.

    One line a text: log-probability in nats, the same per token, tokens, unknown ones, P(real), the text. With --json
    also that of every token by itself (by_token), the end included."""
    from seqgan.core.device import use_threads
    from seqgan.data.readers import read_samples

    use_threads(threads)
    model = _model(run, stage, device)
    scored = model.score(read_samples(file, text_column))
    if not as_json:
        click.echo("log_prob\tper_token\ttokens\tunknown\treal\ttext")
    for item in scored:
        if as_json:
            click.echo(json.dumps({**item._asdict(), "per_token": item.per_token}, ensure_ascii=False))
        else:
            real = "" if item.real is None else f"{item.real:.3f}"
            numbers = f"{item.log_prob:.3f}\t{item.per_token:.3f}\t{item.tokens}\t{item.unknown}\t{real}"
            click.echo(f"{numbers}\t{item.text}")
    tokens = sum(item.tokens for item in scored)
    total = sum(item.log_prob for item in scored)
    unknown = sum(item.unknown for item in scored) / tokens
    click.echo(f"{len(scored)} texts, {-total / tokens:.4f} nats per token, {unknown:.1%} of them unknown", err=True)


def _model(folder: Path, stage: str, device: str, *, judge: bool = True) -> "TextModel":
    """The model of a run's stage, or of a folder that `save_pretrained` wrote, which has one."""
    from seqgan.core.device import resolve
    from seqgan.generation import load_model
    from seqgan.pretrained import from_pretrained

    if _is_saved_model(folder) and stage == "final":
        return from_pretrained(folder, device=resolve(device))
    return load_model(folder, stage, resolve(device), judge=judge)


def _is_saved_model(folder: Path) -> bool:
    return (folder / "config.json").is_file() and not (folder / "run.json").is_file()


def _say_if_unfinished(folder: Path, stage: str) -> None:
    """Of a run whose training has not ended, that its texts are of a policy on the way; a checkpoint is asked for as
    such."""
    from seqgan.generation import STAGES, describe_run
    from seqgan.training import unfinished

    if stage in STAGES and (folder / "run.json").is_file() and (told := unfinished(folder, describe_run(folder))):
        click.echo(f"{told[0]}", err=True)


@seqgan.command()
@click.argument("run", type=PLACE, shell_complete=RUNS)
@click.argument("folder", type=PLACE)
@click.option("--stage", type=STAGE, default="final", help="mle, final, best, or the number of a checkpoint")
@click.option(
    "--license", "licence", type=TEXT, default="unknown", help="of the model, for its card", show_default=True
)
@click.option("--corpus", type=TEXT, shell_complete=CORPORA, help="where the texts of RUN are now, if they have moved")
@click.option("--overwrite", is_flag=True, help="replace a saved model in FOLDER")
@DEVICE
def save(run: Path, folder: Path, stage: str, licence: str, corpus: str | None, overwrite: bool, device: str) -> None:
    """Save a model of RUN into FOLDER, to hand on: weights, tokenizer, and a card with its numbers and samples.

    seqgan generate, score and evaluate take FOLDER in the place of a run, seqgan.from_pretrained(FOLDER) loads it, and
    `hf upload OWNER/NAME FOLDER` puts it on the Hugging Face hub."""
    trained = _found_again(run, device, corpus=corpus)
    place = trained.save_pretrained(folder, stage=stage, license=licence, overwrite=overwrite)
    click.echo(
        f"the model is in {place}; texts: seqgan generate {place}; on the hub: hf upload OWNER/NAME {place}", err=True
    )


@seqgan.command()
@click.argument("runs", metavar="[RUN]...", type=PLACE, shell_complete=RUNS, nargs=-1)
@click.option("--samples", type=PLACE, help="instead of a run: a file of texts, one a line (.gz too)")
@click.option("--references", type=PLACE, help="with --samples: real texts to compare with")
@click.option("--training", type=PLACE, help="with --samples: texts that may have been copied")
@click.option("--real", type=PLACE, help="with --samples: real texts, a row of as many")
@click.option(
    "--corpus",
    type=TEXT,
    shell_complete=CORPORA,
    help="with RUN: where its texts are now, if they are no longer where they were",
)
@click.option("--valid", type=PLACE_NAME, metavar="FILE", help="with RUN: its validation texts, likewise")
@click.option("--test", type=PLACE_NAME, metavar="FILE", help="with RUN: its test texts, likewise")
@click.option("--text-column", type=TEXT, help="the column that holds the texts, where the files have columns")
@click.option("-n", "--count", type=DRAWN, help="texts in every row  [as many as validation has]")
@click.option("--seed", type=SEED, help="of the samples  [the run's own]")
@click.option("--tokens", type=OneOf(["words", "chars", "whitespace"]), help="what is counted  [what suits]")
@click.option(
    "--aggregate",
    type=OneOf(["sentence", "corpus"]),
    default="sentence",
    help="how BLEU sums up",
    show_default=True,
)
@click.option("--check", is_flag=True, help="compute some of the BLEUs again with nltk and sacrebleu")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout instead of tables")
@click.option("--markdown", "as_markdown", is_flag=True, help="one table of Markdown on stdout instead of tables")
@click.option("--blind", type=PLACE, metavar="FILE", help="write a rating sheet, of -n texts a kind")
@click.option("--ratings", type=PLACE, multiple=True, metavar="FILE", help="analyse filled sheets")
@click.option("--overwrite", is_flag=True, help="with --blind: replace a sheet and its key, ratings and all")
@DEVICE
@click.option("--threads", type=THREADS, help="last digits depend on them; 0: as many as cores  [those of the run]")
def evaluate(
    runs: tuple[Path, ...],
    samples: Path | None,
    references: Path | None,
    training: Path | None,
    real: Path | None,
    corpus: str | None,
    valid: str | None,
    test: str | None,
    text_column: str | None,
    count: int | None,
    seed: int | None,
    tokens: str | None,
    aggregate: Literal["sentence", "corpus"],
    check: bool,
    as_json: bool,
    as_markdown: bool,
    blind: Path | None,
    ratings: tuple[Path, ...],
    overwrite: bool,
    device: str,
    threads: int | None,
) -> None:
    """Measure RUN (every policy of it, and held-out real text), several runs of one corpus, or any file of texts.

    A saved model (seqgan save) stands in the place of RUN with --corpus, since it does not bring its texts along.

    \b
    seqgan evaluate runs/poems-seqgan-1
    seqgan evaluate my-model --corpus poems
    seqgan evaluate runs/poems-seqgan-1 runs/poems-seqgan-2 --markdown
    seqgan evaluate --samples theirs.txt --references test.txt --tokens words --json
    seqgan evaluate runs/poems-seqgan-1 --blind sheet.csv -n 20
    seqgan evaluate --ratings sheet.csv

    ± is a standard error. Rows share texts and seeds, so a difference of two has an error of its own, the paired one; a
    star marks a difference of more than two of them (of ten blocks 2.26, of three seeds 4.3: Student's t at 5 %; of
    twenty differences without a cause, one gets a star). Of several runs each is compared with the first; runs that
    differ in their seed alone become one row, their mean, with the error over seeds.

    \b
    What a number depends on stands below the tables, with it:
      n, rows      samples (texts) in the row; rows of held-out text
      refs, hyps   references; references that are scored as hypotheses
      err          how ± was found: over texts; over hypotheses; jackknife-10x27:
                   ten blocks of 27 texts, each left out in turn; /25: of which
                   25 are different, copies count as one; paired: of a difference
      smooth, agg  smoothing of BLEU; mean over sentences, or one for the corpus
      tok          tokens that are counted, or the tokenizer and its vocabulary
      long         what became of longer texts, and the longest: cut@64
      discriminator, unknown   whose verdicts; what stood for unknown tokens"""
    modes = {"RUN": runs, "--samples": samples, "--ratings": ratings}
    given = [name for name, value in modes.items() if value]
    if len(given) != 1:
        raise UsageError(f"give one of RUN, --samples and --ratings; given: {' and '.join(given) or 'none of them'}")
    belongs = {
        "--references": (references, ["--samples"]),
        "--training": (training, ["--samples"]),
        "--real": (real, ["--samples"]),
        "--corpus": (corpus, ["RUN"]),
        "--valid": (valid, ["RUN"]),
        "--test": (test, ["RUN"]),
        "--text-column": (text_column, ["RUN", "--samples"]),
        "-n": (count, ["RUN"]),
        "--blind": (blind, ["RUN"]),
        "--overwrite": (overwrite, ["RUN"]),
        "--threads": (threads, ["RUN"]),
        "--tokens": (tokens, ["RUN", "--samples"]),
        "--check": (check, ["RUN", "--samples"]),
        "--markdown": (as_markdown, ["RUN", "--samples"]),
    }
    for option, (value, owners) in belongs.items():
        if value and given[0] not in owners:
            raise UsageError(f"{option} has nothing to do with {given[0]}; it goes with {' or '.join(owners)}")
    if as_json and as_markdown:
        raise UsageError("--json and --markdown are two ways to print the same: give one of them")
    if len(runs) > 1 and (check or blind):
        raise UsageError(f"{'--check' if check else '--blind'} goes with one RUN; {len(runs)} were given")
    if overwrite and not blind:
        raise UsageError("--overwrite replaces a rating sheet; it goes with --blind")
    if check and (blind or (samples and not references)):
        raise UsageError("--check computes BLEU again: it needs a RUN to evaluate, or --samples with --references")
    if ratings:
        _analyse(ratings, as_json)
    elif samples:
        files = {"references": references, "training": training, "real": real}
        _evaluate_file(samples, files, text_column, tokens, aggregate, check, as_json, as_markdown)
    else:
        from seqgan.core.device import cores, use_threads
        from seqgan.ratings import sheet_at

        if blind:
            sheet_at(blind, overwrite=overwrite)
        source = {"corpus": corpus, "text_column": text_column, "valid": valid, "test": test}
        if models := [str(run) for run in runs if _is_saved_model(run)]:
            if len(runs) > 1 or blind:
                raise UsageError(
                    f"{models[0]} is a saved model, which is measured by itself; name it alone, without --blind"
                )
            use_threads(threads or 0)
            _evaluate_model(runs[0], device, source, count, seed or 0, tokens, aggregate, check, as_json, as_markdown)
            return
        trained = [_found_again(run, device, **source) for run in runs]
        use_threads(min(cores(), trained[0].description["threads"]) if threads is None else threads)
        if blind:
            _write_sheet(trained[0], blind, count or 20, seed, overwrite)
        else:
            _evaluate_runs(trained, count, seed, tokens, aggregate, check, as_json, as_markdown)


def _found_again(run: Path, device: str, **source: Any) -> "TrainedRun":
    """A run with its corpus, wherever that is now."""
    from seqgan.library import load
    from seqgan.training import moved

    trained = load(run, device=device, **source)
    for line in moved(run, trained.corpus()):
        click.echo(line, err=True)
    return trained


def _evaluate_runs(
    trained: Sequence["TrainedRun"],
    count: int | None,
    seed: int | None,
    tokens: str | None,
    aggregate: Literal["sentence", "corpus"],
    check: bool,
    as_json: bool,
    as_markdown: bool,
) -> None:
    from seqgan import compare, evaluation
    from seqgan.core import files, schema

    options: dict[str, Any] = {"count": count, "seed": seed, "tokens": tokens, "aggregation": aggregate}
    if len(trained) > 1:
        result = compare.compare(trained, **options)
        remarks = compare.remarks(result)
    else:
        result = trained[0].evaluate(**options)
        remarks = evaluation.remarks(result)
    if len(trained) == 1:
        files.make_folder(trained[0].folder / "evaluations")
        files.write(trained[0].folder / "evaluations" / "evaluation.json", schema.as_bytes(result.as_json()))
    _show(result, remarks, as_json, as_markdown)
    if check:
        _check(result, tokens, trained[0].description["tokenizer"])


def _evaluate_model(
    folder: Path,
    device: str,
    source: Mapping[str, Any],
    count: int | None,
    seed: int,
    tokens: str | None,
    aggregate: Literal["sentence", "corpus"],
    check: bool,
    as_json: bool,
    as_markdown: bool,
) -> None:
    from seqgan import evaluation
    from seqgan.data.corpus import load_corpus

    name, splits = source["corpus"], {key: value for key, value in source.items() if key != "corpus"}
    if name is None:
        raise UsageError(
            f"{folder} is a saved model, which does not bring its texts along; say by --corpus which to use"
        )
    model, corpus = _model(folder, "final", device), load_corpus(name, **splits)
    result = evaluation.evaluate_models(
        {"model": model}, corpus, count=count, seed=seed, tokens=tokens, aggregation=aggregate
    )
    _show(result, evaluation.remarks(result), as_json, as_markdown)
    if check:
        _check(result, tokens, model.tokenizer.kind)


def _show(result: Any, remarks: Sequence[str], as_json: bool, as_markdown: bool) -> None:
    """An evaluation on stdout, in the form that was asked for."""
    from seqgan.core import schema
    from seqgan.tables import markdown, tables

    if as_json:
        click.echo(schema.as_bytes(result.as_json()).decode(), nl=False)
    elif as_markdown:
        click.echo("\n".join([markdown(result.rows, result.pairs), "", *(f"- {one_line(line)}" for line in remarks)]))
    else:
        _print_tables(tables(result.rows, result.pairs))
        for line in remarks:
            click.echo(one_line(line))


def _check(result: Any, tokens: str | None, kind: str) -> None:
    from seqgan import evaluation
    from seqgan.checking import check_bleu

    texts = next(several for name, several in reversed(result.texts.items()) if name != "real")
    for line in check_bleu(texts, result.references, tokens or evaluation.tokens_of(kind, result.references)):
        click.echo(line, err=True)


def _evaluate_file(
    samples: Path,
    given: Mapping[str, Path | None],
    column: str | None,
    tokens: str | None,
    aggregate: Literal["sentence", "corpus"],
    check: bool,
    as_json: bool,
    as_markdown: bool,
) -> None:
    from seqgan.checking import check_bleu
    from seqgan.core.report import rows_as_json
    from seqgan.data.readers import read_file, read_samples, read_texts
    from seqgan.data.tokens import suitable_tokens
    from seqgan.metrics.texts import evaluate
    from seqgan.tables import REAL, differences, differences_as_json, markdown, tables

    texts = read_samples(samples, column)
    others = {name: read_texts(path, read_file(path), column) if path else [] for name, path in given.items()}
    cut = tokens or suitable_tokens(texts)
    against: dict[str, Any] = {"references": others["references"], "training": others["training"]}
    name = samples.name if samples.name != REAL else "samples"
    rows = {name: evaluate(texts, **against, tokens=cut, aggregation=aggregate)}
    if others["real"]:
        if len(others["real"]) < len(texts):
            raise UsageError(
                f"{given['real']} holds {len(others['real'])} texts and {samples} {len(texts)}: every row must have as "
                "many; give more real texts or fewer samples"
            )
        some = others["real"][: len(texts)]
        rows[REAL] = evaluate(some, **against, tokens=cut, aggregation=aggregate, held_out=True)
    if as_json:
        measured = rows_as_json(rows)
        told: dict[str, Any] = measured[name]
        if REAL in rows:
            told[REAL] = measured[REAL]
            told["differences"] = {pair: differences_as_json(row) for pair, row in differences(rows).items()}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    elif as_markdown:
        click.echo(markdown(rows))
    else:
        _print_tables(tables(rows))
    if "self-bleu-2" not in rows[name]:
        click.echo(
            f"{samples} holds a single line: Self-BLEU, which compares a text with the others, is undefined", err=True
        )
    if others["references"] and not others["real"]:
        click.echo("no --real FILE: what real text scores against these references is not known", err=True)
    if check:
        for line in check_bleu(texts, others["references"], cut):
            click.echo(line, err=True)


def _write_sheet(trained: "TrainedRun", sheet: Path, count: int, seed: int | None, overwrite: bool) -> None:
    from seqgan.ratings import sheet_of, write_sheet

    seed = trained.description["seed"] if seed is None else seed
    key = write_sheet(sheet, sheet_of(trained, count, seed), seed, overwrite=overwrite)
    click.echo(f"{sheet} is to be filled in (a number in the column rating); {key} says whose text is whose")
    click.echo(f"then: seqgan evaluate --ratings {sheet}")


def _analyse(sheets: Sequence[Path], as_json: bool) -> None:
    from seqgan import ratings
    from seqgan.core.report import cell
    from seqgan.tables import Table

    rated, chances = ratings.analyse(ratings.read_sheets(sheets))
    if as_json:
        click.echo(json.dumps(ratings.as_json(rated, chances), indent=2))
        return
    rows = [[source, cell(r.mean, r.stderr), str(r.texts), str(r.ratings)] for source, r in rated.items()]
    told = [f"{pair}: p = {chance:.4f} (two-sided permutation of texts)" for pair, chance in chances.items()]
    _print_tables([Table("ratings", ["", "mean", "texts", "ratings"], rows, told)])


seqgan.add_command(bench)
seqgan.add_command(corpora)


def main() -> None:
    run_command(seqgan)
