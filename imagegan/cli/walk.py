"""`imagegan walk`. What it imports at the top must not import torch."""

import re
from pathlib import Path

import click

from imagegan.cli.options import CLASS, DEVICE, OVERWRITE, RUN, SAMPLING_SEED, typed, with_suffix, writer_for
from seqgan.core.bounds import PATH, Bound, OneOf, Whole
from seqgan.errors import UsageError


class Concepts(Bound):
    """`3,7,12-1,5,9+20,22,31` on the command line."""

    name = "a,b,c-d,e,f+g,h,i"
    expected = "three numbers - three + three, such as 3,7,12-1,5,9+20,22,31"

    def read(self, text: str) -> list[list[int]]:
        three = r"(\d{1,9},\d{1,9},\d{1,9})"
        found = re.fullmatch(rf"{three}-{three}\+{three}", text.replace(" ", ""), re.ASCII)
        if not found:
            raise ValueError
        return [[int(number) for number in numbers.split(",")] for numbers in found.groups()]

    def check(self, value: list[list[int]]) -> list[list[int]]:
        return value


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
    type=Concepts(),
    default=None,
    help="vector arithmetic instead, with the mean latents of three images each: 3,7,12-1,5,9+20,22,31",
)
@CLASS
@click.option("--rows", type=Whole(1, 1000), default=10, help="how many walks", show_default=True)
@click.option("--steps", type=Whole(2, 1000), default=10, help="images of a walk", show_default=True)
@SAMPLING_SEED
@click.option("--output", type=PATH, default=None, help="a .png (walks as rows) or .gif (as time)  [RUN/walk.png]")
@OVERWRITE
@DEVICE
@click.pass_context
def walk(
    ctx: click.Context,
    run: Path,
    kind: str | None,
    arithmetic: list[list[int]] | None,
    label: str | None,
    rows: int,
    steps: int,
    seed: int,
    output: Path | None,
    overwrite: bool,
    device: str,
) -> None:
    """Show what a trained run generates between two noise vectors, or along its codes.

    --arithmetic counts the images of imagegan generate RUN from 0, row by row, ten in a row, with the same --seed."""
    still = arithmetic or kind == "reconstructions"
    place = with_suffix(output or run / "walk.png", ".png", *([] if still else [".gif"]))
    write = writer_for(output, place, overwrite)
    if arithmetic and (choices := typed(ctx, "kind", "label", "rows", "steps")):
        raise UsageError(f"--arithmetic has three rows of its own; leave out {', '.join(choices)}")
    if kind == "codes" and label is not None:
        raise UsageError("--kind codes goes through all classes; leave out --class")
    if kind == "reconstructions" and (choices := typed(ctx, "label", "seed")):
        raise UsageError(f"--kind reconstructions shows the first held-out images; leave out {', '.join(choices)}")

    from imagegan import walk as walks
    from imagegan.generation import class_number, load_model
    from imagegan.grids import gif, png
    from imagegan.runs import class_names, load_images
    from seqgan.core.device import resolve

    model = load_model(run, resolve(device))
    if kind == "reconstructions":
        held_out = load_images(run, rows * steps).test.take(slice(0, rows * steps)).pixels
        columns = min(steps, len(held_out))
        rows = len(held_out) // columns
        write(png(walks.reconstructions(model, held_out[: rows * columns], columns)))
        click.echo(f"{rows * columns} held-out images, each above its reconstruction, are in {place}")
        return
    found_some = model.prior.code.size > 0 and not model.recipe.conditional
    if arithmetic:
        blocks = walks.arithmetic(model, arithmetic, seed)
    elif kind == "codes" or (kind is None and label is None and found_some):
        blocks = walks.traversal(model, rows, steps, seed)
    else:
        number = None if label is None else class_number(model, class_names(run), label)
        blocks = walks.interpolation(model, rows, steps, seed, number)
    if place.suffix.lower() == ".png":
        write(png(walks.still(model, blocks)))
    else:
        write(gif(walks.moving(model, blocks)))
    rows = sum(block.rows for block in blocks)
    click.echo(f"{'1 row of images is' if rows == 1 else f'{rows} rows of images are'} in {place}")
