"""A run of this package: what its run.json says, and the images it learns from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from imagegan.data import MADE, Splits, load
from imagegan.nets import Shape
from imagegan.variants.configs import CONFIGS, ImageConfig
from seqgan.core import schema
from seqgan.core.config import assemble, parameters
from seqgan.core.files import in_shell
from seqgan.core.run import describe, rewrite
from seqgan.errors import DataError, RunError, SeqGANError

FIELDS = {
    "algorithm": schema.Field(f"one of {', '.join(CONFIGS)}", lambda value: value in CONFIGS),
    "config": schema.TABLE,
    "seed": schema.WHOLE,
    "data": schema.TABLE,
}
DATA_FIELDS = {
    "name": schema.TEXT,
    "sha256": schema.TEXT,
    "channels": schema.SIZE,
    "classes": schema.WHOLE,
    "unlabelled": schema.WHOLE,
    "size": schema.SIZE,
    "folder": schema.TEXT_OR_NOTHING,
    "class_names": schema.TEXTS,
}


class RunDescription(NamedTuple):
    """What run.json says."""

    description: Mapping[str, Any]
    config: ImageConfig
    shape: Shape  # of an image

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, by number."""
        return tuple(self.description["data"]["class_names"] or map(str, range(self.shape.classes)))


def load_images(folder: Path, held_out: int, moved: Path | None = None) -> Splits:
    """The images of a run, generated or read again (from `moved`, where they have been moved).

    Raises:
        RunError: they are missing, or have changed."""
    description, config, _ = read_run(folder)
    data, seed = description["data"], description["seed"]
    place = moved or (Path(data["folder"]) if data["folder"] else None)
    try:
        splits = load(data["name"], count=config.images, held_out=held_out, seed=seed, size=config.size, folder=place)
    except DataError as error:
        gone = place and not place.is_dir()
        moving = f"; if they have moved: imagegan train --resume {in_shell(folder)} --data-dir PATH" if gone else ""
        raise RunError(f"the images of {folder} cannot be loaded again: {error}{moving}") from error
    if data["sha256"] != splits.train.fingerprint():
        source = f"in {place}" if place else "on the hub" if data["name"] not in MADE else "made (another Pillow?)"
        raise RunError(
            f"the images {source} are not those that {folder} was begun with; bring those back, or start a new run"
        )
    return splits


def refuse_other_images(folder: Path, data: str | None, data_dir: Path | None) -> None:
    """Refuse images that are not those that the run was begun with (RunError)."""
    was = read_run(folder).description["data"]
    asked: dict[str, tuple[Any, str | None]] = {"--data": (was["name"], data)}
    if not was["folder"]:
        asked["--data-dir"] = (None, str(data_dir) if data_dir else None)
    for option, (before, now) in asked.items():
        if now is not None and now != before:
            raise RunError(
                f"{folder} was begun with other images: {option} was {before} and is now {now}; leave it out to go on "
                "with it, or start a new run"
            )


def record_moved_images(folder: Path, place: Path) -> None:
    """Write to run.json where the images of a run are now.

    Raises:
        RunError: those are other images."""
    description = read_run(folder).description
    if description["data"]["folder"] != str(place):
        load_images(folder, 1, place)
        rewrite(folder, {**description, "data": {**description["data"], "folder": str(place)}})


def read_run(folder: Path) -> RunDescription:
    """Read run.json: all of it, the config, and the shape of the images.

    Raises:
        RunError: it is a run of another package, or damaged."""
    return described(folder / "run.json", describe(folder, "imagegan"), RunError)


def described(path: Path, description: Mapping[str, Any], error: type[SeqGANError]) -> RunDescription:
    """What a file says of a run, or of a model that was saved.

    Raises:
        error: it is damaged."""
    schema.check(path, description, FIELDS, error)
    schema.check(path, description["data"], DATA_FIELDS, error, "data.")
    kind = CONFIGS[description["algorithm"]]
    config, _ = assemble(kind, [(str(path), description["config"])])
    schema.refuse_changed(path, description, error, [parameter.name for parameter in parameters(kind)])
    data = description["data"]
    shape = Shape(data["channels"], data["size"], data["classes"], data["unlabelled"])
    return RunDescription(description, config, shape)
