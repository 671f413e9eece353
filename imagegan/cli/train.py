"""`imagegan train`. What it imports at the top must not import torch."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagegan.cli.options import DATA, DATA_DIR, DATA_NAMES
from imagegan.variants.configs import CONFIGS, PRESETS
from seqgan.core.bounds import TEXT
from seqgan.core.command import warn_about_quick
from seqgan.core.options import CHOICES, ConfiguredCommand, RunOptions, run_options

if TYPE_CHECKING:
    from imagegan.training import Finished
    from seqgan.core.starting import Machine


HEADINGS = {
    "Data": ["data", "data_dir", "images", "size"],
    "Model": [
        *("model", "nets", "width", "latent_dim", "d_norm", "spectral_norm", "categories", "continuous"),
        *("conditional", "top_width"),
    ],
    "Training": ["steps", "batch_size", "g_lr", "lr_schedule", "beta1", "beta2", "ema", "validate_every", "bf16"],
}
# The hyper-parameters that --help shows before a model is chosen.
MAIN = {"images", "size", "nets", "width", "latent_dim", "steps", "batch_size", "g_lr", "d_lr", "augment"}


@click.command(
    cls=ConfiguredCommand,
    chooser="--model",
    configs=CONFIGS,
    presets=PRESETS,
    usual="dcgan",
    headings=HEADINGS,
    shown=MAIN,
)
@click.option("--model", default=None, shell_complete=CHOICES, help=f"{', '.join(CONFIGS)}  [dcgan]")
@click.option("--data", type=TEXT, shell_complete=DATA_NAMES, metavar="NAME", help=f"{DATA}  [digits]")
@DATA_DIR
@run_options
@click.pass_context
def train(
    ctx: click.Context, /, model: str | None, data: str | None, data_dir: Path | None, options: RunOptions, **hyper: Any
) -> None:
    """Train an image GAN; writes a grid of samples and first metrics to the run directory.

    These are the main options. imagegan train --model NAME --help lists every hyper-parameter of a model, with its
    value in --preset default."""
    name = ctx.meta["choice"]
    chosen = options.choose(name, CONFIGS[name], PRESETS[name], hyper)

    from imagegan import training
    from seqgan.core import distributed

    machine = options.machine()
    with distributed.process_group(machine.device):
        place, finished = training.begin_or_continue(options.request(name), chosen, data, data_dir, machine)
    if finished:
        _report(place, finished, machine)


def _report(folder: Path, finished: "Finished", machine: "Machine") -> None:
    from imagegan import evaluation
    from imagegan.report import report
    from imagegan.summary import summary
    from seqgan.core import files, page
    from seqgan.core.report import by_metric, show

    rows = evaluation.first_numbers(finished.model, finished.splits, finished.data)
    show(*by_metric(rows))
    for line in summary(rows):
        click.echo(line)
    facts = {"data": finished.data, "samples": "drawn with seed 0", "steps": evaluation.steps_learned(folder)}
    files.make_folder(folder / "evaluations")
    files.write(folder / "evaluations" / "training.json", evaluation.written(rows, facts))
    word = files.in_shell(folder)
    *_, (phase, best) = finished.best.items()
    if best:
        click.echo(
            f"nearest to the validation images (valid_fd {best['fd']:.3g}) were the samples after step {best['step']} "
            f"of {phase}: imagegan generate {word} --stage best"
        )
    click.echo(f"a grid of samples is in {folder / 'samples.png'}")
    click.echo(
        f"the run is in {folder} ({finished.seconds:.0f} s of training); "
        f"more images: imagegan generate {word} -n 20; all numbers: imagegan evaluate {word}"
    )
    written = partial(report, [folder], machine.device, finished.splits)
    if place := page.write_after_training(folder, written, machine.display):
        click.echo(f"curves, numbers and samples on one page: {place}")
    warn_about_quick(folder)
