"""`imagegan generate` and `imagegan walk`. What they import at the top must not import torch."""

import math
import re
from collections.abc import Callable
from pathlib import Path

import click

from seqgan.core.bounds import PLACE, SEED, TEXT, Bound, OneOf, Real, Several, Whole
from seqgan.core.command import RUNS
from seqgan.errors import UsageError

RUN = click.argument("run", type=PLACE, shell_complete=RUNS)
WHICH = click.option("--seed", type=SEED, default=0, help="which pictures", show_default=True)
DEVICE = click.option("--device", type=TEXT, default="auto", help="auto, cpu, cuda, cuda:1 ...", show_default=True)
FILE = PLACE
CLASS = click.option(
    "--class",
    "label",
    type=TEXT,
    metavar="NAME",
    help="of one class, by name or number (cgan, acgan, lapgan --conditional)",
)
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
@CLASS
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
    help="a .png (a grid), .npz, or .gif file (what the run drew while it learned), or a new folder for a PNG of each  "
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
    numbers: bool,
    output: Path | None,
    overwrite: bool,
    device: str,
) -> None:
    """Draw pictures with a trained run: a grid as PNG, an array as npz, or single PNGs in a folder (those of a class in
    one of its own). Or show as GIF how it has learned."""
    from seqgan.core import outputs

    fill = outputs.folder_writer(output) if output and (not output.suffix or output.is_dir()) else None
    place = output if output and fill else _checked(output or run / "generated.png", ".png", ".npz", ".gif", "")
    write = _writer(None if fill else output, place, overwrite)
    choices = _typed(ctx, "count", "label", "code", "truncation", "seed", "numbers")
    if place.suffix.lower() == ".gif" and choices:
        raise UsageError(
            f"--output {place} shows the pictures that the run kept while it learned; leave out {', '.join(choices)}"
        )

    from imagegan import generation
    from imagegan.grids import drawn, png
    from imagegan.training import class_names
    from seqgan.core.device import resolve

    model = generation.load_model(run, resolve(device))
    if place.suffix.lower() == ".gif":
        write(generation.over_training(model))
        click.echo(f"how {run} has learned is in {place}")
        return
    names = class_names(run)
    number = None if label is None else generation.class_number(model, names, label)
    latents = generation.latents(model, count, seed, number, code, truncation)
    pictures, told = generation.pictures_of(model, latents), generation.told(model, latents)
    if fill:
        fill(generation.png_files(pictures, told.get("labels"), names))
    elif place.suffix.lower() == ".npz":
        write(generation.npz(pictures, **told))
    else:
        write(png(drawn(pictures, real=model.pictures, numbered=numbers)))
    click.echo(f"{'1 picture is' if count == 1 else f'{count} pictures are'} in {place}")


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
@CLASS
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
    label: str | None,
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
    if arithmetic and (choices := _typed(ctx, "kind", "label", "rows", "steps")):
        raise UsageError(f"--arithmetic has three rows of its own; leave out {', '.join(choices)}")
    if kind == "codes" and label is not None:
        raise UsageError("--kind codes goes through all classes; leave out --class")

    from imagegan import walk as walks
    from imagegan.generation import class_number, load_model
    from imagegan.grids import gif, png
    from imagegan.training import class_names
    from seqgan.core.device import resolve

    model = load_model(run, resolve(device))
    found_some = model.prior.code.size > 0 and not model.recipe.labelled
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
    click.echo(f"{'1 row of pictures is' if rows == 1 else f'{rows} rows of pictures are'} in {place}")


def _writer(output: Path | None, place: Path, overwrite: bool) -> Callable[[bytes], None]:
    """What writes where someone asked for it; the file that a run gets where nobody did is made anew each time."""
    from seqgan.core import outputs

    if output:
        return outputs.writer(output, overwrite=overwrite)
    return lambda data: outputs.writer(place, overwrite=True)(data)


def _checked(place: Path, *known: str) -> Path:
    if place.suffix.lower() not in known:
        endings = [ending or "a folder (a name without an ending)" for ending in known]
        either = f"neither {' nor '.join(endings)}" if len(known) > 1 else f"no {endings[0]}"
        raise UsageError(f"--output {place} is {either}")
    return place


def _typed(ctx: click.Context, *names: str) -> list[str]:
    """Which of these options someone has given."""
    given = {name for name in names if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE}
    return [option.opts[-1] for option in ctx.command.params if option.name in given]
