"""`imagegan walk`. What it imports at the top must not import torch."""

from pathlib import Path

import click

from imagegan.cli.options import CLASS, DEVICE, OVERWRITE, RUN, SAMPLING_SEED, STAGE, with_suffix, writer_for
from seqgan.core.bounds import PATH, TEXT, OneOf, Whole
from seqgan.core.command import typed
from seqgan.errors import UsageError


@click.command()
@RUN
@click.option(
    "--kind",
    type=OneOf(["interpolation", "codes", "reconstructions"]),
    default=None,
    help="from noise to noise, along each code, or from held-out images to their reconstructions (bigan, vae)  "
    "[codes for infogan, else interpolation]",
)
@click.option(
    "--arithmetic",
    type=TEXT,
    metavar="A-B+C",
    help="vector arithmetic instead, with the mean latents of three samples of each concept: a class, or a side of a "
    "factor (high slant)",
)
@click.option(
    "--drop-filters",
    "dropped",
    type=TEXT,
    metavar="CONCEPT",
    help="samples with and without the filters of the generator that draw a concept instead",
)
@CLASS
@click.option("--rows", type=Whole(1, 1000), default=10, help="how many walks")
@click.option("--steps", type=Whole(2, 1000), default=10, help="images of a walk")
@SAMPLING_SEED
@STAGE
@click.option("--output", type=PATH, default=None, help="a .png (walks as rows) or .gif (as time)  [RUN/walk.png]")
@OVERWRITE
@DEVICE
@click.pass_context
def walk(
    ctx: click.Context,
    run: Path,
    kind: str | None,
    arithmetic: str | None,
    dropped: str | None,
    label: str | None,
    rows: int,
    steps: int,
    seed: int,
    stage: str,
    output: Path | None,
    overwrite: bool,
    device: str,
) -> None:
    """Show what a trained run generates between two noise vectors, or along its codes.

    --arithmetic and --drop-filters find concepts in samples by a classifier of the training images (and of digits by a
    regressor of their factors), and print what these see in the result."""
    by_concept = arithmetic or dropped
    still = by_concept or kind == "reconstructions"
    place = with_suffix(output or run / "walk.png", ".png", *([] if still else [".gif"]))
    write = writer_for(output, place, overwrite)
    if by_concept and (choices := typed(ctx, "kind", "label", "rows", "steps")):
        option = "--arithmetic" if arithmetic else "--drop-filters"
        raise UsageError(f"{option} has rows of its own; leave out {', '.join(choices)}")
    if arithmetic and dropped:
        raise UsageError("--arithmetic and --drop-filters were given; give one of them")
    if kind == "codes" and label is not None:
        raise UsageError("--kind codes goes through all classes; leave out --class")
    if kind == "reconstructions" and (choices := typed(ctx, "label", "seed")):
        raise UsageError(f"--kind reconstructions shows the first held-out images; leave out {', '.join(choices)}")

    from imagegan import walk as walks
    from imagegan.concepts import concepts_of
    from imagegan.generation import class_number
    from imagegan.grids import gif
    from imagegan.pretrained import opened
    from imagegan.runs import load_images
    from seqgan.core.device import resolve
    from seqgan.core.plots import png

    model, about = opened(run, stage, resolve(device))
    if by_concept:
        concepts, show = concepts_of(load_images(run, 1)), walks.without_concept if dropped else walks.sum_of_concepts
        image, told = show(model, concepts, by_concept, seed)
        write(png(image))
        click.echo(f"{told}\nthe images are in {place}")
        return
    if kind == "reconstructions":
        held_out = load_images(run, rows * steps).test.take(slice(0, rows * steps)).pixels
        columns = min(steps, len(held_out))
        rows = len(held_out) // columns
        write(png(walks.reconstructions(model, held_out[: rows * columns], columns)))
        click.echo(f"{rows * columns} held-out images, each above its reconstruction, are in {place}")
        return
    found_some = model.prior.code.size > 0 and not model.recipe.conditional
    if kind == "codes" or (kind is None and label is None and found_some):
        blocks = walks.traversal(model, rows, steps, seed)
    else:
        number = None if label is None else class_number(model, about.class_names, label)
        blocks = walks.interpolation(model, rows, steps, seed, number)
    if place.suffix.lower() == ".png":
        write(png(walks.still(model, blocks)))
    else:
        write(gif(walks.moving(model, blocks)))
    rows = sum(block.rows for block in blocks)
    click.echo(f"{'1 row of images is' if rows == 1 else f'{rows} rows of images are'} in {place}")
