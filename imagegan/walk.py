"""Walks in latent space: from noise to noise, along each code, and vector arithmetic."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import cosine_similarity

from imagegan.concepts import Concepts, clearest, sampled, without_filters
from imagegan.generation import images_of, latents, reconstruct
from imagegan.grids import drawn, is_points, stacked
from imagegan.latents import Latents, Noise
from imagegan.nets import Images
from imagegan.pyramid import Model
from seqgan.errors import UsageError

REACH = 2.0  # a number of the code goes from -2 to 2, as in figure 2 of Chen et al. (2016), though it learned [-1, 1]
AROUND = 0.25  # the neighbours of a result, as in figure 7 of Radford et al. (2016)


class Block(NamedTuple):
    """Latents of one grid, row by row."""

    latents: Latents
    columns: int

    @property
    def rows(self) -> int:
        return len(self.latents.noise) // self.columns


# --- latents


def interpolation(model: Model, rows: int, steps: int, seed: int, label: int | None = None) -> list[Block]:
    """In each row from one noise to another, with one code (of one class, if one is given); the noise of all levels
    of a pyramid together.

    Raises:
        UsageError: the model knows no such class."""
    chosen = latents(model, 2 * rows, seed, label)
    noise = slerp(chosen.noise[:rows], chosen.noise[rows:], steps).flatten(0, 1)
    return [Block(Latents(noise, chosen.codes[:rows].repeat_interleave(steps, dim=0)), steps)]


def slerp(start: Noise, end: Noise, steps: int) -> Float[Tensor, "B {steps} Z"]:
    """Along the arc between them: sin((1 - t) a) / sin a and sin(t a) / sin a of each, a the angle (White 2016).

    Normal noise of many dimensions has a norm near the root of their number. The arc keeps it; the middle of a straight
    line is shorter by the root of 2, where the generator has hardly ever been."""
    angle = cosine_similarity(start.double(), end.double(), dim=1).clamp(-1, 1).acos()[:, None, None]
    share = torch.linspace(0, 1, steps, dtype=torch.float64)[None, :, None]
    sine = angle.sin()
    straight = sine < 1e-6  # there is no one arc
    of_start = torch.where(straight, 1 - share, ((1 - share) * angle).sin() / sine)
    of_end = torch.where(straight, share, (share * angle).sin() / sine)
    return (of_start * start[:, None] + of_end * end[:, None]).float()


def between(ends: Latents, steps: int) -> Block:
    """From the first of two latents to the second: noise along the arc, codes along a straight line."""
    noise = slerp(ends.noise[:1], ends.noise[1:], steps)[0]
    share = torch.linspace(0, 1, steps)[:, None]
    return Block(Latents(noise, torch.lerp(ends.codes[:1], ends.codes[1:], share)), steps)


def directions(model: Model, most: int, count: int = 2000) -> Float[Tensor, "D Z"]:
    """The directions of the noise along which the images change most, the strongest first: the left singular vectors
    of the mean Jacobian of the generator.

    For normal noise z, E[z G(z)^T] is E[dG/dz] (Stein's lemma), so that samples are enough."""
    drawn = model.prior.draw(count, 0)
    images = images_of(model, drawn).flatten(1)
    jacobian = drawn.noise.T @ (images - images.mean(dim=0)) / count
    return torch.linalg.svd(jacobian, full_matrices=False).U.T[:most]


def traversal(model: Model, rows: int, steps: int, seed: int) -> list[Block]:
    """A block for the category and one for each number of the code, which alone changes along a row.

    Raises:
        UsageError: the model has no code."""
    code = model.prior.code
    if not code.size:
        raise UsageError("this model has neither a code nor classes; leave out --kind codes")
    start = model.prior.draw(rows, seed)
    blocks = []
    if code.categories:
        blocks.append(_along(start, slice(code.categories), torch.eye(code.categories)))
    for number in range(code.categories, code.size):
        blocks.append(_along(start, slice(number, number + 1), torch.linspace(-REACH, REACH, steps)[:, None]))
    return blocks


def _along(start: Latents, part: slice, values: Float[Tensor, "L P"]) -> Block:
    """A row for each latent, along which this part of the code takes these values."""
    rows, columns = len(start.noise), len(values)
    codes = start.codes.repeat_interleave(columns, dim=0)
    codes[:, part] = values.repeat(rows, 1)
    return Block(Latents(start.noise.repeat_interleave(columns, dim=0), codes), columns)


def arithmetic(model: Model, three: Sequence[Latents], seed: int) -> list[Block]:
    """A - B + C of the mean latents of three concepts, each given by three latents.

    A row for each concept, with its mean behind; then the result amid eight neighbours. Single latents are too unstable
    to calculate with (Radford et al. 2016, section 6.3.2); and where each mean is of three, the noise of the result
    has the variance of noise again. Codes are summed up as noise is."""
    rows = [torch.cat(latents, dim=1) for latents in three]
    minuend, subtrahend, summand = means = [row.mean(dim=0, keepdim=True) for row in rows]
    grid = torch.cat([part for row, mean in zip(rows, means, strict=True) for part in (row, mean)])
    result = _split(model, (minuend - subtrahend + summand).repeat(9, 1))
    rng = torch.Generator().manual_seed(seed)
    shift = AROUND * (2 * torch.rand(result.noise.shape, generator=rng) - 1)
    shift[4] = 0
    return [Block(_split(model, grid), 4), Block(result._replace(noise=result.noise + shift), 3)]


def _split(model: Model, whole: Float[Tensor, "B Y"]) -> Latents:
    return Latents(*whole.split([model.prior.noise, model.prior.code.size], dim=1))


# --- images


def still(model: Model, blocks: Sequence[Block]) -> Image.Image:
    """A grid for each block, one below the other; of points, each row in another colour."""
    return stacked(
        [
            drawn(images_of(model, block.latents), block.columns, real=model.images, tracks=block.rows)
            for block in blocks
        ]
    )


def reconstructions(model: Model, images: Images, columns: int) -> Image.Image:
    """Rows of images, below each their reconstructions G(E(x)); of points, both in different colours.

    Raises:
        UsageError: the model has no encoder."""
    made = reconstruct(model, images)
    if is_points(images):
        return drawn(torch.cat([images, made]), real=model.images, tracks=2)
    rows = [part.unflatten(0, (-1, columns)) for part in (images, made)]
    return drawn(torch.stack(rows, dim=1).flatten(0, 2), columns)


def sum_of_concepts(model: Model, concepts: Concepts, text: str, seed: int) -> tuple[Image.Image, str]:
    """The `arithmetic` of concepts that a text such as A-B+C names; and which of them its results show.

    Raises:
        UsageError: it is no such sum, or too few samples show a concept."""
    three = concepts.sum_of(text)
    found, degrees = sampled(model, concepts, seed)
    blocks = arithmetic(model, [clearest(found, degrees[:, n], concepts.names[n]) for n in three], seed)
    shown = (concepts.degrees(images_of(model, blocks[1].latents)) > 0).sum(dim=0).tolist()
    told = ", ".join(f"{name} {count}" for name, count in zip(concepts.names, shown, strict=True) if count)
    return still(model, blocks), f"of the nine results so many show: {told}"


def without_concept(model: Model, concepts: Concepts, name: str, seed: int) -> tuple[Image.Image, str]:
    """Samples with and without the filters that draw a concept; and how many show it.

    Raises:
        UsageError: there is no such concept, or the samples hardly ever show it, or always."""
    found = without_filters(model, concepts, concepts.number(name), 50, seed)
    before, after, control = found.shares
    return stacked([drawn(images) for images in (found.before, found.after)]), (
        f"{int(found.filters.sum())} of {len(found.filters)} filters dropped; samples that show {name}: "
        f"{before:.1%} before, {after:.1%} without them, {control:.1%} without as many at random"
    )


def moving(model: Model, blocks: Sequence[Block]) -> list[Image.Image]:
    """The columns of all blocks one after the other, and back to the first."""
    frames = []
    for block in blocks:
        images = images_of(model, block.latents).unflatten(0, (block.rows, block.columns))
        columns = images.unbind(dim=1)
        frames += [drawn(column, min(10, block.rows), real=model.images, tracks=block.rows) for column in columns]
    return [*frames, *frames[-2:0:-1]]
