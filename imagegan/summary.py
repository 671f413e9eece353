"""A summary of the numbers in words: a line for each problem that they show."""

import math
from collections.abc import Iterator, Mapping

from seqgan.core.report import Row

VARIED, CLASSES, MODES = 0.5, 0.5, 0.5  # below half of that of real images a model has collapsed
COPIED = 0.5
SURE = 0.95
HELD_OUT = "held-out"  # the prefix of the rows of real images


def collapsed(row: Row) -> bool:
    """Whether a model generates less than half of the variety or of the classes."""
    return _value(row, "variety") < VARIED or _value(row, "classes") < CLASSES


def summary(rows: Mapping[str, Row]) -> list[str]:
    """In the order of the rows, each line once."""
    lines = (_of_real(row) if name.startswith(HELD_OUT) else _of(name, row) for name, row in rows.items())
    return list(dict.fromkeys(line for found in lines for line in found))


def _of(name: str, row: Row) -> Iterator[str]:
    if collapsed(row) or _value(row, "modes") < MODES:
        parts = [f"{metric} {row[metric].value:.2g}" for metric in ("variety", "classes", "modes") if metric in row]
        yield (
            f"{name}: collapsed, with less than half of the real variety, classes or modes ({', '.join(parts)}; 1 is "
            "all); try more steps, another --seed, lower learning rates, or another --model"
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
            "the loss of a critic is minus its estimate of the distance, plus the penalty: it is below zero, and "
            "rises towards zero as samples get closer to real images"
        )
    if _value(row, "distance") <= 0:
        yield f"{name}: the critic scores samples as high as held-out images: it has learned nothing; try more steps"


def _of_real(row: Row) -> Iterator[str]:
    if "variety" in row and math.isnan(row["variety"].value):
        yield f"variety is undefined here: {row['variety'].signature}"
    if _value(row, "copies") >= COPIED:
        share = row["copies"].value
        yield f"{share:.0%} of the held-out images are near copies of training images: memorisation does not show here"


def _value(row: Row, metric: str) -> float:
    """NaN, with which every comparison is false, where there is none."""
    return row[metric].value if metric in row else math.nan
