"""`imagegan bench`: models compared. What it imports at the top must not import torch."""

import json
from collections.abc import Callable, Sequence
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagegan.bench.ranges import STUDIED
from imagegan.variants.configs import CONFIGS
from seqgan.core.bounds import COUNT, PATH, SEED, TEXT, OneOf, Several, Whole
from seqgan.core.config import nearest
from seqgan.errors import UsageError, quoted

if TYPE_CHECKING:
    from imagegan.bench.measures import Source
    from imagegan.bench.table import Entry


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


Command = Callable[..., Any]


def shared(known: Sequence[str], seeds: str, folder: str) -> Callable[[Command], Command]:
    """The options of all comparisons."""
    options = [
        click.option(
            "--models",
            type=Different(Model(known), ",".join(known[:2])),
            default=",".join(known),
            help="models, separated by commas  [all]",
        ),
        click.option(
            "--data",
            type=TEXT,
            multiple=True,
            default=("digits",),
            metavar="NAME[=PATH]",
            help="dataset (may be repeated), with its folder where it is read: fashion-mnist=PATH  [digits]",
        ),
        click.option("--seeds", type=Different(SEED, "0,1,2"), default=seeds, show_default=True),
        click.option(
            "--budget",
            type=COUNT,
            default=128_000,
            help="training images of a run, counting a batch for each update of each player",
            show_default=True,
        ),
        click.option("--out", type=PATH, default=Path(folder), help="where the runs go", show_default=True),
        click.option(
            "--jobs", type=Whole(1, 4096), default=1, help="runs side by side, a thread each", show_default=True
        ),
        click.option("--json", "as_json", is_flag=True, help="print JSON"),
        click.option("--markdown", is_flag=True, help="print Markdown"),
    ]
    return lambda command: reduce(lambda made, option: option(made), reversed(options), command)


@click.group()
def bench() -> None:
    """Compare models."""


@bench.command("models")
@shared(list(CONFIGS), "0,1,2", "runs/bench")
@click.option("--preset", type=OneOf(["default", "quick", "paper"]), default="default", show_default=True)
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
    _refuse_both(as_json, markdown)
    from imagegan.bench import plan, runs, table

    asked = {source.name: plan.compared(models, source, seeds, preset, budget, out) for source in _sources(data)}
    every = [job for of_source in asked.values() for of_model in of_source.values() for job in of_model]
    results = runs.run_all(every, jobs, partial(click.echo, err=True))
    tables = {name: table.entries(of_source, results) for name, of_source in asked.items()}
    if as_json:
        lines = {name: [table.as_json(found) for found in entries] for name, entries in tables.items()}
        facts = {"budget": budget, "preset": preset, "seeds": seeds}
        click.echo(json.dumps({**facts, "data": lines}, indent=2))
        return
    for name, entries in tables.items():
        _print_entries(name, entries, markdown)
    click.echo(f"  budget of a run: {budget} training images, a batch for each update of each player")
    click.echo(
        f"  preset {preset}, seeds {', '.join(map(str, seeds))}, ± their standard deviation; the last step of every run"
    )
    if any(found.failed for entries in tables.values() for found in entries):
        click.echo("  * some runs failed: diverged (not in the mean) or collapsed (half of the variety or classes)")


@bench.command()
@shared(list(STUDIED), "1,2,3,4,5", "runs/study")
@click.option("--trials", type=Whole(1, 1000), default=20, help="random draws for each model", show_default=True)
@click.option(
    "--width", type=Whole(2, 2**20), default=16, help="channels of the networks; of the study 64", show_default=True
)
def study(
    models: Sequence[str],
    data: Sequence[str],
    seeds: Sequence[int],
    budget: int,
    trials: int,
    width: int,
    out: Path,
    jobs: int,
    as_json: bool,
    markdown: bool,
) -> None:
    """Compare models by random search, as Lucic et al. (2018) did.

    Each gets --trials random draws of its hyper-parameters, from the ranges of the study; the best of them, by
    validation images, is trained again with --seeds. Printed is the expected distance to test images of the best of k
    draws, which is also drawn in study.png in the folder of the runs, and that of the best over seeds. Every run is a
    run directory under --out, so that a study that was stopped can be resumed, or get more trials; trials keep no
    checkpoint. Of --data triangles all possible images are known, for an exact precision (on-manifold)."""
    _refuse_both(as_json, markdown)
    from imagegan.bench import study as studies
    from imagegan.bench import table

    told: dict[str, Any] = {"budget": budget, "width": width, "seeds": seeds, "data": {}}
    for source in _sources(data):
        asked = {name: studies.planned(name, source, trials, width, budget, out) for name in models}
        found, results = studies.study(asked, seeds, jobs, partial(click.echo, err=True))
        entries = table.entries({name: one.repeats for name, one in found.items() if one.repeats}, results)
        place = studies.draw(found, entries[0], source, out)
        if as_json:
            lines = [table.as_json(entry) for entry in entries]
            told["data"][source.name] = {"models": {n: studies.as_json(f) for n, f in found.items()}, "seeds": lines}
            continue
        _print(studies.curve_table(source.name, found), markdown)
        _print_entries(source.name, entries, markdown)
        for name, one in found.items():
            click.echo(f"  {name}: {studies.best_options(name, one)}")
        click.echo(f"  the curves: {place}")
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    click.echo(f"  above: expected {studies.BY[0]} to test images of the best of k random draws by validation images,")
    click.echo(
        f"  with the interval of other draws; below: the best of {trials} with seeds {', '.join(map(str, seeds))}"
    )
    click.echo(f"  budget of a run: {budget} training images, a batch for each update of each player; width {width}")


def _refuse_both(as_json: bool, markdown: bool) -> None:
    if as_json and markdown:
        raise UsageError("print either --json or --markdown")


def _sources(data: Sequence[str]) -> "list[Source]":
    from imagegan.bench.measures import Source

    return [Source(name, Path(path) if path else None) for name, _, path in (one.partition("=") for one in data)]


def _print_entries(data: str, entries: "Sequence[Entry]", markdown: bool) -> None:
    from imagegan.bench import table

    columns = table.headings(entries)
    _print([[data, *columns, *table.LAST], *(table.cells(found, columns) for found in entries)], markdown)
    click.echo("\n".join(f"  {line}" for line in table.signatures(entries, columns)) + "\n")


def _print(rows: Sequence[Sequence[str]], markdown: bool) -> None:
    from seqgan.core import report

    if markdown:
        click.echo(report.markdown(rows[0], rows[1:]) + "\n")
        return
    report.print_table([heading.replace("-", " ") for heading in rows[0]], rows[1:])
