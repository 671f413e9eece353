"""The page of `imagegan demo`: a grid of samples, what moves them, and a walk between two of them."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from imagegan import walk
from imagegan.generation import images_of, latents
from imagegan.grids import drawn, gif, is_points
from imagegan.latents import Latents
from imagegan.model import ImageModel
from imagegan.pyramid import Model
from seqgan.core import demo
from seqgan.core import page as pages

TEMPLATE, SCRIPT = (Path(__file__).with_name(f"demo.{ending}") for ending in ("html", "js"))
MOST_PICTURES, MOST_DIRECTIONS, MOST_NUMBERS = 60, 8, 8
STEPS, FAR = 10, 4.0  # of a walk; of a slider, in standard deviations of the noise
IN_TURN = "each in turn"
LARGEST = 3_000_000  # bytes of an animation


class Asked(NamedTuple):
    """What the page asks for."""

    seed: int
    pictures: int
    category: int | None  # a class, or a category of the code
    truncation: float
    along: Sequence[float]  # how far along each direction
    numbers: Sequence[float]  # what is added to each number of the code


def moved(model: Model, asked: Asked, directions: Tensor) -> Latents:
    """Latents of a seed, all moved alike."""
    noise, codes = latents(model, asked.pictures, asked.seed, truncation=asked.truncation)
    known = model.prior.code
    codes = codes.clone()
    if asked.category is not None:
        codes[:, : known.categories] = one_hot(torch.tensor(asked.category), known.categories)
    numbers = slice(known.categories, known.categories + len(asked.numbers))
    codes[:, numbers] += torch.tensor(asked.numbers, dtype=torch.float32)
    return Latents(noise + torch.tensor(asked.along, dtype=torch.float32) @ directions, codes)


def rendered(model: Model, chosen: Latents, ends: Sequence[int]) -> str:
    """The samples, and the walk between two of them."""
    images = images_of(model, chosen)
    points = is_points(images)
    block = walk.between(chosen.take(torch.tensor(ends)), STEPS)
    return pages.rendered(
        TEMPLATE,
        {
            "whole": pages.picture(drawn(images, real=model.images)),
            "pictures": [] if points else [pages.picture(drawn(image[None])) for image in images],
            "ends": list(ends),
            "strip": pages.picture(walk.still(model, [block])),
            "film": pages.animation(gif(walk.moving(model, [block])), LARGEST)[0],
        },
    ).decode()


def page(opened: ImageModel, name: str) -> Any:
    """The page, as blocks of gradio."""
    import gradio as gr

    model, about = opened
    known, directions = model.prior.code, walk.directions(model, MOST_DIRECTIONS)
    names = list(about.class_names) if model.recipe.conditional else [*map(str, range(known.categories))]

    @demo.told
    def draw(ends: list[int], seed: int, count: int, name: str, truncation: float, *moves: float) -> Any:
        category = None if name == IN_TURN else names.index(name)
        limit = math.inf if truncation >= FAR else truncation
        asked = Asked(seed, count, category, limit, moves[: len(directions)], moves[len(directions) :])
        ends = [min(end, count - 1) for end in ends]
        return ends, rendered(model, moved(model, asked, directions), ends)

    def choose(event: gr.EventData, ends: list[int], *asked: Any) -> Any:
        return draw([ends[1], event.picture], *asked)

    with gr.Blocks(title=f"{name}: imagegan", analytics_enabled=False) as blocks:
        ends = gr.State([0, 1])
        with gr.Row(elem_id="sides"):
            with gr.Column(scale=1, min_width=260):
                heading = "class" if model.recipe.conditional else "category"
                category = gr.Dropdown([IN_TURN, *names], value=IN_TURN, label=heading, visible=bool(names))
                numbers = [
                    gr.Slider(-walk.REACH, walk.REACH, 0, step=0.1, label=f"code {number + 1}")
                    for number in range(min(known.continuous, MOST_NUMBERS))
                ]
                along = [
                    gr.Slider(-FAR, FAR, 0, step=0.1, label=f"direction {number + 1}")
                    for number in range(len(directions))
                ]
                truncation = gr.Slider(0.1, FAR, FAR, step=0.1, label=f"truncation ({FAR:g}: none)")
                most, usual = (1000, 500) if about.shape.size == 1 else (MOST_PICTURES, 20)
                count = gr.Slider(2, most, usual, step=1, label="pictures", precision=0)
                seed = gr.Number(0, label="seed", precision=0, minimum=0, maximum=2**53)
            with gr.Column(scale=3, min_width=300):
                another = gr.Button("new seed", variant="primary")
                shown = gr.HTML(js_on_load=SCRIPT.read_text(encoding="utf-8"), apply_default_css=False)
        asked = [seed, count, category, truncation, *along, *numbers]
        listening = {**demo.LISTENING, "trigger_mode": "always_last"}
        changes = [blocks.load, *(part.change for part in asked)]
        gr.on(changes, draw, [ends, *asked], [ends, shown], **listening)
        another.click(demo.new_seed, None, seed, **demo.LISTENING)
        shown.click(choose, [ends, *asked], [ends, shown], **demo.LISTENING)
    return blocks
