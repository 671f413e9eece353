"""`seqgan evaluate`: runs, saved models, files of texts, and rating sheets."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from seqgan.cli.corpora import CORPORA
from seqgan.cli.shared import DEVICE, found_again, is_saved_model, model_of, print_tables
from seqgan.core.bounds import DRAWN, PLACE, PLACE_NAME, SEED, TEXT, THREADS, OneOf
from seqgan.core.command import RUNS
from seqgan.errors import UsageError, one_line

if TYPE_CHECKING:
    from seqgan.library import TrainedRun


@click.command()
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
        if models := [str(run) for run in runs if is_saved_model(run)]:
            if len(runs) > 1 or blind:
                raise UsageError(
                    f"{models[0]} is a saved model, which is measured by itself; name it alone, without --blind"
                )
            use_threads(threads or 0)
            _evaluate_model(runs[0], device, source, count, seed or 0, tokens, aggregate, check, as_json, as_markdown)
            return
        trained = [found_again(run, device, **source) for run in runs]
        use_threads(min(cores(), trained[0].description["threads"]) if threads is None else threads)
        if blind:
            _write_sheet(trained[0], blind, count or 20, seed, overwrite)
        else:
            _evaluate_runs(trained, count, seed, tokens, aggregate, check, as_json, as_markdown)


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
        files.write(trained[0].folder / "evaluations" / "evaluation.json", schema.json_bytes(result.as_json()))
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
    model, corpus = model_of(folder, "final", device), load_corpus(name, **splits)
    result = evaluation.evaluate_models(
        {"model": model}, corpus, count=count, seed=seed, tokens=tokens, aggregation=aggregate
    )
    _show(result, evaluation.remarks(result), as_json, as_markdown)
    if check:
        _check(result, tokens, model.tokenizer.kind)


def _show(result: Any, remarks: Sequence[str], as_json: bool, as_markdown: bool) -> None:
    """An evaluation on stdout, in the form that was asked for."""
    from seqgan.core import schema
    from seqgan.reporting import markdown, tables

    if as_json:
        click.echo(schema.json_bytes(result.as_json()).decode(), nl=False)
    elif as_markdown:
        click.echo("\n".join([markdown(result.rows, result.pairs), "", *(f"- {one_line(line)}" for line in remarks)]))
    else:
        print_tables(tables(result.rows, result.pairs))
        for line in remarks:
            click.echo(one_line(line))


def _check(result: Any, tokens: str | None, kind: str) -> None:
    from seqgan import evaluation
    from seqgan.metrics.crosscheck import check_bleu

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
    from seqgan.core.report import rows_as_json
    from seqgan.data.readers import read_file, read_samples, read_texts
    from seqgan.data.tokens import suitable_tokens
    from seqgan.metrics.crosscheck import check_bleu
    from seqgan.metrics.texts import evaluate
    from seqgan.reporting import REAL, differences, differences_as_json, markdown, tables

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
        print_tables(tables(rows))
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
    from seqgan.reporting import Table

    rated, chances = ratings.analyse(ratings.read_sheets(sheets))
    if as_json:
        click.echo(json.dumps(ratings.as_json(rated, chances), indent=2))
        return
    rows = [[source, cell(r.mean, r.stderr), str(r.texts), str(r.ratings)] for source, r in rated.items()]
    told = [f"{pair}: p = {chance:.4f} (two-sided permutation of texts)" for pair, chance in chances.items()]
    print_tables([Table("ratings", ["", "mean", "texts", "ratings"], rows, told)])
