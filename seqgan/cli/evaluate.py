"""`seqgan evaluate`: runs, saved models, files of texts, and rating sheets."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from seqgan.cli.corpora import CORPORA
from seqgan.cli.shared import (
    BEST_OF_OPTION,
    DEVICE,
    found_again,
    model_of,
    print_evaluation,
    print_tables,
    reading_options,
)
from seqgan.core.bounds import DRAWN, PATH, PATH_NAME, SEED, TEXT, THREADS, OneOf
from seqgan.core.files import in_shell
from seqgan.core.folder import is_saved_model
from seqgan.core.options import RUNS
from seqgan.data.reading import Reading
from seqgan.errors import UsageError
from seqgan.rewards.asked import Named

if TYPE_CHECKING:
    from seqgan.library import TrainedRun
    from seqgan.reporting import Evaluation
    from seqgan.runs import Source

FILE, RUN, SHEET = "--samples", "RUN", "--ratings"  # what there is to evaluate
# option -> what it goes with
GOES_WITH = {
    **dict.fromkeys(("references", "training", "real"), (FILE,)),
    **dict.fromkeys(("corpus", "valid", "test", "count", "best_of", "reward", "blind", "overwrite", "threads"), (RUN,)),
    **dict.fromkeys(("label_column", "labels"), (RUN,)),
    **dict.fromkeys((*Reading._fields[:4], "tokens", "lowercase", "check", "markdown"), (RUN, FILE)),
}


@dataclass(frozen=True)
class Asked:
    """The options of the command."""

    runs: tuple[Path, ...]
    samples: Path | None
    references: Path | None
    training: Path | None
    real: Path | None
    corpus: str | None
    valid: str | None
    test: str | None
    reading: Reading
    count: int | None
    seed: int | None
    tokens: str | None
    aggregate: Literal["sentence", "corpus"]
    lowercase: bool
    best_of: int | None
    reward: tuple[str, ...] | None
    check: bool
    json: bool
    markdown: bool
    blind: Path | None
    ratings: tuple[Path, ...]
    overwrite: bool
    device: str
    threads: int | None

    def what(self) -> str:
        """What there is to evaluate.

        Raises:
            UsageError: options contradict each other."""
        given = [name for name, value in ((RUN, self.runs), (FILE, self.samples), (SHEET, self.ratings)) if value]
        if len(given) != 1:
            names = " and ".join(given) or "none of them"
            raise UsageError(f"give one of RUN, --samples and --ratings; given: {names}")
        asked = {**vars(self), **self.reading._asdict()}
        for name, owners in GOES_WITH.items():
            if asked[name] not in (None, False) and given[0] not in owners:
                option = "-n" if name == "count" else f"--{name.replace('_', '-')}"
                raise UsageError(f"{option} has nothing to do with {given[0]}; it goes with {' or '.join(owners)}")
        if self.json and self.markdown:
            raise UsageError("--json and --markdown are two ways to print the same: give one of them")
        if len(self.runs) > 1 and (self.check or self.blind):
            raise UsageError(f"{'--check' if self.check else '--blind'} goes with one RUN; {len(self.runs)} were given")
        if self.overwrite and not self.blind:
            raise UsageError("--overwrite replaces a rating sheet; it goes with --blind")
        if self.check and (self.blind or (self.samples and not self.references)):
            raise UsageError("--check computes BLEU again: it needs a RUN to evaluate, or --samples with --references")
        return given[0]

    def source(self) -> "Source":
        from seqgan.runs import Source

        return Source(self.corpus, self.reading, self.valid, self.test)

    def measure(self) -> dict[str, Any]:
        asked = {"count": self.count, "seed": self.seed, "rewards": self.reward, **self.counted()}
        return asked if self.best_of is None else {**asked, "best_of": self.best_of}

    def counted(self) -> dict[str, Any]:
        return {"tokens": self.tokens, "aggregation": self.aggregate, "lowercase": self.lowercase}


@click.command()
@click.argument("runs", metavar="[RUN]...", type=PATH, shell_complete=RUNS, nargs=-1)
@click.option("--samples", type=PATH, help="instead of RUN: a file of texts, one a line (.gz too)")
@click.option("--references", type=PATH, help="with --samples: real texts to compare with")
@click.option("--training", type=PATH, help="with --samples: texts that may have been copied")
@click.option("--real", type=PATH, help="with --samples: real texts, for a row of as many")
@click.option(
    "--corpus",
    type=TEXT,
    shell_complete=CORPORA,
    help="with RUN: where its texts are now, if they have moved",
)
@click.option("--valid", type=PATH_NAME, metavar="FILE", help="with RUN: its validation texts, if they have moved")
@click.option("--test", type=PATH_NAME, metavar="FILE", help="with RUN: its test texts, if they have moved")
@reading_options
@click.option("-n", "--count", type=DRAWN, help="texts in every row  [as many as validation texts, at most 10,000]")
@click.option("--seed", type=SEED, help="seed of the samples  [that of the run]")
@click.option(
    "--tokens",
    type=OneOf(["words", "chars", "whitespace"]),
    help="tokens to count  [chars for Chinese, Japanese, Korean, else words]",
)
@click.option(
    "--aggregate",
    type=OneOf(["sentence", "corpus"]),
    default="sentence",
    help="BLEU as mean over sentences or of the corpus",
    show_default=True,
)
@click.option("--lowercase", is_flag=True, help="count tokens in lower case")
@BEST_OF_OPTION
@click.option(
    "--reward",
    type=Named(),
    multiple=True,
    callback=lambda ctx, param, given: given or None,
    metavar="NAME[:ARGUMENT]",
    help="what texts earn by it  [those of the run]",
)
@click.option("--check", is_flag=True, help="recompute some of the BLEUs with nltk and sacrebleu")
@click.option("--json", is_flag=True, help="JSON on stdout instead of tables")
@click.option("--markdown", is_flag=True, help="Markdown on stdout instead of tables")
@click.option("--blind", type=PATH, metavar="FILE", help="write a sheet for human ratings, with -n texts of each kind")
@click.option("--ratings", type=PATH, multiple=True, metavar="FILE", help="analyse filled sheets")
@click.option("--overwrite", is_flag=True, help="with --blind: replace a sheet and its key, with its ratings")
@DEVICE
@click.option("--threads", type=THREADS, help="the last digits depend on it; 0: all cores  [that of the run]")
def evaluate(**options: Any) -> None:
    """Evaluate RUN (all its policies, beside held-out real text), several runs of one corpus, or a file of texts.

    A saved model (seqgan save) is evaluated with --corpus, since it does not hold its texts.

    \b
    seqgan evaluate runs/poems-seqgan-1
    seqgan evaluate my-model --corpus poems
    seqgan evaluate runs/poems-seqgan-1 runs/poems-seqgan-2 --markdown
    seqgan evaluate --samples theirs.txt --references test.txt --tokens words --json
    seqgan evaluate runs/poems-seqgan-1 --blind sheet.csv -n 20
    seqgan evaluate --ratings sheet.csv

    ± is a standard error. Rows share texts and seeds, so a difference of two has an error of its own, the paired one; a
    star marks a difference of more than two of them (2.26 for ten blocks, 4.3 for three seeds: Student's t at 5%, so
    that one of twenty differences by chance gets a star). Several runs are compared with the first; runs that
    differ in their seed alone become one row, their mean, with the error over seeds.

    \b
    The signatures below the tables name what a number depends on:
      n, rows      samples (texts) in the row; rows of held-out text
      refs, hyps   references; references that are scored as hypotheses
      err          how ± is estimated: over texts; over hypotheses; jackknife-10x27:
                   ten blocks of 27 texts, each left out in turn; /25: of which
                   25 are different, copies count as one; paired: of a difference
      smooth, agg  smoothing of BLEU; mean over sentences, or one for the corpus
      valid, test  a choice of the texts of a larger split: 10000/40213
      case         lc: tokens are counted in lower case
      tok          tokens that are counted, or the tokenizer and its vocabulary
      overlong     treatment of longer texts, and the limit: truncate@64
      given        the label: the number is of texts given their label
      classifier   a linear one of bags of tokens, and its training texts
      discriminator, unknown   fingerprint of its weights; what replaced unknown tokens
      slope        the texts that the slope of its logit is fitted on"""
    asked = Asked(**options)
    {RUN: _evaluate_runs, FILE: _evaluate_file, SHEET: _analyse}[asked.what()](asked)


def _evaluate_runs(asked: Asked) -> None:
    from seqgan import compare, evaluation
    from seqgan.core import files, schema
    from seqgan.core.device import cores, use_threads
    from seqgan.data.tokens import tokens_of
    from seqgan.ratings import sheet_at

    if asked.blind:
        sheet_at(asked.blind, overwrite=asked.overwrite)
    if models := [str(run) for run in asked.runs if is_saved_model(run)]:
        if len(asked.runs) > 1 or asked.blind:
            raise UsageError(
                f"{models[0]} is a saved model, which is measured by itself; name it alone, without --blind"
            )
        _evaluate_model(asked)
        return
    trained = [found_again(run, asked.device, asked.source()) for run in asked.runs]
    use_threads(min(cores(), trained[0].description["threads"]) if asked.threads is None else asked.threads)
    if asked.blind:
        _write_sheet(trained[0], asked.blind, asked)
    elif len(trained) > 1:
        result = compare.compare(trained, **asked.measure())
        _show(result, compare.summary(result), asked, "")
    else:
        result = trained[0].evaluate(**asked.measure())
        remarks = evaluation.summary(result)
        result.facts["summary"] = remarks
        files.make_folder(trained[0].folder / "evaluations")
        files.write(trained[0].folder / "evaluations" / "evaluation.json", schema.json_bytes(result.as_json()))
        tokens = asked.tokens or tokens_of(trained[0].description["tokenizer"], result.references)
        _show(result, remarks, asked, tokens)


def _evaluate_model(asked: Asked) -> None:
    from seqgan import evaluation
    from seqgan.core.device import use_threads
    from seqgan.data.encoding import encoded
    from seqgan.data.tokens import tokens_of
    from seqgan.reporting import REAL
    from seqgan.warm_start import MOST_UNKNOWN

    folder, source = asked.runs[0], asked.source()
    if source.corpus is None:
        raise UsageError(f"{folder} is a saved model, which does not hold its texts; name them with --corpus")
    if asked.reward:
        raise UsageError(f"{folder} is a saved model, and --reward wants the training texts of a run; leave it out")
    use_threads(asked.threads or 0)
    model = model_of(folder, "final", asked.device)
    options = {**asked.measure(), "seed": asked.seed or 0, "rewards": {}}
    result = evaluation.evaluate_models({"model": model}, encoded(source.load(), model.tokenizer), **options)
    tokens = asked.tokens or tokens_of(model.tokenizer.kind, result.references)
    _show(result, evaluation.summary(result), asked, tokens)
    if (share := result[REAL]["unknown"].value) > MOST_UNKNOWN:
        click.echo(
            f"warning: {share:.0%} of the tokens of {source.corpus} are unknown to {folder}, so that its numbers say "
            "next to nothing; name texts like those that it was trained on",
            err=True,
        )


def _evaluate_file(asked: Asked) -> None:
    from seqgan.data.readers import read_samples, read_texts
    from seqgan.data.reading import kind_of
    from seqgan.data.tokens import suitable_tokens
    from seqgan.metrics.texts import evaluate
    from seqgan.reporting import REAL, Evaluation

    assert asked.samples
    name, samples = asked.samples.name, read_samples(asked.samples, asked.reading)
    name = name if name != REAL else "samples"
    kind = kind_of(asked.samples)
    references, training, real = (
        list(read_texts(path, asked.reading if kind_of(path) == kind else asked.reading.fitting(path))) if path else []
        for path in (asked.references, asked.training, asked.real)
    )
    tokens = asked.tokens or suitable_tokens(samples)
    options: dict[str, Any] = {**asked.counted(), "tokens": tokens}
    rows = {name: evaluate(samples, references, training, **options)}
    if real:
        if len(real) < len(samples):
            raise UsageError(
                f"{asked.real} holds {len(real)} texts and {asked.samples} {len(samples)}: every row must have as "
                "many; give more real texts or fewer samples"
            )
        rows[REAL] = evaluate(real[: len(samples)], references, training, **options, held_out=True)
    _show(Evaluation(rows, texts={name: samples}, references=references), [], asked, tokens)
    if empty := samples.count(""):
        click.echo(
            f"{empty} of the {len(samples)} texts of {asked.samples} are empty: a blank line is an empty sample, which "
            "lowers most numbers; remove such lines if they are no samples",
            err=True,
        )
    if "self-bleu-2" not in rows[name]:
        click.echo(f"{asked.samples} holds a single text, of which there is no Self-BLEU", err=True)
    if references and not real:
        click.echo("no --real FILE: what real text scores against these references is not known", err=True)


def _show(result: "Evaluation", summary: Sequence[str], asked: Asked, tokens: str) -> None:
    """An evaluation on stdout, in the form that was asked for; with --check, BLEU by other libraries on stderr."""
    from seqgan.metrics.crosscheck import check_bleu
    from seqgan.reporting import REAL

    print_evaluation(result, summary, as_json=asked.json, as_markdown=asked.markdown)
    if asked.check:
        texts = next(several for name, several in reversed(result.texts.items()) if name != REAL)
        references = result.references
        if asked.lowercase:
            texts, references = ([text.lower() for text in some] for some in (texts, references))
        for line in check_bleu(texts, references, tokens):
            click.echo(line, err=True)


def _write_sheet(trained: "TrainedRun", sheet: Path, asked: Asked) -> None:
    from seqgan.ratings import sheet_of, write_sheet

    seed = trained.description["seed"] if asked.seed is None else asked.seed
    key = write_sheet(sheet, sheet_of(trained, asked.count or 20, seed), seed, overwrite=asked.overwrite)
    click.echo(f"fill in a number in the column rating of {sheet}; {key} holds which text is from where")
    click.echo(f"then: seqgan evaluate --ratings {in_shell(sheet)}")


def _analyse(asked: Asked) -> None:
    from seqgan import ratings
    from seqgan.core.report import cell
    from seqgan.reporting import Table

    rated, chances = ratings.analyse(ratings.read_sheets(asked.ratings))
    if asked.json:
        click.echo(json.dumps(ratings.as_json(rated, chances), indent=2))
        return
    rows = [[source, cell(r.mean, r.stderr), str(r.texts), str(r.ratings)] for source, r in rated.items()]
    lines = [f"{pair}: p = {chance:.4f} (two-sided permutation of texts)" for pair, chance in chances.items()]
    print_tables([Table("ratings", ["", "mean", "texts", "ratings"], rows, lines)])
