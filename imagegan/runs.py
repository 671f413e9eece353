"""A run of this package: what its run.json says, and the images it learns from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from imagegan.data import MADE, Splits, load
from imagegan.nets import Shape
from imagegan.variants.configs import CONFIGS, ImageConfig
from seqgan.core import schema
from seqgan.core.config import assemble, parameters
from seqgan.core.run import describe, rewrite
from seqgan.errors import DataError, RunError

FIELDS = {
    "algorithm": schema.Field(f"one of {', '.join(CONFIGS)}", lambda value: value in CONFIGS),
    "config": schema.TABLE,
    "threads": schema.THREADS,
    "data": schema.TABLE,
}
DATA_FIELDS = {
    "name": schema.TEXT,
    "sha256": schema.TEXT,
    "channels": schema.SIZE,
    "classes": schema.WHOLE,
    "size": schema.SIZE,
    "folder": schema.TEXT_OR_NOTHING,
    "class_names": schema.TEXTS,
}


class Understood(NamedTuple):
    """What run.json says."""

    description: Mapping[str, Any]
    config: ImageConfig
    shape: Shape  # of an image


def load_images(folder: Path, held_out: int, moved: Path | None = None) -> Splits:
    """The images of a run, made or read again, perhaps from where they have been moved to.

    Raises:
        RunError: they are gone, or are others by now."""
    description, config, _ = understood(folder)
    data = description["data"]
    place = moved or (Path(data["folder"]) if data["folder"] else None)
    try:
        sets = load(
            data["name"],
            count=config.images,
            held_out=held_out,
            seed=description["seed"],
            size=config.size,
            folder=place,
        )
    except DataError as error:
        moving = (
            f"; if they have moved: imagegan train --resume {folder} --data-dir PATH"
            if place and not place.is_dir()
            else ""
        )
        raise RunError(f"the images of {folder} cannot be had again: {error}{moving}") from error
    if data["sha256"] != sets.train.fingerprint():
        source = f"in {place}" if place else "on the hub" if data["name"] not in MADE else "made (another Pillow?)"
        raise RunError(
            f"the images {source} are not those that {folder} was begun with; bring those back, or start a new run"
        )
    return sets


def class_names(folder: Path) -> tuple[str, ...]:
    """Of the classes that a run has learned, by number."""
    description, _, shape = understood(folder)
    return tuple(description["data"]["class_names"] or map(str, range(shape.classes)))


def refuse_other_images(folder: Path, data: str | None, data_dir: Path | None) -> None:
    """
    Raises:
        RunError: someone asks for other images than those a run was begun with, or where to read those of none."""
    was = understood(folder).description["data"]
    asked: dict[str, tuple[Any, str | None]] = {"--data": (was["name"], data)}
    if not was["folder"]:
        asked["--data-dir"] = (None, str(data_dir) if data_dir else None)
    for option, (before, now) in asked.items():
        if now is not None and now != before:
            raise RunError(
                f"{folder} was begun with other images: {option} was {before} and is now {now}; leave it out to go on "
                "with it, or start a new run"
            )


def follow_images(folder: Path, place: Path) -> None:
    """Put down where the images of a run lie by now.

    Raises:
        RunError: those that lie there are others."""
    description = understood(folder).description
    if description["data"]["folder"] != str(place):
        load_images(folder, 1, place)
        rewrite(folder, {**description, "data": {**description["data"], "folder": str(place)}})


def understood(folder: Path) -> Understood:
    """What run.json says of a run of this package: all of it, its config, and what its images are like.

    Raises:
        RunError: it is a run of another package, or damaged."""
    description = describe(folder)
    if description.get("package") != "imagegan":
        raise RunError(f"{folder} is a run of {description.get('package')}, not of imagegan")
    schema.check(folder / "run.json", description, FIELDS, RunError)
    schema.check(folder / "run.json", description["data"], DATA_FIELDS, RunError, "data.")
    kind = CONFIGS[description["algorithm"]]
    config, _ = assemble(kind, [(str(folder / "run.json"), description["config"])])
    names = [parameter.name for parameter in parameters(kind)]
    schema.refuse_changed(folder / "run.json", description, RunError, names)
    data = description["data"]
    return Understood(description, config, Shape(data["channels"], data["size"], data["classes"]))
