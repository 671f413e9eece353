"""What numbers about samples mean, in words: a line for each thing that nobody who reads them should miss."""

import math
from collections.abc import Iterator, Mapping

from seqgan.core.report import Row

VARIED, CLASSES, MODES = 0.5, 0.5, 0.5  # below half of what real images have, a model has collapsed
COPIED = 0.5
SURE = 0.95
HELD_OUT = "held-out"  # how the names of rows of real images begin


def collapsed(row: Row) -> bool:
    """A model that makes less than half of what there is."""
    return _value(row, "variety") < VARIED or _value(row, "classes") < CLASSES


def remarks(rows: Mapping[str, Row]) -> list[str]:
    """In the order of the rows, none of them twice."""
    told = (_of_real(row) if name.startswith(HELD_OUT) else _of(name, row) for name, row in rows.items())
    return list(dict.fromkeys(line for lines in told for line in lines))


def _of(name: str, row: Row) -> Iterator[str]:
    if collapsed(row) or _value(row, "modes") < MODES:
        parts = [f"{metric} {row[metric].value:.2g}" for metric in ("variety", "classes", "modes") if metric in row]
        yield (
            f"{name}: collapsed to less than half of what there is ({', '.join(parts)}; 1 is all of it); what "
            "helps a training: more steps, another --seed, lower learning rates, or another --model"
        )
    if _value(row, "copies") >= COPIED:
        share = row["copies"].value
        yield f"{name}: {share:.0%} are near copies of training images; more training images or fewer steps help"
    if _value(row, "d-accuracy") >= SURE:
        share = row["d-accuracy"].value
        yield (
            f"{name}: the discriminator is right about {share:.0%} of samples and held-out images, so the generator "
            "learns little from it; try a lower --d-lr, or --model wgan-gp"
        )
    if "distance" in row:
        yield (
            "the loss of a critic is minus the distance that it sees, plus a penalty where it has one: below zero is "
            "right, and it rises towards zero as samples come nearer to real images"
        )
    if _value(row, "distance") <= 0:
        yield f"{name}: the critic values samples as much as held-out images: it has learned nothing; try more steps"


def _of_real(row: Row) -> Iterator[str]:
    if "variety" in row and math.isnan(row["variety"].value):
        yield f"variety says nothing here: {row['variety'].signature}"
    if _value(row, "copies") >= COPIED:
        share = row["copies"].value
        yield f"{share:.0%} of the held-out images are near copies of training images: copying looks like learning here"


def _value(row: Row, metric: str) -> float:
    """NaN, of which no comparison holds, where there is none."""
    return row[metric].value if metric in row else math.nan
