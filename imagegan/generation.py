"""Images of a model, and what it sees in images: latents chosen, drawn, encoded."""

import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from imagegan.data import ImageDataset
from imagegan.game import Recipe
from imagegan.latents import CPU, Codes, CodeSpec, Latents, Noise
from imagegan.metrics.predictors import AT_ONCE
from imagegan.nets import Images
from imagegan.pyramid import Model
from imagegan.samples import Samples
from seqgan.core.bounds import COUNT, SEED, STEPS, Real, Several, checked
from seqgan.core.config import nearest
from seqgan.core.game import inference
from seqgan.core.seed import derive, private_generator
from seqgan.errors import UsageError, quoted

EVALUATED_AT_A_TIME = 100  # another number would draw other samples with the same seed
MOST_NAMED = 50  # classes, in a message
TRUNCATION = Real(0, math.inf, above=True)
CODE = Several(Real(-1e6, 1e6), "3,-1,0.5")


def images_of(model: Model, chosen: Latents) -> Images:
    count = len(chosen.noise)
    parts = [chosen.take(slice(first, first + AT_ONCE)) for first in range(0, count, AT_ONCE)]
    return torch.cat([model.draw(part).cpu() for part in parts])


def encode(model: Model, images: Images) -> Noise:
    """The codes E(x) of images.

    Raises:
        UsageError: there is no encoder."""
    if model.recipe.encode is None:
        raise UsageError("this model has no encoder; train one by --model bigan or vae")
    return _in_parts(model, "encoder", model.recipe.encode, images)


def features_of(model: Model) -> tuple[str, Callable[[Images], Tensor]] | None:
    """What a model has learned to see in images, and its name: the codes of an encoder, else the features of a
    discriminator, where that is given images alone."""
    recipe = model.recipe
    if recipe.encode is not None:
        return "codes E(x)", partial(encode, model)
    if "discriminator" not in recipe.nets or recipe.d_inputs is not Recipe.d_inputs:
        return None
    net = recipe.nets["discriminator"]
    return "features of the discriminator", partial(_in_parts, model, "discriminator", lambda some: net(some).features)


def _in_parts(model: Model, net: str, of: Callable[[Images], Tensor], images: Images) -> Tensor:
    with inference(model.recipe.nets[net]):
        return torch.cat([of(some.to(model.device)).float().cpu() for some in images.split(AT_ONCE)])


def reconstruct(model: Model, images: Images) -> Images:
    """G(E(x)), of the generator that learns with the encoder, not of its average."""
    generator = model.recipe.nets["generator"]
    return _in_parts(model, "generator", lambda some: generator(some, some[:, :0]), encode(model, images))


def draw_samples(model: Model, count: int, seed: int, train: ImageDataset) -> Samples:
    """Samples that depend on the seed alone. Classes are as frequent as among the training images, codes as in
    training."""
    rng = private_generator(seed, "evaluation")
    code, labels = model.recipe.code, None
    if model.recipe.conditional:
        labels = train.labels[torch.randint(len(train.labels), (count,), generator=rng)]
    codes = code.draw(count, CPU, rng) if labels is None else one_hot(labels, code.categories).float()
    parts = [
        model.draw(model.prior.draw(len(some), derive(seed, "evaluation", part), some)).cpu()
        for part, some in enumerate(codes.split(EVALUATED_AT_A_TIME))
    ]
    if labels is not None:
        return Samples(torch.cat(parts), labels)
    categories = codes[:, : code.categories].argmax(dim=1) if code.categories else None
    return Samples(torch.cat(parts), None, categories, codes[:, code.categories :] if code.continuous else None)


@checked
def latents(
    model: Model,
    count: Annotated[int, COUNT],
    seed: Annotated[int, SEED],
    label: Annotated[int | None, STEPS] = None,
    code: Annotated[Sequence[float] | None, CODE] = None,
    truncation: Annotated[float, TRUNCATION] = math.inf,
) -> Latents:
    """The latents of `generate`; `label` is a number of `class_number`."""
    known, codes = model.prior.code, None
    if label is not None and code is not None:
        raise UsageError("a class and a code were given, but one of them was expected; leave out --class or --code")
    if label is not None:
        codes = known.join(torch.tensor([label]), torch.zeros(1, 0)).expand(count, -1)
    elif code is not None:
        codes = _of_code(code, known, model.recipe.conditional).expand(count, -1)
    return model.prior.draw(count, seed, codes, truncation)


def class_number(model: Model, names: Sequence[str], text: str) -> int:
    """The number of a class, given by its name or, where no name is a number, by its number.

    Raises:
        UsageError: there is none."""
    if not model.recipe.conditional:
        raise UsageError("this model is not conditioned on classes; leave out --class")
    if text in names:
        return list(names).index(text)
    if re.fullmatch("[0-9]{1,9}", text) and not any(re.fullmatch("[0-9]+", name) for name in names):
        _among(int(text), len(names), "class")
        return int(text)
    raise UsageError(f"there is no class {quoted(text)}{nearest(text, names[:MOST_NAMED])}")


def _of_code(code: Sequence[float], known: CodeSpec, labelled: bool) -> Codes:
    if labelled or not known.size:
        raise UsageError("this model has no code; leave out --code" + (", or give --class" if labelled else ""))
    if len(code) != known.continuous + bool(known.categories):
        parts = ["a category"] * bool(known.categories) + [f"{known.continuous} numbers in [-1, 1]"]
        raise UsageError(f"--code has {len(code)} values, but {' and '.join(parts)} were expected")
    category = int(code[0]) if known.categories else 0
    if known.categories:
        if category != code[0]:
            raise UsageError(f"--code begins with {code[0]}, but a category was expected: a whole number")
        _among(category, known.categories, "category")
    return known.join(torch.tensor([category]), torch.tensor([code[bool(known.categories) :]], dtype=torch.float32))


def _among(value: int, count: int, what: str) -> None:
    if not 0 <= value < count:
        raise UsageError(f"there is no {what} {value}; choose 0 to {count - 1}")
