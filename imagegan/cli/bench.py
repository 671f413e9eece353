"""`imagegan bench`: models compared. What it imports at the top must not import torch."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagegan.bench.ranges import STUDIED
from imagegan.cli.options import AS_PRESET, CPU_THREADS
from imagegan.variants.configs import CONFIGS
from seqgan.core.bounds import COUNT, PATH, SEED, TEXT, OneOf, Several, Whole
from seqgan.core.config import nearest
from seqgan.core.options import completing, packed
from seqgan.errors import UsageError, quoted

if TYPE_CHECKING:
    from imagegan.bench.measures import Source


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


@dataclass(frozen=True)
class Asked:
    """The options of all comparisons."""

    models: Sequence[str]
    data: Sequence[str]
    seeds: Sequence[int]
    budget: int
    out: Path
    jobs: int
    as_json: bool
    markdown: bool

    def __post_init__(self) -> None:
        if self.as_json and self.markdown:
            raise UsageError("print either --json or --markdown")


def _next_of(known: Sequence[str], ctx: click.Context, incomplete: str) -> list[str]:
    """Another one behind those that a list begins with."""
    begun, comma, _ = incomplete.rpartition(",")
    return [begun + comma + name for name in known]


def options(
    known: Sequence[str], seeds: str, folder: str, budget: Whole = COUNT, help: str = ""
) -> Callable[[Any], Callable[..., Any]]:
    """Adds them to a command, which gets them as `asked`; with a bound of --budget and more help for it."""
    costs = "training images of a run, counting a batch for each update of each player"
    every = [
        click.option(
            "--models",
            type=Different(Model(known), ",".join(known[:2])),
            shell_complete=completing(partial(_next_of, known), files=False),
            default=",".join(known),
            show_default=False,
            help="models, separated by commas  [all]",
        ),
        click.option(
            "--data",
            type=TEXT,
            multiple=True,
            default=("digits",),
            show_default=False,
            metavar="NAME[=PATH]",
            help="dataset (may be repeated), with its folder where it is read: fashion-mnist=PATH  [digits]",
        ),
        click.option("--seeds", type=Different(SEED, "0,1,2"), default=seeds),
        click.option("--budget", type=budget, default=128_000, help=costs + help),
        click.option("--out", type=PATH, default=Path(folder), help="where the runs go"),
        click.option("--jobs", type=Whole(1, 4096), default=1, help="runs side by side, a thread each"),
        click.option("--json", "as_json", is_flag=True, help="print JSON"),
        click.option("--markdown", is_flag=True, help="print Markdown"),
    ]
    return packed(Asked, "asked", every)


@click.group()
def bench() -> None:
    """Compare models, and the speed of a round."""


@bench.command("models")
@options(list(CONFIGS), "0,1,2", "runs/bench", Whole(0), " (0: the steps of the preset)")
@AS_PRESET
def at_one_budget(asked: Asked, preset: str) -> None:
    """Compare models at an equal budget, with the hyper-parameters of a preset, or by their presets alone.

    Every run is a run directory under --out, so that a bench that was stopped can be resumed. Measured is the last step
    of each run, on held-out images that no choice was based on."""
    from imagegan.bench import plan, runs, table
    from seqgan.core.report import show

    planned = {
        source.name: plan.compared(asked.models, source, asked.seeds, preset, asked.budget, asked.out)
        for source in _sources(asked.data)
    }
    every = [job for of_source in planned.values() for of_model in of_source.values() for job in of_model]
    results = runs.run_all(every, asked.jobs, partial(click.echo, err=True))
    tables = {name: table.entries(of_source, results) for name, of_source in planned.items()}
    if asked.as_json:
        told = {name: [table.as_json(found) for found in entries] for name, entries in tables.items()}
        facts = {"budget": asked.budget, "preset": preset, "seeds": asked.seeds}
        click.echo(json.dumps({**facts, "data": told}, indent=2))
        return
    for name, entries in tables.items():
        headings, *lines = table.rows(name, entries)
        show(headings, lines, table.notes(entries), as_markdown=asked.markdown)
    seeds = ", ".join(map(str, asked.seeds))
    if asked.budget:
        click.echo(f"  budget of a run: {asked.budget} training images, a batch for each update of each player")
    click.echo(f"  preset {preset}, seeds {seeds}, ± their standard deviation; the last step of every run")
    if any(found.failed for entries in tables.values() for found in entries):
        click.echo("  * some runs failed: diverged (not in the mean) or collapsed (half of the variety or classes)")


@bench.command()
@AS_PRESET
@click.option("--pairs", type=COUNT, default=15, help="measurements of each way, in turns")
@click.option("--rounds", type=COUNT, default=20, help="rounds in a measurement")
@click.option("--device", type=TEXT, default="auto", help="auto, cpu, cuda ...")
@CPU_THREADS
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def speed(preset: str, pairs: int, rounds: int, device: str, threads: int, as_json: bool) -> None:
    """Time a round of dcgan beside the plain loop with the same networks, as tutorials write it.

    The plain loop shows the generator's images to both players, as --reuse-fakes does; with new noise it generates
    others for the generator, as imagegan does by default. All take turns: a machine that slows down slows all."""
    import torch

    from imagegan.bench.speed import measure
    from imagegan.variants.configs import PRESETS, DCGANConfig
    from seqgan.core.device import resolve, use_threads
    from seqgan.core.report import print_table

    use_threads(threads)
    config = DCGANConfig(**PRESETS["dcgan"][preset])
    found = measure(config, resolve(device), pairs, rounds)
    if as_json:
        facts = {"preset": preset, "pairs": pairs, "rounds": rounds, "threads": torch.get_num_threads()}
        click.echo(json.dumps({**facts, "ways": {name: one._asdict() for name, one in found.items()}}, indent=2))
        return
    rows = [
        [name, f"{1000 * one.seconds:.1f} ms", f"{one.ratio:.2f}", f"{one.best:.2f}"] for name, one in found.items()
    ]
    print_table(["", "round", "ratio", "of the fastest"], rows)
    click.echo(f"  preset {preset}, {torch.get_num_threads()} threads; ratios to the first line")


@bench.command()
@options(list(STUDIED), "1,2,3,4,5", "runs/study")
@click.option("--trials", type=Whole(1, 1000), default=20, help="random draws for each model")
@click.option("--width", type=Whole(2, 2**20), default=16, help="of the networks; the study's is 64")
def study(asked: Asked, trials: int, width: int) -> None:
    """Compare models by random search, as Lucic et al. (2018) did.

    Each gets --trials random draws of its hyper-parameters, from the ranges of the study; the best of them, by
    validation images, is trained again with --seeds. Printed is the expected distance to test images of the best of k
    draws, which is also drawn in study.png in the folder of the runs, and that of the best over seeds. Every run is a
    run directory under --out, so that a study that was stopped can be resumed, or get more trials; trials keep no
    checkpoint. Of --data triangles all possible images are known, for an exact precision (on-manifold)."""
    from imagegan.bench import study as studies
    from imagegan.bench import table
    from seqgan.core.report import show

    told: dict[str, Any] = {}
    planned = {
        source: {name: studies.planned(name, source, trials, width, asked.budget, asked.out) for name in asked.models}
        for source in _sources(asked.data)
    }
    for source, of_source in planned.items():
        found, results = studies.study(of_source, asked.seeds, asked.jobs, partial(click.echo, err=True))
        entries = table.entries({name: one.repeats for name, one in found.items() if one.repeats}, results)
        place = studies.draw(found, entries[0], source, asked.out)
        if asked.as_json:
            models = {name: studies.as_json(one) for name, one in found.items()}
            told[source.name] = {"models": models, "seeds": [table.as_json(entry) for entry in entries]}
            continue
        headings, *lines = studies.curve_table(source.name, found)
        show(headings, lines, as_markdown=asked.markdown)
        best = [f"{name}: {studies.best_options(name, one)}" for name, one in found.items()]
        headings, *lines = table.rows(source.name, entries)
        show(headings, lines, [*table.notes(entries), *best], as_markdown=asked.markdown)
        click.echo(f"  the curves: {place}")
    if asked.as_json:
        click.echo(json.dumps({"budget": asked.budget, "width": width, "seeds": asked.seeds, "data": told}, indent=2))
        return
    seeds = ", ".join(map(str, asked.seeds))
    click.echo(
        "  above: the expected distance to test images of the best of k draws by validation images, with an interval"
    )
    click.echo(f"  for other draws; below: the best of {trials}, trained with seeds {seeds}")
    click.echo(
        f"  budget of a run: {asked.budget} training images, a batch for each update of each player; width {width}"
    )


def _sources(data: Sequence[str]) -> "list[Source]":
    from imagegan.bench.measures import Source

    return [Source(name, Path(path) if path else None) for name, _, path in (one.partition("=") for one in data)]
