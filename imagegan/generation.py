"""Load a run, sample from it, and write images."""

import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import one_hot

from imagegan.data import TOYS, UNLABELLED, ImageDataset, toy
from imagegan.data.layout import folder_names
from imagegan.game import Game, Recipe
from imagegan.grids import POINTS, as_bytes, is_points
from imagegan.latents import Codes, CodeSpec, Latents, Noise
from imagegan.metrics.predictors import AT_ONCE
from imagegan.nets import Images
from imagegan.pyramid import Pyramid
from imagegan.runs import RunDescription, read_run
from imagegan.samples import Labels, Samples
from imagegan.training import new_model
from imagegan.validation import Validated
from seqgan.core.bounds import COUNT, PATH, SEED, STEPS, Real, Several, Stage, checked
from seqgan.core.config import nearest
from seqgan.core.game import inference
from seqgan.core.plots import png
from seqgan.core.run import checkpoints, saved_in
from seqgan.core.seed import derive, private_generator
from seqgan.errors import CheckpointError, RunError, UsageError, quoted, why

EVALUATED_AT_A_TIME = 100  # another number would draw other samples with the same seed
MOST_NAMED = 50  # classes, in a message
TRUNCATION = Real(0, math.inf, above=True)
STAGES = ("final", "best")
STAGE = Stage("final, best, or the number of a checkpoint")
CODE = Several(Real(-1e6, 1e6), "3,-1,0.5")


@checked
def load_model(
    folder: Annotated[Path, PATH], device: torch.device, stage: Annotated[str, STAGE] = "final"
) -> Game | Pyramid:
    """The model of a run at its newest checkpoint ("final"), with the generator that was best on validation images
    ("best"), or at a checkpoint by its number.

    Raises:
        RunError: it is not a run of this package, has no checkpoint yet, or no such stage.
        CheckpointError: the checkpoint is damaged, or belongs to another run."""
    about = read_run(folder)
    path = _checkpoint_of(folder, stage)
    saved = saved_in(path, folder, about.description)
    model = untrained(about, device)
    validated = Validated(model)
    try:
        validated.load_state_dict(saved["algorithm"])
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} does not belong to the run {folder}: {why(error)}; restore it from a copy, or remove it to "
            "use the one before it"
        ) from error
    if stage == "best" and not validated.use_best():
        raise RunError(
            f"{folder} has no best stage: its samples were not measured on validation images, or not yet "
            "(--validate-every); leave out --stage best"
        )
    return model


def untrained(about: RunDescription, device: torch.device) -> Game | Pyramid:
    """The model of this description as it begins. No image of the data is needed, but their shape is; points are drawn
    above real ones."""
    shape, data = about.shape, about.description["data"]["name"]
    nothing = torch.zeros(1, shape.channels, shape.size, shape.size)
    images = toy(data, POINTS).images if data in TOYS else nothing
    dataset = ImageDataset(images, torch.full((len(images),), UNLABELLED), torch.zeros(len(images), 0))
    algorithm, seed = about.description["algorithm"], about.description["seed"]
    return new_model(algorithm, about.config, dataset, shape, device, seed)


def _checkpoint_of(folder: Path, stage: str) -> Path:
    found = {str(steps): path for steps, path in checkpoints(folder).items()}
    if not found:
        raise RunError(f"{folder} has no checkpoint yet; train it by imagegan train --resume {folder}")
    if stage not in (*STAGES, *found):
        raise RunError(
            f"{folder} has no stage {quoted(stage)}; there are {', '.join(STAGES)} and the checkpoints "
            f"{', '.join(found)}"
        )
    return found.get(stage, list(found.values())[-1])


class ImageModel(NamedTuple):
    """A trained model in use. Its networks are `recipe.nets` of each of `model.games`."""

    model: Game | Pyramid
    about: RunDescription

    def __repr__(self) -> str:
        about = self.about.description
        return f"<ImageModel {about['algorithm']} on {about['data']['name']}, seed {about['seed']}>"

    def generate(
        self,
        count: int = 10,
        *,
        seed: int = 0,
        label: str | int | None = None,
        code: Sequence[float] | None = None,
        truncation: float = math.inf,
    ) -> Images:
        """Images "N C S S" in [-1, 1], on the CPU, that depend on the seed alone (image k is the same for every count):
        of one class (by name or number), with one code, or of all classes in turn.

        Raises:
            UsageError: the model has no such class or code."""
        number = None if label is None else class_number(self.model, self.about.class_names, str(label))
        return images_of(self.model, latents(self.model, count, seed, number, code, truncation))


def images_of(model: Game | Pyramid, chosen: Latents) -> Images:
    count = len(chosen.noise)
    parts = [chosen.take(slice(first, first + AT_ONCE)) for first in range(0, count, AT_ONCE)]
    return torch.cat([model.draw(part).cpu() for part in parts])


def encode(model: Game | Pyramid, images: Images) -> Noise:
    """The codes E(x) of images.

    Raises:
        UsageError: there is no encoder."""
    if model.recipe.encode is None:
        raise UsageError("this model has no encoder; train one by --model bigan or vae")
    return _in_parts(model, "encoder", model.recipe.encode, images)


def features_of(model: Game | Pyramid) -> tuple[str, Callable[[Images], Tensor]] | None:
    """What a model has learned to see in images, and its name: the codes of an encoder, else the features of a
    discriminator, where that is given images alone."""
    recipe = model.recipe
    if recipe.encode is not None:
        return "codes E(x)", partial(encode, model)
    if "discriminator" not in recipe.nets or recipe.d_inputs is not Recipe.d_inputs:
        return None
    net = recipe.nets["discriminator"]
    return "features of the discriminator", partial(_in_parts, model, "discriminator", lambda some: net(some).features)


def _in_parts(model: Game | Pyramid, net: str, of: Callable[[Images], Tensor], images: Images) -> Tensor:
    with inference(model.recipe.nets[net]):
        return torch.cat([of(some.to(model.device)).float().cpu() for some in images.split(AT_ONCE)])


def reconstruct(model: Game | Pyramid, images: Images) -> Images:
    """G(E(x)), of the generator that learns with the encoder, not of its average."""
    codes = encode(model, images).to(model.device)
    with inference(model.recipe.nets["generator"]) as generator:
        return torch.cat([generator(some, some[:, :0]).float().cpu() for some in codes.split(AT_ONCE)])


def draw_samples(model: Game | Pyramid, count: int, seed: int, train: ImageDataset) -> Samples:
    """Samples that depend on the seed alone. Classes are as frequent as among the training images, codes as in
    training."""
    rng = private_generator(seed, "evaluation")
    code, cpu = model.recipe.code, torch.device("cpu")
    labels = (
        train.labels[torch.randint(len(train.labels), (count,), generator=rng)] if model.recipe.conditional else None
    )
    codes = code.draw(count, cpu, rng) if labels is None else one_hot(labels, code.categories).float()
    parts = [
        model.sample(len(some), derive(seed, "evaluation", part), some).cpu()
        for part, some in enumerate(codes.split(EVALUATED_AT_A_TIME))
    ]
    return Samples(torch.cat(parts), labels, *(_code_parts(model, codes) if labels is None else ()))


def _code_parts(model: Game | Pyramid, codes: Codes) -> tuple[Labels | None, Float[Tensor, "N U"] | None]:
    """The categories and the numbers of codes, where they have them."""
    code = model.recipe.code
    categories = codes[:, : code.categories].argmax(dim=1) if code.categories else None
    return categories, codes[:, code.categories :] if code.continuous else None


@checked
def latents(
    model: Game | Pyramid,
    count: Annotated[int, COUNT],
    seed: Annotated[int, SEED],
    label: Annotated[int | None, STEPS] = None,
    code: Annotated[Sequence[float] | None, CODE] = None,
    truncation: Annotated[float, TRUNCATION] = math.inf,
) -> Latents:
    """The latents of `generate`."""
    known, labelled = model.prior.code, model.recipe.conditional
    codes = None
    if label is not None and code is not None:
        raise UsageError("a class and a code were given, but one of them was expected; leave out --class or --code")
    if label is not None:
        codes = _of_class(label, known, labelled).expand(count, -1)
    elif code is not None:
        codes = _of_code(code, known, labelled).expand(count, -1)
    return model.prior.draw(count, seed, codes, truncation)


def class_number(model: Game | Pyramid, names: Sequence[str], text: str) -> int:
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


def _of_class(label: int, known: CodeSpec, labelled: bool) -> Codes:
    if not labelled:
        raise UsageError("this model is not conditioned on classes; leave out --class")
    _among(label, known.categories, "class")
    return known.join(torch.tensor([label]), torch.zeros(1, 0))


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


def history_gif(model: Game | Pyramid) -> bytes:
    """An animated GIF of samples over training.

    Raises:
        UsageError: a saved model, which has none."""
    if not model.history.frames:
        raise UsageError("there are no samples over training here; give a RUN, or an --output of another kind")
    return model.history.gif(model.draw)


def npz(images: Images, **given: Tensor) -> bytes:
    """Images as bytes 0 to 255, N x S x S x C, under the name `images`; points as they are, under `samples`. Beside
    them the labels or codes that they were generated for."""
    points = is_points(images)
    arrays = {"samples": images} if points else {"images": as_bytes(images).permute(0, 2, 3, 1).contiguous()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{name: values.numpy() for name, values in {**arrays, **given}.items()})  # type: ignore[arg-type]
    return buffer.getvalue()


def png_files(images: Images, labels: Tensor | None, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """A PNG for each image, named by its number, in folders by class where there are labels.

    Raises:
        UsageError: the samples are points."""
    if is_points(images):
        raise UsageError("points in the plane are not images; give --output a name that ends with .npz or .png")
    folders = folder_names(names)
    digits = len(str(len(images) - 1))
    for number, values in enumerate(as_bytes(images).numpy()):
        image = Image.fromarray(values[0] if len(values) == 1 else values.transpose(1, 2, 0))
        name = f"{number:0{digits}}.png"
        yield (name if labels is None else f"{folders[int(labels[number])]}/{name}"), png(image)


def conditioning(model: Game | Pyramid, chosen: Latents) -> dict[str, Tensor]:
    """The `labels` or `codes` of these latents; empty where there are neither."""
    if model.recipe.conditional:
        return {"labels": chosen.codes.argmax(dim=1)}
    return {"codes": chosen.codes} if model.prior.code.size else {}
