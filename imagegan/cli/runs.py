"""`imagegan runs`."""

from collections.abc import Mapping, Sequence
from typing import Any

from seqgan.core.command import runs_command


def main_numbers(description: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The Frechet distances to validation images of the last phase, of a pyramid its finest level."""
    distances = [line["valid_fd"] for line in lines if line["phase"] == lines[-1]["phase"] and "valid_fd" in line]
    return {"best valid_fd": min(distances), "final valid_fd": distances[-1]} if distances else {}


runs = runs_command("imagegan", "imagegan train --model dcgan --data digits", main_numbers)
