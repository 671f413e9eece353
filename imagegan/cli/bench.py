"""`imagegan bench`: models compared. What it imports at the top must not import torch."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from imagegan.variants.configs import CONFIGS
from seqgan.core.bounds import COUNT, PATH, SEED, TEXT, OneOf, Several, Whole
from seqgan.core.config import nearest
from seqgan.errors import UsageError, quoted


class Different(Several):
    """A list without duplicates."""

    def check(self, value: Any) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(super().check(value)))


class Model(OneOf):
    """A model by its name."""

    def read(self, text: str) -> str:
        return text.strip()

    def wrong(self, value: Any) -> str:
        return f"there is no model {quoted(value)}{nearest(value, self.choices)}"


MODELS = Different(Model(list(CONFIGS)), "gan,dcgan")


@click.group()
def bench() -> None:
    """Compare models."""


@bench.command("models")
@click.option(
    "--models",
    type=MODELS,
    default=",".join(CONFIGS),
    help="models, separated by commas  [all]",
)
@click.option(
    "--data",
    type=TEXT,
    multiple=True,
    default=("digits",),
    metavar="NAME[=PATH]",
    help="dataset (may be repeated), with its folder where it is read: fashion-mnist=PATH  [digits]",
)
@click.option("--seeds", type=Different(SEED, "0,1,2"), default="0,1,2", show_default=True)
@click.option(
    "--budget",
    type=COUNT,
    default=128_000,
    help="training images of a run, counting a batch for each update of each player",
    show_default=True,
)
@click.option("--preset", type=OneOf(["default", "quick", "paper"]), default="default", show_default=True)
@click.option("--out", type=PATH, default=Path("runs/bench"), help="where the runs go", show_default=True)
@click.option("--jobs", type=Whole(1, 4096), default=1, help="runs side by side, a thread each", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="print JSON")
@click.option("--markdown", is_flag=True, help="print Markdown")
def at_one_budget(
    models: Sequence[str],
    data: Sequence[str],
    seeds: Sequence[int],
    budget: int,
    preset: str,
    out: Path,
    jobs: int,
    as_json: bool,
    markdown: bool,
) -> None:
    """Compare models at an equal budget, with the hyper-parameters of a preset.

    Every run is a run directory under --out, so that a bench that was stopped can be resumed. Measured is the last step
    of each run, on held-out images that no choice was based on."""
    if as_json and markdown:
        raise UsageError("print either --json or --markdown")
    from imagegan.bench import plan, runs, table
    from imagegan.bench.measures import Source

    sources = [Source(name, Path(path) if path else None) for name, _, path in (one.partition("=") for one in data)]
    asked = {source.name: plan.compared(models, source, seeds, preset, budget, out) for source in sources}
    every = [job for of_source in asked.values() for of_model in of_source.values() for job in of_model]
    results = runs.run_all(every, jobs, partial(click.echo, err=True))
    tables = {name: table.entries(of_source, results) for name, of_source in asked.items()}
    if as_json:
        lines = {name: [table.as_json(found) for found in entries] for name, entries in tables.items()}
        facts = {"budget": budget, "preset": preset, "seeds": seeds}
        click.echo(json.dumps({**facts, "data": lines}, indent=2))
        return
    for name, entries in tables.items():
        columns = table.headings(entries)
        _print([[name, *columns, *table.LAST], *(table.cells(found, columns) for found in entries)], markdown)
        click.echo("\n".join(f"  {line}" for line in table.signatures(entries, columns)) + "\n")
    click.echo(f"  budget of a run: {budget} training images, a batch for each update of each player")
    click.echo(
        f"  preset {preset}, seeds {', '.join(map(str, seeds))}, ± their standard deviation; the last step of every run"
    )
    if any(found.failed for entries in tables.values() for found in entries):
        click.echo("  * some runs failed: diverged (not in the mean) or collapsed (half of the variety or classes)")


def _print(rows: Sequence[Sequence[str]], markdown: bool) -> None:
    from seqgan.core import report

    if markdown:
        click.echo(report.markdown(rows[0], rows[1:]) + "\n")
        return
    report.print_table([heading.replace("-", " ") for heading in rows[0]], rows[1:])
