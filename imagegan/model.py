"""The model of a run in use: load it, and generate images with it."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import torch

from imagegan.data import TOYS, ImageDataset, toy
from imagegan.generation import class_number, images_of, latents
from imagegan.grids import POINTS
from imagegan.nets import Images
from imagegan.pyramid import Model
from imagegan.runs import RunDescription, read_run
from imagegan.training import new_model
from imagegan.validation import Validated
from seqgan.core.bounds import PATH, Stage, checked
from seqgan.core.folder import checkpoint_of
from seqgan.core.run import fitting, saved_in
from seqgan.errors import RunError

STAGES = ("final", "best")
STAGE = Stage("final, best, or the number of a checkpoint")


@checked
def load_model(folder: Annotated[Path, PATH], device: torch.device, stage: Annotated[str, STAGE] = "final") -> Model:
    """The model of a run at its newest checkpoint ("final"), with the generator that was best on validation images
    ("best"), or at a checkpoint by its number.

    Raises:
        RunError: it is not a run of this package, has no checkpoint yet, or no such stage.
        CheckpointError: the checkpoint is damaged, or belongs to another run."""
    about = read_run(folder)
    path = checkpoint_of(folder, stage, STAGES, "imagegan")
    saved = saved_in(path, folder, about.description)
    model = untrained(about, device)
    validated = Validated(model)
    with fitting(path, folder):
        validated.load_state_dict(saved["algorithm"])
    if stage == "best" and not validated.use_best():
        raise RunError(
            f"{folder} has no best stage: its samples were not measured on validation images, or not yet "
            "(--validate-every); leave out --stage best"
        )
    return model


def untrained(about: RunDescription, device: torch.device) -> Model:
    """The model of this description as it begins. No image of the data is needed, but their shape is; points are drawn
    above real ones."""
    shape, data = about.shape, about.description["data"]["name"]
    nothing = torch.zeros(1, shape.channels, shape.size, shape.size)
    images = toy(data, POINTS).images if data in TOYS else nothing
    dataset = ImageDataset.of(images)
    algorithm, seed = about.description["algorithm"], about.description["seed"]
    return new_model(algorithm, about.config, dataset, shape, device, seed)


class ImageModel(NamedTuple):
    """A trained model in use. Its networks are `recipe.nets` of each of `model.games`."""

    model: Model
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
