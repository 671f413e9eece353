"""`seqgan sweep`: quality against variety over temperatures and other samplers."""

from pathlib import Path

import click

from seqgan.cli.shared import DEVICE, found_again
from seqgan.core.bounds import DRAWN, PATH, TEMPERATURE, THREADS, TOP_K, TOP_P, OneOf, Several
from seqgan.core.options import RUNS
from seqgan.errors import UsageError
from seqgan.rewards.asked import Named

TEMPERATURES = (1.2, 1.0, 0.9, 0.8, 0.7, 0.6)
SHOWN = ("bleu-3", "backward-bleu-3", "self-bleu-3", "distinct-2", "lm-nll", "reverse-nll", "nll-test", "kl-to-mle")


@click.command()
@click.argument("runs", metavar="RUN...", type=PATH, shell_complete=RUNS, nargs=-1, required=True)
@click.option(
    "--temperatures",
    type=Several(TEMPERATURE, "1,.8,.6"),
    help=f"with commas between them  [{','.join(f'{at:g}' for at in TEMPERATURES)}]",
)
@click.option("--top-k", type=Several(TOP_K, "5,20"), help="only so many likeliest tokens, at temperature 1")
@click.option("--top-p", type=Several(TOP_P, ".8,.9"), help="only the likeliest tokens of these probabilities")
@click.option("--checkpoints", is_flag=True, help="each run along its training instead: the checkpoints it kept")
@click.option(
    "--reward",
    "rewards",
    type=Named(),
    metavar="NAME[:ARGUMENT]",
    multiple=True,
    help="what texts earn by it, and what that costs  [those of the first run]",
)
@click.option("-n", "--count", type=DRAWN, help="texts of every sampler  [as many as validation texts]")
@click.option("--tokens", type=OneOf(["words", "chars", "whitespace"]), help="tokens to count  [as the script is]")
@click.option("--out", type=PATH, default=Path("runs/sweep"), show_default=True, help="the folder of the results")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout instead of tables")
@DEVICE
@click.option("--threads", type=THREADS, help="the last digits depend on it; 0: all cores  [that of the first run]")
def sweep(
    runs: tuple[Path, ...],
    temperatures: tuple[float, ...] | None,
    top_k: tuple[int, ...] | None,
    top_p: tuple[float, ...] | None,
    checkpoints: bool,
    rewards: tuple[str, ...],
    count: int | None,
    tokens: str | None,
    out: Path,
    as_json: bool,
    device: str,
    threads: int | None,
) -> None:
    """Measure every policy of finished runs at several temperatures, and with top-k and top-p.

    Writes sweep.csv, sweep.json and a picture of each pair of measures (.png, .svg) to --out: BLEU-3 against
    Self-BLEU-3 and backward BLEU-3; and the NLL of samples under a language model of the training split (lm-nll)
    against the NLL of test texts under one that learned from the samples alone (reverse-nll), which punishes cooling.
    Real text stands on the same axes. Runs that differ in their seed alone are one curve. Each run keeps the numbers as
    well, for seqgan report. With rewards there are pictures of what they cost: lm-nll, BLEU-3 and distinct-2 over what
    samples earn; with --checkpoints (of runs with such as --save-steps 20 --keep 10), in the course of training.

    Below the tables: which curve is better at equal x, with a paired test over seeds (of all flips of signs), and the
    super-baseline, for every measure the best value that MLE reaches with any sampler."""
    from seqgan import planes
    from seqgan import sweep as sweeping
    from seqgan.core import files
    from seqgan.core.device import cores, use_threads
    from seqgan.core.plots import figure, png, rendered, svg
    from seqgan.core.report import as_cell, print_table
    from seqgan.core.schema import json_bytes
    from seqgan.reporting import OF_REWARD, REAL

    if checkpoints and (temperatures or top_k or top_p):
        raise UsageError(
            "--checkpoints measures trainings at temperature 1; leave out --temperatures, --top-k and --top-p"
        )
    samplers = [planes.Sampler(temperature=at) for at in temperatures or TEMPERATURES]
    samplers += [planes.Sampler(top_k=k) for k in top_k or ()] + [planes.Sampler(top_p=p) for p in top_p or ()]
    trained = [found_again(run, device) for run in runs]
    use_threads(min(cores(), trained[0].description["threads"]) if threads is None else threads)
    chosen = [] if checkpoints else list(dict.fromkeys(samplers))
    swept = sweeping.sweep(trained, chosen, count=count, tokens=tokens, rewards=rewards)
    found = sweeping.as_json(swept)
    data = json_bytes(found)
    files.make_folder(out)
    files.write(out / "sweep.csv", sweeping.as_csv(swept))
    files.write(out / planes.NAME, data)
    for plane in planes.planes_of(swept):
        made = figure(sweeping.curves_in(swept, plane), title="", x=plane.x, y=plane.y, size=(640, 480))
        name = files.as_name(f"{plane.y}-{plane.x}")
        files.write(out / f"{name}.png", png(rendered(made)))
        files.write(out / f"{name}.svg", svg(made))
    for run in trained:
        files.write(run.folder / planes.NAME, sweeping.left_in(run, found))
    if as_json:
        click.echo(data.decode(), nl=False)
        return
    best = sweeping.baselines(swept)
    measured = next(iter(best.values()))
    shown = [name for name in measured if name in SHOWN or name.startswith(OF_REWARD)]
    for name, rows in planes.means(swept).items():
        cells = [[sampler.name, *(as_cell(row.get(one)) for one in shown)] for sampler, row in rows.items()]
        print_table(["", *shown], cells, name)
    print_table(["", *shown], [["held-out text", *(as_cell(swept.real.get(one)) for one in shown)]], REAL)
    cells = [[name, *(f"{of[one][0]:.4g}" if one in of else "" for one in shown)] for name, of in best.items()]
    print_table(["", *shown], cells, "the best of any sampler or step (mle: the super-baseline)")
    for gap in found["summary"]:
        click.echo(gap)
    click.echo(f"written to {out}: sweep.csv, sweep.json and the pictures; seqgan report RUN shows them")
