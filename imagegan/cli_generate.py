"""`imagegan generate` and `imagegan walk`. What they import at the top must not import torch."""

import math
import re
from collections.abc import Callable
from pathlib import Path

import click

from seqgan.core.bounds import PLACE, SEED, STEPS, TEXT, Bound, OneOf, Real, Several, Whole
from seqgan.errors import UsageError

RUN = click.argument("run", type=PLACE)
WHICH = click.option("--seed", type=SEED, default=0, help="which pictures", show_default=True)
DEVICE = click.option("--device", type=TEXT, default="auto", help="auto, cpu, cuda, cuda:1 ...", show_default=True)
FILE = PLACE
OVERWRITE = click.option("--overwrite", is_flag=True, help="replace the file that --output names")
TRUNCATION = Real(0, math.inf, above=True)
PICTURES = Whole(1, 10**6)  # what fits into memory
CODE = Several(Real(-1e6, 1e6), "3,-1,0.5")


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
@click.option("-n", "--count", type=PICTURES, default=100, help="how many pictures", show_default=True)
@click.option("--class", "label", type=STEPS, default=None, help="of one class (cgan, acgan, lapgan --conditional)")
@click.option("--code", type=CODE, default=None, help="of one code (infogan): category,number,number")
@click.option(
    "--truncation",
    type=TRUNCATION,
    default=math.inf,
    help="cut the noise at this size: less varied, more typical  [inf]",
)
@WHICH
@click.option("--numbers", is_flag=True, help="write its number on each picture, as walk --arithmetic asks for them")
@click.option(
    "--output",
    type=FILE,
    default=None,
    help="a .png (a grid), .npz, or .gif file: what the run drew while it learned  [RUN/generated.png]",
)
@OVERWRITE
@DEVICE
@click.pass_context
def generate(
    ctx: click.Context,
    run: Path,
    count: int,
    label: int | None,
    code: tuple[float, ...] | None,
    truncation: float,
    seed: int,
    numbers: bool,
    output: Path | None,
    overwrite: bool,
    device: str,
) -> None:
    """Draw pictures with a trained run: a grid as PNG, or an array as npz. Or show as GIF how it has learned."""
    place = _checked(output or run / "generated.png", ".png", ".npz", ".gif")
    write = _writer(output, place, overwrite)
    choices = _typed(ctx, "count", "label", "code", "truncation", "seed", "numbers")
    if place.suffix == ".gif" and choices:
        raise UsageError(
            f"--output {place} shows the pictures that the run kept while it learned; leave out {', '.join(choices)}"
        )

    from imagegan import generation
    from imagegan.grids import drawn, png
    from seqgan.core.device import resolve

    model = generation.load_model(run, resolve(device))
    if place.suffix == ".gif":
        write(generation.over_training(model))
        click.echo(f"how {run} has learned is in {place}")
        return
    latents = generation.latents(model, count, seed, label, code, truncation)
    pictures = generation.pictures_of(model, latents)
    if place.suffix == ".npz":
        write(generation.npz(pictures, **generation.told(model, latents)))
    else:
        write(png(drawn(pictures, real=model.pictures, numbered=numbers)))
    click.echo(f"{count} pictures are in {place}")


@click.command()
@RUN
@click.option(
    "--kind",
    type=OneOf(["interpolation", "codes"]),
    default=None,
    help="from noise to noise, or along each code by itself  [codes where the model has found some, as infogan]",
)
@click.option(
    "--arithmetic",
    type=Concepts(),
    default=None,
    help="instead, with the means of three pictures each, by their numbers: 3,7,12-1,5,9+20,22,31",
)
@click.option("--rows", type=Whole(1, 1000), default=10, help="how many walks", show_default=True)
@click.option("--steps", type=Whole(2, 1000), default=10, help="pictures of a walk", show_default=True)
@WHICH
@click.option("--output", type=FILE, default=None, help="a .png (walks as rows) or .gif file (as time)  [RUN/walk.png]")
@OVERWRITE
@DEVICE
@click.pass_context
def walk(
    ctx: click.Context,
    run: Path,
    kind: str | None,
    arithmetic: list[list[int]] | None,
    rows: int,
    steps: int,
    seed: int,
    output: Path | None,
    overwrite: bool,
    device: str,
) -> None:
    """Show what a trained run makes of all that lies between its pictures.

    The numbers that --arithmetic takes are those of imagegan generate RUN --numbers, with the same --seed."""
    place = _checked(output or run / "walk.png", ".png", *([] if arithmetic else [".gif"]))
    write = _writer(output, place, overwrite)
    if arithmetic and (choices := _typed(ctx, "kind", "rows", "steps")):
        raise UsageError(f"--arithmetic has three rows of its own; leave out {', '.join(choices)}")

    from imagegan import walk as walks
    from imagegan.generation import load_model
    from imagegan.grids import gif, png
    from seqgan.core.device import resolve

    model = load_model(run, resolve(device))
    found_some = model.prior.code.size > 0 and not model.recipe.labelled
    if arithmetic:
        blocks = walks.arithmetic(model, arithmetic, seed)
    elif kind == "codes" or (kind is None and found_some):
        blocks = walks.traversal(model, rows, steps, seed)
    else:
        blocks = walks.interpolation(model, rows, steps, seed)
    if place.suffix == ".png":
        write(png(walks.still(model, blocks)))
    else:
        write(gif(walks.moving(model, blocks)))
    click.echo(f"{sum(block.rows for block in blocks)} rows of pictures are in {place}")


def _writer(output: Path | None, place: Path, overwrite: bool) -> Callable[[bytes], None]:
    """What writes where someone asked for it; the file that a run gets where nobody did is made anew each time."""
    from seqgan.core import outputs

    if output:
        return outputs.writer(output, overwrite=overwrite)
    return lambda data: outputs.writer(place, overwrite=True)(data)


def _checked(place: Path, *known: str) -> Path:
    if place.suffix not in known:
        either = f"neither {' nor '.join(known)}" if len(known) > 1 else f"no {known[0]}"
        raise UsageError(f"--output {place} is {either}")
    return place


def _typed(ctx: click.Context, *names: str) -> list[str]:
    """Which of these options someone has given."""
    given = {name for name in names if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE}
    return [option.opts[-1] for option in ctx.command.params if option.name in given]
