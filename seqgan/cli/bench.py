"""`seqgan bench`: how fast the package is here. What it imports at the top must not import torch."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqgan.algorithms.configs import PRESETS, SeqGANConfig
from seqgan.bench.arms import ARMS, COMPARED, SIZES
from seqgan.bench.counts import PARTS
from seqgan.core.bounds import COUNT, PATH, SEED, TEXT, THREADS, OneOf, Real, Whole
from seqgan.core.config import nearest, read_config_file
from seqgan.errors import ConfigError, UsageError, quoted

if TYPE_CHECKING:
    from seqgan.bench.counts import Ceilings
    from seqgan.bench.speed import Figure

NAMES = tuple(PARTS)


@click.group()
def bench() -> None:
    """Speed on this machine; settings and arms compared."""


@bench.command()
@click.option("--preset", type=OneOf(list(PRESETS["seqgan"])), default="paper", show_default=True)
@click.option("-B", "--batch", type=Whole(2, 2**20), help="texts in a policy update  [as the preset]")
@click.option("-N", "--rollouts", type=COUNT, help="completions of every prefix  [as the preset]")
@click.option("-T", "--length", type=Whole(2, 2**20), default=20, help="tokens in a text", show_default=True)
@click.option("-V", "--vocab-size", type=Whole(8, 2**24), default=5000, help="tokens", show_default=True)
@click.option("--texts", type=Whole(64), default=10_000, help="texts in an epoch", show_default=True)
@click.option("--bf16", is_flag=True, help="let the discriminator learn in bfloat16")
@click.option("--only", type=OneOf(NAMES), multiple=True, help="measure nothing else (may be repeated)")
@click.option("--plain/--no-plain", default=True, help="time the plain way, too", show_default=True)
@click.option("--pairs", type=COUNT, default=5, help="ours and the plain way, in turns", show_default=True)
@click.option("--device", type=TEXT, default="auto", help="auto, cpu, cuda ...", show_default=True)
@click.option("--threads", type=THREADS, default=0, help="0: OMP_NUM_THREADS, else all cores")
@click.option("--startup", is_flag=True, help="measure instead how long the commands take to begin")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout instead of a table")
def speed(
    preset: str,
    batch: int | None,
    rollouts: int | None,
    length: int,
    vocab_size: int,
    texts: int,
    bf16: bool,
    only: tuple[str, ...],
    plain: bool,
    pairs: int,
    device: str,
    threads: int,
    startup: bool,
    as_json: bool,
) -> None:
    """Time the parts of training beside their floor on this machine, and beside the plain way of doing them.

    The floor is counted: operations and bytes, over what this machine does at best of each. Every time is the median of
    alternating pairs. The defaults are the published setting, whose plain way takes some ten minutes in all."""
    if startup:
        _report_startup(as_json)
        return
    from seqgan.bench.speed import measure, sizes_of
    from seqgan.core.device import resolve, use_threads

    use_threads(threads)
    config = SeqGANConfig(**PRESETS["seqgan"][preset])
    config = replace(
        config,
        g_batch_size=batch or config.g_batch_size,
        rollouts=rollouts or config.rollouts,
        d_samples=texts,
        d_bf16=bf16,
    )
    sizes = sizes_of(config, length, vocab_size, texts)
    machine, figures, memory = measure(config, sizes, resolve(device), pairs, only, plain)
    if as_json:
        about = {"preset": preset, "B": sizes.batch, "T": length, "V": vocab_size, "N": sizes.rollouts, "bf16": bf16}
        told = {name: figure.as_json(machine) for name, figure in figures.items()}
        click.echo(json.dumps({"setting": about, "machine": machine._asdict(), "peak_bytes": memory, **told}, indent=2))
    else:
        _print(machine, figures, memory)


@bench.command()
@click.argument("settings", type=PATH, metavar="FILE")
@click.option("--corpus", type=TEXT, required=True, help="a name or a file, as of seqgan train")
@click.option("--only", type=TEXT, multiple=True, metavar="NAME", help="this setting alone (may be repeated)")
@click.option("--seeds", type=COUNT, default=3, help="runs of each setting, from seed 0", show_default=True)
@click.option("--runs", type=PATH, default="runs/ablation", help="the folder of the runs", show_default=True)
@click.option("--threads", type=THREADS, default=0, help="0: OMP_NUM_THREADS, else all cores")
@click.option(
    "--plot",
    type=PATH,
    metavar="PNG",
    help="draw the validation NLL over the training texts, of settings with a share; replaces a file",
)
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout instead of tables")
def ablation(
    settings: Path,
    corpus: str,
    only: tuple[str, ...],
    seeds: int,
    runs: Path,
    threads: int,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Train each setting in FILE from several seeds, and compare them on the validation split.

    FILE is TOML (or JSON) with a table for each, of options of seqgan train (with underscores), as in

    \b
    [shipped]
    [averaged]
    mle_lr = 0.008
    ema_decay = 0.995

    A table may name its algorithm (mle where it does not), and in init_from an earlier one, whose run of the same seed
    it begins with. Runs that exist are gone on with. ± is over seeds, of a difference the paired one."""
    tables = read_config_file(settings)
    if not tables or not all(isinstance(table, dict) for table in tables.values()):
        raise ConfigError(f"{settings} holds {quoted(tables, 60)}; a table of options for each setting was expected")
    if strange := [name for name in only if name not in tables]:
        raise UsageError(f"{settings} has no setting {quoted(strange[0])}{nearest(strange[0], tables)}")
    tables = {name: table for name, table in tables.items() if not only or name in only}
    if plot and sum("share" in table for table in tables.values()) < 2:
        raise UsageError(f"--plot draws settings with a share over it, of which {settings} has fewer than two")

    from seqgan import ablation as study
    from seqgan.core import outputs
    from seqgan.core.plots import png
    from seqgan.core.report import as_cell, as_difference, print_table
    from seqgan.core.schema import json_bytes
    from seqgan.data.corpus import load_corpus

    draw = outputs.writer(plot, overwrite=True) if plot else None
    texts = load_corpus(corpus)
    result = study.ablation(texts, tables, range(seeds), runs, threads=threads)
    if draw:
        draw(png(study.learning_curve(texts, tables, result.rows)))
    if as_json:
        click.echo(json_bytes(result.as_json()).decode(), nl=False)
        return
    shown = {"": (result.rows, as_cell), "difference": (result.differences, as_difference)}
    for title, (rows, cell) in shown.items():
        print_table(
            ["", *study.SHOWN], [[name, *map(cell, map(row.get, study.SHOWN))] for name, row in rows.items()], title
        )


def _print(machine: "Ceilings", figures: "dict[str, Figure]", memory: int | None) -> None:
    from seqgan.core.report import print_table

    step = figures.get("generator_step")
    rows = []
    for name, figure in figures.items():
        part = name in ("rollouts", "scores", "update") and step
        share = f"{figure.seconds / step.seconds:.0%}" if part and step else ""
        plain = f"{figure.naive_seconds:.3f} s" if figure.naive_seconds else ""
        gain = f"{figure.gain:.1f}x" if figure.gain else ""
        cells = [f"{figure.seconds:.3f} s", f"{figure.floor_seconds:.3f} s", f"{figure.ratio:.2f}", plain, gain, share]
        rows.append([("  " if part else "") + name.replace("_", " "), *cells])
    print_table(["", "time", "floor", "ratio", "plain", "gain", "share"], rows)
    gemm, half, cache, moved = (round(ceiling / 1e9) for ceiling in machine)
    click.echo(
        f"  this machine: {gemm} GFLOP/s in matrix products ({half} in bfloat16), {cache} GB/s in cache, "
        f"{moved} GB/s in memory"
    )
    if memory:
        click.echo(f"  peak memory of the process after a generator step: {memory / 1e6:.0f} MB")


def _report_startup(as_json: bool) -> None:
    from seqgan.bench.startup import measure

    seconds: dict[str, Any] = measure()
    if as_json:
        click.echo(json.dumps(seconds, indent=2))
        return
    for name, value in seconds.items():
        click.echo(f"{name}: {value:.2f} s")


@bench.command()
@click.option("--lines", "count", type=Whole(1000, 10**9), default=400_000, help="of the corpus", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout instead of a table")
def data(count: int, as_json: bool) -> None:
    """Measure what a large corpus costs beside training: a first run on a new text, and a second one.

    The text is made from the bundled speeches, 27 words a line; each run is one iteration of --preset quick without
    an epoch of MLE, as a process of its own."""
    from seqgan.bench.data import measure
    from seqgan.core.report import print_table

    costs = dict(zip(("first run", "second run"), measure(count), strict=True))
    if as_json:
        click.echo(json.dumps({"lines": count, **{name: cost._asdict() for name, cost in costs.items()}}, indent=2))
        return
    rows = [
        ["to the first step", *(f"{cost.to_first_step:.1f} s" for cost in costs.values())],
        ["outside training", *(f"{cost.outside:.1f} s" for cost in costs.values())],
        ["processor time, in all", *(f"{cost.processor:.1f} s" for cost in costs.values())],
        ["peak memory", *(f"{cost.peak_bytes / 1e9:.2f} GB" for cost in costs.values())],
        ["  a text", *(f"{cost.peak_bytes / count:,.0f} bytes" for cost in costs.values())],
        ["disk, a text", *(f"{cost.disk_bytes / count:,.0f} bytes" for cost in costs.values())],
    ]
    print_table([f"{count:,} lines", *costs], rows)


@bench.command()
@click.option("--size", type=OneOf(list(SIZES)), default="small", show_default=True, help="of vocabulary and length")
@click.option(
    "--arms", type=TEXT, default=",".join(COMPARED), help="names, with commas between them  [all that begin with mle]"
)
@click.option("--seeds", type=COUNT, default=8, show_default=True, help="of each arm, from 0")
@click.option("--jobs", type=COUNT, default=1, show_default=True, help="trainings side by side")
@click.option("--threads", type=COUNT, default=1, show_default=True, help="of each training")
@click.option("--out", type=PATH, default="runs/oracle", show_default=True, help="the folder of the runs")
@click.option("--oracle-weights", type=PATH, metavar="NPZ", help="an oracle's, in the place of random ones")
@click.option("--minutes", type=Real(0, 1e6), default=0.0, help="measure arms during so many minutes of training, too")
@click.option("--target", type=Real(0, 1e6), default=8.683, show_default=True, help="NLL-oracle to reach in that time")
@click.option("--markdown", "as_markdown", is_flag=True, help="Markdown on stdout instead of tables")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout instead of tables")
def oracle(
    size: str,
    arms: str,
    seeds: int,
    jobs: int,
    threads: int,
    out: Path,
    oracle_weights: Path | None,
    minutes: float,
    target: float,
    as_markdown: bool,
    as_json: bool,
) -> None:
    """Train arms and controls on sequences of an oracle, which measures each policy exactly.

    The oracle is a language model with random weights; a policy's NLL under it, and both divergences between the two,
    are known. An arm is the config of another with one field changed. Whatever helps must lie below the temperature
    curve of MLE. What is measured is kept in --out: the same command resumes a bench that was stopped.

    The arms fast and official have an MLE of their own; with --minutes their quality is told over the seconds of
    training, and how long they take to --target.

    \b
    seqgan bench oracle --arms mle,seqgan,constant,shuffled,exact --seeds 4 --jobs 2"""
    names = list(dict.fromkeys(name.strip() for name in arms.split(",")))
    for name in names:
        if name not in ARMS:
            raise ConfigError(f"there is no arm {quoted(name)}{nearest(name, ARMS)}")

    from seqgan.bench import time_table
    from seqgan.bench.oracle import Job, run_all
    from seqgan.bench.oracle_table import as_json as told_as_json
    from seqgan.bench.oracle_table import plane, tables, tell
    from seqgan.core import files
    from seqgan.core.plots import png
    from seqgan.core.report import markdown, print_table
    from seqgan.core.schema import json_bytes

    todo = [Job(out, size, name, seed, oracle_weights, minutes) for seed in range(seeds) for name in names]
    results = run_all(todo, jobs, threads, lambda text: click.echo(text, err=True))
    told = tell(results)
    files.write(out / "plane.png", png(plane(told)))
    found = tables(told)
    if minutes:
        files.write(out / "time.png", png(time_table.over_time(results, target)))
        found.insert(0, time_table.table(results, target))
    timed = {"time": time_table.as_json(results, target)} if minutes else {}
    data = json_bytes({"size": SIZES[size]._asdict(), "seeds": seeds, **told_as_json(told), **timed})
    files.write(out / "oracle.json", data)
    if as_json:
        click.echo(data.decode(), nl=False)
        return
    for title, headings, cells in found:
        if as_markdown:
            click.echo(f"{title}\n\n{markdown(headings, cells)}\n")
        else:
            print_table(headings, cells, title)
    click.echo(f"{out / 'plane.png'}, {out / 'oracle.json'}", err=True)


@bench.command()
@click.option("-V", "--vocab-size", type=Whole(2, 2**24), default=50, show_default=True, help="tokens of the oracle")
@click.option("-T", "--length", type=Whole(2, 2**20), default=10, show_default=True, help="tokens in a sequence")
@click.option("-N", "--rollouts", type=COUNT, default=16, show_default=True, help="completions of every prefix")
@click.option("-B", "--batch", type=Whole(2, 2**20), default=64, show_default=True, help="sequences in an update")
@click.option("--batches", type=Whole(3, 2**20), default=100, show_default=True, help="independent updates to compare")
@click.option("--seed", type=SEED, default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout instead of a table")
def estimators(vocab_size: int, length: int, rollouts: int, batch: int, batches: int, seed: int, as_json: bool) -> None:
    """Compare estimators of the policy gradient on the same rollouts: signal to noise, and whether their means agree.

    The reward is that of the best discriminator for an oracle and a policy that has learned a little. Signal to noise
    is that of one update: squared length of the mean gradient over the trace of its covariance."""
    from seqgan.bench.arms import Size
    from seqgan.bench.estimators import compare, setting, table
    from seqgan.core.report import finite, print_table

    policy, oracle_policy = setting(seed, Size(vocab_size, length, train=2000, valid=200), epochs=5)
    figures = compare(policy, oracle_policy, batches, batch, rollouts, seed)
    if as_json:
        found = {
            f"{form}, {name}": {key: finite(value) for key, value in figure._asdict().items()}
            for (form, name), figure in figures.items()
        }
        click.echo(json.dumps(found, indent=2))
        return
    headings, rows = table(figures)
    print_table(headings, rows, f"{batches} updates of {batch} sequences, {rollouts} completions of every prefix")
