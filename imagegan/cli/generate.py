"""`imagegan generate`. What it imports at the top must not import torch."""

import math
from pathlib import Path

import click

from imagegan.cli.options import CLASS, DEVICE, OVERWRITE, RUN, SAMPLING_SEED, STAGE, with_suffix, writer_for
from seqgan.core.bounds import PATH, Real, Several, Whole
from seqgan.core.command import typed
from seqgan.errors import UsageError


@click.command()
@RUN
@click.option("-n", "--count", type=Whole(1, 10**6), default=100, help="how many images")
@CLASS
@click.option(
    "--code",
    type=Several(Real(-1e6, 1e6), "3,-1,0.5"),
    default=None,
    help="only this code (infogan): category,number,number",
)
@click.option(
    "--truncation",
    type=Real(0, math.inf, above=True),
    default=math.inf,
    show_default=False,
    help="truncate the noise to this size: less varied, more typical images  [inf]",
)
@SAMPLING_SEED
@STAGE
@click.option(
    "--output",
    type=PATH,
    default=None,
    help="a .png (grid), .npz or .gif file (samples over training), or a new folder for a PNG of each image  "
    "[RUN/generated.png]",
)
@OVERWRITE
@DEVICE
@click.pass_context
def generate(
    ctx: click.Context,
    run: Path,
    count: int,
    label: str | None,
    code: tuple[float, ...] | None,
    truncation: float,
    seed: int,
    stage: str,
    output: Path | None,
    overwrite: bool,
    device: str,
) -> None:
    """Generate images with a trained run: a grid as PNG, an array as npz, or a folder of PNGs (a subfolder for each
    class). Or an animated GIF of samples over training."""
    from seqgan.core import outputs

    fill = outputs.folder_writer(output) if output and (not output.suffix or output.is_dir()) else None
    place = output if output and fill else with_suffix(output or run / "generated.png", ".png", ".npz", ".gif", "")
    write = writer_for(None if fill else output, place, overwrite)
    choices = typed(ctx, "count", "label", "code", "truncation", "seed")
    if place.suffix.lower() == ".gif" and choices:
        raise UsageError(
            f"--output {place} shows the samples that were saved during training; leave out {', '.join(choices)}"
        )

    from imagegan import generation
    from imagegan.grids import drawn, npz, png_files
    from imagegan.pretrained import opened
    from seqgan.core.device import resolve
    from seqgan.core.plots import png

    model, about = opened(run, stage, resolve(device))
    if place.suffix.lower() == ".gif":
        if not model.history.frames:
            raise UsageError("there are no samples over training here; give a RUN, or an --output of another kind")
        write(model.history.gif(model.draw))
        click.echo(f"samples of {run} over training are in {place}")
        return
    number = None if label is None else generation.class_number(model, about.class_names, label)
    latents = generation.latents(model, count, seed, number, code, truncation)
    images = generation.images_of(model, latents)
    labels = latents.codes.argmax(dim=1) if model.recipe.conditional else None
    if fill:
        fill(png_files(images, labels, about.class_names))
    elif place.suffix.lower() == ".npz":
        codes = {"codes": latents.codes} if model.prior.code.size else {}
        write(npz(images, **(codes if labels is None else {"labels": labels})))
    else:
        write(png(drawn(images, real=model.images)))
    click.echo(f"{'1 image is' if count == 1 else f'{count} images are'} in {place}")
