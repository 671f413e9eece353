"""`imagegan bench`. What it imports at the top must not import torch."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from imagegan.variants.configs import CONFIGS
from seqgan.core.bounds import COUNT, PLACE, RATE, SEED, TEXT, OneOf, Several, Whole
from seqgan.core.config import nearest
from seqgan.errors import UsageError, quoted

BUDGET = 128_000


class Different(Several):
    """A list in which nothing stands twice."""

    def check(self, value: Any) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(super().check(value)))


class Model(OneOf):
    """A model by its name."""

    def read(self, text: str) -> str:
        return text.strip()

    def wrong(self, value: Any) -> str:
        return f"there is no model {quoted(value)}{nearest(value, self.choices)}"


MODELS = Different(Model(list(CONFIGS)), "gan,dcgan")


@click.command()
@click.option(
    "--models",
    type=MODELS,
    default=",".join(CONFIGS),
    help="which, with commas  [all]",
)
@click.option(
    "--data",
    type=TEXT,
    multiple=True,
    default=("digits",),
    metavar="NAME[=PATH]",
    help="what to learn from (may be repeated), with the folder it is read from: fashion-mnist=PATH  [digits]",
)
@click.option("--seeds", type=Different(SEED, "0,1,2"), default="0,1,2", show_default=True)
@click.option(
    "--budget",
    type=COUNT,
    default=None,
    help=f"images that pass through a run's turns, a batch for each turn of each player  [{BUDGET}]",
)
@click.option(
    "--rates",
    type=Different(RATE, "0.5,1,2"),
    default=None,
    help="try the usual learning rates times these, and report the best on validation images  [1]",
)
@click.option("--preset", type=OneOf(["default", "quick", "paper"]), default="default", show_default=True)
@click.option("--claims", is_flag=True, help="train whole presets instead, and check what each variant is for")
@click.option("--out", type=PLACE, default=Path("runs/bench"), help="where the runs go", show_default=True)
@click.option("--jobs", type=Whole(1, 4096), default=1, help="runs side by side, a thread each", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="print JSON")
@click.option("--markdown", is_flag=True, help="print Markdown")
@click.pass_context
def bench(
    ctx: click.Context,
    models: Sequence[str],
    data: Sequence[str],
    seeds: Sequence[int],
    budget: int | None,
    rates: Sequence[float] | None,
    preset: str,
    claims: bool,
    out: Path,
    jobs: int,
    as_json: bool,
    markdown: bool,
) -> None:
    """Compare models at an equal budget, or check what each variant is for.

    Every run is a run directory under --out, so a bench that was stopped goes on where it was. Reported are the last
    steps of all runs, on held-out images that nothing was chosen by."""
    if as_json and markdown:
        raise UsageError("print either --json or --markdown")
    if claims:
        _refuse_beside_claims(ctx)
        _claims(seeds, preset, out / "claims", jobs, as_json, markdown)
    else:
        _table(models, data, seeds, budget or BUDGET, rates or (1.0,), preset, out, jobs, as_json, markdown)


def _refuse_beside_claims(ctx: click.Context) -> None:
    for name in ("models", "data", "budget", "rates"):
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise UsageError(f"--claims says itself what is trained, and for how long; leave out --{name}")


def _say(line: str) -> None:
    click.echo(line, err=True)


def _table(
    models: Sequence[str],
    data: Sequence[str],
    seeds: Sequence[int],
    budget: int,
    rates: Sequence[float],
    preset: str,
    out: Path,
    jobs: int,
    as_json: bool,
    markdown: bool,
) -> None:
    from imagegan.bench import plan, runs, table
    from imagegan.bench.measures import Source

    sources = [Source(name, Path(path) if path else None) for name, _, path in (one.partition("=") for one in data)]
    asked = plan.compared(models, sources, seeds, rates, preset, budget, out)
    results = runs.carried_out([job for some in asked.values() for job in some], jobs, _say)
    told = {source.name: table.entries(source, models, rates, asked, results) for source in sources}
    if as_json:
        lines = {name: [table.as_json(found) for found in entries] for name, entries in told.items()}
        facts = {"budget": budget, "preset": preset, "seeds": seeds, "rates": rates}
        click.echo(json.dumps({**facts, "data": lines}, indent=2))
        return
    for name, entries in told.items():
        columns = table.headings(entries)
        _print([[name, *columns, *table.LAST], *(table.cells(found, columns) for found in entries)], markdown)
        click.echo("\n".join(f"  {line}" for line in table.signatures(entries, columns)) + "\n")
    click.echo(f"  budget of a run: {budget} images through its turns, a batch for each turn of each player")
    click.echo(f"  preset {preset}, seeds {_listed(seeds)}, ± their standard deviation; the last step of every run")
    if len(rates) > 1:
        click.echo(f"  learning rates: {_listed(rates)} times the preset's, the best on validation images")
    if any(found.failed for entries in told.values() for found in entries):
        click.echo("  * of its runs some failed: diverged (not in the mean) or collapsed (half the variety or classes)")


def _claims(seeds: Sequence[int], preset: str, out: Path, jobs: int, as_json: bool, markdown: bool) -> None:
    from imagegan.bench import claims, plan, runs, table
    from imagegan.data import digits
    from seqgan.core.device import use_threads

    use_threads(runs.THREADS)
    asked = plan.claimed(seeds, preset, out)
    results = runs.carried_out([job for some in asked.values() for job in some], jobs, _say)
    found = {name: [results[job.place] for job in some] for name, some in asked.items()}
    told = claims.claims(found, claims.seconds_in_turn(digits(1000), preset))
    if as_json:
        facts = {"preset": preset, "seeds": seeds}
        click.echo(json.dumps({**facts, "claims": [claim.as_json() for claim in told]}, indent=2))
        return
    _print([["claim", "figure", "target", "", "plain gan"], *(claim.cells() for claim in told)], markdown)
    measured = [table.entry(name, some) for name, some in found.items()]
    click.echo("\n".join(f"  {line}" for line in table.signatures(measured, claims.METRICS)) + "\n")
    for name, some in found.items():
        for result, seed in zip(some, seeds, strict=True):
            if result.failed:
                click.echo(f"  {name} seed {seed}: {result.failed}")
    click.echo(f"  preset {preset}, seeds {_listed(seeds)}, ± their standard deviation; on held-out images")


def _listed(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)


def _print(rows: Sequence[Sequence[str]], markdown: bool) -> None:
    from seqgan.core import report

    if markdown:
        click.echo(report.markdown(rows[0], rows[1:]) + "\n")
        return
    report.print_table([heading.replace("-", " ") for heading in rows[0]], rows[1:])
